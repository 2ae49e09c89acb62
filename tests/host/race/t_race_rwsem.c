/* SPDX-License-Identifier: MIT
 *
 * The invariants of the sleeping reader-writer lock, with real threads: those that hold under every policy run
 * under all of them, with spinning on and off. Waiters are queued one by one, so that their order is known.
 */
#include "t.h"

#include <pthread.h>

#define THREADS 4
#define ROUNDS 400
#define MAX_WAITERS 300

enum { FIFO, WRITER_FIRST, READER_FIRST };

static struct rwsem sem;
static unsigned long left, right; /* always equal, except while a writer is between the two */
static unsigned int nr_inside, nr_ordered, order[MAX_WAITERS], nr_done;
static bool stop;

struct waiter {
	pthread_t thread;
	struct task *task;
	unsigned int id;
	bool writer, hold; /* hold: keeps the lock until let_go */
	bool let_go;
	enum park_mode mode;
	int result;
};

static struct waiter waiters[MAX_WAITERS];
static unsigned int nr_waiters;

static void policy(unsigned int which, bool spin)
{
	knob_rwsem = which;
	knob_rwsem_spin = spin;
	rwsem_init(&sem);
	nr_waiters = nr_ordered = nr_done = 0;
	stop = false;
}

static unsigned int nr_queued(void)
{
	struct list_head *at;
	unsigned int n = 0;

	spin_lock(&sem.wait_lock);
	for (unsigned int kind = 0; kind < 2; kind++)
		for (at = sem.waiters[kind].next; at != &sem.waiters[kind]; at = at->next)
			n++;
	spin_unlock(&sem.wait_lock);
	return n;
}

static void wait_for(unsigned int *what, unsigned int value)
{
	while (__atomic_load_n(what, __ATOMIC_ACQUIRE) != value)
		usleep(100);
}

static int acquire(bool writer, enum park_mode mode)
{
	switch (mode) {
	case PARK_KILLABLE:
		return writer ? down_write_killable(&sem) : down_read_killable(&sem);
	case PARK_INTERRUPTIBLE:
		return writer ? down_write_interruptible(&sem) : down_read_interruptible(&sem);
	default:
		if (writer)
			down_write(&sem);
		else
			down_read(&sem);
		return 0;
	}
}

static void release(bool writer)
{
	if (writer)
		up_write(&sem);
	else
		up_read(&sem);
}

static void *waiter_main(void *arg)
{
	struct waiter *w = arg;

	sim_cpu.id = w->id % (MAX_CPUS - 1) + 1;
	__atomic_store_n(&w->task, park_self(), __ATOMIC_RELEASE);
	w->result = acquire(w->writer, w->mode);
	if (!w->result) {
		__atomic_add_fetch(&nr_inside, 1, __ATOMIC_ACQ_REL);
		order[__atomic_fetch_add(&nr_ordered, 1, __ATOMIC_RELAXED)] = w->id;
		__atomic_add_fetch(&nr_done, 1, __ATOMIC_ACQ_REL);
		while (w->hold && !__atomic_load_n(&w->let_go, __ATOMIC_ACQUIRE))
			usleep(500);
		__atomic_sub_fetch(&nr_inside, 1, __ATOMIC_ACQ_REL);
		release(w->writer);
	}
	/* The task is a name for this thread until the others have stopped using it. */
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
		usleep(200);
	return NULL;
}

static struct waiter *start_waiter(bool writer, enum park_mode mode, bool hold)
{
	struct waiter *w = &waiters[nr_waiters];

	*w = (struct waiter){ .id = nr_waiters++, .writer = writer, .mode = mode, .hold = hold };
	assert_int_equal(pthread_create(&w->thread, NULL, waiter_main, w), 0);
	while (!__atomic_load_n(&w->task, __ATOMIC_ACQUIRE))
		usleep(10);
	return w;
}

/* One more in the queue, behind all others. */
static struct waiter *queue(bool writer, enum park_mode mode, bool hold)
{
	unsigned int before = nr_queued();
	struct waiter *w = start_waiter(writer, mode, hold);

	while (nr_queued() == before)
		usleep(100);
	return w;
}

static void let_go(struct waiter *w)
{
	__atomic_store_n(&w->let_go, true, __ATOMIC_RELEASE);
}

/* All threads have ended, and the lock is as new. */
static void finish(void)
{
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < nr_waiters; i++)
		pthread_join(waiters[i].thread, NULL);
	assert_int_equal(sem.count, 0);
	assert_null(sem.owner);
	assert_int_equal(nr_queued(), 0);
}

/* ---- 1: a writer excludes all ---- */

static void write_once(void)
{
	left++;
	if (t_random() % 4 == 0)
		host_yield();
	right++;
}

static void *mixed(void *arg)
{
	u64 x = (u64)arg * 0x9e3779b97f4a7c15UL + host_seed();

	sim_cpu.id = (unsigned int)(unsigned long)arg;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		bool writer;

		x = x * 6364136223846793005UL + 1442695040888963407UL;
		writer = x >> 63;
		switch ((x >> 60) & 7) {
		case 0:
			if (!(writer ? down_write_trylock(&sem) : down_read_trylock(&sem)))
				continue;
			break;
		case 1:
			if (acquire(writer, PARK_KILLABLE))
				continue;
			break;
		default:
			acquire(writer, PARK_UNINTERRUPTIBLE);
		}
		if (writer) {
			left++;
			if ((x >> 40) % 4 == 0)
				host_yield();
			right++;
			if ((x >> 50) % 4 == 0) {
				downgrade_write(&sem);
				writer = false;
			}
		}
		BUG_ON(left != right);
		release(writer);
	}
	return NULL;
}

static void test_exclusion(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (unsigned int p = FIFO; p <= READER_FIRST; p++)
		for (unsigned int spin = 0; spin < 2; spin++) {
			policy(p, spin);
			for (unsigned long i = 0; i < THREADS; i++)
				pthread_create(&threads[i], NULL, mixed, (void *)(i + 1));
			for (unsigned int i = 0; i < THREADS; i++)
				pthread_join(threads[i], NULL);
			finish();
			assert_int_equal(left, right);
		}
}

/* ---- 2, 3: nobody starves under fifo ---- */

static void *again_and_again(void *arg)
{
	bool writer = (unsigned long)arg & 1;

	sim_cpu.id = (unsigned int)(unsigned long)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		acquire(writer, PARK_UNINTERRUPTIBLE);
		if (writer)
			write_once();
		release(writer);
	}
	return NULL;
}

static void test_no_starvation(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (unsigned long writers = 0; writers < 2; writers++) {
		policy(FIFO, writers);
		for (unsigned long i = 0; i < THREADS; i++)
			pthread_create(&threads[i], NULL, again_and_again,
				       (void *)(2 * i + 2 + writers));
		/* The others never stop by themselves: that this ends is the test. */
		for (unsigned int i = 0; i < 100; i++) {
			acquire(!writers, PARK_UNINTERRUPTIBLE);
			release(!writers);
		}
		__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
		for (unsigned int i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		finish();
	}
}

/* ---- 4: R R W R: the readers are one batch ---- */

static void test_readers_in_one_batch(void **state)
{
	struct waiter *w[4];

	(void)state;
	policy(FIFO, true);
	down_write(&sem);
	for (unsigned int i = 0; i < 4; i++)
		w[i] = queue(i == 2, PARK_UNINTERRUPTIBLE, true);
	up_write(&sem);
	wait_for(&nr_inside, 3);
	assert_int_equal(nr_queued(), 1);
	assert_true(rwsem_is_contended(&sem) && !rwsem_is_write_locked(&sem));
	for (unsigned int i = 0; i < 4; i++)
		let_go(w[i]);
	wait_for(&nr_done, 4);
	finish();
	assert_int_equal(order[3], 2);
}

/* A reader at the tail does not pass a writer that is first. */
static void test_arrival_order(void **state)
{
	(void)state;
	policy(FIFO, false);
	down_write(&sem);
	queue(true, PARK_UNINTERRUPTIBLE, false);
	queue(false, PARK_UNINTERRUPTIBLE, false);
	queue(true, PARK_UNINTERRUPTIBLE, false);
	up_write(&sem);
	wait_for(&nr_done, 3);
	finish();
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(order[i], i);
}

/* ---- 5: a killed waiter leaves nothing behind ---- */

static void test_killed_head(void **state)
{
	struct waiter *writer, *reader;

	(void)state;
	policy(FIFO, false);
	down_read(&sem);
	writer = queue(true, PARK_KILLABLE, false);
	reader = queue(false, PARK_KILLABLE, false);
	sim_signal(writer->task, SIM_SIGNAL_ANY);
	for (unsigned int i = 0; i < 100; i++)
		host_yield();
	assert_int_equal(nr_queued(), 2); /* not a fatal one */
	sim_signal(writer->task, SIM_SIGNAL_FATAL);
	wait_for(&nr_done, 1);
	assert_false(rwsem_is_contended(&sem));
	up_read(&sem);
	finish();
	assert_int_equal(writer->result, -EINTR);
	assert_int_equal(reader->result, 0);
}

static void test_interrupted(void **state)
{
	struct waiter *w[2];

	(void)state;
	policy(FIFO, true);
	down_write(&sem);
	for (unsigned int i = 0; i < 2; i++)
		w[i] = queue(i, PARK_INTERRUPTIBLE, false);
	for (unsigned int i = 0; i < 2; i++)
		sim_signal(w[i]->task, SIM_SIGNAL_ANY);
	while (rwsem_is_contended(&sem))
		host_yield();
	up_write(&sem);
	finish();
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(w[i]->result, -EINTR);
}

/* ---- 6: a signal against a grant ---- */

static void test_kill_races_with_grant(void **state)
{
	unsigned int got = 0, killed = 0;

	(void)state;
	for (unsigned int i = 0; i < 150; i++) {
		struct waiter *w;

		policy(i % 3, i % 2);
		down_write(&sem);
		w = start_waiter(t_random() % 2, PARK_KILLABLE, false);
		start_waiter(t_random() % 2, PARK_UNINTERRUPTIBLE, false);
		for (u64 n = t_below(20); n; n--)
			host_yield();
		if (t_random() % 2) {
			sim_signal(w->task, SIM_SIGNAL_FATAL);
			up_write(&sem);
		} else {
			up_write(&sem);
			sim_signal(w->task, SIM_SIGNAL_FATAL);
		}
		finish();
		assert_true(w->result == 0 || w->result == -EINTR);
		assert_int_equal(nr_done, 1 + !w->result);
		*(w->result ? &killed : &got) += 1;
	}
	print_message("got %u, killed %u\n", got, killed);
}

/* ---- 7: downgrade ---- */

static void test_downgrade(void **state)
{
	struct waiter *w[3];

	(void)state;
	for (unsigned int p = FIFO; p <= READER_FIRST; p += READER_FIRST) {
		policy(p, true);
		down_write(&sem);
		for (unsigned int i = 0; i < 3; i++)
			w[i] = queue(i == 1, PARK_UNINTERRUPTIBLE, i != 1);
		downgrade_write(&sem);
		wait_for(&nr_inside, 2);
		assert_int_equal(nr_queued(), 1);
		assert_false(rwsem_is_write_locked(&sem));
		let_go(w[0]);
		let_go(w[2]);
		wait_for(&nr_inside, 0);
		assert_int_equal(nr_queued(), 1);
		up_read(&sem);
		wait_for(&nr_done, 3);
		finish();
		assert_int_equal(order[2], 1);
	}
}

/* ---- 8: more readers than one batch ---- */

/* Each on a CPU of its own: two that share one would share what the CPU holds. */
#define MANY (MAX_CPUS - 2)

static void test_many_readers(void **state)
{
	(void)state;
	policy(FIFO, false);
	down_write(&sem);
	for (unsigned int i = 0; i < MANY; i++)
		start_waiter(false, PARK_UNINTERRUPTIBLE, true);
	while (nr_queued() < MANY)
		usleep(1000);
	queue(true, PARK_UNINTERRUPTIBLE, false);
	up_write(&sem);
	wait_for(&nr_inside, MANY);
	assert_int_equal(nr_queued(), 1);
	for (unsigned int i = 0; i < MANY; i++)
		let_go(&waiters[i]);
	wait_for(&nr_done, MANY + 1);
	finish();
	assert_int_equal(order[MANY], MANY);
}

/* ---- 9: trylock ---- */

static void test_trylock(void **state)
{
	struct waiter *w;

	(void)state;
	policy(FIFO, true);
	down_read(&sem);
	assert_true(down_read_trylock(&sem));
	assert_false(down_write_trylock(&sem));
	up_read(&sem);
	w = queue(true, PARK_UNINTERRUPTIBLE, true);
	assert_false(down_read_trylock(&sem));
	assert_false(down_write_trylock(&sem));
	up_read(&sem);
	wait_for(&nr_inside, 1);
	assert_false(down_read_trylock(&sem));
	assert_false(down_write_trylock(&sem));
	let_go(w);
	finish();
	assert_true(down_write_trylock(&sem));
	up_write(&sem);
}

/* ---- the other policies ---- */

static void test_writers_first(void **state)
{
	(void)state;
	policy(WRITER_FIRST, false);
	down_write(&sem);
	queue(false, PARK_UNINTERRUPTIBLE, false);
	queue(true, PARK_UNINTERRUPTIBLE, false);
	queue(true, PARK_UNINTERRUPTIBLE, false);
	up_write(&sem);
	wait_for(&nr_done, 3);
	finish();
	assert_true(order[0] == 1 && order[1] == 2 && order[2] == 0);
}

static void test_readers_first(void **state)
{
	struct waiter *reader;

	(void)state;
	policy(READER_FIRST, false);
	down_read(&sem);
	queue(true, PARK_UNINTERRUPTIBLE, false);
	reader = start_waiter(false, PARK_UNINTERRUPTIBLE, false);
	wait_for(&nr_done, 1);
	assert_int_equal(order[0], reader->id);
	up_read(&sem);
	wait_for(&nr_done, 2);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exclusion),
		cmocka_unit_test(test_no_starvation),
		cmocka_unit_test(test_readers_in_one_batch),
		cmocka_unit_test(test_arrival_order),
		cmocka_unit_test(test_killed_head),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_kill_races_with_grant),
		cmocka_unit_test(test_downgrade),
		cmocka_unit_test(test_many_readers),
		cmocka_unit_test(test_trylock),
		cmocka_unit_test(test_writers_first),
		cmocka_unit_test(test_readers_first),
	};

	(void)host_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
