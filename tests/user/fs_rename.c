/* SPDX-License-Identifier: MIT
 *
 * rename and renameat2 on tmpfs.
 */
#include "test.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#endif

static void put(const char *path, const char *text)
{
	write_file(path, text, strlen(text), 0644);
}

static const char *get(const char *path)
{
	char *text = slurp(path);

	return text ? text : "(absent)";
}

TEST(simple, "a file gets another name")
{
	put(scratch("a"), "one");
	CHECK_OK(rename(scratch("a"), scratch("b")));
	CHECK_STR(get(scratch("b")), "one");
	CHECK_ERR(access(scratch("a"), F_OK), ENOENT);
	unlink(scratch("b"));
}

TEST(replace, "an existing file is replaced; one that is open lives on without a name")
{
	struct stat st;

	put(scratch("a"), "new");
	put(scratch("b"), "old");
	int fd = open(scratch("b"), O_RDONLY);
	char buf[4] = "";

	CHECK_OK(rename(scratch("a"), scratch("b")));
	CHECK_STR(get(scratch("b")), "new");
	CHECK_EQ(read(fd, buf, 3), 3);
	CHECK_STR(buf, "old");
	MUST(!fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	close(fd);
	unlink(scratch("b"));
}

TEST(directories, "directories: empty target replaced, full one ENOTEMPTY, into itself EINVAL")
{
	MUST(!mkdir(scratch("d1"), 0755) && !mkdir(scratch("d2"), 0755));
	put(scratch("d1/f"), "x");
	CHECK_OK(rename(scratch("d1"), scratch("d2")));
	CHECK_STR(get(scratch("d2/f")), "x");
	MUST(!mkdir(scratch("d1"), 0755));
	CHECK_ERR(rename(scratch("d1"), scratch("d2")), ENOTEMPTY);
	CHECK_ERR(rename(scratch("d2"), scratch("d2/sub")), EINVAL);
	struct stat st;

	MUST(!stat(scratch_dir(), &st));
	CHECK_EQ(st.st_nlink, 4);
	unlink(scratch("d2/f"));
	rmdir(scratch("d1"));
	rmdir(scratch("d2"));
}

TEST(moved_parent, "a moved directory's .. is its new parent; cwd follows")
{
	char cwd[256];
	struct stat a, b;

	MUST(!mkdir(scratch("p"), 0755) && !mkdir(scratch("q"), 0755) &&
	     !mkdir(scratch("p/c"), 0755));
	MUST(!chdir(scratch("p/c")));
	CHECK_OK(rename(scratch("p/c"), scratch("q/c")));
	MUST(!stat("..", &a) && !stat(scratch("q"), &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK_STR(cwd, scratch("q/c"));
	MUST(!stat(scratch("p"), &a));
	CHECK_EQ(a.st_nlink, 2);
	CHECK_EQ(b.st_nlink, 3);
	MUST(!chdir("/"));
	rmdir(scratch("q/c"));
	rmdir(scratch("q"));
	rmdir(scratch("p"));
}

TEST(kinds,
     "file over directory EISDIR, directory over file ENOTDIR, missing ENOENT, . and / EBUSY")
{
	put(scratch("f"), "x");
	MUST(!mkdir(scratch("d"), 0755));
	CHECK_ERR(rename(scratch("f"), scratch("d")), EISDIR);
	CHECK_ERR(rename(scratch("d"), scratch("f")), ENOTDIR);
	CHECK_ERR(rename(scratch("no"), scratch("f")), ENOENT);
	CHECK_ERR(rename(scratch("f"), scratch("no/f")), ENOENT);
	CHECK_ERR(rename(scratch("d/."), scratch("e")), EBUSY);
	/* EXDEV when the scratch directory is another file system than /. */
	CHECK_EQ(rename("/", scratch("e")), -1);
	CHECK(errno == EBUSY || errno == EXDEV);
	unlink(scratch("f"));
	rmdir(scratch("d"));
}

TEST(same_inode, "two names of one file: success, both stay")
{
	put(scratch("a"), "x");
	MUST(!link(scratch("a"), scratch("b")));
	CHECK_OK(rename(scratch("a"), scratch("b")));
	CHECK_OK(access(scratch("a"), F_OK));
	CHECK_OK(access(scratch("b"), F_OK));
	unlink(scratch("a"));
	unlink(scratch("b"));
}

TEST(flags, "RENAME_NOREPLACE is EEXIST, RENAME_EXCHANGE swaps, both or unknown are EINVAL")
{
	put(scratch("a"), "A");
	put(scratch("b"), "B");
	CHECK_EQ(SYS(renameat2, AT_FDCWD, scratch("a"), AT_FDCWD, scratch("b"), RENAME_NOREPLACE),
		 -EEXIST);
	CHECK_EQ(SYS(renameat2, AT_FDCWD, scratch("a"), AT_FDCWD, scratch("b"), RENAME_EXCHANGE),
		 0);
	CHECK_STR(get(scratch("a")), "B");
	CHECK_STR(get(scratch("b")), "A");
	CHECK_EQ(SYS(renameat2, AT_FDCWD, scratch("a"), AT_FDCWD, scratch("b"), 3), -EINVAL);
	CHECK_EQ(SYS(renameat2, AT_FDCWD, scratch("a"), AT_FDCWD, scratch("b"), 64), -EINVAL);
	unlink(scratch("a"));
	unlink(scratch("b"));
}

TEST_MAIN()
