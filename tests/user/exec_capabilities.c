/* SPDX-License-Identifier: MIT
 *
 * What root gets back by execve of the capabilities that it dropped: all, unless it said that it wants no more, or another
 * process could pull its root directory away from under the new program (capabilities(7), prctl(2), execve(2)).
 */
#include "userns.h"
#include <sched.h>
#include <sys/prctl.h>

#define CAP_IPC_LOCK 14
#define LOCK_CAP (1ULL << CAP_IPC_LOCK)

/* The new program says by its exit status what it has. */
enum { MAY_LOCK = 1, MAY_NOT_LOCK };

static void drop_ipc_lock(void)
{
	struct caps c = caps_of(0);

	c.effective &= ~LOCK_CAP;
	c.permitted &= ~LOCK_CAP;
	MUST(!caps_set(c));
}

static void exec_self(void)
{
	char *argv[] = { "exec_capabilities", NULL }, *envp[] = { "NEW=1", NULL };

	execve("/proc/self/exe", argv, envp);
	_exit(127);
}

/* The status of a child that drops the capability, prepares and executes. */
static int after_exec(void (*prepare)(void))
{
	pid_t pid = fork_checked();
	int status;

	if (!pid) {
		drop_ipc_lock();
		prepare();
		exec_self();
	}
	MUST(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void nothing(void)
{
}

static void want_no_more(void)
{
	MUST(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/* A process that has the same root directory lives as long as this one. */
static void share_root(void)
{
	pid_t self = getpid();

	if (SYS(clone, CLONE_FS, 0, 0, 0, 0))
		return;
	MUST(!prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0));
	if (getppid() == self)
		pause();
	_exit(0);
}

TEST(all, "root that dropped a capability has it again in the next program")
{
	CHECK_EQ(after_exec(nothing), MAY_LOCK);
}

TEST(no_new_privs, "not after PR_SET_NO_NEW_PRIVS")
{
	CHECK_EQ(after_exec(want_no_more), MAY_NOT_LOCK);
}

TEST(shared_root, "nor while another process shares its root and working directory")
{
	CHECK_EQ(after_exec(share_root), MAY_NOT_LOCK);
}

int main(void)
{
	if (getenv("NEW"))
		_exit(caps_of(0).permitted & LOCK_CAP ? MAY_LOCK : MAY_NOT_LOCK);
	return run_tests();
}
