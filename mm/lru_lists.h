/* SPDX-License-Identifier: MIT
 *
 * The LRU lists from inside: mm/lru.c, whose head says how they work, and mm/lru_mlock.c.
 */
#ifndef MM_LRU_LISTS_H
#define MM_LRU_LISTS_H

#include "lru.h"

struct lru {
	spinlock_t lock;		      /* lru_lock */
	struct list_head lists[NR_LRU_LISTS]; /* [lock] */
};

extern struct lru lru;

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

#define MLOCK_BITS (1UL << PG_mlocked | 1UL << PG_unevictable)

static inline void set_flags(struct folio *folio, unsigned long bits)
{
	__atomic_or_fetch(&folio->flags, bits, __ATOMIC_RELEASE);
}

static inline void clear_flags(struct folio *folio, unsigned long bits)
{
	__atomic_and_fetch(&folio->flags, ~bits, __ATOMIC_RELAXED);
}

/*
 * The folio's file keeps it in memory. Its owner, a vma or a reference keeps the file, or nobody else can reach the
 * folio any more.
 */
static inline bool file_unevictable(const struct folio *folio)
{
	const struct mapping *m;

	if (likely(RACY_READ(folio->flags) & (1UL << PG_anon)))
		return false;
	m = RACY_READ(folio->mapping);
	return m && mapping_unevictable(m);
}

/* From the new folios of a CPU to the list of all. lru_lock held. */
void lru_leave_new(struct folio *folio);

#endif
