/* SPDX-License-Identifier: MIT
 *
 * The file table: numbers, close-on-exec, limits, growth, sharing, record locks, FIFOs.
 */
#include "test.h"
#include <sched.h>
#include <sys/file.h>
#include <sys/ioctl.h>

#ifndef F_OFD_SETLK
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#endif

TEST(lowest, "the lowest free number is given; dup2 and dup3 take the one asked for")
{
	int a = tmp_file(0), b = dup(a), c = dup(a);

	CHECK_EQ(b, a + 1);
	CHECK_EQ(c, a + 2);
	close(b);
	CHECK_EQ(dup(a), b);
	CHECK_EQ(dup2(a, b), b);
	CHECK_EQ(dup2(a, 500), 500);
	CHECK_EQ(dup2(a, a), a);
	CHECK_ERR(dup2(999, 999), EBADF);
	CHECK_ERR(dup2(a, -1), EBADF);
	CHECK_EQ(SYS(dup3, a, a, 0), -EINVAL);
	CHECK_EQ(SYS(dup3, a, b, 1), -EINVAL);
	CHECK_EQ(SYS(dup3, a, b, O_CLOEXEC), b);
	CHECK_EQ(fcntl(b, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(a, F_DUPFD_CLOEXEC, 100), 100);
	CHECK_EQ(fcntl(a, F_DUPFD, 100), 101);
	CHECK_EQ(fcntl(100, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(101, F_GETFD), 0);
	CHECK_OK(fcntl(101, F_SETFD, FD_CLOEXEC));
	CHECK_EQ(fcntl(101, F_GETFD), FD_CLOEXEC);
	CHECK_ERR(fcntl(a, F_DUPFD, 1 << 30), EINVAL);
	CHECK_ERR(fcntl(a, 4711), EINVAL);
	CHECK_EQ(SYS(close_range, a, 600, 0), 0);
	CHECK_ERR(close(a), EBADF);
	CHECK_ERR(close(500), EBADF);
}

FORKED_TEST(limit, "RLIMIT_NOFILE: EMFILE, and no file is created then")
{
	struct rlimit l = { 20, 20 };
	struct stat st;
	int last = -1, fd, p[2];

	MUST(!setrlimit(RLIMIT_NOFILE, &l));
	fd = tmp_file(0);
	while ((fd = dup(0)) >= 0)
		last = fd;
	CHECK_EQ(errno, EMFILE);
	CHECK_EQ(last, 19);
	CHECK_ERR(open(scratch("new"), O_RDWR | O_CREAT, 0644), EMFILE);
	CHECK_ERR(stat(scratch("new"), &st), ENOENT);
	CHECK_ERR(pipe(p), EMFILE);
	close(19);
	CHECK_ERR(pipe(p), EMFILE);
	CHECK_EQ(dup(0), 19);
	CHECK_ERR(dup2(0, 20), EBADF);
}

FORKED_TEST(growth, "a thousand descriptors, and fork copies them")
{
	struct rlimit l = { 2000, 2000 };
	int fd;

	MUST(!setrlimit(RLIMIT_NOFILE, &l));
	for (int i = 0; i < 1000; i++)
		MUST(dup(0) >= 0);
	CHECK_EQ(dup2(0, 1999), 1999);
	pid_t pid = fork_checked();

	if (!pid)
		_exit(fcntl(1999, F_GETFD) || fcntl(900, F_GETFD) || close(900) || dup(0) != 900);
	CHECK_EQ(WEXITSTATUS(wait_for(pid)), 0);
	fd = open("/dev/null", O_RDWR);
	CHECK(fd > 1000 && fd < 1010);
}

FORKED_TEST(shared_offset, "dup and fork share position and flags; another open does not")
{
	char *path = scratch("off"), c;
	int a, b, other;

	write_file(path, "abc", 3, 0644);
	a = open(path, O_RDWR);
	b = dup(a);
	other = open(path, O_RDWR);
	CHECK_EQ(read(a, &c, 1), 1);
	CHECK_EQ(read(b, &c, 1), 1);
	CHECK_EQ(c, 'b');
	CHECK_EQ(read(other, &c, 1), 1);
	CHECK_EQ(c, 'a');
	CHECK_OK(fcntl(a, F_SETFL, O_APPEND));
	CHECK(fcntl(b, F_GETFL) & O_APPEND);
	CHECK_EQ(fcntl(b, F_GETFL) & O_ACCMODE, O_RDWR);
	pid_t pid = fork_checked();

	if (!pid)
		_exit(read(a, &c, 1) != 1);
	CHECK_EQ(WEXITSTATUS(wait_for(pid)), 0);
	CHECK_EQ(read(a, &c, 1), 0);
}

TEST(access_modes, "what the open mode forbids is EBADF")
{
	char *path = scratch("modes"), c = 0;
	struct stat st;
	int r, w, o, n;

	write_file(path, "abc", 3, 0644);
	r = open(path, O_RDONLY);
	w = open(path, O_WRONLY);
	o = open(path, O_PATH);
	CHECK_ERR(write(r, &c, 1), EBADF);
	CHECK_ERR(read(w, &c, 1), EBADF);
	CHECK_ERR(ftruncate(r, 0), EINVAL);
	CHECK_ERR(read(o, &c, 1), EBADF);
	CHECK_EQ(SYS(fchmod, o, 0600), -EBADF);
	CHECK_ERR(lseek(o, 0, SEEK_SET), EBADF);
	CHECK_EQ(SYS(ioctl, o, FIONREAD, &n), -EBADF);
	CHECK_OK(fstat(o, &st));
	CHECK_OK(ioctl(r, FIONREAD, &n));
	CHECK_EQ(n, 3);
	CHECK_ERR(ioctl(r, TCGETS, &n), ENOTTY);
	close(r);
	close(w);
	close(o);
}

/* ---- locks ---- */

static int lock(int fd, int cmd, int type, long start, long len)
{
	struct flock l = { .l_type = (short)type, .l_start = start, .l_len = len };

	return fcntl(fd, cmd, &l);
}

/* In a child: which lock stands in the way of a write lock on [start, start + len)? */
static int locked_type(int fd, long start, long len)
{
	pid_t pid = fork_checked();

	if (!pid) {
		struct flock l = { .l_type = F_WRLCK, .l_start = start, .l_len = len };

		_exit(fcntl(fd, F_GETLK, &l) ? 99 : l.l_type);
	}
	return WEXITSTATUS(wait_for(pid));
}

TEST(record_locks, "fcntl locks: split, merged, converted, dropped by any close")
{
	char *path = scratch("lock");
	int fd, other;

	write_file(path, "abc", 3, 0644);
	fd = open(path, O_RDWR);
	CHECK_OK(lock(fd, F_SETLK, F_WRLCK, 0, 100));
	CHECK_OK(lock(fd, F_SETLK, F_RDLCK, 40, 20));
	CHECK_EQ(locked_type(fd, 30, 1), F_WRLCK);
	CHECK_EQ(locked_type(fd, 40, 1), F_RDLCK);
	CHECK_EQ(locked_type(fd, 60, 1), F_WRLCK);
	CHECK_OK(lock(fd, F_SETLK, F_UNLCK, 45, 5));
	CHECK_EQ(locked_type(fd, 45, 5), F_UNLCK);
	CHECK_EQ(locked_type(fd, 44, 1), F_RDLCK);
	CHECK_EQ(locked_type(fd, 100, 1000), F_UNLCK);
	pid_t pid = fork_checked();

	if (!pid)
		_exit(lock(fd, F_SETLK, F_WRLCK, 0, 10) != -1 || errno != EAGAIN ||
		      lock(fd, F_SETLK, F_RDLCK, 50, 1) || lock(fd, F_SETLK, F_RDLCK, 40, 2));
	CHECK_EQ(WEXITSTATUS(wait_for(pid)), 0);
	other = open(path, O_RDONLY);
	CHECK_ERR(lock(other, F_SETLK, F_WRLCK, 0, 1), EBADF);
	close(other); /* drops all locks of this process on the file */
	CHECK_EQ(locked_type(fd, 0, 0), F_UNLCK);
	CHECK_ERR(lock(fd, F_SETLK, F_WRLCK, -1, 1), EINVAL);
	CHECK_ERR(lock(fd, F_SETLK, 7, 0, 1), EINVAL);
	close(fd);
}

TEST(lock_wait, "F_SETLKW waits for the holder's end, and refuses a deadlock")
{
	char *path = scratch("wait");
	int fd, p[2];
	char c;

	write_file(path, "abc", 3, 0644);
	fd = open(path, O_RDWR);
	MUST(!pipe(p));
	MUST(lock(fd, F_SETLK, F_WRLCK, 1, 1) == 0);
	pid_t pid = fork_checked();

	if (!pid) {
		if (lock(fd, F_SETLK, F_WRLCK, 0, 1) || write(p[1], "x", 1) != 1)
			_exit(1);
		_exit(lock(fd, F_SETLKW, F_WRLCK, 1, 1) ? errno == EDEADLK ? 2 : 3 : 0);
	}
	MUST(read(p[0], &c, 1) == 1);
	sleep_ms(50);
	int r = lock(fd, F_SETLKW, F_WRLCK, 0, 1);

	CHECK(r == 0 || errno == EDEADLK);
	lock(fd, F_SETLK, F_UNLCK, 1, 1);
	int status = WEXITSTATUS(wait_for(pid));

	CHECK((r == 0 && status == 2) || (r != 0 && status == 0));
	close(fd);
	close(p[0]);
	close(p[1]);
}

TEST(file_locks, "flock and OFD locks belong to the open file")
{
	char *path = scratch("flock");
	int a, b, d;

	write_file(path, "abc", 3, 0644);
	a = open(path, O_RDWR);
	b = open(path, O_RDWR);
	d = dup(a);
	CHECK_OK(flock(a, LOCK_EX));
	CHECK_ERR(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	CHECK_ERR(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	CHECK_OK(flock(d, LOCK_SH));
	CHECK_OK(flock(b, LOCK_SH | LOCK_NB));
	CHECK_ERR(flock(a, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	CHECK_OK(flock(b, LOCK_UN));
	CHECK_OK(flock(b, LOCK_UN));
	CHECK_ERR(flock(a, 0), EINVAL);
	CHECK_OK(flock(a, LOCK_EX));
	close(a);
	CHECK_ERR(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	close(d);
	CHECK_OK(flock(b, LOCK_EX | LOCK_NB));
	a = open(path, O_RDWR);
	CHECK_OK(lock(a, F_OFD_SETLK, F_WRLCK, 0, 10));
	CHECK_ERR(lock(b, F_OFD_SETLK, F_WRLCK, 5, 10), EAGAIN);
	CHECK_ERR(lock(b, F_SETLK, F_WRLCK, 5, 10), EAGAIN);
	close(a);
	CHECK_OK(lock(b, F_OFD_SETLK, F_WRLCK, 5, 10));
	close(b);
}

/* ---- FIFOs ---- */

TEST(fifo, "a FIFO: opening waits for the other side; then it is a pipe")
{
	char *path = scratch("fifo"), buf[8];
	int r, w;

	MUST(!mkfifo(path, 0644));
	CHECK_ERR(open(path, O_WRONLY | O_NONBLOCK), ENXIO);
	r = open(path, O_RDONLY | O_NONBLOCK);
	CHECK(r >= 0);
	CHECK_EQ(read(r, buf, 1), 0);
	w = open(path, O_WRONLY | O_NONBLOCK);
	CHECK(w >= 0);
	CHECK_ERR(read(r, buf, 1), EAGAIN);
	CHECK_EQ(write(w, "hello", 5), 5);
	CHECK_EQ(read(r, buf, 8), 5);
	CHECK_ERR(lseek(r, 0, SEEK_SET), ESPIPE);
	CHECK_ERR(pread(r, buf, 1, 0), ESPIPE);
	close(w);
	CHECK_EQ(read(r, buf, 1), 0);
	close(r);
	pid_t pid = fork_checked();

	if (!pid) {
		w = open(path, O_WRONLY);
		_exit(w < 0 || write(w, "child", 5) != 5);
	}
	r = open(path, O_RDONLY);
	CHECK(r >= 0);
	CHECK_EQ(read(r, buf, 8), 5);
	CHECK_EQ(read(r, buf, 8), 0);
	CHECK_EQ(WEXITSTATUS(wait_for(pid)), 0);
	close(r);
	unlink(path);
}

TEST(pipe_size, "F_SETPIPE_SZ keeps what is in the pipe")
{
	static char out[65536], in[65536];
	int p[2];

	MUST(!pipe2(p, O_NONBLOCK));
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 7 + i / 256);
	CHECK_EQ(fcntl(p[0], F_GETPIPE_SZ), 65536);
	CHECK_EQ(write(p[1], out, 40000), 40000);
	CHECK_EQ(read(p[0], in, 30000), 30000);
	CHECK_EQ(write(p[1], out + 40000, 20000), 20000);
	CHECK_EQ(fcntl(p[1], F_SETPIPE_SZ, 200000), 262144);
	CHECK_EQ(write(p[1], out + 60000, 5536), 5536);
	CHECK_ERR(fcntl(p[1], F_SETPIPE_SZ, 4096), EBUSY);
	CHECK_EQ(read(p[0], in + 30000, 40000), 35536);
	CHECK_EQ(memcmp(in, out, sizeof(in)), 0);
	CHECK_EQ(fcntl(p[1], F_SETPIPE_SZ, 8192), 8192);
	CHECK_ERR(fcntl(0x7fffffff, F_GETPIPE_SZ), EBADF);
	close(p[0]);
	close(p[1]);
}

TEST_MAIN()
