/* SPDX-License-Identifier: MIT
 *
 * Where anonymous pages come from: the zero page, a new zeroed page, a copy, or the page that is
 * already there when nobody else has it.
 *
 * COW rule: the vma says whether the write is allowed, the folio's counts say whether the page is the
 * writer's alone. Alone means one entry and one reference, seen under the page-table lock: a second
 * mapping can only come from fork, which holds mmap_lock for writing, and any other user of the page
 * (a reader through /proc, a copy in flight) holds a reference and forces the copy.
 */
#include "internal.h"

struct page *zero_page_frame;

struct folio *anon_folio_alloc(const struct fault_ctx *f, bool zero)
{
	struct folio *folio = folio_alloc(zero ? GFP_KERNEL | __GFP_ZERO : GFP_KERNEL, 0);

	if (unlikely(!folio))
		return NULL;
	/* Nobody else sees the folio yet: a plain store. */
	RACY_WRITE(folio->flags, (1UL << PG_anon) | (1UL << PG_swapbacked) | (1UL << PG_uptodate));
	folio->index = f->addr >> PAGE_SHIFT;
	return folio;
}

/* The entry for a fresh private page: writable when the vma is, dirty because nothing backs it. */
static pte_t anon_pte(const struct fault_ctx *f)
{
	pte_t e = pte_make(folio_pfn(f->folio), f->vma->page_prot | PTE_D);

	return f->vma->flags & VM_WRITE ? e | PTE_W : e;
}

enum fault_result anon_get_folio(struct fault_ctx *f)
{
	if (!f->write) {
		stat_inc(FAULT_ZERO);
		f->new = pte_make(page_to_pfn(zero_page_frame),
				  (f->vma->page_prot & ~PTE_MLOCKED) | PTE_SPECIAL);
		return FAULT_DONE;
	}
	f->folio = anon_folio_alloc(f, true);
	if (unlikely(!f->folio))
		return FAULT_OOM;
	stat_inc(FAULT_ANON);
	f->new_anon = true;
	f->new = anon_pte(f);
	return FAULT_DONE;
}

enum wp_action { WP_RACED, WP_REUSED, WP_COPY };

/* Decides under the page-table lock; WP_COPY takes a reference to the old folio. */
static enum wp_action wp_decide(struct fault_ctx *f, pte_t bits)
{
	spinlock_t *ptl = pte_lockptr(f->pte);
	enum wp_action action = WP_COPY;
	struct folio *old;

	spin_lock(ptl);
	if (pte_read(f->pte) != f->old) {
		action = WP_RACED;
	} else if (!pte_special(f->old)) {
		old = pfn_folio(pte_pfn(f->old));
		if (folio_test(old, PG_anon) && atomic_read(&old->mapcount) == 1 &&
		    atomic_read(&old->refcount) == 1) {
			pte_set(f->pte, f->old | bits);
			action = WP_REUSED;
		} else {
			folio_get(old);
			f->old_folio = old;
		}
	}
	spin_unlock(ptl);
	return action;
}

static enum fault_result wp_copy(struct fault_ctx *f)
{
	f->folio = anon_folio_alloc(f, !f->old_folio);
	if (unlikely(!f->folio)) {
		if (f->old_folio)
			folio_put(f->old_folio);
		return FAULT_OOM;
	}
	if (f->old_folio)
		copy_page(folio_address(f->folio), phys_to_virt(f->old & PTE_ADDR_MASK));
	stat_inc(FAULT_COW);
	f->new_anon = true;
	f->new = anon_pte(f);
	return FAULT_DONE;
}

/* A shared page becomes writable in place; its folio is dirty from now on. */
static enum fault_result wp_shared(struct fault_ctx *f)
{
	spinlock_t *ptl = pte_lockptr(f->pte);
	enum fault_result r = FAULT_RETRY;

	stat_inc(FAULT_FILE);
	spin_lock(ptl);
	if (pte_read(f->pte) == f->old) {
		pte_set(f->pte, f->old | PTE_W | PTE_D | PTE_A);
		r = FAULT_DONE;
	}
	spin_unlock(ptl);
	tlb_flush_local_page(f->addr);
	return r;
}

enum fault_result anon_write_protected(struct mm *mm, struct fault_ctx *f)
{
	mmap_assert_locked(mm);
	if (vma_is_shared(f->vma))
		return wp_shared(f);
	switch (wp_decide(f, (f->vma->flags & VM_WRITE ? PTE_W : 0) | PTE_D | PTE_A)) {
	case WP_RACED:
		stat_inc(FAULT_LOST_RACE);
		return FAULT_RETRY;
	case WP_REUSED:
		stat_inc(PGREUSE);
		tlb_flush_local_page(f->addr);
		return FAULT_DONE;
	default:
		return wp_copy(f);
	}
}
