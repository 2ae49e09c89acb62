/* SPDX-License-Identifier: MIT
 *
 * Where mmap puts a mapping when the address is only a hint.
 */
#include "test.h"

TEST(no_hint_aligned, "without a hint: page-aligned, nonzero, below the user limit")
{
	char *p = map_anon(3 * PAGE, RW);

	CHECK_EQ((unsigned long)p % PAGE, 0);
	CHECK(p != NULL);
	CHECK((unsigned long)p + 3 * PAGE <= USER_LIMIT);
	CHECK_EQ(load(p), 0);
	CHECK_EQ(load(p + 3 * PAGE - 1), 0);
	munmap(p, 3 * PAGE);
}

TEST(hint_taken, "a free hint is taken")
{
	char *at = free_area(4);
	char *p = mmap(at, 4 * PAGE, RW, ANON, -1, 0);

	CHECK_EQ(p, at);
	munmap(p, 4 * PAGE);
}

TEST(hint_rounded, "an unaligned hint is rounded down to its page")
{
	char *at = free_area(8);
	char *p = mmap(at + 5, PAGE, RW, ANON, -1, 0);

	CHECK_EQ(p, at);
	munmap(p, PAGE);
}

TEST(hint_occupied, "an occupied hint is ignored and nothing there is replaced")
{
	char *at = map_at(free_area(4), 4 * PAGE, RW);

	memset(at, 7, 4 * PAGE);
	char *p = mmap(at + PAGE, 2 * PAGE, RW, ANON, -1, 0);

	CHECK(p != MAP_FAILED);
	CHECK(p + 2 * PAGE <= at || p >= at + 4 * PAGE);
	CHECK_EQ(load(at + PAGE), 7);
	CHECK_EQ(load(p), 0);
	munmap(p, 2 * PAGE);
	munmap(at, 4 * PAGE);
}

TEST(hint_too_high, "a hint at or above the user limit is ignored")
{
	char *p = mmap((void *)USER_LIMIT, PAGE, RW, ANON, -1, 0);

	CHECK(p != MAP_FAILED && (unsigned long)p < USER_LIMIT);
	munmap(p, PAGE);
	p = mmap((void *)KERNEL_ADDRESS, PAGE, RW, ANON, -1, 0);
	CHECK(p != MAP_FAILED && (unsigned long)p < USER_LIMIT);
	munmap(p, PAGE);
}

TEST(hint_too_low, "a hint below mmap_min_addr is not page zero")
{
	char *p = mmap((void *)1, PAGE, RW, ANON, -1, 0);

	CHECK(p != MAP_FAILED);
	CHECK((unsigned long)p >= PAGE);
	munmap(p, PAGE);
}

TEST(top_down, "the second mapping goes below the first")
{
	char *a = map_anon(64 * PAGE, RW);
	char *b = map_anon(64 * PAGE, PROT_READ);

	CHECK(b < a);
	munmap(a, 64 * PAGE);
	munmap(b, 64 * PAGE);
}

TEST(highest_gap, "a hole that fits is filled again, from its top")
{
	char *a = map_anon(16 * PAGE, RW);

	MUST(!munmap(a + 4 * PAGE, 8 * PAGE));
	char *b = mmap(NULL, 8 * PAGE, PROT_READ, ANON, -1, 0);

	CHECK_EQ(b, a + 4 * PAGE);
	MUST(!munmap(b, 8 * PAGE));
	b = mmap(NULL, 2 * PAGE, PROT_READ, ANON, -1, 0);
	CHECK_EQ(b, a + 10 * PAGE);
	munmap(a, 16 * PAGE);
}

TEST(hole_too_small, "a hole that is one page too small is passed over")
{
	char *a = map_anon(16 * PAGE, RW);

	MUST(!munmap(a + 4 * PAGE, 8 * PAGE));
	char *b = mmap(NULL, 9 * PAGE, PROT_READ, ANON, -1, 0);

	CHECK(b != MAP_FAILED);
	CHECK(b + 9 * PAGE <= a || b >= a + 16 * PAGE);
	munmap(a, 16 * PAGE);
	munmap(b, 9 * PAGE);
}

TEST(map_32bit, "MAP_32BIT stays below 2 GiB")
{
	char *p = mmap(NULL, 4 * PAGE, RW, ANON | MAP_32BIT, -1, 0);

	CHECK(p != MAP_FAILED);
	CHECK((unsigned long)p + 4 * PAGE <= 2 * GIB);
	munmap(p, 4 * PAGE);
}

TEST(hint_in_page_zero, "a hint inside page 0 is none: the mapping goes where it would without")
{
	char *p = map_anon(PAGE, RW);

	munmap(p, PAGE);
	CHECK_EQ(SYS(mmap, 1, PAGE, RW, ANON, -1, 0), p);
	munmap(p, PAGE);
}

TEST(map_32bit_hint, "MAP_32BIT: a hint below 2 GiB is taken, one above is not")
{
	long p = SYS(mmap, 0x100000000000, PAGE, RW, ANON | MAP_32BIT, -1, 0);

	CHECK_RANGE(p, PAGE, 0x7ffff000L);
	munmap((void *)p, PAGE);
	CHECK_EQ(SYS(mmap, 0x20000000, PAGE, RW, ANON | MAP_32BIT, -1, 0), 0x20000000);
	munmap((void *)0x20000000, PAGE);
}

TEST_MAIN()
