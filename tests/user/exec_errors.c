/* SPDX-License-Identifier: MIT
 *
 * The errnos of execve and execveat.
 */
#include "elf_image.h"

static struct image im;

TEST(paths,
     "ENOENT, ENOTDIR, EACCES (directory, no x bit, no search permission), ELOOP, ENAMETOOLONG")
{
	char *dir = scratch("d"), *file = scratch("d/f"), *loop = scratch("loop");
	static char name[400];

	MUST(!mkdir(dir, 0755));
	image_make(&im, ET_EXEC, 42);
	write_file(file, im.bytes, im.size, 0644);
	CHECK_OUTCOME(run_file("/no/such"), ENOENT, 0, 0);
	CHECK_OUTCOME(run_file("/"), EACCES, 0, 0);
	CHECK_OUTCOME(run_file(file), EACCES, 0, 0);
	snprintf(name, sizeof(name), "%s/x", file);
	CHECK_OUTCOME(run_file(name), ENOTDIR, 0, 0);
	MUST(!symlink(loop, loop));
	CHECK_OUTCOME(run_file(loop), ELOOP, 0, 0);
	memset(name, 'n', 300);
	name[300] = 0;
	CHECK_OUTCOME(run_file(name), ENAMETOOLONG, 0, 0);
	MUST(!chmod(file, 0755));
	CHECK_OUTCOME(run_file(file), 0, 0, 42);
}

FORKED_TEST(other_user, "another user: x bit of others, search permission on the way")
{
	char *dir = scratch("e"), *file = scratch("e/f");

	MUST(!mkdir(dir, 0755));
	image_make(&im, ET_EXEC, 42);
	write_file(file, im.bytes, im.size, 0750);
	IN_CHILD
	{
		MUST(!setgid(65534) && !setuid(65534));
		CHECK_OUTCOME(run_file(file), EACCES, 0, 0);
	}
	MUST(!chmod(file, 0711));
	IN_CHILD
	{
		MUST(!setgid(65534) && !setuid(65534));
		CHECK_OUTCOME(run_file(file), 0, 0, 42); /* x without r is enough */
	}
	MUST(!chmod(dir, 0700));
	IN_CHILD
	{
		MUST(!setgid(65534) && !setuid(65534));
		CHECK_OUTCOME(run_file(file), EACCES, 0, 0);
	}
}

TEST(busy, "a file open for writing: ETXTBSY, or it runs (some versions of Linux do not refuse)")
{
	char *file = scratch("busy");

	image_make(&im, ET_EXEC, 42);
	write_file(file, im.bytes, im.size, 0755);
	int fd = open(file, O_WRONLY);

	MUST(fd >= 0);
	struct outcome o = run_file(file);

	CHECK(o.err == ETXTBSY || (!o.err && !o.sig && o.status == 42));
	close(fd);
	CHECK_OUTCOME(run_file(file), 0, 0, 42);
}

TEST(unlinked,
     "a program may be removed while it runs, and started from a descriptor without a name")
{
	char *file = scratch("gone");

	image_make(&im, ET_EXEC, 42);
	write_file(file, im.bytes, im.size, 0755);
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	MUST(fd >= 0 && !unlink(file));
	pid_t pid = fork_checked();

	if (!pid) {
		char *argv[] = { "x", NULL };

		raw_syscall(SYS_execveat, fd, (long)"", (long)argv, 0, AT_EMPTY_PATH, 0);
		_exit(1);
	}
	int status = wait_for(pid);

	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 42);
	close(fd);
}

TEST(execveat_, "execveat: directory descriptor, unknown flags EINVAL, bad descriptor EBADF")
{
	char *argv[] = { "x", NULL };
	int dir;

	image_make(&im, ET_EXEC, 42);
	write_file(scratch("at"), im.bytes, im.size, 0755);
	dir = open(scratch_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(dir >= 0);
	CHECK_EQ(SYS(execveat, dir, "at", argv, NULL, 8), -EINVAL);
	CHECK_EQ(SYS(execveat, 999, "at", argv, NULL, 0), -EBADF);
	CHECK_EQ(SYS(execveat, dir, "", argv, NULL, 0), -ENOENT);
	pid_t pid = fork_checked();

	if (!pid) {
		SYS(execveat, dir, "at", argv, NULL, 0);
		_exit(1);
	}
	CHECK_EQ(WEXITSTATUS(wait_for(pid)), 42);
	close(dir);
}

TEST_MAIN()
