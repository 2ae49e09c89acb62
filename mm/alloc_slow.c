/* SPDX-License-Identifier: MIT
 *
 * What an allocation does when memory is short.
 *
 *   free pages above low     it is given; nobody notices
 *   above min                it is given; kswapd is woken and reclaims until high
 *   below min                the caller reclaims by itself (direct reclaim) and tries again
 *   still nothing            somebody is killed (kernel/oom.c), and it tries again
 *
 * The last pages, below min, are for those who must not wait: half of them for interrupt handlers and for whoever holds a
 * spinlock, all of them for tasks that reclaim and for tasks that were killed, since both free more than they take.
 *
 * Sources: Linux's watermarks and their formulas (Documentation/admin-guide/sysctl/vm.rst, min_free_kbytes and
 * watermark_scale_factor).
 */
#include "alloc.h"
#include "reclaim.h"

#include <kern/printk.h>
#include <mm/swap.h>
#include <sync/mutex.h>

#define MAX_ROUNDS 16  /* of reclaim without any progress, before somebody is killed */
#define COSTLY_ORDER 3 /* blocks larger than that are not worth a life */
#define MIN_FREE_LOWEST 128UL
#define MIN_FREE_HIGHEST 262144UL /* KiB */

static unsigned long watermarks[NR_WMARKS]; /* pages; 0 until reclaim can help */

unsigned long watermark_pages(enum watermark mark)
{
	return READ_ONCE(watermarks[mark]);
}

static unsigned long default_min_free_kbytes(void)
{
	unsigned long kb = int_sqrt(16 * (totalram_pages() << (PAGE_SHIFT - 10)));

	return min(max(kb, MIN_FREE_LOWEST), MIN_FREE_HIGHEST);
}

void watermarks_update(void)
{
	unsigned long kb = knob_min_free_kbytes ? knob_min_free_kbytes : default_min_free_kbytes();
	unsigned long min_pages = min(kb >> (PAGE_SHIFT - 10), totalram_pages() / 4);
	unsigned long step =
		max(min_pages / 4, totalram_pages() * knob_watermark_scale_factor / 10000);

	WRITE_ONCE(watermarks[WMARK_MIN], min_pages);
	WRITE_ONCE(watermarks[WMARK_LOW], min_pages + step);
	WRITE_ONCE(watermarks[WMARK_HIGH], min_pages + 2 * step);
}

/* Those who may use every page there is. */
static bool may_use_reserves(void)
{
	return *caller_reclaiming() || park_interrupted(PARK_KILLABLE);
}

/* Pages. What Linux's report says, as far as it tells why nothing could be reclaimed. */
static void say_short(gfp_t gfp, unsigned int order)
{
	pr_err("No memory for order %u, gfp %#x: free %lu of %lu, min %lu; anon %lu active, %lu inactive; "
	       "file %lu active, %lu inactive; unevictable %lu; dirty %lu; in writing %lu; swap %lu free",
	       order, gfp, nr_zone_free_pages(), totalram_pages(), watermark_pages(WMARK_MIN),
	       stat_read(NR_ACTIVE_ANON), stat_read(NR_INACTIVE_ANON), stat_read(NR_ACTIVE_FILE),
	       stat_read(NR_INACTIVE_FILE), stat_read(NR_UNEVICTABLE), stat_read(NR_FILE_DIRTY),
	       stat_read(NR_WRITEBACK), swap_free_pages());
}

static struct mutex kill_mutex = MUTEX_INIT(kill_mutex);
static unsigned long kills; /* [kill_mutex] attempts */

/*
 * Somebody dies for memory, unless another task was at that just now: what it frees must be tried for first, or a bystander
 * is killed beside the one who has it all. Who has the mutex waits for nobody. False: nobody is left whose death would
 * help.
 */
static bool make_room_by_killing(gfp_t gfp, unsigned int order, struct page **page)
{
	unsigned long before = RACY_READ(kills);
	bool more = true;

	mutex_lock(&kill_mutex);
	*page = buddy_alloc(gfp, order, watermark_pages(WMARK_MIN));
	if (!*page && kills == before) {
		*page = buddy_collect(gfp, order);
		if (!*page) {
			say_short(gfp, order);
			more = caller_out_of_memory();
		}
		RACY_WRITE(kills, kills + 1);
	}
	mutex_unlock(&kill_mutex);
	return more;
}

/* Until there is a page, or nobody is left to take one from. */
static struct page *reclaim_and_retry(gfp_t gfp, unsigned int order)
{
	struct page *page;

	for (unsigned int failed = 0;;) {
		bool progress = try_to_free_pages(order) != 0;

		if (order && progress)
			(void)compact_for(order);
		page = buddy_alloc(gfp, order, watermark_pages(WMARK_MIN));
		if (page) {
			kswapd_encourage();
			return page;
		}
		if (may_use_reserves())
			return buddy_alloc(gfp, order, 0);
		if (progress && order == 0)
			failed = 0;
		else
			failed++;
		if (failed < MAX_ROUNDS)
			continue;
		if ((gfp & __GFP_NORETRY) || order > COSTLY_ORDER)
			return buddy_collect(gfp, order);
		if (!make_room_by_killing(gfp, order, &page))
			return NULL;
		if (page)
			return page;
		failed = 0;
		cond_resched();
	}
}

struct page *alloc_when_short(gfp_t gfp, unsigned int order)
{
	struct page *page;
	unsigned long keep = watermark_pages(WMARK_MIN);

	if (gfp & GFP_LIGHT)
		return NULL;
	kswapd_wake();
	if (unlikely(order))
		kcompactd_ask(order);
	page = buddy_alloc(gfp, order, gfp & GFP_ATOMIC ? keep / 2 : keep);
	if (page)
		return page;
	if (order) {
		drain_this_pcp();
		page = buddy_alloc(gfp, order, keep);
	}
	if (page || (gfp & GFP_ATOMIC) || irqs_disabled())
		return page;
	if (may_use_reserves()) {
		page = buddy_alloc(gfp, order, 0);
		if (page || *caller_reclaiming())
			return page;
	}
	if (order && compact_for(order)) {
		page = buddy_alloc(gfp, order, keep);
		if (page)
			return page;
	}
	if (!keep) /* before there is anyone to reclaim from or for: early boot */
		return buddy_collect(gfp, order);
	stat_inc(ALLOCSTALL);
	return reclaim_and_retry(gfp, order);
}
