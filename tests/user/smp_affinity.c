/* SPDX-License-Identifier: MIT
 *
 * CPU affinity: a thread runs where it is pinned, moves when it is told to, and threads on different CPUs
 * run at the same time.
 */
#include "crew.h"

static atomic_int ready, stop;

TEST(agree, "sched_getaffinity, sysconf and /proc/cpuinfo agree about the CPUs")
{
	char *text = slurp("/proc/cpuinfo");
	int listed = 0;

	MUST(text);
	for (char *p = text; (p = strstr(p, "processor\t:")); p++)
		listed++;
	CHECK_EQ(sysconf(_SC_NPROCESSORS_ONLN), cpu_count());
	CHECK(listed >= cpu_count());
	CHECK_RANGE(sched_getcpu(), 0, CPU_SETSIZE - 1);
}

TEST(self, "pinned to each CPU in turn, the caller is there when the call returns, and stays")
{
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < cpu_count(); i++) {
			CHECK_OK(pin(0, nth_cpu(i)));
			CHECK_EQ(sched_getcpu(), nth_cpu(i));
			for (int n = 0; n < 50; n++) {
				if (n % 25 == 0)
					sleep_ms(1);
				sched_yield();
				CHECK_EQ(sched_getcpu(), nth_cpu(i));
			}
		}
	unpin();
}

TEST(errors, "EINVAL for a mask without a CPU of ours, ESRCH for nobody")
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CHECK_ERR(sched_setaffinity(0, sizeof(set), &set), EINVAL);
	CPU_SET(CPU_SETSIZE - 1, &set);
	CHECK_ERR(sched_setaffinity(0, sizeof(set), &set), EINVAL);
	CHECK_ERR(sched_setaffinity(0x3ffffff, sizeof(set), cpus_at_start()), ESRCH);
	CHECK_ERR(sched_getaffinity(0, 4, &set), EINVAL);
	CHECK_EQ(SYS(sched_setaffinity, 0, sizeof(set), 8), -EFAULT);
}

static long pinned_among_others(int me)
{
	long bad = 0;

	MUST(!pin(0, nth_cpu(me)));
	for (int i = 0; i < 3000; i++) {
		bad += sched_getcpu() != nth_cpu(me);
		if (i % 16 == 0)
			sched_yield();
		if (i % 512 == 0)
			usleep(100);
	}
	return bad;
}

TEST(crowd, "three threads a CPU, each pinned: none is ever seen elsewhere")
{
	int n = 3 * cpu_count();

	CHECK_EQ(crew(n > MAX_CREW ? MAX_CREW : n, pinned_among_others), 0);
}

static void *inherited(void *arg)
{
	cpu_set_t set;

	(void)arg;
	MUST(!sched_getaffinity(0, sizeof(set), &set));
	return (void *)(long)(CPU_COUNT(&set) == 1 && CPU_ISSET(sched_getcpu(), &set)
				      ? sched_getcpu()
				      : -1);
}

TEST(inherit, "threads and children start with the mask of their creator")
{
	for (int i = 0; i < cpu_count(); i++) {
		MUST(!pin(0, nth_cpu(i)));
		CHECK_EQ(finish(start(inherited, NULL)), nth_cpu(i));
		IN_CHILD
		CHECK_EQ(inherited(NULL), nth_cpu(i));
	}
	unpin();
}

static atomic_int where, tid;

/* Looks where it is without ever sleeping. */
static void *wander(void *arg)
{
	tid = (int)SYS(gettid);
	while (!stop)
		where = sched_getcpu();
	return arg;
}

TEST(moved, "a thread that never sleeps moves when another changes its mask")
{
	if (cpu_count() < 2)
		SKIP("one CPU");
	tid = stop = 0;
	pthread_t t = start(wander, NULL);

	SPIN_UNTIL(tid);
	for (int i = 0; i < 20; i++) {
		MUST(!pin(tid, nth_cpu(i)));
		CHECK(WAIT_FOR(where == nth_cpu(i), 2000));
	}
	stop = 1;
	finish(t);
}

static void *compute(void *arg)
{
	tid = (int)SYS(gettid);
	while (!stop)
		spin_pause();
	return (void *)(long)(arg ? sched_getcpu() : 0);
}

TEST(moved_computing, "and one that computes in user mode all the time")
{
	if (cpu_count() < 2)
		SKIP("one CPU");
	for (int i = 0; i < 6; i++) {
		tid = stop = 0;
		pthread_t t = start(compute, (void *)1);

		SPIN_UNTIL(tid);
		MUST(!pin(tid, nth_cpu(i)));
		sleep_ms(20);
		stop = 1;
		CHECK_EQ(finish(t), nth_cpu(i));
	}
}

#define EXCHANGES 100
static atomic_int ball;

static long throw_back(int me)
{
	MUST(!pin(0, nth_cpu(me)));
	for (int i = 0; i < EXCHANGES; i++) {
		while (ball != 2 * i + me) /* without yielding */
			spin_pause();
		ball++;
	}
	return 0;
}

TEST(parallel, "two threads on two CPUs spin for each other: they run at the same time")
{
	int64_t best = INT64_MAX;

	if (cpu_count() < 2)
		SKIP("one CPU");
	watchdog(100, "threads that spin for each other");
	/* The best of several: virtual CPUs take turns too when the host is busy. */
	for (int i = 0; i < 20; i++) {
		int64_t begin = now_ns(CLOCK_MONOTONIC);

		ball = 0;
		crew(2, throw_back);
		begin = now_ns(CLOCK_MONOTONIC) - begin;
		best = begin < best ? begin : best;
	}
	watchdog(0, NULL);
	/* Taking turns on one CPU costs a time slice, milliseconds, an exchange. */
	CHECK_RANGE(best / 1000, 0, EXCHANGES * 1000);
}

static volatile long progress[2][8];

static void *count_up(void *arg)
{
	volatile long *n = arg;

	MUST(!pin(0, nth_cpu(0)));
	while (!stop)
		++*n;
	return NULL;
}

TEST(shared, "two threads that compute on one CPU both get on")
{
	pthread_t a, b;

	stop = 0;
	progress[0][0] = progress[1][0] = 0;
	a = start(count_up, (void *)progress[0]);
	b = start(count_up, (void *)progress[1]);
	CHECK(WAIT_FOR(progress[0][0] && progress[1][0], 5000));
	long first = progress[0][0], second = progress[1][0];

	CHECK(WAIT_FOR(progress[0][0] > first && progress[1][0] > second, 5000));
	stop = 1;
	finish(a);
	finish(b);
}

static atomic_int used[CPU_SETSIZE];

static void *show_up(void *arg)
{
	ready++;
	while (!stop) {
		int cpu = sched_getcpu();

		if (!used[cpu])
			used[cpu] = 1;
	}
	return arg;
}

static int cpus_used(void)
{
	int n = 0;

	for (int i = 0; i < CPU_SETSIZE; i++)
		n += used[i];
	return n;
}

TEST(spread, "as many computing threads as CPUs, not pinned, come to use all CPUs")
{
	pthread_t t[MAX_CREW];
	int n = cpu_count() > MAX_CREW ? MAX_CREW : cpu_count();

	ready = stop = 0;
	for (int i = 0; i < n; i++)
		t[i] = start(show_up, NULL);
	CHECK(WAIT_FOR(cpus_used() >= n, 30000));
	stop = 1;
	for (int i = 0; i < n; i++)
		finish(t[i]);
}

TEST_MAIN()
