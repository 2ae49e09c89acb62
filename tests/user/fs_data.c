/* SPDX-License-Identifier: MIT
 *
 * What is in a file: holes, blocks, SEEK_DATA, appending, fallocate, truncation, limits, copies whose source
 * is a mapping of the same file, sendfile.
 */
#include "test.h"
#include <sys/sendfile.h>

#ifndef FALLOC_FL_KEEP_SIZE
#define FALLOC_FL_KEEP_SIZE 1
#define FALLOC_FL_PUNCH_HOLE 2
#endif
#ifndef SEEK_DATA
#define SEEK_DATA 3
#define SEEK_HOLE 4
#endif

static long pages_of(int fd)
{
	struct stat st;

	MUST(!fstat(fd, &st));
	return st.st_blocks / 8;
}

TEST(holes, "a hole reads as zeroes and takes no page; writing takes exactly the pages it touches")
{
	char buf[3 * PAGE];
	int fd = tmp_file(0);

	CHECK_EQ(pwrite(fd, "x", 1, 10 * PAGE + 5), 1);
	CHECK_EQ(size_of(fd), 10 * PAGE + 6);
	CHECK_EQ(pages_of(fd), 1);
	memset(buf, 1, sizeof(buf));
	CHECK_EQ(pread(fd, buf, sizeof(buf), 9 * PAGE), PAGE + 6);
	CHECK_EQ(buf[PAGE - 1], 0);
	CHECK_EQ(buf[PAGE + 4], 0);
	CHECK_EQ(buf[PAGE + 5], 'x');
	CHECK_EQ(pages_of(fd), 1);
	CHECK_EQ(pwrite(fd, buf, PAGE + 2, PAGE - 1), PAGE + 2);
	CHECK_EQ(pages_of(fd), 4);
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 3 * PAGE);
	CHECK_EQ(lseek(fd, 3 * PAGE + 1, SEEK_DATA), 10 * PAGE);
	CHECK_EQ(lseek(fd, 10 * PAGE + 1, SEEK_HOLE), 10 * PAGE + 6);
	CHECK_ERR(lseek(fd, 10 * PAGE + 6, SEEK_DATA), ENXIO);
	CHECK_EQ(pread(fd, buf, 1, 1L << 40), 0);
	close(fd);
}

TEST(seek, "lseek: bounds and whence")
{
	int fd = tmp_file(10);
	char c;

	CHECK_EQ(lseek(fd, 5, SEEK_SET), 5);
	CHECK_EQ(lseek(fd, 5, SEEK_CUR), 10);
	CHECK_EQ(lseek(fd, -10, SEEK_END), 0);
	CHECK_ERR(lseek(fd, -11, SEEK_END), EINVAL);
	CHECK_ERR(lseek(fd, 0, 9), EINVAL);
	CHECK_EQ(lseek(fd, 0x7fffffffffffffff, SEEK_SET), 0x7fffffffffffffff);
	CHECK_ERR(lseek(fd, 1, SEEK_CUR), EINVAL);
	CHECK_ERR(write(fd, "x", 1), EINVAL);
	CHECK_ERR(read(fd, &c, 1), EINVAL);
	CHECK_ERR(pwrite(fd, "x", 1, -1), EINVAL);
	CHECK_ERR(ftruncate(fd, -1), EINVAL);
	close(fd);
}

TEST(append, "O_APPEND writes go to the end, wherever the position is")
{
	char *path = scratch("append");
	int a, b;

	write_file(path, "12", 2, 0644);
	a = open(path, O_RDWR | O_APPEND);
	b = open(path, O_RDWR);
	MUST(a >= 0 && b >= 0);
	CHECK_EQ(write(a, "34", 2), 2);
	CHECK_EQ(write(b, "x", 1), 1);
	CHECK_EQ(pwrite(a, "5", 1, 0), 1); /* Linux appends even then */
	CHECK_EQ(write(a, "6", 1), 1);
	CHECK_STR(slurp(path), "x23456");
	close(a);
	close(b);
}

TEST(falloc, "fallocate: allocates, keeps the size when asked, punches holes")
{
	char buf[4 * PAGE];
	int fd = tmp_file(0);

	CHECK_OK(fallocate(fd, 0, 0, 2 * PAGE));
	CHECK_EQ(size_of(fd), 2 * PAGE);
	CHECK_EQ(pages_of(fd), 2);
	CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 3 * PAGE, PAGE));
	CHECK_EQ(size_of(fd), 2 * PAGE);
	CHECK_EQ(pages_of(fd), 3);
	memset(buf, 7, sizeof(buf));
	CHECK_EQ(pwrite(fd, buf, sizeof(buf), 0), sizeof(buf));
	CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 100, 2 * PAGE));
	CHECK_EQ(pages_of(fd), 3);
	CHECK_EQ(pread(fd, buf, sizeof(buf), 0), sizeof(buf));
	CHECK_EQ(buf[99], 7);
	CHECK_EQ(buf[100], 0);
	CHECK_EQ(buf[2 * PAGE + 99], 0);
	CHECK_EQ(buf[2 * PAGE + 100], 7);
	CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, PAGE), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, 0x10, 0, PAGE), EOPNOTSUPP); /* ZERO_RANGE: not on tmpfs */
	CHECK_ERR(fallocate(fd, 0, 0, 0), EINVAL);
	CHECK_ERR(fallocate(fd, 0, -1, 10), EINVAL);
	CHECK_ERR(fallocate(fd, 0, 0x7fffffffffffffff, 10), EFBIG);
	close(fd);
}

TEST(truncate_zeroes, "what was cut off comes back as zeroes")
{
	char buf[PAGE];
	int fd = tmp_file(3 * PAGE);

	CHECK_OK(ftruncate(fd, 10));
	CHECK_EQ(pages_of(fd), 1);
	CHECK_OK(ftruncate(fd, 2 * PAGE));
	CHECK_EQ(pages_of(fd), 1);
	CHECK_EQ(pread(fd, buf, PAGE, 0), PAGE);
	CHECK_EQ(buf[9], 1);
	CHECK_EQ(buf[10], 0);
	CHECK_EQ(buf[PAGE - 1], 0);
	close(fd);
}

TEST(self_copy, "write and read whose buffer is a mapping of the same file, pages not yet touched")
{
	int fd = tmp_file(4 * PAGE);
	char *p = mmap(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0);

	MUST(p != MAP_FAILED);
	CHECK_EQ(pwrite(fd, p, 2 * PAGE, 4 * PAGE), 2 * PAGE);
	CHECK_EQ(p[4 * PAGE], 1);
	CHECK_EQ(p[5 * PAGE], 2);
	/* From a hole of the file into another: the source page appears while the write holds its locks. */
	MUST(!ftruncate(fd, 8 * PAGE));
	CHECK_EQ(pwrite(fd, p + 6 * PAGE, PAGE, 7 * PAGE), PAGE);
	CHECK_EQ(pwrite(fd, p + 6 * PAGE, PAGE, 6 * PAGE), PAGE);
	CHECK_EQ(pread(fd, p + 1, 2 * PAGE, 0), 2 * PAGE);
	CHECK_EQ(p[1], 1);
	munmap(p, 8 * PAGE);
	close(fd);
}

TEST(partial,
     "a buffer that ends in the middle gives a short count, one that begins nowhere EFAULT")
{
	int fd = tmp_file(0);
	char *p = map_anon(2 * PAGE, RW);

	MUST(!munmap(p + PAGE, PAGE));
	memset(p, 'a', PAGE);
	CHECK_EQ(write(fd, p + PAGE - 10, 100), 10);
	CHECK_EQ(size_of(fd), 10);
	CHECK_ERR(write(fd, p + PAGE, 100), EFAULT);
	CHECK_EQ(size_of(fd), 10);
	CHECK_EQ(pread(fd, p + PAGE - 5, 10, 0), 5);
	CHECK_ERR(pread(fd, p + PAGE, 10, 0), EFAULT);
	struct iovec v[3] = { { p, 5 }, { p + PAGE - 3, 6 }, { p, 5 } };

	CHECK_EQ(pwritev(fd, v, 3, 0), 8);
	CHECK_EQ(SYS(writev, fd, v, -1), -EINVAL);
	CHECK_EQ(SYS(writev, fd, v, 1025), -EINVAL);
	v[1].iov_len = -1;
	CHECK_EQ(SYS(writev, fd, v, 3), -EINVAL);
	close(fd);
}

FORKED_TEST(fsize, "RLIMIT_FSIZE: a short write up to it, then SIGXFSZ and EFBIG")
{
	struct rlimit l = { 100, RLIM_INFINITY };
	char buf[200] = { 0 };
	int fd = tmp_file(0);

	signal(SIGXFSZ, SIG_IGN);
	MUST(!setrlimit(RLIMIT_FSIZE, &l));
	CHECK_EQ(write(fd, buf, 200), 100);
	CHECK_ERR(write(fd, buf, 1), EFBIG);
	CHECK_ERR(ftruncate(fd, 101), EFBIG);
	CHECK_OK(ftruncate(fd, 50));
	pid_t pid = fork_checked();

	if (!pid) {
		signal(SIGXFSZ, SIG_DFL);
		_exit(pwrite(fd, buf, 1, 100) < 0 ? 1 : 0);
	}
	CHECK_EQ(WTERMSIG(wait_for(pid)), SIGXFSZ);
}

TEST(send, "sendfile and copy_file_range: whole and partial, positions, pipes")
{
	int in = tmp_file(3 * PAGE), out = tmp_file(0), p[2];
	off_t off = PAGE - 10;
	char buf[30];
	int64_t a = 5, b = 0;

	CHECK_EQ(sendfile(out, in, &off, 20), 20);
	CHECK_EQ(off, PAGE + 10);
	CHECK_EQ(lseek(in, 0, SEEK_CUR), 3 * PAGE);
	CHECK_EQ(lseek(out, 0, SEEK_CUR), 20);
	CHECK_EQ(pread(out, buf, 30, 0), 20);
	CHECK_EQ(buf[9], 1);
	CHECK_EQ(buf[10], 2);
	MUST(!lseek(in, 0, SEEK_SET));
	CHECK_EQ(sendfile(out, in, NULL, 100000), 3 * PAGE);
	CHECK_EQ(sendfile(out, in, NULL, 100000), 0);
	MUST(!pipe(p));
	off = 0;
	CHECK_EQ(sendfile(p[1], in, &off, 10), 10);
	CHECK_EQ(read(p[0], buf, 30), 10);
	CHECK_ERR(sendfile(out, p[0], NULL, 1), EINVAL);
	CHECK_EQ(SYS(copy_file_range, in, &a, out, &b, 100, 0), 100);
	CHECK_EQ(a, 105);
	CHECK_EQ(b, 100);
	CHECK_EQ(SYS(copy_file_range, in, &a, in, &a, 100, 0), -EINVAL);
	CHECK_EQ(SYS(copy_file_range, in, &a, p[1], NULL, 100, 0), -EINVAL);
	CHECK_EQ(SYS(copy_file_range, in, &a, out, &b, 100, 1), -EINVAL);
	close(p[0]);
	close(p[1]);
	close(in);
	close(out);
}

TEST(times, "utimensat sets, omits, takes now; writes move mtime")
{
	struct timespec t[2] = { { 1000, 5 }, { 2000, 6 } };
	struct stat st;
	int fd = tmp_file(0);

	CHECK_OK(futimens(fd, t));
	MUST(!fstat(fd, &st));
	CHECK_EQ(st.st_atim.tv_sec, 1000);
	CHECK_EQ(st.st_mtim.tv_nsec, 6);
	t[0].tv_nsec = UTIME_OMIT;
	t[1].tv_nsec = UTIME_NOW;
	CHECK_OK(futimens(fd, t));
	MUST(!fstat(fd, &st));
	CHECK_EQ(st.st_atim.tv_sec, 1000);
	CHECK(st.st_mtim.tv_sec > 1000000);
	t[0].tv_nsec = 1000000000;
	CHECK_ERR(futimens(fd, t), EINVAL);
	close(fd);
}

TEST(seek_mapped,
     "SEEK_DATA and SEEK_HOLE: a page touched through a mapping is data, an allocated one is not")
{
	int fd = SYS(memfd_create, "data", 0);
	char *p;

	MUST(!ftruncate(fd, 16 * PAGE));
	p = mmap(NULL, 16 * PAGE, RW, MAP_SHARED, fd, 0);
	MUST(p != MAP_FAILED);
	CHECK_EQ(SYS(lseek, fd, 0, SEEK_DATA), -ENXIO);
	load(p + 2 * PAGE);
	CHECK_EQ(SYS(lseek, fd, 0, SEEK_DATA), 2 * PAGE);
	store(p + 2 * PAGE, 1); /* no fault: nobody tells the file */
	CHECK_EQ(SYS(lseek, fd, 0, SEEK_DATA), 2 * PAGE);
	MUST(!fallocate(fd, 0, 8 * PAGE, 4 * PAGE));
	CHECK_EQ(SYS(lseek, fd, 3 * PAGE, SEEK_DATA), -ENXIO);
	load(p + 8 * PAGE);
	store(p + 9 * PAGE, 1);
	CHECK_EQ(SYS(lseek, fd, 3 * PAGE, SEEK_DATA), 8 * PAGE);
	CHECK_EQ(SYS(lseek, fd, 8 * PAGE, SEEK_HOLE), 10 * PAGE);
	munmap(p, 16 * PAGE);
	CHECK_EQ(SYS(lseek, fd, 3 * PAGE, SEEK_DATA), 8 * PAGE);
	close(fd);
}

TEST_MAIN()
