/* SPDX-License-Identifier: MIT
 *
 * open flags and modes, descriptors, fcntl, dup, umask, stat.
 */
#include "test.h"

TEST(lowest, "the lowest free descriptor; EMFILE at RLIMIT_NOFILE")
{
	int a = open("/dev/null", O_RDONLY), b = open("/dev/null", O_RDONLY);

	MUST(a >= 0 && b > a);
	close(a);
	CHECK_EQ(open("/dev/null", O_RDONLY), a);
	close(a);
	close(b);
	IN_CHILD
	{
		struct rlimit rl = { 20, 20 };
		int fd, last = -1;

		MUST(!setrlimit(RLIMIT_NOFILE, &rl));
		while ((fd = open("/dev/null", O_RDONLY)) >= 0)
			last = fd;
		CHECK_EQ(errno, EMFILE);
		CHECK_EQ(last, 19);
		CHECK_ERR(dup(0), EMFILE);
		CHECK_ERR(fcntl(0, F_DUPFD, 20), EINVAL);
		CHECK_ERR(dup2(0, 20), EBADF);
	}
}

TEST(flags, "O_CREAT, O_EXCL, O_DIRECTORY, missing parts")
{
	struct stat st;
	int fd;

	umask(027);
	fd = open(scratch("n"), O_WRONLY | O_CREAT | O_EXCL, 0666);
	CHECK(fd >= 0);
	MUST(!fstat(fd, &st));
	CHECK_EQ(st.st_mode & 07777, 0640);
	close(fd);
	umask(022);
	CHECK_ERR(open(scratch("n"), O_WRONLY | O_CREAT | O_EXCL, 0666), EEXIST);
	CHECK_ERR(open(scratch("no"), O_RDONLY), ENOENT);
	CHECK_ERR(open(scratch("no/x"), O_WRONLY | O_CREAT, 0666), ENOENT);
	CHECK_ERR(open(scratch("n/x"), O_WRONLY | O_CREAT, 0666), ENOTDIR);
	CHECK_ERR(open(scratch("x/"), O_WRONLY | O_CREAT, 0666), EISDIR);
	CHECK_ERR(openat(999, "x", O_RDONLY), EBADF);
	unlink(scratch("n"));
}

TEST(getfl, "F_GETFL shows mode and status flags, F_SETFL changes only some")
{
	int fd = open("/dev/null", O_RDWR | O_APPEND | O_CLOEXEC);

	CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK), O_RDWR | O_APPEND);
	CHECK_OK(fcntl(fd, F_SETFL, O_NONBLOCK | O_WRONLY));
	CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK), O_RDWR | O_NONBLOCK);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_OK(fcntl(fd, F_SETFD, 0));
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	CHECK_ERR(fcntl(fd, 9999, 0), EINVAL);
	CHECK_ERR(fcntl(999, F_GETFD), EBADF);
	close(fd);
}

TEST(dup_, "dup shares the position; dup2 closes the target; dup3 of itself is EINVAL; F_DUPFD")
{
	int fd = tmp_file(100), two = dup(fd);

	MUST(lseek(fd, 33, SEEK_SET) == 33);
	CHECK_EQ(lseek(two, 0, SEEK_CUR), 33);
	CHECK_EQ(dup2(fd, fd), fd);
	CHECK_EQ(SYS(dup3, fd, fd, 0), -EINVAL);
	CHECK_EQ(SYS(dup2, 999, 5), -EBADF);
	CHECK_EQ(dup2(fd, 40), 40);
	CHECK_EQ(SYS(dup3, fd, 40, O_CLOEXEC), 40);
	CHECK_EQ(fcntl(40, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_DUPFD, 50), 50);
	CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 50), 51);
	CHECK_EQ(fcntl(51, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(50, F_GETFD), 0);
	int list[] = { fd, two, 40, 50, 51 };

	for (int i = 0; i < 5; i++)
		CHECK_OK(close(list[i]));
	CHECK_ERR(close(51), EBADF);
}

TEST(stat_, "stat: type, mode, size, links, times that move")
{
	struct stat a, b;

	write_file(scratch("s"), "12345", 5, 0604);
	MUST(!stat(scratch("s"), &a));
	CHECK_EQ(a.st_mode, S_IFREG | 0604);
	CHECK_EQ(a.st_size, 5);
	CHECK_EQ(a.st_nlink, 1);
	CHECK_EQ(a.st_uid, geteuid());
	CHECK_EQ(a.st_blksize, PAGE);
	CHECK_RANGE(a.st_mtime - time(NULL), -5, 1);
	sleep_ms(20);
	MUST(!chmod(scratch("s"), 0600));
	MUST(!stat(scratch("s"), &b));
	CHECK(b.st_ctim.tv_sec > a.st_ctim.tv_sec || b.st_ctim.tv_nsec > a.st_ctim.tv_nsec);
	CHECK_EQ(b.st_mtim.tv_nsec, a.st_mtim.tv_nsec);
	CHECK_OK(chown(scratch("s"), 12, 34));
	MUST(!stat(scratch("s"), &b));
	CHECK(b.st_uid == 12 && b.st_gid == 34);
	struct timespec ts[2] = { { 100, 5 }, { 200, 6 } };

	CHECK_OK(utimensat(AT_FDCWD, scratch("s"), ts, 0));
	MUST(!stat(scratch("s"), &b));
	CHECK(b.st_atim.tv_sec == 100 && b.st_mtim.tv_sec == 200 && b.st_mtim.tv_nsec == 6);
	MUST(!stat("/dev/null", &b));
	CHECK(S_ISCHR(b.st_mode));
	CHECK_EQ(b.st_rdev, 0x103);
	unlink(scratch("s"));
}

TEST(opath, "O_PATH: fstat and openat work, read is EBADF")
{
	int fd = open(scratch_dir(), O_PATH | O_DIRECTORY);
	struct stat st;
	char c;

	CHECK(fd >= 0);
	CHECK_OK(fstat(fd, &st));
	CHECK_ERR(read(fd, &c, 1), EBADF);
	int f = openat(fd, "f", O_RDWR | O_CREAT, 0644);

	CHECK(f >= 0);
	close(f);
	CHECK_OK(unlinkat(fd, "f", 0));
	close(fd);
}

TEST_MAIN()
