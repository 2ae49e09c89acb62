/* SPDX-License-Identifier: MIT
 *
 * The page cache: a mapping's folios, and how they answer faults.
 *
 * A folio in the cache has one reference from the cache. It leaves the cache only with its folio lock
 * held (mm/truncate.c); a fault therefore locks it, looks whether it is still in the file, and keeps
 * the lock until the entry is installed.
 */
#include "fault_ctx.h"
#include "filemap_large.h"
#include "folio.h"
#include "lru.h"
#include "mlock_count.h"
#include "reclaim.h"
#include "shmem.h"
#include "vma.h"
#include "writeback.h"

void mapping_init(struct mapping *m, unsigned int flags, const struct mapping_ops *ops, void *host)
{
	xa_init(&m->folios);
	spin_lock_init(&m->lock);
	m->flags = flags;
	m->unevictable = flags & MAPPING_UNEVICTABLE;
	m->size = 0;
	m->ops = ops;
	m->watch = NULL;
	m->committed = 0;
	m->nr_writable = 0;
	m->seal_write = false;
	rwsem_init(&m->i_mmap_lock);
	m->i_mmap = (struct rb_root)RB_ROOT;
	m->host = host;
	m->store = NULL;
	m->quota = NULL;
	m->huge = NULL;
	m->nr_swapped = 0;
	m->swap_listed = false;
	if (flags & MAPPING_WRITEBACK)
		mapping_register_writeback(m);
}

/* Migration or collapse is copying them. */
static __noinline struct folio *wait_for_contents(struct folio *folio)
{
	folio_lock(folio);
	folio_unlock(folio);
	return folio;
}

/* wait: until it is up to date, if the file has no store. Who locks the folio waits that way. */
static __always_inline struct folio *get_folio(struct mapping *m, unsigned long index, bool wait,
					       u8 *io)
{
	struct folio *folio;

	for (;;) {
		spin_lock(&m->lock);
		folio = xa_load(&m->folios, index);
		if (unlikely(xa_is_value(folio))) {
			spin_unlock(&m->lock);
			folio = shmem_swap_in(m, index, folio, io);
			if (folio == ERR_PTR(-EAGAIN))
				continue;
			return folio;
		}
		if (folio)
			folio_get(folio);
		spin_unlock(&m->lock);
		if (wait && folio && unlikely(!folio_uptodate(folio)) && !m->ops)
			return wait_for_contents(folio);
		return folio;
	}
}

struct folio *filemap_get_folio(struct mapping *m, unsigned long index)
{
	u8 io = 0;

	return get_folio(m, index, true, &io);
}

/* A large folio is in the slot of each of its pages. The mapping's lock held. 0, -EEXIST, -EAGAIN. */
static int store_folio(struct mapping *m, struct folio *folio)
{
	if (unlikely(folio->order))
		return xa_store_run(&m->folios, folio->index, folio_nr_pages(folio), folio);
	if (xa_load(&m->folios, folio->index))
		return -EEXIST;
	return xa_store(&m->folios, folio->index, folio);
}

static int cache_insert(struct mapping *m, struct folio *folio)
{
	int err;

	if (unlikely(!mapping_charge(m, folio_nr_pages(folio))))
		return -ENOSPC;
	/* Nodes are allocated outside the spinlock, and may be gone again when it is held: hence the loop. */
	for (;;) {
		spin_lock(&m->lock);
		err = store_folio(m, folio);
		if (!err)
			folio_get(folio);
		spin_unlock(&m->lock);
		if (likely(!err))
			break;
		if (err == -EAGAIN)
			err = xa_reserve_run(&m->folios, &m->lock, folio->index,
					     folio_nr_pages(folio));
		if (err) {
			mapping_uncharge(m, folio_nr_pages(folio));
			return err;
		}
	}
	mapping_count_folio(m, folio, 1);
	if (m->flags & MAPPING_WRITEBACK)
		for (unsigned long i = 0; i < folio_nr_pages(folio); i++)
			workingset_refault(workingset_file_key(m, folio->index + i), folio);
	lru_add(folio);
	return 0;
}

int filemap_insert(struct mapping *m, struct folio *folio, unsigned long index)
{
	int err;

	if (m->flags & MAPPING_SHMEM)
		RACY_WRITE(folio->flags, folio->flags | 1UL << PG_swapbacked);
	folio->mapping = m;
	folio->index = index;
	err = cache_insert(m, folio);
	if (unlikely(err))
		folio->mapping = NULL;
	return err;
}

void filemap_end_read(struct folio *folio, int err)
{
	if (!err)
		folio_set_uptodate(folio);
	folio_unlock_io(folio);
}

/*
 * filemap_grab_folio() for a file without a store, and for who locks the folio. vma: of a fault, for which it may be large,
 * or NULL. *io: FAULT_IO_MAJOR when it was read from swap.
 */
static struct folio *grab_folio(struct mapping *m, unsigned long index, const struct vma *vma,
				u8 *io)
{
	struct folio *folio;
	int err;

	while (!(folio = get_folio(m, index, false, io))) {
		if (vma && unlikely(mapping_may_be_large(m))) {
			folio = shmem_new_large(m, vma, index, 0);
			if (folio)
				break;
		}
		folio = folio_alloc(GFP_KERNEL | __GFP_ZERO, 0);
		if (!folio)
			return ERR_PTR(-ENOMEM);
		RACY_WRITE(folio->flags, 1UL << PG_uptodate);
		err = filemap_insert(m, folio, index);
		if (!err)
			break;
		folio_put(folio);
		if (err != -EEXIST)
			return ERR_PTR(err);
	}
	return folio;
}

struct folio *filemap_grab_folio(struct mapping *m, unsigned long index)
{
	struct folio *folio;
	u8 io = 0;

	if (m->ops)
		return filemap_read_folio(m, NULL, index, 1);
	folio = grab_folio(m, index, NULL, &io);
	if (!IS_ERR(folio) && unlikely(!folio_uptodate(folio)))
		return wait_for_contents(folio);
	return folio;
}

int filemap_add_folio(struct mapping *m, struct folio *folio, unsigned long index)
{
	ASSERT(!m->ops);
	RACY_WRITE(folio->flags, folio->flags | 1UL << PG_uptodate | 1UL << PG_dirty);
	return filemap_insert(m, folio, index);
}

/*
 * Who has a reference reads and writes a folio without its lock. There is no such now, and there will be none: it is the new
 * folio that is found from here on, which is not up to date before it has the contents. The caller copies them.
 */
bool filemap_replace_folio(struct folio *old, struct folio *new,
			   void (*set_flags)(struct folio *new, const struct folio *old))
{
	struct mapping *m = old->mapping;

	ASSERT(folio_test(old, PG_locked) && folio_test(new, PG_locked));
	ASSERT(!folio_test(old, PG_writeback));
	spin_lock(&m->lock);
	if (!folio_ref_freeze(old, 2)) {
		spin_unlock(&m->lock);
		return false;
	}
	WRITE_ONCE(new->mapping, m);
	new->index = old->index;
	set_flags(new, old);
	/* The leaves exist: storing cannot fail. Their tags stay. */
	for (unsigned long i = 0; i < folio_nr_pages(new); i++)
		BUG_ON(xa_store(&m->folios, new->index + i, new));
	folio_get(new);
	WRITE_ONCE(old->mapping, NULL);
	folio_ref_unfreeze(old, 1);
	spin_unlock(&m->lock);
	return true;
}

/* The folio that is there already. False: it left the cache meanwhile, because it could not be read perhaps. */
static bool overwrite_cached(struct mapping *m, struct folio *folio, const struct folio *with,
			     unsigned long index)
{
	bool there;

	folio_lock(folio);
	there = folio->mapping == m;
	if (there && folio_is_large(folio) && !folio_uptodate(folio)) {
		filemap_drop_unread(m, folio);
		there = false;
	}
	if (there) {
		copy_page(folio_address_at(folio, index), folio_address(with));
		folio_set_uptodate(folio);
		folio_mark_dirty(folio);
	}
	folio_unlock(folio);
	return there;
}

int filemap_overwrite(struct mapping *m, struct folio *folio, unsigned long index)
{
	struct folio *cached;
	bool done;
	int err;

	for (;;) {
		cached = filemap_get_folio(m, index);
		if (cached) {
			done = overwrite_cached(m, cached, folio, index);
			folio_put(cached);
			if (done)
				return 0;
			continue;
		}
		RACY_WRITE(folio->flags, 1UL << PG_uptodate);
		err = filemap_insert(m, folio, index);
		if (err == -EEXIST)
			continue;
		if (!err)
			folio_mark_dirty_lock(folio);
		return err;
	}
}

void folio_mark_dirty(struct folio *folio)
{
	unsigned long flags = RACY_READ(folio->flags);

	if (flags & 1UL << PG_dirty)
		return;
	if (likely(flags & (1UL << PG_swapbacked | 1UL << PG_anon)))
		folio_set(folio, PG_dirty);
	else
		folio_mark_dirty_slow(folio);
}

unsigned long mapping_nr_pages(struct mapping *m)
{
	return READ_ONCE(m->folios.count);
}

/*
 * The folio of a fault in a file with a store, locked and up to date. FAULT_WAIT: that takes I/O, or somebody else
 * has the lock.
 */
static enum fault_result lock_stored_folio(struct fault_ctx *f, unsigned long index,
					   struct folio **out)
{
	struct mapping *m = f->vma->mapping;
	struct folio *folio = filemap_get_folio(m, index);

	if (!folio) {
		f->io |= FAULT_IO_MAJOR;
		folio = fault_readahead(f->vma, index);
		if (!folio)
			return FAULT_OOM;
	} else if (unlikely(folio_test(folio, PG_readahead))) {
		fault_readahead_marker(f->vma, folio, index);
	}
	if (!folio_uptodate(folio))
		f->io |= FAULT_IO_MAJOR;
	if (!folio_uptodate(folio) || !folio_trylock(folio)) {
		f->wait = folio;
		return FAULT_WAIT;
	}
	if (f->write && vma_is_shared(f->vma))
		f->io |= FAULT_IO_DIRTIED;
	*out = folio;
	return FAULT_DONE;
}

enum fault_result fault_wait(struct folio *folio)
{
	struct mapping *m;
	int err;

	if (folio_test(folio, PG_swapbacked))
		return swap_wait(folio);
	m = READ_ONCE(folio->mapping);
	err = m ? filemap_wait_read(m, folio) : 0;
	folio_put(folio);
	switch (err) {
	case 0:
	case -EAGAIN:
		return FAULT_RETRY;
	case -EINTR:
		return FAULT_KILLED;
	default:
		return FAULT_BUS;
	}
}

/* Gets the page of a fault locked and still in the file. */
static enum fault_result get_locked_folio(struct fault_ctx *f, unsigned long index,
					  struct folio **out)
{
	struct mapping *m = f->vma->mapping;

	for (;;) {
		struct folio *folio;
		enum fault_result r;

		if (index >= mapping_pages(m))
			return FAULT_BUS;
		if (m->ops) {
			r = lock_stored_folio(f, index, &folio);
			if (r != FAULT_DONE)
				return r;
		} else {
			folio = grab_folio(m, index, f->vma, &f->io);
			if (IS_ERR(folio))
				return PTR_ERR(folio) == -ENOMEM ? FAULT_OOM : FAULT_BUS;
			folio_lock(folio);
		}
		if (likely(folio->mapping == m && index < mapping_pages(m))) {
			if (!folio_test(folio, PG_data))
				folio_set(folio, PG_data);
			*out = folio;
			return FAULT_DONE;
		}
		folio_unlock(folio);
		folio_put(folio);
	}
}

/* A private copy. The page it is taken from stays locked until the copy is mapped: truncate takes both. */
static enum fault_result copy_for_write(struct fault_ctx *f, struct folio *cached,
					unsigned long index)
{
	if (unlikely(!anon_get_unset_folio(f))) {
		folio_unlock(cached);
		folio_put(cached);
		return FAULT_OOM;
	}
	copy_page(folio_address(f->folio), folio_address_at(cached, index));
	stat_inc(FAULT_COW);
	f->old_folio = cached;
	f->locked = cached;
	return FAULT_DONE;
}

enum fault_result filemap_get_fault_folio(struct mm *mm, struct fault_ctx *f)
{
	struct vma *vma = f->vma;
	unsigned long index;
	struct folio *cached;
	enum fault_result r;

	fault_assert_locked(f);
	if (!f->write && knob_fault_around_bytes > PAGE_SIZE) {
		filemap_fault_around(mm, f);
		if (!pte_none(pte_read(f->pte)))
			return FAULT_DONE;
	}
	index = vma_index(vma, f->addr);
	r = get_locked_folio(f, index, &cached);
	if (r != FAULT_DONE)
		return r;
	if (f->write && !vma_is_shared(vma))
		return copy_for_write(f, cached, index);
	stat_inc(FAULT_FILE);
	if (unlikely(folio_is_large(cached)))
		return fault_map_large(mm, f, cached);
	f->folio = cached;
	f->locked = cached;
	f->new = pte_make(folio_pfn_at(cached, index), vma->page_prot);
	if (f->write) {
		f->new |= PTE_W | PTE_D;
		folio_mark_dirty(cached);
	}
	return FAULT_DONE;
}

/* Large folios that have pages in the window: locked, with a reference. */
struct large_around {
	struct folio *folios[FAULT_AROUND_MAX / (1 << THP_MIN_ORDER) + 1];
	unsigned int n;
};

/* Not a marker: the fault on it starts the next read. large: PG_large's bit when it has to be set, or 0. */
static inline bool may_map_around(const struct folio *folio, unsigned long large)
{
	const unsigned long valid = 1UL << PG_uptodate, not = 1UL << PG_readahead | 1UL << PG_large;
	unsigned long flags = __atomic_load_n(&folio->flags, __ATOMIC_ACQUIRE);

	return (flags & (valid | not )) == (valid | large) && !folio_is_hole(folio);
}

/* The mapping's lock held. */
static __noinline void take_if_large(struct large_around *large, struct folio *folio)
{
	if (!may_map_around(folio, 1UL << PG_large) || !folio_trylock(folio))
		return;
	folio_get(folio);
	large->folios[large->n++] = folio;
}

/*
 * The folios that have pages of [first, last], are no holes and not busy: locked, with a reference. How many of one page;
 * the others are in *large.
 */
static unsigned int lock_cached(struct mapping *m, unsigned long first, unsigned long last,
				struct folio **folios, struct large_around *large)
{
	void *found[FAULT_AROUND_MAX];
	unsigned int n = 0, cached;

	large->n = 0;
	spin_lock(&m->lock);
	cached = xa_gather(&m->folios, first, last, found);
	/* A fault maps it as a whole. */
	if (unlikely(cached && !xa_is_value(found[0]) && folio_is_mapped_whole(found[0])))
		cached = 0;
	for (unsigned int i = 0; i < cached; i++) {
		struct folio *folio = found[i];

		if (unlikely(xa_is_value(folio)))
			continue;
		if (unlikely(!may_map_around(folio, 0))) {
			take_if_large(large, folio);
			while (i + 1 < cached && found[i + 1] == folio)
				i++;
		} else if (folio_trylock(folio)) {
			folio_get(folio);
			folios[n++] = folio;
		}
	}
	spin_unlock(&m->lock);
	return n;
}

/* What a large folio has of [first, last], the first of which is base's. How many entries. */
static unsigned int map_large(const struct fault_ctx *f, struct folio *folio, pte_t *base,
			      unsigned long first, unsigned long last)
{
	unsigned long from = max(folio->index, first);
	unsigned long end = min(folio->index + folio_nr_pages(folio), last + 1);
	pte_t *pte = base + (from - first), prot = f->vma->page_prot;
	unsigned long n =
		filemap_map_run(pte, folio_page_at(folio, from), end - from, folio, prot & ~PTE_A);

	if (n && f->pte >= pte && f->pte < pte + (end - from))
		pte_set_bits(f->pte, prot & PTE_A);
	return (unsigned int)n;
}

/* Page-table lock held. */
static __noinline unsigned int map_large_around(const struct fault_ctx *f,
						const struct large_around *large, pte_t *base,
						unsigned long first, unsigned long last)
{
	unsigned int mapped = 0;

	for (unsigned int i = 0; i < large->n; i++)
		mapped += map_large(f, large->folios[i], base, first, last);
	return mapped;
}

/* Those that are left: the others are the entries' now. */
static inline void put_around(struct folio **folios, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (!folios[i])
			continue;
		folio_unlock(folios[i]);
		folio_put(folios[i]);
	}
}

void filemap_fault_around(struct mm *mm, struct fault_ctx *f)
{
	struct vma *vma = f->vma;
	struct folio *folios[FAULT_AROUND_MAX];
	struct large_around large;
	unsigned long window = min(knob_fault_around_bytes, FAULT_AROUND_MAX * PAGE_SIZE);
	unsigned long start =
		max(ALIGN_DOWN(f->addr, window), max(vma->start, ALIGN_DOWN(f->addr, PMD_SIZE)));
	/* As in Linux the window is whole when the mapping starts inside it: it then goes further. */
	unsigned long end =
		min(min(start + window, vma->end), ALIGN_DOWN(start, PMD_SIZE) + PMD_SIZE);
	unsigned long first = vma_index(vma, start), pages = mapping_pages(vma->mapping);
	unsigned long last = min(vma_index(vma, end - PAGE_SIZE), pages - 1);
	unsigned int n, mapped = 0, newly = 0;
	pte_t *pte = f->pte - ((f->addr - start) >> PAGE_SHIFT);
	spinlock_t *ptl = pte_lockptr(f->pte);
	enum rss_kind kind = vma->mapping->flags & MAPPING_SHMEM ? RSS_SHMEM : RSS_FILE;
	bool lost;

	if (pages == 0 || first > last)
		return;
	n = lock_cached(vma->mapping, first, last, folios, &large);
	if (n + large.n == 0)
		return;
	spin_lock(ptl);
	lost = fault_lost_pages(mm);
	for (unsigned int i = lost ? n : 0; i < n; i++) {
		struct folio *folio = folios[i];
		pte_t *slot = pte + (folio->index - first);

		if (!pte_none(*slot))
			continue;
		if (atomic_add_return(&folio->mapcount, 1) == 1)
			newly++;
		mapped++;
		folios[i] = NULL; /* the entry owns the reference now */
		/* The neighbours were not accessed: they stay old. */
		pte_set(slot, pte_make(folio_pfn(folio),
				       slot == f->pte ? vma->page_prot : vma->page_prot & ~PTE_A));
		if (unlikely(pte_mlocked(vma->page_prot)))
			page_mlock(folio, &folio->page);
		folio_unlock(folio);
	}
	if (unlikely(large.n) && !lost)
		mapped += map_large_around(f, &large, pte, first, last);
	pte_used_add(pte, last - first + 1, mapped);
	atomic_add(&mm->rss[kind], mapped);
	spin_unlock(ptl);
	put_around(folios, n);
	put_around(large.folios, large.n);
	stat_add(NR_FILE_MAPPED, newly);
	stat_add(FAULT_AROUND, mapped);
	if (mapped)
		stat_inc(FAULT_FILE);
}
