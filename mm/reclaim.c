/* SPDX-License-Identifier: MIT
 *
 * Reclaim: taking pages away from whoever needs them least.
 *
 * A round looks at a part of each list, size >> priority, and at more of it the longer too little comes of it. Active
 * lists are only shrunk while the inactive one beside them is too short; their pages become inactive. A page at
 * the end of an inactive list is taken unless it was used meanwhile (second chance; docs/reclaim.md has the table):
 *
 *   locked, busy           back to its list (unevictable, if it is locked)
 *   being written          active: it comes to the end of the inactive list by itself when that is done
 *   used by two, or twice  active
 *   used once              back, marked referenced
 *   anonymous, tmpfs       a swap slot; entries become swap entries; written; freed when it is seen again, clean
 *   file                   unmapped; clean: freed; dirty: active, and the flusher is woken
 *
 * Up to 32 folios are judged and unmapped at a time, all locked; then the TLBs of all CPUs are flushed once; then what was
 * unmapped is written or freed, and unlocked.
 *
 * How much comes from anonymous pages and how much from files: swappiness, weighed by what the recent reclaim of
 * each has cost (pages that came back, pages that had to be written); Linux's rule since 5.8.
 *
 * Locking: none held by the caller but sleeping ones, of which everything here is only tried. A task that reclaims
 * does not reclaim again in the allocations it makes, and may use the last pages.
 */
#include <kern/block.h>
#include <mm/rmap.h>
#include <mm/swap.h>
#include <mm/writeback.h>

#include "alloc.h"
#include "folio.h"
#include "large.h"
#include "lru.h"
#include "mlock_count.h"
#include "reclaim.h"

#define LOWEST_PRIORITY 12U /* a round begins with lists >> 12 */

/* One call of reclaim, over all priorities. */
struct scan {
	unsigned long want, reclaimed; /* pages */
	unsigned int priority;
	bool kswapd;
	bool paging_out;	  /* MADV_PAGEOUT: whether it was used does not matter */
	unsigned long dirty;	  /* file pages seen that the flusher must write */
	struct folio *in_writing; /* one that is being written, with a reference: to wait for */
	struct swap_plug plug;
	struct unflushed unflushed;
};

/* [A] what reclaim of each kind has cost lately, by [anon, file]; halved when large. */
static atomic_long_t cost[2];

void reclaim_note_cost(bool file, unsigned long pages)
{
	unsigned long lists = stat_read(NR_INACTIVE_ANON) + stat_read(NR_ACTIVE_ANON) +
			      stat_read(NR_INACTIVE_FILE) + stat_read(NR_ACTIVE_FILE);

	atomic_add(&cost[file], (long)pages);
	if ((unsigned long)(atomic_read(&cost[0]) + atomic_read(&cost[1])) > lists / 4) {
		atomic_sub(&cost[0], atomic_read(&cost[0]) / 2);
		atomic_sub(&cost[1], atomic_read(&cost[1]) / 2);
	}
}

/* ---- one folio: isolated, locked ---- */

enum verdict { KEEP, ACTIVATE, RECLAIM, RECLAIM_IF_CLEAN };

static enum verdict second_chance(struct folio *folio)
{
	unsigned long vm_flags = 0;
	int users = folio_referenced(folio, &vm_flags);
	bool file = !folio_test(folio, PG_swapbacked);
	bool referenced;

	if (users < 0)
		return KEEP;
	referenced = folio_test(folio, PG_referenced);
	folio_clear(folio, PG_referenced);
	if (users > 0) {
		/* Used pages of MADV_FREE are wanted again when they are written, not when they are read. */
		if (file && folio_test(folio, PG_anon))
			return RECLAIM;
		folio_set(folio, PG_referenced);
		if (referenced || users > 1 || (file && (vm_flags & VM_EXEC)))
			return ACTIVATE;
		return KEEP;
	}
	return referenced && file ? RECLAIM_IF_CLEAN : RECLAIM;
}

/* A folio that nobody maps is written to swap. False: it could not be begun. Unlocked either way. */
static bool write_out(struct folio *folio, struct scan *sc)
{
	reclaim_note_cost(false, folio_nr_pages(folio));
	folio_set(folio, PG_reclaim);
	if (!folio_test(folio, PG_swapcache)) {
		if (shmem_writeout(folio, &sc->plug))
			return true;
		folio_unlock(folio);
		return false;
	}
	swap_writeout(folio, &sc->plug);
	return true;
}

/* The folio leaves its cache, and nobody finds it any more: refcount 0. Locked. */
static bool remove_from_cache(struct folio *folio)
{
	bool workingset = folio_test(folio, PG_workingset) || folio_test(folio, PG_active);
	swp_entry_t swp = folio->swap;
	struct mapping *m = folio->mapping;
	unsigned long index = folio->index;

	if (folio_test(folio, PG_swapcache)) {
		if (!swap_cache_remove_frozen(folio))
			return false;
		workingset_eviction(workingset_swap_key(swp), workingset);
		return true;
	}
	/* MADV_FREE, and its entries are gone: ours is the last reference. */
	if (folio_test(folio, PG_anon))
		return folio_ref_freeze(folio, 1);
	if (!m || !filemap_remove_frozen(folio))
		return false;
	for (unsigned long i = 0; i < folio_nr_pages(folio); i++)
		workingset_eviction(workingset_file_key(m, index + i), workingset);
	return true;
}

/* What became of a folio that was to be reclaimed. */
enum outcome { UNMAPPED, TO_SPLIT, FREED, PUT_BACK, PUT_BACK_ACTIVE, WAS_PUT_BACK };

static enum outcome unlock_and(struct folio *folio, enum outcome outcome)
{
	if (outcome == FREED)
		folio_unlock(folio);
	else
		swap_folio_unlock(folio);
	return outcome;
}

static void remember_writeback(struct folio *folio, struct scan *sc)
{
	if (sc->in_writing)
		return;
	folio_get(folio);
	sc->in_writing = folio;
}

/*
 * Some entry of it is left. Others may be gone: whoever faults on one gets the folio once it is unlocked, and his copy of it
 * must not meet a TLB that remembers the original. A locked page keeps no swap slot, for it will never be written.
 */
static enum outcome keep_mapped(struct folio *folio, struct scan *sc)
{
	unflushed_flush(&sc->unflushed);
	if (atomic_read(&folio->mlock_count) == 0)
		return unlock_and(folio, PUT_BACK_ACTIVE);
	if (folio_test(folio, PG_swapcache))
		(void)swap_cache_try_free(folio);
	return unlock_and(folio, PUT_BACK);
}

/* Nobody maps it any more, and no TLB remembers it. Locked. */
static enum outcome take_away(struct folio *folio, struct scan *sc)
{
	bool lazyfree = folio_test(folio, PG_anon) && !folio_test(folio, PG_swapbacked);

	if (lazyfree && folio_test(folio, PG_dirty)) { /* written again */
		folio_set(folio, PG_swapbacked);
		return unlock_and(folio, PUT_BACK_ACTIVE);
	}
	if (folio_is_shmem(folio) ||
	    (folio_test(folio, PG_dirty) && folio_test(folio, PG_swapcache)))
		return write_out(folio, sc) ? PUT_BACK : PUT_BACK_ACTIVE;
	if (folio_test(folio, PG_dirty)) {
		folio_set(folio, PG_reclaim);
		sc->dirty += folio_nr_pages(folio);
		return unlock_and(folio, PUT_BACK_ACTIVE);
	}
	if (!remove_from_cache(folio))
		return unlock_and(folio, PUT_BACK);
	if (lazyfree)
		stat_inc(PGLAZYFREED);
	return unlock_and(folio, FREED);
}

/* From the verdict "reclaim" on: it has a place to go to, and nobody maps it. UNMAPPED stays locked. */
static enum outcome unmap(struct folio *folio, bool clean_only, struct scan *sc)
{
	if (clean_only && folio_test(folio, PG_dirty))
		return unlock_and(folio, PUT_BACK);
	if (folio_test(folio, PG_anon) && folio_test(folio, PG_swapbacked) &&
	    !folio_test(folio, PG_swapcache) && !swap_cache_add(folio))
		return unlock_and(folio, PUT_BACK_ACTIVE);
	if (atomic_read(&folio->mapcount) > 0 && !try_to_unmap(folio, &sc->unflushed))
		return keep_mapped(folio, sc);
	return UNMAPPED;
}

/* Who uses it does not matter, and asking is dear for a page that a large family has. */
static bool has_nowhere_to_go(const struct folio *folio)
{
	return folio_test(folio, PG_swapbacked) && !folio_test(folio, PG_swapcache) &&
	       !swap_free_pages();
}

/* May not sleep: TLB flushes are owed. */
static enum outcome judge(struct folio *folio, struct scan *sc)
{
	enum verdict verdict = RECLAIM;

	if (!folio_trylock(folio))
		return PUT_BACK;
	if (!folio_evictable(folio))
		return unlock_and(folio, PUT_BACK);
	if (!folio_test(folio, PG_anon) && lru_putback_file_unevictable(folio))
		return unlock_and(folio, WAS_PUT_BACK);
	if (folio_test(folio, PG_writeback)) {
		folio_set(folio, PG_reclaim);
		remember_writeback(folio, sc);
		return unlock_and(folio, PUT_BACK_ACTIVE);
	}
	if (has_nowhere_to_go(folio))
		return unlock_and(folio, PUT_BACK_ACTIVE);
	if (!sc->paging_out)
		verdict = second_chance(folio);
	if (verdict == KEEP)
		return unlock_and(folio, PUT_BACK);
	if (verdict == ACTIVATE)
		return unlock_and(folio, PUT_BACK_ACTIVE);
	if (unlikely(folio_is_large(folio)) && !reclaim_takes_whole(folio))
		return TO_SPLIT;
	return unmap(folio, verdict == RECLAIM_IF_CLEAN, sc);
}

static void activate_isolated(struct folio *folio)
{
	if (folio_is_mlocked(folio) || folio_test(folio, PG_active))
		return;
	folio_set(folio, PG_active);
	workingset_age(folio_nr_pages(folio));
	stat_add(PGACTIVATE, (long)folio_nr_pages(folio));
}

/* Where the folios of one batch go. */
struct sorted {
	struct list_head unmapped, to_split, back;
	struct folio *dead[LRU_BATCH];
	unsigned int nr_dead;
	unsigned long freed, freed_anon; /* pages */
};

static void sort_folio(struct folio *folio, enum outcome outcome, struct sorted *s)
{
	switch (outcome) {
	case UNMAPPED:
		list_add_tail(&folio->lru, &s->unmapped);
		break;
	case TO_SPLIT:
		list_add_tail(&folio->lru, &s->to_split);
		break;
	case FREED:
		s->freed += folio_nr_pages(folio);
		if (folio_test(folio, PG_swapbacked))
			s->freed_anon += folio_nr_pages(folio);
		s->dead[s->nr_dead++] = folio;
		break;
	case WAS_PUT_BACK:
		folio_put(folio);
		break;
	case PUT_BACK_ACTIVE:
		activate_isolated(folio);
		list_add(&folio->lru, &s->back);
		break;
	case PUT_BACK:
		list_add(&folio->lru, &s->back);
		break;
	}
}

/* Its pages are to be reclaimed one by one: those that can be. Locked. */
static enum outcome split(struct folio *folio)
{
	bool done = split_folio(folio);

	if (done)
		folio_clear(folio, PG_active);
	return unlock_and(folio, done ? PUT_BACK : PUT_BACK_ACTIVE);
}

/* At most LRU_BATCH isolated folios: reclaims what it can of them; the list is empty afterwards. Pages reclaimed. */
static unsigned long shrink_folios(struct list_head *folios, struct scan *sc)
{
	struct sorted s = { .nr_dead = 0 };
	struct folio *folio;

	INIT_LIST_HEAD(&s.unmapped);
	INIT_LIST_HEAD(&s.to_split);
	INIT_LIST_HEAD(&s.back);
	while (!list_empty(folios)) {
		folio = list_last_entry(folios, struct folio, lru);
		list_del(&folio->lru);
		sort_folio(folio, judge(folio, sc), &s);
	}
	unflushed_flush(&sc->unflushed);
	while (!list_empty(&s.unmapped)) {
		folio = list_first_entry(&s.unmapped, struct folio, lru);
		list_del(&folio->lru);
		sort_folio(folio, take_away(folio, sc), &s);
	}
	while (unlikely(!list_empty(&s.to_split))) {
		folio = list_first_entry(&s.to_split, struct folio, lru);
		list_del(&folio->lru);
		sort_folio(folio, split(folio), &s);
	}
	free_folios(s.dead, s.nr_dead);
	/* Before the writes begin: at their end folios move to the end of their list, if they are on one. */
	lru_putback(&s.back);
	swap_plug_flush(&sc->plug);
	stat_add(PGSTEAL_ANON, (long)s.freed_anon);
	stat_add(PGSTEAL_FILE, (long)(s.freed - s.freed_anon));
	sc->reclaimed += s.freed;
	return s.freed;
}

/* ---- lists ---- */

static unsigned int shrink_inactive(enum lru_list list, unsigned int max, struct scan *sc)
{
	unsigned long freed;
	unsigned int looked;
	LIST_HEAD(folios);

	looked = lru_isolate(list, max, &folios);
	stat_add(sc->kswapd ? PGSCAN_KSWAPD : PGSCAN_DIRECT, looked);
	stat_add(list == LRU_INACTIVE_ANON ? PGSCAN_ANON : PGSCAN_FILE, looked);
	freed = shrink_folios(&folios, sc);
	stat_add(sc->kswapd ? PGSTEAL_KSWAPD : PGSTEAL_DIRECT, (long)freed);
	trace(mm_vmscan_lru_shrink_inactive, 0, looked, (long)freed, sc->priority, list);
	return looked;
}

/* Program text that is in use stays for one more turn; all else becomes inactive, used or not. */
static bool stays_active(struct folio *folio)
{
	unsigned long vm_flags = 0;
	int users;

	if (!folio_trylock(folio))
		return false;
	users = folio_referenced(folio, &vm_flags);
	swap_folio_unlock(folio);
	return users > 0 && (vm_flags & VM_EXEC) && !folio_test(folio, PG_swapbacked);
}

static unsigned int shrink_active(enum lru_list list, unsigned int max)
{
	struct folio *folio;
	unsigned int looked;
	long down = 0;
	LIST_HEAD(folios);

	looked = lru_isolate(list, max, &folios);
	list_for_each_entry(folio, &folios, lru) {
		if (folio_evictable(folio) && stays_active(folio))
			continue;
		folio_clear(folio, PG_active);
		folio_set(folio, PG_workingset);
		down += (long)folio_nr_pages(folio);
	}
	lru_putback(&folios);
	stat_add(PGREFILL, looked);
	stat_add(PGDEACTIVATE, down);
	return looked;
}

unsigned long int_sqrt(unsigned long x)
{
	unsigned long r = 0;

	for (unsigned long bit = 1UL << 30; bit; bit >>= 1)
		if ((r + bit) * (r + bit) <= x)
			r += bit;
	return r;
}

/* Inactive pages are too few beside the active ones: 1 to 1 up to 1 GiB, fewer of them on larger machines. */
static bool inactive_is_low(bool file)
{
	unsigned long inactive = stat_read(file ? NR_INACTIVE_FILE : NR_INACTIVE_ANON);
	unsigned long active = stat_read(file ? NR_ACTIVE_FILE : NR_ACTIVE_ANON);
	unsigned long gib = (inactive + active) >> (30 - PAGE_SHIFT);

	return inactive * (gib ? int_sqrt(10 * gib) : 1) < active;
}

static bool may_swap(void)
{
	return swap_free_pages() > 0 && knob_swappiness > 0;
}

/* Pages of each list to look at in this round, by enum lru_list. */
static void scan_counts(const struct scan *sc, unsigned long count[NR_LRU_LISTS])
{
	unsigned long costs[2] = { (unsigned long)atomic_read(&cost[0]),
				   (unsigned long)atomic_read(&cost[1]) };
	unsigned long total = costs[0] + costs[1] + 2;
	unsigned long share[2] = { knob_swappiness * total / (costs[0] + 1),
				   (200 - knob_swappiness) * total / (costs[1] + 1) };

	for (unsigned int list = 0; list < NR_LRU_LISTS; list++) {
		unsigned long size = stat_read(NR_INACTIVE_ANON + list);
		bool file = list >= LRU_INACTIVE_FILE;

		count[list] = size >> sc->priority;
		if (!may_swap())
			count[list] = file ? count[list] : 0;
		else if (sc->priority > 1 || knob_swappiness == 200)
			count[list] = count[list] * share[file] / (share[0] + share[1] + 1);
		/* Short lists come to their turn as well, in the end. */
		if (!count[list] && sc->priority == 0 && (file || may_swap()))
			count[list] = size;
	}
}

/* The first at which one page at least is looked at; 0: none ever is. */
static unsigned int first_priority(void)
{
	unsigned long longest = 1;

	for (unsigned int list = 0; list < NR_LRU_LISTS; list++)
		if (list >= LRU_INACTIVE_FILE || may_swap())
			longest = max(longest, stat_read(NR_INACTIVE_ANON + list));
	return min(63 - (unsigned int)__builtin_clzl(longest), LOWEST_PRIORITY);
}

static bool enough(const struct scan *sc)
{
	return sc->reclaimed >= sc->want || (!sc->kswapd && park_interrupted(PARK_KILLABLE));
}

static unsigned long scan_some(enum lru_list list, unsigned long left, struct scan *sc)
{
	unsigned int max = left < LRU_BATCH ? (unsigned int)left : LRU_BATCH;
	bool file = list >= LRU_INACTIVE_FILE;
	unsigned int looked;

	if (!file && !may_swap()) /* any more */
		return 0;
	if (list == LRU_ACTIVE_ANON || list == LRU_ACTIVE_FILE) {
		if (!inactive_is_low(file))
			return 0;
		looked = shrink_active(list, max);
	} else {
		looked = shrink_inactive(list, max, sc);
	}
	return looked ? left - min((unsigned long)looked, left) : 0;
}

/* One priority: a batch of each list in turn, so that none is emptied for the others. */
static void shrink_lists(struct scan *sc)
{
	unsigned long count[NR_LRU_LISTS];
	bool more = true;

	mlock_batch_drain();
	scan_counts(sc, count);
	while (more && !enough(sc)) {
		more = false;
		for (unsigned int list = 0; list < NR_LRU_LISTS; list++) {
			if (!count[list])
				continue;
			count[list] = scan_some(list, count[list], sc);
			more |= count[list] != 0;
		}
		cond_resched();
	}
}

/* Nothing was free for the taking, but something is being written: wait for that and not for a round of scanning. */
static void wait_for_writing(struct scan *sc)
{
	if (!sc->in_writing)
		return;
	if (sc->reclaimed < sc->want)
		folio_wait_writeback(sc->in_writing);
	folio_put(sc->in_writing);
	sc->in_writing = NULL;
}

static unsigned long reclaim(struct scan *sc)
{
	bool *reclaiming = caller_reclaiming();
	bool before = *reclaiming;

	*reclaiming = true;
	for (int priority = (int)first_priority(); priority >= 0 && !enough(sc); priority--) {
		sc->priority = (unsigned int)priority;
		sc->reclaimed += split_deferred(LRU_BATCH) + huge_zero_shrink();
		shrink_lists(sc);
		if (sc->dirty)
			writeback_wake(sc->dirty);
		sc->dirty = 0;
		wait_for_writing(sc);
	}
	*reclaiming = before;
	return sc->reclaimed;
}

unsigned long try_to_free_pages(unsigned int order)
{
	struct scan sc = { .want = max(1UL << order, (unsigned long)LRU_BATCH) };
	unsigned long n;

	trace(mm_vmscan_direct_reclaim_begin, order, GFP_KERNEL);
	n = reclaim(&sc);
	trace(mm_vmscan_direct_reclaim_end, (long)n);
	return n;
}

unsigned long reclaim_folios(struct list_head *folios)
{
	struct scan sc = { .want = ~0UL, .paging_out = true };
	bool *reclaiming = caller_reclaiming();
	unsigned long n;

	*reclaiming = true;
	n = shrink_folios(folios, &sc);
	*reclaiming = false;
	if (sc.in_writing)
		folio_put(sc.in_writing);
	if (sc.dirty)
		writeback_wake(sc.dirty);
	return n;
}

/* ---- kswapd ---- */

#define KSWAPD_MAX_FAILURES 16

static struct {
	struct task *task;     /* NULL until it runs */
	bool wanted;	       /* [A] */
	unsigned int failures; /* [A] rounds in a row that reclaimed nothing */
} kswapd;

void kswapd_wake(void)
{
	struct task *task = READ_ONCE(kswapd.task);

	if (!task || READ_ONCE(kswapd.wanted) || READ_ONCE(kswapd.failures) >= KSWAPD_MAX_FAILURES)
		return;
	WRITE_ONCE(kswapd.wanted, true);
	unpark(task);
}

void kswapd_encourage(void)
{
	WRITE_ONCE(kswapd.failures, 0);
}

/* Until free memory is above the high watermark. */
static void balance(void)
{
	while (READ_ONCE(kswapd.failures) < KSWAPD_MAX_FAILURES) {
		unsigned long free = nr_zone_free_pages(), high = watermark_pages(WMARK_HIGH);
		struct scan sc = { .kswapd = true };

		if (free >= high)
			return;
		sc.want = max(high - free, (unsigned long)LRU_BATCH);
		if (!reclaim(&sc))
			WRITE_ONCE(kswapd.failures, kswapd.failures + 1);
		else
			WRITE_ONCE(kswapd.failures, 0);
		cond_resched();
	}
}

void kswapd_main(void *unused __maybe_unused)
{
	WRITE_ONCE(kswapd.task, park_self());
	for (;;) {
		while (!READ_ONCE(kswapd.wanted))
			park(PARK_UNINTERRUPTIBLE);
		stat_inc(PAGEOUTRUN);
		trace(mm_vmscan_kswapd_wake, 0, 0);
		balance();
		trace(mm_vmscan_kswapd_sleep, 0);
		WRITE_ONCE(kswapd.wanted, false);
	}
}
