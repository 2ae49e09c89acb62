/* SPDX-License-Identifier: MIT
 *
 * Advice that concerns reclaim: MADV_COLD (first to go when memory is short), MADV_PAGEOUT (go now), MADV_FREE (need
 * not be kept, unless written again).
 *
 * All three leave pages alone that somebody else maps, too: the advice is the caller's and not theirs.
 *
 * Locking: mmap_lock for reading; folios are picked under the page-table lock, which keeps them in existence, and
 * reclaimed without it.
 */
#include <mm/swap.h>

#include "large.h"
#include "lru.h"
#include "madvise.h"
#include "mapcount.h"
#include "reclaim.h"
#include "vma.h"

struct ager {
	struct vma *vma;
	int advice;
	bool anon_only;		   /* a file that the caller might not write to */
	unsigned long first, last; /* bytes: entries that lost a bit which the TLB may remember */
	struct list_head folios;   /* isolated, to be paged out */
	unsigned int nr;
	struct folio *to_split; /* with a reference: the advice is for a part of it */
};

static void note_changed(struct ager *a, unsigned long va)
{
	a->first = min(a->first, va);
	a->last = max(a->last, va + PAGE_SIZE);
}

static void flush_changed(struct ager *a)
{
	if (a->first < a->last)
		tlb_flush_range(&a->vma->mm->tlb, a->first, a->last, false);
	a->first = ~0UL;
	a->last = 0;
}

/* Page-table lock held for these. */
static void make_cold(struct ager *a, pte_t *pte, unsigned long va, struct folio *folio)
{
	if (pte_young(pte_read(pte))) {
		pte_clear_bits(pte, PTE_A);
		note_changed(a, va);
	}
	folio_clear(folio, PG_referenced);
	if (a->advice == MADV_COLD) {
		lru_deactivate(folio);
	} else if (lru_isolate_folio(folio)) {
		list_add(&folio->lru, &a->folios);
		a->nr++;
	}
}

static void make_free(struct ager *a, pte_t *pte, unsigned long va, struct folio *folio)
{
	if (folio_test(folio, PG_swapcache) || folio_test(folio, PG_dirty)) {
		bool ours;

		if (!folio_trylock(folio))
			return;
		ours = !folio_test(folio, PG_swapcache) || swap_cache_try_free(folio);
		if (ours)
			folio_clear(folio, PG_dirty);
		folio_unlock(folio);
		if (!ours)
			return;
	}
	if (pte_read(pte) & (PTE_A | PTE_D)) {
		pte_clear_bits(pte, PTE_A | PTE_D);
		note_changed(a, va);
	}
	lru_mark_lazyfree(folio);
}

static void age_folio(struct ager *a, pte_t *pte, unsigned long va, struct folio *folio)
{
	if (a->advice == MADV_FREE)
		make_free(a, pte, va, folio);
	else
		make_cold(a, pte, va, folio);
}

/*
 * An entry that maps a page of a large folio, of which max entries are left in the range and the table. When all of
 * the folio is there, and nowhere else, it is treated as one; otherwise it is split first. How many entries are done.
 */
static unsigned int age_large(struct ager *a, pte_t *pte, unsigned long va, unsigned int max,
			      struct folio *folio)
{
	unsigned int n = large_run(pte, max), nr = (unsigned int)folio_nr_pages(folio);
	const pte_t bits = a->advice == MADV_FREE ? PTE_A | PTE_D : PTE_A;

	if (page_mapcount(pfn_to_page(pte_pfn(pte_read(pte)))) != 1)
		return n;
	if ((a->advice == MADV_PAGEOUT && !reclaim_takes_whole(folio)) || n != nr ||
	    atomic_read(&folio->mapcount) != (int)nr) {
		folio_get(folio);
		a->to_split = folio;
		return 0;
	}
	huge_demote(pte);
	for (unsigned int i = 1; i < n; i++)
		pte_clear_bits(pte + i, bits);
	note_changed(a, va); /* any of them may have had one of the bits, and not only the first */
	note_changed(a, va + (n - 1) * PAGE_SIZE);
	age_folio(a, pte, va, folio);
	return n;
}

/* How many entries are done; 0: a->to_split is to be split first. */
static unsigned int age_entry(struct ager *a, pte_t *pte, unsigned long va, unsigned int max)
{
	pte_t e = pte_read(pte);
	struct folio *folio;

	if (!pte_present(e) || pte_special(e))
		return 1;
	folio = pfn_folio(pte_pfn(e));
	if (a->anon_only && !folio_test(folio, PG_anon))
		return 1;
	if (unlikely(folio_is_large(folio)))
		return age_large(a, pte, va, max, folio);
	if (atomic_read(&folio->mapcount) == 1)
		age_folio(a, pte, va, folio);
	return 1;
}

/* The entries of [va, stop), all in one table, as long as the batch has room. Where it stopped. */
static unsigned long age_table(struct ager *a, pte_t *pte, unsigned long va, unsigned long stop)
{
	spinlock_t *ptl = pte_lockptr(pte);

	spin_lock(ptl);
	while (va < stop && a->nr < LRU_BATCH && !a->to_split) {
		unsigned int done =
			age_entry(a, pte, va, (unsigned int)((stop - va) >> PAGE_SHIFT));

		va += done * PAGE_SIZE;
		pte += done;
	}
	spin_unlock(ptl);
	return va;
}

/* Where to go on: there, or behind the page when its folio is in use. */
static unsigned long split_and_go_on(struct ager *a, unsigned long va)
{
	bool done = split_mapped_folio(a->to_split);

	folio_put(a->to_split);
	a->to_split = NULL;
	return done ? va : va + PAGE_SIZE;
}

static bool is_file_of_others(const struct vma *vma)
{
	struct file_mmap info;

	return vma->file && (file_mmap_info(vma->file, &info) || !info.writable);
}

int advise_reclaim(struct vma *vma, unsigned long start, unsigned long end, int advice)
{
	struct ager a = { .vma = vma, .advice = advice, .first = ~0UL };
	struct mm *mm = vma->mm;
	unsigned long stop;
	pte_t *pte;

	if (vma->flags & (VM_PFNMAP | VM_LOCKED))
		return -EINVAL;
	if (advice == MADV_FREE && !vma_is_anonymous(vma))
		return -EINVAL;
	INIT_LIST_HEAD(&a.folios);
	a.anon_only = advice == MADV_PAGEOUT && is_file_of_others(vma);
	while ((pte = pgtable_next(&mm->pgt, &start, end, &stop))) {
		start = age_table(&a, pte, start, stop);
		flush_changed(&a);
		if (a.nr)
			(void)reclaim_folios(&a.folios);
		a.nr = 0;
		if (unlikely(a.to_split))
			start = split_and_go_on(&a, start);
		if (park_interrupted(PARK_KILLABLE))
			break;
		cond_resched();
	}
	return 0;
}
