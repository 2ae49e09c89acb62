/* SPDX-License-Identifier: MIT
 *
 * Splitting on demand, for tests: the large folios that an area maps, or that a file has.
 */
#include "filemap_large.h"
#include "vma.h"

/* The first large folio that entries of one table map, from pte for *addr to stop, with a reference; *addr: behind its entry. */
static struct folio *next_mapped(pte_t *pte, unsigned long *addr, unsigned long stop)
{
	spinlock_t *ptl = pte_lockptr(pte);
	struct folio *large = NULL;

	spin_lock(ptl);
	for (; *addr < stop && !large; *addr += PAGE_SIZE, pte++) {
		pte_t e = pte_read(pte);
		struct folio *folio;

		if (!pte_present(e) || pte_special(e))
			continue;
		folio = pfn_folio(pte_pfn(e));
		if (!folio_is_large(folio))
			continue;
		folio_get(folio);
		large = folio;
	}
	spin_unlock(ptl);
	return large;
}

static void split_in_vma(struct vma *vma, unsigned long addr, unsigned long end)
{
	unsigned long stop;
	pte_t *pte;

	while ((pte = pgtable_next(&vma->mm->pgt, &addr, end, &stop))) {
		struct folio *folio = next_mapped(pte, &addr, stop);

		if (folio) {
			(void)split_mapped_folio(folio);
			folio_put(folio);
		}
		cond_resched();
	}
}

void mm_split_folios(struct mm *mm, unsigned long start, unsigned long end)
{
	struct vma *vma;

	mmap_read_lock(mm);
	for (vma = vma_find(mm, start); vma && vma->start < end; vma = vma_next(vma))
		split_in_vma(vma, max(start, vma->start), min(end, vma->end));
	mmap_read_unlock(mm);
}

/* The first large folio at or after *index, with a reference; *index: the page behind it. NULL: none up to last. */
static struct folio *next_cached(struct mapping *m, unsigned long *index, unsigned long last)
{
	struct folio *folio;

	spin_lock(&m->lock);
	while ((folio = xa_find(&m->folios, index, last))) {
		++*index;
		if (!xa_is_value(folio) && folio_is_large(folio)) {
			folio_get(folio);
			*index = folio->index + folio_nr_pages(folio);
			break;
		}
	}
	spin_unlock(&m->lock);
	return folio;
}

void filemap_split_folios(struct mapping *m, unsigned long first, unsigned long end)
{
	struct folio *folio;

	while (first < end && (folio = next_cached(m, &first, end - 1))) {
		(void)split_mapped_folio(folio);
		folio_put(folio);
		cond_resched();
	}
}
