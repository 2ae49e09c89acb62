/* SPDX-License-Identifier: MIT
 *
 * The swap cache: folios that have a slot.
 *
 * On the way out a folio joins it before its first entry becomes a swap entry, and stays until it is written and
 * freed; on the way in from before it is read until its last entry is back, or longer. So whoever meets a swap entry
 * finds one and the same folio, and finds it without I/O while it is in memory.
 *
 * The cache is the pfn in the slot: no tree, nothing to allocate. The cache has one reference. A folio joins and
 * leaves with its folio lock held, under the area's lock.
 *
 * A folio may be in the cache while it is mapped and no entry names its slot: as long as it is clean it can be evicted
 * again without a write. It has no business there once nobody has an entry of either kind. The last one may go while
 * the folio is locked or being written; then it is not the one who drops the entry that takes the folio out, but
 * whoever unlocks it, or the end of the write (swap_free_if_unused).
 */
#include "swap_internal.h"

/* The slot of a folio in the cache with its area's lock held, or NULL. Folio locked, or the answer may be old. */
static struct swap_slot *lock_folio_slot(const struct folio *folio, struct swap_area **area)
{
	struct swap_slot *slot = swap_slot_lock(READ_ONCE(folio->swap), area);

	if (slot && slot->pfn == folio_pfn(folio))
		return slot;
	if (slot)
		spin_unlock(&(*area)->lock);
	return NULL;
}

static void joined(struct folio *folio, swp_entry_t swp)
{
	WRITE_ONCE(folio->swap, swp);
	folio_set(folio, PG_swapcache);
	folio_get(folio);
	stat_inc(NR_SWAPCACHED);
	stat_inc(NR_FILE_PAGES);
}

/* The cache's reference is the caller's now. Area lock held. */
static void leave(struct folio *folio, struct swap_slot *slot, struct swap_area *area)
{
	swp_entry_t swp = folio->swap;

	slot->pfn = 0;
	WRITE_ONCE(folio->swap, 0);
	folio_clear(folio, PG_swapcache);
	if (!slot->count)
		swap_slot_free(area, swp);
	stat_add(NR_SWAPCACHED, -1);
	stat_add(NR_FILE_PAGES, -1);
}

bool swap_cache_add(struct folio *folio)
{
	swp_entry_t swp;

	ASSERT(folio_test(folio, PG_locked) && !folio_test(folio, PG_swapcache));
	ASSERT(folio->order == 0 && folio_test(folio, PG_uptodate));
	swp = swap_slot_alloc(folio_pfn(folio));
	if (!swp)
		return false;
	joined(folio, swp);
	folio_set(folio, PG_dirty);
	return true;
}

int swap_cache_insert(struct folio *folio, swp_entry_t swp)
{
	struct swap_area *area;
	struct swap_slot *slot = swap_slot_lock(swp, &area);
	int err = 0;

	if (!slot)
		return -ENOENT;
	if (slot->pfn || !slot->count) {
		err = slot->pfn ? -EEXIST : -ENOENT;
	} else {
		slot->pfn = (u32)folio_pfn(folio);
		joined(folio, swp);
	}
	spin_unlock(&area->lock);
	return err;
}

bool swap_cache_try_free(struct folio *folio)
{
	struct swap_area *area;
	struct swap_slot *slot;

	ASSERT(folio_test(folio, PG_locked) && folio_test(folio, PG_swapcache));
	if (folio_test(folio, PG_writeback))
		return false;
	slot = lock_folio_slot(folio, &area);
	if (slot->count) {
		spin_unlock(&area->lock);
		return false;
	}
	leave(folio, slot, area);
	spin_unlock(&area->lock);
	folio_set(folio, PG_dirty);
	folio_put(folio);
	return true;
}

void swap_cache_forget(struct folio *folio)
{
	struct swap_area *area;
	struct swap_slot *slot;

	ASSERT(folio_test(folio, PG_locked) && folio_test(folio, PG_swapcache));
	ASSERT(!folio_test(folio, PG_uptodate));
	slot = lock_folio_slot(folio, &area);
	leave(folio, slot, area);
	spin_unlock(&area->lock);
	folio_put(folio);
}

bool swap_cache_remove_frozen(struct folio *folio)
{
	struct swap_area *area;
	struct swap_slot *slot;

	ASSERT(folio_test(folio, PG_locked) && folio_test(folio, PG_swapcache));
	slot = lock_folio_slot(folio, &area);
	if (!folio_ref_freeze(folio, 2)) {
		spin_unlock(&area->lock);
		return false;
	}
	/* Who wrote to it while it had a reference said so before it dropped that. */
	if (folio_test(folio, PG_dirty) || folio_test(folio, PG_writeback)) {
		folio_ref_unfreeze(folio, 2);
		spin_unlock(&area->lock);
		return false;
	}
	leave(folio, slot, area);
	spin_unlock(&area->lock);
	return true;
}

bool swap_cache_replace(struct folio *old, struct folio *new)
{
	struct swap_area *area;
	struct swap_slot *slot;

	ASSERT(folio_test(old, PG_locked) && folio_test(old, PG_swapcache));
	ASSERT(folio_test(new, PG_locked) && !folio_test(old, PG_writeback));
	slot = lock_folio_slot(old, &area);
	if (!folio_ref_freeze(old, 2)) {
		spin_unlock(&area->lock);
		return false;
	}
	slot->pfn = (u32)folio_pfn(new);
	WRITE_ONCE(new->swap, old->swap);
	/* Who finds it now, and waits for its lock, must not take it for a file's. */
	folio_set(new, PG_swapbacked);
	folio_set(new, PG_swapcache);
	folio_get(new);
	WRITE_ONCE(old->swap, 0);
	folio_clear(old, PG_swapcache);
	folio_ref_unfreeze(old, 1);
	spin_unlock(&area->lock);
	return true;
}

struct folio *swap_cache_get(swp_entry_t swp)
{
	struct swap_area *area;
	struct swap_slot *slot = swap_slot_lock(swp, &area);
	struct folio *folio = NULL;

	if (!slot)
		return NULL;
	if (slot->pfn) {
		folio = pfn_folio(slot->pfn);
		folio_get(folio);
	}
	spin_unlock(&area->lock);
	return folio;
}

bool swap_is_cached(swp_entry_t swp)
{
	struct folio *folio = swap_cache_get(swp);
	bool cached;

	if (!folio)
		return false;
	cached = folio_test(folio, PG_uptodate);
	folio_put(folio);
	return cached;
}

/* ---- folios whose last entry is gone ---- */

static bool is_unused(const struct folio *folio)
{
	struct swap_area *area;
	struct swap_slot *slot;
	bool unused;

	if (!folio_test(folio, PG_swapcache) || folio_test(folio, PG_writeback) ||
	    atomic_read(&folio->mapcount))
		return false;
	slot = lock_folio_slot(folio, &area);
	if (!slot)
		return false;
	unused = slot->count == 0;
	spin_unlock(&area->lock);
	return unused;
}

/* When another has the folio lock it is his to do, in swap_folio_unlock(). Hence the second look after our unlocking. */
void swap_free_if_unused(struct folio *folio)
{
	while (is_unused(folio) && folio_trylock(folio)) {
		bool freed = folio_test(folio, PG_swapcache) && swap_cache_try_free(folio);

		folio_unlock(folio);
		if (freed)
			break;
	}
}

void swap_folio_unlock(struct folio *folio)
{
	folio_unlock(folio);
	if (unlikely(folio_test(folio, PG_swapcache)))
		swap_free_if_unused(folio);
}

void swap_slot_put(swp_entry_t swp)
{
	struct swap_area *area;
	struct swap_slot *slot = swap_slot_lock(swp, &area);
	struct folio *folio = NULL;

	BUG_ON(!slot || !slot->count);
	if (--slot->count == 0) {
		if (slot->pfn) {
			folio = pfn_folio(slot->pfn);
			folio_get(folio);
		} else {
			swap_slot_free(area, swp);
		}
	}
	spin_unlock(&area->lock);
	if (folio) {
		swap_free_if_unused(folio);
		folio_put(folio);
	}
}
