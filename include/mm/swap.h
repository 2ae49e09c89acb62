/* SPDX-License-Identifier: MIT
 *
 * Swap: areas of slots on block devices, and the swap cache, which knows the folio of a slot as long as there is one.
 *
 * A slot is free, or used by so many page-table entries and tmpfs mappings (its count), by a folio in the swap cache, or
 * by both. A clean folio in the swap cache equals what its slot holds. Nothing here allocates to write a page out.
 */
#ifndef MM_SWAP_H
#define MM_SWAP_H

#include <kern/block.h>
#include <mm/page.h>

struct file;

#define SWAP_MAX_AREAS 29U

/* ---- for reclaim ---- */

/*
 * Gives a locked folio a slot and puts it into the swap cache, which takes a reference; it is dirty then. False when
 * no slot is free. Allocates nothing.
 */
bool swap_cache_add(struct folio *folio);
/*
 * Takes a locked folio out of the swap cache and frees its slot; it is dirty then. False when entries still name the
 * slot, or the folio is being written. The caller has a reference.
 */
bool swap_cache_try_free(struct folio *folio);
/*
 * The last step of reclaim: takes a locked, clean, unmapped folio with exactly the cache's reference and the caller's
 * out of the swap cache; the slot keeps the contents. On true its refcount is 0 and it is the caller's to free.
 */
bool swap_cache_remove_frozen(struct folio *folio);
/*
 * Migration: new takes the place of old, which is locked, not being written, unmapped and referenced by nobody but the
 * cache and the caller; so is new then, but for its contents. False: somebody else has a reference to old.
 */
bool swap_cache_replace(struct folio *old, struct folio *new);
/*
 * Unlocks a folio that may be in the swap cache, and takes it out if no entry of either kind needs it any more:
 * whoever dropped the last one while the folio was locked left that to us. The caller has a reference.
 */
void swap_folio_unlock(struct folio *folio);
/*
 * Takes a folio out of the swap cache that nothing maps and whose slot no entry names, unless it is locked (then
 * swap_folio_unlock() does) or being written (then the end of that does). After a mapping went; the caller has a
 * reference.
 */
void swap_free_if_unused(struct folio *folio);

/* Writes of one round of reclaim, gathered so that neighbouring slots are one request. Zero-initialised. */
struct swap_plug {
	struct bio *bio;
};
/*
 * Starts writing a locked, dirty folio of the swap cache; unlocks it. Failure marks it dirty again and PG_error. The
 * caller has a reference.
 */
void swap_writeout(struct folio *folio, struct swap_plug *plug);
void swap_plug_flush(struct swap_plug *plug);

/*
 * Moves a locked tmpfs folio that nobody maps from its mapping to a slot, which the mapping names from then on, and
 * starts writing it; unlocks it. False, still locked: no slot is free, or somebody uses the folio.
 */
bool shmem_writeout(struct folio *folio, struct swap_plug *plug);

/* Slots of all areas, and free ones. */
unsigned long swap_total_pages(void);
unsigned long swap_free_pages(void);
/* More than half of all slots are in use: a folio that was read back had better give its slot away. */
bool swap_is_scarce(void);

/* ---- for whoever puts slots into entries. Page-table lock or the mapping's lock held ---- */

/* One more entry names the slot. A count has 32 bits: it cannot overflow, for each is an entry of some process. */
void swap_slot_dup(swp_entry_t swp);
/*
 * One fewer. The last one that goes frees the slot, and the folio that has it leaves the swap cache as
 * swap_free_if_unused() says.
 */
void swap_slot_put(swp_entry_t swp);
/* How many entries name it; 0 also when there is no such slot (any more). */
unsigned int swap_slot_count(swp_entry_t swp);

/* ---- reading back. A stale entry is no error: the answer is that there is nothing ---- */

/* The folio that has this slot, with a reference, not locked; or NULL. */
struct folio *swap_cache_get(swp_entry_t swp);
/*
 * The same, and reads it in when there is none, with its neighbours unless *io has FAULT_IO_ALONE: locked until the device
 * has answered, then up to date or not. *io gets FAULT_IO_MAJOR when reading was started. ERR_PTR: -ENOMEM, -ENOENT (no
 * entry names the slot any more). May sleep.
 */
struct folio *swap_cache_read(swp_entry_t swp, u8 *io);
/* The slot's contents are in memory. */
bool swap_is_cached(swp_entry_t swp);
/* Takes a locked folio whose reading failed out of the swap cache, so that the next access tries again. */
void swap_cache_forget(struct folio *folio);
/*
 * The same for whoever wants the folio; io as it was given to swap_cache_read(). True: its page cannot be read. False: try
 * again, for it was read with others that may be the reason, or for somebody else.
 */
bool swap_read_failed(struct folio *folio, u8 *io);

/* ---- areas: mm/swap_area.c ---- */

/*
 * swapon: reads mkswap's header and starts using the device; takes a reference to file, which names it. 0, -EINVAL (header), -EBUSY (in use), -EPERM (no area left), -ENOMEM, -EIO.
 */
#define SWAP_PRIO_NEXT (-1) /* lower than all before: negative */
int swap_area_on(struct file *file, struct block_device *dev, int prio);
/*
 * swapoff: no slot is given out any more, then everything comes back, then the area is gone. -EINVAL: dev is not one;
 * -ENOMEM: memory does not suffice; -EIO: a slot could not be read; -EINTR: a signal. After these the area is on as
 * before, and nothing is lost.
 */
int swap_area_off(const struct block_device *dev);

/* What /proc/swaps shows. */
struct swap_area_info {
	struct file *file; /* with a reference: file_put() */
	unsigned long pages, used;
	int prio;
};
/* Area nr, 0 to SWAP_MAX_AREAS - 1. False: not in use. */
bool swap_area_info(unsigned int nr, struct swap_area_info *info);
/* Debug: counts and lists of every area. Panics with the one that does not hold. */
void swap_validate(void);

void swap_init(void); /* once at boot */

#endif
