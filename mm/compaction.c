/* SPDX-License-Identifier: MIT
 *
 * Compaction: free memory in large blocks, by moving what is between.
 *
 * Two scanners go through all frames towards each other, a pageblock of 2 MiB at a time. The one that begins at the bottom
 * takes folios off their LRU lists; the one that begins at the top takes free blocks out of the allocator, as places for
 * them to go to. Where they meet, memory is free below and in use above. docs/compaction.md has the picture.
 *
 * Only what is on an LRU list can be moved. The kernel's own pages stay; the allocator keeps them apart.
 *
 * Locking: none held, but for what migrate.h says of its modes. Several tasks may compact at once: what one has isolated
 * the other passes by.
 */
#include <arch/setup.h>
#include <mm/migrate.h>

#include "alloc.h"
#include "folio.h"
#include "lru.h"

#define WHOLE_ZONE ~0u /* an order: until the scanners meet */
#define LARGE_TRIES 4  /* pageblocks in which a place for one large folio is looked for */

struct compaction {
	unsigned int order; /* stop when there is a free block of this order */
	unsigned int
		score; /* not 0: stop when no more than so much of free memory is in smaller ones */
	enum migrate_mode mode;
	unsigned long migrate_pfn;		/* the next frame of the lower scanner */
	unsigned long free_pfn;			/* above it the upper scanner has been */
	struct list_head free[PAGEBLOCK_ORDER]; /* what it has found, by order */
	long migrate_scanned, free_scanned;	/* frames */
};

/* ---- the upper scanner ---- */

/* One more pageblock, downwards. False: it would be where the lower scanner is. */
static bool find_free(struct compaction *c)
{
	unsigned long pages;

	if (c->free_pfn < ALIGN_UP(c->migrate_pfn, PAGEBLOCK_PAGES) + PAGEBLOCK_PAGES)
		return false;
	c->free_pfn -= PAGEBLOCK_PAGES;
	c->free_scanned += PAGEBLOCK_PAGES;
	if (!arch_pfn_valid(c->free_pfn))
		return true;
	pages = buddy_take_block(c->free_pfn, c->free);
	stat_add(COMPACTISOLATED, (long)pages);
	return true;
}

/* The smallest block of this order or above; what is too much of it goes back to the lists. */
static struct page *take_free(struct compaction *c, unsigned int order)
{
	unsigned int from = order;
	struct page *page;

	while (from < PAGEBLOCK_ORDER && list_empty(&c->free[from]))
		from++;
	if (from >= PAGEBLOCK_ORDER)
		return NULL;
	page = list_first_entry(&c->free[from], struct page, buddy_list);
	list_del(&page->buddy_list);
	while (from > order) {
		from--;
		list_add(&page[1UL << from].buddy_list, &c->free[from]);
	}
	return page;
}

static struct folio *get_target(const struct folio *old, void *arg)
{
	struct compaction *c = arg;
	unsigned int tries = old->order ? LARGE_TRIES : ~0u;
	struct page *page;

	while (!(page = take_free(c, old->order)))
		if (!tries-- || !find_free(c))
			return NULL;
	return folio_make(page, old->order);
}

static void put_target(struct folio *new, void *arg __maybe_unused)
{
	folio_put(new);
}

static void release_free(struct compaction *c)
{
	for (unsigned int order = 0; order < PAGEBLOCK_ORDER; order++) {
		struct page *page, *next;

		list_for_each_entry_safe(page, next, &c->free[order], buddy_list)
			free_pages(page, order);
	}
}

/* ---- the lower scanner ---- */

/* So many frames from this one on are free, or of a folio that is in nobody's way. A guess, for nothing is locked. */
static unsigned long pages_to_skip(const struct compaction *c, struct page *page,
				   unsigned long flags)
{
	unsigned int order = 0, enough = min(c->order, PAGEBLOCK_ORDER + 0u);

	if (flags & 1UL << PG_buddy)
		order = RACY_READ(page->buddy_order);
	else if (flags & 1UL << PG_large && RACY_READ(((struct folio *)page)->order) >= enough)
		order = RACY_READ(((struct folio *)page)->order);
	return order && order <= MAX_ORDER ? 1UL << order : 0;
}

/* Up to LRU_BATCH folios from c->migrate_pfn on, before end. */
static unsigned int isolate_some(struct compaction *c, unsigned long end, struct list_head *folios)
{
	unsigned long pfn = c->migrate_pfn, isolated = 0;
	unsigned int n = 0;

	while (pfn < end && n < LRU_BATCH) {
		struct page *page = pfn_to_page(pfn);
		unsigned long flags = RACY_READ(page->flags);
		unsigned long skip = pages_to_skip(c, page, flags);
		struct folio *folio = NULL;

		if (!skip && flags & 1UL << PG_lru)
			folio = lru_isolate_page(page, knob_compact_unevictable_allowed);
		if (folio) {
			list_add_tail(&folio->lru, folios);
			isolated += folio_nr_pages(folio);
			pfn += folio_nr_pages(folio);
			n++;
		} else {
			pfn += max(skip, 1UL);
		}
	}
	c->migrate_scanned += (long)(pfn - c->migrate_pfn);
	stat_add(COMPACTISOLATED, (long)isolated);
	c->migrate_pfn = pfn;
	return n;
}

/* Moves away what can be moved of the pageblock that c->migrate_pfn is in. */
static void empty_pageblock(struct compaction *c)
{
	const struct migrate_target target = { get_target, put_target, c };
	unsigned long end = ALIGN_DOWN(c->migrate_pfn, PAGEBLOCK_PAGES) + PAGEBLOCK_PAGES;

	if (!arch_pfn_valid(c->migrate_pfn)) {
		c->migrate_pfn = end;
		return;
	}
	while (c->migrate_pfn < end) {
		LIST_HEAD(folios);

		if (isolate_some(c, end, &folios))
			(void)migrate_folios(&folios, &target, c->mode);
		cond_resched();
	}
}

static bool have_met(const struct compaction *c)
{
	return c->migrate_pfn >= c->free_pfn;
}

unsigned int fragmentation(unsigned int order)
{
	unsigned long all = 0, large = 0;

	for (unsigned int i = 0; i <= MAX_ORDER; i++) {
		unsigned long pages = buddy_nr_free(i) << i;

		all += pages;
		large += i >= order ? pages : 0;
	}
	return all ? (unsigned int)((all - large) * 100 / all) : 0;
}

static bool is_enough(const struct compaction *c)
{
	if (c->score)
		return fragmentation(c->order) <= c->score;
	return c->order != WHOLE_ZONE && buddy_has_block(c->order);
}

static void compact(struct compaction *c)
{
	c->migrate_pfn = ALIGN_DOWN(min_pfn(), PAGEBLOCK_PAGES);
	c->free_pfn = ALIGN_UP(max_pfn(), PAGEBLOCK_PAGES);
	for (unsigned int order = 0; order < PAGEBLOCK_ORDER; order++)
		INIT_LIST_HEAD(&c->free[order]);
	while (!have_met(c) && !park_interrupted(PARK_KILLABLE)) {
		empty_pageblock(c);
		drain_this_pcp();
		if (is_enough(c))
			break;
	}
	release_free(c);
	drain_this_pcp();
	stat_add(COMPACTMIGRATE_SCANNED, c->migrate_scanned);
	stat_add(COMPACTFREE_SCANNED, c->free_scanned);
}

void compact_memory(void)
{
	struct compaction c = { .order = WHOLE_ZONE, .mode = MIGRATE_SYNC };

	drain_pcps();
	compact(&c);
	drain_pcps();
}

/* ---- for an allocation, or before one comes ---- */

#define DEFER_MAX 6

/*
 * After a failure so many attempts, doubled each time, are left out: what is in the way does not go at once. But a failure for
 * huge pages says nothing about smaller blocks, which somebody may have to be killed for.
 */
static struct {
	unsigned int considered, shift; /* [A] guesses */
	unsigned int order;		/* [A] the smallest that failed lately */
} defer = { .order = MAX_ORDER + 1 };

static bool is_deferred(unsigned int order)
{
	unsigned int shift = READ_ONCE(defer.shift), considered = READ_ONCE(defer.considered) + 1;

	if (order < READ_ONCE(defer.order) || considered >= 1u << shift)
		return false;
	WRITE_ONCE(defer.considered, considered);
	return true;
}

static void note_result(unsigned int order, bool success)
{
	if (success)
		WRITE_ONCE(defer.order, max(READ_ONCE(defer.order), order + 1));
	else
		WRITE_ONCE(defer.order, min(READ_ONCE(defer.order), order));
	WRITE_ONCE(defer.considered, 0);
	WRITE_ONCE(defer.shift, success ? 0 : min(READ_ONCE(defer.shift) + 1, DEFER_MAX + 0u));
}

/* Less memory is not enough to move things about, and lack of memory not what compaction helps against. */
static bool is_suitable(unsigned int order)
{
	return nr_free_pages() >= watermark_pages(WMARK_LOW) + (2UL << order);
}

bool compact_for(unsigned int order)
{
	struct compaction c = { .order = order, .mode = MIGRATE_ASYNC };
	bool success;

	if (!is_suitable(order) || is_deferred(order))
		return false;
	stat_inc(COMPACTSTALL);
	compact(&c);
	success = buddy_has_block(order);
	stat_inc(success ? COMPACTSUCCESS : COMPACTFAIL);
	note_result(order, success);
	return success;
}

void compact_in_background(unsigned int order, unsigned int score)
{
	struct compaction c = { .order = order, .score = score, .mode = MIGRATE_SYNC };

	if (!is_suitable(order) || (!score && (buddy_has_block(order) || is_deferred(order))))
		return;
	stat_inc(KCOMPACTD_WAKE);
	drain_pcps();
	compact(&c);
	if (!score)
		note_result(order, buddy_has_block(order));
	stat_add(KCOMPACTD_MIGRATE_SCANNED, c.migrate_scanned);
	stat_add(KCOMPACTD_FREE_SCANNED, c.free_scanned);
}
