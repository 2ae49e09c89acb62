/* SPDX-License-Identifier: MIT
 *
 * The LRU lists: active and inactive, anonymous and file, and unevictable. A folio is on exactly one
 * (PG_lru set) or on none. Anonymous and tmpfs folios are "anon" here: swap backs both.
 *
 * A folio is unevictable while a VM_LOCKED vma maps it, which its mlock_count says exactly. Whoever
 * changes the count between 0 and 1 tells the LRU afterwards (lru_mlock_changed), which looks at the
 * count under its own lock; so when two do that at once, the one who comes last sees what holds.
 * Nobody ever scans unevictable folios, so that list is only a number.
 *
 * Locking: one lru_lock, taken inside page-table locks, never from interrupts.
 */
#include "internal.h"

enum lru_list {
	LRU_INACTIVE_ANON,
	LRU_ACTIVE_ANON,
	LRU_INACTIVE_FILE,
	LRU_ACTIVE_FILE,
	LRU_UNEVICTABLE,
	NR_LRU_LISTS = LRU_UNEVICTABLE,
};

static struct {
	spinlock_t lock;
	struct list_head lists[NR_LRU_LISTS];
} lru;

void lru_init(void)
{
	spin_lock_init(&lru.lock);
	for (unsigned int i = 0; i < NR_LRU_LISTS; i++)
		INIT_LIST_HEAD(&lru.lists[i]);
}

static inline enum lru_list folio_lru_list(unsigned long flags)
{
	if (unlikely(flags & (1UL << PG_unevictable)))
		return LRU_UNEVICTABLE;
	return (flags & (1UL << PG_swapbacked) ? LRU_INACTIVE_ANON : LRU_INACTIVE_FILE) +
	       !!(flags & (1UL << PG_active));
}

static inline enum stat_item lru_stat(enum lru_list list)
{
	return (enum stat_item)((unsigned int)NR_INACTIVE_ANON + (unsigned int)list);
}

_Static_assert(NR_UNEVICTABLE - NR_INACTIVE_ANON == LRU_UNEVICTABLE,
	       "stats.def lists the LRU gauges in the order of enum lru_list");

#define MLOCK_BITS (1UL << PG_mlocked | 1UL << PG_unevictable)

/* What one hold of the lock did, in pages. */
struct mlock_events {
	long mlocked, munlocked, culled, rescued;
};

static void count_events(const struct mlock_events *e)
{
	stat_add(NR_MLOCK, e->mlocked - e->munlocked);
	stat_add(NR_UNEVICTABLE, e->culled - e->rescued);
	stat_add(UNEVICTABLE_PGS_MLOCKED, e->mlocked);
	stat_add(UNEVICTABLE_PGS_MUNLOCKED, e->munlocked);
	stat_add(UNEVICTABLE_PGS_CULLED, e->culled);
	stat_add(UNEVICTABLE_PGS_RESCUED, e->rescued);
}

static void set_flags(struct folio *folio, unsigned long set, unsigned long clear)
{
	if (clear)
		__atomic_and_fetch(&folio->flags, ~clear, __ATOMIC_RELAXED);
	if (set)
		__atomic_or_fetch(&folio->flags, set, __ATOMIC_RELAXED);
}

/* ---- on and off the lists ---- */

/* lru_lock held. */
static __noinline void add_mlocked(struct folio *folio)
{
	long n = (long)folio_nr_pages(folio);

	set_flags(folio, MLOCK_BITS | 1UL << PG_lru, 0);
	stat_add(NR_MLOCK, n);
	stat_add(NR_UNEVICTABLE, n);
	stat_add(UNEVICTABLE_PGS_MLOCKED, n);
	stat_add(UNEVICTABLE_PGS_CULLED, n);
}

void lru_add(struct folio *folio)
{
	enum lru_list list = folio_lru_list(RACY_READ(folio->flags));

	ASSERT(!folio_test(folio, PG_lru));
	spin_lock(&lru.lock);
	if (unlikely(atomic_read(&folio->mlock_count))) {
		add_mlocked(folio);
		spin_unlock(&lru.lock);
		return;
	}
	folio_set(folio, PG_lru);
	list_add(&folio->lru, &lru.lists[list]);
	spin_unlock(&lru.lock);
	stat_add(lru_stat(list), (long)folio_nr_pages(folio));
}

/* lru_lock held. */
static inline void del_locked(struct folio *folio)
{
	enum lru_list list = folio_lru_list(RACY_READ(folio->flags));

	ASSERT(list != LRU_UNEVICTABLE);
	stat_add(lru_stat(list), -(long)folio_nr_pages(folio));
	folio_clear(folio, PG_lru);
	list_del(&folio->lru);
}

void lru_del(struct folio *folio)
{
	spin_lock(&lru.lock);
	del_locked(folio);
	spin_unlock(&lru.lock);
}

void lru_del_batch(struct folio **folios, unsigned int n)
{
	spin_lock(&lru.lock);
	for (unsigned int i = 0; i < n; i++)
		if (folio_test(folios[i], PG_lru))
			del_locked(folios[i]);
	spin_unlock(&lru.lock);
}

/* ---- between the evictable lists and the unevictable one: lru_lock held ---- */

static inline void cull(struct folio *folio, struct mlock_events *e)
{
	unsigned long flags = RACY_READ(folio->flags);
	long n = (long)folio_nr_pages(folio);

	e->mlocked += n;
	if (unlikely(!(flags & (1UL << PG_lru)))) {
		folio_set(folio, PG_mlocked);
		return;
	}
	stat_add(lru_stat(folio_lru_list(flags)), -n);
	list_del(&folio->lru);
	set_flags(folio, MLOCK_BITS, flags & (1UL << PG_active));
	e->culled += n;
}

static inline void rescue(struct folio *folio, struct mlock_events *e)
{
	unsigned long flags = RACY_READ(folio->flags);
	long n = (long)folio_nr_pages(folio);
	enum lru_list list;

	e->munlocked += n;
	set_flags(folio, 0, MLOCK_BITS);
	if (unlikely(!(flags & (1UL << PG_lru))))
		return;
	list = folio_lru_list(flags & ~MLOCK_BITS);
	list_add(&folio->lru, &lru.lists[list]);
	stat_add(lru_stat(list), n);
	e->rescued += n;
}

void lru_mlock_changed(struct folio **folios, unsigned int n)
{
	struct mlock_events e = { 0 };

	spin_lock(&lru.lock);
	for (unsigned int i = 0; i < n; i++) {
		bool locked = atomic_read(&folios[i]->mlock_count) > 0;

		if (locked == folio_test(folios[i], PG_mlocked))
			continue;
		if (locked)
			cull(folios[i], &e);
		else
			rescue(folios[i], &e);
	}
	spin_unlock(&lru.lock);
	count_events(&e);
}
