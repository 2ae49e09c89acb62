/* SPDX-License-Identifier: MIT
 *
 * Signal masks: block, unblock, pending, suspend, wait for a signal, real-time queueing.
 */
#include "test.h"

static volatile int count, values[16];

static void handler(int sig UNUSED, siginfo_t *si, void *context UNUSED)
{
	values[count++ & 15] = si->si_value.sival_int;
}

static sigset_t one(int sig)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, sig);
	return s;
}

static void catch_sig(int sig)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	MUST(!sigaction(sig, &sa, NULL));
	count = 0;
}

TEST(block, "blocked signals wait; a standard one is delivered once however often it was sent")
{
	sigset_t set = one(SIGUSR1), old, pending;

	catch_sig(SIGUSR1);
	MUST(!sigprocmask(SIG_BLOCK, &set, &old));
	for (int i = 0; i < 3; i++)
		kill(getpid(), SIGUSR1);
	CHECK_EQ(count, 0);
	MUST(!sigpending(&pending));
	CHECK_EQ(sigismember(&pending, SIGUSR1), 1);
	CHECK_EQ(sigismember(&pending, SIGUSR2), 0);
	MUST(!sigprocmask(SIG_UNBLOCK, &set, NULL));
	CHECK_EQ(count, 1);
	MUST(!sigpending(&pending));
	CHECK_EQ(sigismember(&pending, SIGUSR1), 0);
	MUST(!sigprocmask(SIG_SETMASK, &old, NULL));
}

TEST(realtime, "real-time signals queue with their values, in order, lower numbers first")
{
	sigset_t set = one(SIGRTMIN + 1), old;
	union sigval v;

	sigaddset(&set, SIGRTMIN + 2);
	catch_sig(SIGRTMIN + 1);
	catch_sig(SIGRTMIN + 2);
	MUST(!sigprocmask(SIG_BLOCK, &set, &old));
	for (int i = 0; i < 3; i++) {
		v.sival_int = 20 + i;
		CHECK_OK(sigqueue(getpid(), SIGRTMIN + 2, v));
		v.sival_int = 10 + i;
		CHECK_OK(sigqueue(getpid(), SIGRTMIN + 1, v));
	}
	MUST(!sigprocmask(SIG_SETMASK, &old, NULL));
	CHECK_EQ(count, 6);
	/* The lowest number is dequeued first, but its handler's frame is set up first: it runs last. */
	int sum = 0, ten[3], n10 = 0;

	for (int i = 0; i < 6; i++) {
		sum += values[i];
		if (values[i] < 20 && n10 < 3)
			ten[n10++] = values[i];
	}
	CHECK_EQ(sum, 20 + 21 + 22 + 10 + 11 + 12);
	CHECK_EQ(n10, 3);
	CHECK(ten[0] == 10 && ten[1] == 11 && ten[2] == 12);
}

TEST(unblockable, "SIGKILL and SIGSTOP cannot be blocked; a bad `how` is EINVAL")
{
	sigset_t set, old, now;

	sigfillset(&set);
	MUST(!sigprocmask(SIG_SETMASK, &set, &old));
	unsigned long mask;

	MUST(SYS(rt_sigprocmask, SIG_BLOCK, NULL, &mask, 8) == 0);
	CHECK_EQ(mask & 1UL << (SIGKILL - 1), 0);
	CHECK_EQ(mask & 1UL << (SIGSTOP - 1), 0);
	MUST(!sigprocmask(SIG_SETMASK, &old, &now));
	CHECK_EQ(SYS(rt_sigprocmask, 99, &mask, NULL, 8), -EINVAL);
	CHECK_EQ(SYS(rt_sigprocmask, 99, NULL, &mask, 8), 0);
	CHECK_EQ(SYS(rt_sigprocmask, SIG_BLOCK, &mask, NULL, 16), -EINVAL);
}

TEST(suspend, "sigsuspend waits with another mask, is EINTR and restores the mask")
{
	sigset_t set = one(SIGUSR1), old, now;

	catch_sig(SIGUSR1);
	MUST(!sigprocmask(SIG_BLOCK, &set, &old));
	kill(getpid(), SIGUSR1);
	CHECK_EQ(count, 0);
	CHECK_ERR(sigsuspend(&old), EINTR);
	CHECK_EQ(count, 1);
	MUST(!sigprocmask(SIG_SETMASK, NULL, &now));
	CHECK_EQ(sigismember(&now, SIGUSR1), 1);
	MUST(!sigprocmask(SIG_SETMASK, &old, NULL));
}

TEST(timedwait, "sigtimedwait takes a pending signal without its handler, times out with EAGAIN")
{
	sigset_t set = one(SIGUSR1), old;
	siginfo_t si;
	struct timespec ts = { 0, 20000000 };
	union sigval v = { .sival_int = 55 };

	catch_sig(SIGUSR1);
	MUST(!sigprocmask(SIG_BLOCK, &set, &old));
	CHECK_ERR(sigtimedwait(&set, &si, &ts), EAGAIN);
	MUST(!sigqueue(getpid(), SIGUSR1, v));
	CHECK_EQ(sigtimedwait(&set, &si, &ts), SIGUSR1);
	CHECK_EQ(si.si_value.sival_int, 55);
	CHECK_EQ(si.si_code, SI_QUEUE);
	CHECK_EQ(count, 0);
	ts.tv_nsec = 2000000000;
	CHECK_ERR(sigtimedwait(&set, &si, &ts), EINVAL);
	MUST(!sigprocmask(SIG_SETMASK, &old, NULL));
}

TEST(wait_for_child, "sigwaitinfo wakes for a signal sent by a child")
{
	sigset_t set = one(SIGUSR2), old;
	siginfo_t si;
	pid_t me = getpid();

	MUST(!sigprocmask(SIG_BLOCK, &set, &old));
	pid_t pid = fork_checked();

	if (!pid) {
		sleep_ms(10);
		kill(me, SIGUSR2);
		_exit(0);
	}
	CHECK_EQ(sigwaitinfo(&set, &si), SIGUSR2);
	CHECK_EQ(si.si_pid, pid);
	wait_for(pid);
	MUST(!sigprocmask(SIG_SETMASK, &old, NULL));
}

TEST_MAIN()
