/* SPDX-License-Identifier: MIT
 *
 * Physical memory: a binary buddy allocator with per-CPU lists of single pages in front of it.
 *
 * 1. The zone keeps free blocks of 2^0 to 2^MAX_ORDER pages, each aligned to its size, one list
 *    an order. Only a block's first page carries PG_buddy and the order. A block that becomes
 *    free is joined with its buddy (the other half of the next larger block) as long as that one
 *    is free too, so no two free buddies exist. Source: Knuth, TAOCP 1, 2.5, algorithms R and S.
 *
 * 2. Nearly all traffic is single pages. Each CPU has two stacks of them, as the magazines of
 *    Bonwick and Adams, "Magazines and Vmem" (2001): it allocates from and frees to the first,
 *    and moves a whole stack to or from the zone only when both are empty or full. A refill takes
 *    whole blocks, of which the first is given out from its lower end without being taken apart. A drain
 *    puts consecutive pages back as whole blocks, and what a large unmap frees in one run does not
 *    pass the stacks at all. So the zone sees few operations, and few pages are linked.
 *
 * 3. Locking: zone.lock, with interrupts off, for the zone; interrupts off alone for a CPU's
 *    stacks.
 *
 * 4. Before an allocation fails, what other CPUs keep is collected. They are interrupted for it, so
 *    that their stacks stay their own. What else happens then: mm/alloc_slow.c. Only what comes from the zone is
 *    held against the watermarks, so the common case knows nothing of them.
 *
 * 5. Pages that can be moved and pages that cannot are kept apart, so that compaction can empty whole pageblocks
 *    (2 MiB): folios of user data come from movable pageblocks, all else from others. Lists and stacks exist once for
 *    each; which function allocates or frees says which is meant, so the common case does not look it up. Memory
 *    begins as movable. When the kernel's lists are empty they take over the pageblock of the largest movable
 *    block; a pageblock that is free as a whole is movable again. User pages take from the kernel's pageblocks
 *    when there is nothing else. After Gorman and Whitcroft, "The what, the why and the where to of
 *    anti-fragmentation" (2006).
 *
 * 6. Debug builds fill freed pages with a pattern and check it when they are allocated again; the
 *    mark that says so lies in the free page's descriptor, so memory never used yet needs no
 *    filling at boot.
 */
#include <arch/irq.h>
#include <arch/memory.h>
#include <arch/pgtable.h>
#include <arch/smp.h>
#include <arch/timer.h>
#include <kern/assert.h>
#include <kern/failpoint.h>
#include <kern/list.h>
#include <kern/string.h>
#include <mm/page_alloc.h>
#include <mm/slab.h>

#include "internal.h"

#define BATCH_ORDER 5
#define BATCH (1UL << BATCH_ORDER) /* pages in a full per-CPU stack */
#define COLLECT_PAUSE_NS 10000000  /* after collecting from all CPUs in vain */

enum mobility { UNMOVABLE, MOVABLE, NR_MOBILITY };

#define MAX_PAGEBLOCKS (BOOT_RAM_LIMIT >> PAGE_SHIFT >> PAGEBLOCK_ORDER)

static struct zone {
	spinlock_t lock;
	unsigned int nonempty[NR_MOBILITY]; /* [lock] bit n: area[n] has blocks */
	unsigned long nr_free;		    /* [lock] pages in all areas */
	unsigned long nr_total;		    /* [lock] pages ever added */
	unsigned long start_pfn, end_pfn;   /* [lock] bounds of what was added */
	struct {
		struct list_head blocks[NR_MOBILITY]; /* [lock] page->buddy_list */
		unsigned long nr[NR_MOBILITY];	      /* [lock] */
	} area[MAX_ORDER + 1];
	unsigned long unmovable[MAX_PAGEBLOCKS / 64]; /* [lock] a bit for each pageblock */
} zone __aligned(64);

/* Written only by their CPU, interrupts off; the numbers are read by anyone. */
static struct pcp {
	struct stack {
		struct page *list;	    /* linked through words[0] */
		struct page *full;	    /* a second stack, of exactly BATCH pages, or NULL */
		unsigned long count;	    /* pages in list, at most BATCH */
		struct page *run, *run_end; /* what is left of a block, taken when list is empty */
	} stacks[NR_MOBILITY];
	unsigned long allocated, freed; /* pages, ever */
} __aligned(64) pcps[MAX_CPUS];

static inline struct page *next_free(const struct page *page)
{
	return (struct page *)page->words[0];
}

static inline void set_next_free(struct page *page, struct page *next)
{
	page->words[0] = (unsigned long)next;
}

/* ---- debug: freed pages keep a pattern ---- */

#ifdef CONFIG_DEBUG
#define POISON_BYTE 0xaa
#define POISON_WORD 0xaaaaaaaaaaaaaaaaUL
#define POISON_MARK 0xdead4eadUL /* in words[6]: the page holds the pattern */

static void poison_freed(struct page *page, unsigned int order)
{
	const unsigned long bad = 1UL << PG_locked | 1UL << PG_lru | 1UL << PG_reserved |
				  1UL << PG_buddy | 1UL << PG_slab | 1UL << PG_writeback;

	for (struct page *p = page; p < page + (1UL << order); p++) {
		if (p->words[6] == POISON_MARK || (p->flags & bad))
			panic("BUG: page %lx freed twice or in use, flags %lx", page_to_pfn(p),
			      p->flags);
		memset(page_address(p), POISON_BYTE, PAGE_SIZE);
		p->words[6] = POISON_MARK;
	}
	mem_freed(page_address(page), PAGE_SIZE << order);
}

static void poison_check(struct page *page, unsigned int order)
{
	mem_allocated(page_address(page), PAGE_SIZE << order);
	for (struct page *p = page; p < page + (1UL << order); p++) {
		const unsigned long *w = page_address(p);

		if (p->words[6] != POISON_MARK)
			continue;
		for (unsigned int i = 0; i < PAGE_SIZE / sizeof(*w); i++)
			if (w[i] != POISON_WORD)
				panic("BUG: free page %lx written to at offset %lx: %lx",
				      page_to_pfn(p), i * sizeof(*w), w[i]);
		p->words[6] = 0;
	}
}
#else
static inline void poison_freed(struct page *page, unsigned int order)
{
	(void)page;
	(void)order;
}

static inline void poison_check(struct page *page, unsigned int order)
{
	(void)page;
	(void)order;
}
#endif

/* ---- the zone: zone.lock held ---- */

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

/* Any run of pages, as the largest aligned blocks. */
static void zone_free_run(unsigned long pfn, unsigned long n)
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

/* A block of exactly this order, the smallest that there is or a part of it. */
static struct page *zone_alloc_block(unsigned int order, enum mobility mobility)
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

/* ---- per-CPU stacks: interrupts off ---- */

/* The pages of a block become the top of the list. Highest address first: it is taken last. */
static void stack_link_block(struct stack *stack, struct page *block, unsigned int order)
{
	for (struct page *p = block + (1UL << order); p-- > block;) {
		set_next_free(p, stack->list);
		stack->list = p;
	}
	RACY_WRITE(stack->count, stack->count + (1UL << order));
}

/* The order of the block that a stack is filled from next. */
static unsigned int refill_order(enum mobility mobility)
{
	unsigned int own = zone.nonempty[mobility], others = zone.nonempty[!mobility];

	if (likely(own))
		return (unsigned int)__builtin_ctz(own);
	return 31 - (unsigned int)__builtin_clz(others);
}

/*
 * Fills empty stacks from the smallest blocks there are, so that large ones stay whole. One that would have to be split
 * for the last few pages stays whole, too. keep: pages that stay in the zone.
 */
static __noinline bool stack_refill(struct stack *stack, enum mobility mobility, unsigned long keep)
{
	unsigned long n = 0;

	if (stack->full) {
		stack->list = stack->full;
		RACY_WRITE(stack->full, NULL);
		RACY_WRITE(stack->count, BATCH);
		return true;
	}

	spin_lock(&zone.lock);
	while (n < BATCH && zone.nr_free > keep) {
		unsigned long most = min(BATCH - n, zone.nr_free - keep);
		unsigned int room = 63 - (unsigned int)__builtin_clzl(most);
		unsigned int order = refill_order(mobility);
		struct page *block;

		if (order > room) {
			if (n >= BATCH / 2)
				break;
			order = room;
		}
		block = zone_alloc_block(order, mobility);
		if (n) {
			stack_link_block(stack, block, order);
		} else {
			RACY_WRITE(stack->run, block);
			RACY_WRITE(stack->run_end, block + (1UL << order));
		}
		n += 1UL << order;
	}
	spin_unlock(&zone.lock);
	return n;
}

/* Gives a stack back to the zone, neighbouring pages as one run. */
static void zone_free_list(struct page *page)
{
	spin_lock(&zone.lock);
	while (page) {
		struct page *low = page, *high = page;

		while ((page = next_free(page)) != NULL) {
			if (page == low - 1)
				low = page;
			else if (page == high + 1)
				high = page;
			else
				break;
		}
		zone_free_run(page_to_pfn(low), (unsigned long)(high - low) + 1);
	}
	spin_unlock(&zone.lock);
}

/* Makes room in a full stack: the older of the two goes to the zone. */
static __noinline void stack_overflow(struct stack *stack)
{
	struct page *old = stack->full;

	RACY_WRITE(stack->full, stack->list);
	stack->list = NULL;
	RACY_WRITE(stack->count, 0UL);
	if (old)
		zone_free_list(old);
}

/* NULL: neither list nor run has any. */
static __always_inline struct page *pcp_take(struct pcp *pcp, struct stack *stack)
{
	struct page *page = stack->list;

	if (page) {
		stack->list = next_free(page);
		RACY_WRITE(stack->count, stack->count - 1);
	} else {
		page = stack->run;
		if (unlikely(page == stack->run_end))
			return NULL;
		RACY_WRITE(stack->run, page + 1);
	}
	RACY_WRITE(pcp->allocated, pcp->allocated + 1);
	return page;
}

static __always_inline void pcp_push(struct pcp *pcp, enum mobility mobility, struct page *page)
{
	struct stack *stack = &pcp->stacks[mobility];

	if (unlikely(stack->count == BATCH))
		stack_overflow(stack);
	set_next_free(page, stack->list);
	stack->list = page;
	RACY_WRITE(stack->count, stack->count + 1);
	RACY_WRITE(pcp->freed, pcp->freed + 1);
}

void drain_this_pcp(void)
{
	irqflags_t flags = irq_save();
	struct stack *stacks = pcps[cpu_id()].stacks;

	for (unsigned int i = 0; i < NR_MOBILITY; i++) {
		struct stack *stack = &stacks[i];

		stack_overflow(stack);
		stack_overflow(stack);
		spin_lock(&zone.lock);
		zone_free_run(page_to_pfn(stack->run),
			      (unsigned long)(stack->run_end - stack->run));
		spin_unlock(&zone.lock);
		RACY_WRITE(stack->run, stack->run_end);
	}
	irq_restore(flags);
}

static void drain_pcp(void *unused __maybe_unused)
{
	drain_this_pcp();
}

void drain_pcps(void)
{
	on_each_cpu(drain_pcp, NULL);
}

/* ---- the interface ---- */

static enum mobility gfp_mobility(gfp_t gfp)
{
	return gfp & __GFP_MOVABLE ? MOVABLE : UNMOVABLE;
}

/* The last resort is what this CPU has for the other kind. */
static struct page *alloc_single(enum mobility mobility, unsigned long keep)
{
	irqflags_t flags = irq_save();
	struct pcp *pcp = &pcps[cpu_id()];
	struct stack *stack = &pcp->stacks[mobility];
	struct page *page = pcp_take(pcp, stack);

	if (!page && stack_refill(stack, mobility, keep))
		page = pcp_take(pcp, stack);
	if (!page)
		page = pcp_take(pcp, &pcp->stacks[!mobility]);
	irq_restore(flags);
	return page;
}

static struct page *alloc_block(unsigned int order, enum mobility mobility, unsigned long keep)
{
	irqflags_t flags = spin_lock_irqsave(&zone.lock);
	struct page *page = NULL;

	if (zone.nr_free >= keep + (1UL << order))
		page = zone_alloc_block(order, mobility);
	if (page)
		pcps[cpu_id()].allocated += 1UL << order;
	spin_unlock_irqrestore(&zone.lock, flags);
	return page;
}

struct page *buddy_alloc(gfp_t gfp, unsigned int order, unsigned long keep)
{
	return order ? alloc_block(order, gfp_mobility(gfp), keep)
		     : alloc_single(gfp_mobility(gfp), keep);
}

static unsigned long pcp_pages(unsigned int cpu)
{
	const struct stack *stacks = pcps[cpu].stacks;
	unsigned long n = 0;

	for (unsigned int i = 0; i < NR_MOBILITY; i++) {
		long run = READ_ONCE(stacks[i].run_end) - READ_ONCE(stacks[i].run);

		n += READ_ONCE(stacks[i].count) + (READ_ONCE(stacks[i].full) ? BATCH : 0) +
		     (unsigned long)max(run, 0L);
	}
	return n;
}

/* With what they have, there would be a page. Otherwise CPUs that all ask each other do nothing else. */
static bool pcps_would_do(unsigned long keep)
{
	unsigned long n = RACY_READ(zone.nr_free);

	if (n > keep)
		return true;
	for (unsigned int cpu = 0; cpu < MAX_CPUS && n <= keep; cpu++)
		n += pcp_pages(cpu);
	return n > keep;
}

/*
 * The zone has nothing that fits. A single page may sit on another CPU's stacks; what else is kept for
 * later (spare tables, free objects), or as halves of a block, is collected as well, but not again for a
 * while once that was in vain: a machine without memory has other things to do than to look for it.
 */
struct page *buddy_collect(gfp_t gfp, unsigned int order)
{
	static u64 next_try; /* clock_ns() */
	unsigned long keep = watermark_pages(WMARK_MIN);
	struct page *page = NULL;

	if (order) {
		drain_this_pcp();
		page = buddy_alloc(gfp, order, keep);
	}
	if (page || (gfp & GFP_ATOMIC) || irqs_disabled())
		return page;
	if (!order && pcps_would_do(keep)) {
		drain_pcps();
		page = buddy_alloc(gfp, order, keep);
	}
	if (page || clock_ns() < READ_ONCE(next_try))
		return page;
	(void)slab_shrink();
	pgtable_drain();
	drain_pcps();
	page = buddy_alloc(gfp, order, keep);
	if (!page)
		WRITE_ONCE(next_try, clock_ns() + COLLECT_PAUSE_NS);
	return page;
}

/* The whole of allocation; get_page_fast() does the common case by itself. */
static __noinline struct page *get_pages_slow(gfp_t gfp, unsigned int order)
{
	struct page *page;

	ASSERT(order <= MAX_ORDER);
	if (fail_point(FAIL_ALLOC_PAGES))
		return NULL;
	page = buddy_alloc(gfp, order, watermark_pages(WMARK_LOW));
	if (unlikely(!page))
		page = alloc_when_short(gfp, order);
	if (!page)
		return NULL;
	poison_check(page, order);
	if (gfp & __GFP_ZERO) {
		trace(fault_zero, 1L << order);
		for (unsigned long i = 0; i < 1UL << order; i++)
			zero_page(page_address(page + i));
	}
	trace(mm_page_alloc, page, page_to_pfn(page), order, gfp);
	return page;
}

/* A single page from this CPU's stack, or NULL when it is not that simple. */
static __always_inline struct page *get_page_fast(gfp_t gfp, unsigned int order,
						  enum mobility mobility)
{
	irqflags_t flags;
	struct page *page;
	struct pcp *pcp;

	if (unlikely(order || READ_ONCE(fail_armed)))
		return NULL;
	flags = irq_save();
	pcp = &pcps[cpu_id()];
	page = pcp_take(pcp, &pcp->stacks[mobility]);
	irq_restore(flags);
	if (unlikely(!page))
		return NULL;
	poison_check(page, 0);
	if (gfp & __GFP_ZERO) {
		trace(fault_zero, 1);
		zero_page(page_address(page));
	}
	trace(mm_page_alloc, page, page_to_pfn(page), order, gfp);
	return page;
}

struct page *alloc_pages(gfp_t gfp, unsigned int order)
{
	struct page *page;

	if (!(gfp & GFP_ATOMIC))
		lockdep_may_sleep();
	page = get_page_fast(gfp, order, UNMOVABLE);
	return likely(page) ? page : get_pages_slow(gfp, order);
}

static inline struct folio *init_head(struct page *page, unsigned int order)
{
	struct folio *f = (struct folio *)page;

	ASSERT(RACY_READ(page->flags) == 0);
	f->mapping = NULL;
	f->refcount = (atomic_t)ATOMIC_INIT(1);
	f->mapcount = (atomic_t)ATOMIC_INIT(0);
	f->mlock_count = (atomic_t)ATOMIC_INIT(0);
	f->order = (u8)order;
	return f;
}

struct folio *folio_make(struct page *page, unsigned int order)
{
	struct folio *f = init_head(page, order);

	for (unsigned long i = 1; i < 1UL << order; i++) {
		RACY_WRITE(page[i].flags, 1UL << PG_tail);
		page[i].head = f;
		page[i].words[1] = 0; /* page_maps, page_mlocks */
	}
	return f;
}

static __noinline struct folio *folio_alloc_slow(gfp_t gfp, unsigned int order)
{
	struct page *page = get_pages_slow(gfp, order);

	return page ? folio_make(page, order) : NULL;
}

struct folio *folio_alloc(gfp_t gfp, unsigned int order)
{
	struct page *page = get_page_fast(gfp, order, MOVABLE);

	return likely(page) ? init_head(page, 0) : folio_alloc_slow(gfp | __GFP_MOVABLE, order);
}

struct folio *folio_alloc_kernel(gfp_t gfp, unsigned int order)
{
	struct page *page = get_page_fast(gfp, order, UNMOVABLE);

	return likely(page) ? init_head(page, 0) : folio_alloc_slow(gfp, order);
}

static __noinline void free_block(struct page *page, unsigned int order)
{
	irqflags_t flags;

	if (RACY_READ(page[1].flags) & (1UL << PG_tail))
		for (unsigned long i = 1; i < 1UL << order; i++)
			RACY_WRITE(page[i].flags, 0);
	poison_freed(page, order);
	RACY_WRITE(page->flags, 0);
	flags = spin_lock_irqsave(&zone.lock);
	zone_free_block(page, order);
	pcps[cpu_id()].freed += 1UL << order;
	spin_unlock_irqrestore(&zone.lock, flags);
}

void free_pages(struct page *page, unsigned int order)
{
	irqflags_t flags;

	if (unlikely(order)) {
		free_block(page, order);
		return;
	}
	poison_freed(page, 0);
	RACY_WRITE(page->flags, 0);
	flags = irq_save();
	pcp_push(&pcps[cpu_id()], UNMOVABLE, page);
	irq_restore(flags);
}

/* A single page's descriptor is a free page's again. */
static __always_inline void reset_single(struct page *page)
{
	poison_freed(page, 0);
	RACY_WRITE(page->flags, 0);
}

/* How many of n folios, the first of which is a single page, lie one after the other: those are reset. */
static unsigned int reset_run(struct folio **folios, unsigned int n)
{
	struct folio *next = folios[0];
	unsigned int i = 0;

	do {
		reset_single(&next->page);
		next = (struct folio *)(&next->page + 1);
	} while (++i < n && folios[i] == next && likely(!next->order));
	return i;
}

static void free_run(struct pcp *pcp, struct page *page, unsigned int run)
{
	if (run >= BATCH) {
		spin_lock(&zone.lock);
		zone_free_run(page_to_pfn(page), run);
		spin_unlock(&zone.lock);
		RACY_WRITE(pcp->freed, pcp->freed + run);
		return;
	}
	for (struct page *end = page + run; page < end; page++)
		pcp_push(pcp, MOVABLE, page);
}

#define FREE_AT_ONCE 512u /* with interrupts off */

/* Many: some of them surely lie next to each other. */
static __noinline void free_runs(struct folio **folios, unsigned int n)
{
	while (n) {
		unsigned int some = min(n, FREE_AT_ONCE), done = 0;
		irqflags_t flags = irq_save();
		struct pcp *pcp = &pcps[cpu_id()];

		while (done < some) {
			struct page *page = &folios[done]->page;
			unsigned int run = 1;

			if (unlikely(folios[done]->order)) {
				free_block(page, folios[done]->order);
			} else {
				run = reset_run(folios + done, some - done);
				free_run(pcp, page, run);
			}
			done += run;
		}
		irq_restore(flags);
		folios += some;
		n -= some;
	}
}

void free_folios(struct folio **folios, unsigned int n)
{
	irqflags_t flags;
	struct pcp *pcp;

	if (n >= BATCH) {
		free_runs(folios, n);
		return;
	}
	flags = irq_save();
	pcp = &pcps[cpu_id()];
	for (unsigned int i = 0; i < n; i++) {
		struct page *page = &folios[i]->page;

		if (unlikely(folios[i]->order)) {
			free_block(page, folios[i]->order);
			continue;
		}
		reset_single(page);
		pcp_push(pcp, MOVABLE, page);
	}
	irq_restore(flags);
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

unsigned long nr_free_pages(void)
{
	irqflags_t flags = spin_lock_irqsave(&zone.lock);
	unsigned long n = zone.nr_free;

	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
		n += pcp_pages(cpu);
	spin_unlock_irqrestore(&zone.lock, flags);
	return n;
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

unsigned long pages_ever_allocated(void)
{
	unsigned long n = 0;

	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
		n += READ_ONCE(pcps[cpu].allocated);
	return n;
}

unsigned long pages_ever_freed(void)
{
	unsigned long n = 0;

	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
		n += READ_ONCE(pcps[cpu].freed);
	return n;
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
	pcps[cpu_id()].allocated += taken;
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
