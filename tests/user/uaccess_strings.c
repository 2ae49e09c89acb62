/* SPDX-License-Identifier: MIT
 *
 * Strings at the end of a mapping, and path names that are too long.
 */
#include "test.h"

TEST(ends_at_hole, "a path whose NUL is the last mapped byte works; without NUL it is EFAULT")
{
	char *p = map_at(free_area(2), PAGE, RW);
	struct stat st;

	strcpy(p + PAGE - 2, "/");
	CHECK_EQ(SYS(stat, p + PAGE - 2, &st), 0);
	memset(p + PAGE - 8, '/', 8);
	CHECK_EQ(SYS(stat, p + PAGE - 8, &st), -EFAULT);
	for (int n = 1; n < 40; n++) {
		memset(p + PAGE - n - 1, '/', n);
		store(p + PAGE - 1, 0);
		CHECK_EQ(SYS(stat, p + PAGE - n - 1, &st), 0);
	}
	munmap(p, PAGE);
}

TEST(too_long, "4095 bytes are a path, 4096 are ENAMETOOLONG; a component may have 255")
{
	static char path[8192];
	struct stat st;

	memset(path, '/', 4095);
	path[4095] = 0;
	CHECK_EQ(SYS(stat, path, &st), 0);
	path[4095] = '/';
	path[4096] = 0;
	CHECK_EQ(SYS(stat, path, &st), -ENAMETOOLONG);
	memset(path, 'a', 8191);
	CHECK_EQ(SYS(stat, path, &st), -ENAMETOOLONG);
	chdir(scratch_dir());
	path[255] = 0;
	CHECK_EQ(SYS(stat, path, &st), -ENOENT);
	CHECK_EQ(SYS(mkdir, path, 0755), 0);
	CHECK_EQ(SYS(rmdir, path), 0);
	path[255] = 'a';
	path[256] = 0;
	CHECK_EQ(SYS(stat, path, &st), -ENAMETOOLONG);
	CHECK_EQ(SYS(mkdir, path, 0755), -ENAMETOOLONG);
	chdir("/");
}

TEST(too_long_unmapped, "a path of PATH_MAX bytes that ends at a hole is ENAMETOOLONG, not EFAULT")
{
	char *p = map_at(free_area(2), PAGE, RW);

	memset(p, '/', PAGE);
	CHECK_EQ(SYS(access, p, F_OK), -ENAMETOOLONG);
	munmap(p, PAGE);
}

TEST(empty, "the empty path is ENOENT")
{
	struct stat st;

	CHECK_EQ(SYS(stat, "", &st), -ENOENT);
	CHECK_EQ(SYS(open, "", O_RDONLY), -ENOENT);
	CHECK_EQ(SYS(mkdir, "", 0755), -ENOENT);
	CHECK_EQ(SYS(unlink, ""), -ENOENT);
	CHECK_EQ(SYS(execve, "", NULL, NULL), -ENOENT);
}

TEST(untouched_page, "a path in an untouched page (all zeroes) is the empty path")
{
	char *p = map_anon(PAGE, PROT_READ);

	CHECK_EQ(SYS(open, p, O_RDONLY), -ENOENT);
	munmap(p, PAGE);
}

TEST_MAIN()
