/* SPDX-License-Identifier: MIT
 *
 * What madvise(2) calls.
 */
#ifndef MM_MADVISE_H
#define MM_MADVISE_H

#include "internal.h"

/*
 * MADV_COLD, MADV_PAGEOUT, MADV_FREE for [start, end) inside vma. mmap_lock held for reading. 0, -EINVAL for memory
 * that the advice is not for.
 */
int advise_reclaim(struct vma *vma, unsigned long start, unsigned long end, int advice);

/* MADV_POPULATE_READ and _WRITE: strict, no override of rights. No lock held. 0, -ENOMEM, -EINVAL, -EFAULT, -EINTR. */
int populate_advice(struct mm *mm, unsigned long start, unsigned long end, bool write);

/* MADV_COLLAPSE, errors as madvise(2). No lock held. */
int collapse_advice(struct mm *mm, unsigned long start, unsigned long end);

/* MADV_WILLNEED: starts reading what of [start, end) is in swap. mmap_lock held. */
void swap_willneed(struct mm *mm, unsigned long start, unsigned long end);

/* ---- guard.c: mmap_lock held for reading ---- */

/* Drops what is in [start, end) of vma and puts guards there. 0, -EINVAL, -ENOMEM, -EINTR. */
int guard_install(struct vma *vma, unsigned long start, unsigned long end);
/* Takes away the guards, and nothing else. 0 or -EINVAL. */
int guard_remove(struct vma *vma, unsigned long start, unsigned long end);

#endif
