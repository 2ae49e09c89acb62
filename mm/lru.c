/* SPDX-License-Identifier: MIT
 *
 * The LRU lists: active and inactive, anonymous and file, and unevictable. A folio is on exactly one
 * (PG_lru set) or on none. Anonymous and tmpfs folios are "anon" here: swap backs both.
 *
 * A folio is unevictable while a VM_LOCKED vma maps it, which its mlock_count says exactly. Whoever
 * changes the count between 0 and 1 tells the LRU afterwards (lru_mlock, lru_munlock), which looks at the
 * count again under its own lock; so when two do that at once, the one who comes last sees what holds.
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

/* The list of one that is not unevictable. */
static inline enum lru_list folio_evictable_list(unsigned long flags)
{
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

static inline void set_flags(struct folio *folio, unsigned long bits)
{
	__atomic_or_fetch(&folio->flags, bits, __ATOMIC_RELAXED);
}

static inline void clear_flags(struct folio *folio, unsigned long bits)
{
	__atomic_and_fetch(&folio->flags, ~bits, __ATOMIC_RELAXED);
}

/* ---- on and off the lists ---- */

/* lru_lock held. */
static __noinline void add_mlocked(struct folio *folio)
{
	long n = (long)folio_nr_pages(folio);

	set_flags(folio, MLOCK_BITS | 1UL << PG_lru);
	stat_add(NR_MLOCK, n);
	stat_add(NR_UNEVICTABLE, n);
	stat_add(UNEVICTABLE_PGS_MLOCKED, n);
	stat_add(UNEVICTABLE_PGS_CULLED, n);
}

void lru_add(struct folio *folio)
{
	enum lru_list list = folio_evictable_list(RACY_READ(folio->flags));

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
	enum lru_list list = folio_evictable_list(RACY_READ(folio->flags));

	ASSERT(!folio_test(folio, PG_unevictable));
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

/* ---- between the evictable lists and the unevictable one ---- */

/* Pages that one hold of the lock moved from or to each evictable list, or [4] only marked. */
struct moved {
	long pages[NR_LRU_LISTS + 1];
};

#define NOT_ON_A_LIST NR_LRU_LISTS

/* sign 1: they became unevictable, -1: evictable. Both pages, all. */
static void count_moved(const struct moved *m, long sign)
{
	long on_lists = 0, all;

	for (unsigned int i = 0; i < NR_LRU_LISTS; i++) {
		stat_add(lru_stat(i), -sign * m->pages[i]);
		on_lists += m->pages[i];
	}
	all = on_lists + m->pages[NOT_ON_A_LIST];
	stat_add(NR_UNEVICTABLE, sign * on_lists);
	stat_add(NR_MLOCK, sign * all);
	if (sign > 0) {
		stat_add(UNEVICTABLE_PGS_CULLED, on_lists);
		stat_add(UNEVICTABLE_PGS_MLOCKED, all);
	} else {
		stat_add(UNEVICTABLE_PGS_RESCUED, on_lists);
		stat_add(UNEVICTABLE_PGS_MUNLOCKED, all);
	}
}

/* lru_lock held. */
static inline void cull(struct folio *folio, struct moved *m)
{
	unsigned long flags = RACY_READ(folio->flags);
	long n = (long)folio_nr_pages(folio);

	if (unlikely(!(flags & (1UL << PG_lru)))) {
		set_flags(folio, 1UL << PG_mlocked);
		m->pages[NOT_ON_A_LIST] += n;
		return;
	}
	m->pages[folio_evictable_list(flags)] += n;
	list_del(&folio->lru);
	if (unlikely(flags & (1UL << PG_active)))
		clear_flags(folio, 1UL << PG_active);
	set_flags(folio, MLOCK_BITS);
}

/* lru_lock held. */
static inline void rescue(struct folio *folio, struct moved *m)
{
	unsigned long flags = RACY_READ(folio->flags);
	long n = (long)folio_nr_pages(folio);
	enum lru_list list = NOT_ON_A_LIST;

	clear_flags(folio, MLOCK_BITS);
	if (likely(flags & (1UL << PG_lru))) {
		list = folio_evictable_list(flags);
		list_add(&folio->lru, &lru.lists[list]);
	}
	m->pages[list] += n;
}

void lru_mlock(struct folio **folios, unsigned int n)
{
	struct moved m = { 0 };

	spin_lock(&lru.lock);
	for (unsigned int i = 0; i < n; i++)
		if (likely(atomic_read(&folios[i]->mlock_count) > 0) &&
		    likely(!folio_test(folios[i], PG_mlocked)))
			cull(folios[i], &m);
	spin_unlock(&lru.lock);
	count_moved(&m, 1);
}

void lru_munlock(struct folio **folios, unsigned int n)
{
	struct moved m = { 0 };

	spin_lock(&lru.lock);
	for (unsigned int i = 0; i < n; i++)
		if (likely(atomic_read(&folios[i]->mlock_count) == 0) &&
		    likely(folio_test(folios[i], PG_mlocked)))
			rescue(folios[i], &m);
	spin_unlock(&lru.lock);
	count_moved(&m, -1);
}
