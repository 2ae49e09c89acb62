/* SPDX-License-Identifier: MIT
 *
 * Signals and threads: which thread gets one, how soon, also when it computes on another CPU and never
 * enters the kernel, and what stops or waits for all threads.
 */
#include "crew.h"

static atomic_int handled;
static __thread int handled_here;
static _Atomic int64_t handled_at;
static atomic_int handler_tid;
static atomic_int ready, stop;

static void count(int sig UNUSED)
{
	handled_at = now_ns(CLOCK_MONOTONIC);
	handler_tid = (int)SYS(gettid);
	handled_here++;
	handled++;
}

static void set_up(int sig)
{
	struct sigaction sa = { .sa_handler = count };

	MUST(!sigaction(sig, &sa, NULL));
	handled = handler_tid = ready = stop = 0;
}

static void block(int sig, int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	MUST(!pthread_sigmask(how, &set, NULL));
}

/* ---- which thread ---- */

static void *sleeper(void *arg)
{
	ready++;
	while (!stop)
		usleep(1000);
	return (void *)(long)(arg ? (int)SYS(gettid) : handled_here);
}

TEST(directed, "pthread_kill: each of six threads handles its own five signals")
{
	pthread_t t[6];

	set_up(SIGUSR1);
	for (int i = 0; i < 6; i++)
		t[i] = start(sleeper, NULL);
	CHECK(WAIT_FOR(ready == 6, 10000));
	for (int n = 0; n < 5; n++)
		for (int i = 0; i < 6; i++) {
			int before = handled;

			MUST(!pthread_kill(t[i], SIGUSR1));
			CHECK(WAIT_FOR(handled == before + 1, 5000));
		}
	stop = 1;
	for (int i = 0; i < 6; i++)
		CHECK_EQ(finish(t[i]), 5);
}

static void *unblocked(void *arg)
{
	block(SIGUSR1, SIG_UNBLOCK);
	return sleeper(arg);
}

TEST(process, "a signal to the process goes to the one thread that does not block it")
{
	pthread_t blocked[3], open;

	set_up(SIGUSR1);
	block(SIGUSR1, SIG_BLOCK); /* threads inherit it */
	for (int i = 0; i < 3; i++)
		blocked[i] = start(sleeper, NULL);
	open = start(unblocked, NULL);
	CHECK(WAIT_FOR(ready == 4, 10000));
	for (int n = 1; n <= 10; n++) {
		MUST(!kill(getpid(), SIGUSR1));
		CHECK(WAIT_FOR(handled == n, 5000));
	}
	stop = 1;
	CHECK_EQ(finish(open), 10);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(finish(blocked[i]), 0);
	block(SIGUSR1, SIG_UNBLOCK);
}

TEST(pending, "blocked by all it is pending for whoever unblocks it first")
{
	pthread_t t;

	set_up(SIGUSR1);
	block(SIGUSR1, SIG_BLOCK);
	MUST(!kill(getpid(), SIGUSR1));
	sleep_ms(5);
	CHECK_EQ(handled, 0);
	t = start(unblocked, (void *)1);
	CHECK(WAIT_FOR(handled == 1, 5000));
	stop = 1;
	CHECK_EQ(finish(t), handler_tid);
	block(SIGUSR1, SIG_UNBLOCK);
	CHECK_EQ(handled, 1);
}

TEST(mask, "the mask is the thread's: a child thread's change does not touch ours")
{
	sigset_t set;

	set_up(SIGUSR1);
	block(SIGUSR1, SIG_BLOCK);
	stop = 1;
	finish(start(unblocked, NULL));
	MUST(!pthread_sigmask(SIG_BLOCK, NULL, &set));
	CHECK(sigismember(&set, SIGUSR1));
	block(SIGUSR1, SIG_UNBLOCK);
}

TEST(gone, "tgkill: ESRCH for a thread that has ended or is another process's")
{
	set_up(SIGUSR1);
	stop = 1;
	long tid = finish(start(sleeper, (void *)1));

	CHECK(WAIT_FOR(SYS(tgkill, getpid(), tid, 0) == -ESRCH, 5000));
	CHECK_EQ(SYS(tgkill, getpid(), getppid(), 0), -ESRCH);
}

/* ---- in user mode on another CPU ---- */

static void *compute(void *arg)
{
	MUST(!pin(0, nth_cpu((int)(long)arg)));
	ready++;
	while (!stop)
		spin_pause();
	return (void *)(long)handled_here;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

#define SHOTS 11

/* The median, for a machine that has other things to do; the slowest must still come by itself. */
static void latencies(pthread_t t, bool to_process)
{
	int64_t took[SHOTS];

	for (int i = 0; i < SHOTS; i++) {
		int64_t begin = now_ns(CLOCK_MONOTONIC);

		MUST(to_process ? !kill(getpid(), SIGUSR1) : !pthread_kill(t, SIGUSR1));
		CHECK(WAIT_FOR(handled == i + 1, 5000));
		took[i] = handled_at - begin;
	}
	qsort(took, SHOTS, sizeof(took[0]), by_value);
	say("# median %ld us, worst %ld us\n", (long)took[SHOTS / 2] / 1000,
	    (long)took[SHOTS - 1] / 1000);
	CHECK_RANGE(took[SHOTS / 2], 0, 100 * 1000000);
}

TEST(computing, "a thread that computes on another CPU handles pthread_kill within 100 ms")
{
	set_up(SIGUSR1);
	MUST(!pin(0, nth_cpu(0)));
	pthread_t t = start(compute, (void *)1);

	CHECK(WAIT_FOR(ready == 1, 10000));
	latencies(t, false);
	stop = 1;
	CHECK_EQ(finish(t), SHOTS);
	unpin();
}

TEST(computing_process, "and a signal to the process that only it does not block")
{
	set_up(SIGUSR1);
	MUST(!pin(0, nth_cpu(0)));
	pthread_t t = start(compute, (void *)1);

	CHECK(WAIT_FOR(ready == 1, 10000));
	block(SIGUSR1, SIG_BLOCK);
	latencies(t, true);
	stop = 1;
	CHECK_EQ(finish(t), SHOTS);
	block(SIGUSR1, SIG_UNBLOCK);
	unpin();
}

/* ---- many at once ---- */

#define QUEUED 200

static long fire(int me UNUSED)
{
	union sigval v = { 0 };

	for (int i = 0; i < QUEUED; i++)
		while (sigqueue(getpid(), SIGRTMIN, v))
			sched_yield(); /* EAGAIN: too many are pending */
	return 0;
}

TEST(queued, "four threads send 200 real-time signals each to the process: 800 are handled")
{
	set_up(SIGRTMIN);
	watchdog(60, "real-time signals");
	crew(CREW, fire);
	CHECK(WAIT_FOR(handled == CREW * QUEUED, 5000));
	CHECK_EQ(handled, CREW * QUEUED);
	watchdog(0, NULL);
}

static void *take(void *arg UNUSED)
{
	sigset_t set;
	long got = 0;
	siginfo_t si;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	ready++;
	while (sigwaitinfo(&set, &si) == SIGRTMIN + 1 && si.si_value.sival_int)
		got += si.si_value.sival_int;
	return (void *)got;
}

TEST(sigwait, "three threads in sigwaitinfo share what is sent: each signal once")
{
	pthread_t t[3];
	long sum = 0, sent = 0;

	ready = 0;
	block(SIGRTMIN + 1, SIG_BLOCK);
	watchdog(60, "sigwaitinfo");
	for (int i = 0; i < 3; i++)
		t[i] = start(take, NULL);
	CHECK(WAIT_FOR(ready == 3, 10000));
	for (int i = 1; i <= 300; i++) {
		MUST(!sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = i }));
		sent += i;
	}
	for (int i = 0; i < 3; i++)
		MUST(!sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 0 }));
	for (int i = 0; i < 3; i++)
		sum += finish(t[i]);
	CHECK_EQ(sum, sent);
	block(SIGRTMIN + 1, SIG_UNBLOCK);
	watchdog(0, NULL);
}

/* ---- faults ---- */

static __thread sigjmp_buf back;
static __thread void *volatile fault_at;

static void own_fault(int sig UNUSED, siginfo_t *si, void *context UNUSED)
{
	fault_at = si->si_addr;
	siglongjmp(back, 1);
}

static long fault_often(int me)
{
	char *p = map_anon(PAGE, PROT_NONE) + me;
	volatile long bad = 0; /* counts in the order written, jumps or not */

	for (int i = 0; i < 300; i++) {
		fault_at = NULL;
		if (!sigsetjmp(back, 1)) {
			store(p, 1);
			bad++;
		}
		bad += fault_at != p;
	}
	munmap(p - me, PAGE);
	return bad;
}

TEST(faults, "four threads fault at once: each handles its own SIGSEGV, with its own address")
{
	struct sigaction sa = { .sa_sigaction = own_fault, .sa_flags = SA_SIGINFO };

	MUST(!sigaction(SIGSEGV, &sa, NULL));
	CHECK_EQ(crew(CREW, fault_often), 0);
	signal(SIGSEGV, SIG_DFL);
}

/* ---- stop and continue ---- */

static volatile long *ticks;

static void *tick(void *arg)
{
	for (long me = (long)arg;;)
		ticks[me * 8]++;
	return NULL;
}

static long ticked(const long *before)
{
	long moved = 0;

	for (int i = 0; i < 3; i++)
		moved += ticks[i * 8] != before[i];
	return moved;
}

static void sample(long *now)
{
	for (int i = 0; i < 3; i++)
		now[i] = ticks[i * 8];
}

TEST(stop_, "SIGSTOP stops all threads of a process that computes, SIGCONT lets all go on")
{
	long before[3];
	int status;

	ticks = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(ticks != MAP_FAILED);
	watchdog(60, "stop and continue");
	pid_t pid = fork_checked();

	if (!pid) {
		alarm(0);
		start(tick, (void *)0);
		start(tick, (void *)1);
		tick((void *)2);
	}
	for (int round = 0; round < 5; round++) {
		sample(before);
		CHECK(WAIT_FOR(ticked(before) == 3, 10000));
		MUST(!kill(pid, SIGSTOP));
		MUST(waitpid(pid, &status, WUNTRACED) == pid);
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
		sample(before);
		sleep_ms(20);
		CHECK_EQ(ticked(before), 0);
		MUST(!kill(pid, SIGCONT));
		MUST(waitpid(pid, &status, WCONTINUED) == pid);
		CHECK(WIFCONTINUED(status));
	}
	kill(pid, SIGKILL);
	wait_for(pid);
	watchdog(0, NULL);
}

TEST_MAIN()
