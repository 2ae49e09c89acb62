/* SPDX-License-Identifier: MIT
 *
 * Refaults: pages that come back soon after they were reclaimed, because the set of pages in use is larger than
 * the inactive list was. Such a page starts on the active list, where it can push out one that is used less.
 *
 * A clock counts evictions and activations. What is reclaimed leaves the time behind; when it comes back, the clock
 * says how many pages more of inactive list would have kept it: the refault distance (Weiner, "mm: thrash
 * detection-based file cache sizing", 2013). If the active lists are larger than that, they could have given the room.
 *
 * Linux keeps the time in the page cache itself, in the slot that the page left, and needs a shrinker for the nodes of
 * files that are long gone. Here it is in a table of fixed size, hashed, the oldest of a bucket overwritten (van Riel,
 * "non-resident page tracking", 2005): nothing is allocated while memory is short, and a file that goes leaves
 * nothing behind. An entry is a tag and a time in 32 bits; of unrelated pages 1 in 256 is mistaken for one that comes back
 * in time at worst, which costs a place on the wrong list.
 */
#include <mm/swap.h>

#include "reclaim.h"

#define BUCKET 16u /* entries: a cache line */
#define TIME_BITS 19u
#define TIME_MASK ((1U << TIME_BITS) - 1)
#define WORKINGSET_BIT (1U << TIME_BITS)
#define TAG_SHIFT (TIME_BITS + 1)
#define PAGES_PER_ENTRY 2UL
#define MIN_BUCKETS 16UL

/* Read and written without a lock: a lost entry is a page that nobody remembers. */
static struct {
	u32 *entries;
	unsigned long buckets; /* a power of two */
	atomic_long_t clock;   /* [A] pages */
} table;

void workingset_init(void)
{
	unsigned long buckets = MIN_BUCKETS, want = totalram_pages() / PAGES_PER_ENTRY / BUCKET;
	unsigned int order = 0;
	struct page *pages;

	while (buckets * 2 <= want && (buckets * 2 * BUCKET * sizeof(u32)) <= PAGE_SIZE
										      << MAX_ORDER)
		buckets *= 2;
	while ((PAGE_SIZE << order) < buckets * BUCKET * sizeof(u32))
		order++;
	pages = alloc_pages(GFP_KERNEL | __GFP_ZERO, order);
	if (!pages)
		return; /* without it every page that comes back is a new one */
	table.entries = page_address(pages);
	table.buckets = buckets;
}

void workingset_age(unsigned long pages)
{
	atomic_add(&table.clock, (long)pages);
}

static u64 mix(u64 x)
{
	x *= 0x9e3779b97f4a7c15UL;
	return x ^ x >> 29;
}

u64 workingset_file_key(const struct mapping *m, unsigned long index)
{
	return mix((u64)(unsigned long)m + mix(index));
}

u64 workingset_swap_key(swp_entry_t swp)
{
	return mix(swp);
}

static u32 *bucket_of(u64 key)
{
	return table.entries + (key & (table.buckets - 1)) * BUCKET;
}

static u32 tag_of(u64 key)
{
	u32 tag = (u32)(key >> 40) << TAG_SHIFT;

	return tag ? tag : 1U << TAG_SHIFT; /* 0 is an empty entry */
}

static u32 age_of(u32 entry, unsigned long now)
{
	return ((u32)now - entry) & TIME_MASK;
}

void workingset_eviction(u64 key, bool was_workingset)
{
	unsigned long now = (unsigned long)atomic_add_return(&table.clock, 1);
	u32 new = tag_of(key) | ((u32)now & TIME_MASK) | (was_workingset ? WORKINGSET_BIT : 0);
	u32 *bucket, *oldest;

	if (!table.entries)
		return;
	bucket = oldest = bucket_of(key);
	for (u32 *e = bucket; e < bucket + BUCKET; e++) {
		u32 old = READ_ONCE(*e);

		if (!old) {
			oldest = e;
			break;
		}
		if (age_of(old, now) > age_of(READ_ONCE(*oldest), now))
			oldest = e;
	}
	WRITE_ONCE(*oldest, new);
}

/* Takes the entry of the key out; 0 when there is none. */
static u32 take_entry(u64 key)
{
	u32 *bucket, tag = tag_of(key);

	if (!table.entries)
		return 0;
	bucket = bucket_of(key);
	for (u32 *e = bucket; e < bucket + BUCKET; e++) {
		u32 old = READ_ONCE(*e);

		if ((old & ~(TIME_MASK | WORKINGSET_BIT)) == tag) {
			WRITE_ONCE(*e, 0U);
			return old;
		}
	}
	return 0;
}

/* What the other lists could have given up to keep the page. */
static unsigned long workingset_size(bool anon)
{
	unsigned long size = stat_read(NR_ACTIVE_FILE);

	if (anon)
		size += stat_read(NR_INACTIVE_FILE);
	if (anon || swap_free_pages())
		size += stat_read(NR_ACTIVE_ANON);
	if (!anon && swap_free_pages())
		size += stat_read(NR_INACTIVE_ANON);
	return size;
}

void workingset_refault(u64 key, struct folio *folio)
{
	unsigned int anon =
		folio_test(folio, PG_swapbacked) ? 0 : 1; /* offset from the anon counters */
	u32 entry = take_entry(key);

	if (!entry)
		return;
	stat_inc(WORKINGSET_REFAULT_ANON + anon);
	if (age_of(entry, (unsigned long)atomic_read(&table.clock)) > workingset_size(!anon))
		return;
	folio_set(folio, PG_active);
	workingset_age(1);
	stat_inc(WORKINGSET_ACTIVATE_ANON + anon);
	if (entry & WORKINGSET_BIT) {
		folio_set(folio, PG_workingset);
		reclaim_note_cost(!anon, 1);
		stat_inc(WORKINGSET_RESTORE_ANON + anon);
	}
}
