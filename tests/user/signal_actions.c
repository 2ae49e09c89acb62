/* SPDX-License-Identifier: MIT
 *
 * sigaction: handlers, flags, default actions, what cannot be caught.
 */
#include "test.h"

static volatile int count, last_sig;
static siginfo_t last_info;

static void handler(int sig)
{
	count++;
	last_sig = sig;
}

static void info_handler(int sig, siginfo_t *si, void *context UNUSED)
{
	count++;
	last_sig = sig;
	last_info = *si;
}

TEST(every_signal, "each signal that can be caught reaches its handler with its number")
{
	for (int sig = 1; sig <= 64; sig++) {
		struct sigaction sa = { .sa_handler = handler }, old;

		if (sig == SIGKILL || sig == SIGSTOP || (sig >= 32 && sig < 35))
			continue; /* 32 to 34 are libc's own */
		MUST(!sigaction(sig, &sa, &old));
		count = last_sig = 0;
		MUST(!kill(getpid(), sig));
		CHECK_EQ(count, 1);
		CHECK_EQ(last_sig, sig);
		MUST(!sigaction(sig, &old, NULL));
	}
}

TEST(uncatchable,
     "SIGKILL and SIGSTOP cannot be caught or ignored, signal 0 and 65 do not exist: EINVAL")
{
	char act[32] = { 0 };

	CHECK_EQ(SYS(rt_sigaction, SIGKILL, act, NULL, 8), -EINVAL);
	CHECK_EQ(SYS(rt_sigaction, SIGSTOP, act, NULL, 8), -EINVAL);
	CHECK_EQ(SYS(rt_sigaction, SIGKILL, NULL, act, 8), 0);
	CHECK_EQ(SYS(rt_sigaction, 0, NULL, act, 8), -EINVAL);
	CHECK_EQ(SYS(rt_sigaction, 65, NULL, act, 8), -EINVAL);
	CHECK_EQ(SYS(rt_sigaction, SIGUSR1, NULL, act, 4), -EINVAL);
}

TEST(old_action, "the old action is handed back")
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART | SA_NODEFER }, old;

	sigemptyset(&sa.sa_mask);
	sigaddset(&sa.sa_mask, SIGUSR2);
	MUST(!sigaction(SIGUSR1, &sa, NULL));
	MUST(!sigaction(SIGUSR1, NULL, &old));
	CHECK(old.sa_handler == handler);
	CHECK_EQ(old.sa_flags & (SA_RESTART | SA_NODEFER | SA_SIGINFO), SA_RESTART | SA_NODEFER);
	CHECK_EQ(sigismember(&old.sa_mask, SIGUSR2), 1);
	CHECK_EQ(sigismember(&old.sa_mask, SIGHUP), 0);
	signal(SIGUSR1, SIG_DFL);
}

TEST(resethand, "SA_RESETHAND: the second signal finds the default action")
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESETHAND }, now;

	MUST(!sigaction(SIGURG, &sa, NULL)); /* default: ignored */
	count = 0;
	raise(SIGURG);
	CHECK_EQ(count, 1);
	MUST(!sigaction(SIGURG, NULL, &now));
	CHECK(now.sa_handler == SIG_DFL);
	raise(SIGURG);
	CHECK_EQ(count, 1);
}

static volatile int depth, deepest;

static void nested(int sig)
{
	depth++;
	if (depth > deepest)
		deepest = depth;
	if (count++ == 0)
		raise(sig);
	depth--;
}

TEST(nodefer, "a signal is blocked in its own handler, with SA_NODEFER it nests")
{
	struct sigaction sa = { .sa_handler = nested };

	for (int nodefer = 0; nodefer < 2; nodefer++) {
		sa.sa_flags = nodefer ? SA_NODEFER : 0;
		MUST(!sigaction(SIGUSR1, &sa, NULL));
		count = depth = deepest = 0;
		raise(SIGUSR1);
		CHECK_EQ(count, 2);
		CHECK_EQ(deepest, nodefer ? 2 : 1);
	}
	signal(SIGUSR1, SIG_DFL);
}

static volatile int order[4], order_len;

static void outer(int sig)
{
	raise(SIGUSR2);
	order[order_len++ & 3] = sig;
}

static void inner(int sig)
{
	order[order_len++ & 3] = sig;
}

TEST(sa_mask,
     "sa_mask holds another signal back until the handler returns; without it that one nests")
{
	struct sigaction sa = { .sa_handler = outer };

	signal(SIGUSR2, inner);
	for (int masked = 0; masked < 2; masked++) {
		sigemptyset(&sa.sa_mask);
		if (masked)
			sigaddset(&sa.sa_mask, SIGUSR2);
		MUST(!sigaction(SIGUSR1, &sa, NULL));
		order_len = 0;
		raise(SIGUSR1);
		CHECK_EQ(order_len, 2);
		CHECK_EQ(order[0], masked ? SIGUSR1 : SIGUSR2);
		CHECK_EQ(order[1], masked ? SIGUSR2 : SIGUSR1);
	}
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
}

TEST(defaults, "default actions: terminate, dump, ignore, stop")
{
	static const unsigned char ends[] = { SIGHUP,	 SIGINT,  SIGQUIT, SIGILL,    SIGTRAP,
					      SIGABRT,	 SIGBUS,  SIGFPE,  SIGKILL,   SIGUSR1,
					      SIGSEGV,	 SIGUSR2, SIGPIPE, SIGALRM,   SIGTERM,
					      SIGSTKFLT, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF,
					      SIGIO,	 SIGPWR,  SIGSYS,  40,	      64 };
	static const unsigned char ignored[] = { SIGCHLD, SIGURG, SIGWINCH, SIGCONT };

	for (unsigned int i = 0; i < sizeof(ends); i++) {
		pid_t pid = fork_checked();

		if (!pid) {
			signal(ends[i], SIG_DFL);
			kill(getpid(), ends[i]);
			_exit(0);
		}
		int status = wait_for(pid);

		CHECK(WIFSIGNALED(status));
		CHECK_EQ(WTERMSIG(status), ends[i]);
	}
	for (unsigned int i = 0; i < sizeof(ignored); i++) {
		pid_t pid = fork_checked();

		if (!pid) {
			kill(getpid(), ignored[i]);
			_exit(6);
		}
		CHECK_EQ(WEXITSTATUS(wait_for(pid)), 6);
	}
}

TEST(siginfo_kill, "siginfo of kill: SI_USER, sender's pid and uid")
{
	struct sigaction sa = { .sa_sigaction = info_handler, .sa_flags = SA_SIGINFO };

	MUST(!sigaction(SIGUSR1, &sa, NULL));
	kill(getpid(), SIGUSR1);
	CHECK_EQ(last_info.si_signo, SIGUSR1);
	CHECK_EQ(last_info.si_code, SI_USER);
	CHECK_EQ(last_info.si_pid, getpid());
	CHECK_EQ(last_info.si_uid, getuid());
	SYS(tgkill, getpid(), getpid(), SIGUSR1);
	CHECK_EQ(last_info.si_code, SI_TKILL);
	CHECK_EQ(last_info.si_pid, getpid());
	pid_t me = getpid(), pid = fork_checked();

	if (!pid) {
		kill(me, SIGUSR1);
		_exit(0);
	}
	wait_for(pid);
	CHECK_EQ(last_info.si_pid, pid);
	signal(SIGUSR1, SIG_DFL);
}

TEST(discard, "setting a pending signal to ignore discards it")
{
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	MUST(!sigprocmask(SIG_BLOCK, &set, &old));
	signal(SIGUSR1, handler);
	count = 0;
	kill(getpid(), SIGUSR1);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR1, handler);
	MUST(!sigprocmask(SIG_SETMASK, &old, NULL));
	CHECK_EQ(count, 0);
	signal(SIGUSR1, SIG_DFL);
}

TEST_MAIN()
