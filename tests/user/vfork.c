/* SPDX-License-Identifier: MIT
 *
 * vfork: the child borrows the memory, the parent waits until it execs or exits.
 */
#include "elf_image.h"
#include <sched.h>

static volatile int shared_value;

TEST(memory, "the child's writes are the parent's, and the parent waited")
{
	int status;

	shared_value = 1;
	pid_t pid = vfork();

	if (!pid) {
		shared_value = 2;
		_exit(5);
	}
	CHECK_EQ(shared_value, 2);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WEXITSTATUS(status), 5);
}

TEST(waits, "the parent goes on only after the child's exit, however long it takes")
{
	int64_t start = now_ns(CLOCK_MONOTONIC);
	pid_t pid = vfork();

	if (!pid) {
		struct timespec ts = { 0, 50000000 };

		raw_syscall(SYS_nanosleep, (long)&ts, 0, 0, 0, 0, 0);
		_exit(0);
	}
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 50000000);
	wait_for(pid);
}

TEST(exec, "execve lets the parent go on while the program still runs")
{
	static struct image im;
	char *path = scratch("prog"), *argv[] = { "x", NULL };

	image_make(&im, ET_EXEC, 42);
	write_file(path, im.bytes, im.size, 0755);
	pid_t pid = vfork();

	if (!pid) {
		execve(path, argv, argv + 1);
		_exit(1);
	}
	CHECK_EQ(WEXITSTATUS(wait_for(pid)), 42);
}

TEST(failed_exec, "a failed execve leaves the child in our memory")
{
	char *argv[] = { "x", NULL };

	shared_value = 0;
	pid_t pid = vfork();

	if (!pid) {
		execve("/no/such", argv, argv + 1);
		shared_value = errno;
		_exit(3);
	}
	CHECK_EQ(shared_value, ENOENT);
	CHECK_EQ(WEXITSTATUS(wait_for(pid)), 3);
}

TEST(killed, "a child killed by a signal releases the parent")
{
	pid_t pid = vfork();

	if (!pid) {
		raw_syscall(SYS_kill, raw_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0), SIGKILL, 0, 0, 0,
			    0);
		_exit(1);
	}
	CHECK_EQ(WTERMSIG(wait_for(pid)), SIGKILL);
}

TEST(descriptors, "the descriptor table is the child's own")
{
	int fd = open("/dev/null", O_RDONLY);
	pid_t pid = vfork();

	if (!pid) {
		raw_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
		_exit(0);
	}
	wait_for(pid);
	CHECK(fcntl(fd, F_GETFD) >= 0);
	close(fd);
}

TEST_MAIN()
