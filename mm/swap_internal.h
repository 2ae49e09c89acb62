/* SPDX-License-Identifier: MIT
 *
 * A swap area from inside: shared by mm/swap_*.c.
 *
 * Lock letters: [L] the area's lock, [S] areas_lock, [I] fixed while the area is on.
 */
#ifndef MM_SWAP_INTERNAL_H
#define MM_SWAP_INTERNAL_H

#include <mm/swap.h>
#include <sync/mutex.h>

#include "internal.h"

struct swap_slot {
	u32 pfn;   /* [L] of the folio that has it in the swap cache; 0: none */
	u32 count; /* [L] entries that name it, or SLOT_BAD */
};

/* A count: never given out. The header's slot, bad blocks, and what lies beyond the end. */
#define SLOT_BAD (~0U)

#define CHUNK_SLOTS ((unsigned int)(PAGE_SIZE / sizeof(struct swap_slot)))

/* One page's worth of slots: what a CPU allocates from, in order, before it looks for another. */
struct swap_chunk {
	struct swap_slot *slots; /* [I] CHUNK_SLOTS */
	struct list_head
		node; /* [L] in empty or partial, while something is free and no CPU has it */
	u16 free;     /* [L] */
	u16 usable;   /* [I] not bad */
	u16 cpus;     /* [L] that have it */
};

struct swap_area {
	spinlock_t lock;
	struct list_head node;	   /* [S] in areas, by priority, while it gives slots out */
	struct swap_chunk *chunks; /* [L] NULL: not in use */
	unsigned long nr_slots;	   /* [I] bad ones included */
	unsigned long pages;	   /* [I] slots that are not bad */
	unsigned long used;	   /* [L; READ_ONCE] of them */
	struct list_head empty;	   /* [L] chunks without a used slot */
	struct list_head partial;  /* [L] chunks with both */
	struct block_device *dev;  /* [I] */
	struct file *file;	   /* [I] one reference */
	int prio;		   /* [I] higher is used first */
	bool leaving;		   /* [S] swapoff is under way */
	struct {
		struct swap_chunk *chunk;
		unsigned int next; /* slot to look at */
	} cursors[MAX_CPUS];	   /* [L] */
};

extern struct swap_area swap_areas[SWAP_MAX_AREAS];

/*
 * The slot with its area's lock held, or NULL, unlocked, when there is no such slot: the entry is stale, or
 * a marker.
 */
struct swap_slot *swap_slot_lock(swp_entry_t swp, struct swap_area **area);
/* The slot became free: count and pfn are 0. Area lock held. */
void swap_slot_free(struct swap_area *area, swp_entry_t swp);
/* A free slot, now with this pfn and count 0, from the area of the highest priority that has one; 0: none. */
swp_entry_t swap_slot_alloc(unsigned long pfn);
/* Somebody's, and not in memory. The answer may be old. */
bool swap_slot_wants_read(swp_entry_t swp);
/* From now on the area gives slots out. */
void swap_area_enlist(struct swap_area *area, int prio);
/* From now on it does not. */
void swap_area_delist(struct swap_area *area);
/* Priorities chosen here have no gaps: what was below one that is gone moves up. */
void swap_area_close_gap(const struct swap_area *gone);
/* Every slot's memory of an area of nr_slots. */
void swap_chunks_free(struct swap_chunk *chunks, unsigned long nr_slots);
/* swapon and swapoff, one at a time. */
extern struct mutex swapon_mutex;

/*
 * Puts a new, locked folio into the cache for a slot that somebody uses: -EEXIST when there is one already, -ENOENT
 * when nobody uses it any more.
 */
int swap_cache_insert(struct folio *folio, swp_entry_t swp);

/* The page's place on its device. */
static inline u64 swap_pos(swp_entry_t swp)
{
	return (u64)swp_offset(swp) << PAGE_SHIFT;
}

#endif
