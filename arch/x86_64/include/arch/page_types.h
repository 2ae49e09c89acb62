/* SPDX-License-Identifier: MIT
 *
 * The numbers of x86_64 paging that hold on the machine and on the host alike.
 */
#ifndef ARCH_PAGE_TYPES_H
#define ARCH_PAGE_TYPES_H

#include <kern/types.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define PMD_SHIFT 21
#define PMD_SIZE (1UL << PMD_SHIFT)
#define PMD_ORDER 9u /* of a folio that an upper entry can map */
#define PUD_SHIFT 30
#define PUD_SIZE (1UL << PUD_SHIFT)
#define PGD_SHIFT 39
#define PGD_SIZE (1UL << PGD_SHIFT)
#define PTRS_PER_TABLE 512UL

#define PAGE_ALIGN(x) ALIGN_UP((unsigned long)(x), PAGE_SIZE)

/* One past the last user address: the top page of the lower half stays unused (SYSRET erratum). */
#define TASK_SIZE 0x00007ffffffff000UL

#endif
