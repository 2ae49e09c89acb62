/* SPDX-License-Identifier: MIT
 *
 * msync: flags, holes, and that a shared mapping and the file are the same bytes.
 */
#include "test.h"

TEST(flags, "MS_ASYNC with MS_SYNC and unknown flags are EINVAL, 0 is fine")
{
	char *p = map_anon(PAGE, RW);

	CHECK_EQ(SYS(msync, p, PAGE, MS_ASYNC | MS_SYNC), -EINVAL);
	CHECK_EQ(SYS(msync, p, PAGE, 8), -EINVAL);
	CHECK_EQ(SYS(msync, p, PAGE, 0), 0);
	CHECK_EQ(SYS(msync, p, PAGE, MS_SYNC), 0);
	CHECK_EQ(SYS(msync, p, PAGE, MS_ASYNC), 0);
	CHECK_EQ(SYS(msync, p, PAGE, MS_INVALIDATE), 0);
	munmap(p, PAGE);
}

TEST(range, "unaligned EINVAL, length 0 success, wrapping ENOMEM")
{
	char *p = map_anon(PAGE, RW);

	CHECK_EQ(SYS(msync, p + 1, PAGE, MS_SYNC), -EINVAL);
	CHECK_EQ(SYS(msync, p, 0, MS_SYNC), 0);
	CHECK_EQ(SYS(msync, p, -PAGE, MS_SYNC), -ENOMEM);
	munmap(p, PAGE);
}

TEST(hole, "a hole is ENOMEM")
{
	char *at = map_at(free_area(3), 3 * PAGE, RW);

	MUST(!munmap(at + PAGE, PAGE));
	CHECK_EQ(SYS(msync, at, 3 * PAGE, MS_SYNC), -ENOMEM);
	CHECK_EQ(SYS(msync, at + PAGE, PAGE, MS_ASYNC), -ENOMEM);
	munmap(at, 3 * PAGE);
}

TEST(file, "what the mapping wrote is what read sees, and the other way round")
{
	int fd = tmp_file(2 * PAGE);
	char *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0), c = 0;

	MUST(p != MAP_FAILED);
	store(p + PAGE, 'x');
	CHECK_OK(msync(p, 2 * PAGE, MS_SYNC));
	CHECK_EQ(pread(fd, &c, 1, PAGE), 1);
	CHECK_EQ(c, 'x');
	CHECK_EQ(pwrite(fd, "y", 1, 0), 1);
	CHECK_EQ(load(p), 'y');
	munmap(p, 2 * PAGE);
	close(fd);
}

TEST_MAIN()
