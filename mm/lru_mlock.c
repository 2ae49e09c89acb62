/* SPDX-License-Identifier: MIT
 *
 * Between the evictable lists and the unevictable one: folios that became locked are culled, those that no longer are
 * come back. Each is looked at again under lru_lock, so that what its mlock_count says last is what holds.
 */
#include "lru.h"
#include "lru_lists.h"
#include "mlock_count.h"

/* Pages that one hold of the lock moved from or to each evictable list, or [4] only marked. */
struct moved {
	long pages[NR_LRU_LISTS + 1];
	long large; /* of these, pages of large folios, whose locks large.c counts */
};

#define NOT_ON_A_LIST NR_LRU_LISTS

/* sign 1: they became unevictable, -1: evictable. Both pages, all. */
static void count_moved(const struct moved *m, long sign)
{
	long on_lists = 0, all;

	for (unsigned int i = 0; i < NR_LRU_LISTS; i++) {
		stat_add(lru_stat(i), -sign * m->pages[i]);
		on_lists += m->pages[i];
	}
	all = on_lists + m->pages[NOT_ON_A_LIST] - m->large;
	stat_add(NR_UNEVICTABLE, sign * on_lists);
	stat_add(NR_MLOCK, sign * all);
	if (sign > 0) {
		stat_add(UNEVICTABLE_PGS_CULLED, on_lists);
		stat_add(UNEVICTABLE_PGS_MLOCKED, all);
	} else {
		stat_add(UNEVICTABLE_PGS_RESCUED, on_lists);
		stat_add(UNEVICTABLE_PGS_MUNLOCKED, all);
	}
}

/* Nearly all of them are single anonymous pages that joined the list of all. */
#define PLAIN (1UL << PG_lru | 1UL << PG_swapbacked | 1UL << PG_anon)
#define UNLIKE_PLAIN (1UL << PG_active | 1UL << PG_large)
#define PLAIN_LIST LRU_INACTIVE_ANON

static inline bool is_plain(unsigned long flags, unsigned long mlocked)
{
	return (flags & (PLAIN | UNLIKE_PLAIN | MLOCK_BITS)) == (PLAIN | mlocked);
}

/* lru_lock held. */
static __noinline void cull(struct folio *folio, struct moved *m)
{
	unsigned long flags = RACY_READ(folio->flags);
	long n = (long)folio_nr_pages(folio);

	if (unlikely(folio_is_large(folio)))
		m->large += n;
	if (unlikely((flags & (1UL << PG_lru | 1UL << PG_unevictable)) != 1UL << PG_lru)) {
		set_flags(folio, 1UL << PG_mlocked);
		m->pages[NOT_ON_A_LIST] += n;
		return;
	}
	m->pages[folio_evictable_list(flags)] += n;
	if (unlikely(folio->lru_cpu))
		lru_leave_new(folio);
	list_del(&folio->lru);
	if (unlikely(flags & (1UL << PG_active)))
		clear_flags(folio, 1UL << PG_active);
	set_flags(folio, MLOCK_BITS);
}

/* lru_lock held. */
static __noinline void rescue(struct folio *folio, struct moved *m)
{
	unsigned long flags = RACY_READ(folio->flags);
	long n = (long)folio_nr_pages(folio);
	enum lru_list list = NOT_ON_A_LIST;

	if (unlikely(folio_is_large(folio)))
		m->large += n;
	if (unlikely(file_unevictable(folio))) {
		clear_flags(folio, 1UL << PG_mlocked);
	} else if (likely(flags & (1UL << PG_lru))) {
		clear_flags(folio, MLOCK_BITS);
		list = folio_evictable_list(flags);
		folio->lru_cpu = 0;
		list_add(&folio->lru, &lru.lists[list]);
	} else {
		clear_flags(folio, MLOCK_BITS);
	}
	m->pages[list] += n;
}

/* Those that are not plain, the others being done already. lru_lock held. */
static __noinline void cull_others(struct folio **folios, unsigned int n)
{
	struct moved m = { 0 };

	for (unsigned int i = 0; i < n; i++)
		if (!folio_test(folios[i], PG_mlocked) && folio_is_mlocked(folios[i]))
			cull(folios[i], &m);
	count_moved(&m, 1);
}

static __noinline void rescue_others(struct folio **folios, unsigned int n)
{
	struct moved m = { 0 };

	for (unsigned int i = 0; i < n; i++)
		if (folio_test(folios[i], PG_mlocked) && !folio_is_mlocked(folios[i]))
			rescue(folios[i], &m);
	count_moved(&m, -1);
}

void lru_mlock_now(struct folio **folios, unsigned int n)
{
	unsigned int others = 0;

	spin_lock(&lru.lock);
	for (unsigned int i = 0; i < n; i++) {
		struct folio *folio = folios[i];

		if (likely(is_plain(RACY_READ(folio->flags), 0)) && likely(!folio->lru_cpu) &&
		    likely(atomic_read(&folio->mlock_count) > 0)) {
			list_del(&folio->lru);
			set_flags(folio, MLOCK_BITS);
		} else {
			others++;
		}
	}
	if (unlikely(others))
		cull_others(folios, n);
	spin_unlock(&lru.lock);
	n -= others;
	stat_add(lru_stat(PLAIN_LIST), -(long)n);
	stat_add(NR_UNEVICTABLE, n);
	stat_add(NR_MLOCK, n);
	stat_add(UNEVICTABLE_PGS_CULLED, n);
	stat_add(UNEVICTABLE_PGS_MLOCKED, n);
}

/* The plain ones are chained on the way, the last one in front, and go to their list together. */
void lru_munlock_now(struct folio **folios, unsigned int n)
{
	struct list_head chain, *first = &chain;
	unsigned int others = 0;

	spin_lock(&lru.lock);
	for (unsigned int i = 0; i < n; i++) {
		struct folio *folio = folios[i];

		if (likely(is_plain(RACY_READ(folio->flags), MLOCK_BITS)) &&
		    likely(atomic_read(&folio->mlock_count) <= 0)) {
			folio->lru_cpu = 0;
			folio->lru.next = first;
			first->prev = &folio->lru;
			first = &folio->lru;
			clear_flags(folio, MLOCK_BITS);
		} else {
			others++;
		}
	}
	chain.next = first;
	if (likely(others < n))
		list_splice(&chain, &lru.lists[PLAIN_LIST]);
	if (unlikely(others))
		rescue_others(folios, n);
	spin_unlock(&lru.lock);
	n -= others;
	stat_add(lru_stat(PLAIN_LIST), n);
	stat_add(NR_UNEVICTABLE, -(long)n);
	stat_add(NR_MLOCK, -(long)n);
	stat_add(UNEVICTABLE_PGS_RESCUED, n);
	stat_add(UNEVICTABLE_PGS_MUNLOCKED, n);
}

unsigned int lru_rescue(struct folio **folios, unsigned int n)
{
	unsigned int rescued = 0;

	spin_lock(&lru.lock);
	for (unsigned int i = 0; i < n; i++) {
		const unsigned long listed = 1UL << PG_lru | 1UL << PG_unevictable;
		unsigned long flags = RACY_READ(folios[i]->flags);
		enum lru_list list = folio_evictable_list(flags);

		if ((flags & (listed | 1UL << PG_mlocked)) != listed || file_unevictable(folios[i]))
			continue;
		clear_flags(folios[i], 1UL << PG_unevictable);
		folios[i]->lru_cpu = 0;
		list_add(&folios[i]->lru, &lru.lists[list]);
		stat_add(lru_stat(list), (long)folio_nr_pages(folios[i]));
		rescued += (unsigned int)folio_nr_pages(folios[i]);
	}
	spin_unlock(&lru.lock);
	stat_add(NR_UNEVICTABLE, -(long)rescued);
	stat_add(UNEVICTABLE_PGS_RESCUED, rescued);
	return rescued;
}

/* ---- new folios in locked mappings, of which a batch knows first: mlock_batch.c ---- */

void lru_mark_mlocked(struct folio *folio, unsigned long bits)
{
	long n = (long)folio_nr_pages(folio);

	set_flags(folio, 1UL << PG_mlocked | bits);
	stat_add(NR_MLOCK, n);
	stat_add(UNEVICTABLE_PGS_MLOCKED, n);
}

/* It may have been unlocked since it was marked, and locked again. */
void lru_add_marked(struct folio *folio)
{
	long n = (long)folio_nr_pages(folio), locked, was;

	spin_lock(&lru.lock);
	locked = folio_is_mlocked(folio);
	was = folio_test(folio, PG_mlocked);
	if (locked) {
		set_flags(folio, MLOCK_BITS | 1UL << PG_lru);
	} else {
		clear_flags(folio, 1UL << PG_mlocked);
		folio->lru_cpu = 0;
		list_add(&folio->lru, &lru.lists[LRU_INACTIVE_ANON]);
		set_flags(folio, 1UL << PG_lru);
	}
	spin_unlock(&lru.lock);
	stat_add(NR_MLOCK, (locked - was) * n);
	stat_add(UNEVICTABLE_PGS_MLOCKED, locked && !was ? n : 0);
	stat_add(UNEVICTABLE_PGS_MUNLOCKED, was && !locked ? n : 0);
	stat_add(UNEVICTABLE_PGS_CULLED, locked ? n : 0);
	stat_add(locked ? NR_UNEVICTABLE : NR_INACTIVE_ANON, n);
}
