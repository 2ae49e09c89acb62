/* SPDX-License-Identifier: MIT
 *
 * Mapping large folios of files: many entries at once, and those of 2 MiB as one.
 */
#include "filemap_large.h"
#include "vma.h"
#include "writeback.h"

void mapping_count_large(struct mapping *m, const struct folio *folio, long sign)
{
	long pages = sign * (long)folio_nr_pages(folio);
	bool shmem = m->flags & MAPPING_SHMEM;

	if (sign < 0 && m->quota)
		atomic_add(&m->quota->used, pages);
	stat_add(NR_FILE_PAGES, pages);
	if (shmem)
		stat_add(NR_SHMEM, pages);
	if (folio->order == PMD_ORDER)
		stat_add(shmem ? NR_SHMEM_THPS : NR_FILE_THPS, sign);
}

/* Entries of one table, from pte on, and the pages of a folio that they are for. */
struct run {
	pte_t *pte;
	struct page *page;
	unsigned long n;
};

static void set_entries(const struct run *r, struct folio *folio, pte_t prot)
{
	pte_t e = pte_make(page_to_pfn(r->page), prot);

	for (unsigned long i = 0; i < r->n; i++)
		pte_set(r->pte + i, e + i * PAGE_SIZE);
	if (unlikely(pte_mlocked(prot)))
		large_mlock(folio, r->page, (unsigned int)r->n);
}

unsigned long filemap_map_run(pte_t *pte, struct page *page, unsigned long n, struct folio *folio,
			      pte_t prot)
{
	struct run r = { pte, page, 0 };
	const pte_t *end = pte + n;
	unsigned long mapped = 0;

	for (; r.pte < end; r.pte += r.n + 1, r.page += r.n + 1) {
		for (r.n = 0; r.pte + r.n < end && pte_none(pte_read(r.pte + r.n));)
			r.n++;
		if (!r.n)
			continue;
		folio_ref_add(folio, (int)r.n);
		large_map(folio, r.page, (unsigned int)r.n);
		set_entries(&r, folio, prot);
		mapped += r.n;
	}
	return mapped;
}

/* All 512, of a table that is prepared, of which none is in use. */
static unsigned long map_as_one(struct mm *mm, unsigned long addr, const struct run *r,
				struct folio *folio, pte_t prot)
{
	folio_ref_add(folio, (int)r->n);
	large_map_whole(folio);
	set_entries(r, folio, prot);
	huge_promote(mm, addr, r->pte);
	return r->n;
}

/* Page-table lock held. promote: the run is a table's, which is prepared. */
static void map_run(struct fault_ctx *f, const struct run *r, struct folio *folio, pte_t prot,
		    bool promote)
{
	struct mm *mm = f->vma->mm;
	unsigned long mapped, addr = ALIGN_DOWN(f->addr, PMD_SIZE);

	if (promote && ptes_are_none(r->pte, r->n)) {
		mapped = map_as_one(mm, addr, r, folio, prot);
	} else {
		mapped = filemap_map_run(r->pte, r->page, r->n, folio, prot);
	}
	pte_used_add(r->pte, r->n, (u32)mapped);
	atomic_add(&mm->rss[folio_rss_kind(folio)], (long)mapped);
	if (promote && !pte_is_promoted(r->pte))
		huge_promote_if_whole(mm, addr, r->pte);
	if (pte_is_promoted(r->pte))
		stat_inc(THP_FILE_MAPPED);
}

/* The pages of the folio that the vma has in the table of the fault's address, and that are in the file. */
static struct run run_around(const struct fault_ctx *f, struct folio *folio)
{
	const struct vma *vma = f->vma;
	unsigned long table = ALIGN_DOWN(f->addr, PMD_SIZE);
	unsigned long from = max(table, vma->start), to = min(table + PMD_SIZE, vma->end);
	unsigned long here = vma_index(vma, f->addr);
	unsigned long first = max(folio->index, vma_index(vma, from));
	unsigned long end = min(folio->index + folio_nr_pages(folio),
				vma_index(vma, from) + ((to - from) >> PAGE_SHIFT));

	end = max(min(end, mapping_pages(vma->mapping)), first);
	return (struct run){ f->pte - (here - first), folio_page_at(folio, first), end - first };
}

/*
 * What may be written without another fault counts as written: a promoted table is told nothing later. Folio locked.
 */
static pte_t prot_of_all(const struct fault_ctx *f, struct folio *folio)
{
	pte_t prot = f->vma->page_prot | (f->write ? PTE_W : 0);

	if (!(prot & PTE_W))
		return prot;
	folio_mark_dirty(folio);
	return prot | PTE_D;
}

/* It is all of a table, and there is memory to promote that. */
static bool may_promote(struct mm *mm, const struct fault_ctx *f, const struct run *r, pte_t prot)
{
	return r->n == PTRS_PER_TABLE && (prot & PTE_P) &&
	       !pgtable_prepare_promotion(&mm->pgt, f->addr);
}

enum fault_result fault_map_large(struct mm *mm, struct fault_ctx *f, struct folio *folio)
{
	pte_t prot = prot_of_all(f, folio);
	struct run r = run_around(f, folio);
	spinlock_t *ptl = pte_lockptr(f->pte);
	enum fault_result result = FAULT_DONE;
	bool promote = may_promote(mm, f, &r, prot);

	spin_lock(ptl);
	if (fault_lost_pages(mm))
		result = FAULT_BUS;
	else if (likely(pte_read(f->pte) == f->old))
		map_run(f, &r, folio, prot, promote);
	else
		result = FAULT_RETRY;
	spin_unlock(ptl);
	if (unlikely(result == FAULT_RETRY))
		stat_inc(FAULT_LOST_RACE);
	folio_unlock(folio);
	folio_put(folio);
	return result;
}

/* Entries of the run that are in use become what a fault makes of them. False: one is for something else. */
static bool renew_entries(const struct run *r, pte_t prot)
{
	bool all = true;

	for (unsigned long i = 0; i < r->n; i++) {
		pte_t e = pte_read(r->pte + i);

		if (pte_none(e))
			continue;
		if (!pte_present(e) || pte_special(e) || pte_pfn(e) != page_to_pfn(r->page) + i)
			all = false;
		else if (!((e ^ prot) & PTE_MLOCKED))
			pte_set_bits(r->pte + i, prot & (PTE_W | PTE_A | PTE_D));
	}
	return all;
}

bool filemap_map_whole(struct mm *mm, struct fault_ctx *f, struct folio *folio)
{
	spinlock_t *ptl = pte_lockptr(f->pte);
	pte_t prot = prot_of_all(f, folio);
	struct run r = run_around(f, folio);
	bool promote = may_promote(mm, f, &r, prot), all = true;

	spin_lock(ptl);
	if (!pte_is_promoted(f->pte) && !fault_lost_pages(mm)) {
		all = renew_entries(&r, prot);
		map_run(f, &r, folio, prot, promote);
	}
	spin_unlock(ptl);
	folio_unlock(folio);
	folio_put(folio);
	return all;
}
