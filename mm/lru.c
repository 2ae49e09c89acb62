/* SPDX-License-Identifier: MIT
 *
 * The LRU lists: active and inactive, anonymous and file, and unevictable. A folio is on exactly one
 * (PG_lru set) or on none. Anonymous and tmpfs folios are "anon" here: swap backs both.
 *
 * A folio is unevictable while a VM_LOCKED vma maps it, which its mlock_count says exactly, or while its file is
 * (mapping_unevictable(): that one is noticed late, mm/unevictable.c). Whoever
 * changes the count between 0 and 1 tells the LRU afterwards (lru_mlock, lru_munlock: mm/lru_mlock.c), which looks at the
 * count again under its own lock; so when two do that at once, the one who comes last sees what holds.
 * Nobody ever scans unevictable folios, so that list is only a number.
 *
 * Being on a list holds no reference. Reclaim isolates a folio: takes it off its list, with a reference, which a
 * dying one does not give. Whoever locks it meanwhile only marks it, and it comes back to the right list.
 *
 * New anonymous folios are gathered by the CPU that faulted them in and join the list of all 31 at a time, so that
 * faults on several CPUs do not meet. Gathered or not, a folio is on a list: it can be taken off in the same way
 * at any time, by any CPU. lru_cpu says which list it is. Linux gathers in arrays (its folio_batch), which hold
 * a reference, so that a write fault finds the page shared and a page that is freed meanwhile stays for a while.
 *
 * Locking: one lru_lock, taken inside page-table locks, never from interrupts; inside it the lock of one
 * CPU's new folios. lru_cpu and the list change under the lock of the list that it names, from a CPU's to the
 * list of all under both.
 */
#include "folio.h"
#include "large.h"
#include "lru.h"
#include "lru_lists.h"
#include "mlock_count.h"
#include "reclaim.h"

#define NEW_MAX 31

static struct new_folios {
	spinlock_t lock;
	unsigned int
		room; /* its CPU's own: folios that may still come; those that leave are not counted */
	struct list_head folios; /* [lock] all of LRU_INACTIVE_ANON */
} __aligned(64) new_folios[MAX_CPUS];

struct lru lru;

_Static_assert(NR_UNEVICTABLE - NR_INACTIVE_ANON == LRU_UNEVICTABLE,
	       "stats.def lists the LRU gauges in the order of enum lru_list");

void lru_init(void)
{
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++) {
		spin_lock_init(&new_folios[cpu].lock);
		new_folios[cpu].room = NEW_MAX;
		INIT_LIST_HEAD(&new_folios[cpu].folios);
	}
	spin_lock_init(&lru.lock);
	for (unsigned int i = 0; i < NR_LRU_LISTS; i++)
		INIT_LIST_HEAD(&lru.lists[i]);
}

/* ---- on and off the lists ---- */

/* The lock of the list that lru_cpu names. */
static inline spinlock_t *list_lock(unsigned int lru_cpu)
{
	return lru_cpu ? &new_folios[lru_cpu - 1].lock : &lru.lock;
}

void lru_leave_new(struct folio *folio)
{
	spinlock_t *lock = list_lock(folio->lru_cpu);

	spin_lock(lock);
	list_del(&folio->lru);
	list_add(&folio->lru, &lru.lists[LRU_INACTIVE_ANON]);
	RACY_WRITE(folio->lru_cpu, 0);
	spin_unlock(lock);
}

/* counted: as locked. What is locked of a large folio was when it became so. */
static void count_added_mlocked(long n, bool counted)
{
	stat_add(NR_UNEVICTABLE, n);
	stat_add(UNEVICTABLE_PGS_CULLED, n);
	if (counted)
		return;
	stat_add(NR_MLOCK, n);
	stat_add(UNEVICTABLE_PGS_MLOCKED, n);
}

/* PG_mlocked is set when others found it in the page cache, and locked it, before it came here. lru_lock held. */
static __noinline void add_mlocked(struct folio *folio)
{
	bool counted = folio_is_large(folio) || folio_test(folio, PG_mlocked);

	set_flags(folio, MLOCK_BITS | 1UL << PG_lru);
	count_added_mlocked((long)folio_nr_pages(folio), counted);
}

void lru_add(struct folio *folio)
{
	enum lru_list list = folio_evictable_list(RACY_READ(folio->flags));

	ASSERT(!folio_test(folio, PG_lru));
	spin_lock(&lru.lock);
	/* Locked no more, but marked: whoever unlocked it will take the mark off, and expects it on no list. */
	if (unlikely(folio_is_mlocked(folio) || folio_test(folio, PG_mlocked))) {
		add_mlocked(folio);
		spin_unlock(&lru.lock);
		return;
	}
	if (unlikely(file_unevictable(folio))) {
		set_flags(folio, 1UL << PG_unevictable | 1UL << PG_lru);
		spin_unlock(&lru.lock);
		stat_add(NR_UNEVICTABLE, (long)folio_nr_pages(folio));
		stat_add(UNEVICTABLE_PGS_CULLED, (long)folio_nr_pages(folio));
		return;
	}
	folio->lru_cpu = 0;
	folio_set(folio, PG_lru);
	list_add(&folio->lru, &lru.lists[list]);
	spin_unlock(&lru.lock);
	stat_add(lru_stat(list), (long)folio_nr_pages(folio));
}

/* A CPU's new folios join the list of all. lru_lock held. */
static void collect_new_folios(struct new_folios *new)
{
	struct folio *folio;

	spin_lock(&new->lock);
	list_for_each_entry(folio, &new->folios, lru)
		RACY_WRITE(folio->lru_cpu, 0);
	list_splice_tail_init(&new->folios, lru.lists[LRU_INACTIVE_ANON].next);
	spin_unlock(&new->lock);
}

/* This CPU's new folios join the list of all. */
static __noinline void move_new_folios(struct new_folios *new)
{
	new->room = NEW_MAX;
	spin_lock(&lru.lock);
	collect_new_folios(new);
	spin_unlock(&lru.lock);
}

/* Who sees PG_lru finds the folio on the list that lru_cpu names: lru_isolate_page(). Nobody else changes flags. */
static inline void set_listed(struct folio *folio, unsigned long bits)
{
	__atomic_store_n(&folio->flags, RACY_READ(folio->flags) | bits | 1UL << PG_lru,
			 __ATOMIC_RELEASE);
}

static __noinline void batch_new_mlocked(struct folio *folio)
{
	mlock_batch_add_new(&folio, 1, 0);
}

void lru_add_new(struct folio *folio)
{
	struct new_folios *new;
	unsigned int cpu;

	ASSERT(folio->order == 0 && folio_evictable_list(folio->flags) == LRU_INACTIVE_ANON);
	if (unlikely(atomic_read(&folio->mlock_count))) {
		if (mlock_batched()) {
			batch_new_mlocked(folio);
			return;
		}
		set_listed(folio, MLOCK_BITS);
		count_added_mlocked(1, false);
		return;
	}
	cpu = cpu_id();
	new = &new_folios[cpu];
	stat_inc(NR_INACTIVE_ANON);
	spin_lock(&new->lock);
	RACY_WRITE(folio->lru_cpu, (u8)(cpu + 1));
	list_add(&folio->lru, &new->folios);
	set_listed(folio, 0);
	spin_unlock(&new->lock);
	if (unlikely(--new->room == 0))
		move_new_folios(new);
}

void lru_add_new_run(struct folio **folios, unsigned int n)
{
	/* Populate touches what it brings: referenced, as if by read(2). */
	const unsigned long touched = 1UL << PG_referenced;
	unsigned int cpu = cpu_id();
	struct new_folios *new = &new_folios[cpu];

	if (atomic_read(&folios[0]->mlock_count)) {
		if (mlock_batched()) {
			mlock_batch_add_new(folios, n, touched);
			return;
		}
		for (unsigned int i = 0; i < n; i++)
			set_listed(folios[i], MLOCK_BITS | touched);
		count_added_mlocked(n, false);
		return;
	}
	stat_add(NR_INACTIVE_ANON, n);
	spin_lock(&new->lock);
	for (unsigned int i = 0; i < n; i++) {
		RACY_WRITE(folios[i]->lru_cpu, (u8)(cpu + 1));
		list_add(&folios[i]->lru, &new->folios);
		set_listed(folios[i], touched);
	}
	spin_unlock(&new->lock);
	if (new->room > n)
		new->room -= n;
	else
		move_new_folios(new);
}

/* The flags that say which list it is. */
#define LIST_BITS (1UL << PG_swapbacked | 1UL << PG_active)

static inline void count_deleted(unsigned long flags, unsigned long pages)
{
	stat_add(lru_stat(folio_evictable_list(flags)), -(long)pages);
}

/* Its file keeps it in memory: it is on no list. The lock is for lru_isolate_page(). */
static void del_dead_unevictable(struct folio *folio)
{
	spin_lock(&lru.lock);
	clear_flags(folio, 1UL << PG_lru | 1UL << PG_unevictable);
	spin_unlock(&lru.lock);
	stat_add(NR_UNEVICTABLE, -(long)folio_nr_pages(folio));
}

/* Takes the folio, whose list's lock is held, off it. Nobody else has the folio: a plain store. */
static inline void del_dead_listed(struct folio *folio, unsigned long flags)
{
	RACY_WRITE(folio->flags, flags & ~(1UL << PG_lru));
	list_del(&folio->lru);
}

/* One that is not a single page on an evictable list. Large ones are on no CPU's list of new folios. */
static __noinline void del_dead_other(struct folio *folio, unsigned long flags)
{
	if (folio_is_large(folio))
		split_forget(folio);
	if (!(flags & 1UL << PG_lru))
		return;
	if (flags & 1UL << PG_unevictable) {
		del_dead_unevictable(folio);
		return;
	}
	spin_lock(&lru.lock);
	del_dead_listed(folio, flags);
	spin_unlock(&lru.lock);
	count_deleted(flags, folio_nr_pages(folio));
}

void lru_del_dead(struct folio **folios, unsigned int n)
{
	const unsigned long single = 1UL << PG_lru | 1UL << PG_unevictable | 1UL << PG_large;
	/* What those that are counted together have of these flags and LIST_BITS. */
	unsigned long kind = 1UL << PG_lru | 1UL << PG_swapbacked, pages = 0;
	unsigned int held = ~0u; /* whose list's lock: an lru_cpu */
	spinlock_t *lock = NULL;

	for (unsigned int i = 0; i < n; i++) {
		struct folio *folio = folios[i];
		unsigned long flags = RACY_READ(folio->flags);

		ASSERT(atomic_read(&folio->refcount) == 0);
		if (unlikely((flags & (single | LIST_BITS)) != kind)) {
			if ((flags & single) != 1UL << PG_lru) {
				if (lock)
					spin_unlock(lock);
				lock = NULL;
				held = ~0u;
				del_dead_other(folio, flags);
				continue;
			}
			count_deleted(kind, pages);
			kind = flags & (single | LIST_BITS);
			pages = 0;
		}
		/* Another CPU may collect it while the lock is waited for. */
		while (unlikely(RACY_READ(folio->lru_cpu) != held)) {
			if (lock)
				spin_unlock(lock);
			held = RACY_READ(folio->lru_cpu);
			lock = list_lock(held);
			spin_lock(lock);
		}
		del_dead_listed(folio, flags);
		pages++;
	}
	if (lock)
		spin_unlock(lock);
	if (pages)
		count_deleted(kind, pages);
}

/* ---- for reclaim ---- */

/* A folio on a list that all CPUs share leaves it. lru_lock held. */
static void take_off(struct folio *folio)
{
	list_del(&folio->lru);
	clear_flags(folio, 1UL << PG_lru);
}

unsigned int lru_isolate(enum lru_list list, unsigned int max, struct list_head *to)
{
	struct list_head *from = &lru.lists[list];
	unsigned int looked = 0;
	long pages = 0;

	spin_lock(&lru.lock);
	if (list == LRU_INACTIVE_ANON)
		for (unsigned int cpu = 0; cpu < cpu_limit(); cpu++)
			collect_new_folios(&new_folios[cpu]);
	while (looked < max && !list_empty(from)) {
		struct folio *folio = list_entry(from->prev, struct folio, lru);
		unsigned int n = (unsigned int)folio_nr_pages(folio);

		looked += n;
		if (unlikely(!folio_try_get(folio))) {
			list_move(&folio->lru, from);
			continue;
		}
		take_off(folio);
		list_add(&folio->lru, to);
		pages += n;
	}
	spin_unlock(&lru.lock);
	stat_add(lru_stat(list), -pages);
	return looked;
}

bool lru_isolate_folio(struct folio *folio)
{
	enum lru_list list;

	spin_lock(&lru.lock);
	if (!folio_test(folio, PG_lru) || folio_test(folio, PG_unevictable) ||
	    !folio_try_get(folio)) {
		spin_unlock(&lru.lock);
		return false;
	}
	if (unlikely(RACY_READ(folio->lru_cpu)))
		lru_leave_new(folio);
	list = folio_evictable_list(RACY_READ(folio->flags));
	take_off(folio);
	spin_unlock(&lru.lock);
	stat_add(lru_stat(list), -(long)folio_nr_pages(folio));
	return true;
}

/* One that the list of lru_cpu has leaves it. Any frame: only under that list's lock it is certain what it is. */
static bool take_off_from(struct folio *folio, unsigned int lru_cpu)
{
	unsigned long flags = __atomic_load_n(&folio->flags, __ATOMIC_ACQUIRE);

	if (!(flags & 1UL << PG_lru) || (flags & 1UL << PG_unevictable) ||
	    RACY_READ(folio->lru_cpu) != lru_cpu || !folio_try_get(folio))
		return false;
	take_off(folio);
	stat_add(lru_stat(folio_evictable_list(flags)), -(long)folio_nr_pages(folio));
	return true;
}

/* lru_lock held. */
static bool isolate_unevictable(struct folio *folio)
{
	if (!folio_try_get(folio))
		return false;
	clear_flags(folio, 1UL << PG_lru | 1UL << PG_unevictable);
	stat_add(NR_UNEVICTABLE, -(long)folio_nr_pages(folio));
	return true;
}

struct folio *lru_isolate_page(struct page *page, bool unevictable_too)
{
	const unsigned long unevictable = 1UL << PG_lru | 1UL << PG_unevictable;
	struct folio *folio = (struct folio *)page;
	unsigned int lru_cpu;
	unsigned long flags;
	bool isolated = false;

	spin_lock(&lru.lock);
	flags = __atomic_load_n(&folio->flags, __ATOMIC_ACQUIRE);
	lru_cpu = RACY_READ(folio->lru_cpu);
	if ((flags & unevictable) == unevictable) {
		isolated = unevictable_too && isolate_unevictable(folio);
	} else if (flags & 1UL << PG_lru && !lru_cpu) {
		isolated = take_off_from(folio, 0);
	} else if (flags & 1UL << PG_lru && lru_cpu <= MAX_CPUS) {
		spin_lock(list_lock(lru_cpu));
		isolated = take_off_from(folio, lru_cpu);
		spin_unlock(list_lock(lru_cpu));
	}
	spin_unlock(&lru.lock);
	return isolated ? folio : NULL;
}

/* The list that it is on now. its_file: whether that keeps it in memory. lru_lock held. */
static enum lru_list put_back(struct folio *folio, bool its_file)
{
	unsigned long flags = RACY_READ(folio->flags);
	enum lru_list list;

	folio->lru_cpu = 0;
	if (unlikely(its_file || (flags & 1UL << PG_mlocked))) {
		clear_flags(folio, 1UL << PG_active);
		set_flags(folio, 1UL << PG_unevictable | 1UL << PG_lru);
		return LRU_UNEVICTABLE;
	}
	list = folio_evictable_list(flags);
	set_flags(folio, 1UL << PG_lru);
	list_add(&folio->lru, &lru.lists[list]);
	return list;
}

void lru_putback(struct list_head *folios)
{
	long pages[NR_LRU_LISTS + 1] = { 0 };
	struct folio *batch[LRU_BATCH];

	while (!list_empty(folios)) {
		unsigned int n = 0;

		spin_lock(&lru.lock);
		while (n < LRU_BATCH && !list_empty(folios)) {
			struct folio *folio = list_first_entry(folios, struct folio, lru);

			list_del(&folio->lru);
			pages[put_back(folio, false)] += (long)folio_nr_pages(folio);
			batch[n++] = folio;
		}
		spin_unlock(&lru.lock);
		/* The list holds no reference, and for some this one was the last. */
		folios_put(batch, n);
	}
	for (unsigned int i = 0; i < NR_LRU_LISTS; i++)
		stat_add(lru_stat(i), pages[i]);
	stat_add(NR_UNEVICTABLE, pages[LRU_UNEVICTABLE]);
	stat_add(UNEVICTABLE_PGS_CULLED, pages[LRU_UNEVICTABLE]);
}

bool lru_putback_file_unevictable(struct folio *folio)
{
	bool unevictable;

	ASSERT(folio_test(folio, PG_locked));
	spin_lock(&lru.lock);
	unevictable = file_unevictable(folio);
	if (unevictable)
		(void)put_back(folio, true);
	spin_unlock(&lru.lock);
	if (unevictable) {
		stat_add(NR_UNEVICTABLE, (long)folio_nr_pages(folio));
		stat_add(UNEVICTABLE_PGS_CULLED, (long)folio_nr_pages(folio));
	}
	return unevictable;
}

/* To the active list or the inactive one, at its head or its tail. A folio that reclaim has isolated keeps its place. */
static bool move_folio(struct folio *folio, bool active, bool to_tail)
{
	unsigned long flags, bit = 1UL << PG_active;
	long n = (long)folio_nr_pages(folio);
	enum lru_list from, list;

	spin_lock(&lru.lock);
	flags = RACY_READ(folio->flags);
	if (!(flags & 1UL << PG_lru) || (flags & 1UL << PG_unevictable)) {
		spin_unlock(&lru.lock);
		return false;
	}
	if (unlikely(RACY_READ(folio->lru_cpu)))
		lru_leave_new(folio);
	from = folio_evictable_list(flags);
	list = folio_evictable_list(active ? flags | bit : flags & ~bit);
	if (active)
		set_flags(folio, bit);
	else
		clear_flags(folio, bit);
	list_del(&folio->lru);
	if (to_tail)
		list_add_tail(&folio->lru, &lru.lists[list]);
	else
		list_add(&folio->lru, &lru.lists[list]);
	spin_unlock(&lru.lock);
	if (from != list) {
		stat_add(lru_stat(from), -n);
		stat_add(lru_stat(list), n);
	}
	return true;
}

void lru_activate(struct folio *folio)
{
	if (move_folio(folio, true, false))
		stat_add(PGACTIVATE, (long)folio_nr_pages(folio));
}

void lru_deactivate(struct folio *folio)
{
	if (move_folio(folio, false, true))
		stat_add(PGDEACTIVATE, (long)folio_nr_pages(folio));
}

void lru_rotate(struct folio *folio)
{
	if (!folio_test(folio, PG_active) && move_folio(folio, false, true))
		stat_add(PGROTATED, (long)folio_nr_pages(folio));
}

void lru_mark_lazyfree(struct folio *folio)
{
	enum lru_list from;
	unsigned long flags;
	long n = (long)folio_nr_pages(folio);

	spin_lock(&lru.lock);
	flags = RACY_READ(folio->flags);
	if (!(flags & 1UL << PG_lru) || (flags & 1UL << PG_unevictable) ||
	    !(flags & 1UL << PG_swapbacked)) {
		spin_unlock(&lru.lock);
		return;
	}
	if (unlikely(RACY_READ(folio->lru_cpu)))
		lru_leave_new(folio);
	from = folio_evictable_list(flags);
	clear_flags(folio, 1UL << PG_active | 1UL << PG_referenced | 1UL << PG_swapbacked);
	list_del(&folio->lru);
	list_add(&folio->lru, &lru.lists[LRU_INACTIVE_FILE]);
	spin_unlock(&lru.lock);
	stat_add(lru_stat(from), -n);
	stat_add(NR_INACTIVE_FILE, n);
	stat_add(PGLAZYFREE, n);
}

void folio_mark_accessed(struct folio *folio)
{
	unsigned long flags = READ_ONCE(folio->flags);

	if (!(flags & 1UL << PG_referenced)) {
		folio_set(folio, PG_referenced);
	} else if (!(flags & (1UL << PG_active | 1UL << PG_unevictable))) {
		folio_clear(folio, PG_referenced);
		lru_activate(folio);
		workingset_age(folio_nr_pages(folio));
	}
}

/* ---- debug ---- */

#ifdef CONFIG_DEBUG
/* The list's lock held, and lru_lock. Pages. */
static unsigned long validate_list(const struct list_head *folios, enum lru_list list, u8 lru_cpu)
{
	const unsigned long listed = 1UL << PG_lru | 1UL << PG_unevictable;
	const struct folio *folio;
	unsigned long pages = 0;

	list_for_each_entry(folio, folios, lru) {
		unsigned long flags = RACY_READ(folio->flags);

		BUG_ON((flags & listed) != 1UL << PG_lru);
		BUG_ON(folio_evictable_list(flags) != list || folio->lru_cpu != lru_cpu);
		pages += folio_nr_pages(folio);
	}
	return pages;
}

void lru_validate(unsigned long pages[NR_LRU_LISTS])
{
	spin_lock(&lru.lock);
	for (unsigned int list = 0; list < NR_LRU_LISTS; list++)
		pages[list] = validate_list(&lru.lists[list], list, 0);
	for (unsigned int cpu = 0; cpu < cpu_limit(); cpu++) {
		spin_lock(&new_folios[cpu].lock);
		pages[LRU_INACTIVE_ANON] +=
			validate_list(&new_folios[cpu].folios, LRU_INACTIVE_ANON, (u8)(cpu + 1));
		spin_unlock(&new_folios[cpu].lock);
	}
	spin_unlock(&lru.lock);
}
#endif
