/* SPDX-License-Identifier: MIT
 *
 * swapoff: the area gives no slot out any more; then all that is in it comes back: the pages of tmpfs, then those
 * of every address space, by the fault handler's own means, then the slots that mapped pages still have. Memory that
 * does not suffice, a slot that cannot be read, or a signal ends it; then the area is used again as before.
 *
 * Linux does not stop at a slot that cannot be read: it leaves an entry that kills who touches it. Here the
 * area stays on, so that the page can be tried again.
 */
#include "fault_ctx.h"
#include "populate.h"
#include "shmem.h"
#include "swap_internal.h"
#include "vma.h"

/* The folio that has the slot in the cache, with a reference, or NULL. *next: where to go on. */
static struct folio *next_cached(struct swap_area *area, unsigned long *next)
{
	struct folio *folio = NULL;

	spin_lock(&area->lock);
	for (unsigned int looked = 0; *next < area->nr_slots && looked < CHUNK_SLOTS; looked++) {
		u32 pfn = area->chunks[*next / CHUNK_SLOTS].slots[*next % CHUNK_SLOTS].pfn;

		++*next;
		if (!pfn)
			continue;
		folio = pfn_folio(pfn);
		folio_get(folio);
		break;
	}
	spin_unlock(&area->lock);
	return folio;
}

/* Folios that are back in all their page tables still have their slots. */
static void free_cached(struct swap_area *area)
{
	for (unsigned long next = 0; next < area->nr_slots;) {
		struct folio *folio = next_cached(area, &next);

		if (folio) {
			folio_lock(folio);
			folio_wait_writeback(folio);
			if (folio_test(folio, PG_swapcache))
				(void)swap_cache_try_free(folio);
			swap_folio_unlock(folio);
			folio_put(folio);
		}
		cond_resched();
	}
}

/* The page of a swap entry at f->addr is to be mapped again. mmap_lock held; FAULT_WAIT as fault_once(). */
static enum fault_result map_again(struct mm *mm, struct fault_ctx *f, const struct swap_area *area)
{
	enum fault_result r = FAULT_DONE;

	do {
		pte_t e = pte_read(f->pte);

		if (!pte_has_slot(e) || &swap_areas[swp_area(pte_to_swp(e))] != area)
			return FAULT_DONE;
		r = fault_swap_entry(mm, f, e);
	} while (r == FAULT_RETRY);
	return r;
}

/*
 * The entries of one table of the vma from *addr on; *addr is what was reached, the place of f->wait with
 * FAULT_WAIT.
 */
static enum fault_result map_table_again(struct mm *mm, struct vma *vma, unsigned long *addr,
					 struct fault_ctx *f, const struct swap_area *area)
{
	unsigned long va = max(*addr, vma->start), stop = vma->end;
	pte_t *pte = pgtable_next(&mm->pgt, &va, vma->end, &stop);
	enum fault_result r = FAULT_DONE;

	*f = (struct fault_ctx){ .vma = vma, .io = f->io };
	for (; pte && va < stop && r == FAULT_DONE; va += PAGE_SIZE, pte++) {
		f->addr = va;
		f->pte = pte;
		r = map_again(mm, f, area);
		if (r == FAULT_DONE)
			f->io = 0;
	}
	*addr = r == FAULT_DONE ? (pte ? stop : vma->end) : f->addr;
	return r;
}

/* Every page of the address space that is in the area. */
static int bring_back_mm(struct mm *mm, const struct swap_area *area)
{
	struct fault_ctx f = { .io = 0 };
	unsigned long addr = 0;
	int err = 0;

	mmap_read_lock(mm);
	while (!err && atomic_read(&mm->rss[RSS_SWAP])) {
		struct vma *vma = vma_find(mm, addr);
		enum fault_result r;

		if (!vma)
			break;
		r = map_table_again(mm, vma, &addr, &f, area);
		if (r == FAULT_WAIT) {
			mmap_read_unlock(mm);
			r = fault_wait(f.wait);
			mmap_read_lock(mm);
		} else {
			mmap_read_yield(mm);
		}
		if (r != FAULT_DONE && r != FAULT_RETRY)
			err = fault_errno(r, -EIO);
		else if (park_interrupted(PARK_INTERRUPTIBLE))
			err = -EINTR;
	}
	mmap_read_unlock(mm);
	return err;
}

static int bring_back_mms(const struct swap_area *area)
{
	struct mm *mm = NULL;
	int err = 0;

	while ((mm = mm_next(mm))) {
		err = bring_back_mm(mm, area);
		if (err) {
			mm_put(mm);
			break;
		}
	}
	return err;
}

/* More than one round when fork copies entries meanwhile, or an address space is about to end. */
static int bring_back(struct swap_area *area)
{
	while (READ_ONCE(area->used)) {
		int err = shmem_bring_back((unsigned long)(area - swap_areas));

		if (!err)
			err = bring_back_mms(area);
		if (!err && park_interrupted(PARK_INTERRUPTIBLE))
			err = -EINTR;
		if (err)
			return err;
		free_cached(area);
		cond_resched();
	}
	return 0;
}

static struct swap_area *find_area(const struct block_device *dev)
{
	for (unsigned int i = 0; i < SWAP_MAX_AREAS; i++)
		if (swap_areas[i].chunks && swap_areas[i].dev == dev)
			return &swap_areas[i];
	return NULL;
}

static void area_end(struct swap_area *area)
{
	struct swap_chunk *chunks = area->chunks;
	struct file *file = area->file;

	/* Stale entries may still be looked up: they find nothing from here on. */
	spin_lock(&area->lock);
	area->chunks = NULL;
	area->file = NULL;
	spin_unlock(&area->lock);
	swap_area_close_gap(area);
	swap_chunks_free(chunks, area->nr_slots);
	file_put(file);
}

static int area_off(struct swap_area *area)
{
	int err;

	if (!area)
		return -EINVAL;
	if (vm_commit_charge(area->pages))
		return -ENOMEM;
	vm_commit_uncharge(area->pages);
	swap_area_delist(area);
	err = bring_back(area);
	if (err)
		swap_area_enlist(area, area->prio);
	else
		area_end(area);
	return err;
}

int swap_area_off(const struct block_device *dev)
{
	int err = mutex_lock_interruptible(&swapon_mutex);

	if (err)
		return err;
	err = area_off(find_area(dev));
	mutex_unlock(&swapon_mutex);
	return err;
}
