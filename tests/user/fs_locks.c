/* SPDX-License-Identifier: MIT
 *
 * Record locks of fcntl, and flock.
 */
#include "test.h"
#include <sys/file.h>

static int fd;

static int lock(int cmd, int type, off_t start, off_t len)
{
	struct flock fl = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };

	return fcntl(fd, cmd, &fl);
}

TEST(exclusive, "a write lock keeps others out: EAGAIN, and F_GETLK names the holder")
{
	fd = tmp_file(1000);
	CHECK_OK(lock(F_SETLK, F_WRLCK, 100, 100));
	pid_t me = getpid();

	IN_CHILD
	{
		struct flock fl = {
			.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0
		};

		CHECK_ERR(lock(F_SETLK, F_RDLCK, 150, 10), EAGAIN);
		CHECK_OK(lock(F_SETLK, F_WRLCK, 0, 100));
		CHECK_OK(lock(F_SETLK, F_WRLCK, 200, 0));
		CHECK_OK(fcntl(fd, F_GETLK, &fl));
		CHECK_EQ(fl.l_type, F_WRLCK);
		CHECK_EQ(fl.l_pid, me);
		CHECK_EQ(fl.l_start, 100);
		CHECK_EQ(fl.l_len, 100);
	}
	CHECK_OK(lock(F_SETLK, F_UNLCK, 0, 0));
	IN_CHILD
	{
		CHECK_OK(lock(F_SETLK, F_WRLCK, 0, 0));
	}
	close(fd);
}

TEST(shared, "read locks share; splitting and upgrading ranges")
{
	fd = tmp_file(1000);
	CHECK_OK(lock(F_SETLK, F_RDLCK, 0, 300));
	CHECK_OK(lock(F_SETLK, F_WRLCK, 100, 100));
	CHECK_OK(lock(F_SETLK, F_UNLCK, 140, 20));
	IN_CHILD
	{
		CHECK_OK(lock(F_SETLK, F_RDLCK, 0, 100));
		CHECK_OK(lock(F_SETLK, F_RDLCK, 200, 100));
		CHECK_ERR(lock(F_SETLK, F_RDLCK, 100, 40), EAGAIN);
		CHECK_OK(lock(F_SETLK, F_WRLCK, 140, 20));
		CHECK_ERR(lock(F_SETLK, F_WRLCK, 0, 1), EAGAIN);
	}
	close(fd);
}

TEST(wait_, "F_SETLKW waits until the holder exits")
{
	int p[2];
	char c;

	fd = tmp_file(10);
	MUST(!pipe(p));
	pid_t pid = fork_checked();

	if (!pid) {
		MUST(!lock(F_SETLK, F_WRLCK, 0, 0));
		MUST(write(p[1], "x", 1) == 1);
		sleep_ms(30);
		_exit(0);
	}
	MUST(read(p[0], &c, 1) == 1);
	CHECK_OK(lock(F_SETLKW, F_WRLCK, 0, 0));
	wait_for(pid);
	close(p[0]);
	close(p[1]);
	close(fd);
}

TEST(close_drops, "closing any descriptor of the file drops the process's record locks")
{
	fd = tmp_file(10);
	int other = dup(fd);

	CHECK_OK(lock(F_SETLK, F_WRLCK, 0, 0));
	close(other);
	IN_CHILD
	{
		CHECK_OK(lock(F_SETLK, F_WRLCK, 0, 0));
	}
	close(fd);
}

TEST(deadlock, "a circle of two waiters is EDEADLK for one of them")
{
	int p[2];
	char c;

	fd = tmp_file(10);
	MUST(!pipe(p));
	CHECK_OK(lock(F_SETLK, F_WRLCK, 0, 1));
	pid_t pid = fork_checked();

	if (!pid) {
		MUST(!lock(F_SETLK, F_WRLCK, 1, 1));
		MUST(write(p[1], "x", 1) == 1);
		int r = lock(F_SETLKW, F_WRLCK, 0, 1);

		_exit(r ? errno : 0);
	}
	MUST(read(p[0], &c, 1) == 1);
	sleep_ms(20);
	int r = lock(F_SETLKW, F_WRLCK, 1, 1), e = errno;

	lock(F_SETLK, F_UNLCK, 0, 0);
	int status = WEXITSTATUS(wait_for(pid));

	/* Whoever waited second sees it. */
	CHECK((r == -1 && e == EDEADLK && status == 0) || (r == 0 && status == EDEADLK));
	close(p[0]);
	close(p[1]);
	close(fd);
}

TEST(flock_, "flock belongs to the open file: EWOULDBLOCK for another open, shared by dup and fork")
{
	write_file(scratch("l"), "", 0, 0644);
	int a = open(scratch("l"), O_RDWR), b = open(scratch("l"), O_RDWR);

	CHECK_OK(flock(a, LOCK_EX));
	CHECK_ERR(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	CHECK_ERR(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	IN_CHILD
	{
		CHECK_OK(flock(a, LOCK_SH | LOCK_NB));
	}
	CHECK_OK(flock(b, LOCK_SH | LOCK_NB));
	CHECK_OK(flock(a, LOCK_UN));
	CHECK_OK(flock(b, LOCK_EX | LOCK_NB));
	CHECK_ERR(flock(a, 0), EINVAL);
	close(b);
	CHECK_OK(flock(a, LOCK_EX | LOCK_NB));
	close(a);
	unlink(scratch("l"));
}

TEST(errors, "bad type EINVAL, write lock on a read-only descriptor EBADF")
{
	write_file(scratch("r"), "x", 1, 0644);
	fd = open(scratch("r"), O_RDONLY);
	CHECK_ERR(lock(F_SETLK, F_WRLCK, 0, 0), EBADF);
	CHECK_OK(lock(F_SETLK, F_RDLCK, 0, 0));
	CHECK_ERR(lock(F_SETLK, 77, 0, 0), EINVAL);
	CHECK_ERR(lock(F_SETLK, F_RDLCK, -1, 1), EINVAL);
	close(fd);
	unlink(scratch("r"));
}

TEST_MAIN()
