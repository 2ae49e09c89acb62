/* SPDX-License-Identifier: MIT
 *
 * RCU: readers against those who replace what is read. A replaced object is overwritten before its memory goes, so
 * that a reader who comes too late sees it, and ThreadSanitizer sees it without that.
 */
#include "crew.h"

#include <sync/rcu.h>

#define ROUNDS 300UL
#define ALIVE 0x600dUL
#define DEAD 0xdeadUL

struct object {
	unsigned long state, copy;
	struct rcu_head rcu;
};

static struct object *shared; /* [A] */
static long allocated, freed; /* [A] */

static struct object *new_object(void)
{
	struct object *o = kmalloc(sizeof(*o), GFP_KERNEL);

	BUG_ON(!o);
	o->state = ALIVE;
	o->copy = ALIVE;
	__atomic_add_fetch(&allocated, 1, __ATOMIC_RELAXED);
	return o;
}

static void free_object(struct object *o)
{
	BUG_ON(o->state != ALIVE);
	o->state = DEAD;
	kfree(o);
	__atomic_add_fetch(&freed, 1, __ATOMIC_RELAXED);
}

static void free_by_rcu(struct rcu_head *head)
{
	free_object((struct object *)((char *)head - offsetof(struct object, rcu)));
}

static void reader(u64 *x)
{
	while (!is_done()) {
		struct object *o;

		rcu_read_lock();
		o = __atomic_load_n(&shared, __ATOMIC_ACQUIRE);
		BUG_ON(o->state != ALIVE);
		if (next_random(x) % 4 == 0) {
			rcu_read_lock(); /* they nest */
			cpu_relax();
			rcu_read_unlock();
		}
		BUG_ON(o->copy != ALIVE);
		rcu_read_unlock();
	}
}

static struct object *replace(void)
{
	return __atomic_exchange_n(&shared, new_object(), __ATOMIC_ACQ_REL);
}

static void caller(u64 *x)
{
	for (unsigned long i = 0; i < ROUNDS; i++) {
		call_rcu(&replace()->rcu, free_by_rcu);
		if (next_random(x) % 16 == 0)
			rcu_barrier();
	}
	rcu_barrier();
}

static void waiter(u64 *x)
{
	(void)x;
	while (!is_done()) {
		struct object *old = replace();

		synchronize_rcu();
		free_object(old);
	}
}

static void test_readers(void **state)
{
	static void (*const fns[])(u64 * x) = { caller, reader, reader, waiter, caller, reader };

	(void)state;
	allocated = 0;
	freed = 0;
	shared = new_object();
	run(fns, ARRAY_SIZE(fns));
	rcu_barrier();
	free_object(shared);
	assert_int_equal(allocated, freed);
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_readers) };

	(void)host_seed();
	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
