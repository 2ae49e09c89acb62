/* SPDX-License-Identifier: MIT
 *
 * MADV_DONTNEED drops pages at once: anonymous memory reads zero again, file pages come back from the file.
 */
#include "test.h"

TEST(anon, "private anonymous: zero again, not resident")
{
	char *p = map_anon(8 * PAGE, RW);

	memset(p, 1, 8 * PAGE);
	CHECK_OK(madvise(p + 2 * PAGE, 4 * PAGE, MADV_DONTNEED));
	CHECK_EQ(resident(p, 8 * PAGE), 4);
	CHECK_EQ(load(p + 2 * PAGE - 1), 1);
	CHECK_EQ(load(p + 2 * PAGE), 0);
	CHECK_EQ(load(p + 6 * PAGE - 1), 0);
	CHECK_EQ(load(p + 6 * PAGE), 1);
	CHECK_EQ(maps_in(p, 8 * PAGE), 1);
	munmap(p, 8 * PAGE);
}

TEST(private_file, "private file mapping: written copies are lost, the file's bytes are back")
{
	int fd = tmp_file(2 * PAGE);
	char *p = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0);

	MUST(p != MAP_FAILED);
	memset(p, 77, 2 * PAGE);
	CHECK_OK(madvise(p, PAGE, MADV_DONTNEED));
	CHECK_EQ(load(p), 1);
	CHECK_EQ(load(p + PAGE), 77);
	munmap(p, 2 * PAGE);
	close(fd);
}

TEST(shared, "shared memory: nothing is lost")
{
	char *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	MUST(p != MAP_FAILED);
	memset(p, 5, 2 * PAGE);
	CHECK_OK(madvise(p, 2 * PAGE, MADV_DONTNEED));
	CHECK_EQ(load(p), 5);
	CHECK_EQ(load(p + PAGE), 5);
	munmap(p, 2 * PAGE);
}

TEST(child, "in a child it drops only the child's view")
{
	char *p = map_anon(PAGE, RW);

	store(p, 9);
	IN_CHILD
	{
		CHECK_OK(madvise(p, PAGE, MADV_DONTNEED));
		CHECK_EQ(load(p), 0);
	}
	CHECK_EQ(load(p), 9);
	munmap(p, PAGE);
}

TEST(hole, "holes: ENOMEM, after everything mapped in the range was dropped")
{
	char *at = map_at(free_area(6), 6 * PAGE, RW);

	memset(at, 1, 6 * PAGE);
	MUST(!munmap(at + 2 * PAGE, 2 * PAGE));
	CHECK_EQ(SYS(madvise, at, 6 * PAGE, MADV_DONTNEED), -ENOMEM);
	CHECK_EQ(load(at), 0);
	CHECK_EQ(load(at + 5 * PAGE), 0);
	munmap(at, 6 * PAGE);
}

TEST(prot_none, "protection does not matter")
{
	char *p = map_anon(PAGE, RW);

	store(p, 1);
	MUST(!mprotect(p, PAGE, PROT_NONE));
	CHECK_OK(madvise(p, PAGE, MADV_DONTNEED));
	MUST(!mprotect(p, PAGE, PROT_READ));
	CHECK_EQ(load(p), 0);
	munmap(p, PAGE);
}

TEST(errors, "unaligned address EINVAL, wrapping range EINVAL, length 0 success, length rounded up")
{
	char *p = map_anon(2 * PAGE, RW);

	memset(p, 1, 2 * PAGE);
	CHECK_EQ(SYS(madvise, p + 1, PAGE, MADV_DONTNEED), -EINVAL);
	CHECK_EQ(SYS(madvise, p, -1UL, MADV_DONTNEED), -EINVAL);
	CHECK_EQ(SYS(madvise, p, -PAGE, MADV_DONTNEED), -EINVAL);
	CHECK_EQ(SYS(madvise, p, 0, MADV_DONTNEED), 0);
	CHECK_EQ(load(p), 1);
	CHECK_EQ(SYS(madvise, p, 1, MADV_DONTNEED), 0);
	CHECK_EQ(load(p), 0);
	CHECK_EQ(load(p + PAGE), 1);
	munmap(p, 2 * PAGE);
}

TEST(rss, "the pages leave the RSS")
{
	char *p = map_anon(4 * MIB, RW);

	memset(p, 1, 4 * MIB);
	long before = proc_value("/proc/self/status", "RssAnon:");

	CHECK_OK(madvise(p, 4 * MIB, MADV_DONTNEED));
	CHECK_RANGE(before - proc_value("/proc/self/status", "RssAnon:"), 4096 - 256, 4096 + 256);
	munmap(p, 4 * MIB);
}

TEST_MAIN()
