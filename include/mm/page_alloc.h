/* SPDX-License-Identifier: MIT
 *
 * Physical memory: a binary buddy allocator (Knuth, TAOCP 1, 2.5) with per-CPU lists of single pages in
 * front of it. Locks: the zone lock (irqsave: interrupt handlers may allocate with GFP_ATOMIC).
 */
#ifndef MM_PAGE_ALLOC_H
#define MM_PAGE_ALLOC_H

#include <mm/page.h>

#define MAX_ORDER 10 /* the largest block: 2^10 pages, 4 MiB */

/* What compaction and the grouping of pages by mobility go by: 2 MiB. */
#define PAGEBLOCK_ORDER 9
#define PAGEBLOCK_PAGES (1UL << PAGEBLOCK_ORDER)

typedef unsigned int gfp_t;
#define GFP_KERNEL                                                                                 \
	0u /* no spinlock held; may ask other CPUs, sleep, reclaim, have somebody killed */
#define GFP_ATOMIC 1u	  /* never sleeps */
#define __GFP_ZERO 2u	  /* contents zeroed */
#define __GFP_NORETRY 4u  /* nobody is killed for it */
#define __GFP_MOVABLE 16u /* for user data: folio_alloc() says so by itself */
#define GFP_LIGHT 8u /* an attempt: fails unless memory is plentiful; nothing is reclaimed for it */

/*
 * Boot: hands frames [start_pfn, end_pfn) to the allocator. The struct pages of every aligned
 * 4 MiB block that the range touches exist and are zeroed (a buddy outside the range is looked at).
 */
void buddy_add_range(unsigned long start_pfn, unsigned long end_pfn);

/* 2^order contiguous pages, aligned to their size, or NULL. refcount is not touched (kernel memory). */
struct page *alloc_pages(gfp_t gfp, unsigned int order) __must_check;
void free_pages(struct page *page, unsigned int order);

/* Frees n folios of any order whose refcount is 0: cheaper than one at a time. */
void free_folios(struct folio **folios, unsigned int n);

/*
 * A folio with refcount 1, mapcount 0, no flags, or NULL. Contents zeroed only with __GFP_ZERO. For user data, which
 * compaction can move; the other for the kernel's own, which goes back with free_pages().
 */
struct folio *folio_alloc(gfp_t gfp, unsigned int order) __must_check;
struct folio *folio_alloc_kernel(gfp_t gfp, unsigned int order) __must_check;

/* All CPUs' lists included; exact when no other CPU allocates or frees meanwhile. Pages. */
unsigned long nr_free_pages(void);
/* Pages handed out and taken back since boot: PGALLOC and PGFREE of stats.def. */
unsigned long pages_ever_allocated(void);
unsigned long pages_ever_freed(void);
/* Pages ever given to the allocator. */
unsigned long totalram_pages(void);
/* The lowest pfn that was given to the allocator; one past the highest. Those between need not have a struct page. */
unsigned long min_pfn(void);
unsigned long max_pfn(void);
/*
 * Returns every CPU's lists to the buddy lists, so that blocks merge fully. Interrupts on, no spinlock held
 * (on_each_cpu()).
 */
void drain_pcps(void);
/* Free pages at which reclaim begins and ends: mm/alloc_slow.c. */
enum watermark { WMARK_MIN, WMARK_LOW, WMARK_HIGH, NR_WMARKS };
unsigned long watermark_pages(enum watermark mark);
/* From knobs min_free_kbytes and watermark_scale_factor: once reclaim can start, and when they change. */
void watermarks_update(void);
/* The table of what was reclaimed: once, when all memory is known. */
void workingset_init(void);
/* The body of the kernel thread that reclaims in the background. Does not return. */
void kswapd_main(void *unused);

/* Free blocks of an order (per-CPU lists not included), for /proc/buddyinfo. */
unsigned long buddy_nr_free(unsigned int order);
/* Debug: every block aligned, disjoint, on the right list, never mergeable with its buddy. Panics with the reason. */
void buddy_validate(void);

#endif
