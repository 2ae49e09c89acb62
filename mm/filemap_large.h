/* SPDX-License-Identifier: MIT
 *
 * Large folios in the page cache: docs/folios.md. Shared by filemap.c, filemap_large.c, shmem_large.c and truncate.c.
 */
#ifndef MM_FILEMAP_LARGE_H
#define MM_FILEMAP_LARGE_H

#include "fault_ctx.h"
#include "large.h"
#include "mapcount.h"

/* The page of a file's folio that is at index, which it covers. */
static inline struct page *folio_page_at(struct folio *folio, unsigned long index)
{
	return folio_page(folio, index - folio->index);
}

static inline unsigned long folio_pfn_at(const struct folio *folio, unsigned long index)
{
	return folio_pfn(folio) + (index - folio->index);
}

static inline void *folio_address_at(const struct folio *folio, unsigned long index)
{
	return (char *)folio_address(folio) + ((index - folio->index) << PAGE_SHIFT);
}

/* Pages that a read fault maps around its own, at most. */
#define FAULT_AROUND_ORDER 4
#define FAULT_AROUND_MAX (1U << FAULT_AROUND_ORDER)

/*
 * A fault on it maps more than going around the fault does: all of it. Not so the smaller ones of a store, of which others
 * are beside it as a rule; those of tmpfs came one by one.
 */
static inline bool folio_is_mapped_whole(const struct folio *folio)
{
	unsigned long flags = RACY_READ(folio->flags);

	return (flags & 1UL << PG_large) &&
	       (flags & 1UL << PG_swapbacked || folio->order >= FAULT_AROUND_ORDER);
}

/* Pages that the file is to have are charged to its quota. False: it has no room for them. */
static inline bool mapping_charge(struct mapping *m, unsigned long pages)
{
	struct page_quota *q = m->quota;

	if (!q || likely(atomic_add_return(&q->used, (long)pages) <= READ_ONCE(q->max)))
		return true;
	atomic_sub(&q->used, (long)pages);
	return false;
}

/* It did not get them. */
static inline void mapping_uncharge(struct mapping *m, unsigned long pages)
{
	if (m->quota)
		atomic_sub(&m->quota->used, (long)pages);
}

/*
 * The folio's pages joined the cache (sign 1) or left it (-1): gauges, and of the quota what they gave back; filemap_insert()
 * charges it.
 */
void mapping_count_large(struct mapping *m, const struct folio *folio, long sign);
static inline void mapping_count_folio(struct mapping *m, const struct folio *folio, long sign)
{
	if (unlikely(folio->order)) {
		mapping_count_large(m, folio, sign);
		return;
	}
	if (sign < 0 && m->quota)
		atomic_dec(&m->quota->used);
	stat_add(NR_FILE_PAGES, sign);
	if (m->flags & MAPPING_SHMEM)
		stat_add(NR_SHMEM, sign);
}

/* ---- filemap_large.c ---- */

/*
 * Those of n entries from pte that are none map the folio's pages from page on, which is large. How many; rss and
 * pte_used() are the caller's. Page-table lock held.
 */
unsigned long filemap_map_run(pte_t *pte, struct page *page, unsigned long n, struct folio *folio,
			      pte_t prot);
/*
 * A fault got this large folio, locked, with a reference, which both are dropped: all of its pages that the vma
 * has, that are in the table of the address and in the file, are mapped at once. FAULT_RETRY: the entry changed.
 */
enum fault_result fault_map_large(struct mm *mm, struct fault_ctx *f, struct folio *folio);
/*
 * The same for a folio of 2 MiB and f->addr and f->pte at its start, no fault; what maps it already is made such that all
 * can be mapped as one. False: the vma has something else there, too.
 */
bool filemap_map_whole(struct mm *mm, struct fault_ctx *f, struct folio *folio);

/* ---- shmem_large.c ---- */

/* Some size has a policy of its own: shmem_set_size_policy(). */
extern bool shmem_sizes_set;

/* Files with this policy (mapping->huge) may have large folios, without looking any further. */
static inline bool shmem_may_be_large(const unsigned long *huge)
{
	return huge &&
	       (READ_ONCE(*huge) != SHMEM_HUGE_NEVER ||
		READ_ONCE(knob_thp_shmem) == SHMEM_HUGE_FORCE || READ_ONCE(shmem_sizes_set));
}

static inline bool mapping_may_be_large(const struct mapping *m)
{
	return shmem_may_be_large(m->huge);
}

/* What a fault at this page of the vma's file may bring. Bit n: order n. */
unsigned long shmem_fault_orders(const struct vma *vma, unsigned long index);
/* What some page of a file with this policy may have, in an area of MADV_HUGEPAGE at least. Bit n: order n. */
unsigned long shmem_orders(const unsigned long *huge);
/* filemap_new_large() for a fault in vma, or NULL: none. */
struct folio *shmem_new_large(struct mapping *m, const struct vma *vma, unsigned long index,
			      u64 end);

#endif
