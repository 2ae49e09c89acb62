/* SPDX-License-Identifier: MIT
 *
 * MADV_POPULATE_READ and MADV_POPULATE_WRITE fault pages in and say what failed.
 */
#include "test.h"

TEST(write_, "WRITE: every page is there and writable, no fault afterwards")
{
	char *p = map_anon(32 * PAGE, RW);

	CHECK_OK(madvise(p, 32 * PAGE, MADV_POPULATE_WRITE));
	CHECK_EQ(resident(p, 32 * PAGE), 32);
	long before = minor_faults();

	memset(p, 1, 32 * PAGE);
	CHECK_RANGE(minor_faults() - before, 0, 2);
	munmap(p, 32 * PAGE);
}

TEST(read_, "READ of anonymous memory maps the zero page: later reads take no fault, RSS stays")
{
	char *p = map_anon(64 * PAGE, RW);
	long rss = proc_value("/proc/self/status", "RssAnon:");

	CHECK_OK(madvise(p, 64 * PAGE, MADV_POPULATE_READ));
	long before = minor_faults();

	for (int i = 0; i < 64; i++)
		load(p + i * PAGE);
	CHECK_RANGE(minor_faults() - before, 0, 2);
	CHECK_RANGE(proc_value("/proc/self/status", "RssAnon:") - rss, 0, 128);
	munmap(p, 64 * PAGE);
}

TEST(file, "READ of a file mapping; beyond its end EFAULT, pages before stay populated")
{
	int fd = tmp_file(2 * PAGE);
	char *p = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);

	MUST(p != MAP_FAILED);
	CHECK_OK(madvise(p, 2 * PAGE, MADV_POPULATE_READ));
	CHECK_ERR(madvise(p, 4 * PAGE, MADV_POPULATE_READ), EFAULT);
	munmap(p, 4 * PAGE);
	close(fd);
}

TEST(permission, "a missing permission is EINVAL")
{
	char *r = map_anon(PAGE, PROT_READ), *w = map_anon(PAGE, PROT_WRITE),
	     *n = map_anon(PAGE, PROT_NONE);

	CHECK_ERR(madvise(r, PAGE, MADV_POPULATE_WRITE), EINVAL);
	CHECK_ERR(madvise(w, PAGE, MADV_POPULATE_READ), EINVAL);
	CHECK_OK(madvise(w, PAGE, MADV_POPULATE_WRITE));
	CHECK_ERR(madvise(n, PAGE, MADV_POPULATE_READ), EINVAL);
	CHECK_ERR(madvise(n, PAGE, MADV_POPULATE_WRITE), EINVAL);
	munmap(r, PAGE);
	munmap(w, PAGE);
	munmap(n, PAGE);
}

TEST(permission_later, "pages before the one without permission stay populated")
{
	char *at = map_at(free_area(4), 4 * PAGE, RW);

	MUST(!mprotect(at + 2 * PAGE, 2 * PAGE, PROT_READ));
	CHECK_ERR(madvise(at, 4 * PAGE, MADV_POPULATE_WRITE), EINVAL);
	CHECK_EQ(resident(at, 4 * PAGE), 2);
	munmap(at, 4 * PAGE);
}

TEST(hole, "a hole is ENOMEM, pages before it are populated")
{
	char *at = map_at(free_area(6), 6 * PAGE, RW);

	MUST(!munmap(at + 2 * PAGE, 2 * PAGE));
	CHECK_ERR(madvise(at, 6 * PAGE, MADV_POPULATE_WRITE), ENOMEM);
	CHECK_EQ(resident(at, 2 * PAGE), 2);
	/* Linux 6.1 goes on behind the hole, newer ones stop there. */
	CHECK_RANGE(resident(at + 4 * PAGE, 2 * PAGE), 0, 2);
	munmap(at, 6 * PAGE);
}

TEST(unaligned, "an unaligned start is EINVAL, length 0 is success")
{
	char *p = map_anon(PAGE, RW);

	CHECK_EQ(SYS(madvise, p + 1, PAGE, MADV_POPULATE_READ), -EINVAL);
	CHECK_EQ(SYS(madvise, p, 0, MADV_POPULATE_READ), 0);
	munmap(p, PAGE);
}

TEST(breaks_cow, "WRITE breaks copy-on-write without changing content")
{
	char *p = map_anon(4 * PAGE, RW);

	memset(p, 6, 4 * PAGE);
	IN_CHILD
	{
		CHECK_OK(madvise(p, 4 * PAGE, MADV_POPULATE_WRITE));
		CHECK_EQ(load(p + PAGE), 6);
		long before = minor_faults();

		memset(p, 7, 4 * PAGE);
		CHECK_RANGE(minor_faults() - before, 0, 1);
	}
	CHECK_EQ(load(p), 6);
	munmap(p, 4 * PAGE);
}

TEST(below_stack, "below a MAP_GROWSDOWN area: ENOMEM, the area does not grow")
{
	char *at = free_area(8);
	char *p = mmap(at + 4 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0);

	MUST(p == at + 4 * PAGE);
	CHECK_ERR(madvise(at + 3 * PAGE, 2 * PAGE, MADV_POPULATE_WRITE), ENOMEM);
	CHECK_EQ(maps_in(at, 4 * PAGE), 0);
	munmap(p, 4 * PAGE);
}

TEST_MAIN()
