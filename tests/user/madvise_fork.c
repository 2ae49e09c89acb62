/* SPDX-License-Identifier: MIT
 *
 * What a child gets: MADV_DONTFORK nothing, MADV_WIPEONFORK zeroes.
 */
#include "test.h"

TEST(dontfork, "DONTFORK: the child has a hole, the parent keeps its page")
{
	char *at = map_at(free_area(3), 3 * PAGE, RW);

	memset(at, 1, 3 * PAGE);
	CHECK_OK(madvise(at + PAGE, PAGE, MADV_DONTFORK));
	IN_CHILD
	{
		CHECK_EQ(load(at), 1);
		CHECK_FAULT(load(at + PAGE), SIGSEGV, SEGV_MAPERR, at + PAGE);
		CHECK_EQ(load(at + 2 * PAGE), 1);
	}
	CHECK_EQ(load(at + PAGE), 1);
	munmap(at, 3 * PAGE);
}

TEST(dofork, "DOFORK takes it back, and the area is one again")
{
	char *at = map_at(free_area(3), 3 * PAGE, RW);

	memset(at, 1, 3 * PAGE);
	CHECK_OK(madvise(at + PAGE, PAGE, MADV_DONTFORK));
	CHECK_EQ(maps_in(at, 3 * PAGE), 3);
	CHECK_OK(madvise(at + PAGE, PAGE, MADV_DOFORK));
	CHECK_EQ(maps_in(at, 3 * PAGE), 1);
	IN_CHILD
	{
		CHECK_EQ(load(at + PAGE), 1);
	}
	munmap(at, 3 * PAGE);
}

TEST(wipeonfork, "WIPEONFORK: the child reads zeroes, the grandchild too")
{
	char *p = map_anon(2 * PAGE, RW);

	memset(p, 5, 2 * PAGE);
	CHECK_OK(madvise(p, PAGE, MADV_WIPEONFORK));
	IN_CHILD
	{
		CHECK_EQ(load(p), 0);
		CHECK_EQ(load(p + PAGE), 5);
		store(p, 9);
		IN_CHILD
		{
			CHECK_EQ(load(p), 0);
		}
		CHECK_EQ(load(p), 9);
	}
	CHECK_EQ(load(p), 5);
	munmap(p, 2 * PAGE);
}

TEST(keeponfork, "KEEPONFORK takes it back")
{
	char *p = map_anon(PAGE, RW);

	store(p, 5);
	CHECK_OK(madvise(p, PAGE, MADV_WIPEONFORK));
	CHECK_OK(madvise(p, PAGE, MADV_KEEPONFORK));
	IN_CHILD
	{
		CHECK_EQ(load(p), 5);
	}
	munmap(p, PAGE);
}

TEST(wipe_only_anon, "WIPEONFORK of file or shared memory is EINVAL")
{
	int fd = tmp_file(PAGE);
	char *f = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	char *s = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	MUST(f != MAP_FAILED && s != MAP_FAILED);
	CHECK_ERR(madvise(f, PAGE, MADV_WIPEONFORK), EINVAL);
	CHECK_ERR(madvise(s, PAGE, MADV_WIPEONFORK), EINVAL);
	munmap(f, PAGE);
	munmap(s, PAGE);
	close(fd);
}

TEST_MAIN()
