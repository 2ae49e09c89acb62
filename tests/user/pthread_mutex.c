/* SPDX-License-Identifier: MIT
 *
 * Mutexes of every type under contention, between threads and between processes; what the types refuse;
 * owners that die.
 */
#include "crew.h"
#include "elf_image.h"

#define ROUNDS 2000

/* In memory that children share. */
static struct shared {
	pthread_mutex_t mutex;
	volatile long count;
	atomic_int inside, locked;
} * s;

static void mutex_make(int type, int robust)
{
	pthread_mutexattr_t a;

	if (!s)
		s = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(s != MAP_FAILED);
	memset(s, 0, sizeof(*s));
	MUST(!pthread_mutexattr_init(&a));
	MUST(!pthread_mutexattr_settype(&a, type));
	MUST(!pthread_mutexattr_setrobust(&a, robust));
	MUST(!pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED));
	MUST(!pthread_mutex_init(&s->mutex, &a));
}

/* The counter is no atomic: two owners at once lose a step. Returns how often somebody else was inside. */
static long step(int i)
{
	long bad = s->inside++ != 0;
	long n = s->count;

	if (i % 64 == 0)
		sched_yield(); /* the others run into the lock */
	s->count = n + 1;
	s->inside--;
	return bad;
}

static long lock_and_step(int me UNUSED)
{
	long bad = 0;

	for (int i = 0; i < ROUNDS; i++) {
		bad += pthread_mutex_lock(&s->mutex) != 0;
		bad += step(i);
		bad += pthread_mutex_unlock(&s->mutex) != 0;
	}
	return bad;
}

static void contend(long (*work)(int me), const char *what)
{
	watchdog(60, what);
	CHECK_EQ(crew(CREW, work), 0);
	CHECK_EQ(s->count, CREW * ROUNDS);
	watchdog(0, NULL);
}

TEST(normal, "normal: four threads count exactly")
{
	mutex_make(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED);
	contend(lock_and_step, "normal mutex");
}

TEST(errorcheck_count, "errorcheck: four threads count exactly")
{
	mutex_make(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_STALLED);
	contend(lock_and_step, "errorcheck mutex");
}

TEST(robust_count, "robust: four threads count exactly")
{
	mutex_make(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST);
	contend(lock_and_step, "robust mutex");
}

static long lock_twice_and_step(int me UNUSED)
{
	long bad = 0;

	for (int i = 0; i < ROUNDS; i++) {
		bad += pthread_mutex_lock(&s->mutex) != 0;
		bad += pthread_mutex_lock(&s->mutex) != 0;
		bad += pthread_mutex_unlock(&s->mutex) != 0;
		bad += step(i); /* still ours */
		bad += pthread_mutex_unlock(&s->mutex) != 0;
	}
	return bad;
}

TEST(recursive_count, "recursive: held until the last unlock, four threads count exactly")
{
	mutex_make(PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED);
	contend(lock_twice_and_step, "recursive mutex");
}

static long try_and_step(int me UNUSED)
{
	long bad = 0;

	for (int i = 0; i < ROUNDS; i++) {
		int err;

		while ((err = pthread_mutex_trylock(&s->mutex)) == EBUSY)
			sched_yield();
		bad += err != 0;
		bad += step(i);
		pthread_mutex_unlock(&s->mutex);
	}
	return bad;
}

TEST(trylock_count, "trylock: EBUSY or the lock, four threads count exactly")
{
	mutex_make(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED);
	contend(try_and_step, "trylock");
}

static long timed_and_step(int me)
{
	long bad = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct timespec ts;
		int err;

		do { /* one of them with time-outs that do come */
			ts = deadline_in(CLOCK_REALTIME, me ? 60000 : 0);
			err = pthread_mutex_timedlock(&s->mutex, &ts);
		} while (!me && err == ETIMEDOUT);
		bad += err != 0;
		bad += step(i);
		pthread_mutex_unlock(&s->mutex);
	}
	return bad;
}

TEST(timedlock_count, "timedlock: waiters that give up lose no wake-up of the others")
{
	mutex_make(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED);
	contend(timed_and_step, "timedlock");
}

TEST(processes, "shared between processes: two of them with two threads each count exactly")
{
	mutex_make(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED);
	watchdog(60, "mutex between processes");
	pid_t pid = fork_checked();

	if (!pid) {
		test_failures += crew(2, lock_and_step);
		child_exit();
	}
	CHECK_EQ(crew(2, lock_and_step), 0);
	reap_checked(pid);
	CHECK_EQ(s->count, 4 * ROUNDS);
	watchdog(0, NULL);
}

/* ---- what the types refuse ---- */

static void *try_once(void *arg UNUSED)
{
	int err = pthread_mutex_trylock(&s->mutex);

	if (!err)
		pthread_mutex_unlock(&s->mutex);
	return (void *)(long)err;
}

static void *unlock_once(void *arg UNUSED)
{
	return (void *)(long)pthread_mutex_unlock(&s->mutex);
}

TEST(recursive,
     "recursive: another thread gets EBUSY until as many unlocks as locks, and EPERM for an unlock")
{
	mutex_make(PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_mutex_lock(&s->mutex), 0);
	CHECK_EQ(finish(start(unlock_once, NULL)), EPERM);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(finish(start(try_once, NULL)), EBUSY);
		CHECK_EQ(pthread_mutex_unlock(&s->mutex), 0);
	}
	CHECK_EQ(finish(start(try_once, NULL)), 0);
}

TEST(errorcheck, "errorcheck: EDEADLK for the owner, EPERM for whoever does not own it")
{
	mutex_make(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_STALLED);
	CHECK_EQ(pthread_mutex_unlock(&s->mutex), EPERM);
	CHECK_EQ(pthread_mutex_lock(&s->mutex), 0);
	CHECK_EQ(pthread_mutex_lock(&s->mutex), EDEADLK);
	CHECK_EQ(finish(start(unlock_once, NULL)), EPERM);
	CHECK_EQ(pthread_mutex_unlock(&s->mutex), 0);
}

static void *time_out(void *arg UNUSED)
{
	struct timespec ts = deadline_in(CLOCK_REALTIME, 30);
	int64_t begin = now_ns(CLOCK_MONOTONIC);
	int err = pthread_mutex_timedlock(&s->mutex, &ts);

	if (err == ETIMEDOUT && now_ns(CLOCK_MONOTONIC) - begin < 29000000)
		err = -1; /* too early */
	return (void *)(long)err;
}

TEST(timedlock, "timedlock: ETIMEDOUT, and not before its time")
{
	mutex_make(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED);
	pthread_mutex_lock(&s->mutex);
	CHECK_EQ(finish(start(time_out, NULL)), ETIMEDOUT);
	pthread_mutex_unlock(&s->mutex);
	CHECK_EQ(finish(start(time_out, NULL)), 0);
}

/* ---- owners that die ---- */

/* Ends as a thread without libc's help, so that the kernel walks the robust list. */
static void *die_with_the_lock(void *arg UNUSED)
{
	pthread_mutex_lock(&s->mutex);
	s->locked = 1;
	sleep_ms(20); /* time for somebody to wait */
	raw_syscall(SYS_exit, 0, 0, 0, 0, 0, 0);
	return NULL;
}

FORKED_TEST(owner_thread,
	    "robust: a waiting thread gets EOWNERDEAD when the owner ends; then all is well again")
{
	mutex_make(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST);
	watchdog(20, "waiting for a dead owner's mutex");
	start(die_with_the_lock, NULL);
	SPIN_UNTIL(s->locked);
	CHECK_EQ(pthread_mutex_lock(&s->mutex), EOWNERDEAD);
	CHECK_EQ(pthread_mutex_consistent(&s->mutex), 0);
	CHECK_EQ(pthread_mutex_unlock(&s->mutex), 0);
	CHECK_EQ(pthread_mutex_lock(&s->mutex), 0);
	CHECK_EQ(pthread_mutex_unlock(&s->mutex), 0);
}

FORKED_TEST(not_recovered,
	    "robust: ENOTRECOVERABLE for all after an unlock without pthread_mutex_consistent")
{
	mutex_make(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST);
	watchdog(20, "waiting for a dead owner's mutex");
	start(die_with_the_lock, NULL);
	SPIN_UNTIL(s->locked);
	CHECK_EQ(pthread_mutex_lock(&s->mutex), EOWNERDEAD);
	CHECK_EQ(pthread_mutex_unlock(&s->mutex), 0);
	CHECK_EQ(pthread_mutex_lock(&s->mutex), ENOTRECOVERABLE);
	CHECK_EQ(finish(start(try_once, NULL)), ENOTRECOVERABLE);
}

/* A child that takes the lock and then does what ends it. */
static pid_t owner_process(void (*end)(void))
{
	pid_t pid = fork_checked();

	if (!pid) {
		pthread_mutex_lock(&s->mutex);
		s->locked = 1;
		end();
		child_exit();
	}
	SPIN_UNTIL(s->locked);
	return pid;
}

static void sleep_long(void)
{
	sleep_ms(60000);
}

static void *wait_for_dead_owner(void *arg UNUSED)
{
	int err = pthread_mutex_lock(&s->mutex);

	if (err == EOWNERDEAD)
		pthread_mutex_consistent(&s->mutex);
	if (!err || err == EOWNERDEAD)
		pthread_mutex_unlock(&s->mutex);
	return (void *)(long)err;
}

FORKED_TEST(killed_process,
	    "robust: the owner is another process that SIGKILL ends; one waiter gets EOWNERDEAD")
{
	pthread_t waiters[3];
	int dead = 0;

	mutex_make(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST);
	watchdog(20, "waiting for a killed owner's mutex");
	pid_t pid = owner_process(sleep_long);

	for (int i = 0; i < 3; i++)
		waiters[i] = start(wait_for_dead_owner, NULL);
	sleep_ms(20);
	MUST(!kill(pid, SIGKILL));
	for (int i = 0; i < 3; i++) {
		long err = finish(waiters[i]);

		CHECK(err == 0 || err == EOWNERDEAD);
		dead += err == EOWNERDEAD;
	}
	CHECK_EQ(dead, 1);
	wait_for(pid);
}

static char *program;

static void become_another(void)
{
	char *argv[] = { "x", NULL };

	execve(program, argv, argv + 1);
}

FORKED_TEST(exec, "robust: execve by the owner counts as its end")
{
	static struct image im;

	image_make(&im, ET_EXEC, 0);
	program = scratch("prog");
	write_file(program, im.bytes, im.size, 0755);
	mutex_make(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST);
	watchdog(20, "waiting for the mutex of a process that called execve");
	pid_t pid = owner_process(become_another);

	CHECK_EQ(pthread_mutex_lock(&s->mutex), EOWNERDEAD);
	CHECK_EQ(wait_for(pid), 0);
}

TEST_MAIN()
