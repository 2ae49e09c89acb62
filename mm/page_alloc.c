/* SPDX-License-Identifier: MIT
 *
 * Allocating and freeing pages: per-CPU stacks of single pages in front of the zone (mm/buddy.c).
 *
 * 1. Nearly all traffic is single pages. Each CPU has two stacks of them, as the magazines of
 *    Bonwick and Adams, "Magazines and Vmem" (2001): it allocates from and frees to the first,
 *    and moves a whole stack to or from the zone only when both are empty or full. A refill takes
 *    whole blocks, of which the first is given out from its lower end without being taken apart. A drain
 *    puts consecutive pages back as whole blocks, and what a large unmap frees in one run does not
 *    pass the stacks at all. So the zone sees few operations, and few pages are linked.
 *
 * 2. A CPU has stacks for pages that can be moved and for those that cannot; which function allocates or frees says
 *    which is meant, so the common case does not look it up.
 *
 * 3. Locking: interrupts off alone for a CPU's stacks, zone.lock inside.
 *
 * 4. Before an allocation fails, or somebody is killed for it, what other CPUs keep is collected: pages, spare tables,
 *    free objects. They are interrupted for it, so that their stacks stay their own; which is dear, so everything that
 *    can be reclaimed comes first. What else happens then: mm/alloc_slow.c. Only what comes from the zone is held against
 *    the watermarks, so the common case knows nothing of them.
 */
#include <arch/irq.h>
#include <arch/smp.h>
#include <arch/timer.h>
#include <kern/assert.h>
#include <kern/failpoint.h>
#include <mm/slab.h>

#include "alloc.h"
#include "folio.h"
#include "page_poison.h"
#include "zone.h"

#define BATCH_ORDER 5
#define BATCH (1UL << BATCH_ORDER) /* pages in a full per-CPU stack */
#define COLLECT_PAUSE_NS 100000000 /* after collecting from all CPUs, unless they have new pages */

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
		unsigned int order = zone_refill_order(mobility);
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

/* ---- allocating ---- */

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

struct page *buddy_alloc(gfp_t gfp, unsigned int order, unsigned long keep)
{
	return order ? zone_alloc(order, gfp_mobility(gfp), keep)
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

/* With what CPUs have on their stacks, there would be a single page. */
static bool pcps_would_do(unsigned long keep)
{
	unsigned long n = RACY_READ(zone.nr_free);

	for (unsigned int cpu = 0; cpu < cpu_limit() && n <= keep; cpu++)
		n += pcp_pages(cpu);
	return n > keep;
}

static void collect_from_cpu(void *slab_pages)
{
	slab_drain_cpu(slab_pages);
	pgtable_drain_cpu(NULL);
	drain_this_pcp();
}

struct page *buddy_collect(gfp_t gfp, unsigned int order)
{
	static u64 next_try; /* clock_ns() */
	unsigned long keep = watermark_pages(WMARK_MIN);
	atomic_long_t slab_pages = ATOMIC_INIT(0);

	if (clock_ns() < READ_ONCE(next_try) && (order || !pcps_would_do(keep)))
		return NULL;
	on_each_cpu(collect_from_cpu, &slab_pages);
	(void)slab_drop_empty();
	drain_this_pcp();
	WRITE_ONCE(next_try, clock_ns() + COLLECT_PAUSE_NS);
	return buddy_alloc(gfp, order, keep);
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
		zero_pages(page_address(page), 1UL << order);
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
	unsigned long n = 1UL << order;

#pragma GCC unroll 8
	for (unsigned long i = 1; i < n; i++) {
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

/* ---- freeing ---- */

static __noinline void free_block(struct page *page, unsigned int order)
{
	unsigned long n = 1UL << order;

	if (RACY_READ(page[1].flags) & (1UL << PG_tail)) {
#pragma GCC unroll 8
		for (unsigned long i = 1; i < n; i++)
			RACY_WRITE(page[i].flags, 0);
	}
	poison_freed(page, order);
	RACY_WRITE(page->flags, 0);
	zone_free(page, order);
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

/* ---- how many there are ---- */

unsigned long nr_free_pages(void)
{
	irqflags_t flags = spin_lock_irqsave(&zone.lock);
	unsigned long n = zone.nr_free;

	for (unsigned int cpu = 0; cpu < cpu_limit(); cpu++)
		n += pcp_pages(cpu);
	spin_unlock_irqrestore(&zone.lock, flags);
	return n;
}

unsigned long nr_zone_free_pages(void)
{
	return RACY_READ(zone.nr_free);
}

unsigned long pages_ever_allocated(void)
{
	unsigned long n = READ_ONCE(zone.allocated);

	for (unsigned int cpu = 0; cpu < cpu_limit(); cpu++)
		n += READ_ONCE(pcps[cpu].allocated);
	return n;
}

unsigned long pages_ever_freed(void)
{
	unsigned long n = READ_ONCE(zone.freed);

	for (unsigned int cpu = 0; cpu < cpu_limit(); cpu++)
		n += READ_ONCE(pcps[cpu].freed);
	return n;
}
