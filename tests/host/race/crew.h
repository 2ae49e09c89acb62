/* SPDX-License-Identifier: MIT
 *
 * Threads that race: each runs a function with a random number generator of its own, seeded by the run.
 */
#ifndef CREW_H
#define CREW_H

#include "t.h"
#include <pthread.h>
#include <time.h>

#define MAX_THREADS 6
#define RACE_SECONDS 20

struct thread {
	pthread_t thread;
	void (*fn)(u64 *x);
	unsigned long id;
};

static bool done; /* those who decide how long it takes have finished: the others may, too */
static time_t race_ends;

static inline u64 next_random(u64 *x)
{
	*x = *x * 6364136223846793005UL + 1442695040888963407UL;
	return *x >> 33;
}

static inline bool is_done(void)
{
	return __atomic_load_n(&done, __ATOMIC_RELAXED);
}

static inline void set_done(bool value)
{
	__atomic_store_n(&done, value, __ATOMIC_RELAXED);
}

static inline time_t seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/*
 * For who decides how long it takes: another round? Those who wait for a device, which takes turns with the others, get few
 * of them on a host that is busy, and then fewer will do.
 */
static inline bool goes_on(unsigned long round, unsigned long rounds)
{
	return round < rounds && seconds_now() < race_ends;
}

/* A thread's caches would look like leaks. */
static inline void *thread_main(void *arg)
{
	struct thread *t = arg;
	u64 x = t->id * 77777 + host_seed();

	sim_cpu.id = (unsigned int)t->id;
	t->fn(&x);
	slab_shrink();
	pgtable_drain();
	drain_pcps();
	return NULL;
}

static inline void start(struct thread *t, void (*fn)(u64 *x), unsigned long id)
{
	if (id == 1)
		race_ends = seconds_now() + RACE_SECONDS;
	t->fn = fn;
	t->id = id;
	assert_int_equal(pthread_create(&t->thread, NULL, thread_main, t), 0);
}

/* The first of fns decides how long it takes. */
static inline void run(void (*const *fns)(u64 *x), unsigned int n)
{
	struct thread threads[MAX_THREADS];

	assert_true(n <= MAX_THREADS);
	set_done(false);
	for (unsigned int i = 0; i < n; i++)
		start(&threads[i], fns[i], i + 1);
	pthread_join(threads[0].thread, NULL);
	set_done(true);
	for (unsigned int i = 1; i < n; i++)
		pthread_join(threads[i].thread, NULL);
}

/* Runs functions together, then looks at the address space they raced in. */
#define RUN(mm, ...)                                                                               \
	do {                                                                                       \
		static void (*const fns[])(u64 * x) = { __VA_ARGS__ };                             \
		run(fns, ARRAY_SIZE(fns));                                                         \
		t_validate(mm);                                                                    \
	} while (0)

#endif
