/* SPDX-License-Identifier: MIT
 *
 * mremap that grows and shrinks, in place and by moving.
 */
#include "test.h"

static char *filled(size_t pages, size_t room)
{
	char *at = map_at(free_area(pages + room), pages * PAGE, RW);

	for (size_t i = 0; i < pages; i++)
		memset(at + i * PAGE, (int)i + 1, PAGE);
	return at;
}

TEST(grow_in_place, "grow in place, with and without MREMAP_MAYMOVE")
{
	char *at = filled(2, 6);

	CHECK_EQ(SYS(mremap, at, 2 * PAGE, 4 * PAGE, 0), at);
	CHECK_EQ(SYS(mremap, at, 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE), at);
	CHECK_EQ(maps_in(at, 6 * PAGE), 1);
	CHECK_EQ(load(at + PAGE), 2);
	CHECK_EQ(load(at + 5 * PAGE), 0);
	munmap(at, 6 * PAGE);
}

TEST(grow_blocked, "no room: ENOMEM without MREMAP_MAYMOVE, nothing changes")
{
	char *at = filled(4, 0);

	MUST(!mprotect(at + 2 * PAGE, 2 * PAGE, PROT_READ));
	CHECK_EQ(SYS(mremap, at, 2 * PAGE, 3 * PAGE, 0), -ENOMEM);
	CHECK_EQ(load(at + PAGE), 2);
	CHECK_EQ(load(at + 2 * PAGE), 3);
	munmap(at, 4 * PAGE);
}

TEST(grow_moves, "no room: MREMAP_MAYMOVE moves with the content, the old place is free")
{
	char *at = filled(4, 0);

	MUST(!mprotect(at + 2 * PAGE, 2 * PAGE, PROT_READ));
	char *p = (char *)SYS(mremap, at, 2 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);

	CHECK((long)p > 0 && p != at);
	CHECK_EQ(load(p), 1);
	CHECK_EQ(load(p + PAGE), 2);
	CHECK_EQ(load(p + 2 * PAGE), 0);
	CHECK_EQ(maps_in(at, 2 * PAGE), 0);
	CHECK_EQ(load(at + 2 * PAGE), 3);
	munmap(p, 8 * PAGE);
	munmap(at, 4 * PAGE);
}

TEST(shrink, "shrink unmaps the tail and keeps the address")
{
	char *at = filled(6, 0);

	CHECK_EQ(SYS(mremap, at, 6 * PAGE, 2 * PAGE, 0), at);
	CHECK_EQ(load(at + PAGE), 2);
	CHECK_FAULT(load(at + 2 * PAGE), SIGSEGV, SEGV_MAPERR, at + 2 * PAGE);
	CHECK_EQ(maps_in(at, 6 * PAGE), 1);
	munmap(at, 6 * PAGE);
}

TEST(shrink_over_holes, "shrink accepts a tail of several areas and holes")
{
	char *at = filled(6, 0);

	MUST(!munmap(at + 3 * PAGE, PAGE));
	MUST(!mprotect(at + 4 * PAGE, PAGE, PROT_READ));
	CHECK_EQ(SYS(mremap, at, 6 * PAGE, PAGE, 0), at);
	CHECK_EQ(maps_in(at, 6 * PAGE), 1);
	CHECK_EQ(maps_in(at + PAGE, 5 * PAGE), 0);
	munmap(at, PAGE);
}

TEST(same_size, "the same size is success and changes nothing")
{
	char *at = filled(2, 0);

	CHECK_EQ(SYS(mremap, at, 2 * PAGE, 2 * PAGE, 0), at);
	CHECK_EQ(SYS(mremap, at, 2 * PAGE, 2 * PAGE - 1, MREMAP_MAYMOVE), at);
	CHECK_EQ(load(at + PAGE), 2);
	munmap(at, 2 * PAGE);
}

TEST(part, "growing the first part of an area must move it; growing the last part need not")
{
	char *at = filled(6, 4);
	char *p = (char *)SYS(mremap, at, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);

	CHECK((long)p > 0 && (p + 4 * PAGE <= at || p >= at + 6 * PAGE));
	CHECK_EQ(load(p + PAGE), 2);
	CHECK_EQ(maps_in(at, 2 * PAGE), 0);
	CHECK_EQ(load(at + 2 * PAGE), 3);
	CHECK_EQ(SYS(mremap, at + 4 * PAGE, 2 * PAGE, 4 * PAGE, 0), at + 4 * PAGE);
	CHECK_EQ(load(at + 5 * PAGE), 6);
	munmap(p, 4 * PAGE);
	munmap(at, 8 * PAGE);
}

TEST(rounding, "sizes are rounded up to pages")
{
	char *at = filled(1, 3);

	CHECK_EQ(SYS(mremap, at, 1, PAGE + 1, 0), at);
	CHECK_NO_FAULT(store(at + 2 * PAGE - 1, 1));
	CHECK_FAULT(load(at + 2 * PAGE), SIGSEGV, SEGV_MAPERR, at + 2 * PAGE);
	munmap(at, 2 * PAGE);
}

TEST(file_grow, "a grown file mapping continues in the file; beyond its end is SIGBUS")
{
	int fd = tmp_file(3 * PAGE);
	char *at = mmap(free_area(8), PAGE, PROT_READ, MAP_SHARED, fd, PAGE);

	MUST(at != MAP_FAILED);
	char *p = (char *)SYS(mremap, at, PAGE, 4 * PAGE, MREMAP_MAYMOVE);

	CHECK((long)p > 0);
	CHECK_EQ(load(p), 2);
	CHECK_EQ(load(p + PAGE), 3);
	CHECK_FAULT(load(p + 2 * PAGE), SIGBUS, BUS_ADRERR, p + 2 * PAGE);
	munmap(p, 4 * PAGE);
	close(fd);
}

TEST(large_move, "a move of 8 MiB keeps every page and takes no faults")
{
	size_t len = 8 * MIB;
	char *at = map_anon(2 * len, RW);

	MUST(!mprotect(at + len, len, PROT_NONE));
	for (size_t i = 0; i < len; i += PAGE)
		*(unsigned long *)(at + i) = i + 1;
	long before = minor_faults();
	char *p = (char *)SYS(mremap, at, len, 2 * len, MREMAP_MAYMOVE);
	int wrong = 0;

	MUST((long)p > 0);
	for (size_t i = 0; i < len; i += PAGE)
		wrong += *(unsigned long *)(p + i) != i + 1;
	CHECK_EQ(wrong, 0);
	CHECK_RANGE(minor_faults() - before, 0, 8);
	munmap(p, 2 * len);
	munmap(at, 2 * len);
}

TEST(grow_to_stack, "growing in place may enter the guard gap of a MAP_GROWSDOWN area")
{
	char *area = free_area(512), *at = map_at(area, PAGE, RW);

	MUST(mmap(area + 64 * PAGE, PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0) ==
	     area + 64 * PAGE);
	CHECK_EQ(SYS(mremap, at, PAGE, 4 * PAGE, 0), at);
	munmap(area, 65 * PAGE);
}

TEST_MAIN()
