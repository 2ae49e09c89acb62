/* SPDX-License-Identifier: MIT
 *
 * Population after a change of the layout: mm/populate.c.
 */
#ifndef MM_POPULATE_H
#define MM_POPULATE_H

#include "internal.h"

int unlock_and_populate(struct mm *mm, unsigned long start, unsigned long end, unsigned int how);
/*
 * Ends a change of the layout that wants [start, end) filled (empty: nothing): drops mmap_lock, held for
 * writing, and populates, in the order that knob populate says. Result as mm_populate().
 */
static inline int mmap_write_unlock_populate(struct mm *mm, unsigned long start, unsigned long end,
					     unsigned int how)
{
	if (start < end)
		return unlock_and_populate(mm, start, end, how);
	mmap_write_unlock(mm);
	return 0;
}
/*
 * munlock=gup: faults in what is locked in [start, end), which is about to be unlocked, as Linux did until 2009.
 * Held for writing.
 */
void munlock_by_gup(struct mm *mm, unsigned long start, unsigned long end);
/* mmap_lock held for reading: lets a waiting writer or another task have its turn, and holds it again. */
void mmap_read_yield(struct mm *mm);
/*
 * Population's short way: new zeroed pages for up to n entries from pte, all in one table and none, of a private
 * anonymous writable vma. How many it filled: fewer when an entry is in use or memory ran out. mmap_lock held.
 */
unsigned int anon_populate(struct mm *mm, struct vma *vma, unsigned long addr, pte_t *pte,
			   unsigned int n);
#define ANON_POPULATE_MAX 16UL
/* Populate writes to a vma when its pages would become private copies anyway, else it reads; never a file dirtied. */
static inline bool populate_writes(const struct vma *vma)
{
	return (vma->flags & (VM_WRITE | VM_SHARED)) == VM_WRITE;
}
/* The bits of an entry that populate leaves as it is. */
static inline pte_t populate_wants(const struct vma *vma)
{
	return populate_writes(vma) ? PTE_P | PTE_W : PTE_P;
}

#endif
