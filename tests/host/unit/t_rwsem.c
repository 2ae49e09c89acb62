/* SPDX-License-Identifier: MIT
 *
 * The reader-writer lock, with real threads: exclusion, shared reading, downgrade, arrival order,
 * and a fatal signal while waiting. `make host-race` runs it under ThreadSanitizer too.
 */
#include "t.h"

#include <pthread.h>

#define THREADS 4
#define ROUNDS 3000

static struct rwsem sem;
static unsigned long left, right; /* always equal, except while a writer is between the two */
static int readers_inside, most_readers;

static void start(void *(*fn)(void *), unsigned int arg, pthread_t *thread)
{
	assert_int_equal(pthread_create(thread, NULL, fn, (void *)(unsigned long)arg), 0);
}

static void write_once(void)
{
	left++;
	host_yield();
	right++;
}

static void check_once(void)
{
	int inside = __atomic_add_fetch(&readers_inside, 1, __ATOMIC_RELAXED);

	if (inside > __atomic_load_n(&most_readers, __ATOMIC_RELAXED))
		__atomic_store_n(&most_readers, inside, __ATOMIC_RELAXED);
	BUG_ON(left != right);
	__atomic_sub_fetch(&readers_inside, 1, __ATOMIC_RELAXED);
}

static void *mixed(void *arg)
{
	unsigned long id = (unsigned long)arg, x = id * 0x9e3779b97f4a7c15UL + 1;

	sim_cpu.id = (unsigned int)id;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		x = x * 6364136223846793005UL + 1442695040888963407UL;
		switch (x >> 61) {
		case 0:
		case 1:
			down_write(&sem);
			write_once();
			up_write(&sem);
			break;
		case 2:
			down_write(&sem);
			write_once();
			downgrade_write(&sem);
			check_once();
			up_read(&sem);
			break;
		case 3:
			if (down_write_trylock(&sem)) {
				write_once();
				up_write(&sem);
			}
			break;
		default:
			down_read(&sem);
			check_once();
			up_read(&sem);
		}
	}
	return NULL;
}

static void test_exclusion(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	rwsem_init(&sem);
	for (unsigned int i = 0; i < THREADS; i++)
		start(mixed, i + 1, &threads[i]);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(left, right);
	assert_int_equal(sem.count, 0);
	assert_false(rwsem_is_locked(&sem) || rwsem_is_contended(&sem));
}

static void test_states(void **state)
{
	(void)state;
	rwsem_init(&sem);
	down_read(&sem);
	assert_true(down_read_trylock(&sem));
	assert_false(down_write_trylock(&sem));
	assert_true(rwsem_is_locked(&sem) && !rwsem_is_write_locked(&sem));
	up_read(&sem);
	up_read(&sem);
	assert_true(down_write_trylock(&sem));
	assert_true(rwsem_is_write_locked(&sem));
	assert_false(down_read_trylock(&sem));
	downgrade_write(&sem);
	assert_true(down_read_trylock(&sem));
	up_read(&sem);
	up_read(&sem);
	assert_int_equal(sem.count, 0);
}

static void *wait_killable(void *arg)
{
	sim_cpu.id = 1;
	return (void *)(long)(arg ? down_write_killable(&sem) : down_read_killable(&sem));
}

static void test_killed_waiter(void **state)
{
	void *result;
	pthread_t thread;

	(void)state;
	for (unsigned int writer = 0; writer < 2; writer++) {
		rwsem_init(&sem);
		down_write(&sem);
		sim_caller.fatal_signal = true;
		start(wait_killable, writer, &thread);
		pthread_join(thread, &result);
		sim_caller.fatal_signal = false;
		assert_int_equal((long)result, -EINTR);
		assert_false(rwsem_is_contended(&sem));
		up_write(&sem);
		assert_int_equal(sem.count, 0);
	}
}

static void *wait_writer(void *arg)
{
	(void)arg;
	sim_cpu.id = 1;
	down_write(&sem);
	left = 1;
	up_write(&sem);
	return NULL;
}

/* A reader that comes after a waiting writer does not get in before it. */
static void test_no_starvation(void **state)
{
	pthread_t thread;

	(void)state;
	rwsem_init(&sem);
	left = 0;
	down_read(&sem);
	start(wait_writer, 1, &thread);
	while (!rwsem_is_contended(&sem))
		host_yield();
	assert_false(down_read_trylock(&sem));
	up_read(&sem);
	down_read(&sem);
	assert_int_equal(left, 1);
	up_read(&sem);
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exclusion),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_killed_waiter),
		cmocka_unit_test(test_no_starvation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
