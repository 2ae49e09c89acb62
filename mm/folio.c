/* SPDX-License-Identifier: MIT
 *
 * The end of a folio's life, its sleeping lock, and the wait for its being written.
 */
#include "folio.h"
#include "large.h"
#include "lru.h"

#ifdef CONFIG_DEBUG
u32 folio_lock_class;
#endif

void folio_free(struct folio *folio)
{
	ASSERT(atomic_read(&folio->refcount) == 0);
	ASSERT(atomic_read(&folio->mapcount) == 0);
	ASSERT(atomic_read(&folio->mlock_count) == 0);
	lru_del_dead(&folio, 1);
	RACY_WRITE(folio->flags, 0);
	free_folios(&folio, 1);
}

/* How many leave the LRU under one hold of its lock at most. */
#define PUT_BATCH 64u

void folios_put(struct folio **folios, unsigned int n)
{
	unsigned int nr_dead = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct folio *folio = folios[i];

		if (!atomic_dec_and_test(&folio->refcount))
			continue;
		ASSERT(atomic_read(&folio->mapcount) == 0);
		folios[nr_dead++] = folio;
	}
	for (unsigned int i = 0; i < nr_dead; i += PUT_BATCH)
		lru_del_dead(folios + i, min(nr_dead - i, PUT_BATCH));
	/* All at once: the more, the more of them lie next to each other. */
	if (nr_dead)
		free_folios(folios, nr_dead);
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

/* What a sleeper waits for: false, go on waiting. Tried under the slot's lock, PG_waiters set. */
typedef bool (*wait_condition)(struct folio *folio);

/* 0, or -EINTR when a signal of the mode came first. */
static int wait_on(struct folio *folio, wait_condition condition, enum park_mode mode)
{
	unsigned int slot = wait_slot(folio);
	struct folio_waiter w = { .folio = folio, .task = park_self() };

	for (;;) {
		spin_lock(&wait_table[slot].lock);
		folio_set(folio, PG_waiters);
		if (condition(folio)) {
			if (!has_waiter(slot, folio))
				folio_clear(folio, PG_waiters);
			spin_unlock(&wait_table[slot].lock);
			return 0;
		}
		w.woken = false;
		list_add_tail(&w.node, &wait_table[slot].waiters);
		spin_unlock(&wait_table[slot].lock);
		while (!__atomic_load_n(&w.woken, __ATOMIC_ACQUIRE) && !park_interrupted(mode))
			park(mode);
		if (__atomic_load_n(&w.woken, __ATOMIC_ACQUIRE))
			continue;
		spin_lock(&wait_table[slot].lock);
		if (!w.woken)
			list_del(&w.node);
		spin_unlock(&wait_table[slot].lock);
		return -EINTR;
	}
}

void folio_lock_slow(struct folio *folio)
{
	(void)wait_on(folio, folio_lock_fast, PARK_UNINTERRUPTIBLE);
}

int folio_lock_killable_slow(struct folio *folio)
{
	int err = wait_on(folio, folio_lock_fast, PARK_KILLABLE);

	if (err)
		lockdep_release(folio, LOCKDEP_SLEEPING);
	return err;
}

void folio_wait_moved(struct folio *folio, spinlock_t *ptl)
{
	unsigned int slot = wait_slot(folio);
	struct folio_waiter w = { .folio = folio, .task = park_self() };

	ASSERT(folio_test(folio, PG_locked));
	spin_lock(&wait_table[slot].lock);
	folio_set(folio, PG_waiters);
	list_add_tail(&w.node, &wait_table[slot].waiters);
	spin_unlock(&wait_table[slot].lock);
	spin_unlock(ptl);
	while (!__atomic_load_n(&w.woken, __ATOMIC_ACQUIRE))
		park(PARK_UNINTERRUPTIBLE);
	/* Who said so may not have called unpark() yet, for which this task must be there. */
	spin_lock(&wait_table[slot].lock);
	spin_unlock(&wait_table[slot].lock);
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

/* ---- being written ---- */

void folio_start_writeback(struct folio *folio)
{
	ASSERT(folio_test(folio, PG_locked) && !folio_test(folio, PG_writeback));
	folio_get(folio);
	folio_set(folio, PG_writeback);
	stat_add(NR_WRITEBACK, (long)folio_nr_pages(folio));
}

void folio_end_writeback(struct folio *folio)
{
	unsigned long old;

	stat_add(NR_WRITEBACK, -(long)folio_nr_pages(folio));
	old = __atomic_fetch_and(&folio->flags, ~(1UL << PG_writeback), __ATOMIC_RELEASE);
	ASSERT(old & (1UL << PG_writeback));
	if (unlikely(old & (1UL << PG_waiters)))
		folio_unlock_slow(folio);
	if (old & (1UL << PG_reclaim)) {
		folio_clear(folio, PG_reclaim);
		lru_rotate(folio);
	}
	folio_put(folio);
}

static bool is_written(struct folio *folio)
{
	return !(__atomic_load_n(&folio->flags, __ATOMIC_ACQUIRE) & 1UL << PG_writeback);
}

void folio_wait_writeback(struct folio *folio)
{
	lockdep_may_sleep();
	if (unlikely(!is_written(folio)))
		(void)wait_on(folio, is_written, PARK_UNINTERRUPTIBLE);
}
