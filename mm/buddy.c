/* SPDX-License-Identifier: MIT
 *
 * The zone, a binary buddy allocator. Single pages come through the per-CPU stacks of mm/page_alloc.c.
 *
 * 1. The zone keeps free blocks of 2^0 to 2^MAX_ORDER pages, each aligned to its size, one list
 *    an order. Only a block's first page carries PG_buddy and the order. A block that becomes
 *    free is joined with its buddy (the other half of the next larger block) as long as that one
 *    is free too, so no two free buddies exist. Source: Knuth, TAOCP 1, 2.5, algorithms R and S.
 *
 * 2. Pages that can be moved and pages that cannot are kept apart, so that compaction can empty whole pageblocks
 *    (2 MiB): folios of user data come from movable pageblocks, all else from others. Lists exist once for
 *    each. Memory begins as movable. When the kernel's lists are empty they take over the pageblock of the largest
 *    movable block; a pageblock that is free as a whole is movable again. User pages take from the kernel's pageblocks
 *    when there is nothing else. After Gorman and Whitcroft, "The what, the why and the where to of
 *    anti-fragmentation" (2006).
 */
#include <kern/assert.h>
#include <kern/list.h>

#include "alloc.h"
#include "page_poison.h"
#include "zone.h"

struct zone zone __aligned(64);

/* ---- zone.lock held ---- */

static enum mobility pageblock_mobility(unsigned long pfn)
{
	unsigned long block = pfn >> PAGEBLOCK_ORDER;

	return zone.unmovable[block / 64] >> block % 64 & 1 ? UNMOVABLE : MOVABLE;
}

static void set_pageblock_mobility(unsigned long pfn, enum mobility mobility)
{
	unsigned long block = pfn >> PAGEBLOCK_ORDER, bit = 1UL << block % 64;

	if (mobility == MOVABLE)
		zone.unmovable[block / 64] &= ~bit;
	else
		zone.unmovable[block / 64] |= bit;
}

static void area_add(struct page *page, unsigned int order)
{
	enum mobility mobility = pageblock_mobility(page_to_pfn(page));

	RACY_WRITE(page->flags, 1UL << PG_buddy);
	page->buddy_order = order;
	page->buddy_mobility = mobility;
	list_add(&page->buddy_list, &zone.area[order].blocks[mobility]);
	zone.area[order].nr[mobility]++;
	zone.nonempty[mobility] |= 1U << order;
}

static void area_del(struct page *page, unsigned int order)
{
	unsigned int mobility = page->buddy_mobility;

	RACY_WRITE(page->flags, 0);
	list_del(&page->buddy_list);
	if (--zone.area[order].nr[mobility] == 0)
		zone.nonempty[mobility] &= ~(1U << order);
}

static void zone_free_block(struct page *page, unsigned int order)
{
	unsigned long pfn = page_to_pfn(page);

	zone.nr_free += 1UL << order;
	for (; order < MAX_ORDER; order++) {
		unsigned long buddy_pfn = pfn ^ (1UL << order);
		struct page *buddy = pfn_to_page(buddy_pfn);

		if (buddy_pfn < zone.start_pfn || buddy_pfn >= zone.end_pfn ||
		    !(RACY_READ(buddy->flags) & (1UL << PG_buddy)) || buddy->buddy_order != order)
			break;
		area_del(buddy, order);
		pfn &= ~(1UL << order);
	}
	for (unsigned long n = 0; order >= PAGEBLOCK_ORDER && n < 1UL << order;
	     n += PAGEBLOCK_PAGES)
		set_pageblock_mobility(pfn + n, MOVABLE);
	area_add(pfn_to_page(pfn), order);
}

void zone_free_run(unsigned long pfn, unsigned long n)
{
	while (n) {
		unsigned int order = 63 - (unsigned int)__builtin_clzl(n);

		if (pfn & ((1UL << order) - 1))
			order = (unsigned int)__builtin_ctzl(pfn);
		if (order > MAX_ORDER)
			order = MAX_ORDER;
		zone_free_block(pfn_to_page(pfn), order);
		pfn += 1UL << order;
		n -= 1UL << order;
	}
}

/* What is free in the pageblock of pfn moves to the kernel's lists, and what will be comes there. */
static void take_over_pageblock(unsigned long pfn)
{
	unsigned long end;

	pfn = max(ALIGN_DOWN(pfn, PAGEBLOCK_PAGES), zone.start_pfn);
	end = min(ALIGN_DOWN(pfn, PAGEBLOCK_PAGES) + PAGEBLOCK_PAGES, zone.end_pfn);
	set_pageblock_mobility(pfn, UNMOVABLE);
	while (pfn < end) {
		struct page *page = pfn_to_page(pfn);
		unsigned int order = 0;

		if (RACY_READ(page->flags) & 1UL << PG_buddy) {
			order = page->buddy_order;
			area_del(page, order);
			area_add(page, order);
		}
		pfn += 1UL << order;
	}
}

/* Of a block of the order from, which is on no list: its lower end; the rest goes back. */
static struct page *split_block(struct page *page, unsigned int from, unsigned int order)
{
	while (from > order) {
		from--;
		area_add(page + (1UL << from), from);
	}
	return page;
}

/* There are blocks, but none that the other kind could have without taking it from this one. */
static __noinline struct page *steal_block(unsigned int order, enum mobility mobility)
{
	unsigned int usable = zone.nonempty[!mobility] >> order << order, from;
	struct page *page;

	if (!usable)
		return NULL;
	from = 31 - (unsigned int)__builtin_clz(usable);
	page = list_first_entry(&zone.area[from].blocks[!mobility], struct page, buddy_list);
	area_del(page, from);
	if (mobility == UNMOVABLE) {
		if (from > PAGEBLOCK_ORDER) {
			unsigned int keep = max(order, PAGEBLOCK_ORDER + 0u);

			page = split_block(page, from, keep);
			from = keep;
		}
		take_over_pageblock(page_to_pfn(page));
	}
	return split_block(page, from, order);
}

struct page *zone_alloc_block(unsigned int order, enum mobility mobility)
{
	unsigned int usable = zone.nonempty[mobility] >> order << order;
	struct page *page;

	if (likely(usable)) {
		unsigned int from = (unsigned int)__builtin_ctz(usable);

		page = list_first_entry(&zone.area[from].blocks[mobility], struct page, buddy_list);
		area_del(page, from);
		page = split_block(page, from, order);
	} else {
		page = steal_block(order, mobility);
	}
	if (page)
		zone.nr_free -= 1UL << order;
	return page;
}

unsigned int zone_refill_order(enum mobility mobility)
{
	unsigned int own = zone.nonempty[mobility], others = zone.nonempty[!mobility];

	if (likely(own))
		return (unsigned int)__builtin_ctz(own);
	return 31 - (unsigned int)__builtin_clz(others);
}

/* ---- zone.lock taken ---- */

struct page *zone_alloc(unsigned int order, enum mobility mobility, unsigned long keep)
{
	irqflags_t flags = spin_lock_irqsave(&zone.lock);
	struct page *page = NULL;

	if (zone.nr_free >= keep + (1UL << order))
		page = zone_alloc_block(order, mobility);
	if (page)
		RACY_WRITE(zone.allocated, zone.allocated + (1UL << order));
	spin_unlock_irqrestore(&zone.lock, flags);
	return page;
}

void zone_free(struct page *page, unsigned int order)
{
	irqflags_t flags = spin_lock_irqsave(&zone.lock);

	zone_free_block(page, order);
	RACY_WRITE(zone.freed, zone.freed + (1UL << order));
	spin_unlock_irqrestore(&zone.lock, flags);
}

void buddy_add_range(unsigned long start_pfn, unsigned long end_pfn)
{
	irqflags_t flags = spin_lock_irqsave(&zone.lock);

	if (zone.nr_total == 0) {
		for (unsigned int order = 0; order <= MAX_ORDER; order++)
			for (unsigned int i = 0; i < NR_MOBILITY; i++)
				INIT_LIST_HEAD(&zone.area[order].blocks[i]);
		zone.start_pfn = ~0UL;
	}
	zone.start_pfn = min(zone.start_pfn, start_pfn);
	zone.end_pfn = max(zone.end_pfn, end_pfn);
	zone.nr_total += end_pfn - start_pfn;
	zone_free_run(start_pfn, end_pfn - start_pfn);
	spin_unlock_irqrestore(&zone.lock, flags);
}

unsigned long totalram_pages(void)
{
	return READ_ONCE(zone.nr_total);
}

unsigned long min_pfn(void)
{
	return READ_ONCE(zone.start_pfn);
}

unsigned long max_pfn(void)
{
	return READ_ONCE(zone.end_pfn);
}

unsigned long buddy_nr_free(unsigned int order)
{
	return READ_ONCE(zone.area[order].nr[UNMOVABLE]) + READ_ONCE(zone.area[order].nr[MOVABLE]);
}

/* ---- for compaction ---- */

bool buddy_has_block(unsigned int order)
{
	unsigned int nonempty =
		READ_ONCE(zone.nonempty[UNMOVABLE]) | READ_ONCE(zone.nonempty[MOVABLE]);

	return order <= MAX_ORDER && nonempty >> order;
}

unsigned long buddy_take_block(unsigned long pfn, struct list_head *free)
{
	unsigned long keep = watermark_pages(WMARK_MIN) + PAGEBLOCK_PAGES, end, taken = 0;
	irqflags_t flags = spin_lock_irqsave(&zone.lock);

	end = min(pfn + PAGEBLOCK_PAGES, zone.end_pfn);
	if (zone.nr_free < keep || pageblock_mobility(pfn) == UNMOVABLE)
		end = pfn;
	for (pfn = max(pfn, zone.start_pfn); pfn < end; pfn++) {
		struct page *page = pfn_to_page(pfn);
		unsigned int order;

		if (!(RACY_READ(page->flags) & 1UL << PG_buddy))
			continue;
		order = page->buddy_order;
		if (order >= PAGEBLOCK_ORDER)
			break;
		area_del(page, order);
		poison_check(page, order);
		list_add(&page->buddy_list, &free[order]);
		taken += 1UL << order;
		pfn += (1UL << order) - 1;
	}
	zone.nr_free -= taken;
	RACY_WRITE(zone.allocated, zone.allocated + taken);
	spin_unlock_irqrestore(&zone.lock, flags);
	return taken;
}

/* One list. How many pages it has. */
static unsigned long validate_area(unsigned int order, enum mobility mobility)
{
	unsigned long nr = 0;
	struct page *p;

	list_for_each_entry(p, &zone.area[order].blocks[mobility], buddy_list) {
		unsigned long pfn = page_to_pfn(p);
		unsigned long buddy = pfn ^ (1UL << order);

		BUG_ON(p->flags != 1UL << PG_buddy || p->buddy_order != order);
		BUG_ON(p->buddy_mobility != mobility || pageblock_mobility(pfn) != mobility);
		BUG_ON(!IS_ALIGNED(pfn, 1UL << order));
		BUG_ON(pfn < zone.start_pfn || pfn + (1UL << order) > zone.end_pfn);
		/* An inner page marked as a block of its own: the two overlap. */
		for (unsigned long i = 1; i < 1UL << order; i++)
			BUG_ON(p[i].flags & (1UL << PG_buddy));
		BUG_ON(order < MAX_ORDER && buddy >= zone.start_pfn && buddy < zone.end_pfn &&
		       pfn_to_page(buddy)->flags & (1UL << PG_buddy) &&
		       pfn_to_page(buddy)->buddy_order == order);
		nr++;
	}
	BUG_ON(nr != zone.area[order].nr[mobility]);
	BUG_ON(!nr != !(zone.nonempty[mobility] & (1U << order)));
	return nr << order;
}

void buddy_validate(void)
{
	irqflags_t flags = spin_lock_irqsave(&zone.lock);
	unsigned long total = 0;

	for (unsigned int order = 0; order <= MAX_ORDER; order++)
		for (unsigned int i = 0; i < NR_MOBILITY; i++)
			total += validate_area(order, i);
	BUG_ON(total != zone.nr_free);
	spin_unlock_irqrestore(&zone.lock, flags);
}
