/* SPDX-License-Identifier: MIT
 *
 * kill, tkill, tgkill, sigqueue: addressing, permission, errnos.
 */
#include "test.h"

TEST(errors, "bad signal EINVAL, no such process ESRCH, signal 0 only checks")
{
	CHECK_ERR(kill(getpid(), 65), EINVAL);
	CHECK_ERR(kill(getpid(), -1), EINVAL);
	CHECK_OK(kill(getpid(), 0));
	CHECK_ERR(kill(4194303, SIGTERM), ESRCH);
	CHECK_ERR(kill(4194303, 0), ESRCH);
	CHECK_ERR(kill(-4194303, 0), ESRCH);
	CHECK_EQ(SYS(tkill, 0, SIGTERM), -EINVAL);
	CHECK_EQ(SYS(tkill, 4194303, SIGTERM), -ESRCH);
	CHECK_EQ(SYS(tgkill, 1, getpid(), 0), -ESRCH);
	CHECK_EQ(SYS(tgkill, 0, getpid(), 0), -EINVAL);
}

TEST(zombie, "a zombie can be signalled, nothing happens")
{
	siginfo_t si;
	pid_t pid = fork_checked();

	if (!pid)
		_exit(5);
	MUST(!waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(WEXITSTATUS(wait_for(pid)), 5);
	CHECK_ERR(kill(pid, 0), ESRCH);
}

TEST(group, "kill(-pgid) reaches all members, kill(0) the caller's own group")
{
	pid_t a = sleeping_child(), b = sleeping_child(), c = sleeping_child();

	MUST(!setpgid(a, a) && !setpgid(b, a) && !setpgid(c, c));
	CHECK_OK(kill(-a, SIGTERM));
	CHECK_EQ(WTERMSIG(wait_for(a)), SIGTERM);
	CHECK_EQ(WTERMSIG(wait_for(b)), SIGTERM);
	CHECK_EQ(waitpid(c, NULL, WNOHANG), 0);
	kill(c, SIGKILL);
	wait_for(c);
	pid_t leader = fork_checked();

	if (!leader) {
		setpgid(0, 0);
		if (!fork())
			for (;;)
				pause();
		signal(SIGUSR1, SIG_IGN);
		kill(0, SIGUSR1);
		int status = 0;

		wait(&status);
		_exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1 ? 0 : 1);
	}
	CHECK_EQ(wait_for(leader), 0);
}

FORKED_TEST(permission, "another user's process: EPERM; one's own is allowed")
{
	pid_t roots = sleeping_child();

	IN_CHILD
	{
		MUST(!setuid(12345));
		CHECK_ERR(kill(roots, SIGTERM), EPERM);
		CHECK_ERR(kill(roots, 0), EPERM);
		CHECK_ERR(kill(1, SIGKILL), EPERM);
		pid_t mine = fork();

		if (!mine)
			for (;;)
				pause();
		CHECK_OK(kill(mine, SIGKILL));
		waitpid(mine, NULL, 0);
	}
	kill(roots, SIGKILL);
	wait_for(roots);
}

TEST(queueinfo, "rt_sigqueueinfo to others must not claim to come from kill")
{
	siginfo_t si;
	pid_t pid = sleeping_child();

	memset(&si, 0, sizeof(si));
	si.si_signo = SIGUSR1;
	si.si_code = SI_USER;
	CHECK_EQ(SYS(rt_sigqueueinfo, pid, SIGUSR1, &si), -EPERM);
	si.si_code = SI_QUEUE;
	CHECK_EQ(SYS(rt_sigqueueinfo, pid, SIGUSR1, &si), 0);
	CHECK_EQ(WTERMSIG(wait_for(pid)), SIGUSR1);
}

TEST(spinning, "SIGKILL ends a process that never makes a system call")
{
	pid_t pid = fork_checked();

	if (!pid)
		for (volatile int i = 0;; i++)
			;
	sleep_ms(5);
	kill(pid, SIGKILL);
	CHECK_EQ(WTERMSIG(wait_for(pid)), SIGKILL);
}

TEST(stop_stopped, "a stopped process gets its signals when it continues")
{
	int status;
	pid_t pid = sleeping_child();

	kill(pid, SIGSTOP);
	MUST(waitpid(pid, &status, WUNTRACED) == pid);
	kill(pid, SIGTERM);
	sleep_ms(10);
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	kill(pid, SIGCONT);
	CHECK_EQ(WTERMSIG(wait_for(pid)), SIGTERM);
}

TEST_MAIN()
