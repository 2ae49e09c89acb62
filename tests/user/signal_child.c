/* SPDX-License-Identifier: MIT
 *
 * SIGCHLD: when it comes and what its siginfo says.
 */
#include "test.h"

static volatile int count;
static siginfo_t last;

static void handler(int sig UNUSED, siginfo_t *si, void *context UNUSED)
{
	count++;
	last = *si;
}

static void install(int flags)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };

	MUST(!sigaction(SIGCHLD, &sa, NULL));
	count = 0;
}

static void wait_count(int want)
{
	for (int i = 0; i < 1000 && count < want; i++)
		sleep_ms(2);
	CHECK_EQ(count, want);
}

TEST(exit_, "exit: CLD_EXITED with pid, uid and status")
{
	install(0);
	pid_t pid = fork_checked();

	if (!pid)
		_exit(12);
	wait_count(1);
	CHECK_EQ(last.si_code, CLD_EXITED);
	CHECK_EQ(last.si_pid, pid);
	CHECK_EQ(last.si_uid, getuid());
	CHECK_EQ(last.si_status, 12);
	wait_for(pid);
}

TEST(killed, "death by signal: CLD_KILLED with the signal")
{
	install(0);
	pid_t pid = sleeping_child();

	kill(pid, SIGTERM);
	wait_count(1);
	CHECK_EQ(last.si_code, CLD_KILLED);
	CHECK_EQ(last.si_status, SIGTERM);
	wait_for(pid);
}

TEST(stop_continue, "stop and continue: CLD_STOPPED, CLD_CONTINUED")
{
	install(0);
	pid_t pid = sleeping_child();

	kill(pid, SIGSTOP);
	wait_count(1);
	CHECK_EQ(last.si_code, CLD_STOPPED);
	CHECK_EQ(last.si_status, SIGSTOP);
	kill(pid, SIGCONT);
	wait_count(2);
	CHECK_EQ(last.si_code, CLD_CONTINUED);
	kill(pid, SIGKILL);
	wait_count(3);
	wait_for(pid);
}

TEST(nocldstop, "SA_NOCLDSTOP: no signal for stop and continue")
{
	int status;

	install(SA_NOCLDSTOP);
	pid_t pid = sleeping_child();

	kill(pid, SIGSTOP);
	while (waitpid(pid, &status, WUNTRACED) < 0)
		;
	kill(pid, SIGCONT);
	while (waitpid(pid, &status, WCONTINUED) < 0)
		;
	CHECK_EQ(count, 0);
	kill(pid, SIGKILL);
	wait_count(1);
	wait_for(pid);
	signal(SIGCHLD, SIG_DFL);
}

TEST_MAIN()
