/* SPDX-License-Identifier: MIT
 *
 * munmap of the head, the tail, the middle, the whole, several areas and holes.
 */
#include "test.h"

static char *filled(size_t pages)
{
	char *at = map_at(free_area(pages), pages * PAGE, RW);

	for (size_t i = 0; i < pages; i++)
		memset(at + i * PAGE, (int)i + 1, PAGE);
	return at;
}

TEST(head, "the head")
{
	char *at = filled(6);

	CHECK_OK(munmap(at, 2 * PAGE));
	CHECK_FAULT(load(at + 2 * PAGE - 1), SIGSEGV, SEGV_MAPERR, at + 2 * PAGE - 1);
	CHECK_EQ(load(at + 2 * PAGE), 3);
	CHECK_EQ(maps_in(at, 6 * PAGE), 1);
	munmap(at, 6 * PAGE);
}

TEST(tail, "the tail")
{
	char *at = filled(6);

	CHECK_OK(munmap(at + 4 * PAGE, 2 * PAGE));
	CHECK_EQ(load(at + 4 * PAGE - 1), 4);
	CHECK_FAULT(store(at + 4 * PAGE, 1), SIGSEGV, SEGV_MAPERR, at + 4 * PAGE);
	munmap(at, 6 * PAGE);
}

TEST(middle, "the middle: one area becomes two")
{
	char *at = filled(6);

	CHECK_OK(munmap(at + 2 * PAGE, 2 * PAGE));
	CHECK_EQ(maps_in(at, 6 * PAGE), 2);
	CHECK_EQ(load(at + PAGE), 2);
	CHECK_EQ(load(at + 4 * PAGE), 5);
	CHECK_FAULT(load(at + 2 * PAGE), SIGSEGV, SEGV_MAPERR, at + 2 * PAGE);
	CHECK_FAULT(load(at + 3 * PAGE), SIGSEGV, SEGV_MAPERR, at + 3 * PAGE);
	munmap(at, 6 * PAGE);
}

TEST(several, "from the middle of one area to the middle of a third")
{
	char *at = filled(9);

	MUST(!mprotect(at + 3 * PAGE, 3 * PAGE, PROT_READ));
	CHECK_EQ(maps_in(at, 9 * PAGE), 3);
	CHECK_OK(munmap(at + 2 * PAGE, 5 * PAGE));
	CHECK_EQ(maps_in(at, 9 * PAGE), 2);
	CHECK_EQ(load(at + PAGE), 2);
	CHECK_EQ(load(at + 7 * PAGE), 8);
	CHECK_EQ(resident(at, 2 * PAGE), 2);
	CHECK_EQ(resident(at + PAGE, 2 * PAGE), -1);
	munmap(at, 9 * PAGE);
}

TEST(nothing, "a range with nothing in it is success")
{
	char *at = free_area(4);

	CHECK_OK(munmap(at, 4 * PAGE));
}

TEST(holes, "a range with holes")
{
	char *at = filled(6);

	MUST(!munmap(at + PAGE, PAGE));
	MUST(!munmap(at + 3 * PAGE, PAGE));
	CHECK_OK(munmap(at, 6 * PAGE));
	CHECK_EQ(maps_in(at, 6 * PAGE), 0);
}

TEST(length_rounded, "the length is rounded up to pages")
{
	char *at = filled(3);

	CHECK_OK(munmap(at, PAGE + 1));
	CHECK_EQ(maps_in(at, 2 * PAGE), 0);
	CHECK_EQ(load(at + 2 * PAGE), 3);
	munmap(at, 3 * PAGE);
}

TEST(errors, "unaligned address, length 0, beyond user space: EINVAL")
{
	char *at = filled(2);

	CHECK_EQ(SYS(munmap, at + 1, PAGE), -EINVAL);
	CHECK_EQ(SYS(munmap, at, 0), -EINVAL);
	CHECK_EQ(SYS(munmap, at, -1UL), -EINVAL);
	CHECK_EQ(SYS(munmap, at, -PAGE), -EINVAL);
	CHECK_EQ(SYS(munmap, at, USER_LIMIT), -EINVAL);
	CHECK_EQ(SYS(munmap, USER_LIMIT, PAGE), -EINVAL);
	CHECK_EQ(SYS(munmap, KERNEL_ADDRESS, PAGE), -EINVAL);
	CHECK_EQ(load(at), 1);
	CHECK_EQ(load(at + PAGE), 2);
	munmap(at, 2 * PAGE);
}

TEST(refill, "what is mapped again is zero")
{
	char *at = filled(4);

	MUST(!munmap(at + PAGE, 2 * PAGE));
	map_at(at + PAGE, 2 * PAGE, RW);
	CHECK_EQ(maps_in(at, 4 * PAGE), 1);
	CHECK_EQ(load(at), 1);
	CHECK_EQ(load(at + PAGE), 0);
	CHECK_EQ(load(at + 2 * PAGE), 0);
	CHECK_EQ(load(at + 3 * PAGE), 4);
	munmap(at, 4 * PAGE);
}

TEST(large_sparse, "one munmap of 1 GiB with a page here and there gives every page back")
{
	char *p = mmap(NULL, GIB, RW, ANON | MAP_NORESERVE, -1, 0);
	long before = proc_value("/proc/self/statm", "");

	MUST(p != MAP_FAILED);
	for (size_t at = 0; at < GIB; at += 64 * MIB)
		store(p + at, 1);
	CHECK_OK(munmap(p, GIB));
	CHECK_EQ(proc_value("/proc/self/statm", ""), before - (long)(GIB / PAGE));
}

TEST_MAIN()
