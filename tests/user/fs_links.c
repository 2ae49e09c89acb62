/* SPDX-License-Identifier: MIT
 *
 * Hard links, symbolic links, unlink.
 */
#include "test.h"

TEST(hard, "a hard link is the same inode; link counts; the data lives until the last name goes")
{
	struct stat a, b;

	write_file(scratch("a"), "data", 4, 0644);
	CHECK_OK(link(scratch("a"), scratch("b")));
	MUST(!stat(scratch("a"), &a) && !stat(scratch("b"), &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_EQ(b.st_nlink, 2);
	CHECK_OK(unlink(scratch("a")));
	MUST(!stat(scratch("b"), &b));
	CHECK_EQ(b.st_nlink, 1);
	CHECK_STR(slurp(scratch("b")), "data");
	CHECK_ERR(link(scratch("no"), scratch("c")), ENOENT);
	write_file(scratch("c"), "", 0, 0644);
	CHECK_ERR(link(scratch("b"), scratch("c")), EEXIST);
	CHECK_ERR(link(scratch_dir(), scratch("d")), EPERM);
	unlink(scratch("b"));
	unlink(scratch("c"));
}

TEST(symbolic,
     "a symbolic link: readlink, stat follows, lstat does not, size is the target's length")
{
	struct stat st;
	char buf[64];

	write_file(scratch("t"), "x", 1, 0644);
	CHECK_OK(symlink("t", scratch("s")));
	memset(buf, '#', sizeof(buf));
	CHECK_EQ(readlink(scratch("s"), buf, sizeof(buf)), 1);
	CHECK_EQ(buf[0], 't');
	CHECK_EQ(buf[1], '#');
	MUST(!lstat(scratch("s"), &st));
	CHECK(S_ISLNK(st.st_mode));
	CHECK_EQ(st.st_size, 1);
	MUST(!stat(scratch("s"), &st));
	CHECK(S_ISREG(st.st_mode));
	CHECK_ERR(symlink("x", scratch("s")), EEXIST);
	CHECK_ERR(readlink(scratch("t"), buf, 10), EINVAL);
	CHECK_EQ(SYS(readlink, scratch("s"), buf, 0), -EINVAL);
	CHECK_ERR(open(scratch("s"), O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_OK(unlink(scratch("s")));
	CHECK_OK(access(scratch("t"), F_OK));
	CHECK_ERR(symlink("", scratch("e")), ENOENT);
	unlink(scratch("t"));
}

TEST(dangling, "a dangling link: ENOENT, O_CREAT creates its target, O_EXCL is EEXIST")
{
	MUST(!symlink("target", scratch("s")));
	CHECK_ERR(open(scratch("s"), O_RDONLY), ENOENT);
	CHECK_ERR(open(scratch("s"), O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
	int fd = open(scratch("s"), O_RDWR | O_CREAT, 0644);

	CHECK(fd >= 0);
	close(fd);
	CHECK_OK(access(scratch("target"), F_OK));
	unlink(scratch("target"));
	unlink(scratch("s"));
}

TEST(loops, "loops and chains of more than 40 links are ELOOP")
{
	char a[16], b[16];

	MUST(!symlink("y", scratch("x")) && !symlink("x", scratch("y")));
	CHECK_ERR(access(scratch("x"), F_OK), ELOOP);
	unlink(scratch("x"));
	unlink(scratch("y"));
	write_file(scratch("l0"), "end", 3, 0644);
	for (int i = 1; i <= 41; i++) {
		snprintf(a, sizeof(a), "l%d", i - 1);
		snprintf(b, sizeof(b), "l%d", i);
		MUST(!symlink(a, scratch(b)));
	}
	CHECK_OK(access(scratch("l40"), F_OK));
	CHECK_ERR(access(scratch("l41"), F_OK), ELOOP);
	for (int i = 0; i <= 41; i++) {
		snprintf(a, sizeof(a), "l%d", i);
		unlink(scratch(a));
	}
}

TEST(in_path, "links inside a path, with .. behind them")
{
	MUST(!mkdir(scratch("d"), 0755) && !mkdir(scratch("d/e"), 0755) &&
	     !symlink("d/e", scratch("s")));
	write_file(scratch("d/f"), "via", 3, 0644);
	CHECK_STR(slurp(scratch("s/../f")), "via");
	CHECK_ERR(access(scratch("d/f/"), F_OK), ENOTDIR);
	CHECK_ERR(access(scratch("d/f/x"), F_OK), ENOTDIR);
	unlink(scratch("d/f"));
	unlink(scratch("s"));
	rmdir(scratch("d/e"));
	rmdir(scratch("d"));
}

TEST(unlink_open, "an unlinked open file can be read, written, grown and mapped")
{
	int fd = tmp_file(PAGE);
	struct stat st;

	MUST(!fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(pwrite(fd, "zz", 2, 2 * PAGE), 2);
	MUST(!fstat(fd, &st));
	CHECK_EQ(st.st_size, 2 * PAGE + 2);
	char *p = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, fd, 0);

	MUST(p != MAP_FAILED);
	CHECK_EQ(load(p + 2 * PAGE + 1), 'z');
	munmap(p, 3 * PAGE);
	close(fd);
}

TEST(unlink_errors, "unlink: ENOENT, directory EISDIR; rmdir: ENOTDIR, ENOTEMPTY, EINVAL for '.'")
{
	MUST(!mkdir(scratch("d"), 0755));
	write_file(scratch("d/f"), "", 0, 0644);
	CHECK_ERR(unlink(scratch("no")), ENOENT);
	CHECK_ERR(unlink(scratch("d")), EISDIR);
	CHECK_ERR(rmdir(scratch("d/f")), ENOTDIR);
	CHECK_ERR(rmdir(scratch("d")), ENOTEMPTY);
	CHECK_ERR(rmdir(scratch("d/.")), EINVAL);
	CHECK_ERR(rmdir(scratch("d/..")), ENOTEMPTY);
	CHECK_EQ(SYS(unlinkat, AT_FDCWD, scratch("d"), 0x1000), -EINVAL);
	unlink(scratch("d/f"));
	CHECK_OK(rmdir(scratch("d")));
}

TEST_MAIN()
