/* SPDX-License-Identifier: MIT
 *
 * From a folio to the page-table entries that map it.
 *
 * A folio knows its file or its anon_vma and its page offset there, these know the vmas in which that offset is, and a vma
 * and an offset are an address: that is where an entry may be. Whether there is one, and whether it maps this folio, is
 * seen under the page-table lock; an entry elsewhere does not exist (mm_validate() checks that).
 *
 * The locks of the file or the anon_vma keep the vmas, their boundaries, their page tables and their struct mm in place
 * although no mmap_lock is held: a vma is unlinked after its pages are gone and before its tables are. Nothing can be
 * missed either: fork links a child's vma before it copies entries, and mremap moves entries under the locks. What
 * a fault or a fork adds while a walk is under way may stay; the folio's mapcount tells.
 *
 * Locking: folio lock, then i_mmap_lock or the anon_vma's, only tried by reclaim, which may come from an allocation of
 * whoever holds them; then a page-table lock at a time.
 */
#include <mm/rmap.h>
#include <mm/swap.h>

#include "large.h"
#include "mapcount.h"
#include "unmap.h"

struct rmap_walk {
	struct folio *folio;
	/* An entry that maps the folio; its lock is held. False: enough seen. */
	bool (*visit)(struct rmap_walk *w, struct vma *vma, unsigned long addr, pte_t *pte);
	bool wait;		     /* for i_mmap_lock, which is only tried otherwise */
	int referenced;		     /* folio_referenced(): vmas */
	const struct vma *counted;   /* the latest of them */
	struct unflushed *unflushed; /* try_to_unmap(), folio_mkclean() */
	int cleaned;		     /* folio_mkclean(): entries */
	int left;		     /* entries not seen yet, as far as known */
	unsigned long vm_flags;	     /* of the vmas seen */
};

static bool maps_folio(pte_t e, const struct folio *folio)
{
	return pte_present(e) && !pte_special(e) && folio_contains_pfn(folio, pte_pfn(e));
}

/* The entries for pages of the folio from addr on, before end, in one table. *addr: where to go on. */
static bool visit_table(struct rmap_walk *w, struct vma *vma, unsigned long *addr,
			unsigned long end)
{
	unsigned long stop = min(end, ALIGN_DOWN(*addr, PMD_SIZE) + PMD_SIZE), va = *addr;
	pte_t *pte = pgtable_find(&vma->mm->pgt, va);
	spinlock_t *ptl;
	bool more = true;

	*addr = stop;
	if (!pte)
		return true;
	ptl = pte_lockptr(pte);
	spin_lock(ptl);
	for (; va < stop && more; va += PAGE_SIZE, pte++)
		if (maps_folio(pte_read(pte), w->folio))
			more = w->visit(w, vma, va, pte);
	spin_unlock(ptl);
	return more;
}

/* The vma contains some of the folio's page offsets. */
static bool visit_vma(struct rmap_walk *w, struct vma *vma)
{
	unsigned long first = max(w->folio->index, vma->pgoff);
	unsigned long after =
		min(w->folio->index + folio_nr_pages(w->folio), vma->pgoff + vma_pages(vma));
	unsigned long addr = vma->start + ((first - vma->pgoff) << PAGE_SHIFT);
	unsigned long end = vma->start + ((after - vma->pgoff) << PAGE_SHIFT);

	while (addr < end)
		if (!visit_table(w, vma, &addr, end))
			return false;
	return true;
}

/* False: the lock is busy. */
static bool walk_file(struct rmap_walk *w)
{
	struct mapping *m = w->folio->mapping;
	unsigned long index = w->folio->index, last = index + folio_nr_pages(w->folio) - 1;
	struct interval_node *node;

	if (!m) /* truncated */
		return true;
	if (w->wait)
		down_read(&m->i_mmap_lock);
	else if (!down_read_trylock(&m->i_mmap_lock))
		return false;
	for_each_interval(node, &m->i_mmap, index, last)
		if (!visit_vma(w, container_of(node, struct vma, i_mmap_node)))
			break;
	up_read(&m->i_mmap_lock);
	return true;
}

static bool walk_anon(struct rmap_walk *w)
{
	struct anon_vma *anon_vma = anon_vma_get(w->folio);
	unsigned long index = w->folio->index, last = index + folio_nr_pages(w->folio) - 1;
	struct interval_node *node;
	bool locked;

	if (!anon_vma)
		return true;
	locked = down_read_trylock(&anon_vma->root->lock);
	if (locked) {
		for_each_interval(node, &anon_vma->links, index, last)
			if (!visit_vma(w, container_of(node, struct anon_link, node)->vma))
				break;
		up_read(&anon_vma->root->lock);
	}
	anon_vma_put(anon_vma);
	return locked;
}

static bool rmap_walk(struct rmap_walk *w)
{
	ASSERT(folio_test(w->folio, PG_locked));
	return folio_test(w->folio, PG_anon) ? walk_anon(w) : walk_file(w);
}

/* ---- who had it accessed ---- */

/* The TLBs are not told: one that knows the page goes on not marking it, until something else makes it forget. */
static bool visit_referenced(struct rmap_walk *w, struct vma *vma,
			     unsigned long addr __maybe_unused, pte_t *pte)
{
	bool young;

	if (unlikely(pte_is_promoted(pte))) {
		young = pgtable_huge_clear_young(pte);
	} else {
		young = pte_young(pte_read(pte));
		if (young)
			pte_clear_bits(pte, PTE_A);
	}
	if (young && w->counted != vma) {
		w->counted = vma;
		w->referenced++;
	}
	w->vm_flags |= RACY_READ(vma->flags);
	return --w->left > 0;
}

int folio_referenced(struct folio *folio, unsigned long *vm_flags)
{
	struct rmap_walk w = { .folio = folio,
			       .visit = visit_referenced,
			       .left = atomic_read(&folio->mapcount) };
	bool walked = w.left <= 0 || rmap_walk(&w);

	*vm_flags = w.vm_flags;
	return walked ? w.referenced : -1;
}

/* ---- who keeps it in memory ---- */

static bool visit_locked(struct rmap_walk *w, struct vma *vma, unsigned long addr __maybe_unused,
			 pte_t *pte __maybe_unused)
{
	w->vm_flags |= RACY_READ(vma->flags);
	return !(w->vm_flags & VM_LOCKED);
}

bool folio_mapped_locked(struct folio *folio)
{
	struct rmap_walk w = { .folio = folio, .visit = visit_locked };

	if (atomic_read(&folio->mapcount) <= 0 || !folio_trylock(folio))
		return false;
	(void)rmap_walk(&w);
	folio_unlock(folio);
	return w.vm_flags & VM_LOCKED;
}

/* ---- nobody maps it any more ---- */

/* MADV_FREE, and not written to since: nobody needs its contents. */
static bool is_lazyfree(const struct folio *folio)
{
	return folio_test(folio, PG_anon) && !folio_test(folio, PG_swapbacked);
}

/* The entry, which mapped page, is none now: what takes its place, and the counts. Page-table lock held. */
static void entry_gone(struct folio *folio, struct page *page, struct mm *mm, pte_t *pte)
{
	enum rss_kind kind = folio_rss_kind(folio);

	mm_update_hiwater(mm);
	if (folio_test(folio, PG_swapcache) && kind == RSS_ANON) {
		swap_slot_dup(folio->swap);
		atomic_inc(&mm->rss[RSS_SWAP]);
		pte_set(pte, swp_to_pte(folio->swap));
	} else {
		pte_used_sub(pte, 1);
	}
	atomic_dec(&mm->rss[kind]);
	page_remove_rmap(folio, page);
	folio_put(
		folio); /* the entry's; the caller keeps another until the TLBs have forgotten the page */
}

static void flush_one(const struct unflushed_range *range)
{
	struct mm *mm = range->mm;

	tlb_flush_range(&mm->tlb, range->start, range->end, false);
	(void)atomic_sub_return(&mm->unflushed, 1); /* the last use of mm */
}

void unflushed_flush(struct unflushed *u)
{
	for (unsigned int i = 0; i < u->nr; i++)
		flush_one(&u->range[i]);
	u->nr = 0;
}

/* A page of a large family is in many address spaces, and few of them are loaded: only those must be waited for. */
static void flush_unloaded(struct unflushed *u)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < u->nr; i++)
		if (tlb_is_loaded(&u->range[i].mm->tlb))
			u->range[kept++] = u->range[i];
		else
			flush_one(&u->range[i]);
	u->nr = kept;
}

void flush_later(struct unflushed *u, struct mm *mm, unsigned long addr)
{
	unsigned int i = 0;

	while (i < u->nr && u->range[i].mm != mm)
		i++;
	if (i == UNFLUSHED_MAX) {
		flush_unloaded(u);
		if (u->nr == UNFLUSHED_MAX)
			unflushed_flush(u);
		i = u->nr;
	}
	if (i == u->nr) {
		atomic_inc(&mm->unflushed);
		u->range[i].mm = mm;
		u->range[i].start = addr;
		u->range[i].end = addr + PAGE_SIZE;
		u->nr++;
		return;
	}
	u->range[i].start = min(u->range[i].start, addr);
	u->range[i].end = max(u->range[i].end, addr + PAGE_SIZE);
}

/*
 * The flush can wait, because whoever faults on the entry waits for the folio lock. Not so for a page of MADV_FREE,
 * whose place a new one may take at once.
 */
static bool visit_unmap(struct rmap_walk *w, struct vma *vma, unsigned long addr, pte_t *pte)
{
	struct folio *folio = w->folio;
	struct mm *mm = vma->mm;
	pte_t e = pte_read(pte);

	if (unlikely(pte_mlocked(e)))
		return false;
	if (likely(!is_lazyfree(folio)))
		flush_later(w->unflushed, mm, addr);
	huge_demote(pte);
	e = pte_get_and_clear(pte);
	if (unlikely(is_lazyfree(folio)))
		tlb_flush_page(&mm->tlb, addr);
	if (unlikely(is_lazyfree(folio)) && !(RACY_READ(vma->flags) & VM_DROPPABLE) &&
	    (pte_dirty(e) || folio_test(folio, PG_dirty))) {
		pte_set(pte, e);
		folio_set(folio, PG_swapbacked);
		return false;
	}
	if (pte_dirty(e)) {
		if (folio_test(folio, PG_anon))
			folio_set(folio, PG_dirty);
		else
			folio_mark_dirty(folio);
	}
	entry_gone(folio, pfn_to_page(pte_pfn(e)), mm, pte);
	return atomic_read(&folio->mapcount) > 0;
}

bool try_to_unmap(struct folio *folio, struct unflushed *u)
{
	struct rmap_walk w = { .folio = folio, .visit = visit_unmap, .unflushed = u };

	ASSERT(!folio_test(folio, PG_anon) || folio_test(folio, PG_swapcache) ||
	       is_lazyfree(folio));
	ASSERT(!folio_is_large(folio) || !folio_test(folio, PG_swapcache));
	return rmap_walk(&w) && atomic_read(&folio->mapcount) == 0;
}

/* ---- nobody writes to it without a fault ---- */

/* An entry without the right may still be in some TLB, dirty: both bits go, and with either one the TLB's copy. */
static bool visit_clean(struct rmap_walk *w, struct vma *vma, unsigned long addr, pte_t *pte)
{
	pte_t e = pte_read(pte);

	if (!(e & (PTE_W | PTE_D)))
		return true;
	flush_later(w->unflushed, vma->mm, addr);
	huge_demote(pte);
	while (!pte_cmpxchg(pte, &e, e & ~(PTE_W | PTE_D)))
		;
	if (pte_dirty(e))
		folio_mark_dirty(w->folio);
	w->cleaned++;
	return true;
}

/*
 * The lock of a page table is taken even when its entries are empty: who emptied them flushes the TLB before he lets go.
 * Those of private mappings are never writable.
 */
int folio_mkclean(struct folio *folio, struct unflushed *u)
{
	struct rmap_walk w = { .folio = folio, .visit = visit_clean, .wait = true, .unflushed = u };

	(void)rmap_walk(&w);
	return w.cleaned;
}
