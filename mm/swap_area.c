/* SPDX-License-Identifier: MIT
 *
 * Swap areas: which slots there are, which of them are free, and who gets which.
 *
 * A slot costs 8 bytes for as long as the area is on, all of it allocated by swapon: writing pages out is what
 * one does when there is no memory. Slots stand in chunks of 512. A CPU takes a chunk, an empty one if there is,
 * and gives out its free slots from the first to the last; so the pages that one round of reclaim evicts, which
 * were probably last used together, are neighbours on the device, whatever the other CPUs do meanwhile. That makes
 * for large writes now and for useful read-ahead later. Finding a slot is bounded by the size of a chunk.
 *
 * Areas of higher priority are used first. Areas of the same priority take turns, a chunk each.
 *
 * Locking: areas_lock guards the list of areas that give slots out; each area's lock its slots. Both are taken
 * inside page-table locks, the area's inside areas_lock.
 */
#include "swap_internal.h"

struct swap_area swap_areas[SWAP_MAX_AREAS];

static struct {
	spinlock_t lock;
	struct list_head areas; /* highest priority first */
	int lowest;		/* the last one that was chosen here */
} swap_list;

static atomic_long_t total_slots, free_slots;

void swap_init(void)
{
	spin_lock_init(&swap_list.lock);
	INIT_LIST_HEAD(&swap_list.areas);
	swap_list.lowest = -1;
	for (unsigned int i = 0; i < SWAP_MAX_AREAS; i++)
		spin_lock_init(&swap_areas[i].lock);
}

unsigned long swap_total_pages(void)
{
	return (unsigned long)atomic_read(&total_slots);
}

unsigned long swap_free_pages(void)
{
	return (unsigned long)max(atomic_read(&free_slots), 0L);
}

bool swap_is_scarce(void)
{
	return swap_free_pages() * 2 < swap_total_pages();
}

static inline struct swap_chunk *chunk_of(struct swap_area *area, unsigned long offset)
{
	return &area->chunks[offset / CHUNK_SLOTS];
}

struct swap_slot *swap_slot_lock(swp_entry_t swp, struct swap_area **areap)
{
	unsigned long offset = swp_offset(swp);
	struct swap_area *area;
	struct swap_slot *slot;

	if (swp_area(swp) >= SWAP_MAX_AREAS)
		return NULL;
	area = &swap_areas[swp_area(swp)];
	spin_lock(&area->lock);
	if (area->chunks && offset < area->nr_slots) {
		slot = &chunk_of(area, offset)->slots[offset % CHUNK_SLOTS];
		if (slot->count != SLOT_BAD) {
			*areap = area;
			return slot;
		}
	}
	spin_unlock(&area->lock);
	return NULL;
}

/* ---- giving slots out ---- */

/* A chunk with a free slot for a CPU without one: empty, else partly used, else one that another CPU has. */
static struct swap_chunk *next_chunk(struct swap_area *area)
{
	struct list_head *list = list_empty(&area->empty) ? &area->partial : &area->empty;

	if (!list_empty(list)) {
		struct swap_chunk *chunk = list_first_entry(list, struct swap_chunk, node);

		list_del_init(&chunk->node);
		return chunk;
	}
	for (unsigned int cpu = 0; cpu < cpu_limit(); cpu++) {
		struct swap_chunk *chunk = area->cursors[cpu].chunk;

		if (chunk && chunk->free)
			return chunk;
	}
	return NULL;
}

/* The cursor's CPU has seen all of its chunk: what was freed behind it is for someone else. */
static void leave_chunk(struct swap_area *area, struct swap_chunk *chunk)
{
	if (--chunk->cpus || !chunk->free)
		return;
	list_add_tail(&chunk->node, chunk->free == chunk->usable ? &area->empty : &area->partial);
}

/* An offset, or 0. *turn_over: it was the last of a chunk. Area lock held. */
static unsigned long take_slot(struct swap_area *area, unsigned long pfn, bool *turn_over)
{
	__typeof__(area->cursors[0]) *c = &area->cursors[cpu_id()];

	if (area->used == area->pages)
		return 0;
	for (;;) {
		while (c->chunk && c->chunk->free && c->next < CHUNK_SLOTS) {
			unsigned int i = c->next++;
			struct swap_slot *slot = &c->chunk->slots[i];

			if (slot->pfn || slot->count)
				continue;
			slot->pfn = (u32)pfn;
			c->chunk->free--;
			WRITE_ONCE(area->used, area->used + 1);
			*turn_over = !c->chunk->free || c->next == CHUNK_SLOTS;
			return (unsigned long)(c->chunk - area->chunks) * CHUNK_SLOTS + i;
		}
		if (c->chunk)
			leave_chunk(area, c->chunk);
		c->chunk = next_chunk(area);
		c->next = 0;
		if (!c->chunk)
			return 0;
		c->chunk->cpus++;
	}
}

/* Behind its equals: they take turns. areas_lock held. */
static void enlist(struct swap_area *area)
{
	struct swap_area *other;

	list_for_each_entry(other, &swap_list.areas, node)
		if (other->prio < area->prio)
			break;
	list_add_tail(&area->node, &other->node);
}

void swap_area_enlist(struct swap_area *area, int prio)
{
	spin_lock(&swap_list.lock);
	spin_lock(&area->lock);
	area->prio = prio == SWAP_PRIO_NEXT ? --swap_list.lowest : prio;
	area->leaving = false;
	atomic_add(&total_slots, (long)area->pages);
	atomic_add(&free_slots, (long)(area->pages - area->used));
	spin_unlock(&area->lock);
	enlist(area);
	spin_unlock(&swap_list.lock);
}

void swap_area_close_gap(const struct swap_area *gone)
{
	struct swap_area *area;

	if (gone->prio >= 0)
		return;
	spin_lock(&swap_list.lock);
	list_for_each_entry(area, &swap_list.areas, node)
		area->prio += area->prio < gone->prio;
	swap_list.lowest++;
	spin_unlock(&swap_list.lock);
}

void swap_area_delist(struct swap_area *area)
{
	spin_lock(&swap_list.lock);
	spin_lock(&area->lock);
	list_del(&area->node);
	area->leaving = true;
	atomic_sub(&total_slots, (long)area->pages);
	atomic_sub(&free_slots, (long)(area->pages - area->used));
	spin_unlock(&area->lock);
	spin_unlock(&swap_list.lock);
}

swp_entry_t swap_slot_alloc(unsigned long pfn)
{
	struct swap_area *area;
	swp_entry_t swp = 0;

	spin_lock(&swap_list.lock);
	list_for_each_entry(area, &swap_list.areas, node) {
		bool turn_over;
		unsigned long offset;

		spin_lock(&area->lock);
		offset = take_slot(area, pfn, &turn_over);
		spin_unlock(&area->lock);
		if (!offset)
			continue;
		swp = swp_entry((unsigned long)(area - swap_areas), offset);
		if (turn_over) {
			list_del(&area->node);
			enlist(area);
		}
		atomic_dec(&free_slots);
		break;
	}
	spin_unlock(&swap_list.lock);
	return swp;
}

void swap_slot_free(struct swap_area *area, swp_entry_t swp)
{
	struct swap_chunk *chunk = chunk_of(area, swp_offset(swp));

	assert_spin_locked(&area->lock);
	WRITE_ONCE(area->used, area->used - 1);
	chunk->free++;
	if (!chunk->cpus) {
		if (chunk->free == 1)
			list_add_tail(&chunk->node, &area->partial);
		if (chunk->free == chunk->usable)
			list_move(&chunk->node, &area->empty);
	}
	if (!area->leaving)
		atomic_inc(&free_slots);
}

/* ---- counts ---- */

void swap_slot_dup(swp_entry_t swp)
{
	struct swap_area *area;
	struct swap_slot *slot = swap_slot_lock(swp, &area);

	BUG_ON(!slot || !(slot->pfn || slot->count));
	slot->count++;
	spin_unlock(&area->lock);
}

unsigned int swap_slot_count(swp_entry_t swp)
{
	struct swap_area *area;
	struct swap_slot *slot = swap_slot_lock(swp, &area);
	unsigned int count;

	if (!slot)
		return 0;
	count = slot->count;
	spin_unlock(&area->lock);
	return count;
}

bool swap_slot_wants_read(swp_entry_t swp)
{
	struct swap_area *area;
	struct swap_slot *slot = swap_slot_lock(swp, &area);
	bool wants;

	if (!slot)
		return false;
	wants = slot->count && !slot->pfn;
	spin_unlock(&area->lock);
	return wants;
}

bool swap_area_info(unsigned int nr, struct swap_area_info *info)
{
	struct swap_area *area = &swap_areas[nr];
	bool on;

	spin_lock(&area->lock);
	on = area->chunks;
	if (on) {
		*info = (struct swap_area_info){ area->file, area->pages, area->used, area->prio };
		file_get(area->file);
	}
	spin_unlock(&area->lock);
	return on;
}

/* ---- debug ---- */

static void validate_chunk(const struct swap_chunk *chunk)
{
	unsigned int free = 0, usable = 0;

	for (unsigned int i = 0; i < CHUNK_SLOTS; i++) {
		const struct swap_slot *slot = &chunk->slots[i];

		BUG_ON(slot->count == SLOT_BAD && slot->pfn);
		usable += slot->count != SLOT_BAD;
		free += !slot->count && !slot->pfn;
	}
	BUG_ON(free != chunk->free || usable != chunk->usable);
}

static void validate_area(const struct swap_area *area)
{
	unsigned long n = (area->nr_slots + CHUNK_SLOTS - 1) / CHUNK_SLOTS, listed = 0, idle = 0;
	const struct swap_chunk *chunk;

	for (unsigned long i = 0; i < n; i++) {
		validate_chunk(&area->chunks[i]);
		idle += area->chunks[i].free && !area->chunks[i].cpus;
	}
	list_for_each_entry(chunk, &area->empty, node) {
		BUG_ON(chunk->cpus || !chunk->free || chunk->free != chunk->usable);
		listed++;
	}
	list_for_each_entry(chunk, &area->partial, node) {
		BUG_ON(chunk->cpus || !chunk->free || chunk->free == chunk->usable);
		listed++;
	}
	BUG_ON(listed != idle);
}

void swap_validate(void)
{
	for (unsigned int i = 0; i < SWAP_MAX_AREAS; i++) {
		spin_lock(&swap_areas[i].lock);
		if (swap_areas[i].chunks)
			validate_area(&swap_areas[i]);
		spin_unlock(&swap_areas[i].lock);
	}
}
