/* SPDX-License-Identifier: MIT
 *
 * Pages of tmpfs in swap: mm/shmem.c.
 */
#ifndef MM_SHMEM_H
#define MM_SHMEM_H

#include "internal.h"

/* The slot of such a page, as it stands in mapping->folios. */
static inline void *swp_to_value(swp_entry_t swp)
{
	return (void *)(swp << 1 | 1);
}

static inline swp_entry_t value_to_swp(const void *value)
{
	return (unsigned long)value >> 1;
}

/*
 * The page at index, whose slot this value is, back in the mapping, with a reference. *io: FAULT_IO_MAJOR when reading was
 * started. ERR_PTR: -ENOMEM, -EIO; -EAGAIN: it is somewhere else now. May sleep.
 */
struct folio *shmem_swap_in(struct mapping *m, unsigned long index, void *value, u8 *io);
/* The page at index, whose slot this value is, is no more. False: it is somewhere else now. */
bool shmem_drop_value(struct mapping *m, unsigned long index, void *value);
/* MADV_WILLNEED: starts reading what of [first, last] is in swap. */
void shmem_willneed(struct mapping *m, unsigned long first, unsigned long last);
/* The mapping has no pages any more, and ends. */
void shmem_mapping_gone(struct mapping *m);
/* Debug: visits the slot of every page of every file that is in swap. visit() may not sleep. May sleep itself. */
void shmem_for_each_slot(void (*visit)(void *arg, swp_entry_t swp), void *arg);
/* Pages of [first, last] that are in swap. */
unsigned long shmem_swapped_pages(struct mapping *m, unsigned long first, unsigned long last);
/* swapoff: all pages of all files that are in the area of this number. 0, -ENOMEM, -EIO, -EINTR. */
int shmem_bring_back(unsigned long area);

#endif
