/* SPDX-License-Identifier: MIT
 *
 * 2 MiB of zeroes for who reads before anything was written: huge_zero.c.
 */
#ifndef MM_HUGE_ZERO_H
#define MM_HUGE_ZERO_H

#include "internal.h"

struct fault_ctx;

/*
 * A read fault on a none entry, which a write would bring 2 MiB for: the huge zero page is mapped. False: it does not fit,
 * there is no such block, or somebody was faster. As fault_once().
 */
bool huge_zero_fault(struct fault_ctx *f);
/* pte's table maps it as one. */
static inline bool huge_zero_is_mapped(const pte_t *pte)
{
	return unlikely(pte_is_promoted(pte)) && pte_special(pte_read(pte));
}
/* If the table of [start, start + PMD_SIZE) does, its entries are none, and the TLBs know. Page-table lock held. */
void huge_zero_clear(struct mm *mm, unsigned long start, pte_t *table);
/* mm is the child of an address space that may map it, and that does not end meanwhile. */
void huge_zero_fork(struct mm *mm);
/* No entry of mm is left. */
void __huge_zero_exit(struct mm *mm);
static inline void huge_zero_exit(struct mm *mm)
{
	if (unlikely(mm->huge_zero))
		__huge_zero_exit(mm);
}

#endif
