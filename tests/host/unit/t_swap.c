/* SPDX-License-Identifier: MIT
 *
 * Swap: areas and their slots, the swap cache, and its I/O.
 */
#include "../../../mm/writeback.h"
#include "swap_setup.h"

#include <pthread.h>
#include <unistd.h>

#define HEADER_VERSION SWAP_DEVICE_VERSION
#define HEADER_LAST_PAGE SWAP_DEVICE_LAST_PAGE
#define HEADER_NR_BAD 1032
#define HEADER_BAD 1536
#define HEADER_MAGIC (PG - 10)

static void put32(struct block_device *dev, u64 pos, u32 value)
{
	memcpy(sim_block_data(dev) + pos, &value, sizeof(value));
}

/* A locked page as reclaim isolates one: up to date, of one byte throughout. */
static struct folio *new_page(u8 value)
{
	struct folio *folio = folio_alloc(GFP_KERNEL, 0);

	folio->flags = 1UL << PG_swapbacked | 1UL << PG_anon | 1UL << PG_uptodate;
	memset(folio_address(folio), value, PG);
	return folio;
}

static bool give_slot(struct folio *folio)
{
	bool added;

	folio_lock(folio);
	added = swap_cache_add(folio);
	folio_unlock(folio);
	return added;
}

static void take_slot(struct folio *folio)
{
	folio_lock(folio);
	assert_true(swap_cache_try_free(folio));
	folio_unlock(folio);
}

/* Evicts it: its slot, with one entry that names it. */
static swp_entry_t evict(struct folio *folio)
{
	struct swap_plug plug = { NULL };
	swp_entry_t swp;

	folio_lock(folio);
	assert_true(swap_cache_add(folio));
	swp = folio->swap;
	swap_slot_dup(swp);
	swap_writeout(folio, &plug);
	swap_plug_flush(&plug);
	folio_lock(folio);
	assert_false(folio_test(folio, PG_writeback) || folio_test(folio, PG_dirty));
	assert_true(swap_cache_remove_frozen(folio));
	folio_unlock(folio);
	folio_free(folio);
	return swp;
}

static void test_header(void **state)
{
	static const struct {
		u64 pos;
		u32 value;
	} wrong[] = {
		{ HEADER_MAGIC + 4, 0 },   { HEADER_VERSION, 0 },
		{ HEADER_VERSION, 2 },	   { HEADER_VERSION, 0x01000000 },
		{ HEADER_LAST_PAGE, 0 },   { HEADER_LAST_PAGE, 16 },
		{ HEADER_LAST_PAGE, ~0u }, { HEADER_NR_BAD, 638 },
		{ HEADER_NR_BAD, ~0u },	   { HEADER_NR_BAD, 1 } /* page 0 */,
		{ HEADER_NR_BAD, 15 },
	};
	struct file *f = sim_file(0, true);
	struct block_device *dev;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		dev = swap_device_create(16);
		put32(dev, wrong[i].pos, wrong[i].value);
		assert_int_equal(swap_area_on(f, dev, -1), -EINVAL);
		sim_block_destroy(dev);
	}
	dev = swap_device_create(16);
	put32(dev, HEADER_NR_BAD, 1);
	put32(dev, HEADER_BAD, 16);
	assert_int_equal(swap_area_on(f, dev, -1), -EINVAL);
	sim_block_fail(dev, true, false);
	assert_int_equal(swap_area_on(f, dev, -1), -EIO);
	sim_block_fail(dev, false, false);
	put32(dev, HEADER_BAD, 15);
	assert_int_equal(swap_area_on(f, dev, -1), 0);
	assert_int_equal(swap_area_on(f, dev, -1), -EBUSY);
	assert_int_equal(swap_total_pages(), 14);
	assert_int_equal(swap_free_pages(), 14);
	swap_off(dev);
	for (unsigned int nth = 1; nth < 6; nth++) {
		dev = swap_device_create(2000);
		fail_at(FAIL_ALLOC_PAGES, nth);
		assert_int_equal(swap_area_on(f, dev, -1), -ENOMEM);
		sim_block_destroy(dev);
	}
	file_put(f);
}

/* Consecutive pages get consecutive slots, none twice, bad ones never; what is freed is found again. */
static void test_slots(void **state)
{
	struct block_device *dev = swap_device_create(1200);
	struct folio *folios[1194];
	struct file *f = sim_file(0, true);

	(void)state;
	put32(dev, HEADER_NR_BAD, 5);
	for (u32 i = 0; i < 5; i++)
		put32(dev, HEADER_BAD + 4 * i, 100 * i + 50);
	assert_int_equal(swap_area_on(f, dev, -1), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(folios); i++) {
		folios[i] = new_page(0);
		assert_true(give_slot(folios[i]));
		if (i)
			assert_in_range(folios[i]->swap, folios[i - 1]->swap + 1,
					folios[i - 1]->swap + 2);
		assert_true(i >= 500 || folios[i]->swap % 100 != 50);
	}
	assert_int_equal(swap_free_pages(), 0);
	swap_validate();
	{
		struct folio *more = new_page(0);

		assert_false(give_slot(more));
		folio_put(more);
	}
	for (unsigned int round = 0; round < 2000; round++) {
		unsigned int i = (unsigned int)t_below(ARRAY_SIZE(folios)),
			     j = (unsigned int)t_below(ARRAY_SIZE(folios));

		take_slot(folios[i]);
		if (j != i)
			take_slot(folios[j]);
		assert_true(give_slot(folios[i]));
		if (j != i)
			assert_true(give_slot(folios[j]));
		if (round % 100 == 0)
			swap_validate();
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(folios); i++) {
		take_slot(folios[i]);
		folio_put(folios[i]);
	}
	assert_int_equal(swap_free_pages(), ARRAY_SIZE(folios));
	swap_off(dev);
	file_put(f);
}

/* The highest priority first; equals take turns, a chunk each; unspecified ones in the order they came. */
static void test_priorities(void **state)
{
	struct block_device *devs[4] = { swap_on(600, -1), swap_on(2000, 5), swap_on(2000, 5),
					 swap_on(600, -1) };
	static const unsigned int expected[] = { 1, 2, 1, 2, 1, 2, 1, 2, 0, 0, 3, 3 };
	static const int prios[] = { -2, 5, 5, -3 };
	struct folio *folios[599 * 2 + 1999 * 2];

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(folios); i++) {
		folios[i] = new_page(0);
		assert_true(give_slot(folios[i]));
	}
	for (unsigned int i = 0, n = 0; i < ARRAY_SIZE(folios); n++) {
		unsigned int last = expected[n] % 3 ? 1999 : 599;

		assert_int_equal(swp_area(folios[i]->swap), expected[n]);
		i += min(512U - (unsigned int)swp_offset(folios[i]->swap) % 512,
			 last + 1 - (unsigned int)swp_offset(folios[i]->swap));
	}
	for (unsigned int i = 0; i < 4; i++) {
		struct swap_area_info info;

		assert_true(swap_area_info(i, &info));
		assert_int_equal(info.prio, prios[i]);
		assert_int_equal(info.used, info.pages);
		file_put(info.file);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(folios); i++) {
		take_slot(folios[i]);
		folio_put(folios[i]);
	}
	for (unsigned int i = 0; i < 4; i++)
		swap_off(devs[i]);
}

/* Out and in again: contents, the cache finds it, readahead brings the neighbours. */
static void test_read_back(void **state)
{
	struct block_device *dev = swap_on(64, -1);
	unsigned long in = stat_read(PSWPIN), out = stat_read(PSWPOUT),
		      hits = stat_read(SWAP_RA_HIT);
	swp_entry_t swps[16];
	struct folio *folio;
	u8 io = 0;

	(void)state;
	for (unsigned int i = 0; i < 16; i++) {
		swps[i] = evict(new_page((u8)(i + 1)));
		assert_int_equal(swp_offset(swps[i]), i + 1);
	}
	assert_int_equal(stat_read(PSWPOUT) - out, 16);
	assert_null(swap_cache_get(swps[3]));
	for (unsigned int i = 0; i < 16; i++) {
		folio = swap_cache_read(swps[i], &io);
		assert_false(IS_ERR(folio));
		folio_lock(folio);
		assert_true(folio_test(folio, PG_uptodate) && folio->swap == swps[i]);
		assert_int_equal(*(u8 *)folio_address(folio), i + 1);
		assert_int_equal(((u8 *)folio_address(folio))[PG - 1], i + 1);
		folio_unlock(folio);
		folio_put(folio);
	}
	assert_int_equal(stat_read(PSWPIN) - in, 16);
	assert_true(stat_read(SWAP_RA_HIT) - hits > 8);
	assert_int_equal(stat_read(NR_SWAPCACHED), 16);
	for (unsigned int i = 0; i < 16; i++) {
		swap_slot_dup(swps[i]);
		swap_slot_put(swps[i]);
		assert_int_equal(swap_slot_count(swps[i]), 1);
		swap_slot_put(swps[i]);
		assert_null(swap_cache_get(swps[i]));
	}
	/* A stale entry is nothing. */
	assert_int_equal(PTR_ERR(swap_cache_read(swps[0], &io)), -ENOENT);
	assert_int_equal(PTR_ERR(swap_cache_read(swp_entry(7, 1), &io)), -ENOENT);
	assert_int_equal(PTR_ERR(swap_cache_read(swp_entry(0, 64), &io)), -ENOENT);
	assert_int_equal(PTR_ERR(swap_cache_read(swp_entry(SWP_MARKER, 1), &io)), -ENOENT);
	assert_int_equal(stat_read(NR_SWAPCACHED), 0);
	assert_int_equal(swap_free_pages(), 63);
	swap_off(dev);
}

/* The last entry goes while the folio is locked: who unlocks it frees the slot. */
static void test_last_entry_while_locked(void **state)
{
	struct block_device *dev = swap_on(16, -1);
	struct folio *folio = new_page(1);
	swp_entry_t swp;

	(void)state;
	folio_lock(folio);
	assert_true(swap_cache_add(folio));
	swp = folio->swap;
	swap_slot_dup(swp);
	assert_false(swap_cache_try_free(folio));
	swap_slot_put(swp);
	assert_true(folio_test(folio, PG_swapcache));
	swap_folio_unlock(folio);
	assert_false(folio_test(folio, PG_swapcache));
	folio_put(folio);
	swap_off(dev);
}

/* The last step of reclaim wants the folio for itself, and clean. */
static void test_frozen(void **state)
{
	struct block_device *dev = swap_on(16, -1);
	struct swap_plug plug = { NULL };
	struct folio *folio = new_page(1);

	(void)state;
	folio_lock(folio);
	assert_true(swap_cache_add(folio));
	assert_false(swap_cache_remove_frozen(folio));
	swap_writeout(folio, &plug);
	swap_plug_flush(&plug);
	folio_lock(folio);
	/* The write ended, and no entry named the slot: it is free already. */
	assert_false(folio_test(folio, PG_swapcache));
	folio_unlock(folio);
	folio_put(folio);
	swap_off(dev);
}

/* What cannot be written stays dirty, in memory; what cannot be read is not up to date, and is tried again. */
static void test_errors(void **state)
{
	struct block_device *dev = swap_on(16, -1);
	struct swap_plug plug = { NULL };
	struct folio *folio = new_page(7);
	unsigned long errors = stat_read(SWAP_WRITE_ERROR);
	swp_entry_t swp;
	u8 io = 0;

	(void)state;
	folio_lock(folio);
	assert_true(swap_cache_add(folio));
	swp = folio->swap;
	swap_slot_dup(swp);
	sim_block_fail(dev, true, true);
	swap_writeout(folio, &plug);
	swap_plug_flush(&plug);
	assert_int_equal(stat_read(SWAP_WRITE_ERROR) - errors, 1);
	folio_lock(folio);
	assert_true(folio_test(folio, PG_dirty) && folio_test(folio, PG_error));
	assert_false(swap_cache_remove_frozen(folio));
	sim_block_fail(dev, true, false);
	swap_writeout(folio, &plug);
	swap_plug_flush(&plug);
	folio_lock(folio);
	assert_false(folio_test(folio, PG_dirty) || folio_test(folio, PG_error));
	assert_true(swap_cache_remove_frozen(folio));
	folio_unlock(folio);
	folio_free(folio);

	folio = swap_cache_read(swp, &io);
	assert_true(io);
	folio_lock(folio);
	assert_false(folio_test(folio, PG_uptodate));
	swap_cache_forget(folio);
	folio_unlock(folio);
	folio_put(folio);
	assert_int_equal(swap_slot_count(swp), 1);
	sim_block_fail(dev, false, false);
	io = 0;
	folio = swap_cache_read(swp, &io);
	assert_true(io && folio_test(folio, PG_uptodate));
	assert_int_equal(*(u8 *)folio_address(folio), 7);
	folio_put(folio);
	fail_at(FAIL_ALLOC_PAGES, 1);
	swap_slot_put(swp);
	fail_at(FAIL_ALLOC_PAGES, 0);
	swap_off(dev);
}

/* ---- the end of a write ---- */

/* A task that waits for something, until it is over. */
struct waiter {
	pthread_t thread;
	void (*wait)(struct folio *folio);
	struct folio *folio;
	struct task *task;
	bool over;
};

static void *waiter_main(void *arg)
{
	struct waiter *w = arg;

	sim_cpu.id = 1;
	__atomic_store_n(&w->task, park_self(), __ATOMIC_RELEASE);
	w->wait(w->folio);
	__atomic_store_n(&w->over, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool is_asleep(struct waiter *w)
{
	struct task *task = __atomic_load_n(&w->task, __ATOMIC_ACQUIRE);

	return task && !park_on_cpu(task);
}

static bool is_over(struct waiter *w)
{
	return __atomic_load_n(&w->over, __ATOMIC_ACQUIRE);
}

/* For ten seconds at most. */
static bool becomes(bool (*what)(struct waiter *w), struct waiter *w)
{
	for (unsigned int i = 0; i < 10000 && !what(w); i++)
		usleep(1000);
	return what(w);
}

/* Somebody who has written so much that he waits for the limit of dirty pages; there is no flusher. */
static void wait_for_limit(struct folio *unused)
{
	(void)unused;
	count_dirtied(~0u / 2);
	balance_dirty();
}

/* Who waits for the folio's write, and who waits for the number of pages that are being written, is told of its end. */
static void test_end_of_write(void **state)
{
	static void (*const waits[])(struct folio * folio) = { folio_wait_writeback,
							       wait_for_limit };
	struct block_device *dev = swap_on(16, -1);
	unsigned long ratio = knob_dirty_ratio;

	(void)state;
	knob_dirty_ratio = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(waits); i++) {
		struct waiter w = { .wait = waits[i], .folio = new_page(1) };
		struct swap_plug plug = { NULL };

		folio_lock(w.folio);
		assert_true(swap_cache_add(w.folio));
		swap_writeout(w.folio, &plug);
		assert_int_equal(pthread_create(&w.thread, NULL, waiter_main, &w), 0);
		assert_true(becomes(is_asleep, &w));
		swap_plug_flush(&plug);
		if (!becomes(is_over, &w))
			fail_msg("nobody woke the waiter");
		pthread_join(w.thread, NULL);
		folio_put(w.folio);
	}
	knob_dirty_ratio = ratio;
	swap_off(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		S(test_header),
		S(test_slots),
		S(test_priorities),
		S(test_read_back),
		S(test_last_entry_while_locked),
		S(test_frozen),
		S(test_errors),
		S(test_end_of_write),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests_name("swap", tests, NULL, NULL);
}
