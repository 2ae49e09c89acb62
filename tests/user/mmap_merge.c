/* SPDX-License-Identifier: MIT
 *
 * Mappings with the same attributes that touch become one line of /proc/self/maps.
 */
#include "test.h"

TEST(above, "a mapping just above merges")
{
	char *at = free_area(4);

	map_at(at, 2 * PAGE, RW);
	map_at(at + 2 * PAGE, 2 * PAGE, RW);
	CHECK_EQ(maps_in(at, 4 * PAGE), 1);
	munmap(at, 4 * PAGE);
}

TEST(below, "a mapping just below merges")
{
	char *at = free_area(4);

	map_at(at + 2 * PAGE, 2 * PAGE, RW);
	map_at(at, 2 * PAGE, RW);
	CHECK_EQ(maps_in(at, 4 * PAGE), 1);
	munmap(at, 4 * PAGE);
}

TEST(bridge, "a mapping that fills a hole merges with both sides")
{
	char *at = free_area(6);

	map_at(at, 2 * PAGE, RW);
	map_at(at + 4 * PAGE, 2 * PAGE, RW);
	CHECK_EQ(maps_in(at, 6 * PAGE), 2);
	map_at(at + 2 * PAGE, 2 * PAGE, RW);
	CHECK_EQ(maps_in(at, 6 * PAGE), 1);
	munmap(at, 6 * PAGE);
}

TEST(touched, "content survives a merge")
{
	char *at = free_area(6);

	map_at(at, 2 * PAGE, RW);
	store(at, 1);
	map_at(at + 4 * PAGE, 2 * PAGE, RW);
	map_at(at + 2 * PAGE, 2 * PAGE, RW);
	CHECK_EQ(maps_in(at, 6 * PAGE), 1);
	store(at + 5 * PAGE, 2);
	CHECK_EQ(load(at), 1);
	CHECK_EQ(load(at + 5 * PAGE), 2);
	munmap(at, 6 * PAGE);
}

TEST(other_prot, "other permissions do not merge")
{
	char *at = free_area(4);

	map_at(at, 2 * PAGE, RW);
	map_at(at + 2 * PAGE, 2 * PAGE, PROT_READ);
	CHECK_EQ(maps_in(at, 4 * PAGE), 2);
	munmap(at, 4 * PAGE);
}

TEST(other_flags, "MAP_NORESERVE beside a plain mapping does not merge")
{
	char *at = free_area(4);

	map_at(at, 2 * PAGE, RW);
	MUST(mmap(at + 2 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0) ==
	     at + 2 * PAGE);
	CHECK_EQ(maps_in(at, 4 * PAGE), 2);
	munmap(at, 4 * PAGE);
}

TEST(file_contiguous, "file mappings merge when the offsets continue, and only then")
{
	int fd = tmp_file(8 * PAGE);
	char *at = free_area(4);
	int flags = MAP_SHARED | MAP_FIXED;

	MUST(mmap(at, 2 * PAGE, PROT_READ, flags, fd, 2 * PAGE) == at);
	MUST(mmap(at + 2 * PAGE, 2 * PAGE, PROT_READ, flags, fd, 4 * PAGE) == at + 2 * PAGE);
	CHECK_EQ(maps_in(at, 4 * PAGE), 1);
	MUST(mmap(at + 2 * PAGE, 2 * PAGE, PROT_READ, flags, fd, 5 * PAGE) == at + 2 * PAGE);
	CHECK_EQ(maps_in(at, 4 * PAGE), 2);
	CHECK_EQ(load(at + PAGE), 4);
	CHECK_EQ(load(at + 2 * PAGE), 6);
	munmap(at, 4 * PAGE);
	close(fd);
}

TEST(two_files, "mappings of two files do not merge")
{
	int a = tmp_file(2 * PAGE), b = tmp_file(2 * PAGE);
	char *at = free_area(2);

	MUST(mmap(at, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, a, 0) == at);
	MUST(mmap(at + PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, b, PAGE) == at + PAGE);
	CHECK_EQ(maps_in(at, 2 * PAGE), 2);
	munmap(at, 2 * PAGE);
	close(a);
	close(b);
}

TEST(shared_anon, "two shared anonymous mappings are two objects and do not merge")
{
	char *at = free_area(4);
	int flags = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED;

	MUST(mmap(at, 2 * PAGE, RW, flags, -1, 0) == at);
	MUST(mmap(at + 2 * PAGE, 2 * PAGE, RW, flags, -1, 0) == at + 2 * PAGE);
	CHECK_EQ(maps_in(at, 4 * PAGE), 2);
	munmap(at, 4 * PAGE);
}

TEST(fixed_same, "MAP_FIXED of the same kind over the middle leaves one line")
{
	char *at = map_at(free_area(6), 6 * PAGE, RW);

	MUST(mmap(at + 2 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0) == at + 2 * PAGE);
	CHECK_EQ(maps_in(at, 6 * PAGE), 1);
	munmap(at, 6 * PAGE);
}

TEST(both_touched, "areas that each had pages before anything joined them stay two")
{
	char *at = free_area(6);

	map_at(at, 2 * PAGE, RW);
	map_at(at + 4 * PAGE, 2 * PAGE, RW);
	store(at, 1);
	store(at + 4 * PAGE, 2);
	map_at(at + 2 * PAGE, 2 * PAGE, RW);
	CHECK_EQ(maps_in(at, 6 * PAGE), 2);
	CHECK_EQ(maps_in(at, 4 * PAGE), 1);
	munmap(at, 6 * PAGE);
}

TEST(forked, "what a child inherited is cut and joined again, but does not join what is new")
{
	char *at = map_at(free_area(6), 4 * PAGE, RW);

	store(at, 1);
	IN_CHILD
	{
		map_at(at + 4 * PAGE, 2 * PAGE, RW);
		CHECK_EQ(maps_in(at, 6 * PAGE), 2);
		CHECK_EQ(mprotect(at + PAGE, PAGE, PROT_READ), 0);
		CHECK_EQ(maps_in(at, 4 * PAGE), 3);
		store(at, 5);
		store(at + 3 * PAGE, 6);
		CHECK_EQ(mprotect(at + PAGE, PAGE, RW), 0);
		CHECK_EQ(maps_in(at, 4 * PAGE), 1);
		CHECK_EQ(load(at), 5);
		CHECK_EQ(load(at + 2 * PAGE), 0);
	}
	CHECK_EQ(load(at), 1);
	munmap(at, 4 * PAGE);
}

TEST_MAIN()
