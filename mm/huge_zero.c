/* SPDX-License-Identifier: MIT
 *
 * The huge zero page: 2 MiB of zeroes that read faults map as one, where a write fault would bring 2 MiB. Like the zero page
 * of 4 KiB its entries are PTE_SPECIAL: it is in no count, and on no list, and nobody has references to its frames. So all
 * walks pass it by as they do the small one; only the table that maps it is promoted (mm/huge.c).
 *
 * It exists while some address space has read through it, and afterwards until memory is short. An address space keeps it
 * until its end, not only as long as entries are there: those need not be counted then.
 *
 * Sources: Shutemov's "Introduce huge zero page" of 2012, with the use count as it is there since 2016. What it is good
 * for beyond 512 entries of the small one, which were the alternative in that thread: docs/folios.md.
 *
 * Locking: huge_zero.lock, innermost; the frames are an address space's from keep() on.
 */
#include "collapse.h"
#include "fault_ctx.h"
#include "huge_zero.h"
#include "large.h"

struct folio *huge_zero_folio;

static struct {
	spinlock_t lock;
	unsigned long users; /* [lock] address spaces with mm->huge_zero */
} huge_zero = { .lock = SPINLOCK_INIT };

static struct folio *alloc_zeroes(const struct vma *vma)
{
	struct folio *folio = thp_alloc_pmd(vma);

	if (folio)
		RACY_WRITE(folio->flags, 1UL << PG_reserved);
	else
		stat_inc(THP_ZERO_PAGE_ALLOC_FAILED);
	return folio;
}

/* Takes over fresh, if it is wanted. The folio, which the address space keeps from now on; NULL: there is none. */
static struct folio *keep(struct mm *mm, struct folio *fresh)
{
	struct folio *folio;

	spin_lock(&huge_zero.lock);
	folio = huge_zero_folio;
	if (!folio && fresh) {
		folio = fresh;
		WRITE_ONCE(huge_zero_folio, fresh);
		stat_inc(THP_ZERO_PAGE_ALLOC);
	}
	if (folio && !mm->huge_zero) {
		huge_zero.users++;
		__atomic_store_n(&mm->huge_zero, true, __ATOMIC_RELEASE);
	}
	spin_unlock(&huge_zero.lock);
	if (fresh && folio != fresh)
		folio_put(fresh);
	return folio;
}

/* The same, with a new one if there is none yet. */
static struct folio *huge_zero_get(const struct vma *vma)
{
	struct mm *mm = vma->mm;
	struct folio *folio;

	if (__atomic_load_n(&mm->huge_zero, __ATOMIC_ACQUIRE))
		return READ_ONCE(huge_zero_folio);
	folio = keep(mm, NULL);
	return folio ?: keep(mm, alloc_zeroes(vma));
}

void huge_zero_fork(struct mm *mm)
{
	spin_lock(&huge_zero.lock);
	huge_zero.users++;
	spin_unlock(&huge_zero.lock);
	mm->huge_zero = true;
}

void __huge_zero_exit(struct mm *mm)
{
	spin_lock(&huge_zero.lock);
	huge_zero.users--;
	spin_unlock(&huge_zero.lock);
	mm->huge_zero = false;
}

unsigned long huge_zero_shrink(void)
{
	struct folio *unused = NULL;

	if (likely(!READ_ONCE(huge_zero_folio)))
		return 0;
	spin_lock(&huge_zero.lock);
	if (!huge_zero.users) {
		unused = huge_zero_folio;
		WRITE_ONCE(huge_zero_folio, NULL);
	}
	spin_unlock(&huge_zero.lock);
	if (!unused)
		return 0;
	folio_put(unused);
	return 1UL << PMD_ORDER;
}

/* All entries of the table were none. Prepared; page-table lock held. */
static void map_zeroes(struct vma *vma, unsigned long start, pte_t *table,
		       const struct folio *folio)
{
	pte_t e = pte_make(folio_pfn(folio), (vma->page_prot & ~PTE_MLOCKED) | PTE_SPECIAL);

	for (unsigned long i = 0; i < PTRS_PER_TABLE; i++)
		pte_set(table + i, e + i * PAGE_SIZE);
	pte_used_add(table, PTRS_PER_TABLE, PTRS_PER_TABLE);
	huge_promote(vma->mm, start, table);
}

bool huge_zero_fault(struct fault_ctx *f)
{
	unsigned long start = ALIGN_DOWN(f->addr, PMD_SIZE);
	pte_t *table = page_address(pte_table(f->pte));
	spinlock_t *ptl = pte_lockptr(table);
	struct folio *folio;
	bool free;

	fault_assert_locked(f);
	if (start < f->vma->start || start + PMD_SIZE > f->vma->end ||
	    !ptes_are_none(table, PTRS_PER_TABLE) || fault_anon_vma(f))
		return false;
	khugepaged_enter(f->vma->mm);
	folio = huge_zero_get(f->vma);
	if (!folio)
		thp_count(PMD_ORDER, THP_COUNT_FALLBACK);
	if (!folio || pgtable_prepare_promotion(&f->vma->mm->pgt, start))
		return false;
	spin_lock(ptl);
	free = ptes_are_none(table, PTRS_PER_TABLE) && !fault_lost_pages(f->vma->mm);
	if (free)
		map_zeroes(f->vma, start, table, folio);
	spin_unlock(ptl);
	return free;
}

void huge_zero_clear(struct mm *mm, unsigned long start, pte_t *table)
{
	if (!huge_zero_is_mapped(table))
		return;
	(void)huge_suspend(table);
	pte_clear_table(table);
	pte_used_sub(table, PTRS_PER_TABLE);
	tlb_flush_range(&mm->tlb, start, start + PMD_SIZE, false);
}
