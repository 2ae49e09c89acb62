/* SPDX-License-Identifier: MIT
 *
 * A large folio becomes folios of one page each: when memory is short, because only what is not needed should go; when
 * some of its pages are not mapped any more, to free them; when advice or a lock is for a part of it.
 *
 * As in migration (mm/migrate.c), migration entries take the place of all that map it, and its references are
 * frozen, so that nobody can reach it; then every frame gets a descriptor of its own, and the entries come back. Rights
 * and locks are those of the vmas at that moment, so a locked page stays locked and its neighbour becomes free to go.
 *
 * Each piece of a file's folio gets the slot of its page in the page cache, under the lock of the mapping.
 *
 * Anonymous folios of which some pages are mapped no more wait in a queue until memory is short; in it they have no reference.
 */
#include "large.h"
#include "lru.h"
#include "mapcount.h"
#include "migrate_internal.h"
#include "writeback.h"

static struct {
	spinlock_t lock;	 /* taken inside page-table locks */
	struct list_head folios; /* [lock] by the first tail's deferred */
	unsigned long nr;	 /* [lock] */
} queue;

void split_init(void)
{
	spin_lock_init(&queue.lock);
	INIT_LIST_HEAD(&queue.folios);
}

void split_later(struct folio *folio)
{
	struct list_head *node = &folio_page(folio, 1)->deferred;

	spin_lock(&queue.lock);
	if (list_empty(node)) {
		list_add_tail(node, &queue.folios);
		RACY_WRITE(queue.nr, queue.nr + 1);
		thp_count(folio->order, THP_COUNT_SPLIT_DEFERRED);
	}
	spin_unlock(&queue.lock);
}

void split_forget(struct folio *folio)
{
	struct list_head *node = &folio_page(folio, 1)->deferred;

	spin_lock(&queue.lock);
	if (!list_empty(node)) {
		list_del_init(node);
		RACY_WRITE(queue.nr, queue.nr - 1);
	}
	spin_unlock(&queue.lock);
}

/* ---- one folio ---- */

/* What each piece has of the whole. Their locks are the caller's, one for all as far as the lock checker knows. */
#define INHERITED                                                                                  \
	(1UL << PG_locked | 1UL << PG_uptodate | 1UL << PG_dirty | 1UL << PG_active |              \
	 1UL << PG_referenced | 1UL << PG_swapbacked | 1UL << PG_anon | 1UL << PG_workingset |     \
	 1UL << PG_data | 1UL << PG_error)

/* Refcount 0, mapped by nobody: the frames become folios with so many references each, locked. */
static void divide(struct folio *folio, unsigned long nr, int refs)
{
	unsigned long flags = RACY_READ(folio->flags) & INHERITED;

	for (unsigned long i = 1; i < nr; i++) {
		struct folio *piece = (struct folio *)folio_page(folio, i);

		piece->anon_vma = folio->anon_vma; /* or its mapping */
		piece->index = folio->index + i;
		atomic_set(&piece->mapcount, 0);
		atomic_set(&piece->mlock_count, 0);
		piece->order = 0;
		piece->lru_cpu = 0;
		piece->swap = 0;
		atomic_set(&piece->refcount, refs);
		__atomic_store_n(&piece->flags, flags, __ATOMIC_RELEASE);
	}
	folio->order = 0;
	__atomic_and_fetch(&folio->flags, ~(1UL << PG_large), __ATOMIC_RELEASE);
	folio_ref_unfreeze(folio, refs);
}

/* False: somebody else has a reference. */
static bool divide_anon(struct folio *folio, unsigned long nr)
{
	if (atomic_read(&folio->mapcount) || !folio_ref_freeze(folio, 1))
		return false;
	/* Only now: whoever puts it into the queue has a reference. */
	split_forget(folio);
	divide(folio, nr, 1);
	return true;
}

/* The same for a file's: each piece gets the slot of its page, and is dirty if the whole was. */
static bool divide_cached(struct folio *folio, unsigned long nr)
{
	struct mapping *m = folio->mapping;
	bool alone;

	spin_lock(&m->lock);
	alone = atomic_read(&folio->mapcount) == 0 && folio_ref_freeze(folio, 2);
	if (alone) {
		divide(folio, nr, 2);
		for (unsigned long i = 1; i < nr; i++)
			BUG_ON(xa_store(&m->folios, folio->index + i, folio_page(folio, i)));
		if ((m->flags & MAPPING_WRITEBACK) && folio_test(folio, PG_dirty))
			for (unsigned long i = 1; i < nr; i++)
				xa_set_tag(&m->folios, folio->index + i, TAG_DIRTY);
	}
	spin_unlock(&m->lock);
	if (alone && nr == PTRS_PER_TABLE)
		stat_add(m->flags & MAPPING_SHMEM ? NR_SHMEM_THPS : NR_FILE_THPS, -1);
	return alone;
}

/* To the list where it belongs; what is locked was counted when its entries came back. Drops a reference. */
static void put_on_list(struct folio *folio)
{
	LIST_HEAD(folios);

	list_add(&folio->lru, &folios);
	lru_putback(&folios);
}

/* To the end of the inactive list, where reclaim comes next, or where it belongs if it is locked. */
static void put_piece(struct folio *piece)
{
	if (atomic_read(&piece->mapcount) > 0 || !folio_test(piece, PG_anon)) {
		folio_get(piece);
		put_on_list(piece);
		lru_deactivate(piece);
	}
	folio_put(piece);
}

/* It can be, if nobody else has it. */
static bool may_split(const struct folio *folio)
{
	return folio_test(folio, PG_anon) || (folio->mapping && !folio_test(folio, PG_writeback));
}

/* wait: for the locks of the reverse map. */
static bool split(struct folio *folio, bool wait)
{
	struct move m = { .old = folio, .wait = wait };
	struct unflushed u = { 0 };
	unsigned int order = folio->order;
	bool alone;

	ASSERT(folio_is_large(folio));
	if (!may_split(folio) || !migration_entries_make(&m, &u)) {
		thp_count(order, THP_COUNT_SPLIT_FAILED);
		return false;
	}
	unflushed_flush(&u);
	alone = folio_test(folio, PG_anon) ? divide_anon(folio, m.nr) : divide_cached(folio, m.nr);
	migration_entries_remove(&m, alone ? NULL : folio);
	if (!alone) {
		thp_count(order, THP_COUNT_SPLIT_FAILED);
		return false;
	}
	for (unsigned long i = 1; i < m.nr; i++) {
		struct folio *piece = (struct folio *)folio_page(folio, i);

		folio_unlock_io(piece);
		put_piece(piece);
	}
	thp_count(order, THP_COUNT_SPLIT);
	return true;
}

bool split_folio(struct folio *folio)
{
	return split(folio, false);
}

/* One that may be on a list: isolated for as long as it takes. Locked; the caller has a reference. */
static bool split_listed(struct folio *folio, bool wait)
{
	bool done;

	if (!lru_isolate_page(&folio->page, true))
		return false;
	folio_put(folio); /* the caller has another */
	done = split(folio, wait);
	folio_get(folio);
	put_on_list(folio);
	return done;
}

bool split_mapped_folio(struct folio *folio)
{
	bool done = false;

	if (!folio_trylock(folio))
		return false;
	if (folio_is_large(folio))
		done = split_listed(folio, false);
	folio_unlock(folio);
	return done;
}

bool split_file_folio(struct folio *folio)
{
	return split_listed(folio, true);
}

/* ---- the queue ---- */

/* The longest waiting folio, with a reference; NULL: none, or it is dying. */
static struct folio *pop(void)
{
	struct folio *folio = NULL;
	struct page *tail;

	spin_lock(&queue.lock);
	if (!list_empty(&queue.folios)) {
		tail = list_first_entry(&queue.folios, struct page, deferred);
		list_del_init(&tail->deferred);
		RACY_WRITE(queue.nr, queue.nr - 1);
		folio = folio_try_get(tail->head) ? tail->head : NULL;
	}
	spin_unlock(&queue.lock);
	return folio;
}

unsigned long split_deferred(unsigned long max)
{
	unsigned long todo = min(max, RACY_READ(queue.nr)), freed = 0;

	while (todo--) {
		struct folio *folio = pop();
		unsigned long unmapped;

		if (!folio)
			continue;
		unmapped = folio_nr_pages(folio) - (unsigned long)large_nr_mapped(folio);
		if (split_mapped_folio(folio))
			freed += unmapped;
		else if (folio_is_large(folio))
			split_later(folio);
		folio_put(folio);
	}
	return freed;
}
