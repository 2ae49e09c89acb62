/* SPDX-License-Identifier: MIT
 *
 * clone with combinations that make no sense, and the tid pointers.
 */
#include "test.h"
#include <sched.h>

TEST(combinations, "CLONE_THREAD without CLONE_SIGHAND, CLONE_SIGHAND without CLONE_VM: EINVAL")
{
	CHECK_EQ(SYS(clone, CLONE_THREAD, 0, 0, 0, 0), -EINVAL);
	CHECK_EQ(SYS(clone, CLONE_THREAD | CLONE_VM, 0, 0, 0, 0), -EINVAL);
	CHECK_EQ(SYS(clone, CLONE_SIGHAND, 0, 0, 0, 0), -EINVAL);
	CHECK_EQ(SYS(clone, CLONE_NEWNS | CLONE_FS, 0, 0, 0, 0), -EINVAL);
}

TEST(tids, "CLONE_PARENT_SETTID and CLONE_CHILD_SETTID store the new tid")
{
	static int parent_tid, child_tid;
	long pid = SYS(clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, &parent_tid,
		       &child_tid, 0);

	if (!pid)
		_exit(child_tid == SYS(gettid) ? 0 : 1);
	CHECK(pid > 0);
	CHECK_EQ(parent_tid, pid);
	CHECK_EQ(child_tid, 0);
	CHECK_EQ(wait_for((pid_t)pid), 0);
}

TEST(bad_tid_pointer, "a bad pointer for CLONE_CHILD_SETTID harms nobody")
{
	long pid = SYS(clone, CLONE_CHILD_SETTID | SIGCHLD, 0, 0, KERNEL_ADDRESS, 0);

	if (!pid)
		_exit(0);
	CHECK(pid > 0);
	CHECK_EQ(wait_for((pid_t)pid), 0);
}

TEST(cleartid, "CLONE_CHILD_CLEARTID zeroes the word at exit when the memory is shared")
{
	int *word = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	MUST(word != MAP_FAILED);
	*word = 77;
	long pid =
		SYS(clone, CLONE_CHILD_CLEARTID | CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, word, 0);

	if (!pid)
		raw_syscall(SYS_exit, 0, 0, 0, 0, 0, 0);
	CHECK_EQ(wait_for((pid_t)pid), 0);
	CHECK_EQ(*word, 0);
	munmap(word, PAGE);
}

TEST(no_exit_signal, "without an exit signal the child is waited for with __WALL or __WCLONE")
{
	long pid = SYS(clone, 0, 0, 0, 0, 0);
	int status;

	if (!pid)
		_exit(4);
	CHECK(pid > 0);
	CHECK_EQ(SYS(wait4, pid, &status, 0, NULL), -ECHILD);
	CHECK_EQ(SYS(wait4, pid, &status, __WALL, NULL), pid);
	CHECK_EQ(WEXITSTATUS(status), 4);
}

TEST_MAIN()
