/* SPDX-License-Identifier: MIT
 *
 * Barriers: nobody passes before all have come, one of them is told that it is the serial thread, and the
 * barrier can be used and destroyed at once afterwards.
 */
#include "crew.h"

#define ROUNDS 200

static pthread_barrier_t *barrier;
static atomic_int *arrived;
static atomic_int serial;

static long pass(int rounds, int parties)
{
	long bad = 0;

	for (int i = 0; i < rounds; i++) {
		++*arrived;
		int r = pthread_barrier_wait(barrier);

		bad += r && r != PTHREAD_BARRIER_SERIAL_THREAD;
		serial += r == PTHREAD_BARRIER_SERIAL_THREAD;
		bad += *arrived < (i + 1) * parties;
		bad += *arrived > (i + 2) * parties; /* nobody is two rounds ahead */
	}
	return bad;
}

static long pass_rounds(int me UNUSED)
{
	return pass(ROUNDS, CREW);
}

TEST(rounds, "four threads, 200 rounds: nobody early, one serial thread a round")
{
	static pthread_barrier_t b;
	static atomic_int n;

	barrier = &b;
	arrived = &n;
	serial = 0;
	MUST(!pthread_barrier_init(&b, NULL, CREW));
	watchdog(60, "barrier");
	CHECK_EQ(crew(CREW, pass_rounds), 0);
	CHECK_EQ(serial, ROUNDS);
	CHECK_EQ(pthread_barrier_destroy(&b), 0);
	watchdog(0, NULL);
}

TEST(alone, "a barrier for one never waits; one for none is refused")
{
	pthread_barrier_t b;

	MUST(!pthread_barrier_init(&b, NULL, 1));
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_barrier_wait(&b), PTHREAD_BARRIER_SERIAL_THREAD);
	CHECK_EQ(pthread_barrier_destroy(&b), 0);
	CHECK_EQ(pthread_barrier_init(&b, NULL, 0), EINVAL);
}

static pthread_barrier_t *fresh;
static atomic_int made, left;

/* Whoever is serial destroys the barrier at once and unmaps it, while others may still be leaving. */
static long meet_and_destroy(int me)
{
	for (int i = 1; i <= 200; i++) {
		if (!me) {
			SPIN_UNTIL(!left);
			fresh = (void *)map_anon(PAGE, RW);
			MUST(!pthread_barrier_init(fresh, NULL, CREW));
			left = CREW;
			made = i;
		}
		SPIN_UNTIL(made == i);
		pthread_barrier_t *b = fresh;

		if (pthread_barrier_wait(b) == PTHREAD_BARRIER_SERIAL_THREAD) {
			pthread_barrier_destroy(b);
			munmap(b, PAGE);
		}
		left--;
	}
	return 0;
}

TEST(destroy, "the serial thread may destroy the barrier and unmap it")
{
	watchdog(60, "barrier that is destroyed");
	crew(CREW, meet_and_destroy);
	watchdog(0, NULL);
}

TEST(processes, "shared between two processes with two threads each")
{
	struct {
		pthread_barrier_t barrier;
		atomic_int arrived;
	} *s = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_barrierattr_t a;

	MUST(s != MAP_FAILED);
	MUST(!pthread_barrierattr_init(&a));
	MUST(!pthread_barrierattr_setpshared(&a, PTHREAD_PROCESS_SHARED));
	MUST(!pthread_barrier_init(&s->barrier, &a, CREW));
	barrier = &s->barrier;
	arrived = &s->arrived;
	watchdog(60, "barrier between processes");
	pid_t pid = fork_checked();

	CHECK_EQ(crew(2, pass_rounds), 0);
	if (!pid)
		child_exit();
	reap_checked(pid);
	CHECK_EQ(s->arrived, CREW * ROUNDS);
	watchdog(0, NULL);
}

TEST_MAIN()
