/* SPDX-License-Identifier: MIT
 *
 * Faults that bring in many anonymous pages at once, as one folio: as large as the vma, what is mapped around the
 * address, and free memory allow. Fewer faults, and for 2 MiB one TLB entry instead of 512.
 *
 * Nothing is reclaimed for it: when there is no such block, a smaller one will do; for 2 MiB memory may be compacted.
 */
#include "alloc.h"
#include "collapse.h"
#include "fault_ctx.h"
#include "huge_zero.h"
#include "large.h"
#include "lru.h"
#include "mapcount.h"

#define ANON_FLAGS (1UL << PG_anon | 1UL << PG_swapbacked | 1UL << PG_uptodate)

bool ptes_are_none(const pte_t *pte, unsigned long n)
{
	if (READ_ONCE(*pte_used(pte)) == 0)
		return true;
	for (unsigned long i = 0; i < n; i++)
		if (!pte_none(pte_read(pte + i)))
			return false;
	return true;
}

struct folio *anon_large_alloc(gfp_t gfp, unsigned int order)
{
	return large_alloc(gfp, order, ANON_FLAGS);
}

void anon_install_large(struct vma *vma, unsigned long addr, pte_t *pte, struct folio *folio,
			bool promote)
{
	unsigned long n = folio_nr_pages(folio);
	pte_t prot = vma->page_prot | PTE_D | (vma->flags & VM_WRITE ? PTE_W : 0);
	pte_t e = pte_make(folio_pfn(folio), prot);

	promote &= (e & PTE_P) != 0;
	large_map_new(folio, pte_mlocked(prot), promote);
#pragma GCC unroll 8
	for (unsigned long i = 0; i < n; i++)
		pte_set(pte + i, e + i * PAGE_SIZE);
	pte_used_add(pte, n, (u32)n);
	atomic_add(&vma->mm->rss[RSS_ANON], (int)n);
	lru_add(folio);
	if (promote)
		huge_promote(vma->mm, addr, pte);
}

/* Without memory for a promotion the 512 entries are all that there will be. */
static bool promotes(struct mm *mm, unsigned long addr, unsigned int order)
{
	return order == PMD_ORDER && !pgtable_prepare_promotion(&mm->pgt, addr);
}

/* Nothing is in the way of n new entries. */
static bool is_vacant(const pte_t *pte, unsigned long n)
{
	return ptes_are_none(pte, n) || (n == PTRS_PER_TABLE && huge_zero_is_mapped(pte));
}

/* False: it does not fit, or somebody was faster. */
static bool try_order(struct vma *vma, unsigned long addr, pte_t *pte, unsigned int order)
{
	unsigned long size = PAGE_SIZE << order, start = ALIGN_DOWN(addr, size);
	spinlock_t *ptl = pte_lockptr(pte);
	struct folio *folio;
	bool vacant, promote;

	pte -= (addr - start) >> PAGE_SHIFT;
	if (start < vma->start || start + size > vma->end || !is_vacant(pte, 1UL << order))
		return false;
	folio = large_alloc_for_fault(vma, order, ANON_FLAGS);
	if (!folio) {
		thp_count(order, THP_COUNT_FALLBACK);
		return false;
	}
	folio_set_anon(folio, vma, start, false);
	promote = promotes(vma->mm, start, order);
	spin_lock(ptl);
	vacant = is_vacant(pte, 1UL << order) && !fault_lost_pages(vma->mm);
	if (vacant) {
		huge_zero_clear(vma->mm, start, pte);
		anon_install_large(vma, start, pte, folio, promote);
	}
	spin_unlock(ptl);
	if (!vacant) {
		folio_put(folio);
		return false;
	}
	thp_count(order, THP_COUNT_ALLOC);
	return true;
}

bool anon_fault_large(struct fault_ctx *f, unsigned long orders)
{
	fault_assert_locked(f);
	if (unlikely(fault_anon_vma(f)))
		return false;
	khugepaged_enter(f->vma->mm);
	while (orders) {
		unsigned int order = 63 - (unsigned int)__builtin_clzl(orders);

		if (try_order(f->vma, f->addr, f->pte, order))
			return true;
		orders &= ~(1UL << order);
	}
	return false;
}
