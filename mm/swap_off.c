/* SPDX-License-Identifier: MIT
 *
 * swapoff: the area gives no slot out any more; then all that is in it comes back.
 */
#include "swap_internal.h"

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

static int bring_back(struct swap_area *area)
{
	while (READ_ONCE(area->used)) {
		if (park_interrupted(PARK_INTERRUPTIBLE))
			return -EINTR;
		free_cached(area);
		if (READ_ONCE(area->used))
			return -ENOMEM;
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
