/* SPDX-License-Identifier: MIT
 *
 * Knob mlock.batch: folios that become locked or unlocked change their list in batches, as in Linux (mlock_fbatch).
 *
 * A CPU gathers them in an array, which holds a reference to each, and goes to lru_lock once for all. What they are is
 * decided then, by their mlock_count; so the order of the entries says nothing. A new folio is on no list until then.
 *
 * The array is a CPU's own and the kernel is not preempted: no lock. It is emptied when it is full, around each walk of
 * mlock and munlock, after populate, and before reclaim, each time by the CPU that does that; others keep theirs.
 */
#include "folio.h"
#include "mlock_count.h"

#define BATCH_MAX 31 /* as many as Linux, the knob's maximum */

static struct batch {
	unsigned int nr;
	u32 new; /* bit i: folios[i] is on no list yet */
	struct folio *folios[BATCH_MAX];
} __aligned(64) batches[MAX_CPUS];

static void add(struct folio *folio, bool new)
{
	struct batch *b = &batches[cpu_id()];

	folio_get(folio);
	b->new |= (u32) new << b->nr;
	b->folios[b->nr++] = folio;
	if (b->nr >= knob_mlock_batch || folio->order)
		mlock_batch_empty();
}

void mlock_batch_add(struct folio **folios, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		add(folios[i], false);
}

void mlock_batch_add_new(struct folio **folios, unsigned int n, unsigned long bits)
{
	for (unsigned int i = 0; i < n; i++) {
		lru_mark_mlocked(folios[i], bits);
		add(folios[i], true);
	}
}

void mlock_batch_empty(void)
{
	struct batch *b = &batches[cpu_id()];
	unsigned int n = b->nr;

	if (!n)
		return;
	for (unsigned int i = 0; i < n; i++)
		if (b->new & 1u << i)
			lru_add_marked(b->folios[i]);
	lru_mlock_now(b->folios, n);
	lru_munlock_now(b->folios, n);
	b->nr = 0;
	b->new = 0;
	folios_put(b->folios, n);
}
