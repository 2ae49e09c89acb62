/* SPDX-License-Identifier: MIT
 *
 * mprotect splits areas where permissions begin to differ and merges them where they agree again.
 */
#include "test.h"

TEST(split3, "the middle page of five: three areas; back: one")
{
	char *at = map_at(free_area(5), 5 * PAGE, RW);

	CHECK_OK(mprotect(at + 2 * PAGE, PAGE, PROT_READ));
	CHECK_EQ(maps_in(at, 5 * PAGE), 3);
	CHECK_STR(perms_at(at), "rw-p");
	CHECK_STR(perms_at(at + 2 * PAGE), "r--p");
	CHECK_STR(perms_at(at + 3 * PAGE), "rw-p");
	CHECK_OK(mprotect(at + 2 * PAGE, PAGE, RW));
	CHECK_EQ(maps_in(at, 5 * PAGE), 1);
	munmap(at, 5 * PAGE);
}

TEST(merge_touched, "split and merge with content")
{
	char *at = map_at(free_area(5), 5 * PAGE, RW);

	for (int i = 0; i < 5; i++)
		store(at + i * PAGE, i + 1);
	CHECK_OK(mprotect(at + 2 * PAGE, PAGE, PROT_READ));
	CHECK_OK(mprotect(at + 2 * PAGE, PAGE, RW));
	CHECK_EQ(maps_in(at, 5 * PAGE), 1);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(load(at + i * PAGE), i + 1);
	munmap(at, 5 * PAGE);
}

TEST(boundary_moves, "a change beside an area of that kind moves the boundary")
{
	char *at = map_at(free_area(6), 6 * PAGE, RW);

	CHECK_OK(mprotect(at + 3 * PAGE, 3 * PAGE, PROT_READ));
	CHECK_EQ(maps_in(at, 6 * PAGE), 2);
	CHECK_OK(mprotect(at + 2 * PAGE, PAGE, PROT_READ));
	CHECK_EQ(maps_in(at, 6 * PAGE), 2);
	CHECK_STR(perms_at(at + PAGE), "rw-p");
	CHECK_STR(perms_at(at + 2 * PAGE), "r--p");
	CHECK_OK(mprotect(at + 2 * PAGE, 2 * PAGE, RW));
	CHECK_EQ(maps_in(at, 6 * PAGE), 2);
	CHECK_STR(perms_at(at + 3 * PAGE), "rw-p");
	CHECK_STR(perms_at(at + 4 * PAGE), "r--p");
	munmap(at, 6 * PAGE);
}

TEST(alternating, "every second page, then all at once")
{
	char *at = map_at(free_area(16), 16 * PAGE, RW);

	for (int i = 0; i < 16; i += 2)
		CHECK_OK(mprotect(at + i * PAGE, PAGE, PROT_NONE));
	CHECK_EQ(maps_in(at, 16 * PAGE), 16);
	CHECK_OK(mprotect(at, 16 * PAGE, RW));
	CHECK_EQ(maps_in(at, 16 * PAGE), 1);
	munmap(at, 16 * PAGE);
}

TEST(same, "the same permissions change nothing")
{
	char *at = map_at(free_area(4), 4 * PAGE, RW);

	CHECK_OK(mprotect(at + PAGE, PAGE, RW));
	CHECK_EQ(maps_in(at, 4 * PAGE), 1);
	munmap(at, 4 * PAGE);
}

TEST(file_split, "a file mapping splits with its offsets")
{
	int fd = tmp_file(4 * PAGE);
	char *at = mmap(free_area(4), 4 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	struct map m;

	MUST(at != MAP_FAILED);
	CHECK_OK(mprotect(at + PAGE, PAGE, RW));
	CHECK_EQ(maps_in(at, 4 * PAGE), 3);
	MUST(map_find(at + PAGE, &m));
	CHECK_EQ(m.offset, PAGE);
	MUST(map_find(at + 2 * PAGE, &m));
	CHECK_EQ(m.offset, 2 * PAGE);
	CHECK_OK(mprotect(at + PAGE, PAGE, PROT_READ));
	/* Merged unless the middle was charged while it was writable (Linux keeps that mark). */
	CHECK_RANGE(maps_in(at, 4 * PAGE), 1, 3);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(load(at + i * PAGE), i + 1);
	munmap(at, 4 * PAGE);
	close(fd);
}

TEST_MAIN()
