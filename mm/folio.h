/* SPDX-License-Identifier: MIT
 *
 * What mm/ alone does with a folio: folio.c.
 */
#ifndef MM_FOLIO_H
#define MM_FOLIO_H

#include "internal.h"

/* A folio as folio_alloc() returns it, of allocated pages. */
struct folio *folio_make(struct page *page, unsigned int order);

/* Whoever sees it set sees the contents, too. */
static inline bool folio_uptodate(const struct folio *folio)
{
	return __atomic_load_n(&folio->flags, __ATOMIC_ACQUIRE) >> PG_uptodate & 1;
}
static inline void folio_set_uptodate(struct folio *folio)
{
	__atomic_or_fetch(&folio->flags, 1UL << PG_uptodate, __ATOMIC_RELEASE);
}

/* The contents. Both are of the same order. */
static inline void folio_copy(struct folio *to, struct folio *from)
{
	for (unsigned long i = 0; i < folio_nr_pages(from); i++)
		copy_page(page_address(folio_page(to, i)), page_address(folio_page(from, i)));
}

/* Drops one reference to each of n folios; those that die leave the LRU and are freed together. The array is used up. */
void folios_put(struct folio **folios, unsigned int n);
void folio_wait_init(void);
/*
 * Waits until the folio that a migration entry names is unlocked: its mover is done. No reference, which would keep it
 * from moving. The page-table lock of the entry is held, and dropped.
 */
void folio_wait_moved(struct folio *folio, spinlock_t *ptl);

/* A page of tmpfs or of shared anonymous memory. */
static inline bool folio_is_shmem(const struct folio *folio)
{
	return (READ_ONCE(folio->flags) & (1UL << PG_anon | 1UL << PG_swapbacked |
					   1UL << PG_swapcache)) == 1UL << PG_swapbacked;
}

#endif
