/* SPDX-License-Identifier: MIT
 *
 * System calls interrupted by a handler: restarted with SA_RESTART, EINTR without, some never restarted.
 */
#include "test.h"
#include <poll.h>
#include <sys/select.h>
#include <sys/time.h>

static volatile int count;

static void handler(int sig UNUSED)
{
	count++;
}

static void install(int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	MUST(!sigaction(SIGALRM, &sa, NULL));
	count = 0;
}

static void alarm_ms(int ms)
{
	struct itimerval it = { { 0, 0 }, { 0, ms * 1000 } };

	MUST(!setitimer(ITIMER_REAL, &it, NULL));
}

/* A child that writes one byte into the pipe after ms. */
static pid_t later(int fd, int ms)
{
	pid_t pid = fork_checked();

	if (!pid) {
		sleep_ms(ms);
		_exit(write(fd, "x", 1) != 1);
	}
	return pid;
}

TEST(read_restart, "read of a pipe: restarted with SA_RESTART, EINTR without")
{
	int p[2];
	char c;

	MUST(!pipe(p));
	install(0);
	alarm_ms(20);
	CHECK_ERR(read(p[0], &c, 1), EINTR);
	CHECK_EQ(count, 1);
	install(SA_RESTART);
	pid_t pid = later(p[1], 80);

	alarm_ms(20);
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(count, 1);
	wait_for(pid);
	close(p[0]);
	close(p[1]);
}

TEST(write_partial, "a large write into a full pipe that is interrupted reports what went in")
{
	static char big[256 * 1024];
	int p[2];

	MUST(!pipe(p));
	install(0);
	alarm_ms(20);
	ssize_t n = write(p[1], big, sizeof(big));

	CHECK_RANGE(n, 1, sizeof(big) - 1);
	CHECK_EQ(count, 1);
	close(p[0]);
	close(p[1]);
}

TEST(wait_restart, "wait4")
{
	pid_t pid = fork_checked();
	int status;

	if (!pid) {
		sleep_ms(80);
		_exit(3);
	}
	install(0);
	alarm_ms(20);
	CHECK_ERR(waitpid(pid, &status, 0), EINTR);
	install(SA_RESTART);
	alarm_ms(20);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WEXITSTATUS(status), 3);
}

TEST(never, "poll, select, nanosleep, pause, sigtimedwait are EINTR in spite of SA_RESTART")
{
	struct timespec ts = { 5, 0 }, rem = { 0, 0 };
	struct timeval tv = { 5, 0 };
	sigset_t set;

	install(SA_RESTART);
	alarm_ms(10);
	CHECK_ERR(poll(NULL, 0, 5000), EINTR);
	alarm_ms(10);
	CHECK_ERR(select(0, NULL, NULL, NULL, &tv), EINTR);
	alarm_ms(10);
	CHECK_ERR(nanosleep(&ts, &rem), EINTR);
	CHECK_EQ(rem.tv_sec, 4);
	alarm_ms(10);
	CHECK_ERR(pause(), EINTR);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	alarm_ms(10);
	/* musl's wrapper repeats it. */
	CHECK_EQ(SYS(rt_sigtimedwait, &set, NULL, &ts, 8), -EINTR);
	CHECK_EQ(count, 5);
}

TEST(stop_restarts,
     "stopped and continued without a handler: the sleep goes on for its full length")
{
	int64_t start = now_ns(CLOCK_MONOTONIC);
	pid_t pid = fork_checked();

	if (!pid) {
		struct timespec ts = { 0, 100000000 };

		_exit(nanosleep(&ts, NULL) ? 1 : 0);
	}
	sleep_ms(20);
	kill(pid, SIGSTOP);
	sleep_ms(20);
	kill(pid, SIGCONT);
	CHECK_EQ(wait_for(pid), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 100000000);
}

TEST(ignored, "an ignored signal interrupts nothing")
{
	struct timespec ts = { 0, 50000000 };
	int64_t start = now_ns(CLOCK_MONOTONIC);

	signal(SIGALRM, SIG_IGN);
	alarm_ms(10);
	CHECK_OK(nanosleep(&ts, NULL));
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 50000000);
	signal(SIGALRM, SIG_DFL);
}

TEST_MAIN()
