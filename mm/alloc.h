/* SPDX-License-Identifier: MIT
 *
 * How an allocation goes on when memory is short (page_alloc.c, alloc_slow.c), and what compaction needs of the zone.
 */
#ifndef MM_ALLOC_H
#define MM_ALLOC_H

#include "internal.h"

/* What the zone's lists and this CPU's have, as long as keep pages stay in the zone. Any context. */
struct page *buddy_alloc(gfp_t gfp, unsigned int order, unsigned long keep);
/*
 * The same after collecting what CPUs and caches keep for later, unless that has just been done and they have no pages.
 * The caller may sleep.
 */
struct page *buddy_collect(gfp_t gfp, unsigned int order);
/* Pages in the zone, without those on CPUs' lists: what the watermarks are about. The answer may be old. */
unsigned long nr_zone_free_pages(void);
/* The allocation when free pages are below the low watermark. NULL: there is nothing to be done. */
struct page *alloc_when_short(gfp_t gfp, unsigned int order);
/*
 * Compaction for an allocation of this order: true when there is a free block of that size now, or above it. mm/compaction.c.
 * Allocates nothing and waits for no lock that an allocation may be under.
 */
bool compact_for(unsigned int order);
/*
 * kcompactd's: the same without anybody waiting, and waiting itself; score not 0: until no more than so many percent of
 * free memory are in smaller blocks. No locks held.
 */
void compact_in_background(unsigned int order, unsigned int score);
/* Percent of free memory that lies in blocks smaller than of this order. */
unsigned int fragmentation(unsigned int order);
/* An allocation found no block of this order: kcompactd is to make one. Any context. mm/kcompactd.c. */
void kcompactd_ask(unsigned int order);
/* For compaction. The free blocks of the pageblock at pfn, allocated and put on free by their order; unless one is as
 * large as the pageblock, or memory is short. How many pages.
 */
unsigned long buddy_take_block(unsigned long pfn, struct list_head *free);
bool buddy_has_block(unsigned int order);
/* Gives this CPU's lists back. */
void drain_this_pcp(void);

#endif
