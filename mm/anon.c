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
#include "fault_ctx.h"
#include "huge_zero.h"
#include "large.h"
#include "lru.h"
#include "mapcount.h"
#include "populate.h"
#include "vma.h"

struct page *zero_page_frame;

/* For addr in vma, which has its anon_vma. */
static inline void make_anon(struct folio *folio, const struct vma *vma, unsigned long addr)
{
	/* Nobody else sees the folio yet: a plain store. */
	RACY_WRITE(folio->flags, (1UL << PG_anon) | (1UL << PG_swapbacked) | (1UL << PG_uptodate));
	folio_set_anon(folio, vma, addr, false);
}

/*
 * f->folio is fresh, with contents that are not set unless zero; f->new maps it writable when the vma is, and dirty because
 * nothing backs it. False: no memory.
 */
static __always_inline bool get_new_folio(struct fault_ctx *f, bool zero)
{
	const struct vma *vma;
	struct folio *folio;

	if (unlikely(fault_anon_vma(f)))
		return false;
	folio = folio_alloc(zero ? GFP_KERNEL | __GFP_ZERO : GFP_KERNEL, 0);
	if (unlikely(!folio))
		return false;
	vma = f->vma;
	make_anon(folio, vma, f->addr);
	f->folio = folio;
	f->new_anon = true;
	f->new = pte_make(folio_pfn(folio),
			  vma->page_prot | PTE_D | (vma->flags & VM_WRITE ? PTE_W : 0));
	return true;
}

bool anon_get_unset_folio(struct fault_ctx *f)
{
	return get_new_folio(f, false);
}

/* Where the huge zero page is not wanted a read brings what a write would, as in Linux. */
static bool huge_read(struct fault_ctx *f)
{
	return knob_thp_zero_page ? huge_zero_fault(f) : anon_fault_large(f, 1UL << PMD_ORDER);
}

/* A read: the zero page, or the huge one. */
static __noinline enum fault_result get_zero_page(struct fault_ctx *f)
{
	stat_inc(FAULT_ZERO);
	if (unlikely(thp_fault_orders(f->vma) & 1UL << PMD_ORDER) && huge_read(f))
		return FAULT_DONE;
	f->new = pte_make(page_to_pfn(zero_page_frame),
			  (f->vma->page_prot & ~PTE_MLOCKED) | PTE_SPECIAL);
	return FAULT_DONE;
}

enum fault_result anon_get_folio(struct fault_ctx *f)
{
	unsigned long orders;

	if (!f->write)
		return get_zero_page(f);
	orders = thp_fault_orders(f->vma);
	if (unlikely(orders) && anon_fault_large(f, orders))
		return FAULT_DONE;
	if (unlikely(!get_new_folio(f, true)))
		return FAULT_OOM;
	stat_inc(FAULT_ANON);
	return FAULT_DONE;
}

/* Installs folios in the entries from pte as long as those are none. Page-table lock held. */
static unsigned int install_run(struct mm *mm, struct vma *vma, pte_t *pte, struct folio **folios,
				unsigned int n)
{
	pte_t prot = vma->page_prot | PTE_D | PTE_W;
	unsigned int done = 0;

	for (; done < n && pte_none(pte_read(pte + done)); done++) {
		struct folio *folio = folios[done];

		atomic_set(&folio->mapcount, 1);
		atomic_set(&folio->mlock_count, pte_mlocked(prot));
		pte_set(pte + done, pte_make(folio_pfn(folio), prot));
	}
	if (unlikely(!done))
		return 0;
	pte_used_add(pte, done, done);
	atomic_add(&mm->rss[RSS_ANON], done);
	lru_add_new_run(folios, done);
	return done;
}

unsigned int anon_populate(struct mm *mm, struct vma *vma, unsigned long addr, pte_t *pte,
			   unsigned int n)
{
	struct folio *folios[ANON_POPULATE_MAX];
	spinlock_t *ptl = pte_lockptr(pte);
	unsigned int got, done;

	mmap_assert_locked(mm);
	if (unlikely(anon_vma_prepare(vma)))
		return 0;
	for (got = 0; got < n; got++) {
		folios[got] = folio_alloc(GFP_KERNEL | __GFP_ZERO, 0);
		if (unlikely(!folios[got]))
			break;
		make_anon(folios[got], vma, addr + got * PAGE_SIZE);
	}
	spin_lock(ptl);
	done = fault_lost_pages(mm) ? 0 : install_run(mm, vma, pte, folios, got);
	spin_unlock(ptl);
	for (unsigned int i = done; i < got; i++)
		folio_put(folios[i]);
	stat_add(NR_ANON_PAGES, done);
	stat_add(FAULT_ANON, done);
	return done;
}

static bool small_is_alone(struct folio *old)
{
	return folio_test(old, PG_anon) && atomic_read(&old->mapcount) == 1 &&
	       (atomic_read(&old->refcount) == 1 || swap_make_alone(old));
}

/*
 * Of a large folio, that this page has one entry, and that nobody has the folio but by entries. Others drop entries of
 * its other pages meanwhile, so the two numbers do not prove that nobody is just moving it, whose migration entries are
 * in no count; the folio lock, which he has, does.
 */
static bool large_is_alone(struct folio *old, struct page *page)
{
	bool alone;

	if (!folio_test(old, PG_anon) || page_mapcount(page) != 1 || !folio_trylock(old))
		return false;
	alone = page_mapcount(page) == 1 &&
		atomic_read(&old->refcount) == atomic_read(&old->mapcount);
	folio_unlock(old);
	return alone;
}

/* True: the entry may become writable. When all pages are the writer's alone, all of a promoted table does, and stays promoted. */
static __noinline bool large_reuse(struct fault_ctx *f, struct folio *old, pte_t bits)
{
	int maps = atomic_read(&old->mapcount);
	pte_t *table = page_address(pte_table(f->pte));

	if (!large_is_alone(old, pfn_to_page(pte_pfn(f->old))))
		return false;
	if (maps != (int)PTRS_PER_TABLE) {
		huge_demote(f->pte);
	} else if (huge_suspend(f->pte)) {
		for (unsigned int i = 0; i < PTRS_PER_TABLE; i++)
			pte_set_bits(table + i, bits);
		huge_resume(f->vma->mm, ALIGN_DOWN(f->addr, PMD_SIZE), f->pte, old);
		f->old = pte_read(f->pte);
	}
	return true;
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
		old = page_folio(pte_page(f->old));
		if (folio_is_large(old) ? large_reuse(f, old, bits) : small_is_alone(old)) {
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
	if (!f->old_folio && huge_zero_is_mapped(f->pte) &&
	    anon_fault_large(f, thp_fault_orders(f->vma) & 1UL << PMD_ORDER))
		return FAULT_DONE;
	if (unlikely(!get_new_folio(f, !f->old_folio))) {
		if (f->old_folio)
			folio_put(f->old_folio);
		return FAULT_OOM;
	}
	if (f->old_folio)
		copy_page(folio_address(f->folio), phys_to_virt(f->old & PTE_ADDR_MASK));
	stat_inc(FAULT_COW);
	return FAULT_DONE;
}

/* A shared page becomes writable in place; its folio is dirty from now on. */
static __noinline enum fault_result wp_shared(struct fault_ctx *f)
{
	spinlock_t *ptl = pte_lockptr(f->pte);
	enum fault_result r = FAULT_RETRY;

	stat_inc(FAULT_FILE);
	spin_lock(ptl);
	if (pte_read(f->pte) == f->old) {
		huge_demote(f->pte);
		pte_set(f->pte, f->old | PTE_W | PTE_D | PTE_A);
		r = FAULT_DONE;
	}
	spin_unlock(ptl);
	tlb_flush_local_page(f->addr);
	return r;
}

/* The folio behind the entry, with a reference, if the entry is still what phase 2 saw. */
static struct folio *get_mapped_folio(struct fault_ctx *f)
{
	spinlock_t *ptl = pte_lockptr(f->pte);
	struct folio *folio = NULL;

	spin_lock(ptl);
	if (pte_read(f->pte) == f->old) {
		folio = pfn_folio(pte_pfn(f->old));
		folio_get(folio);
	}
	spin_unlock(ptl);
	return folio;
}

/* The file has a backing store: dirty first, under the folio lock that writeback holds to make it clean. */
static __noinline enum fault_result wp_stored(struct fault_ctx *f)
{
	struct folio *folio = get_mapped_folio(f);
	enum fault_result r = FAULT_RETRY;

	if (!folio)
		return FAULT_RETRY;
	if (!folio_trylock(folio)) {
		f->wait = folio;
		return FAULT_WAIT;
	}
	if (folio->mapping == f->vma->mapping) {
		folio_mark_dirty(folio);
		f->io |= FAULT_IO_DIRTIED;
		r = wp_shared(f);
	}
	folio_unlock(folio);
	folio_put(folio);
	return r;
}

enum fault_result anon_write_protected(struct fault_ctx *f)
{
	fault_assert_locked(f);
	if (vma_is_shared(f->vma))
		return likely(!(f->vma->mapping->flags & MAPPING_WRITEBACK)) ? wp_shared(f)
									     : wp_stored(f);
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
