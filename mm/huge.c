/* SPDX-License-Identifier: MIT
 *
 * Large folios that one upper entry maps: promotion and demotion of page tables (arch/pgtable.h), and the gauges of
 * them. The last-level table stays the truth for everybody but the CPU, so nothing else in mm/ knows that a range is
 * mapped as one; it only says huge_demote() before it changes an entry. Linux has no table below such an entry and a
 * second case in every walk instead.
 */
#include "large.h"
#include "mapcount.h"

/* The huge zero page is in no count. */
static void count_apart(struct folio *folio)
{
	stat_inc(THP_SPLIT_PMD);
	if (!folio_is_huge_zero(folio))
		large_map_apart(folio);
}

struct folio *__huge_suspend(pte_t *pte)
{
	pgtable_demote(pte);
	return pfn_folio(pte_pfn(pte_read(page_address(pte_table(pte)))));
}

void __huge_demote(pte_t *pte)
{
	count_apart(__huge_suspend(pte));
}

void huge_promote(struct mm *mm, unsigned long va, pte_t *pte)
{
	pgtable_promote(&mm->pgt, va, pte);
}

bool huge_is_whole(const pte_t *table)
{
	const pte_t must = PTE_P | PTE_A;
	pte_t first = pte_read(table);

	if ((first & must) != must || ((first & PTE_W) && !(first & PTE_D)))
		return false;
	if (!IS_ALIGNED(first & PTE_ADDR_MASK, PMD_SIZE) ||
	    pfn_folio(pte_pfn(first))->order != PMD_ORDER)
		return false;
	for (unsigned long i = 1; i < PTRS_PER_TABLE; i++)
		if (pte_read(table + i) != first + i * PAGE_SIZE)
			return false;
	return true;
}

static bool can_promote(struct mm *mm, unsigned long va, pte_t *pte)
{
	return *pte_used(pte) == PTRS_PER_TABLE && huge_is_whole(page_address(pte_table(pte))) &&
	       pgtable_is_prepared(&mm->pgt, va);
}

void huge_resume(struct mm *mm, unsigned long va, pte_t *pte, struct folio *folio)
{
	if (can_promote(mm, va, pte)) {
		huge_promote(mm, va, pte);
		return;
	}
	count_apart(folio);
}

void huge_promote_if_whole(struct mm *mm, unsigned long va, pte_t *pte)
{
	struct folio *folio;

	if (!can_promote(mm, va, pte))
		return;
	folio = pfn_folio(pte_pfn(pte_read(pte)));
	if (!folio_is_huge_zero(folio))
		large_map_together(folio);
	huge_promote(mm, va, pte);
}

void huge_demote_at(struct mm *mm, unsigned long va)
{
	pte_t *pte = IS_ALIGNED(va, PMD_SIZE) ? NULL : pgtable_find(&mm->pgt, va);

	mmap_assert_write_locked(mm);
	if (!pte || likely(!pte_is_promoted(pte)))
		return;
	spin_lock(pte_lockptr(pte));
	huge_demote(pte);
	spin_unlock(pte_lockptr(pte));
}
