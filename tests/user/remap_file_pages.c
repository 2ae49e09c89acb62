/* SPDX-License-Identifier: MIT
 *
 * remap_file_pages, which Linux emulates with ordinary mappings.
 */
#include "test.h"

TEST(reverse, "four pages of a shared mapping in reverse order")
{
	int fd = tmp_file(4 * PAGE);
	char *p = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);

	MUST(p != MAP_FAILED);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(SYS(remap_file_pages, p + i * PAGE, PAGE, 0, 3 - i, 0), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(load(p + i * PAGE), 4 - i);
	CHECK_EQ(maps_in(p, 4 * PAGE), 4);
	store(p, 99);
	char c = 0;

	CHECK_EQ(pread(fd, &c, 1, 3 * PAGE), 1);
	CHECK_EQ(c, 99);
	munmap(p, 4 * PAGE);
	close(fd);
}

TEST(back, "remapped back in order, the mapping is one again")
{
	int fd = tmp_file(4 * PAGE);
	char *p = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);

	MUST(p != MAP_FAILED);
	CHECK_EQ(SYS(remap_file_pages, p + PAGE, PAGE, 0, 3, 0), 0);
	CHECK_EQ(maps_in(p, 4 * PAGE), 3);
	CHECK_EQ(SYS(remap_file_pages, p + PAGE, PAGE, 0, 1, 0), 0);
	CHECK_EQ(maps_in(p, 4 * PAGE), 1);
	munmap(p, 4 * PAGE);
	close(fd);
}

TEST(errors, "private mappings, nonzero prot, unmapped ranges, wrapping: EINVAL")
{
	int fd = tmp_file(4 * PAGE);
	char *s = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	char *p = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);

	MUST(s != MAP_FAILED && p != MAP_FAILED);
	CHECK_EQ(SYS(remap_file_pages, p, PAGE, 0, 1, 0), -EINVAL);
	CHECK_EQ(SYS(remap_file_pages, s, PAGE, PROT_READ, 1, 0), -EINVAL);
	CHECK_EQ(SYS(remap_file_pages, free_area(4), PAGE, 0, 1, 0), -EINVAL);
	CHECK_EQ(SYS(remap_file_pages, s, -PAGE, 0, 1, 0), -EINVAL);
	CHECK_EQ(SYS(remap_file_pages, s, 0, 0, 1, 0), -EINVAL);
	CHECK_EQ(SYS(remap_file_pages, s, PAGE, 0, -1UL, 0), -EINVAL);
	munmap(s, 4 * PAGE);
	munmap(p, 4 * PAGE);
	close(fd);
}

TEST_MAIN()
