/* SPDX-License-Identifier: MIT
 *
 * A large folio becomes folios of one page each: when memory is short, because only what is not needed should go; when
 * some of its pages are not mapped any more, to free them; when advice or a lock is for a part of it.
 *
 * As in migration (mm/migrate.c), migration entries take the place of all that map it, and its references are
 * frozen, so that nobody can reach it; then every frame gets a descriptor of its own, and the entries come back. Rights
 * and locks are those of the vmas at that moment, so a locked page stays locked and its neighbour becomes free to go.
 *
 * Folios of which some pages are mapped no more wait in a queue until memory is short; in it they have no reference.
 */
#include "large.h"
#include "lru.h"
#include "mapcount.h"
#include "migrate_internal.h"

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
	 1UL << PG_referenced | 1UL << PG_swapbacked | 1UL << PG_anon | 1UL << PG_workingset)

/* Refcount 0, mapped by nobody: the frames become folios with a reference each, locked. */
static void divide(struct folio *folio, unsigned long nr)
{
	unsigned long flags = RACY_READ(folio->flags) & INHERITED;

	for (unsigned long i = 1; i < nr; i++) {
		struct folio *piece = (struct folio *)folio_page(folio, i);

		piece->anon_vma = folio->anon_vma;
		piece->index = folio->index + i;
		atomic_set(&piece->mapcount, 0);
		atomic_set(&piece->mlock_count, 0);
		piece->order = 0;
		piece->lru_cpu = 0;
		piece->swap = 0;
		atomic_set(&piece->refcount, 1);
		__atomic_store_n(&piece->flags, flags, __ATOMIC_RELEASE);
	}
	folio->order = 0;
	__atomic_and_fetch(&folio->flags, ~(1UL << PG_large), __ATOMIC_RELEASE);
	folio_ref_unfreeze(folio, 1);
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
	if (atomic_read(&piece->mapcount) > 0) {
		folio_get(piece);
		put_on_list(piece);
		lru_deactivate(piece);
	}
	folio_put(piece);
}

bool split_folio(struct folio *folio)
{
	struct move m = { .old = folio };
	struct unflushed u = { 0 };
	unsigned int order = folio->order;
	bool alone;

	ASSERT(folio_is_large(folio) && folio_test(folio, PG_anon));
	if (!migration_entries_make(&m, &u)) {
		thp_count(order, THP_COUNT_SPLIT_FAILED);
		return false;
	}
	unflushed_flush(&u);
	alone = atomic_read(&folio->mapcount) == 0 && folio_ref_freeze(folio, 1);
	if (alone) {
		/* Only now: whoever puts it into the queue has a reference. */
		split_forget(folio);
		divide(folio, m.nr);
	}
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

bool split_mapped_folio(struct folio *folio)
{
	bool done = false;

	if (!folio_trylock(folio))
		return false;
	if (folio_is_large(folio) && lru_isolate_page(&folio->page, true)) {
		folio_put(folio); /* the caller has another */
		done = split_folio(folio);
		folio_get(folio);
		put_on_list(folio);
	}
	folio_unlock(folio);
	return done;
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
