/* SPDX-License-Identifier: MIT
 *
 * Guard pages (MADV_GUARD_INSTALL): places in a mapping that no access may touch. A guard is a marker in the page
 * table, so it costs no vma; it goes with the mapping, moves with mremap() and is copied by fork().
 */
#include "madvise.h"
#include "unmap.h"

/* Markers in all n entries from pte, in one table. False when one of them has a page. */
static bool mark_table(pte_t *pte, unsigned long n)
{
	spinlock_t *ptl = pte_lockptr(pte);
	u32 marked = 0;
	bool free = true;

	spin_lock(ptl);
	for (unsigned long i = 0; i < n && free; i++) {
		pte_t e = pte_read(&pte[i]);

		if (pte_none(e)) {
			pte_set(&pte[i], PTE_GUARD);
			marked++;
		} else if (e != PTE_GUARD) {
			free = false;
		}
	}
	pte_used_add(pte, n, marked);
	spin_unlock(ptl);
	return free;
}

int guard_install(struct vma *vma, unsigned long start, unsigned long end)
{
	struct mm *mm = vma->mm;

	mmap_assert_locked(mm);
	if (vma->flags & (VM_SPECIAL | VM_LOCKED))
		return -EINVAL;
	/* So that fork copies the entries, whether a page was ever here or not. */
	if (anon_vma_prepare(vma))
		return -ENOMEM;
	zap_range(vma, start, end, 0);
	while (start < end) {
		unsigned long stop = min(end, ALIGN_DOWN(start, PMD_SIZE) + PMD_SIZE);
		pte_t *pte = pgtable_alloc(&mm->pgt, start);

		if (!pte)
			return -ENOMEM;
		if (mark_table(pte, (stop - start) >> PAGE_SHIFT)) {
			start = stop;
		} else { /* another thread has touched it meanwhile */
			if (park_interrupted(PARK_KILLABLE))
				return -EINTR;
			zap_range(vma, start, stop, 0);
		}
		cond_resched();
	}
	return 0;
}

static void unmark_table(pte_t *pte, unsigned long n)
{
	spinlock_t *ptl = pte_lockptr(pte);
	u32 removed = 0;

	spin_lock(ptl);
	for (unsigned long i = 0; i < n; i++) {
		if (pte_read(&pte[i]) != PTE_GUARD)
			continue;
		pte_set(&pte[i], 0);
		removed++;
	}
	pte_used_sub(pte, removed);
	spin_unlock(ptl);
}

int guard_remove(struct vma *vma, unsigned long start, unsigned long end)
{
	struct mm *mm = vma->mm;
	unsigned long stop;
	pte_t *pte;

	mmap_assert_locked(mm);
	if (vma->flags & VM_SPECIAL)
		return -EINVAL;
	while ((pte = pgtable_next(&mm->pgt, &start, end, &stop))) {
		unmark_table(pte, (stop - start) >> PAGE_SHIFT);
		start = stop;
		cond_resched();
	}
	return 0;
}
