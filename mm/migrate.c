/* SPDX-License-Identifier: MIT
 *
 * Migration: a folio's contents, and all that lead to it, move to another frame.
 *
 *   prepare   isolated, locked, not being written; a target, locked; migration entries in the place of all that map it
 *   flush     the TLBs, once for a batch: from here on nobody reaches the page through a page table
 *   move      its references are frozen, which fails when somebody else has one; flags, and its place in page cache or swap
 *             cache, go to the target, contents last: who finds it there waits until it is up to date, or for its lock
 *   finish    entries again, of the target, or after a failure of the old folio; both are unlocked, which is what faults
 *             wait for; the target, or the old folio, goes to an LRU list
 *
 * Whoever finds a folio without a reference of his own does so under the lock of a cache, in which he takes one, or under
 * a page-table lock, or under lru_lock; the three are closed by freezing under the cache's lock, by the migration
 * entries, and by isolation. Who has a reference already keeps the folio where it is: it is tried again.
 *
 * Locking: the folio locks, and those of the reverse map, of up to BATCH folios at a time; all but the very first
 * are only tried, and the first one as well unless the mode allows waiting.
 */
#include <mm/swap.h>

#include "folio.h"
#include "large.h"
#include "lru.h"
#include "mapcount.h"
#include "migrate_internal.h"

#define BATCH 16u    /* folios that share a flush: each has up to three locks */
#define MAX_PASSES 3 /* over folios that somebody was just using */

enum outcome { MOVED, BUSY, FAILED };

/* What says something about the page, wherever it is; the rest is about the frame or about where it is listed. */
#define MOVING_FLAGS                                                                               \
	(1UL << PG_dirty | 1UL << PG_active | 1UL << PG_referenced | 1UL << PG_swapbacked |        \
	 1UL << PG_anon | 1UL << PG_data | 1UL << PG_workingset | 1UL << PG_readahead |            \
	 1UL << PG_error | 1UL << PG_large)

static void set_moving_flags(struct folio *new, const struct folio *old)
{
	__atomic_or_fetch(&new->flags, RACY_READ(old->flags) & MOVING_FLAGS, __ATOMIC_RELEASE);
}

/* Anonymous, or in the swap cache. */
static bool move_swapbacked(struct folio *old, struct folio *new)
{
	if (folio_test(old, PG_swapcache)) {
		if (!swap_cache_replace(old, new))
			return false;
	} else if (!folio_ref_freeze(old, 1)) {
		return false;
	} else {
		folio_ref_unfreeze(old, 1);
	}
	new->anon_vma = old->anon_vma;
	new->index = old->index;
	set_moving_flags(new, old);
	return true;
}

static bool move_folio(struct folio *old, struct folio *new)
{
	bool swapbacked = folio_test(old, PG_anon) || folio_test(old, PG_swapcache);

	if (atomic_read(&old->mapcount))
		return false;
	if (!(swapbacked ? move_swapbacked(old, new)
			 : filemap_replace_folio(old, new, set_moving_flags)))
		return false;
	folio_copy(new, old);
	folio_set_uptodate(new);
	return true;
}

/* ---- one folio ---- */

/* Locked, and nobody reads or writes it. */
static enum outcome lock_quiet(struct folio *folio, bool wait)
{
	if (!folio_trylock(folio)) {
		if (!wait)
			return BUSY;
		folio_lock(folio);
	}
	if (folio_test(folio, PG_writeback) && wait)
		folio_wait_writeback(folio);
	if (!folio_test(folio, PG_writeback) && folio_test(folio, PG_uptodate))
		return MOVED;
	folio_unlock(folio);
	return BUSY;
}

/* Nobody needs its contents any more, and it goes when its references do: truncated, or unmapped meanwhile. */
static bool is_dying(const struct folio *folio)
{
	if (folio_test(folio, PG_swapcache))
		return false;
	return folio_test(folio, PG_anon) ? !atomic_read(&folio->mapcount) : !folio->mapping;
}

/* MOVED: ready to be moved. Otherwise everything is as it was, and the folio is unlocked. */
static enum outcome prepare(struct move *m, const struct migrate_target *target, bool wait,
			    struct unflushed *u)
{
	enum outcome outcome = lock_quiet(m->old, wait);

	if (outcome != MOVED)
		return outcome;
	m->new = is_dying(m->old) ? NULL : target->get(m->old, target->arg);
	if (!m->new) {
		swap_folio_unlock(m->old);
		return FAILED;
	}
	BUG_ON(!folio_trylock(m->new));
	if (folio_is_large(m->old))
		large_init(m->new);
	if (migration_entries_make(m, u))
		return MOVED;
	folio_unlock(m->new);
	target->put(m->new, target->arg);
	swap_folio_unlock(m->old);
	return BUSY;
}

/* Its pages that nobody maps wait to be freed, as those of the old one did. */
static void queue_if_partly_mapped(struct folio *folio)
{
	int mapped;

	if (likely(!folio_is_large(folio)) || !folio_test(folio, PG_anon))
		return;
	mapped = large_nr_mapped(folio);
	if (mapped && mapped < (int)folio_nr_pages(folio))
		split_later(folio);
}

/* No TLB remembers the old folio. */
static enum outcome finish(struct move *m, const struct migrate_target *target)
{
	bool moved = move_folio(m->old, m->new);

	if (moved)
		lru_add(m->new);
	migration_entries_remove(m, moved ? m->new : m->old);
	if (!moved) {
		folio_unlock(m->new);
		target->put(m->new, target->arg);
		swap_folio_unlock(m->old);
		return BUSY;
	}
	queue_if_partly_mapped(m->new);
	swap_folio_unlock(m->new);
	folio_put(m->new);
	folio_unlock(m->old);
	return MOVED;
}

/* ---- many folios ---- */

/* What becomes of them, pass by pass. */
struct sorted {
	struct list_head busy, failed;
	unsigned long moved; /* pages */
};

static void sort_folio(struct folio *folio, enum outcome outcome, struct sorted *s)
{
	switch (outcome) {
	case MOVED:
		s->moved += folio_nr_pages(folio);
		folio_put(folio);
		break;
	case BUSY:
		list_add_tail(&folio->lru, &s->busy);
		break;
	case FAILED:
		list_add_tail(&folio->lru, &s->failed);
		break;
	}
}

/* Up to max folios of the list. wait: for the first one's lock. */
static void move_batch(struct list_head *folios, const struct migrate_target *target,
		       unsigned int max, bool wait, struct sorted *s)
{
	struct move moves[BATCH];
	struct unflushed u = { 0 };
	unsigned int n = 0;

	while (n < max && !list_empty(folios)) {
		struct move m = { .old = list_first_entry(folios, struct folio, lru) };
		enum outcome outcome;

		list_del(&m.old->lru);
		outcome = prepare(&m, target, wait && n == 0, &u);
		if (outcome == MOVED)
			moves[n++] = m;
		else
			sort_folio(m.old, outcome, s);
	}
	unflushed_flush(&u);
	for (unsigned int i = 0; i < n; i++)
		sort_folio(moves[i].old, finish(&moves[i], target), s);
}

/* Those whose file keeps them in memory are put back one by one, for lru_putback() would not know. */
static unsigned long put_back(struct list_head *folios)
{
	unsigned long pages = 0;
	LIST_HEAD(back);

	while (!list_empty(folios)) {
		struct folio *folio = list_first_entry(folios, struct folio, lru);
		bool done = false;

		list_del(&folio->lru);
		pages += folio_nr_pages(folio);
		if (!folio_test(folio, PG_anon) && folio_trylock(folio)) {
			done = lru_putback_file_unevictable(folio);
			swap_folio_unlock(folio);
		}
		if (done)
			folio_put(folio);
		else
			list_add(&folio->lru, &back);
	}
	lru_putback(&back);
	return pages;
}

unsigned long migrate_folios(struct list_head *folios, const struct migrate_target *target,
			     enum migrate_mode mode)
{
	struct sorted s = { .moved = 0 };
	unsigned long left;

	INIT_LIST_HEAD(&s.busy);
	INIT_LIST_HEAD(&s.failed);
	for (unsigned int pass = 0; pass < MAX_PASSES && !list_empty(folios); pass++) {
		/* Who waits for one folio may not have others: then it is one at a time. */
		bool wait = mode == MIGRATE_SYNC && pass > 0;

		while (!list_empty(folios)) {
			move_batch(folios, target, wait ? 1 : BATCH, wait, &s);
			cond_resched();
		}
		list_splice_tail_init(&s.busy, folios);
	}
	list_splice_tail_init(folios, &s.failed);
	left = put_back(&s.failed);
	stat_add(PGMIGRATE_SUCCESS, (long)s.moved);
	stat_add(PGMIGRATE_FAIL, (long)left);
	return left;
}
