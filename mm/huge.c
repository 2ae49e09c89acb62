/* SPDX-License-Identifier: MIT
 *
 * Large folios that one upper entry maps: promotion and demotion of page tables (arch/pgtable.h), and the gauges of
 * them. The last-level table stays the truth for everybody but the CPU, so nothing else in mm/ knows that a range is
 * mapped as one; it only says huge_demote() before it changes an entry. Linux has no table below such an entry and a
 * second case in every walk instead.
 */
#include "internal.h"

static struct folio *promoted_folio(pte_t *pte)
{
	return pfn_folio(pte_pfn(pte_read(page_address(pte_table(pte)))));
}

static enum stat_item huge_gauge(const struct folio *folio)
{
	if (folio_test(folio, PG_anon))
		return NR_ANON_THPS;
	return folio_test(folio, PG_swapbacked) ? NR_SHMEM_PMDMAPPED : NR_FILE_PMDMAPPED;
}

void __huge_demote(pte_t *pte)
{
	struct folio *folio = promoted_folio(pte);

	pgtable_demote(pte);
	if (atomic_dec_and_test(&folio_page(folio, 1)->huge_maps))
		stat_add(huge_gauge(folio), -1);
}

void huge_promote(struct mm *mm, unsigned long va, pte_t *pte)
{
	struct folio *folio = promoted_folio(pte);

	RACY_WRITE(mm->has_huge, true);
	pgtable_promote(&mm->pgt, va, pte);
	if (atomic_add_return(&folio_page(folio, 1)->huge_maps, 1) == 1)
		stat_inc(huge_gauge(folio));
}

bool huge_is_whole(const pte_t *table)
{
	const pte_t must = PTE_P | PTE_A, soft = PTE_MLOCKED;
	pte_t first = pte_read(table);

	if ((first & must) != must || pte_special(first) || ((first & PTE_W) && !(first & PTE_D)))
		return false;
	if (!IS_ALIGNED(first & PTE_ADDR_MASK, PMD_SIZE) ||
	    pfn_folio(pte_pfn(first))->order != PMD_ORDER)
		return false;
	for (unsigned long i = 1; i < PTRS_PER_TABLE; i++)
		if (((pte_read(table + i) ^ (first + i * PAGE_SIZE)) & ~soft) != 0)
			return false;
	return true;
}

bool huge_promote_if_whole(struct mm *mm, unsigned long va, pte_t *pte)
{
	pte_t *table = page_address(pte_table(pte));

	if (*pte_used(pte) != PTRS_PER_TABLE || !huge_is_whole(table) ||
	    !pgtable_is_prepared(&mm->pgt, va))
		return false;
	huge_promote(mm, va, pte);
	return true;
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
