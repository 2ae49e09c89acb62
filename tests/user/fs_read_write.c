/* SPDX-License-Identifier: MIT
 *
 * read, write, lseek, pread, vectors, O_APPEND, sparse files, truncate.
 */
#include "test.h"

TEST(position, "the position moves with read and write, not with pread and pwrite")
{
	int fd = tmp_file(0);
	char buf[8] = "";

	CHECK_EQ(write(fd, "abcdef", 6), 6);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
	CHECK_EQ(pwrite(fd, "X", 1, 1), 1);
	CHECK_EQ(pread(fd, buf, 3, 0), 3);
	CHECK_STR(buf, "aXc");
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
	CHECK_EQ(read(fd, buf, 8), 0);
	CHECK_EQ(lseek(fd, -2, SEEK_END), 4);
	CHECK_EQ(read(fd, buf, 8), 2);
	close(fd);
}

TEST(seek_errors, "lseek: negative EINVAL, bad whence EINVAL, beyond the end allowed")
{
	int fd = tmp_file(10);
	char buf[10];

	CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERR(lseek(fd, -11, SEEK_END), EINVAL);
	CHECK_ERR(lseek(fd, 0, 99), EINVAL);
	CHECK_EQ(lseek(fd, 1000000, SEEK_SET), 1000000);
	CHECK_EQ(read(fd, buf, 10), 0);
	CHECK_EQ(SYS(pread64, fd, buf, 1, -1), -EINVAL);
	close(fd);
}

TEST(sparse, "a write far beyond the end leaves a hole of zeroes that takes no blocks")
{
	int fd = tmp_file(0);
	struct stat st;
	char c = 1;

	CHECK_EQ(pwrite(fd, "end", 3, 100 * MIB), 3);
	MUST(!fstat(fd, &st));
	CHECK_EQ(st.st_size, 100 * MIB + 3);
	CHECK_RANGE(st.st_blocks, 8, 64);
	CHECK_EQ(pread(fd, &c, 1, 50 * MIB), 1);
	CHECK_EQ(c, 0);
	MUST(!fstat(fd, &st));
	CHECK_RANGE(st.st_blocks, 8, 64);
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 100 * MIB);
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 0);
	CHECK_EQ(lseek(fd, 100 * MIB, SEEK_HOLE), 100 * MIB + 3);
	CHECK_ERR(lseek(fd, 200 * MIB, SEEK_DATA), ENXIO);
	close(fd);
}

TEST(append, "O_APPEND: every write goes to the end, wherever the position is")
{
	write_file(scratch("a"), "12345", 5, 0644);
	int fd = open(scratch("a"), O_RDWR | O_APPEND);

	MUST(fd >= 0);
	MUST(lseek(fd, 0, SEEK_SET) == 0);
	CHECK_EQ(write(fd, "67", 2), 2);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 7);
	/* Linux appends with pwrite too. */
	CHECK_EQ(pwrite(fd, "8", 1, 0), 1);
	CHECK_STR(slurp(scratch("a")), "12345678");
	CHECK_OK(fcntl(fd, F_SETFL, 0));
	MUST(lseek(fd, 0, SEEK_SET) == 0);
	CHECK_EQ(write(fd, "X", 1), 1);
	CHECK_STR(slurp(scratch("a")), "X2345678");
	close(fd);
	unlink(scratch("a"));
}

TEST(trunc, "O_TRUNC, ftruncate, truncate: shorter, longer with zeroes, errnos")
{
	int fd = tmp_file(100), dir = open(scratch_dir(), O_RDONLY);
	char c = 1;

	CHECK_OK(ftruncate(fd, 50));
	CHECK_OK(ftruncate(fd, 200));
	CHECK_EQ(pread(fd, &c, 1, 60), 1);
	CHECK_EQ(c, 0);
	CHECK_ERR(ftruncate(fd, -1), EINVAL);
	CHECK_ERR(ftruncate(dir, 0), EINVAL);
	CHECK_ERR(truncate(scratch_dir(), 0), EISDIR);
	CHECK_ERR(truncate(scratch("no"), 0), ENOENT);
	write_file(scratch("t"), "hello", 5, 0644);
	close(fd);
	fd = open(scratch("t"), O_RDONLY);
	CHECK_ERR(ftruncate(fd, 0), EINVAL);
	close(fd);
	fd = open(scratch("t"), O_WRONLY | O_TRUNC);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
	close(fd);
	close(dir);
	unlink(scratch("t"));
}

TEST(vectors, "readv and writev; preadv and pwritev")
{
	int fd = tmp_file(0);
	char a[3] = "", b[5] = "";
	struct iovec out[3] = { { "ab", 2 }, { NULL, 0 }, { "cdef", 4 } },
		     in[2] = { { a, 2 }, { b, 4 } };

	CHECK_EQ(writev(fd, out, 3), 6);
	MUST(lseek(fd, 0, SEEK_SET) == 0);
	CHECK_EQ(readv(fd, in, 2), 6);
	CHECK_STR(a, "ab");
	CHECK_STR(b, "cdef");
	CHECK_EQ(pwritev(fd, out, 3, 10), 6);
	CHECK_EQ(preadv(fd, in, 2, 12), 4);
	CHECK_EQ(a[0], 'c');
	close(fd);
}

TEST(modes, "wrong open mode EBADF, directory EISDIR, closed EBADF, RLIMIT_FSIZE EFBIG and SIGXFSZ")
{
	char c;
	int dir = open(scratch_dir(), O_RDONLY), fd;

	write_file(scratch("m"), "x", 1, 0644);
	fd = open(scratch("m"), O_WRONLY);
	CHECK_ERR(read(fd, &c, 1), EBADF);
	close(fd);
	fd = open(scratch("m"), O_RDONLY);
	CHECK_ERR(write(fd, "y", 1), EBADF);
	close(fd);
	CHECK_ERR(write(fd, "y", 1), EBADF);
	CHECK_ERR(read(dir, &c, 1), EISDIR);
	CHECK_ERR(open(scratch_dir(), O_RDWR), EISDIR);
	CHECK_ERR(open(scratch("m"), O_RDONLY | O_DIRECTORY), ENOTDIR);
	IN_CHILD
	{
		struct rlimit rl = { 1000, 1000 };

		MUST(!setrlimit(RLIMIT_FSIZE, &rl));
		signal(SIGXFSZ, SIG_IGN);
		fd = open(scratch("m"), O_WRONLY);
		static char big[2000];

		CHECK_EQ(write(fd, big, 2000), 1000);
		CHECK_ERR(write(fd, big, 1), EFBIG);
		CHECK_ERR(ftruncate(fd, 1001), EFBIG);
	}
	close(dir);
	unlink(scratch("m"));
}

TEST(large, "3 MiB written in odd pieces read back in other odd pieces")
{
	int fd = tmp_file(0), wrong = 0;
	static unsigned char buf[10007];
	size_t total = 3 * MIB, at = 0;

	while (at < total) {
		size_t n = total - at < 7919 ? total - at : 7919;

		for (size_t i = 0; i < n; i++)
			buf[i] = (unsigned char)((at + i) * 7 >> 3);
		MUST(write(fd, buf, n) == (ssize_t)n);
		at += n;
	}
	MUST(lseek(fd, 0, SEEK_SET) == 0);
	at = 0;
	for (ssize_t n; (n = read(fd, buf, sizeof(buf))) > 0; at += n)
		for (ssize_t i = 0; i < n; i++)
			wrong += buf[i] != (unsigned char)((at + i) * 7 >> 3);
	CHECK_EQ(at, total);
	CHECK_EQ(wrong, 0);
	close(fd);
}

TEST_MAIN()
