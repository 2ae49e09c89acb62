/* SPDX-License-Identifier: MIT
 *
 * wait4 and waitid: which child, which event, what is reported, which errno.
 */
#include "test.h"

static pid_t child_with(int status)
{
	pid_t pid = fork_checked();

	if (!pid)
		_exit(status);
	return pid;
}

TEST(status, "exit status (low 8 bits) and killing signal")
{
	int status;
	pid_t pid = child_with(0x1ff);

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 0xff);
	pid = sleeping_child();
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGKILL);
	CHECK_EQ(status & 0x7f, SIGKILL);
}

TEST(echild, "no child: ECHILD; a child that is not ours: ECHILD; bad options: EINVAL")
{
	CHECK_EQ(SYS(wait4, -1, NULL, 0, NULL), -ECHILD);
	CHECK_EQ(SYS(wait4, 1, NULL, 0, NULL), -ECHILD);
	CHECK_EQ(SYS(wait4, -1, NULL, 0x100, NULL), -EINVAL);
	CHECK_EQ(SYS(wait4, INT32_MIN, NULL, 0, NULL), -ESRCH);
	CHECK_EQ(SYS(waitid, P_ALL, 0, NULL, 0, NULL), -EINVAL);
	CHECK_EQ(SYS(waitid, 77, 0, NULL, WEXITED, NULL), -EINVAL);
	CHECK_EQ(SYS(waitid, P_PID, 0, NULL, WEXITED, NULL), -EINVAL);
	CHECK_EQ(SYS(waitid, P_ALL, 0, NULL, WEXITED, NULL), -ECHILD);
}

TEST(wnohang, "WNOHANG: 0 while it runs, then the pid, then ECHILD")
{
	pid_t pid = sleeping_child();
	int status;

	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	kill(pid, SIGTERM);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WTERMSIG(status), SIGTERM);
	CHECK_ERR(waitpid(pid, &status, WNOHANG), ECHILD);
}

TEST(any, "-1 takes any child, each once")
{
	pid_t a = child_with(1), b = child_with(2), got;
	int sum = 0, status;

	for (int i = 0; i < 2; i++) {
		got = waitpid(-1, &status, 0);
		CHECK(got == a || got == b);
		CHECK_EQ(WEXITSTATUS(status), got == a ? 1 : 2);
		sum += got == a ? 1 : 2;
	}
	CHECK_EQ(sum, 3);
	CHECK_ERR(waitpid(-1, &status, 0), ECHILD);
}

TEST(groups, "0 and -pgid take children of that process group only")
{
	pid_t same = child_with(1), other = sleeping_child();
	int status;

	MUST(!setpgid(other, other));
	CHECK_EQ(waitpid(0, &status, 0), same);
	CHECK_ERR(waitpid(0, &status, WNOHANG), ECHILD);
	CHECK_EQ(waitpid(-other, &status, WNOHANG), 0);
	kill(other, SIGKILL);
	CHECK_EQ(waitpid(-other, &status, 0), other);
}

TEST(stop_continue, "WUNTRACED reports a stop once, WCONTINUED a continuation once")
{
	pid_t pid = sleeping_child();
	int status;

	kill(pid, SIGSTOP);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), SIGSTOP);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
	kill(pid, SIGCONT);
	CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
	CHECK(WIFCONTINUED(status));
	CHECK_EQ(status, 0xffff);
	CHECK_EQ(waitpid(pid, &status, WCONTINUED | WNOHANG), 0);
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
}

TEST(not_asked, "without WUNTRACED a stopped child is not reported; SIGKILL ends it all the same")
{
	pid_t pid = sleeping_child();
	int status;
	siginfo_t si;

	kill(pid, SIGSTOP);
	MUST(!waitid(P_PID, pid, &si, WSTOPPED | WNOWAIT));
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WTERMSIG(status), SIGKILL);
}

TEST(waitid_info, "waitid fills si_pid, si_uid, si_signo, si_code, si_status")
{
	siginfo_t si;
	pid_t pid = child_with(7);

	memset(&si, 0xff, sizeof(si));
	CHECK_OK(waitid(P_PID, pid, &si, WEXITED));
	CHECK_EQ(si.si_pid, pid);
	CHECK_EQ(si.si_uid, getuid());
	CHECK_EQ(si.si_signo, SIGCHLD);
	CHECK_EQ(si.si_code, CLD_EXITED);
	CHECK_EQ(si.si_status, 7);
	pid = sleeping_child();
	kill(pid, SIGTERM);
	CHECK_OK(waitid(P_PID, pid, &si, WEXITED));
	CHECK_EQ(si.si_code, CLD_KILLED);
	CHECK_EQ(si.si_status, SIGTERM);
	pid = sleeping_child();
	kill(pid, SIGSTOP);
	CHECK_OK(waitid(P_ALL, 0, &si, WSTOPPED));
	CHECK_EQ(si.si_code, CLD_STOPPED);
	CHECK_EQ(si.si_status, SIGSTOP);
	kill(pid, SIGCONT);
	CHECK_OK(waitid(P_PGID, getpgrp(), &si, WCONTINUED));
	CHECK_EQ(si.si_code, CLD_CONTINUED);
	CHECK_EQ(si.si_status, SIGCONT);
	memset(&si, 0xff, sizeof(si));
	CHECK_OK(waitid(P_PID, pid, &si, WEXITED | WNOHANG));
	CHECK_EQ(si.si_pid, 0);
	CHECK_EQ(si.si_signo, 0);
	kill(pid, SIGKILL);
	MUST(wait_for(pid) >= 0);
}

TEST(nowait, "WNOWAIT leaves the child to be waited for again")
{
	siginfo_t si;
	int status;
	pid_t pid = child_with(9);

	CHECK_OK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
	CHECK_EQ(si.si_status, 9);
	CHECK_OK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WEXITSTATUS(status), 9);
}

TEST(rusage, "wait4 reports the child's resource usage")
{
	struct rusage ru;
	int status;
	pid_t pid = fork_checked();

	if (!pid) {
		char *p = map_anon(2 * MIB, RW);

		for (size_t i = 0; i < 2 * MIB; i += PAGE)
			store(p + i, 1);
		_exit(0);
	}
	memset(&ru, 0, sizeof(ru));
	CHECK_EQ(wait4(pid, &status, 0, &ru), pid);
	CHECK(ru.ru_minflt >= 100);
	CHECK(ru.ru_maxrss >= 2048);
	MUST(!getrusage(RUSAGE_CHILDREN, &ru));
	CHECK(ru.ru_minflt >= 100);
	CHECK(ru.ru_maxrss >= 2048);
}

TEST(orphan, "an orphan's parent becomes another process, which reaps it")
{
	int p[2];
	pid_t now = 0;

	MUST(!pipe(p));
	pid_t pid = fork_checked();

	if (!pid) {
		pid_t middle = getpid();

		if (!fork()) {
			for (int i = 0; i < 2000 && getppid() == middle; i++)
				sleep_ms(1);
			now = getppid();
			if (write(p[1], &now, sizeof(now)) != sizeof(now))
				_exit(1);
			_exit(0);
		}
		_exit(0);
	}
	CHECK_EQ(wait_for(pid), 0);
	CHECK_EQ(read(p[0], &now, sizeof(now)), sizeof(now));
	CHECK(now != pid && now > 0);
	close(p[0]);
	close(p[1]);
}

TEST(sigchld_ignored,
     "SIGCHLD ignored: children reap themselves, wait blocks until the last and is ECHILD")
{
	void (*old)(int) = signal(SIGCHLD, SIG_IGN);
	int status;

	child_with(1);
	child_with(2);
	CHECK_ERR(waitpid(-1, &status, 0), ECHILD);
	signal(SIGCHLD, old);
	pid_t pid = child_with(3);

	CHECK_EQ(waitpid(pid, &status, 0), pid);
}

TEST(nocldwait, "SA_NOCLDWAIT does the same")
{
	struct sigaction sa = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT }, old;
	int status;

	MUST(!sigaction(SIGCHLD, &sa, &old));
	child_with(1);
	CHECK_ERR(waitpid(-1, &status, 0), ECHILD);
	MUST(!sigaction(SIGCHLD, &old, NULL));
}

TEST_MAIN()
