/* SPDX-License-Identifier: MIT
 *
 * Bad buffers in read and write: EFAULT, or a short count when part of the buffer was good.
 */
#include "test.h"
#include <poll.h>

static const unsigned long bad[] = {
	0,
	1,
	PAGE - 1,
	USER_LIMIT,
	KERNEL_ADDRESS,
	NON_CANONICAL,
	-1UL,
	-PAGE,
	0xffffffff80000000UL,
};
#define NR_BAD (sizeof(bad) / sizeof(*bad))

TEST(read_file, "read from a file")
{
	int fd = tmp_file(PAGE);

	for (unsigned int i = 0; i < NR_BAD; i++)
		CHECK_EQ(SYS(pread64, fd, bad[i], 16, 0), -EFAULT);
	close(fd);
}

TEST(write_file_, "write to a file; nothing is written")
{
	int fd = tmp_file(0);
	struct stat st;

	for (unsigned int i = 0; i < NR_BAD; i++)
		CHECK_EQ(SYS(pwrite64, fd, bad[i], 16, 0), -EFAULT);
	MUST(!fstat(fd, &st));
	CHECK_EQ(st.st_size, 0);
	close(fd);
}

TEST(pipe_, "pipe, both directions; the pipe's content is not lost")
{
	int p[2];
	char c = 0;

	MUST(!pipe(p));
	for (unsigned int i = 0; i < NR_BAD; i++)
		CHECK_EQ(SYS(write, p[1], bad[i], 16), -EFAULT);
	MUST(write(p[1], "ab", 2) == 2);
	for (unsigned int i = 0; i < NR_BAD; i++)
		CHECK_EQ(SYS(read, p[0], bad[i], 1), -EFAULT);
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(c, 'a');
	close(p[0]);
	close(p[1]);
}

TEST(devices, "/dev/zero and /dev/urandom; /dev/null never looks at the buffer")
{
	int zero = open("/dev/zero", O_RDWR), rnd = open("/dev/urandom", O_RDONLY),
	    null = open("/dev/null", O_RDWR);

	MUST(zero >= 0 && rnd >= 0 && null >= 0);
	for (unsigned int i = 0; i < NR_BAD; i++) {
		CHECK_EQ(SYS(read, zero, bad[i], 16), -EFAULT);
		CHECK_EQ(SYS(read, rnd, bad[i], 16), -EFAULT);
	}
	CHECK_EQ(SYS(write, null, PAGE, 16), 16);
	CHECK_EQ(SYS(read, null, PAGE, 16), 0);
	close(zero);
	close(rnd);
	close(null);
}

TEST(straddle, "a buffer that runs into a hole: the good part is transferred")
{
	char *p = map_at(free_area(2), PAGE, RW);
	int in = tmp_file(2 * PAGE), out = tmp_file(0), zero = open("/dev/zero", O_RDONLY);

	MUST(zero >= 0);
	CHECK_EQ(SYS(pread64, in, p + PAGE - 10, 20, 0), 10);
	CHECK_EQ(load(p + PAGE - 1), 1);
	CHECK_EQ(SYS(pwrite64, out, p + PAGE - 10, 20, 0), 10);
	CHECK_EQ(SYS(read, zero, p, 2 * PAGE), PAGE);
	munmap(p, PAGE);
	close(in);
	close(out);
	close(zero);
}

TEST(straddle_pipe, "a pipe write that runs into a hole is EFAULT")
{
	char *p = map_at(free_area(2), PAGE, RW);
	int fd[2];

	MUST(!pipe(fd));
	CHECK_EQ(SYS(write, fd[1], p + PAGE - 10, 20), -EFAULT);
	munmap(p, PAGE);
	close(fd[0]);
	close(fd[1]);
}

TEST(read_only, "read into read-only memory is EFAULT, write from it works")
{
	char *p = map_anon(PAGE, PROT_READ);
	int fd = tmp_file(PAGE);

	CHECK_EQ(SYS(pread64, fd, p, 16, 0), -EFAULT);
	CHECK_EQ(SYS(pwrite64, fd, p, 16, 0), 16);
	CHECK_EQ(SYS(pread64, fd, run_tests, 16, 0), -EFAULT);
	munmap(p, PAGE);
	close(fd);
}

TEST(prot_none, "PROT_NONE is EFAULT both ways, resident or not")
{
	char *p = map_anon(2 * PAGE, RW);
	int fd = tmp_file(PAGE);

	store(p, 1);
	MUST(!mprotect(p, 2 * PAGE, PROT_NONE));
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(SYS(pread64, fd, p + i * PAGE, 16, 0), -EFAULT);
		CHECK_EQ(SYS(pwrite64, fd, p + i * PAGE, 16, 0), -EFAULT);
	}
	munmap(p, 2 * PAGE);
	close(fd);
}

TEST(zero_length, "length 0 does not look at the buffer (except where it is no user address)")
{
	int fd = tmp_file(PAGE);

	CHECK_EQ(SYS(pread64, fd, NULL, 0, 0), 0);
	CHECK_EQ(SYS(pwrite64, fd, NULL, 0, 0), 0);
	CHECK_EQ(SYS(pread64, fd, free_area(1), 0, 0), 0);
	close(fd);
}

TEST(huge_length,
     "a length beyond user space is EFAULT or a short count, negative EINVAL or EFAULT")
{
	static char buf[PAGE];
	int fd = tmp_file(PAGE);
	long r = SYS(pread64, fd, buf, -1UL, 0);

	CHECK(r == -EFAULT || r == -EINVAL);
	r = SYS(pread64, fd, buf, 1UL << 62, 0);
	CHECK(r == -EFAULT || r == -EINVAL);
	CHECK_EQ(SYS(pread64, fd, buf, 0x7fffffff, 0), PAGE);
	close(fd);
}

TEST(faults_in, "untouched pages are faulted in by the kernel, 3 MiB at once")
{
	char *p = map_anon(3 * MIB, RW);
	int fd = open("/dev/zero", O_RDONLY), out = tmp_file(0);

	MUST(fd >= 0);
	CHECK_EQ(read(fd, p + 5, 3 * MIB - 10), 3 * MIB - 10);
	CHECK_EQ(resident(p, 3 * MIB), 768);
	munmap(p, 3 * MIB);
	p = map_anon(MIB, PROT_READ);
	CHECK_EQ(write(out, p, MIB), MIB);
	munmap(p, MIB);
	close(fd);
	close(out);
}

TEST_MAIN()
