/* SPDX-License-Identifier: MIT
 *
 * kcompactd: compacts in the background, so that large blocks are there before somebody waits for one.
 *
 *   asked     an allocation found no block of its order: one is made for the next that asks
 *   watching  from the first time on that a block of 2 MiB was missing, twice a second: when more than so much of free
 *             memory lies in smaller blocks, memory is compacted until less does (knob vm.compaction_proactiveness)
 *
 * What cannot be had is not tried again at once: after a failure requests are left out, as those of allocations are
 * (mm/compaction.c), and after a look that made nothing better the next LOOKS_SKIPPED looks.
 *
 * Sources: Linux's mm/compaction.c for the words, the thresholds and the pace; its thread watches from boot on.
 *
 * Locking: none. Requests are guesses that may be lost.
 */
#include <mm/kcompactd.h>

#include "alloc.h"

#define LOOKS_SKIPPED 64 /* half a minute */
#define SCORE_SLACK                                                                                \
	10u /* percent between the score that begins a compaction and the one that ends it */

static struct {
	struct task *task;  /* [A] NULL until it runs */
	bool due;	    /* [A] */
	unsigned int order; /* [A] of the block that was missing; 0: none */
	bool watching;	    /* [A] */
	unsigned int skip;  /* [A] looks */
} kcompactd;

/* ---- the thread's sleep ---- */

void kcompactd_begin(void)
{
	__atomic_store_n(&kcompactd.task, park_self(), __ATOMIC_RELEASE);
}

void kcompactd_wait(void)
{
	while (!__atomic_exchange_n(&kcompactd.due, false, __ATOMIC_ACQUIRE))
		park(PARK_UNINTERRUPTIBLE);
}

void kcompactd_wake(void)
{
	struct task *task = __atomic_load_n(&kcompactd.task, __ATOMIC_ACQUIRE);

	if (task && !__atomic_exchange_n(&kcompactd.due, true, __ATOMIC_RELEASE))
		unpark(task);
}

/* ---- asked ---- */

void kcompactd_ask(unsigned int order)
{
	if (READ_ONCE(kcompactd.order) < order)
		WRITE_ONCE(kcompactd.order, order);
	kcompactd_wake();
}

void kcompactd_serve(void)
{
	unsigned int order = __atomic_exchange_n(&kcompactd.order, 0, __ATOMIC_RELAXED);

	if (order)
		compact_in_background(order, 0);
}

/* ---- watching ---- */

void kcompactd_watch(void)
{
	if (__atomic_exchange_n(&kcompactd.watching, true, __ATOMIC_RELAXED))
		return;
	kcompactd_wake();
}

void kcompactd_look_again(void)
{
	WRITE_ONCE(kcompactd.skip, 0);
	kcompactd_watch();
	kcompactd_wake();
}

bool kcompactd_watches(void)
{
	return READ_ONCE(kcompactd.watching) && READ_ONCE(knob_compaction_proactiveness);
}

/* The percentage that ends a compaction. Linux's fragmentation_score_wmark(). */
static unsigned int low_score(void)
{
	unsigned int proactiveness = (unsigned int)READ_ONCE(knob_compaction_proactiveness);

	return max(100u - min(proactiveness, 100u), 5u);
}

void kcompactd_look(void)
{
	unsigned int before, low = low_score(), skip = READ_ONCE(kcompactd.skip);

	if (skip) {
		WRITE_ONCE(kcompactd.skip, skip - 1);
		return;
	}
	before = fragmentation(PMD_ORDER);
	if (before <= min(low + SCORE_SLACK, 100u))
		return;
	compact_in_background(PMD_ORDER, low);
	if (fragmentation(PMD_ORDER) >= before)
		WRITE_ONCE(kcompactd.skip, LOOKS_SKIPPED);
}
