/* SPDX-License-Identifier: MIT
 *
 * Reader-writer locks: readers together, writers alone, time-outs.
 */
#include "crew.h"

#define ROUNDS 3000

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static atomic_int readers;
static volatile long left_half, right_half;

static long write_once(int i)
{
	long bad = pthread_rwlock_wrlock(&lock) != 0;

	bad += readers != 0;
	left_half = left_half + 1;
	if (i % 32 == 0)
		sched_yield();
	right_half = right_half + 1;
	bad += readers != 0;
	pthread_rwlock_unlock(&lock);
	return bad;
}

static long read_once(void)
{
	long bad = pthread_rwlock_rdlock(&lock) != 0;

	readers++;
	bad += left_half != right_half;
	readers--;
	pthread_rwlock_unlock(&lock);
	return bad;
}

static long mix(int me)
{
	long bad = 0;

	for (int i = 0; i < ROUNDS; i++)
		bad += (i + me) % 8 ? read_once() : write_once(i);
	return bad;
}

TEST(contention, "four threads, one write in eight: readers see no half write, every write counts")
{
	left_half = right_half = 0;
	watchdog(60, "rwlock");
	CHECK_EQ(crew(CREW, mix), 0);
	CHECK_EQ(left_half, CREW * ROUNDS / 8);
	CHECK_EQ(right_half, left_half);
	watchdog(0, NULL);
}

static long write_all(int me UNUSED)
{
	long bad = 0;

	for (int i = 0; i < ROUNDS; i++)
		bad += write_once(i);
	return bad;
}

TEST(writers, "four writers exclude each other")
{
	left_half = right_half = 0;
	watchdog(60, "writers");
	CHECK_EQ(crew(CREW, write_all), 0);
	CHECK_EQ(left_half, CREW * ROUNDS);
	watchdog(0, NULL);
}

static long meet(int me UNUSED)
{
	bool met;

	pthread_rwlock_rdlock(&lock);
	readers++;
	met = WAIT_FOR(readers == CREW, 5000);
	pthread_rwlock_unlock(&lock);
	return met;
}

TEST(together, "four readers are inside at once")
{
	readers = 0;
	CHECK_EQ(crew(CREW, meet), CREW);
	readers = 0;
}

static void *try_read(void *arg UNUSED)
{
	int err = pthread_rwlock_tryrdlock(&lock);

	if (!err)
		pthread_rwlock_unlock(&lock);
	return (void *)(long)err;
}

static void *try_write(void *arg UNUSED)
{
	int err = pthread_rwlock_trywrlock(&lock);

	if (!err)
		pthread_rwlock_unlock(&lock);
	return (void *)(long)err;
}

static void *timed(void *arg)
{
	int64_t begin =
		now_ns(CLOCK_MONOTONIC); /* first: the thread may be made to wait right here */
	struct timespec ts = deadline_in(CLOCK_REALTIME, 25);
	int err = arg ? pthread_rwlock_timedwrlock(&lock, &ts)
		      : pthread_rwlock_timedrdlock(&lock, &ts);

	return (void *)(long)(now_ns(CLOCK_MONOTONIC) - begin >= 24000000 ? err : -1);
}

TEST(refusals, "trylock: EBUSY as it must be; timed: ETIMEDOUT at its time")
{
	pthread_rwlock_wrlock(&lock);
	CHECK_EQ(finish(start(try_read, NULL)), EBUSY);
	CHECK_EQ(finish(start(try_write, NULL)), EBUSY);
	CHECK_EQ(finish(start(timed, NULL)), ETIMEDOUT);
	CHECK_EQ(finish(start(timed, (void *)1)), ETIMEDOUT);
	pthread_rwlock_unlock(&lock);
	pthread_rwlock_rdlock(&lock);
	CHECK_EQ(finish(start(try_read, NULL)), 0);
	CHECK_EQ(finish(start(try_write, NULL)), EBUSY);
	CHECK_EQ(finish(start(timed, (void *)1)), ETIMEDOUT);
	pthread_rwlock_unlock(&lock);
	CHECK_EQ(finish(start(try_write, NULL)), 0);
}

static atomic_int asleep;

static void *writer(void *arg UNUSED)
{
	asleep++;
	pthread_rwlock_wrlock(&lock);
	left_half = left_half + 1;
	pthread_rwlock_unlock(&lock);
	return NULL;
}

TEST(handover, "sleeping writers and readers all get their turn when the lock is released")
{
	pthread_t w[3], r[3];

	left_half = right_half = 0;
	asleep = 0;
	watchdog(30, "a sleeper was not woken");
	pthread_rwlock_wrlock(&lock);
	for (int i = 0; i < 3; i++)
		w[i] = start(writer, NULL);
	CHECK(WAIT_FOR(asleep == 3, 5000));
	sleep_ms(10);
	pthread_rwlock_unlock(&lock);
	for (int i = 0; i < 3; i++)
		r[i] = start(try_read, NULL);
	for (int i = 0; i < 3; i++) {
		finish(w[i]);
		finish(r[i]);
	}
	CHECK_EQ(left_half, 3);
	watchdog(0, NULL);
}

TEST_MAIN()
