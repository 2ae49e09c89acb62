/* SPDX-License-Identifier: MIT
 *
 * The zone: what mm/buddy.c keeps, and mm/page_alloc.c allocates from and frees to.
 */
#ifndef MM_ZONE_H
#define MM_ZONE_H

#include <arch/memory.h>

#include "internal.h"

enum mobility { UNMOVABLE, MOVABLE, NR_MOBILITY };

#define MAX_PAGEBLOCKS (BOOT_RAM_LIMIT >> PAGE_SHIFT >> PAGEBLOCK_ORDER)

struct zone {
	spinlock_t lock;		    /* taken with interrupts off */
	unsigned int nonempty[NR_MOBILITY]; /* [lock] bit n: area[n] has blocks */
	unsigned long nr_free;		    /* [lock] pages in all areas */
	unsigned long nr_total;		    /* [lock] pages ever added */
	unsigned long start_pfn, end_pfn;   /* [lock] bounds of what was added */
	unsigned long allocated, freed;	    /* [lock] pages of whole blocks, ever */
	struct {
		struct list_head blocks[NR_MOBILITY]; /* [lock] page->buddy_list */
		unsigned long nr[NR_MOBILITY];	      /* [lock] */
	} area[MAX_ORDER + 1];
	unsigned long unmovable[MAX_PAGEBLOCKS / 64]; /* [lock] a bit for each pageblock */
};

extern struct zone zone;

/* One block, counted as allocated or freed. alloc: NULL unless keep pages stay free. Take zone.lock. */
struct page *zone_alloc(unsigned int order, enum mobility mobility, unsigned long keep);
void zone_free(struct page *page, unsigned int order);

/* zone.lock held, counted by the caller. A block of exactly this order, the smallest that there is or a part of it, or NULL. */
struct page *zone_alloc_block(unsigned int order, enum mobility mobility);
/* Any run of pages, as the largest aligned blocks. */
void zone_free_run(unsigned long pfn, unsigned long n);
/* The order of the block that single pages are taken from next. Some page is free. */
unsigned int zone_refill_order(enum mobility mobility);

#endif
