/* SPDX-License-Identifier: MIT
 *
 * Pages of 2 MiB become one folio: when asked (collapse.c), and in the background (khugepaged.c).
 */
#ifndef MM_COLLAPSE_H
#define MM_COLLAPSE_H

#include "internal.h"

/* Entries that are none, in swap, and map pages that others map, too: more of them, and it is not worth it. */
struct collapse_limits {
	unsigned int none, swapped, shared;
	gfp_t gfp; /* of the folio */
	bool lazy; /* of a file: who maps it unlocked gets it with his next fault, and nobody before */
};

#define COLLAPSE_NOTHING_TO_DO 1

/* Some 2 MiB of the vma, anonymous memory that was used already or shared memory, could be one folio. mmap_lock held. */
bool collapse_suits(const struct vma *vma);
/* The vma that contains all of [addr, addr + PMD_SIZE), or NULL: there is none that suits. mmap_lock held. */
struct vma *collapse_vma(struct mm *mm, unsigned long addr);
/*
 * [addr, addr + PMD_SIZE) becomes one folio. 0, COLLAPSE_NOTHING_TO_DO when it is one, or -EINVAL: not in one vma that
 * suits, or beyond the limits; -ENOMEM, -EINTR; -EAGAIN: somebody uses a page right now. No lock held.
 */
int mm_collapse(struct mm *mm, unsigned long addr, const struct collapse_limits *limits);

/* ---- collapse_file.c ---- */

/* collapse_suits() for what maps a file and is large enough: a file without a store, at addresses aligned as its pages are. */
bool collapse_suits_file(const struct vma *vma);
/* mm_collapse() for such a vma. mmap_lock held for reading, which is dropped. */
int collapse_file(struct mm *mm, struct vma *vma, unsigned long addr,
		  const struct collapse_limits *limits);

/* ---- khugepaged.c ---- */

/* The address space may have something to collapse, until its end. Any lock may be held. */
void __khugepaged_enter(struct mm *mm);
static inline void khugepaged_enter(struct mm *mm)
{
	if (unlikely(!READ_ONCE(mm->khugepaged)))
		__khugepaged_enter(mm);
}
/* It ends. */
void khugepaged_exit(struct mm *mm);

#endif
