/* SPDX-License-Identifier: MIT
 *
 * Swap: areas of slots on block devices, and the swap cache, which knows the folio of a slot as long as there is one.
 *
 * A slot is free, or used by so many page-table entries and tmpfs mappings (its count), by a folio in the swap cache, or
 * by both. A clean folio in the swap cache equals what its slot holds.
 */
#ifndef MM_SWAP_H
#define MM_SWAP_H

#include <kern/block.h>
#include <mm/page.h>

/* ---- for reclaim ---- */

/*
 * Gives a locked folio a slot and puts it into the swap cache, which takes a reference; it is dirty then. False when
 * no slot is free. Allocates nothing.
 */
bool swap_cache_add(struct folio *folio);
/*
 * Takes a locked folio out of the swap cache and frees its slot. False when entries still name the slot, or the
 * folio is being written.
 */
bool swap_cache_try_free(struct folio *folio);
/*
 * The last step of reclaim: takes a locked, clean, unmapped folio with exactly the cache's reference and the caller's
 * out of the swap cache; the slot keeps the contents. On true its refcount is 0 and it is the caller's to free.
 */
bool swap_cache_remove_frozen(struct folio *folio);

/* Writes of one round of reclaim, gathered so that neighbouring slots are one request. Zero-initialised. */
struct swap_plug {
	struct bio *bio;
};
/* Starts writing a locked, dirty folio of the swap cache; unlocks it. Failure marks it dirty again and PG_error. */
void swap_writeout(struct folio *folio, struct swap_plug *plug);
void swap_plug_flush(struct swap_plug *plug);

/*
 * Moves a locked tmpfs folio that nobody maps from its mapping to a slot, which the mapping names from then on, and
 * starts writing it. Unlocks it. False: no slot is free, or somebody uses the folio.
 */
bool shmem_writeout(struct folio *folio, struct swap_plug *plug);

/* Slots of all areas, and free ones. */
unsigned long swap_total_pages(void);
unsigned long swap_free_pages(void);

/* ---- for whoever puts slots into entries. Page-table lock or the mapping's lock held ---- */

/* One more entry, or one fewer, names the slot. The last one that goes frees it unless a folio has it. */
void swap_slot_dup(swp_entry_t swp);
void swap_slot_put(swp_entry_t swp);

#endif
