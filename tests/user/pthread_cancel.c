/* SPDX-License-Identifier: MIT
 *
 * Cancellation: deferred at every kind of cancellation point, asynchronous in user mode, switched off,
 * and the clean-up that runs on the way out. libc does it with a signal that rewrites the interrupted
 * context, so this is a test of signals in system calls too.
 */
#include "crew.h"
#include <poll.h>
#include <semaphore.h>

static sem_t sem;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int empty_pipe[2];
static atomic_int begun;
static pthread_t partner;

/* ---- deferred ---- */

static void in_pause(void)
{
	pause();
}

static void in_sleep(void)
{
	nanosleep(&(struct timespec){ 60, 0 }, NULL);
}

static void in_read(void)
{
	char c;

	if (read(empty_pipe[0], &c, 1))
		return;
}

static void in_poll(void)
{
	poll(NULL, 0, 60000);
}

static void in_sem_wait(void)
{
	sem_wait(&sem);
}

static void unlock(void *mutex)
{
	pthread_mutex_unlock(mutex);
}

static void in_cond_wait(void)
{
	pthread_mutex_lock(&lock);
	pthread_cleanup_push(unlock, &lock);
	for (;;)
		pthread_cond_wait(&cond, &lock);
	pthread_cleanup_pop(1);
}

static void in_join(void)
{
	pthread_join(partner, NULL);
}

static void in_waitpid(void)
{
	waitpid(-1, NULL, 0);
}

static void in_sigwait(void)
{
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigwait(&set, &sig);
}

static void in_testcancel(void)
{
	for (;;)
		pthread_testcancel();
}

static const struct {
	const char *name;
	void (*fn)(void);
} points[] = {
	{ "pause", in_pause },	     { "nanosleep", in_sleep },
	{ "read", in_read },	     { "poll", in_poll },
	{ "sem_wait", in_sem_wait }, { "pthread_cond_wait", in_cond_wait },
	{ "waitpid", in_waitpid },   { "sigwait", in_sigwait },
	{ "pthread_join", in_join }, { "pthread_testcancel", in_testcancel },
};
#define NR_POINTS (int)(sizeof(points) / sizeof(points[0]))

static void *sleep_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void *block_at(void *fn)
{
	begun++;
	((void (*)(void))fn)();
	return NULL;
}

static void set_up(void)
{
	begun = 0;
	if (empty_pipe[0])
		return;
	MUST(!pipe(empty_pipe) && !sem_init(&sem, 0, 0));
	partner = start(sleep_for_ever, NULL);
}

TEST(blocked, "a thread that sleeps at a cancellation point ends there")
{
	pid_t pid;

	set_up();
	pid = fork_checked(); /* for waitpid to wait for */
	if (!pid) {
		sleep_ms(60000);
		_exit(0);
	}
	for (int i = 0; i < NR_POINTS; i++) {
		watchdog(20, points[i].name);
		begun = 0;
		pthread_t t = start(block_at, points[i].fn);

		SPIN_UNTIL(begun);
		sleep_ms(5); /* most likely asleep by now; if not, right before it */
		MUST(!pthread_cancel(t));
		if (finish(t) != (long)PTHREAD_CANCELED)
			FAIL("%s returned", points[i].name);
	}
	CHECK_EQ(pthread_mutex_trylock(&lock), 0); /* the handler of in_cond_wait unlocked it */
	pthread_mutex_unlock(&lock);
	watchdog(0, NULL);
	kill(pid, SIGKILL);
	wait_for(pid);
}

TEST(race, "a cancellation on the way into a blocking call is not lost, 500 times")
{
	set_up();
	watchdog(60, "the cancellation was lost");
	for (int i = 0; i < 500; i++) {
		begun = 0;
		pthread_t t = start(block_at, i % 2 ? in_read : in_sem_wait);

		SPIN_UNTIL(begun);
		for (int spins = i * 7 % 500; spins; spins--)
			spin_pause();
		MUST(!pthread_cancel(t));
		if (finish(t) != (long)PTHREAD_CANCELED)
			FAIL("round %d: not cancelled", i);
	}
	watchdog(0, NULL);
}

static atomic_int stage;

static void *compute_first(void *arg UNUSED)
{
	stage = 1;
	while (stage != 2)
		sched_yield(); /* no cancellation point, nor is a loop */
	stage = 3;
	pthread_testcancel();
	stage = 4;
	return NULL;
}

TEST(deferred, "deferred: code without cancellation points goes on to the next one")
{
	stage = 0;
	watchdog(20, "deferred cancellation");
	pthread_t t = start(compute_first, NULL);

	SPIN_UNTIL(stage == 1);
	MUST(!pthread_cancel(t));
	sleep_ms(10);
	stage = 2;
	CHECK_EQ(finish(t), PTHREAD_CANCELED);
	CHECK_EQ(stage, 3);
	watchdog(0, NULL);
}

static void *disabled_first(void *arg UNUSED)
{
	struct timespec ts = { 0, 20000000 };
	int old;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	stage = 1;
	SPIN_UNTIL(stage == 2);
	nanosleep(&ts, NULL);
	pthread_testcancel();
	stage = 3;
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
	nanosleep(&ts, NULL);
	stage = 4;
	return NULL;
}

TEST(disabled, "switched off: a cancellation waits until it is switched on")
{
	stage = 0;
	watchdog(20, "cancellation that is switched off");
	pthread_t t = start(disabled_first, NULL);

	SPIN_UNTIL(stage == 1);
	MUST(!pthread_cancel(t));
	stage = 2;
	CHECK_EQ(finish(t), PTHREAD_CANCELED);
	CHECK_EQ(stage, 3);
	watchdog(0, NULL);
}

/* ---- asynchronous ---- */

static void *spin_async(void *arg UNUSED)
{
	int old;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
	begun++;
	for (;;)
		spin_pause();
	return NULL;
}

TEST(asynchronous, "asynchronous: a loop in user mode ends; four at a time")
{
	pthread_t t[CREW];

	watchdog(60, "asynchronous cancellation");
	for (int round = 0; round < 10; round++) {
		begun = 0;
		for (int i = 0; i < CREW; i++)
			t[i] = start(spin_async, NULL);
		CHECK(WAIT_FOR(begun == CREW, 10000));
		for (int i = 0; i < CREW; i++)
			MUST(!pthread_cancel(t[i]));
		for (int i = 0; i < CREW; i++)
			CHECK_EQ(finish(t[i]), PTHREAD_CANCELED);
	}
	watchdog(0, NULL);
}

/* ---- clean-up ---- */

static char order[8];
static atomic_int order_at;
static pthread_key_t key;

static void note(void *what)
{
	order[order_at++] = (char)(long)what;
}

static void *with_handlers(void *arg UNUSED)
{
	pthread_setspecific(key, (void *)'k');
	pthread_cleanup_push(note, (void *)'1');
	pthread_cleanup_push(note, (void *)'2');
	pthread_cleanup_push(note, (void *)'3');
	pthread_cleanup_pop(0);
	stage = 1;
	for (;;)
		pause();
	pthread_cleanup_pop(1);
	pthread_cleanup_pop(1);
	return NULL;
}

TEST(cleanup, "clean-up handlers run last in first out, then destructors of thread-specific data")
{
	order_at = 0;
	stage = 0;
	memset(order, 0, sizeof(order));
	MUST(!pthread_key_create(&key, note));
	pthread_t t = start(with_handlers, NULL);

	SPIN_UNTIL(stage == 1);
	MUST(!pthread_cancel(t));
	CHECK_EQ(finish(t), PTHREAD_CANCELED);
	CHECK_STR(order, "21k");
	pthread_key_delete(key);
}

static long cancel_each_other(int me)
{
	static pthread_t threads[2];
	static atomic_int known;
	int old;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	threads[me] = pthread_self();
	known++;
	SPIN_UNTIL(known >= 2);
	pthread_cancel(threads[!me]);
	known++;
	SPIN_UNTIL(known >= 4);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
	in_pause();
	return 0;
}

TEST(mutual, "two threads that cancel each other both end")
{
	watchdog(20, "mutual cancellation");
	CHECK_EQ(crew(2, cancel_each_other), 2 * (long)PTHREAD_CANCELED);
	watchdog(0, NULL);
}

TEST_MAIN()
