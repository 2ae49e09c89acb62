/* SPDX-License-Identifier: MIT
 *
 * tmpfs and shared anonymous memory in swap.
 *
 * The page cache of such a file is the only place where its pages are, so it must say where a page is that is not in
 * memory: in the mapping's array stands then, instead of a folio, the slot as a value (the lowest bit set), which counts
 * as one entry that names the slot. Reclaim moves a folio from the mapping to the swap cache (shmem_writeout), whoever
 * looks up the page moves it back (shmem_swap_in). It belongs to one of the two at any time; the file's quota and its
 * number of pages count it in both.
 *
 * Locking: the mapping's lock for its array; the folio lock for a folio that moves; the list of mappings that may
 * have pages in swap has a lock of its own, inside the mapping's. swapoff holds bring_back_mutex while it is at work in
 * a mapping of the list, and while it moves several, so a mapping that goes away takes it once.
 */
#include <mm/swap.h>
#include <sync/mutex.h>

#include "fault_ctx.h"
#include "shmem.h"
#include "writeback.h"

static struct {
	spinlock_t lock;
	struct list_head mappings; /* mapping->swap_node */
	struct list_head done;	   /* those that swapoff has been through */
} swapped = { SPINLOCK_INIT, LIST_HEAD_INIT(swapped.mappings), LIST_HEAD_INIT(swapped.done) };

static struct mutex bring_back_mutex = MUTEX_INIT(bring_back_mutex);

/* ---- out ---- */

/* The folio gives its place to the slot. False: it has none any more. Folio locked, in the swap cache. */
static bool replace_by_slot(struct mapping *m, struct folio *folio)
{
	spin_lock(&m->lock);
	if (xa_load(&m->folios, folio->index) != folio) {
		spin_unlock(&m->lock);
		return false;
	}
	swap_slot_dup(folio->swap);
	/* The leaf exists: storing cannot fail. */
	BUG_ON(xa_store(&m->folios, folio->index, swp_to_value(folio->swap)));
	WRITE_ONCE(m->nr_swapped, m->nr_swapped + 1);
	WRITE_ONCE(folio->mapping, NULL);
	if (!m->swap_listed) {
		m->swap_listed = true;
		spin_lock(&swapped.lock);
		list_add_tail(&m->swap_node, &swapped.mappings);
		spin_unlock(&swapped.lock);
	}
	spin_unlock(&m->lock);
	stat_add(NR_FILE_PAGES, -1);
	stat_add(NR_SHMEM, -1);
	return true;
}

bool shmem_writeout(struct folio *folio, struct swap_plug *plug)
{
	struct mapping *m = folio->mapping;

	ASSERT(folio_test(folio, PG_locked) && !folio_test(folio, PG_anon));
	if (!m || atomic_read_acquire(&folio->mapcount) || folio_test(folio, PG_writeback))
		return false;
	if (!swap_cache_add(folio))
		return false;
	if (!replace_by_slot(m, folio)) {
		(void)swap_cache_try_free(folio);
		return false;
	}
	swap_writeout(folio, plug);
	folio_put(folio); /* the mapping's */
	return true;
}

/* ---- in ---- */

/* The slot gives its place to the folio, which has it. -EAGAIN: it is not there any more. Folio locked. */
static int replace_slot(struct mapping *m, unsigned long index, struct folio *folio)
{
	void *value = swp_to_value(folio->swap);
	bool mine;

	/* Written or not: the slot is freed, so what is still being written is nobody's. */
	folio_wait_writeback(folio);
	spin_lock(&m->lock);
	mine = xa_load(&m->folios, index) == value;
	if (mine) {
		BUG_ON(xa_store(&m->folios, index, folio));
		WRITE_ONCE(m->nr_swapped, m->nr_swapped - 1);
		folio_get(folio);
		/* Whoever found it here before it was swapped out may be reading its index without a lock. */
		if (folio->index != index)
			folio->index = index;
		WRITE_ONCE(folio->mapping, m);
		folio_set(folio, PG_data);
	}
	spin_unlock(&m->lock);
	if (!mine)
		return -EAGAIN;
	stat_inc(NR_FILE_PAGES);
	stat_inc(NR_SHMEM);
	swap_slot_put(value_to_swp(value));
	(void)swap_cache_try_free(folio);
	return 0;
}

struct folio *shmem_swap_in(struct mapping *m, unsigned long index, void *value, u8 *io)
{
	swp_entry_t swp = value_to_swp(value);
	struct folio *folio;
	int err;

	folio = swap_cache_read(swp, io);
	if (IS_ERR(folio))
		return PTR_ERR(folio) == -ENOENT ? ERR_PTR(-EAGAIN) : folio;
	folio_lock(folio);
	if (!folio_test(folio, PG_swapcache) || folio->swap != swp) {
		err = -EAGAIN;
	} else if (!folio_test(folio, PG_uptodate)) {
		err = swap_read_failed(folio, io) ? -EIO : -EAGAIN;
	} else {
		err = replace_slot(m, index, folio);
	}
	swap_folio_unlock(folio);
	if (!err)
		return folio;
	folio_put(folio);
	return ERR_PTR(err);
}

#define ANY_AREA ~0UL
#define LOOKS_PER_HOLD 512 /* pages that are looked at under one hold of the mapping's lock */

/* The value of the first page of [*index, last] that is in swap, in this area; NULL: none. last < ~0UL. */
static void *next_value(struct mapping *m, unsigned long *index, unsigned long last,
			unsigned long area)
{
	unsigned int looks = 0;
	void *entry;

	spin_lock(&m->lock);
	for (; (entry = xa_find(&m->folios, index, last)); ++*index) {
		if (xa_is_value(entry) &&
		    (area == ANY_AREA || swp_area(value_to_swp(entry)) == area))
			break;
		if (++looks % LOOKS_PER_HOLD == 0) {
			spin_unlock(&m->lock);
			cond_resched();
			spin_lock(&m->lock);
		}
	}
	spin_unlock(&m->lock);
	return entry;
}

void shmem_willneed(struct mapping *m, unsigned long first, unsigned long last)
{
	void *value;

	if (!READ_ONCE(m->nr_swapped))
		return;
	while (first <= last && (value = next_value(m, &first, last, ANY_AREA))) {
		u8 io = 0;
		struct folio *folio = swap_cache_read(value_to_swp(value), &io);

		if (!IS_ERR(folio))
			folio_put(folio);
		else if (PTR_ERR(folio) == -ENOMEM)
			return;
		first++;
		cond_resched();
	}
}

/* ---- gone ---- */

bool shmem_drop_value(struct mapping *m, unsigned long index, void *value)
{
	bool mine;

	spin_lock(&m->lock);
	mine = xa_load(&m->folios, index) == value;
	if (mine) {
		xa_erase(&m->folios, index);
		WRITE_ONCE(m->nr_swapped, m->nr_swapped - 1);
	}
	spin_unlock(&m->lock);
	if (!mine)
		return false;
	if (m->quota)
		atomic_dec(&m->quota->used);
	swap_slot_put(value_to_swp(value));
	return true;
}

void shmem_mapping_gone(struct mapping *m)
{
	if (!m->swap_listed)
		return;
	mutex_lock(&bring_back_mutex);
	spin_lock(&swapped.lock);
	list_del(&m->swap_node);
	spin_unlock(&swapped.lock);
	mutex_unlock(&bring_back_mutex);
}

unsigned long shmem_swapped_pages(struct mapping *m, unsigned long first, unsigned long last)
{
	unsigned long n = 0;

	if (!READ_ONCE(m->nr_swapped))
		return 0;
	for (; first <= last && next_value(m, &first, last, ANY_AREA); first++)
		if (++n % LOOKS_PER_HOLD == 0)
			cond_resched();
	return n;
}

/* ---- swapoff ---- */

static int bring_back_mapping(struct mapping *m, unsigned long area)
{
	for (unsigned long index = 0; next_value(m, &index, LAST_INDEX, area); index++) {
		struct folio *folio = filemap_get_folio(m, index);

		if (IS_ERR(folio))
			return (int)PTR_ERR(folio);
		if (folio)
			folio_put(folio);
		if (park_interrupted(PARK_INTERRUPTIBLE))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

int shmem_bring_back(unsigned long area)
{
	int err = 0;

	while (!err) {
		struct mapping *m = NULL;

		mutex_lock(&bring_back_mutex);
		spin_lock(&swapped.lock);
		if (!list_empty(&swapped.mappings)) {
			m = list_first_entry(&swapped.mappings, struct mapping, swap_node);
			list_move_tail(&m->swap_node, &swapped.done);
		}
		spin_unlock(&swapped.lock);
		if (m)
			err = bring_back_mapping(m, area);
		mutex_unlock(&bring_back_mutex);
		if (!m)
			break;
	}
	/* They may have pages in other areas. */
	mutex_lock(&bring_back_mutex);
	spin_lock(&swapped.lock);
	list_splice_tail_init(&swapped.done, &swapped.mappings);
	spin_unlock(&swapped.lock);
	mutex_unlock(&bring_back_mutex);
	return err;
}

/* ---- debug ---- */

#ifdef CONFIG_DEBUG
static void visit_slots(struct mapping *m, void (*visit)(void *arg, swp_entry_t swp), void *arg)
{
	void *entry;

	spin_lock(&m->lock);
	for (unsigned long i = 0; (entry = xa_find(&m->folios, &i, LAST_INDEX)); i++)
		if (xa_is_value(entry))
			visit(arg, value_to_swp(entry));
	spin_unlock(&m->lock);
}

static void visit_list(const struct list_head *list, void (*visit)(void *arg, swp_entry_t swp),
		       void *arg)
{
	const struct list_head *node = list;

	for (;;) {
		spin_lock(&swapped.lock);
		node = node->next;
		spin_unlock(&swapped.lock);
		if (node == list)
			break;
		visit_slots(list_entry(node, struct mapping, swap_node), visit, arg);
	}
}

void shmem_for_each_slot(void (*visit)(void *arg, swp_entry_t swp), void *arg)
{
	mutex_lock(&bring_back_mutex);
	visit_list(&swapped.done, visit, arg);
	visit_list(&swapped.mappings, visit, arg);
	mutex_unlock(&bring_back_mutex);
}
#endif
