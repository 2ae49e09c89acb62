/* SPDX-License-Identifier: MIT
 *
 * Condition variables: signal, broadcast, time-outs, and no lost wake-up over many rounds.
 */
#include "crew.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER, not_empty = PTHREAD_COND_INITIALIZER;

/* ---- signal ---- */

static int turn;

static long take_turns(int me)
{
	for (int i = 0; i < 1000; i++) {
		pthread_mutex_lock(&lock);
		while (turn != me)
			pthread_cond_wait(&cond, &lock);
		turn = !me;
		pthread_cond_signal(&cond);
		pthread_mutex_unlock(&lock);
	}
	return 0;
}

TEST(turns, "two threads take 1000 turns each by pthread_cond_signal")
{
	turn = 0;
	watchdog(60, "a turn was lost");
	crew(2, take_turns);
	watchdog(0, NULL);
}

#define QUEUE 3
#define ITEMS 3000
static int queue[QUEUE], queued;
static long taken;

static long produce(void)
{
	long sum = 0;

	for (int i = 1; i <= ITEMS; i++) {
		pthread_mutex_lock(&lock);
		while (queued == QUEUE)
			pthread_cond_wait(&not_full, &lock);
		queue[queued++] = i;
		sum += i;
		pthread_mutex_unlock(&lock);
		pthread_cond_signal(
			&not_empty); /* unlocked: the wake-up races with the next wait */
	}
	return sum;
}

static long consume(void)
{
	long sum = 0;

	for (int i = 1; i <= ITEMS; i++) {
		pthread_mutex_lock(&lock);
		while (!queued)
			pthread_cond_wait(&not_empty, &lock);
		sum += queue[--queued];
		taken++;
		pthread_mutex_unlock(&lock);
		pthread_cond_signal(&not_full);
	}
	return -sum;
}

static long produce_or_consume(int me)
{
	return me % 2 ? consume() : produce();
}

TEST(queue_,
     "two producers and two consumers, a queue of three: every item once, nobody sleeps for ever")
{
	queued = 0;
	taken = 0;
	watchdog(60, "a producer or consumer was not woken");
	CHECK_EQ(crew(4, produce_or_consume), 0);
	CHECK_EQ(taken, 2 * ITEMS);
	watchdog(0, NULL);
}

static int tokens, waiting, through;

static long wait_for_token(int me UNUSED)
{
	pthread_mutex_lock(&lock);
	waiting++;
	while (!tokens)
		pthread_cond_wait(&cond, &lock);
	tokens--;
	through++;
	pthread_mutex_unlock(&lock);
	return 0;
}

static void *hand_out(void *arg)
{
	int n = (int)(long)arg;

	for (int done = 0; done < n;) {
		pthread_mutex_lock(&lock);
		if (waiting == n && through == done) {
			tokens++;
			pthread_cond_signal(&cond);
			done++;
		}
		pthread_mutex_unlock(&lock);
		sched_yield();
	}
	return NULL;
}

TEST(one_each, "each of eight sleeping threads is woken by a signal of its own")
{
	tokens = waiting = through = 0;
	watchdog(30, "a signal woke nobody");
	pthread_t t = start(hand_out, (void *)8);

	crew(8, wait_for_token);
	finish(t);
	CHECK_EQ(through, 8);
	CHECK_EQ(tokens, 0);
	watchdog(0, NULL);
}

/* ---- broadcast ---- */

#define GENERATIONS 200
#define SLEEPERS 6
static int generation;

static long follow(int me)
{
	long bad = 0;

	for (int g = 0; g < GENERATIONS; g++) {
		pthread_mutex_lock(&lock);
		if (++waiting == SLEEPERS) {
			waiting = 0;
			generation++;
			pthread_cond_broadcast(&cond);
		}
		while (generation == g)
			pthread_cond_wait(&cond, &lock);
		bad += generation != g + 1;
		pthread_mutex_unlock(&lock);
	}
	(void)me;
	return bad;
}

TEST(broadcast, "a broadcast wakes all of six sleepers, 200 times")
{
	waiting = generation = 0;
	watchdog(60, "a broadcast did not reach everybody");
	CHECK_EQ(crew(SLEEPERS, follow), 0);
	watchdog(0, NULL);
}

/* ---- time-outs ---- */

static void timed_out_on(clockid_t clock)
{
	pthread_mutex_t m;
	pthread_mutexattr_t ma;
	pthread_condattr_t ca;
	pthread_cond_t c;

	MUST(!pthread_mutexattr_init(&ma));
	MUST(!pthread_mutexattr_settype(&ma, PTHREAD_MUTEX_ERRORCHECK));
	MUST(!pthread_mutex_init(&m, &ma));
	MUST(!pthread_condattr_init(&ca));
	MUST(!pthread_condattr_setclock(&ca, clock));
	MUST(!pthread_cond_init(&c, &ca));
	pthread_mutex_lock(&m);

	struct timespec ts = deadline_in(clock, 25);
	int err;

	while (!(err = pthread_cond_timedwait(&c, &m, &ts)))
		;
	CHECK_EQ(err, ETIMEDOUT);
	CHECK(now_ns(clock) >= ts.tv_sec * 1000000000L + ts.tv_nsec);
	CHECK_EQ(pthread_cond_timedwait(&c, &m, &ts), ETIMEDOUT); /* in the past */
	CHECK_EQ(pthread_mutex_unlock(&m), 0);			  /* ours again, or EPERM */
}

TEST(timeout, "timedwait: ETIMEDOUT at its time on both clocks, with the mutex locked again")
{
	timed_out_on(CLOCK_REALTIME);
	timed_out_on(CLOCK_MONOTONIC);
}

#define TOKENS 1500

/* Waits that end by time-out and by signal, mixed: a token must not vanish with a waiter that gave up. */
static long take_tokens(int me)
{
	long got = 0;

	if (!me) {
		for (int i = 0; i < TOKENS; i++) {
			pthread_mutex_lock(&lock);
			tokens++;
			pthread_cond_signal(&cond);
			pthread_mutex_unlock(&lock);
			if (i % 16 == 0)
				sched_yield();
		}
		pthread_mutex_lock(&lock);
		generation = 1;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&lock);
		return 0;
	}
	pthread_mutex_lock(&lock);
	while (tokens || !generation) {
		struct timespec ts = deadline_in(CLOCK_REALTIME, me == 1 ? 60000 : 0);

		ts.tv_nsec = me == 1 ? ts.tv_nsec : ts.tv_nsec / 100000 * 100000;
		if (!tokens)
			pthread_cond_timedwait(&cond, &lock, &ts);
		if (tokens) {
			tokens--;
			got++;
		}
	}
	pthread_mutex_unlock(&lock);
	return got;
}

TEST(mixed, "time-outs that race with signals: every token is taken once")
{
	tokens = generation = 0;
	watchdog(60, "a token was lost");
	CHECK_EQ(crew(CREW, take_tokens), TOKENS);
	CHECK_EQ(tokens, 0);
	watchdog(0, NULL);
}

/* ---- between processes ---- */

static struct shared {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	int turn;
} * s;

static void shared_turns(int me)
{
	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&s->lock);
		while (s->turn != me)
			pthread_cond_wait(&s->cond, &s->lock);
		s->turn = !me;
		pthread_cond_signal(&s->cond);
		pthread_mutex_unlock(&s->lock);
	}
}

TEST(processes, "shared between processes: 500 turns each")
{
	pthread_mutexattr_t ma;
	pthread_condattr_t ca;

	s = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(s != MAP_FAILED);
	MUST(!pthread_mutexattr_init(&ma) && !pthread_condattr_init(&ca));
	MUST(!pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED));
	MUST(!pthread_condattr_setpshared(&ca, PTHREAD_PROCESS_SHARED));
	MUST(!pthread_mutex_init(&s->lock, &ma) && !pthread_cond_init(&s->cond, &ca));
	watchdog(60, "a turn between processes was lost");
	pid_t pid = fork_checked();

	if (!pid) {
		shared_turns(1);
		child_exit();
	}
	shared_turns(0);
	reap_checked(pid);
	watchdog(0, NULL);
}

TEST_MAIN()
