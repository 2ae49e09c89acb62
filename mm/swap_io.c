/* SPDX-License-Identifier: MIT
 *
 * Swap's I/O: folios of the swap cache are written to their slots, and slots are read into new folios.
 *
 * Writing. Neighbouring slots gather in a plug and become one request. An error leaves the folio dirty and in the
 * cache, so nothing is lost; reclaim will try again.
 *
 * Reading. Slots that are neighbours were evicted together and will probably be wanted together. So a fault reads the
 * aligned cluster of 2^vm.page-cluster slots around its own; how much of it, the hits of the reads before decide, as
 * in Linux: reading ahead for a program that hops about only takes memory from it. All folios join the cache locked,
 * the device's answer unlocks them. The fault waits for its own.
 *
 * The error of a request does not say which of its pages cannot be read. A page that is wanted is read again then, by
 * itself: nobody is killed for a neighbour.
 */
#include <arch/timer.h>
#include <kern/printk.h>

#include "fault_ctx.h"
#include "lru.h"
#include "reclaim.h"
#include "swap_internal.h"
#include "writeback.h"

static void say_error(const char *what, const struct bio *bio)
{
	static atomic_long_t last_said; /* ns */
	const u64 second = 1000000000;
	long last = atomic_read(&last_said), now = (long)clock_ns();

	if (last && now - last < (long)second)
		return;
	if (atomic_cmpxchg(&last_said, last, now) == last)
		pr_err("swap: %s error %d at byte %llu, %u pages", what, bio->error,
		       (unsigned long long)bio->pos, bio->nr_pages);
}

/* True when the page continues the request. */
static bool bio_append(struct bio *bio, const struct swap_area *area, struct folio *folio)
{
	if (!bio || bio->dev != area->dev || bio->nr_pages == BIO_MAX_PAGES ||
	    bio->pos + bio->len != swap_pos(folio->swap))
		return false;
	bio->pages[bio->nr_pages++] = &folio->page;
	bio->len += PAGE_SIZE;
	return true;
}

/* Adds a folio of the swap cache to the request *bio, or submits that and begins another. */
static void bio_add(struct bio **bio, enum bio_op op, void (*end)(struct bio *bio),
		    struct folio *folio)
{
	const struct swap_area *area = &swap_areas[swp_area(folio->swap)];

	if (bio_append(*bio, area, folio))
		return;
	if (*bio)
		bio_submit(*bio);
	*bio = bio_alloc();
	(*bio)->dev = area->dev;
	(*bio)->op = op;
	(*bio)->pos = swap_pos(folio->swap);
	(*bio)->len = PAGE_SIZE;
	(*bio)->nr_pages = 1;
	(*bio)->pages[0] = &folio->page;
	(*bio)->end = end;
}

/* ---- writing ---- */

static void end_write(struct bio *bio)
{
	if (bio->error) {
		stat_add(SWAP_WRITE_ERROR, bio->nr_pages);
		say_error("write", bio);
	}
	for (unsigned int i = 0; i < bio->nr_pages; i++) {
		struct folio *folio = page_folio(bio->pages[i]);

		if (bio->error) {
			folio_set(folio, PG_error);
			folio_set(folio, PG_dirty);
			folio_clear(folio, PG_reclaim);
		}
		folio_get(folio);
		folio_end_writeback(folio);
		swap_free_if_unused(folio);
		folio_put(folio);
	}
	bio_free(bio);
	writeback_progress();
}

void swap_writeout(struct folio *folio, struct swap_plug *plug)
{
	ASSERT(folio_test(folio, PG_locked) && folio_test(folio, PG_swapcache));
	folio_clear(folio, PG_dirty);
	folio_clear(folio, PG_error);
	folio_start_writeback(folio);
	bio_add(&plug->bio, BIO_WRITE, end_write, folio);
	stat_inc(PSWPOUT);
	trace(swap_write, swp_area(folio->swap), swp_offset(folio->swap), folio_nr_pages(folio));
	folio_unlock(folio);
}

void swap_plug_flush(struct swap_plug *plug)
{
	if (plug->bio)
		bio_submit(plug->bio);
	plug->bio = NULL;
}

/* ---- reading ---- */

static void end_read(struct bio *bio)
{
	if (bio->error) {
		stat_add(SWAP_READ_ERROR, bio->nr_pages);
		say_error("read", bio);
	}
	for (unsigned int i = 0; i < bio->nr_pages; i++) {
		struct folio *folio = page_folio(bio->pages[i]);

		if (!bio->error)
			folio_set(folio, PG_uptodate);
		else if (bio->nr_pages == 1)
			folio_set(folio, PG_error);
		/* Nobody has asked for it yet, and nobody is to find it like this. */
		if (bio->error && folio_test(folio, PG_readahead))
			swap_cache_forget(folio);
		folio_unlock_io(folio);
		swap_free_if_unused(folio);
		folio_put(folio);
	}
	bio_free(bio);
}

/* What the reads before say about reading ahead. */
static struct {
	atomic_t hits; /* folios read ahead that were wanted, since the latest window was chosen */
	unsigned int window; /* the latest; guesses race without harm */
	unsigned long prev;  /* the latest offset */
} ahead = { .hits = ATOMIC_INIT(4) };

/* Slots to read around offset, a power of two. */
static unsigned int choose_window(unsigned long offset)
{
	unsigned int most = 1U << knob_vm_page_cluster, want, prev = RACY_READ(ahead.window);
	unsigned int hits = (unsigned int)__atomic_exchange_n(&ahead.hits.v, 0, __ATOMIC_RELAXED);
	unsigned long last = RACY_READ(ahead.prev);

	for (want = 4; want < hits + 2; want *= 2)
		;
	/* No hit: at most a neighbour, and only if this looks like going through slots in order. */
	if (!hits)
		want = offset == last + 1 || offset == last - 1 ? 2 : 1;
	want = min(max(want, prev / 2), most);
	RACY_WRITE(ahead.prev, offset);
	RACY_WRITE(ahead.window, want);
	return want;
}

static void count_hit(struct folio *folio)
{
	if (!folio_test(folio, PG_readahead) || !test_and_clear_bit(PG_readahead, &folio->flags))
		return;
	stat_inc(SWAP_RA_HIT);
	atomic_inc(&ahead.hits);
}

/* New folios, for slots in ascending order. */
struct read_batch {
	unsigned int nr;
	struct folio *folios[BIO_MAX_PAGES];
	swp_entry_t slots[BIO_MAX_PAGES];
};

_Static_assert(BIO_MAX_PAGES >= 1U << 5, "the largest vm.page-cluster fits in a batch");

/*
 * Folios for what is used and not cached of the window around swp. Before any of them is visible, for allocating may
 * take long. -ENOMEM: not even for swp itself.
 */
static int alloc_batch(struct read_batch *b, swp_entry_t swp, unsigned int window)
{
	swp_entry_t first = ALIGN_DOWN(swp, (swp_entry_t)window);

	b->nr = 0;
	for (swp_entry_t slot = first; slot < first + window; slot++) {
		struct folio *folio;

		if (slot != swp && !swap_slot_wants_read(slot))
			continue;
		/* Nobody is killed for a guess. */
		folio = folio_alloc(slot == swp ? GFP_KERNEL : GFP_KERNEL | __GFP_NORETRY, 0);
		if (folio) {
			b->slots[b->nr] = slot;
			b->folios[b->nr++] = folio;
		} else if (slot == swp) {
			while (b->nr)
				folio_put(b->folios[--b->nr]);
			return -ENOMEM;
		}
	}
	return 0;
}

/* Puts one into the cache, locked, and onto the LRU. Its reference is the I/O's. Someone may have been faster. */
static int publish(struct folio *folio, swp_entry_t swp)
{
	int err;

	RACY_WRITE(folio->flags, 1UL << PG_swapbacked);
	(void)folio_trylock(folio);
	err = swap_cache_insert(folio, swp);
	if (err) {
		folio_unlock(folio);
		folio_put(folio);
		return err;
	}
	folio_lock_to_io(folio);
	workingset_refault(workingset_swap_key(swp), folio);
	lru_add(folio);
	stat_inc(PSWPIN);
	return 0;
}

/* Reads the batch. swp's folio, with a reference, or why it is not read: -EEXIST, -ENOENT. */
static struct folio *read_batch(struct read_batch *b, swp_entry_t swp)
{
	struct folio *wanted = ERR_PTR(-ENOENT);
	struct bio *bio = NULL;

	trace(swap_read, swp_area(swp), swp_offset(swp), b->nr);
	for (unsigned int i = 0; i < b->nr; i++) {
		struct folio *folio = b->folios[i];
		int err = publish(folio, b->slots[i]);

		if (b->slots[i] == swp) {
			wanted = err ? ERR_PTR(err) : folio;
			if (!err)
				folio_get(folio);
		} else if (!err) {
			folio_set(folio, PG_readahead);
			stat_inc(SWAP_RA);
		}
		if (!err)
			bio_add(&bio, BIO_READ, end_read, folio);
	}
	if (bio)
		bio_submit(bio);
	return wanted;
}

struct folio *swap_cache_read(swp_entry_t swp, u8 *io)
{
	struct read_batch b;
	struct folio *folio;

	do {
		unsigned int window;

		folio = swap_cache_get(swp);
		if (folio) {
			count_hit(folio);
			return folio;
		}
		if (!swap_slot_wants_read(swp))
			return ERR_PTR(-ENOENT);
		window = *io & FAULT_IO_ALONE ? 1 : choose_window(swp_offset(swp));
		if (alloc_batch(&b, swp, window))
			return ERR_PTR(-ENOMEM);
		folio = read_batch(&b, swp);
	} while (folio == ERR_PTR(-EEXIST));
	if (!IS_ERR(folio))
		*io |= FAULT_IO_MAJOR;
	return folio;
}

bool swap_read_failed(struct folio *folio, u8 *io)
{
	bool alone = folio_test(folio, PG_error);

	swap_cache_forget(folio);
	if (!alone)
		*io |= FAULT_IO_ALONE;
	/* Someone else's failure is not ours: perhaps the device answers now. */
	return alone && (*io & FAULT_IO_MAJOR);
}
