/* SPDX-License-Identifier: MIT
 *
 * Memory before the buddy allocator.
 */
#ifndef MM_EARLY_H
#define MM_EARLY_H

#include <arch/memory.h>

/* RAM nobody uses; what is left at the end goes to the buddy allocator. */
extern struct range_list early_free;

void early_init(const struct boot_info *bi);
/* Zeroed memory below 4 GiB, its physical address, or 0. size and align: multiples of a page. */
phys_t early_alloc(size_t size, size_t align);

#endif
