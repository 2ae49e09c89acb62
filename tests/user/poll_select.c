/* SPDX-License-Identifier: MIT
 *
 * poll, ppoll, select, pselect.
 */
#include "test.h"
#include <poll.h>
#include <sys/select.h>
#include <sys/time.h>

TEST(pipe_events, "a pipe: nothing, POLLIN, POLLOUT, POLLHUP, POLLERR")
{
	int p[2];
	struct pollfd f[2];

	MUST(!pipe(p));
	f[0] = (struct pollfd){ p[0], POLLIN, 0 };
	f[1] = (struct pollfd){ p[1], POLLOUT, 0 };
	CHECK_EQ(poll(f, 2, 0), 1);
	CHECK_EQ(f[0].revents, 0);
	CHECK_EQ(f[1].revents, POLLOUT);
	MUST(write(p[1], "x", 1) == 1);
	CHECK_EQ(poll(f, 2, -1), 2);
	CHECK_EQ(f[0].revents, POLLIN);
	close(p[1]);
	CHECK_EQ(poll(f, 1, 0), 1);
	CHECK_EQ(f[0].revents, POLLIN | POLLHUP);
	char c;

	MUST(read(p[0], &c, 1) == 1);
	f[0].events = 0;
	CHECK_EQ(poll(f, 1, 0), 1);
	CHECK_EQ(f[0].revents, POLLHUP);
	close(p[0]);
	MUST(!pipe(p));
	close(p[0]);
	f[0] = (struct pollfd){ p[1], POLLOUT, 0 };
	CHECK_EQ(poll(f, 1, 0), 1);
	CHECK(f[0].revents & POLLERR);
	close(p[1]);
}

TEST(bad_fd, "a bad descriptor is POLLNVAL, a negative one is passed over")
{
	struct pollfd f[2] = { { 900, POLLIN, 0 }, { -1, POLLIN, 77 } };

	CHECK_EQ(poll(f, 2, 0), 1);
	CHECK_EQ(f[0].revents, POLLNVAL);
	CHECK_EQ(f[1].revents, 0);
}

TEST(file, "a regular file is always ready")
{
	int fd = tmp_file(1);
	struct pollfd f = { fd, POLLIN | POLLOUT, 0 };

	CHECK_EQ(poll(&f, 1, 0), 1);
	CHECK_EQ(f.revents, POLLIN | POLLOUT);
	close(fd);
}

TEST(timeout, "the time-out is kept")
{
	int64_t start = now_ns(CLOCK_MONOTONIC);
	struct timespec ts = { 0, 30000000 };

	CHECK_EQ(poll(NULL, 0, 30), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 30000000);
	start = now_ns(CLOCK_MONOTONIC);
	CHECK_EQ(ppoll(NULL, 0, &ts, NULL), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 30000000);
}

TEST(wakes, "a sleeping poll wakes when data comes")
{
	int p[2];

	MUST(!pipe(p));
	pid_t pid = fork_checked();

	if (!pid) {
		sleep_ms(20);
		_exit(write(p[1], "x", 1) != 1);
	}
	struct pollfd f = { p[0], POLLIN, 0 };

	CHECK_EQ(poll(&f, 1, 5000), 1);
	CHECK_EQ(f.revents, POLLIN);
	wait_for(pid);
	close(p[0]);
	close(p[1]);
}

TEST(select_, "select: sets, count, time-out left, EBADF, EINVAL")
{
	int p[2];
	fd_set r, w;
	struct timeval tv = { 1, 0 };

	MUST(!pipe(p));
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_SET(p[0], &r);
	FD_SET(p[1], &w);
	CHECK_EQ(SYS(select, p[1] + 1, &r, &w, NULL, &tv), 1);
	CHECK(!FD_ISSET(p[0], &r));
	CHECK(FD_ISSET(p[1], &w));
	CHECK_RANGE(tv.tv_sec * 1000000 + tv.tv_usec, 500000, 1000000);
	MUST(write(p[1], "x", 1) == 1);
	FD_ZERO(&r);
	FD_SET(p[0], &r);
	CHECK_EQ(select(p[0] + 1, &r, NULL, NULL, NULL), 1);
	CHECK(FD_ISSET(p[0], &r));
	tv = (struct timeval){ 0, 20000 };
	CHECK_EQ(SYS(select, 0, NULL, NULL, NULL, &tv), 0);
	CHECK_EQ(tv.tv_usec, 0);
	FD_ZERO(&r);
	/* Linux passes over descriptors beyond its table, which has at least 64 entries. */
	FD_SET(60, &r);
	CHECK_ERR(select(61, &r, NULL, NULL, NULL), EBADF);
	CHECK_EQ(SYS(select, -1, NULL, NULL, NULL, NULL), -EINVAL);
	close(p[0]);
	close(p[1]);
}

static volatile int got;

static void handler(int sig UNUSED)
{
	got++;
}

TEST(masks, "ppoll and pselect change the mask while they wait: a pending signal ends them")
{
	sigset_t block, old, now;
	struct timespec ts = { 5, 0 };

	signal(SIGUSR1, handler);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	MUST(!sigprocmask(SIG_BLOCK, &block, &old));
	got = 0;
	kill(getpid(), SIGUSR1);
	CHECK_EQ(got, 0);
	CHECK_ERR(ppoll(NULL, 0, &ts, &old), EINTR);
	CHECK_EQ(got, 1);
	kill(getpid(), SIGUSR1);
	CHECK_ERR(pselect(0, NULL, NULL, NULL, &ts, &old), EINTR);
	CHECK_EQ(got, 2);
	MUST(!sigprocmask(SIG_SETMASK, &old, &now));
	CHECK_EQ(sigismember(&now, SIGUSR1), 1);
	signal(SIGUSR1, SIG_DFL);
}

TEST(too_many, "more descriptors than RLIMIT_NOFILE: EINVAL")
{
	struct rlimit rl;

	MUST(!getrlimit(RLIMIT_NOFILE, &rl));
	CHECK_EQ(SYS(poll, NULL, rl.rlim_cur + 1, 0), -EINVAL);
}

TEST_MAIN()
