/* SPDX-License-Identifier: MIT
 *
 * Taking the right to write from the entries of a shared file folio.
 */
#include <mm/rmap.h>

#include "large.h"
#include "unmap.h"
#include "vma.h"

/* An entry without the right may still be in some TLB, dirty: both bits go, and with either one the TLB's copy. */
static bool clean_entry(struct mm *mm, pte_t *pte, unsigned long addr, struct folio *folio,
			struct unflushed *u)
{
	pte_t e = pte_read(pte);

	if (!pte_present(e) || pte_special(e) || pte_pfn(e) != folio_pfn(folio))
		return false;
	if (!(e & (PTE_W | PTE_D)))
		return false;
	flush_later(u, mm, addr);
	huge_demote(pte);
	while (!pte_cmpxchg(pte, &e, e & ~(PTE_W | PTE_D)))
		;
	if (pte_dirty(e))
		folio_mark_dirty(folio);
	return true;
}

/* The page-table lock is taken even for an empty entry: who emptied it flushes the TLB before he lets go. */
static bool clean_vma(struct vma *vma, struct folio *folio, struct unflushed *u)
{
	unsigned long addr = vma->start + ((folio->index - vma->pgoff) << PAGE_SHIFT);
	pte_t *pte = pgtable_find(&vma->mm->pgt, addr);
	bool changed;

	if (!pte)
		return false;
	spin_lock(pte_lockptr(pte));
	changed = clean_entry(vma->mm, pte, addr, folio, u);
	spin_unlock(pte_lockptr(pte));
	return changed;
}

int folio_mkclean(struct folio *folio, struct unflushed *u)
{
	struct mapping *m = folio->mapping;
	struct interval_node *node;
	int changed = 0;

	down_read(&m->i_mmap_lock);
	for_each_interval(node, &m->i_mmap, folio->index, folio->index) {
		struct vma *vma = container_of(node, struct vma, i_mmap_node);

		if (vma_is_shared(vma))
			changed += clean_vma(vma, folio, u);
	}
	up_read(&m->i_mmap_lock);
	return changed;
}
