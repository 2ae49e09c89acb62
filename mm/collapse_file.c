/* SPDX-License-Identifier: MIT
 *
 * Collapse of tmpfs and shared memory: what the page cache has of 2 MiB of a file, page by page or not at all, becomes one
 * folio. Here it is the file that changes, and with it everybody who maps it.
 *
 *   look      which pages there are, and whether that is worth a folio; what is in swap is brought back
 *   hold      each folio: a reference, its lock, off its list. Somebody has the lock, or reads or writes: not now
 *   unmap     migration entries take the place of all that map them, and the TLBs are flushed
 *   replace   under the lock of the mapping: references frozen, one folio in all 512 slots. Who looks up a page finds an old
 *             one before, the new one afterwards, and waits for its lock until it is up to date: contents are copied last
 *   map       the migration entries become entries of the new folio, where they are 512 in a row as one
 *
 * As with a split (mm/split.c), only the other way round. After khugepaged's, as in Linux, who maps it has no entries, and
 * gets all of it as one when he needs some of it; but a locked page stays locked. MADV_COLLAPSE takes nothing from anybody.
 *
 * Locking: no mmap_lock while the file is collapsed, and no lock of its inode: a truncation that gets in between has a
 * reference to a folio, or finds it gone. The folio locks are only tried; i_mmap_lock is held for reading; mapping->lock.
 */
#include "collapse.h"
#include "filemap_large.h"
#include "folio.h"
#include "lru.h"
#include "migrate_internal.h"
#include "mlock_count.h"
#include "shmem.h"
#include "vma.h"
#include "writeback.h"

struct file_collapse {
	struct mapping *m;
	unsigned long start; /* page offset of the first page */
	struct folio *new;
	struct folio **old; /* by offset, with a reference each */
	unsigned int n;	    /* of them */
	unsigned int holes; /* pages that the file does not have */
	unsigned int swapped;
	bool lazy; /* collapse_limits.lazy */
};

bool collapse_suits_file(const struct vma *vma)
{
	return vma->mapping->huge && READ_ONCE(knob_thp_shmem) != SHMEM_HUGE_DENY &&
	       IS_ALIGNED(vma->start - (vma->pgoff << PAGE_SHIFT), PMD_SIZE);
}

/* ---- look ---- */

/* The pages of the folio that covers index, or how many there are to the next. */
static unsigned long run_length(const void *entry)
{
	return entry && !xa_is_value(entry) ? folio_nr_pages(entry) : 1;
}

/* As filemap_collapse(). Afterwards c->old has the folios, with references, if it is not NULL. The mapping's lock held. */
static int take_census(struct file_collapse *c, const struct collapse_limits *limits)
{
	assert_spin_locked(&c->m->lock);
	c->n = c->holes = c->swapped = 0;
	for (unsigned long i = 0; i < PTRS_PER_TABLE;) {
		void *entry = xa_load(&c->m->folios, c->start + i);
		const struct folio *folio = entry;

		i += run_length(entry);
		c->holes += !entry;
		c->swapped += xa_is_value(entry);
		if (!entry || xa_is_value(entry))
			continue;
		if (folio->order == PMD_ORDER)
			return COLLAPSE_NOTHING_TO_DO;
		if (c->old)
			c->old[c->n] = entry;
		c->n++;
	}
	/* Linux counts pages in swap among those that are missing. */
	if (c->swapped > limits->swapped || c->holes + c->swapped > limits->none ||
	    !(c->n + c->swapped))
		return -EINVAL;
	return 0;
}

static int look(struct file_collapse *c, const struct collapse_limits *limits)
{
	int result;

	spin_lock(&c->m->lock);
	result = take_census(c, limits);
	if (!result && c->old && c->swapped)
		result = -EAGAIN;
	if (!result && c->old)
		for (unsigned int i = 0; i < c->n; i++)
			folio_get(c->old[i]);
	spin_unlock(&c->m->lock);
	return result;
}

/* All pages of the range that are in swap. 0 or -errno. */
static int bring_back(const struct file_collapse *c)
{
	unsigned long end = c->start + PTRS_PER_TABLE;

	shmem_willneed(c->m, c->start, end - 1);
	for (unsigned long i = c->start; i < end; i++) {
		struct folio *folio = filemap_get_folio(c->m, i);

		if (IS_ERR(folio))
			return PTR_ERR(folio) == -ENOMEM ? -ENOMEM : -EINVAL;
		if (folio)
			folio_put(folio);
		cond_resched();
	}
	return 0;
}

/* ---- hold ---- */

/* Back to where it belongs, and unlocked. */
static void release(struct folio *folio)
{
	LIST_HEAD(folios);
	bool listed = lru_putback_file_unevictable(folio);

	folio_unlock_io(folio);
	if (listed) {
		folio_put(folio);
	} else {
		list_add(&folio->lru, &folios);
		lru_putback(&folios);
	}
}

/* Its lock is one of so many, each only tried, that the lock checker is not told of it. */
static bool hold(const struct file_collapse *c, struct folio *folio)
{
	if (!folio_lock_fast(folio))
		return false;
	if (folio->mapping == c->m && !folio_test(folio, PG_writeback) &&
	    lru_isolate_page(&folio->page, true)) {
		folio_put(folio); /* look()'s; isolation gave another */
		return true;
	}
	folio_unlock_io(folio);
	return false;
}

/* False: none is held, and the references are gone. */
static bool hold_all(struct file_collapse *c)
{
	unsigned int held = 0;

	while (held < c->n && hold(c, c->old[held]))
		held++;
	if (held == c->n)
		return true;
	for (unsigned int i = 0; i < c->n; i++)
		if (i < held)
			release(c->old[i]);
		else
			folio_put(c->old[i]);
	return false;
}

/* ---- unmap, and map again. i_mmap_lock held ---- */

static struct move move_of(const struct file_collapse *c, unsigned int i)
{
	return (struct move){ .old = c->old[i], .mapping = c->m, .held = true };
}

static void unmap_all(struct file_collapse *c)
{
	struct unflushed u = { 0 };

	for (unsigned int i = 0; i < c->n; i++) {
		struct move m = move_of(c, i);

		BUG_ON(!migration_entries_make(&m, &u));
	}
	unflushed_flush(&u);
}

/* Whoever maps all of it may have it as one, if there is memory for that. */
static void prepare_promotions(struct file_collapse *c)
{
	struct interval_node *node;

	for_each_interval(node, &c->m->i_mmap, c->start, c->start + PTRS_PER_TABLE - 1) {
		struct vma *vma = container_of(node, struct vma, i_mmap_node);
		unsigned long addr = vma->start + ((c->start - vma->pgoff) << PAGE_SHIFT);

		if (c->start >= vma->pgoff && IS_ALIGNED(addr, PMD_SIZE) &&
		    vma->end - addr >= PMD_SIZE && pgtable_find(&vma->mm->pgt, addr))
			huge_prepare(vma->mm, addr);
	}
}

static void map_again(struct file_collapse *c, bool replaced)
{
	for (unsigned int i = 0; i < c->n; i++) {
		struct move m = move_of(c, i);

		m.nr = folio_nr_pages(m.old);
		m.first = replaced ? m.old->index - c->start : 0;
		m.drop = replaced && c->lazy;
		migration_entries_remove(&m, replaced ? c->new : m.old);
	}
}

/* ---- replace ---- */

static void zero_holes(const struct file_collapse *c)
{
	unsigned long at = 0;

	for (unsigned int i = 0; i < c->n; i++) {
		unsigned long from = c->old[i]->index - c->start;

		zero_pages(page_address(folio_page(c->new, at)), from - at);
		at = from + folio_nr_pages(c->old[i]);
	}
	zero_pages(page_address(folio_page(c->new, at)), PTRS_PER_TABLE - at);
}

/* The slots are as look() saw them. The mapping's lock held. */
static bool is_unchanged(const struct file_collapse *c)
{
	unsigned int n = 0;

	assert_spin_locked(&c->m->lock);
	for (unsigned long i = 0; i < PTRS_PER_TABLE;) {
		const void *entry = xa_load(&c->m->folios, c->start + i);

		if (entry && (n == c->n || entry != c->old[n++]))
			return false;
		i += run_length(entry);
	}
	return n == c->n;
}

/* False: somebody has a reference to one of them. */
static bool freeze_all(const struct file_collapse *c)
{
	unsigned int n = 0;

	while (n < c->n && !atomic_read(&c->old[n]->mapcount) && folio_ref_freeze(c->old[n], 2))
		n++;
	if (n == c->n)
		return true;
	while (n--)
		folio_ref_unfreeze(c->old[n], 2);
	return false;
}

static void copy_contents(const struct file_collapse *c)
{
	for (unsigned int i = 0; i < c->n; i++) {
		struct folio *old = c->old[i];

		for (unsigned long n = 0; n < folio_nr_pages(old); n++)
			copy_page(folio_address_at(c->new, old->index + n),
				  page_address(folio_page(old, n)));
	}
	folio_set_uptodate(c->new);
}

/* The mapping's lock held, the old ones frozen, all leaves there. */
static void store_new(struct file_collapse *c)
{
	assert_spin_locked(&c->m->lock);
	for (unsigned int i = 0; i < c->n; i++)
		WRITE_ONCE(c->old[i]->mapping, NULL);
	for (unsigned long i = 0; i < PTRS_PER_TABLE; i++)
		BUG_ON(xa_store(&c->m->folios, c->start + i, c->new));
	WRITE_ONCE(c->new->mapping, c->m);
	folio_get(c->new);
	for (unsigned int i = 0; i < c->n; i++)
		folio_ref_unfreeze(c->old[i], 1);
}

/* 0, -EAGAIN, -ENOMEM. Nobody can reach the folios but by the page cache. */
static int replace(struct file_collapse *c)
{
	struct mapping *m = c->m;

	c->new->index = c->start;
	folio_set(c->new, PG_dirty);
	zero_holes(c);
	for (;;) {
		bool room, done = false;

		spin_lock(&m->lock);
		room = xa_has_room(&m->folios, c->start, PTRS_PER_TABLE);
		if (room && is_unchanged(c) && freeze_all(c)) {
			store_new(c);
			done = true;
		}
		spin_unlock(&m->lock);
		if (room)
			return done ? 0 : -EAGAIN;
		if (xa_reserve_run(&m->folios, &m->lock, c->start, PTRS_PER_TABLE))
			return -ENOMEM;
	}
}

/* The new folio took the place of the old ones in the counts, too. */
static void count(const struct file_collapse *c)
{
	stat_add(NR_FILE_PAGES, c->holes);
	stat_add(NR_SHMEM, c->holes);
	stat_inc(NR_SHMEM_THPS);
}

/* The old folios are held; afterwards they are gone, or free to be used. */
static int exchange(struct file_collapse *c)
{
	int result;

	down_read(&c->m->i_mmap_lock);
	prepare_promotions(c);
	unmap_all(c);
	result = replace(c);
	if (!result) {
		copy_contents(c);
		count(c);
		lru_add(c->new);
	}
	map_again(c, !result);
	up_read(&c->m->i_mmap_lock);
	for (unsigned int i = 0; i < c->n; i++)
		if (result) {
			release(c->old[i]);
		} else {
			folio_unlock_io(c->old[i]);
			folio_put(c->old[i]);
		}
	return result;
}

/* c->old has room, c->new is nobody's yet. */
static int collapse(struct file_collapse *c, const struct collapse_limits *limits)
{
	int result = look(c, limits);

	if (result)
		return result;
	mlock_batch_drain();
	if (!hold_all(c))
		return -EAGAIN;
	if (!mapping_charge(c->m, c->holes)) {
		for (unsigned int i = 0; i < c->n; i++)
			release(c->old[i]);
		return -EINVAL;
	}
	result = exchange(c);
	if (result)
		mapping_uncharge(c->m, c->holes);
	return result;
}

static int allocate_and_collapse(struct file_collapse *c, const struct collapse_limits *limits)
{
	struct page *room = alloc_pages(GFP_KERNEL | __GFP_NORETRY, 0);
	int result = -ENOMEM;

	c->new = room ? large_alloc(limits->gfp, PMD_ORDER, 1UL << PG_swapbacked | 1UL << PG_data)
		      : NULL;
	stat_inc(c->new ? THP_COLLAPSE_ALLOC : THP_COLLAPSE_ALLOC_FAILED);
	if (c->new) {
		c->old = page_address(room);
		BUG_ON(!folio_trylock(c->new));
		result = collapse(c, limits);
		folio_unlock(c->new);
		folio_put(c->new);
	}
	if (room)
		free_pages(room, 0);
	return result;
}

/*
 * The pages [start, start + 512) of the file become one folio. 0, COLLAPSE_NOTHING_TO_DO when they are one; -EINVAL: beyond
 * the limits, no page is there, or the mount has no room; -ENOMEM; -EAGAIN: somebody uses one right now. No lock held.
 */
static int filemap_collapse(struct mapping *m, unsigned long start,
			    const struct collapse_limits *limits)
{
	struct file_collapse c = { .m = m, .start = start, .lazy = limits->lazy };
	int result = look(&c, limits);

	if (!result && c.swapped)
		result = bring_back(&c);
	return result ?: allocate_and_collapse(&c, limits);
}

/* ---- map ---- */

/*
 * The folio of 2 MiB that the file has there is mapped at addr, as one if it can be. -EINVAL: the vma has pages of its
 * own; -EAGAIN: the file has another by now; -ENOMEM. mmap_lock held.
 */
static int map_folio(struct vma *vma, unsigned long addr)
{
	struct fault_ctx f = { .addr = addr, .vma = vma };
	struct folio *folio = filemap_get_folio(vma->mapping, vma_index(vma, addr));

	if (!folio || IS_ERR(folio))
		return -EAGAIN;
	f.pte = pgtable_alloc(&vma->mm->pgt, addr);
	folio_lock(folio);
	if (f.pte && folio->mapping == vma->mapping && folio->order == PMD_ORDER)
		return filemap_map_whole(vma->mm, &f, folio) ? 0 : -EINVAL;
	folio_unlock(folio);
	folio_put(folio);
	return f.pte ? -EAGAIN : -ENOMEM;
}

int collapse_file(struct mm *mm, struct vma *vma, unsigned long addr,
		  const struct collapse_limits *limits)
{
	unsigned long index = vma_index(vma, addr);
	struct mapping *m = vma->mapping;
	struct file *file = vma->file;
	const pte_t *pte = pgtable_find(&mm->pgt, addr);
	bool full = pte && READ_ONCE(*pte_used(pte)) == PTRS_PER_TABLE;
	int result = COLLAPSE_NOTHING_TO_DO;

	if (pte && pte_is_promoted(pte)) {
		mmap_read_unlock(mm);
		return result;
	}
	file_get(file);
	mmap_read_unlock(mm);
	result = filemap_collapse(m, index, limits);
	/* A new one, and one of which not all is mapped, can wait for the next fault. */
	if (result >= 0 && (!limits->lazy || (result == COLLAPSE_NOTHING_TO_DO && full))) {
		mmap_read_lock(mm);
		vma = collapse_vma(mm, addr);
		result = vma && vma->mapping == m && vma_index(vma, addr) == index
				 ? map_folio(vma, addr)
				 : -EINVAL;
		mmap_read_unlock(mm);
	}
	file_put(file);
	return result;
}
