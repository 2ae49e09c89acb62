/* SPDX-License-Identifier: MIT
 *
 * The LRU lists: active and inactive, anonymous and file, and unevictable. A folio is on exactly one
 * (PG_lru set) or on none. Anonymous and tmpfs folios are "anon" here: swap backs both.
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
	NR_LRU_LISTS,
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

void lru_add(struct folio *folio)
{
	enum lru_list list = folio_lru_list(RACY_READ(folio->flags));

	ASSERT(!folio_test(folio, PG_lru));
	spin_lock(&lru.lock);
	folio_set(folio, PG_lru);
	list_add(&folio->lru, &lru.lists[list]);
	spin_unlock(&lru.lock);
	stat_add(lru_stat(list), (long)folio_nr_pages(folio));
}

/* lru_lock held. */
static inline void del_locked(struct folio *folio)
{
	stat_add(lru_stat(folio_lru_list(RACY_READ(folio->flags))), -(long)folio_nr_pages(folio));
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
