/* SPDX-License-Identifier: MIT
 *
 * The end of a folio's life, and its sleeping lock.
 */
#include "internal.h"

#ifdef CONFIG_DEBUG
u32 folio_lock_class;
#endif

void folio_free(struct folio *folio)
{
	ASSERT(atomic_read(&folio->refcount) == 0);
	ASSERT(atomic_read(&folio->mapcount) == 0);
	ASSERT(atomic_read(&folio->mlock_count) == 0);
	if (folio_test(folio, PG_lru))
		lru_del_dead(&folio, 1);
	RACY_WRITE(folio->flags, 0);
	free_pages(&folio->page, folio->order);
}

/* Folios that leave the LRU under one hold of its lock. */
#define PUT_BATCH 32

void folios_put(struct folio **folios, unsigned int n)
{
	struct folio *dead[PUT_BATCH];
	unsigned int nr = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (!atomic_dec_and_test(&folios[i]->refcount))
			continue;
		ASSERT(atomic_read(&folios[i]->mapcount) == 0);
		dead[nr++] = folios[i];
		if (nr == PUT_BATCH) {
			lru_del_dead(dead, nr);
			free_folios(dead, nr);
			nr = 0;
		}
	}
	if (nr) {
		lru_del_dead(dead, nr);
		free_folios(dead, nr);
	}
}

/*
 * Sleepers wait in a small table of queues found by the folio's address. PG_waiters is set before the
 * lock bit is looked at again, and the unlocker reads both in one operation, so no wake-up is lost.
 *
 * Once the bit is free the folio may be, too, unless someone waits: a waiter has a reference. So the unlocker
 * looks at the queue and not at the folio, and who got the bit without waiting clears PG_waiters by itself.
 */
struct folio_waiter {
	struct list_head node;
	struct folio *folio;
	struct task *task;
	bool woken;
};

#define WAIT_TABLE_BITS 6

static struct {
	spinlock_t lock;
	struct list_head waiters;
} wait_table[1 << WAIT_TABLE_BITS];

static unsigned int wait_slot(const struct folio *folio)
{
	return (folio_pfn(folio) * 0x9e3779b97f4a7c15UL) >> (64 - WAIT_TABLE_BITS);
}

void folio_wait_init(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(wait_table); i++) {
		spin_lock_init(&wait_table[i].lock);
		INIT_LIST_HEAD(&wait_table[i].waiters);
	}
}

/* The slot's lock held. */
static bool has_waiter(unsigned int slot, const struct folio *folio)
{
	const struct folio_waiter *w;

	list_for_each_entry(w, &wait_table[slot].waiters, node)
		if (w->folio == folio)
			return true;
	return false;
}

void folio_lock_slow(struct folio *folio)
{
	unsigned int slot = wait_slot(folio);
	struct folio_waiter w = { .folio = folio, .task = park_self() };

	for (;;) {
		spin_lock(&wait_table[slot].lock);
		folio_set(folio, PG_waiters);
		if (folio_lock_fast(folio)) {
			if (!has_waiter(slot, folio))
				folio_clear(folio, PG_waiters);
			spin_unlock(&wait_table[slot].lock);
			return;
		}
		w.woken = false;
		list_add_tail(&w.node, &wait_table[slot].waiters);
		spin_unlock(&wait_table[slot].lock);
		while (!__atomic_load_n(&w.woken, __ATOMIC_ACQUIRE))
			park(PARK_UNINTERRUPTIBLE);
	}
}

/* Wakes everyone who waits for this folio; they compete for the bit. */
void folio_unlock_slow(struct folio *folio)
{
	unsigned int slot = wait_slot(folio);
	struct folio_waiter *w, *next;

	spin_lock(&wait_table[slot].lock);
	if (has_waiter(slot, folio))
		folio_clear(folio, PG_waiters);
	list_for_each_entry_safe(w, next, &wait_table[slot].waiters, node) {
		struct task *task = w->task;

		if (w->folio != folio)
			continue;
		list_del(&w->node);
		__atomic_store_n(&w->woken, true, __ATOMIC_RELEASE);
		unpark(task);
	}
	spin_unlock(&wait_table[slot].lock);
}
