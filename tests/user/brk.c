/* SPDX-License-Identifier: MIT
 *
 * The raw brk system call: it returns the new break, or the old one when it cannot.
 */
#include "test.h"

static char *brk_now(void)
{
	return (char *)SYS(brk, 0);
}

FORKED_TEST(grow_shrink, "grow, zeroed pages, shrink, grow again: zero again")
{
	char *b = brk_now(), *top = (char *)(((unsigned long)b + PAGE - 1) & -PAGE);

	CHECK_EQ(SYS(brk, top + 4 * PAGE), top + 4 * PAGE);
	CHECK_EQ(load(top), 0);
	memset(top, 3, 4 * PAGE);
	CHECK_EQ(SYS(brk, top + PAGE), top + PAGE);
	CHECK_EQ(load(top), 3);
	CHECK_FAULT(load(top + PAGE), SIGSEGV, SEGV_MAPERR, top + PAGE);
	CHECK_EQ(SYS(brk, top + 2 * PAGE), top + 2 * PAGE);
	CHECK_EQ(load(top + PAGE), 0);
	CHECK_EQ(SYS(brk, b), b);
}

FORKED_TEST(byte_granular, "the break is kept to the byte, the mapping to the page")
{
	char *b = brk_now(), *top = (char *)(((unsigned long)b + PAGE - 1) & -PAGE);

	CHECK_EQ(SYS(brk, top + 1), top + 1);
	CHECK_EQ(brk_now(), top + 1);
	CHECK_NO_FAULT(store(top + PAGE - 1, 1));
	CHECK_FAULT(store(top + PAGE, 1), SIGSEGV, SEGV_MAPERR, top + PAGE);
	CHECK_EQ(SYS(brk, top + 5), top + 5);
	CHECK_EQ(load(top + PAGE - 1), 1);
}

FORKED_TEST(below_start, "a break below the heap's start is refused")
{
	char *b = brk_now();

	CHECK_EQ(SYS(brk, PAGE), b);
	CHECK_EQ(SYS(brk, 1), b);
}

FORKED_TEST(too_high, "a break beyond user space, or into another mapping, is refused")
{
	char *b = brk_now(), *top = (char *)(((unsigned long)b + PAGE - 1) & -PAGE);

	CHECK_EQ(SYS(brk, USER_LIMIT + PAGE), b);
	CHECK_EQ(SYS(brk, -1UL), b);
	MUST(mmap(top + 8 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == top + 8 * PAGE);
	CHECK_EQ(SYS(brk, top + 9 * PAGE), b);
	/* One page stays free between the heap and what follows. */
	CHECK_EQ(SYS(brk, top + 8 * PAGE), b);
	CHECK_EQ(SYS(brk, top + 7 * PAGE + 1), b);
	CHECK_EQ(SYS(brk, top + 7 * PAGE), top + 7 * PAGE);
}

FORKED_TEST(heap_name, "the heap is [heap] in maps, one area however often it grew")
{
	char *b = brk_now(), *top = (char *)(((unsigned long)b + PAGE - 1) & -PAGE);
	struct map m;

	for (int i = 1; i <= 8; i++)
		CHECK_EQ(SYS(brk, top + i * PAGE), top + i * PAGE);
	MUST(map_find(top, &m));
	CHECK_STR(m.name, "[heap]");
	CHECK_EQ(m.end, top + 8 * PAGE);
	CHECK_EQ(maps_in(top, 8 * PAGE), 1);
	CHECK_STR(m.perms, "rw-p");
}

FORKED_TEST(rlimit_data, "RLIMIT_DATA bounds it")
{
	char *b = brk_now();
	struct rlimit rl = { 2 * MIB, RLIM_INFINITY };

	MUST(!setrlimit(RLIMIT_DATA, &rl));
	CHECK_EQ(SYS(brk, b + 64 * MIB), b);
	CHECK_EQ(SYS(brk, b + 64 * 1024), b + 64 * 1024);
}

FORKED_TEST(child_own, "a child's break is its own")
{
	char *b = brk_now();

	IN_CHILD
	{
		CHECK_EQ(SYS(brk, b + 16 * PAGE), b + 16 * PAGE);
	}
	CHECK_EQ(brk_now(), b);
}

FORKED_TEST(hole_in_heap, "a hole that munmap made in the heap does not hinder brk")
{
	char *b = brk_now(), *top = (char *)(((unsigned long)b + PAGE - 1) & -PAGE);

	MUST(SYS(brk, top + 8 * PAGE) == (long)top + 8 * (long)PAGE);
	MUST(!munmap(top + 2 * PAGE, 2 * PAGE));
	CHECK_EQ(SYS(brk, top + 10 * PAGE), top + 10 * PAGE);
	CHECK_EQ(SYS(brk, top + PAGE), top + PAGE);
	CHECK_EQ(maps_in(top + PAGE, 9 * PAGE), 0);
}

FORKED_TEST(heap_gone, "a heap that was unmapped cannot shrink; it can grow")
{
	char *b = brk_now(), *top = (char *)(((unsigned long)b + PAGE - 1) & -PAGE);

	MUST(SYS(brk, top + 4 * PAGE) == (long)top + 4 * (long)PAGE);
	MUST(!munmap(top, 4 * PAGE));
	CHECK_EQ(SYS(brk, top + PAGE), top + 4 * PAGE);
	CHECK_EQ(SYS(brk, top + 6 * PAGE), top + 6 * PAGE);
	CHECK_NO_FAULT(store(top + 5 * PAGE, 1));
}

TEST_MAIN()
