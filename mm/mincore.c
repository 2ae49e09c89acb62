/* SPDX-License-Identifier: MIT
 *
 * mincore: which pages are in memory. For anonymous memory that is what the page table says; for a
 * file it is what the page cache holds, mapped or not.
 */
#include <mm/swap.h>

#include "shmem.h"
#include "vma.h"

static void mincore_absent(struct vma *vma, unsigned long start, unsigned long end,
			   unsigned char *vec)
{
	unsigned long n = (end - start) >> PAGE_SHIFT, first = vma_index(vma, start), index = first;
	const void *page;

	memset(vec, 0, n);
	if (vma_is_anonymous(vma))
		return;
	spin_lock(&vma->mapping->lock);
	for (; (page = xa_find(&vma->mapping->folios, &index, first + n - 1)); index++) {
		vec[index - first] = !xa_is_value(page) || swap_is_cached(value_to_swp(page));
		if (index == first + n - 1)
			break;
	}
	spin_unlock(&vma->mapping->lock);
}

#define ASK_FILE 2

/* A private page in swap is in memory while the swap cache has it; one that is moving is. */
static unsigned char entry_in_core(pte_t e, unsigned char none)
{
	if (pte_none(e) || e == PTE_GUARD)
		return none;
	return !pte_has_slot(e) || swap_is_cached(pte_to_swp(e));
}

/* Entries looked at together: a cache line of them. */
#define GROUP 8UL

static inline bool group_present(const pte_t *p)
{
	return pte_read(&p[0]) & pte_read(&p[1]) & pte_read(&p[2]) & pte_read(&p[3]) &
	       pte_read(&p[4]) & pte_read(&p[5]) & pte_read(&p[6]) & pte_read(&p[7]) & PTE_P;
}

/* The pages of one table: what has an entry is in memory; for the rest of a file the cache decides. */
static void mincore_table(struct vma *vma, const pte_t *pte, unsigned long va, unsigned long stop,
			  unsigned char *vec)
{
	unsigned long n = (stop - va) >> PAGE_SHIFT;
	unsigned char none = vma_is_anonymous(vma) ? 0 : ASK_FILE;
	spinlock_t *ptl = pte_lockptr(pte);

	/* Without the lock a page that gives way to its copy would seem absent. */
	spin_lock(ptl);
	for (unsigned long i = 0; i < n;) {
		unsigned long group_end = i + GROUP;

		if (likely(group_end <= n && group_present(&pte[i]))) {
			__builtin_memset(&vec[i], 1, GROUP);
			i = group_end;
			continue;
		}
		for (; i < group_end && i < n; i++) {
			pte_t e = pte_read(&pte[i]);

			vec[i] = e & PTE_P ? 1 : entry_in_core(e, none);
		}
	}
	spin_unlock(ptl);
	if (none != ASK_FILE)
		return;
	for (unsigned long i = 0; i < n; i++)
		if (vec[i] == ASK_FILE)
			mincore_absent(vma, va + (i << PAGE_SHIFT), va + ((i + 1) << PAGE_SHIFT),
				       &vec[i]);
}

static void mincore_vma(struct mm *mm, struct vma *vma, unsigned long start, unsigned long end,
			unsigned char *vec)
{
	while (start < end) {
		unsigned long va = start, stop;
		pte_t *pte = pgtable_next(&mm->pgt, &va, end, &stop);

		if (!pte)
			va = end;
		if (va > start) {
			mincore_absent(vma, start, va, vec);
			vec += (va - start) >> PAGE_SHIFT;
		}
		if (!pte)
			return;
		mincore_table(vma, pte, va, stop, vec);
		vec += (stop - va) >> PAGE_SHIFT;
		start = stop;
	}
}

int mm_mincore(struct mm *mm, unsigned long addr, unsigned long n, unsigned char *vec)
{
	unsigned long end = addr + (n << PAGE_SHIFT);
	struct vma *vma;
	int err = 0;

	mmap_read_lock(mm);
	vma = vma_find(mm, addr);
	while (addr < end) {
		unsigned long stop;

		if (!vma || vma->start > addr) {
			err = -ENOMEM;
			break;
		}
		stop = min(end, vma->end);
		mincore_vma(mm, vma, addr, stop, vec);
		vec += (stop - addr) >> PAGE_SHIFT;
		addr = stop;
		vma = vma_next(vma);
	}
	mmap_read_unlock(mm);
	return err;
}
