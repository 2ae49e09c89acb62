/* SPDX-License-Identifier: MIT
 *
 * The entries that map a folio, counted for each of its pages: large.c has those of large folios. Page-table lock of the
 * entries held.
 */
#ifndef MM_MAPCOUNT_H
#define MM_MAPCOUNT_H

#include "large.h"
#include "vma.h"

static inline enum rss_kind folio_rss_kind(const struct folio *folio)
{
	if (folio_test(folio, PG_anon))
		return RSS_ANON;
	return folio_test(folio, PG_swapbacked) ? RSS_SHMEM : RSS_FILE;
}

/*
 * An anonymous folio is about to be mapped at addr for the first time: it can be found from now on. After
 * anon_vma_prepare(). shared: its contents came from swap, and other vmas of the fork tree may come to map it.
 */
static inline void folio_set_anon(struct folio *folio, const struct vma *vma, unsigned long addr,
				  bool shared)
{
	folio->anon_vma = shared ? vma->anon_vma->root : vma->anon_vma;
	folio->index = vma_index(vma, addr);
}

/* A page-table entry now maps the folio. Page-table lock held. */
static inline void folio_add_rmap(struct folio *folio)
{
	if (atomic_add_return(&folio->mapcount, 1) == 1)
		stat_inc(folio_test(folio, PG_anon) ? NR_ANON_PAGES : NR_FILE_MAPPED);
}

/* ---- large.c: the counts of large folios. Page-table lock of the entries held ---- */

/* The counts of a new one. */
void large_init(struct folio *folio);
/* A new one with these PG_ flags and what all of them have, of no file or address yet; or NULL. */
struct folio *large_alloc(gfp_t gfp, unsigned int order, unsigned long flags);
/* The same, zeroed and without reclaim; for a fault in vma (or NULL) that asks for it memory is compacted. */
struct folio *large_alloc_for_fault(const struct vma *vma, unsigned int order, unsigned long flags);
/*
 * One entry for each page of a new anonymous folio, which nobody else has yet, and a reference for each. huge: their table
 * is promoted.
 */
void large_map_new(struct folio *folio, bool mlocked, bool huge);
/* n entries that map n pages from page were made, or cleared. References and rss are the caller's. */
void large_map(struct folio *folio, struct page *page, unsigned int n);
/* True: some pages are mapped no more, and others are; split_later(). */
bool large_unmap(struct folio *folio, struct page *page, unsigned int n);
/* The same for a promoted table. */
void large_map_whole(struct folio *folio);
bool large_unmap_whole(struct folio *folio);
/* A promoted table is not any more, and the other way round: nothing is mapped or unmapped. */
void large_map_apart(struct folio *folio);
void large_map_together(struct folio *folio);
/* Pages that are mapped at all. */
int large_nr_mapped(const struct folio *folio);
/* PTE_MLOCKED was set, or cleared, in them. */
void large_mlock(struct folio *folio, struct page *page, unsigned int n);
void large_munlock(struct folio *folio, struct page *page, unsigned int n);
/*
 * How many entries from pte, which maps a page of a large folio, at most max, map its pages in order, with the same bits
 * but for PTE_A and PTE_D.
 */
unsigned int large_run(const pte_t *pte, unsigned int max);

/* Entries that map one page of any folio: one more, one fewer; PTE_MLOCKED set, cleared. Page-table lock held. */
static inline void page_add_rmap(struct folio *folio, struct page *page)
{
	if (unlikely(folio_is_large(folio)))
		large_map(folio, page, 1);
	else
		folio_add_rmap(folio);
}

static inline void page_remove_rmap(struct folio *folio, struct page *page)
{
	if (unlikely(folio_is_large(folio))) {
		if (large_unmap(folio, page, 1))
			split_later(folio);
	} else if (atomic_dec_and_test(&folio->mapcount))
		stat_add(folio_test(folio, PG_anon) ? NR_ANON_PAGES : NR_FILE_MAPPED, -1);
}

#endif
