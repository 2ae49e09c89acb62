/* SPDX-License-Identifier: MIT
 *
 * mkdir, rmdir, getdents64: every entry once, positions, changes while reading; getcwd.
 */
#include "test.h"

struct linux_dirent64 {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

TEST(mkdir_, "mkdir: mode less umask, link counts, EEXIST, ENOENT")
{
	struct stat st;

	umask(022);
	CHECK_OK(mkdir(scratch("d"), 0777));
	MUST(!stat(scratch("d"), &st));
	CHECK_EQ(st.st_mode, S_IFDIR | 0755);
	CHECK_EQ(st.st_nlink, 2);
	CHECK_OK(mkdir(scratch("d/e/"), 0700));
	MUST(!stat(scratch("d"), &st));
	CHECK_EQ(st.st_nlink, 3);
	CHECK_ERR(mkdir(scratch("d"), 0777), EEXIST);
	CHECK_ERR(mkdir(scratch("x/y"), 0777), ENOENT);
	CHECK_ERR(mkdir("/", 0777), EEXIST);
	CHECK_OK(rmdir(scratch("d/e")));
	CHECK_OK(rmdir(scratch("d")));
}

TEST(complete,
     "400 entries: each exactly once, . and .. first or not, types and inode numbers right")
{
	char name[32];
	int seen[400] = { 0 }, others = 0;
	struct dirent *e;
	struct stat st;

	MUST(!mkdir(scratch("many"), 0755));
	for (int i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "many/entry-%d", i);
		write_file(scratch(name), "", 0, 0644);
	}
	DIR *d = opendir(scratch("many"));

	MUST(d);
	while ((e = readdir(d))) {
		if (!strncmp(e->d_name, "entry-", 6)) {
			int i = atoi(e->d_name + 6);

			seen[i]++;
			CHECK(e->d_type == DT_REG || e->d_type == DT_UNKNOWN);
			snprintf(name, sizeof(name), "many/entry-%d", i);
			MUST(!stat(scratch(name), &st));
			CHECK_EQ(st.st_ino, e->d_ino);
		} else {
			others++;
		}
	}
	CHECK_EQ(others, 2);
	for (int i = 0; i < 400; i++)
		CHECK_EQ(seen[i], 1);
	closedir(d);
}

TEST(positions, "lseek to an entry's d_off goes on behind it; lseek to 0 starts again")
{
	static char buf[1024], again[1024];
	int fd = open(scratch("many"), O_RDONLY | O_DIRECTORY);
	long n = SYS(getdents64, fd, buf, sizeof(buf));
	struct linux_dirent64 *first = (struct linux_dirent64 *)buf,
			      *second = (struct linux_dirent64 *)(buf + first->reclen);

	MUST(fd >= 0 && n > 0);
	CHECK_EQ(lseek(fd, first->off, SEEK_SET), first->off);
	CHECK(SYS(getdents64, fd, again, sizeof(again)) > 0);
	CHECK_STR(((struct linux_dirent64 *)again)->name, second->name);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK(SYS(getdents64, fd, again, sizeof(again)) > 0);
	CHECK_STR(((struct linux_dirent64 *)again)->name, first->name);
	CHECK_EQ(SYS(getdents64, fd, buf, 4), -EINVAL);
	close(fd);
}

TEST(changing, "entries removed while reading: none twice, the others all there")
{
	char name[32];
	int seen[400] = { 0 };
	struct dirent *e;
	DIR *d = opendir(scratch("many"));

	MUST(d);
	while ((e = readdir(d))) {
		int i;

		if (strncmp(e->d_name, "entry-", 6))
			continue;
		i = atoi(e->d_name + 6);
		seen[i]++;
		snprintf(name, sizeof(name), "many/entry-%d", i);
		unlink(scratch(name));
	}
	for (int i = 0; i < 400; i++)
		CHECK_EQ(seen[i], 1);
	closedir(d);
	CHECK_OK(rmdir(scratch("many")));
}

TEST(removed,
     "a removed directory that is open or the cwd: reads nothing, creates nothing, getcwd ENOENT")
{
	MUST(!mkdir(scratch("gone"), 0755));
	IN_CHILD
	{
		static char buf[1024];

		MUST(!chdir(scratch("gone")));
		int fd = open(".", O_RDONLY | O_DIRECTORY);

		MUST(!rmdir(scratch("gone")));
		CHECK_EQ(SYS(getdents64, fd, buf, sizeof(buf)), -ENOENT);
		CHECK_ERR(open("f", O_WRONLY | O_CREAT, 0644), ENOENT);
		CHECK_EQ(SYS(getcwd, buf, sizeof(buf)), -ENOENT);
		MUST(!chdir("/"));
	}
}

TEST(cwd, "chdir, fchdir, getcwd, ERANGE")
{
	char buf[256];
	int fd;

	MUST(!mkdir(scratch("c"), 0755));
	IN_CHILD
	{
		CHECK_OK(chdir(scratch("c")));
		CHECK_OK(chdir("./../c/."));
		CHECK(getcwd(buf, sizeof(buf)) != NULL);
		CHECK_STR(buf, scratch("c"));
		CHECK_EQ(SYS(getcwd, buf, 3), -ERANGE);
		fd = open("/", O_RDONLY | O_DIRECTORY);
		CHECK_OK(fchdir(fd));
		CHECK_EQ(SYS(getcwd, buf, sizeof(buf)), 2);
		CHECK_STR(buf, "/");
		CHECK_ERR(chdir("/no/such"), ENOENT);
		CHECK_ERR(chdir("/dev/null"), ENOTDIR);
		CHECK_ERR(fchdir(999), EBADF);
	}
	rmdir(scratch("c"));
}

TEST(chroot_, "chroot: / is the new root, .. does not leave it; needs root")
{
	MUST(!mkdir(scratch("r"), 0755));
	write_file(scratch("r/inside"), "x", 1, 0644);
	IN_CHILD
	{
		CHECK_OK(chroot(scratch("r")));
		CHECK_OK(chdir("/"));
		CHECK_OK(access("/inside", F_OK));
		CHECK_OK(access("/../../inside", F_OK));
		CHECK_ERR(access("/dev", F_OK), ENOENT);
		MUST(!setuid(1000));
		CHECK_ERR(chroot("/"), EPERM);
	}
	CHECK_OK(access("/dev", F_OK));
	unlink(scratch("r/inside"));
	rmdir(scratch("r"));
}

TEST_MAIN()
