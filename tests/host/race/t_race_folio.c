/* SPDX-License-Identifier: MIT
 *
 * The folio lock between threads that free the folio: whoever unlocks it may have given its reference away
 * before, as a fault does to the entry that it installs. A slot's reference is dropped by who locked the folio,
 * as truncate does to the page cache's.
 *
 * And the wait for a folio that moves, by a task that ends as soon as it has heard that the folio is there.
 */
#include "../../../mm/folio.h"
#include "t.h"

#include <pthread.h>

#define NR_THREADS 3
#define ROUNDS 40000UL
#define SLOTS 2

/* A slot owns a reference to its folio. */
static struct {
	spinlock_t lock;
	struct folio *folio; /* [lock] */
} slots[SLOTS];

static u64 next_random(u64 *x)
{
	*x = *x * 6364136223846793005UL + 1442695040888963407UL;
	return *x >> 33;
}

/* Takes what is in the slot, or another reference to it. */
static struct folio *grab(unsigned int slot, bool take)
{
	struct folio *folio;

	spin_lock(&slots[slot].lock);
	folio = slots[slot].folio;
	if (take)
		slots[slot].folio = NULL;
	else if (folio)
		folio_get(folio);
	spin_unlock(&slots[slot].lock);
	return folio;
}

/* Gives the caller's reference to the slot; returns the one that the slot had. */
static struct folio *give(unsigned int slot, struct folio *folio)
{
	struct folio *old;

	spin_lock(&slots[slot].lock);
	old = slots[slot].folio;
	slots[slot].folio = folio;
	spin_unlock(&slots[slot].lock);
	return old;
}

static void *user(void *arg)
{
	u64 x = (u64)arg * 77777 + host_seed();

	sim_cpu.id = (unsigned int)(unsigned long)arg;
	for (unsigned long i = 0; i < ROUNDS; i++) {
		unsigned int slot = (unsigned int)(next_random(&x) % SLOTS);
		struct folio *folio = grab(slot, next_random(&x) % 2), *old = NULL;

		if (!folio)
			folio = folio_alloc(GFP_KERNEL, 0);
		BUG_ON(!folio);
		folio_lock(folio);
		folio->index++; /* plain: the lock protects it */
		if (next_random(&x) % 2) {
			old = give(slot, folio);
			folio_unlock(folio);
			folio = old;
			if (old)
				folio_lock(old);
		}
		if (folio) {
			folio_unlock(folio);
			folio_put(folio);
		}
	}
	return NULL;
}

static void test_lock(void **state)
{
	pthread_t threads[NR_THREADS];

	(void)state;
	for (unsigned int i = 0; i < SLOTS; i++)
		spin_lock_init(&slots[i].lock);
	for (unsigned int i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, user, (void *)(i + 1UL)), 0);
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i < SLOTS; i++) {
		struct folio *folio = grab(i, true);

		if (!folio)
			continue;
		/* Nobody waits: nobody is promised to be woken. */
		assert_false(folio_test(folio, PG_waiters));
		assert_false(folio_test(folio, PG_locked));
		folio_put(folio);
	}
}

/* ---- folio_wait_moved() ---- */

#define MOVES 3000U

static struct {
	spinlock_t ptl;
	struct folio *folio;
	bool moving;	     /* [ptl] there is a migration entry */
	struct task *waiter; /* the test's own */
	bool done;
} moves;

static void set_moving(bool moving)
{
	spin_lock(&moves.ptl);
	moves.moving = moving;
	spin_unlock(&moves.ptl);
}

static bool moves_done(void)
{
	return __atomic_load_n(&moves.done, __ATOMIC_RELAXED);
}

static void *mover(void *unused)
{
	sim_cpu.id = 1;
	for (unsigned int i = 0; i < MOVES; i++) {
		folio_lock(moves.folio);
		set_moving(true);
		host_yield();
		set_moving(false);
		folio_unlock(moves.folio);
	}
	__atomic_store_n(&moves.done, true, __ATOMIC_RELAXED);
	return unused;
}

/* As many tasks, one after the other, as there are waits: each ends when it has been told. */
static void fault_and_end(void)
{
	while (!moves_done()) {
		sim_task_ended(false);
		spin_lock(&moves.ptl);
		if (moves.moving)
			folio_wait_moved(moves.folio, &moves.ptl);
		else
			spin_unlock(&moves.ptl);
		sim_task_ended(true);
		host_yield();
	}
	sim_task_ended(false);
}

/* Whoever sleeps may wake for nothing, and looks. */
static void *disturber(void *unused)
{
	sim_cpu.id = 2;
	while (!moves_done()) {
		sim_wake_for_nothing(moves.waiter);
		host_yield();
	}
	return unused;
}

static void test_wait_moved(void **state)
{
	static void *(*const fns[])(void *) = { mover, disturber };
	pthread_t threads[ARRAY_SIZE(fns)];

	(void)state;
	spin_lock_init(&moves.ptl);
	moves.folio = folio_alloc(GFP_KERNEL, 0);
	moves.waiter = park_self();
	sim_unpark_yields = 10;
	for (unsigned int i = 0; i < ARRAY_SIZE(fns); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fns[i], NULL), 0);
	fault_and_end();
	for (unsigned int i = 0; i < ARRAY_SIZE(fns); i++)
		pthread_join(threads[i], NULL);
	sim_unpark_yields = 0;
	folio_put(moves.folio);
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_lock), T(test_wait_moved) };

	(void)host_seed();
	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
