/* SPDX-License-Identifier: MIT
 *
 * The folio lock between threads that free the folio: whoever unlocks it may have given its reference away
 * before, as a fault does to the entry that it installs. A slot's reference is dropped by who locked the folio,
 * as truncate does to the page cache's.
 */
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

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_lock) };

	(void)host_seed();
	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
