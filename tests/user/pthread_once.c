/* SPDX-License-Identifier: MIT
 *
 * pthread_once: one call however many come at once, the others wait for its end, and a cancelled call does
 * not count.
 */
#include "crew.h"

#define ONCES 400

static pthread_once_t onces[ONCES];
static int calls[ONCES]; /* plain: what the initialiser wrote must be seen by all who return */
static __thread int current_once;

static void initialise(void)
{
	int n = calls[current_once];

	if (current_once % 8 == 0)
		sched_yield();
	calls[current_once] = n + 1;
}

static long call_all(int me UNUSED)
{
	long bad = 0;

	for (int i = 0; i < ONCES; i++) {
		current_once = i;
		bad += pthread_once(&onces[i], initialise) != 0;
		bad += calls[i] != 1;
	}
	return bad;
}

TEST(race, "four threads call 400 initialisers at the same time: one call each, seen by all")
{
	watchdog(60, "pthread_once");
	CHECK_EQ(crew(CREW, call_all), 0);
	watchdog(0, NULL);
}

static pthread_once_t slow_once = PTHREAD_ONCE_INIT;
static int slow_done;

static void slow(void)
{
	sleep_ms(30);
	slow_done = 1;
}

static long wait_for_slow(int me UNUSED)
{
	pthread_once(&slow_once, slow);
	return slow_done;
}

TEST(wait, "all wait for a slow initialiser")
{
	watchdog(20, "a slow initialiser");
	CHECK_EQ(crew(8, wait_for_slow), 8);
	watchdog(0, NULL);
}

static pthread_once_t torn_once = PTHREAD_ONCE_INIT;
static atomic_int attempts;

static void sleeps_at_first(void)
{
	if (!attempts++)
		for (;;)
			pause();
}

static void *torn(void *arg UNUSED)
{
	pthread_once(&torn_once, sleeps_at_first);
	return NULL;
}

TEST(cancelled, "after a cancelled call one of those who wait calls again")
{
	watchdog(20, "pthread_once after a cancellation");
	pthread_t first = start(torn, NULL), others[3];

	SPIN_UNTIL(attempts == 1);
	for (int i = 0; i < 3; i++)
		others[i] = start(torn, NULL);
	sleep_ms(10);
	MUST(!pthread_cancel(first));
	CHECK_EQ(finish(first), PTHREAD_CANCELED);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(finish(others[i]), 0);
	CHECK_EQ(attempts, 2);
	watchdog(0, NULL);
}

TEST_MAIN()
