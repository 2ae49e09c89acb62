/* SPDX-License-Identifier: MIT
 *
 * Changing the tree: what exists, link counts, sticky directories, rename in all its forms, reading a
 * directory while it changes.
 */
#include "test.h"
#include <sys/sysmacros.h>

#define RENAME_NOREPLACE_ 1
#define RENAME_EXCHANGE_ 2

static int rename2(const char *a, const char *b, int flags)
{
	return (int)SYS(renameat2, AT_FDCWD, a, AT_FDCWD, b, flags);
}

static void enter(const char *name)
{
	MUST(!mkdir(scratch(name), 0755));
	MUST(!chdir(scratch(name)));
}

static int nlink_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) ? -1 : (int)st.st_nlink;
}

static long ino_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) ? -1 : (long)st.st_ino;
}

TEST(directories, "mkdir, rmdir: link counts and refusals")
{
	enter("dirs");
	CHECK_OK(mkdir("a", 0777));
	CHECK_ERR(mkdir("a", 0777), EEXIST);
	CHECK_ERR(mkdir("a/b/c", 0777), ENOENT);
	CHECK_OK(mkdir("a/b", 0777));
	CHECK_EQ(nlink_of("a"), 3);
	CHECK_EQ(nlink_of("a/b"), 2);
	CHECK_ERR(rmdir("a"), ENOTEMPTY);
	CHECK_ERR(rmdir("a/b/."), EINVAL);
	CHECK_ERR(rmdir("a/b/.."), ENOTEMPTY);
	CHECK_ERR(unlink("a/b"), EISDIR);
	CHECK_OK(rmdir("a/b"));
	CHECK_EQ(nlink_of("a"), 2);
	write_file("f", "x", 1, 0644);
	CHECK_ERR(rmdir("f"), ENOTDIR);
	CHECK_ERR(rmdir("none"), ENOENT);
	CHECK_ERR(mkdir("f/x", 0777), ENOTDIR);
	CHECK_ERR(rmdir("/"), EBUSY);
	CHECK_ERR(unlinkat(AT_FDCWD, "f", 0x1000), EINVAL);
}

TEST(hard_links, "link: one file, several names; it lives until the last is gone and closed")
{
	struct stat st;
	char c;
	int fd;

	enter("links");
	write_file("f", "x", 1, 0644);
	CHECK_OK(link("f", "g"));
	CHECK_EQ(nlink_of("f"), 2);
	CHECK_EQ(ino_of("f"), ino_of("g"));
	CHECK_ERR(link("f", "g"), EEXIST);
	CHECK_ERR(link("none", "h"), ENOENT);
	MUST(!mkdir("d", 0755));
	CHECK_ERR(link("d", "h"), EPERM);
	CHECK_ERR(link("f", "/proc/version"), EEXIST);
	fd = open("f", O_RDWR);
	CHECK_OK(unlink("f"));
	CHECK_OK(unlink("g"));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(linkat(fd, "", AT_FDCWD, "h", 0x1000), -1);
	CHECK_EQ(errno, ENOENT);
	close(fd);
	MUST(!symlink("nowhere", "s"));
	CHECK_OK(link("s", "t"));
	CHECK_EQ(nlink_of("s"), 2);
}

TEST(tmpfile, "O_TMPFILE: no name, until linkat gives one")
{
	char path[64];
	int fd;

	enter("tmpfile");
	fd = open(".", O_RDWR | O_TMPFILE, 0644);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "hello", 5), 5);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_OK(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	CHECK_EQ(nlink_of("named"), 1);
	close(fd);
	fd = open(".", O_RDWR | O_TMPFILE | O_EXCL, 0644);
	CHECK(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_ERR(linkat(AT_FDCWD, path, AT_FDCWD, "again", AT_SYMLINK_FOLLOW), ENOENT);
	close(fd);
	CHECK_ERR(open(".", O_RDONLY | O_TMPFILE, 0644), EINVAL);
}

TEST(rename_plain, "rename: replaces atomically, moves directories, refuses what cannot be")
{
	long ino;

	enter("rename");
	write_file("f", "x", 1, 0644);
	write_file("g", "y", 1, 0644);
	ino = ino_of("f");
	CHECK_OK(rename("f", "g"));
	CHECK_EQ(ino_of("g"), ino);
	CHECK_EQ(ino_of("f"), -1);
	CHECK_ERR(rename("f", "g"), ENOENT);
	MUST(!mkdir("a", 0755) && !mkdir("b", 0755) && !mkdir("a/x", 0755));
	CHECK_EQ(nlink_of("a"), 3);
	CHECK_OK(rename("a/x", "b/y"));
	CHECK_EQ(nlink_of("a"), 2);
	CHECK_EQ(nlink_of("b"), 3);
	CHECK_ERR(rename("b", "b/y/z"), EINVAL);
	CHECK_ERR(rename("a", "b"), ENOTEMPTY);
	CHECK_ERR(rename("b/y", "b"), ENOTEMPTY);
	CHECK_ERR(rename("g", "a"), EISDIR);
	CHECK_ERR(rename("a", "g"), ENOTDIR);
	CHECK_OK(rename("b", "a"));
	CHECK_EQ(nlink_of("a"), 3);
	CHECK_ERR(rename("g", "h/"), ENOTDIR);
	CHECK_ERR(rename("a", "."), EBUSY);
	CHECK_ERR(rename("g", "/proc/g"), EXDEV);
	MUST(!link("g", "same"));
	CHECK_OK(rename("g", "same")); /* two names of one file: nothing happens */
	CHECK_EQ(nlink_of("g"), 2);
}

TEST(rename_flags, "renameat2: NOREPLACE and EXCHANGE")
{
	long f, d;

	enter("rename2");
	write_file("f", "x", 1, 0644);
	write_file("g", "y", 1, 0644);
	MUST(!mkdir("d", 0755) && !mkdir("e", 0755) && !mkdir("e/x", 0755));
	CHECK_EQ(rename2("f", "g", RENAME_NOREPLACE_), -EEXIST);
	CHECK_EQ(rename2("f", "h", RENAME_NOREPLACE_), 0);
	f = ino_of("h");
	d = ino_of("d");
	CHECK_EQ(rename2("h", "d", RENAME_EXCHANGE_), 0);
	CHECK_EQ(ino_of("d"), f);
	CHECK_EQ(ino_of("h"), d);
	d = ino_of("e/x");
	CHECK_EQ(rename2("d", "e/x", RENAME_EXCHANGE_), 0);
	CHECK_EQ(ino_of("d"), d);
	CHECK_EQ(nlink_of("e"), 2);
	CHECK_EQ(rename2("d", "none", RENAME_EXCHANGE_), -ENOENT);
	CHECK_EQ(rename2("e", "e/x", RENAME_EXCHANGE_), -EINVAL);
	CHECK_EQ(rename2("d", "g", RENAME_EXCHANGE_ | RENAME_NOREPLACE_), -EINVAL);
	CHECK_EQ(rename2("d", "g", 8), -EINVAL);
}

FORKED_TEST(sticky, "a sticky directory: only owners take names away")
{
	enter("sticky");
	MUST(!chmod(".", 01777));
	write_file("rootfile", "x", 1, 0666);
	MUST(!setgid(1000) && !setuid(1000));
	write_file("mine", "x", 1, 0666);
	CHECK_ERR(unlink("rootfile"), EPERM);
	CHECK_ERR(rename("rootfile", "x"), EPERM);
	CHECK_ERR(rename("mine", "rootfile"), EPERM);
	CHECK_OK(rename("mine", "mine2"));
	CHECK_OK(unlink("mine2"));
}

FORKED_TEST(permissions, "mode bits bind everyone but root")
{
	struct stat st;

	enter("perm");
	MUST(!mkdir("closed", 0700) && !mkdir("readonly", 0755) && !mkdir("open", 0755) &&
	     !chmod("open", 0777));
	write_file("closed/f", "x", 1, 0666);
	write_file("noread", "x", 1, 0222);
	write_file("group", "x", 1, 0640);
	MUST(!chown("group", 0, 1000));
	CHECK_OK(access("noread", R_OK));
	CHECK_ERR(access("noread", X_OK), EACCES);
	MUST(!setgid(1000) && !setuid(1000));
	CHECK_ERR(open("closed/f", O_RDONLY), EACCES);
	CHECK_ERR(stat("closed/f", &st), EACCES);
	CHECK_ERR(open("noread", O_RDONLY), EACCES);
	CHECK_ERR(open("noread", O_RDWR), EACCES);
	CHECK_EQ(close(open("noread", O_WRONLY)), 0);
	CHECK_ERR(open("readonly/new", O_RDWR | O_CREAT, 0644), EACCES);
	CHECK_ERR(mkdir("readonly/new", 0755), EACCES);
	CHECK_ERR(unlink("group"), EACCES);
	CHECK_EQ(close(open("group", O_RDONLY)), 0);
	CHECK_ERR(open("group", O_RDWR), EACCES);
	CHECK_ERR(chmod("group", 0666), EPERM);
	CHECK_ERR(chown("group", 1000, 1000), EPERM);
	CHECK_ERR(access("group", W_OK), EACCES);
	CHECK_ERR(mknod("open/x", S_IFCHR | 0666, makedev(1, 3)), EPERM);
	CHECK_ERR(mknod("readonly/x", S_IFCHR | 0666, makedev(1, 3)), EACCES);
	CHECK_ERR(chroot("."), EPERM);
}

TEST(readdir_stable, "every entry that stays is seen once, whatever comes and goes")
{
	char name[32];
	int seen[200] = { 0 }, n = 0;
	struct dirent *e;
	DIR *d;

	enter("readdir");
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "keep%d", i);
		write_file(name, "", 0, 0644);
		snprintf(name, sizeof(name), "drop%d", i);
		write_file(name, "", 0, 0644);
	}
	d = opendir(".");
	MUST(d);
	while ((e = readdir(d))) {
		if (n < 200) {
			snprintf(name, sizeof(name), "drop%d", n);
			unlink(name);
			snprintf(name, sizeof(name), "new%d", n++);
			write_file(name, "", 0, 0644);
		}
		if (!strncmp(e->d_name, "keep", 4))
			seen[atoi(e->d_name + 4)]++;
	}
	closedir(d);
	for (int i = 0; i < 200; i++)
		CHECK_EQ(seen[i], 1);
}

TEST(getdents_errors, "getdents64: small buffers, files, removed directories")
{
	char buf[512];
	int fd;

	enter("getdents");
	MUST(!mkdir("d", 0755));
	fd = open("d", O_RDONLY | O_DIRECTORY);
	CHECK_EQ(SYS(getdents64, fd, buf, 8), -EINVAL);
	CHECK_EQ(SYS(getdents64, fd, KERNEL_ADDRESS, 512), -EFAULT);
	CHECK(SYS(getdents64, fd, buf, sizeof(buf)) > 0);
	CHECK_EQ(SYS(getdents64, fd, buf, sizeof(buf)), 0);
	CHECK_EQ(read(fd, buf, 1), -1);
	CHECK_EQ(errno, EISDIR);
	CHECK_ERR(open("d", O_RDWR), EISDIR);
	CHECK_OK(rmdir("d"));
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(SYS(getdents64, fd, buf, sizeof(buf)), -ENOENT);
	close(fd);
}

TEST_MAIN()
