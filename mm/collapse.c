/* SPDX-License-Identifier: MIT
 *
 * Collapse: what 512 entries of an anonymous vma map, one by one or not at all, becomes one folio of 2 MiB, mapped as
 * one. Programs ask for it (MADV_COLLAPSE); khugepaged does it unasked. Shared memory: mm/collapse_file.c.
 *
 *   look      which entries there are, and whether that is worth a folio; pages in swap are brought back
 *   allocate  no lock held: memory may have to be reclaimed, or compacted
 *   take out  the entries, and flush: nobody reaches the pages through this table any more
 *   replace   contents are copied, the new entries go in, and what the old ones mapped loses a mapping
 *
 * Migration leaves entries behind on which faults wait, because it does not have mmap_lock. Here it is held for writing,
 * and the vma is locked, so nobody faults; reclaim, migration and splitting, which do not ask for it, find the lock of the reverse map
 * busy. So while both are held the table is the collapser's, and the entries may just be none meanwhile. Who has a
 * reference to a page is seen after the flush: then nothing was done.
 *
 * A page that others map, too, is copied early: they keep the old one.
 *
 * Locking: mmap_lock for reading, then for writing; vma_start_write(); anon_vma_lock(); page-table lock.
 */
#include <mm/swap.h>

#include "collapse.h"
#include "fault_ctx.h"
#include "large.h"
#include "madvise.h"
#include "mapcount.h"
#include "mlock_count.h"
#include "vma.h"

static bool maps_page(pte_t e)
{
	return pte_present(e) && !pte_special(e);
}

static struct page *page_of(pte_t e)
{
	return pfn_to_page(pte_pfn(e));
}

/* ---- look ---- */

struct census {
	unsigned int none, swapped, shared;
};

/* 0, or -EINVAL: an entry cannot be part of a folio. */
static int count_entry(pte_t e, struct census *c)
{
	if (pte_none(e) || (pte_present(e) && pte_special(e)))
		c->none++;
	else if (pte_has_slot(e))
		c->swapped++;
	else if (maps_page(e))
		c->shared += page_mapcount(page_of(e)) > 1;
	else if (!pte_is_migration(e))
		return -EINVAL;
	return 0;
}

/* As mm_collapse(), where 0 is: there is something to do. Page-table lock held. */
static int take_census(const pte_t *table, const struct collapse_limits *limits, struct census *c)
{
	*c = (struct census){ 0 };
	if (pte_is_promoted(table))
		return COLLAPSE_NOTHING_TO_DO;
	for (unsigned int i = 0; i < PTRS_PER_TABLE; i++) {
		int err = count_entry(pte_read(table + i), c);

		if (err)
			return err;
	}
	if (c->none > limits->none || c->swapped > limits->swapped || c->shared > limits->shared)
		return -EINVAL;
	return 0;
}

bool collapse_suits(const struct vma *vma)
{
	return !(vma->flags & (VM_NOHUGEPAGE | VM_DROPPABLE | VM_SPECIAL)) &&
	       ALIGN_UP(vma->start, PMD_SIZE) + PMD_SIZE <= vma->end &&
	       (vma_is_anonymous(vma) ? vma_has_anon(vma) : collapse_suits_file(vma));
}

struct vma *collapse_vma(struct mm *mm, unsigned long addr)
{
	struct vma *vma = vma_find(mm, addr);

	if (!vma || vma->start > addr || vma->end < addr + PMD_SIZE || !collapse_suits(vma))
		return NULL;
	return vma;
}

/* The same for the table of addr, if it has one. mmap_lock held. */
static int look(struct mm *mm, unsigned long addr, const struct collapse_limits *limits,
		struct census *c)
{
	struct vma *vma = collapse_vma(mm, addr);
	pte_t *table = vma && vma_is_anonymous(vma) ? pgtable_find(&mm->pgt, addr) : NULL;
	int result;

	if (!table)
		return -EINVAL;
	huge_prepare(mm, addr);
	spin_lock(pte_lockptr(table));
	if (!pte_is_promoted(table))
		huge_promote_if_whole(mm, addr, table);
	result = take_census(table, limits, c);
	spin_unlock(pte_lockptr(table));
	return result;
}

/* The entry's, if it has one: nothing that comes or goes meanwhile is of any harm. */
static bool is_swapped(struct mm *mm, unsigned long addr)
{
	pte_t *pte;
	bool yes;

	mmap_read_lock(mm);
	pte = pgtable_find(&mm->pgt, addr);
	yes = pte && pte_has_slot(pte_read(pte));
	mmap_read_unlock(mm);
	return yes;
}

/* All pages of the range that are in swap. mmap_lock not held. 0 or -errno. */
static int bring_back(struct mm *mm, unsigned long addr)
{
	mmap_read_lock(mm);
	swap_willneed(mm, addr, addr + PMD_SIZE);
	mmap_read_unlock(mm);
	for (unsigned long end = addr + PMD_SIZE; addr < end; addr += PAGE_SIZE) {
		struct page *page;

		if (!is_swapped(mm, addr))
			continue;
		page = mm_get_page(mm, addr, false, true);
		if (IS_ERR(page))
			return PTR_ERR(page) == -ENOMEM ? -ENOMEM : -EINVAL;
		/* Whoever writes it to swap still has a reference. */
		folio_wait_writeback(page_folio(page));
		mm_put_page(page);
		cond_resched();
	}
	return 0;
}

/* ---- take out ---- */

/* The vma's 512 entries while they are in no table. */
struct taken {
	struct vma *vma;
	unsigned long addr;
	pte_t *table;
	pte_t *entries;	      /* PTRS_PER_TABLE of them */
	unsigned int used;    /* not none */
	unsigned int present; /* counted in rss */
};

static void take_out(struct taken *t)
{
	spin_lock(pte_lockptr(t->table));
	for (unsigned int i = 0; i < PTRS_PER_TABLE; i++) {
		t->entries[i] = pte_get_and_clear(t->table + i);
		t->used += !pte_none(t->entries[i]);
		t->present += maps_page(t->entries[i]);
	}
	pte_used_sub(t->table, t->used);
	atomic_sub(&t->vma->mm->rss[RSS_ANON], (long)t->present);
	spin_unlock(pte_lockptr(t->table));
}

static void put_back(struct taken *t)
{
	spin_lock(pte_lockptr(t->table));
	for (unsigned int i = 0; i < PTRS_PER_TABLE; i++)
		pte_set(t->table + i, t->entries[i]);
	pte_used_add(t->table, PTRS_PER_TABLE, t->used);
	atomic_add(&t->vma->mm->rss[RSS_ANON], (long)t->present);
	spin_unlock(pte_lockptr(t->table));
}

/* Nobody has a reference to any of the pages but entries and the swap cache. */
static bool nobody_looks(const struct taken *t)
{
	for (unsigned int i = 0; i < PTRS_PER_TABLE; i++) {
		struct folio *folio;
		int refs;

		if (!maps_page(t->entries[i]))
			continue;
		folio = page_folio(page_of(t->entries[i]));
		/* First, so that a mapping that goes meanwhile makes it look used, and not the reverse. */
		refs = atomic_read(&folio->refcount);
		if (refs > atomic_read(&folio->mapcount) + folio_test(folio, PG_swapcache))
			return false;
	}
	return true;
}

/* ---- replace ---- */

static void copy_contents(struct folio *folio, const struct taken *t)
{
	for (unsigned int i = 0; i < PTRS_PER_TABLE; i++) {
		void *to = page_address(folio_page(folio, i));

		if (maps_page(t->entries[i]))
			copy_page(to, page_address(page_of(t->entries[i])));
		else
			memset(to, 0, PAGE_SIZE);
	}
}

/* The mappings go; the references stay with the entries that were taken. */
static void install(struct folio *folio, const struct taken *t)
{
	spin_lock(pte_lockptr(t->table));
	for (unsigned int i = 0; i < PTRS_PER_TABLE; i++) {
		pte_t e = t->entries[i];

		if (!maps_page(e))
			continue;
		if (pte_mlocked(e))
			page_munlock(page_folio(page_of(e)), page_of(e));
		page_remove_rmap(page_folio(page_of(e)), page_of(e));
	}
	anon_install_large(t->vma, t->addr, t->table, folio, true);
	spin_unlock(pte_lockptr(t->table));
}

static void drop_old_pages(const struct taken *t)
{
	for (unsigned int i = 0; i < PTRS_PER_TABLE; i++) {
		struct folio *folio;

		if (!maps_page(t->entries[i]))
			continue;
		folio = page_folio(page_of(t->entries[i]));
		if (pte_mlocked(t->entries[i]) && mlock_by_rmap() && !folio_is_large(folio))
			folios_munlocked(&folio, 1);
		if (folio_test(folio, PG_swapcache))
			swap_free_if_unused(folio);
		folio_put(folio);
	}
}

/* mmap_lock held for writing, and what look() saw may be different. Takes over the folio when it returns 0. */
static int replace(struct mm *mm, unsigned long addr, const struct collapse_limits *limits,
		   struct folio *folio, pte_t *entries)
{
	struct taken t = { .vma = collapse_vma(mm, addr), .addr = addr, .entries = entries };
	struct census c;
	int result;

	result = t.vma ? look(mm, addr, limits, &c) : -EINVAL;
	if (result)
		return result;
	if (anon_vma_prepare(t.vma) || pgtable_prepare_promotion(&mm->pgt, addr))
		return -ENOMEM;
	vma_start_write(t.vma);
	t.table = pgtable_find(&mm->pgt, addr);
	folio_set_anon(folio, t.vma, addr, false);
	anon_vma_lock(t.vma);
	/* Nothing changes from here on; but faults, reclaim and migration may have come first. */
	spin_lock(pte_lockptr(t.table));
	result = take_census(t.table, limits, &c);
	spin_unlock(pte_lockptr(t.table));
	if (!result && c.swapped)
		result = -EAGAIN;
	if (!result) {
		take_out(&t);
		tlb_flush_range(&mm->tlb, addr, addr + PMD_SIZE, false);
		result = nobody_looks(&t) ? 0 : -EAGAIN;
		if (result) {
			put_back(&t);
		} else {
			copy_contents(folio, &t);
			install(folio, &t);
		}
	}
	anon_vma_unlock(t.vma);
	if (!result)
		drop_old_pages(&t);
	return result;
}

/* With room for the old entries, and a folio. */
static int allocate_and_replace(struct mm *mm, unsigned long addr,
				const struct collapse_limits *limits)
{
	struct page *room = alloc_pages(GFP_KERNEL | __GFP_NORETRY, 0);
	struct folio *folio = room ? anon_large_alloc(limits->gfp, PMD_ORDER) : NULL;
	int result = -ENOMEM;

	stat_inc(folio ? THP_COLLAPSE_ALLOC : THP_COLLAPSE_ALLOC_FAILED);
	if (folio) {
		mlock_batch_drain();
		result = mmap_write_lock_killable(mm);
	}
	if (folio && !result) {
		result = replace(mm, addr, limits, folio, page_address(room));
		validate_mm(mm, addr, addr + PMD_SIZE);
		mmap_write_unlock(mm);
	}
	if (folio && result)
		folio_put(folio);
	if (room)
		free_pages(room, 0);
	return result;
}

int mm_collapse(struct mm *mm, unsigned long addr, const struct collapse_limits *limits)
{
	struct census c;
	struct vma *vma;
	int result;

	ASSERT(IS_ALIGNED(addr, PMD_SIZE));
	mmap_read_lock(mm);
	vma = collapse_vma(mm, addr);
	if (vma && !vma_is_anonymous(vma))
		return collapse_file(mm, vma, addr, limits);
	result = look(mm, addr, limits, &c);
	mmap_read_unlock(mm);
	if (!result && c.swapped)
		result = bring_back(mm, addr);
	return result ?: allocate_and_replace(mm, addr, limits);
}

/* ---- MADV_COLLAPSE ---- */

/* [start, end) of one vma. All of its whole 2 MiB are tried, unless there is no memory. */
static int collapse_part(struct mm *mm, unsigned long start, unsigned long end)
{
	const struct collapse_limits any = { ~0u, ~0u, ~0u, GFP_KERNEL | __GFP_NORETRY, false };
	int failed = 0;

	start = ALIGN_UP(start, PMD_SIZE);
	end = ALIGN_DOWN(end, PMD_SIZE);
	if (start > end)
		return -EINVAL;
	for (; start < end; start += PMD_SIZE) {
		int result = mm_collapse(mm, start, &any);

		if (result == -ENOMEM || result == -EINTR)
			return result;
		if (result < 0)
			failed = result;
		cond_resched();
	}
	return failed;
}

int collapse_advice(struct mm *mm, unsigned long start, unsigned long end)
{
	int unmapped = 0;

	while (start < end) {
		unsigned long stop = end;
		struct vma *vma;
		int err = -EINVAL;
		bool suits;

		mmap_read_lock(mm);
		vma = vma_find(mm, start);
		if (vma && vma->start < end) {
			unmapped = vma->start > start ? -ENOMEM : unmapped;
			start = max(start, vma->start);
			stop = min(vma->end, end);
			suits = collapse_suits(vma);
			err = 0;
		}
		mmap_read_unlock(mm);
		if (err)
			return -ENOMEM;
		err = suits ? collapse_part(mm, start, stop) : -EINVAL;
		if (err)
			return err;
		start = stop;
	}
	return unmapped;
}
