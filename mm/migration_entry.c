/* SPDX-License-Identifier: MIT
 *
 * Migration entries: what stands in page tables while a folio moves to another frame.
 *
 * The mover has the folio locked, and one of the locks of the reverse map for reading, from the first entry that it
 * takes out to the last that it puts in. So no vma comes, goes, or changes its place meanwhile, and mremap moves no
 * entries. Four things may happen to a migration entry under its page-table lock:
 *
 *   fault      waits until the folio is unlocked
 *   unmapping  takes it out: the mover will not find it
 *   fork       copies it into a vma that is already linked, behind the parent's (equal intervals keep the order in which
 *              they were inserted), so that the mover, who goes through the vmas in that order, comes to the copy last
 *   mover      replaces it
 *
 * It holds no reference and is not in mapcount, but in the rss of its address space. Nor is it in mlock_count: an entry
 * that comes back is locked if its vma says so then, for a walk of mlock or munlock that passed by meanwhile left the
 * entry out, and one that is yet to come puts it right. It is the same with the rights.
 */
#include "fault_ctx.h"
#include "folio.h"
#include "large.h"
#include "mapcount.h"
#include "migrate_internal.h"
#include "mlock_count.h"
#include "unmap.h"
#include "vma.h"

typedef void (*place_visitor)(struct move *m, struct vma *vma, unsigned long addr, pte_t *pte,
			      void *arg);

/* Every place in the vma where an entry of the folio can be. */
static void visit_vma(struct move *m, struct vma *vma, place_visitor visit, void *arg)
{
	unsigned long first = max(m->old->index, vma->pgoff);
	unsigned long end = min(m->old->index + m->nr, vma->pgoff + vma_pages(vma));

	for (unsigned long index = first; index < end; index++) {
		unsigned long addr = vma->start + ((index - vma->pgoff) << PAGE_SHIFT);
		pte_t *pte = pgtable_find(&vma->mm->pgt, addr);

		if (!pte)
			continue;
		spin_lock(pte_lockptr(pte));
		visit(m, vma, addr, pte, arg);
		spin_unlock(pte_lockptr(pte));
	}
}

static void visit_places(struct move *m, place_visitor visit, void *arg)
{
	unsigned long first = m->old->index, last = first + m->nr - 1;
	struct interval_node *node;

	if (m->anon_vma)
		for_each_interval(node, &m->anon_vma->links, first, last)
			visit_vma(m, container_of(node, struct anon_link, node)->vma, visit, arg);
	else if (m->mapping)
		for_each_interval(node, &m->mapping->i_mmap, first, last)
			visit_vma(m, container_of(node, struct vma, i_mmap_node), visit, arg);
}

/* Who allocates memory, which may be what made us move folios, may hold them: they are only tried, but for m->wait. */
static bool hold_places(struct move *m)
{
	if (!folio_test(m->old, PG_anon)) {
		if (m->wait)
			down_read(&m->old->mapping->i_mmap_lock);
		else if (!down_read_trylock(&m->old->mapping->i_mmap_lock))
			return false;
		m->mapping = m->old->mapping;
		return true;
	}
	m->anon_vma = anon_vma_get(m->old);
	if (m->anon_vma && !down_read_trylock(&m->anon_vma->root->lock)) {
		anon_vma_put(m->anon_vma);
		m->anon_vma = NULL;
	}
	return m->anon_vma;
}

static void release_places(struct move *m)
{
	if (m->anon_vma) {
		up_read(&m->anon_vma->root->lock);
		anon_vma_put(m->anon_vma);
	} else if (m->mapping) {
		up_read(&m->mapping->i_mmap_lock);
	}
	m->anon_vma = NULL;
	m->mapping = NULL;
}

/* The number of the frame among those of the old folio, or -1UL: it is another's. */
static unsigned long page_of(const struct move *m, unsigned long pfn)
{
	unsigned long n = pfn - folio_pfn(m->old);

	return n < m->nr ? n : -1UL;
}

static void note_dirty(struct folio *folio)
{
	if (folio_test(folio, PG_anon))
		folio_set(folio, PG_dirty);
	else
		folio_mark_dirty(folio);
}

static void make_one(struct move *m, struct vma *vma, unsigned long addr, pte_t *pte, void *arg)
{
	struct folio *folio = m->old;
	pte_t e = pte_read(pte);

	if (!pte_present(e) || pte_special(e) || page_of(m, pte_pfn(e)) == -1UL)
		return;
	flush_later(arg, vma->mm, addr);
	huge_demote(pte);
	e = pte_get_and_clear(pte);
	pte_set(pte, pte_to_migration(e));
	if (pte_dirty(e))
		note_dirty(folio);
	if (unlikely(pte_mlocked(e)))
		page_munlock(folio, pfn_to_page(pte_pfn(e)));
	if (unlikely(folio_is_large(folio)))
		(void)large_unmap(folio, pfn_to_page(pte_pfn(e)), 1);
	else
		page_remove_rmap(folio, &folio->page);
	folio_put(folio); /* the entry's; the mover has another */
}

bool migration_entries_make(struct move *m, struct unflushed *u)
{
	ASSERT(folio_test(m->old, PG_locked) && !folio_test(m->old, PG_lru));
	m->nr = folio_nr_pages(m->old);
	if (atomic_read(&m->old->mapcount) == 0)
		return true;
	if (!m->held && !hold_places(m))
		return false;
	visit_places(m, make_one, u);
	return true;
}

/* All of the folio has arrived. Its table is one again, unless the vma was cut meanwhile. Page-table lock held. */
static void promote_again(struct vma *vma, unsigned long last, pte_t *pte)
{
	unsigned long start = ALIGN_DOWN(last, PMD_SIZE);

	if (start >= vma->start && start + PMD_SIZE <= vma->end)
		huge_promote_if_whole(vma->mm, start, pte);
}

/* The next fault brings another. Page-table lock held. */
static void drop_one(struct mm *mm, pte_t *pte)
{
	mm_update_hiwater(mm);
	pte_set(pte, 0);
	pte_used_sub(pte, 1);
	atomic_dec(&mm->rss[RSS_SHMEM]);
}

static void remove_one(struct move *m, struct vma *vma, unsigned long addr, pte_t *pte, void *arg)
{
	unsigned long flags = RACY_READ(vma->flags), n;
	pte_t e = pte_read(pte), new;
	struct folio *to = arg;
	struct page *page;

	if (!pte_is_migration(e))
		return;
	n = page_of(m, pte_pfn(e));
	if (n == -1UL)
		return;
	if (unlikely(m->drop) && !(flags & VM_LOCKED)) {
		drop_one(vma->mm, pte);
		return;
	}
	page = to ? folio_page(to, m->first + n) : pfn_to_page(pte_pfn(e));
	to = page_folio(page);
	new = pte_make(page_to_pfn(page), vm_page_prot(flags, vma->mapping) & ~PTE_A);
	new |= pte_migration_bits(e);
	if (pte_migration_write(e) && (flags & VM_WRITE))
		new |= PTE_W;
	if (unlikely(folio_nr_pages(to) > m->nr))
		new |= PTE_A | (new &PTE_W ? PTE_D : 0); /* as all others of it */
	folio_get(to);
	page_add_rmap(to, page);
	if (unlikely(pte_mlocked(new)))
		page_mlock(to, page);
	pte_set(pte, new);
	if (unlikely(to->order == PMD_ORDER) && m->first + n == PTRS_PER_TABLE - 1)
		promote_again(vma, addr, pte);
}

void migration_entries_remove(struct move *m, struct folio *to)
{
	visit_places(m, remove_one, to);
	if (!m->held)
		release_places(m);
}

enum fault_result migration_entry_wait(struct fault_ctx *f)
{
	spinlock_t *ptl = pte_lockptr(f->pte);

	spin_lock(ptl);
	if (pte_read(f->pte) == f->old)
		folio_wait_moved(pfn_folio(pte_pfn(f->old)), ptl);
	else
		spin_unlock(ptl);
	return FAULT_RETRY;
}
