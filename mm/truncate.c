/* SPDX-License-Identifier: MIT
 *
 * Files that get shorter and files that get holes: pages leave every address space that maps them, then
 * the page cache.
 *
 * The order against a concurrent fault: the size is set first, so that new faults beyond it stop;
 * entries are removed; then each folio is locked, unmapped once more if a fault that had already looked
 * at the size slipped in, and taken out of the cache. Such a fault may also have left a private copy, of
 * which the folio knows nothing: hence a second look at the vmas, after which no folio is locked by one
 * that saw the old size. The caller holds the inode's lock, so two truncations do not meet.
 */
#include "filemap_large.h"
#include "folio.h"
#include "shmem.h"
#include "unmap.h"
#include "vma.h"
#include "writeback.h"

/* Folios handled between two looks at the scheduler. */
#define TRUNCATE_BATCH 64

/*
 * Unmaps page offsets [first, last] of the file from every vma. Beyond the end of a file private copies go too;
 * over a hole they stay, as in Linux.
 */
static void unmap_mapping_range(struct mapping *m, unsigned long first, unsigned long last,
				bool keep_private)
{
	struct interval_node *node;

	down_read(&m->i_mmap_lock);
	for_each_interval(node, &m->i_mmap, first, last) {
		struct vma *vma = container_of(node, struct vma, i_mmap_node);
		unsigned long from = max(first, node->start), to = min(last, node->last);

		zap_range(vma, vma->start + ((from - node->start) << PAGE_SHIFT),
			  vma->start + ((to - node->start + 1) << PAGE_SHIFT),
			  ZAP_NO_YIELD | (keep_private ? ZAP_KEEP_PRIVATE : 0));
	}
	up_read(&m->i_mmap_lock);
}

/* The mapping's lock held. */
static void erase_folio(struct mapping *m, const struct folio *folio)
{
	for (unsigned long i = 0; i < folio_nr_pages(folio); i++)
		xa_erase(&m->folios, folio->index + i);
}

/* Takes one locked folio, no longer mapped, out of the cache, and the cache's reference with it. */
static void remove_folio(struct mapping *m, struct folio *folio)
{
	spin_lock(&m->lock);
	if (m->flags & MAPPING_WRITEBACK)
		mapping_clear_dirty(m, folio);
	erase_folio(m, folio);
	WRITE_ONCE(folio->mapping, NULL);
	spin_unlock(&m->lock);
	mapping_count_folio(m, folio, -1);
	folio_clear(folio, PG_dirty);
	folio_put(folio);
}

void filemap_drop_unread(struct mapping *m, struct folio *folio)
{
	ASSERT(!folio_uptodate(folio) && !atomic_read(&folio->mapcount));
	remove_folio(m, folio);
}

bool filemap_remove_frozen(struct folio *folio)
{
	struct mapping *m = folio->mapping;

	spin_lock(&m->lock);
	if (folio_test(folio, PG_dirty) || !folio_ref_freeze(folio, 2)) {
		spin_unlock(&m->lock);
		return false;
	}
	erase_folio(m, folio);
	WRITE_ONCE(folio->mapping, NULL);
	spin_unlock(&m->lock);
	mapping_count_folio(m, folio, -1);
	return true;
}

/* A folio, with a reference, or the value of a page in swap. */
static void *next_page(struct mapping *m, unsigned long *index, unsigned long last)
{
	void *page;

	spin_lock(&m->lock);
	page = xa_find(&m->folios, index, last);
	if (page && !xa_is_value(page))
		folio_get(page);
	spin_unlock(&m->lock);
	return page;
}

/*
 * Zeroes what is left of pages [first, last] in a folio that cannot be split: they stay, and read as a hole does. The store
 * has no place for them any more.
 */
static void zero_whole_pages(struct folio *folio, unsigned long first, unsigned long last)
{
	zero_pages(page_address(folio_page_at(folio, first)), last - first + 1);
	if (!(folio->mapping->flags & MAPPING_WRITEBACK))
		folio_mark_dirty(folio);
}

/* How often a folio is tried to be split that somebody has a reference to: for a moment, as a rule. */
#define SPLIT_TRIES 4

/*
 * Page `index` and those up to last are to go, others of the folio stay. It is split; in vain, its pages are zeroed.
 * True: those up to the result of this folio are done. False: look again at index.
 */
static bool remove_part(struct mapping *m, struct folio *folio, unsigned long *index,
			unsigned long last)
{
	unsigned long end = folio->index + folio_nr_pages(folio) - 1;
	bool there = true, split = false;

	last = min(last, end);
	for (unsigned int tries = 0; there && !split && tries < SPLIT_TRIES; tries++) {
		folio_lock(folio);
		folio_wait_writeback(folio);
		there = folio->mapping == m;
		split = there && split_file_folio(folio);
		if (there && !split && tries == SPLIT_TRIES - 1)
			zero_whole_pages(folio, *index, last);
		folio_unlock(folio);
		cond_resched();
	}
	if (!there || split)
		return false;
	*index = last;
	return true;
}

/*
 * Drops what the cache has at *index, and what of [first, last] is in the same folio: *index is the last page of that then.
 * False: it is not where it was, but perhaps in swap now, or back from there, or in smaller pieces.
 */
static bool remove_page(struct mapping *m, unsigned long first, unsigned long *index,
			unsigned long last, void *page)
{
	struct folio *folio = page;
	unsigned long end;
	bool done;

	if (xa_is_value(page))
		return shmem_drop_value(m, *index, page);
	end = folio->index + folio_nr_pages(folio) - 1;
	if (unlikely(folio->index < first || end > last)) {
		done = remove_part(m, folio, index, last);
		folio_put(folio);
		return done;
	}
	folio_lock(folio);
	done = folio->mapping == m;
	if (done) {
		folio_wait_writeback(folio);
		/* 0: whoever unmapped it, without its lock, is done with it. */
		if (unlikely(atomic_read_acquire(&folio->mapcount) > 0))
			unmap_mapping_range(m, folio->index, end, true);
		remove_folio(m, folio);
		*index = end;
	}
	folio_unlock(folio);
	folio_put(folio);
	return done;
}

/* Drops the cache's pages [first, last]. */
static void remove_range(struct mapping *m, unsigned long first, unsigned long last)
{
	unsigned int batch = 0;
	unsigned long i = first;
	void *page;

	while ((page = next_page(m, &i, last))) {
		if (++batch % TRUNCATE_BATCH == 0)
			cond_resched();
		if (!remove_page(m, first, &i, last, page))
			continue;
		if (i++ == last)
			break;
	}
}

static void drop_clean(struct mapping *m, struct folio *folio, unsigned long *dropped)
{
	unsigned long pages = folio_nr_pages(folio);
	bool removed;

	if (!folio_trylock(folio))
		goto out_put;
	removed = folio->mapping == m && !atomic_read(&folio->mapcount) &&
		  !folio_test(folio, PG_writeback) && filemap_remove_frozen(folio);
	folio_unlock(folio);
	if (removed) {
		folio_free(folio);
		*dropped += pages;
		return;
	}
out_put:
	folio_put(folio);
}

unsigned long filemap_drop_clean(struct mapping *m, unsigned long first, unsigned long last)
{
	unsigned long dropped = 0;
	struct folio *folio;

	if (!m->ops)
		return 0;
	for (unsigned long i = first; (folio = next_page(m, &i, last)); i++) {
		unsigned long start = folio->index, end = start + folio_nr_pages(folio) - 1;

		if (start >= first && end <= last)
			drop_clean(m, folio, &dropped);
		else
			folio_put(folio);
		i = end;
		if (i >= last)
			break;
		cond_resched();
	}
	return dropped;
}

/* Who maps it, or writes to it, makes it no hole first. */
static void drop_if_hole(struct mapping *m, struct folio *folio)
{
	folio_lock(folio);
	if (folio->mapping == m && folio_is_hole(folio))
		remove_folio(m, folio);
	folio_unlock(folio);
	folio_put(folio);
}

void filemap_drop_holes(struct mapping *m, unsigned long first, unsigned long last)
{
	void *page;

	for (unsigned long i = first; (page = next_page(m, &i, last)); i++) {
		if (!xa_is_value(page)) {
			struct folio *folio = page;

			i = folio->index + folio_nr_pages(folio) - 1;
			drop_if_hole(m, folio);
		}
		if (i >= last)
			break;
		cond_resched();
	}
}

/* The folio of which a part is to be zeroed, or NULL: a hole already, or it cannot be read. */
static struct folio *get_folio_to_zero(struct mapping *m, unsigned long index)
{
	struct folio *folio;

	folio = m->ops ? filemap_grab_folio(m, index) : filemap_get_folio(m, index);
	return IS_ERR(folio) ? NULL : folio;
}

/* Zeroes bytes [from, to) of one page. */
static void zero_part(struct mapping *m, unsigned long index, unsigned long from, unsigned long to)
{
	struct folio *folio = get_folio_to_zero(m, index);

	if (!folio)
		return;
	folio_lock(folio);
	if (folio->mapping == m) {
		memset((char *)page_address(folio_page_at(folio, index)) + from, 0, to - from);
		folio_mark_dirty(folio);
	}
	folio_unlock(folio);
	folio_put(folio);
}

void filemap_truncate(struct mapping *m, u64 newsize)
{
	u64 oldsize = m->size;
	unsigned long first = (newsize + PAGE_SIZE - 1) >> PAGE_SHIFT;

	WRITE_ONCE(m->size, newsize);
	if (newsize >= oldsize)
		return;
	unmap_mapping_range(m, first, ~0UL >> PAGE_SHIFT, false);
	if (newsize & ~PAGE_MASK)
		zero_part(m, newsize >> PAGE_SHIFT, newsize & ~PAGE_MASK, PAGE_SIZE);
	remove_range(m, first, ~0UL >> PAGE_SHIFT);
	unmap_mapping_range(m, first, ~0UL >> PAGE_SHIFT, false);
}

void filemap_punch_hole(struct mapping *m, u64 start, u64 end)
{
	unsigned long first = (start + PAGE_SIZE - 1) >> PAGE_SHIFT, after = end >> PAGE_SHIFT;

	if (first > after) { /* inside one page */
		zero_part(m, start >> PAGE_SHIFT, start & ~PAGE_MASK, end & ~PAGE_MASK);
		return;
	}
	if (start & ~PAGE_MASK)
		zero_part(m, start >> PAGE_SHIFT, start & ~PAGE_MASK, PAGE_SIZE);
	if (end & ~PAGE_MASK)
		zero_part(m, after, 0, end & ~PAGE_MASK);
	if (first == after)
		return;
	unmap_mapping_range(m, first, after - 1, true);
	remove_range(m, first, after - 1);
}

void mapping_destroy(struct mapping *m)
{
	ASSERT(!m->i_mmap.node);
	remove_range(m, 0, ~0UL >> PAGE_SHIFT);
	shmem_mapping_gone(m);
	if (m->flags & MAPPING_WRITEBACK)
		mapping_unregister_writeback(m);
	xa_destroy(&m->folios);
	vm_commit_uncharge(m->committed);
}
