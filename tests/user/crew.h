/* SPDX-License-Identifier: MIT
 *
 * What tests with several threads share: a crew of threads that start together, CPUs to pin them to,
 * waiting that gives the CPU away, and a watchdog that turns a hang into a failure with a name.
 *
 * Threads do not CHECK(): the counters of test.h are the main thread's. They return what they saw.
 */
#ifndef TESTS_USER_CREW_H
#define TESTS_USER_CREW_H

#include "test.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define CREW 4 /* threads that compete, when the test has no reason for another number */
#define MAX_CREW 64

static inline void spin_pause(void)
{
	__asm__ volatile("pause" ::: "memory");
}

/* Once around a waiting loop: with one CPU nothing comes unless we yield, and a virtual one should halt. */
static inline void spin_step(unsigned int n)
{
	if (n % 64)
		spin_pause();
	else if (n < 64 * 16)
		sched_yield();
	else
		usleep(50);
}

/* Waits for what comes in a moment. */
#define SPIN_UNTIL(condition)                                                                      \
	for (unsigned int spins_ = 0; !(condition);)                                               \
	spin_step(++spins_)

/* Sleeps until the condition holds or the time is up; its value then. */
#define WAIT_FOR(condition, ms)                                                                    \
	({                                                                                         \
		for (int left_ = (ms); left_ > 0 && !(condition); left_--)                         \
			sleep_ms(1);                                                               \
		!!(condition);                                                                     \
	})

/* ---- CPUs ---- */

/* The CPUs this process may use, as it was started. */
static inline const cpu_set_t *cpus_at_start(void)
{
	static cpu_set_t set;
	static bool known;

	if (!known)
		MUST(!sched_getaffinity(0, sizeof(set), &set));
	known = true;
	return &set;
}

static inline int cpu_count(void)
{
	return CPU_COUNT(cpus_at_start());
}

/* The n-th of them, around and around. */
static inline int nth_cpu(int n)
{
	n %= cpu_count();
	for (int cpu = 0;; cpu++)
		if (CPU_ISSET(cpu, cpus_at_start()) && !n--)
			return cpu;
}

/* Pins a thread (0: the caller) to one CPU; 0, or -1 with errno. */
static inline int pin(pid_t tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(tid, sizeof(set), &set);
}

static inline void unpin(void)
{
	MUST(!sched_setaffinity(0, sizeof(cpu_set_t), cpus_at_start()));
}

/* ---- threads ---- */

static inline pthread_t start(void *(*fn)(void *), void *arg)
{
	pthread_t t;

	MUST(!pthread_create(&t, NULL, fn, arg));
	return t;
}

static inline long finish(pthread_t t)
{
	void *value;

	MUST(!pthread_join(t, &value));
	return (long)value;
}

struct member {
	long (*work)(int me);
	int index;
};

static atomic_int crew_waiting; /* members that have not started working */

static inline void *crew_main(void *arg)
{
	struct member *m = arg;

	crew_waiting--;
	SPIN_UNTIL(!crew_waiting);
	return (void *)m->work(m->index);
}

/* work(0) to work(n - 1), a thread each, all at once; the sum of what they return. */
static inline long crew(int n, long (*work)(int me))
{
	struct member members[MAX_CREW];
	pthread_t threads[MAX_CREW];
	long sum = 0;

	MUST(n <= MAX_CREW);
	crew_waiting = n;
	for (int i = 0; i < n; i++) {
		members[i] = (struct member){ work, i };
		threads[i] = start(crew_main, &members[i]);
	}
	for (int i = 0; i < n; i++)
		sum += finish(threads[i]);
	return sum;
}

/* ---- time ---- */

/* now + ms, as pthread_*_timed*() want it */
static inline struct timespec deadline_in(clockid_t clock, long ms)
{
	int64_t t = now_ns(clock) + ms * 1000000;

	return (struct timespec){ t / 1000000000, t % 1000000000 };
}

static const char *watchdog_what;

static void watchdog_bark(int sig UNUSED)
{
	bail_out("no end: %s", watchdog_what);
}

/* The program fails when watchdog(0, NULL) has not been called so many seconds later. */
static inline void watchdog(unsigned int seconds, const char *what)
{
	watchdog_what = what;
	signal(SIGALRM, watchdog_bark);
	alarm(seconds);
}

#endif
