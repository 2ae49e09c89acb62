/* SPDX-License-Identifier: MIT
 *
 * The locked entries that map a folio, and what the LRU is told when the first comes and the last goes: lru_mlock.c,
 * mlock_batch.c, mlock_rmap.c.
 */
#ifndef MM_MLOCK_COUNT_H
#define MM_MLOCK_COUNT_H

#include "mapcount.h"

/*
 * Some of these folios became locked as a whole, or no longer are: each goes to the list where it belongs now,
 * whoever else changes it at the same time. They are mapped under a held page-table lock, or referenced.
 */
void lru_mlock_now(struct folio **folios, unsigned int n);
void lru_munlock_now(struct folio **folios, unsigned int n);
/* The same later, with others: mlock_batch.c. Every CPU drains its own batch. */
void mlock_batch_add(struct folio **folios, unsigned int n);
void mlock_batch_empty(void);

static inline bool mlock_batched(void)
{
	return unlikely(knob_mlock_batch > 1);
}
static inline void mlock_batch_drain(void)
{
	if (mlock_batched())
		mlock_batch_empty();
}
static inline void lru_mlock(struct folio **folios, unsigned int n)
{
	if (mlock_batched())
		mlock_batch_add(folios, n);
	else
		lru_mlock_now(folios, n);
}
static inline void lru_munlock(struct folio **folios, unsigned int n)
{
	if (mlock_batched())
		mlock_batch_add(folios, n);
	else
		lru_munlock_now(folios, n);
}
/* New folios in locked mappings, on no list: marked as locked, and bits set, at once; listed when the batch is drained. */
void mlock_batch_add_new(struct folio **folios, unsigned int n, unsigned long bits);
void lru_mark_mlocked(struct folio *folio, unsigned long bits);
void lru_add_marked(struct folio *folio);

/*
 * Knob mlock_count=rmap: mlock_count of a folio of one page is not 0 while it is locked, and after an entry lost
 * PTE_MLOCKED all others are looked at, when no page-table lock is held any more: mlock_rmap.c. Folios referenced.
 */
static inline bool mlock_by_rmap(void)
{
	return unlikely(knob_mlock_count == MLOCK_COUNT_RMAP);
}
void mlock_recount(struct folio **folios, unsigned int n);
/* Entries [pte, end) of one table, as mark_table() in mlock.c. Its lock not held. */
void mark_by_rmap(pte_t *pte, const pte_t *end, bool lock);

/* True: mlock_count became 1, lru_mlock() is to be told. */
static inline bool mlock_count_up(struct folio *folio)
{
	if (mlock_by_rmap())
		return atomic_xchg(&folio->mlock_count, 1) == 0;
	return atomic_add_return(&folio->mlock_count, 1) == 1;
}
/* True: it became 0, or may have: folios_munlocked(). */
static inline bool mlock_count_down(struct folio *folio)
{
	return mlock_by_rmap() || atomic_dec_and_test(&folio->mlock_count);
}
/* mlock_count_down() said so of some of these. Referenced, no page-table lock held. */
static inline void folios_munlocked(struct folio **folios, unsigned int n)
{
	if (mlock_by_rmap())
		mlock_recount(folios, n);
	else
		lru_munlock(folios, n);
}

/*
 * One more, one fewer locked mapping of a folio that the LRU may know: PTE_MLOCKED was just set or
 * cleared in an entry that maps it. The page-table lock is held, or a reference.
 */
static inline void page_mlock(struct folio *folio, struct page *page)
{
	if (unlikely(folio_is_large(folio)))
		large_mlock(folio, page, 1);
	else if (mlock_count_up(folio))
		lru_mlock(&folio, 1);
}

/* folios_munlocked() is owed when mlock_by_rmap(). */
static inline void page_munlock(struct folio *folio, struct page *page)
{
	if (unlikely(folio_is_large(folio)))
		large_munlock(folio, page, 1);
	else if (!mlock_by_rmap() && atomic_dec_and_test(&folio->mlock_count))
		lru_munlock(&folio, 1);
}

#endif
