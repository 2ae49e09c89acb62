/* SPDX-License-Identifier: MIT
 *
 * The kernel's own mappings, the same in every address space.
 */
#ifndef ARCH_KERNEL_MAP_H
#define ARCH_KERNEL_MAP_H

#include <arch/pgtable.h>

/* What CR3 holds when no user address space is loaded. */
phys_t kernel_pgd(void);
/*
 * The level-1 table entry of va, in a window whose upper levels exist; NULL when its last table
 * does not.
 */
pte_t *kernel_pte(unsigned long va);
/* The level-2 entry above, which always exists in such a window. */
pte_t *kernel_pmd(unsigned long va);
/* Forgets pages of the kernel half, [start, end), on all CPUs. */
void tlb_flush_kernel_range(unsigned long start, unsigned long end);

#endif
