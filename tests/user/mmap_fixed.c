/* SPDX-License-Identifier: MIT
 *
 * MAP_FIXED replaces what is there; MAP_FIXED_NOREPLACE refuses to.
 */
#include "test.h"

TEST(replaces, "MAP_FIXED replaces the middle of an area with zeroed pages")
{
	char *at = map_at(free_area(6), 6 * PAGE, RW);

	memset(at, 9, 6 * PAGE);
	char *p = mmap(at + 2 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0);

	CHECK_EQ(p, at + 2 * PAGE);
	CHECK_EQ(load(at + 2 * PAGE - 1), 9);
	CHECK_EQ(load(at + 2 * PAGE), 0);
	CHECK_EQ(load(at + 4 * PAGE - 1), 0);
	CHECK_EQ(load(at + 4 * PAGE), 9);
	munmap(at, 6 * PAGE);
}

TEST(spans_hole, "MAP_FIXED over areas and a hole between them")
{
	char *at = map_at(free_area(8), 8 * PAGE, RW);

	memset(at, 1, 8 * PAGE);
	MUST(!munmap(at + 3 * PAGE, 2 * PAGE));
	CHECK_EQ(mmap(at + PAGE, 6 * PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0), at + PAGE);
	CHECK_EQ(maps_in(at, 8 * PAGE), 3);
	CHECK_EQ(load(at), 1);
	CHECK_EQ(load(at + 4 * PAGE), 0);
	CHECK_EQ(load(at + 7 * PAGE), 1);
	munmap(at, 8 * PAGE);
}

TEST(unaligned, "MAP_FIXED at an unaligned address is EINVAL and changes nothing")
{
	char *at = map_at(free_area(2), 2 * PAGE, RW);

	store(at, 5);
	CHECK_EQ(SYS(mmap, at + 1, PAGE, RW, ANON | MAP_FIXED, -1, 0), -EINVAL);
	CHECK_EQ(load(at), 5);
	munmap(at, 2 * PAGE);
}

TEST(beyond_user, "MAP_FIXED beyond the user limit is ENOMEM")
{
	CHECK_EQ(SYS(mmap, USER_LIMIT, PAGE, RW, ANON | MAP_FIXED, -1, 0), -ENOMEM);
	CHECK_EQ(SYS(mmap, USER_LIMIT - PAGE, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0), -ENOMEM);
	CHECK_EQ(SYS(mmap, KERNEL_ADDRESS, PAGE, RW, ANON | MAP_FIXED, -1, 0), -ENOMEM);
	CHECK_EQ(SYS(mmap, -PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0), -ENOMEM);
}

TEST(last_user_page, "the last page below the user limit can be mapped")
{
	char *p = mmap((void *)(USER_LIMIT - PAGE), PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);

	CHECK_EQ(p, USER_LIMIT - PAGE);
	if (p != MAP_FAILED) {
		CHECK_NO_FAULT(store(p + PAGE - 1, 1));
		munmap(p, PAGE);
	}
}

TEST(noreplace_free, "MAP_FIXED_NOREPLACE takes a free range")
{
	char *at = free_area(3);

	CHECK_EQ(mmap(at, 3 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), at);
	munmap(at, 3 * PAGE);
}

TEST(noreplace_overlap, "MAP_FIXED_NOREPLACE is EEXIST on any overlap: head, tail, inside, around")
{
	char *at = free_area(9);

	map_at(at + 3 * PAGE, 3 * PAGE, RW);
	memset(at + 3 * PAGE, 4, 3 * PAGE);
	int flags = ANON | MAP_FIXED_NOREPLACE;

	CHECK_EQ(SYS(mmap, at + 2 * PAGE, 2 * PAGE, RW, flags, -1, 0), -EEXIST);
	CHECK_EQ(SYS(mmap, at + 5 * PAGE, 2 * PAGE, RW, flags, -1, 0), -EEXIST);
	CHECK_EQ(SYS(mmap, at + 4 * PAGE, PAGE, RW, flags, -1, 0), -EEXIST);
	CHECK_EQ(SYS(mmap, at, 9 * PAGE, RW, flags, -1, 0), -EEXIST);
	CHECK_EQ(load(at + 3 * PAGE), 4);
	CHECK_EQ(load(at + 6 * PAGE - 1), 4);
	CHECK_EQ(SYS(mmap, at, 3 * PAGE, RW, flags, -1, 0), at);
	CHECK_EQ(SYS(mmap, at + 6 * PAGE, 3 * PAGE, RW, flags, -1, 0), at + 6 * PAGE);
	munmap(at, 9 * PAGE);
}

TEST(failed_fixed_keeps, "MAP_FIXED that fails for its file leaves the old mapping")
{
	char *at = map_at(free_area(1), PAGE, RW);

	store(at, 3);
	CHECK_EQ(SYS(mmap, at, PAGE, RW, MAP_PRIVATE | MAP_FIXED, 999, 0), -EBADF);
	CHECK_EQ(load(at), 3);
	munmap(at, PAGE);
}

TEST_MAIN()
