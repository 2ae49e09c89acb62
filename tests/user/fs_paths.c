/* SPDX-License-Identifier: MIT
 *
 * From paths to files: dots, slashes, links, lengths, directory descriptors, chroot, the working directory.
 */
#include "test.h"

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif

static void make_tree(const char *base)
{
	MUST(!mkdir(base, 0755));
	MUST(!chdir(base));
	MUST(!mkdir("d", 0755));
	MUST(!mkdir("d/e", 0755));
	write_file("f", "file", 4, 0644);
	write_file("d/g", "inner", 5, 0644);
	MUST(!symlink("d", "ld"));
	MUST(!symlink("f", "lf"));
	MUST(!symlink("nothing", "dangling"));
	MUST(!symlink("loop", "loop"));
}

TEST(dots, "\".\", \"..\" and repeated slashes lead where they should")
{
	struct stat a, b;

	make_tree(scratch("dots"));
	MUST(!stat("d/g", &a));
	CHECK_OK(stat("./d/.//e/../g", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_OK(stat("ld/../d/e/../../d//g", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_OK(stat("/", &a));
	CHECK_OK(stat("/../../..", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_ERR(stat("f/.", &a), ENOTDIR);
	CHECK_ERR(stat("f/..", &a), ENOTDIR);
	CHECK_ERR(stat("", &a), ENOENT);
	CHECK_ERR(stat("none/..", &a), ENOENT);
}

FORKED_TEST(trailing_slash, "a trailing slash demands a directory and follows a link")
{
	struct stat st;

	make_tree(scratch("slash"));
	CHECK_OK(lstat("d/", &st));
	CHECK_OK(lstat("ld/", &st));
	CHECK(S_ISDIR(st.st_mode));
	CHECK_OK(lstat("ld", &st));
	CHECK(S_ISLNK(st.st_mode));
	CHECK_ERR(stat("f/", &st), ENOTDIR);
	CHECK_ERR(lstat("lf/", &st), ENOTDIR);
	CHECK_ERR(open("f/", O_RDONLY), ENOTDIR);
	CHECK_ERR(open("new/", O_RDWR | O_CREAT, 0644), EISDIR);
	CHECK_ERR(unlink("f/"), ENOTDIR);
	CHECK_OK(mkdir("newdir/", 0755));
	CHECK_OK(rmdir("newdir/"));
	CHECK_ERR(symlink("x", "newlink/"), ENOENT);
}

FORKED_TEST(links,
	    "links: followed in the middle always, at the end unless told not to; 40 at most")
{
	char name[16], to[16], buf[64];
	struct stat st;
	int fd;

	make_tree(scratch("links"));
	CHECK_OK(stat("ld/g", &st));
	CHECK_EQ(st.st_size, 5);
	CHECK_OK(lstat("lf", &st));
	CHECK_EQ(st.st_size, 1);
	CHECK_EQ(st.st_mode, S_IFLNK | 0777);
	CHECK_EQ(readlink("lf", buf, sizeof(buf)), 1);
	CHECK_EQ(readlink("dangling", buf, 3), 3);
	CHECK_ERR(readlink("f", buf, sizeof(buf)), EINVAL);
	CHECK_EQ(SYS(readlink, "lf", buf, 0), -EINVAL);
	CHECK_ERR(stat("loop", &st), ELOOP);
	CHECK_ERR(stat("loop/x", &st), ELOOP);
	CHECK_ERR(stat("dangling", &st), ENOENT);
	CHECK_ERR(open("lf", O_RDONLY | O_NOFOLLOW), ELOOP);
	fd = open("lf", O_PATH | O_NOFOLLOW);
	CHECK(fd >= 0);
	CHECK_OK(fstat(fd, &st));
	CHECK(S_ISLNK(st.st_mode));
	CHECK_EQ(readlinkat(fd, "", buf, sizeof(buf)), 1);
	close(fd);
	/* O_CREAT through a dangling link makes its target; with O_EXCL the link is in the way. */
	CHECK_ERR(open("dangling", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
	fd = open("dangling", O_RDWR | O_CREAT, 0644);
	CHECK(fd >= 0);
	CHECK_OK(lstat("nothing", &st));
	close(fd);
	strcpy(to, "f");
	for (int i = 0; i < 41; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		MUST(!symlink(to, name));
		strcpy(to, name);
	}
	CHECK_OK(stat("c39", &st));
	CHECK_ERR(stat("c40", &st), ELOOP);
	CHECK_ERR(symlink("", "empty"), ENOENT);
}

FORKED_TEST(lengths, "names of 255 bytes and paths of 4095 work, one more does not")
{
	static char path[5000], name[300];
	struct stat st;
	int fd;

	make_tree(scratch("lengths"));
	memset(name, 'n', 255);
	fd = open(name, O_RDWR | O_CREAT, 0644);
	CHECK(fd >= 0);
	close(fd);
	CHECK_OK(unlink(name));
	name[255] = 'n';
	CHECK_ERR(open(name, O_RDWR | O_CREAT, 0644), ENAMETOOLONG);
	CHECK_ERR(stat(name, &st), ENAMETOOLONG);
	for (int i = 0; i < 4095; i++)
		path[i] = i % 2 ? '/' : '.';
	CHECK_OK(stat(path, &st));
	path[4095] = '/';
	CHECK_ERR(stat(path, &st), ENAMETOOLONG);
	CHECK_ERR(stat((char *)8, &st), EFAULT);
}

FORKED_TEST(at_forms, "directory descriptors, AT_FDCWD, AT_EMPTY_PATH")
{
	struct stat a, b;
	int dir, file;

	make_tree(scratch("at"));
	dir = open("d", O_RDONLY | O_DIRECTORY);
	file = open("f", O_RDONLY);
	MUST(dir >= 0 && file >= 0);
	MUST(!stat("d/g", &a));
	CHECK_OK(fstatat(dir, "g", &b, 0));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_OK(fstatat(dir, "../f", &b, 0));
	CHECK_ERR(fstatat(file, "g", &b, 0), ENOTDIR);
	CHECK_ERR(fstatat(999, "g", &b, 0), EBADF);
	CHECK_OK(fstatat(999, "/", &b, 0));
	CHECK_ERR(fstatat(dir, "", &b, 0), ENOENT);
	CHECK_OK(fstatat(file, "", &b, AT_EMPTY_PATH));
	CHECK_EQ(b.st_size, 4);
	CHECK_EQ(SYS(newfstatat, dir, "g", &b, 0x80000), -EINVAL);
	CHECK_ERR(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_OK(fchdir(dir));
	CHECK_OK(stat("g", &b));
	CHECK_ERR(fchdir(file), ENOTDIR);
	CHECK_ERR(chdir("g"), ENOTDIR);
	close(dir);
	close(file);
}

FORKED_TEST(cwd, "getcwd follows renames, knows removed directories, counts its 0")
{
	char base[200], want[300], buf[400];

	make_tree(scratch("cwd"));
	MUST(getcwd(base, sizeof(base)));
	MUST(!chdir("d/e"));
	snprintf(want, sizeof(want), "%s/d/e", base);
	CHECK_EQ(SYS(getcwd, buf, sizeof(buf)), (long)strlen(want) + 1);
	CHECK_STR(buf, want);
	CHECK_EQ(SYS(getcwd, buf, strlen(want)), -ERANGE);
	CHECK_OK(rename("../../d", "../../renamed"));
	snprintf(want, sizeof(want), "%s/renamed/e", base);
	MUST(SYS(getcwd, buf, sizeof(buf)) > 0);
	CHECK_STR(buf, want);
	CHECK_OK(rmdir("../e"));
	CHECK_EQ(SYS(getcwd, buf, sizeof(buf)), -ENOENT);
	CHECK_ERR(open("x", O_RDWR | O_CREAT, 0644), ENOENT);
	CHECK_ERR(mkdir("x", 0755), ENOENT);
	CHECK_OK(chdir(".."));
}

FORKED_TEST(root, "chroot: \"..\" stops there, absolute links start there")
{
	struct stat a, b;

	make_tree(scratch("root"));
	MUST(!symlink("/f", "d/abs"));
	MUST(!stat("f", &a));
	CHECK_OK(chroot("."));
	CHECK_OK(chdir("/"));
	CHECK_OK(stat("/f", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_OK(stat("/../../d/abs", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_ERR(stat("/dev/shm", &b), ENOENT);
}

TEST_MAIN()
