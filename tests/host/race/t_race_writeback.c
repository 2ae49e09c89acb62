/* SPDX-License-Identifier: MIT
 *
 * Threads that write to a block device's file, through mappings and without, against write-back, hole punching, unmapping
 * and the dropping of clean pages. Every byte written before a successful sync began is on the device when it returns.
 */
#include "crew.h"
#include <mm/writeback.h>

#define B 0xb0000000UL
#define C 0xc0000000UL
#define PAGES 512UL
#define KEPT 384UL /* the pages that no hole takes */
#define SYNCS 250
#define NR_WRITERS 2

static struct mm *mm;
static struct block_device *dev;
static struct file *file;
static struct mapping *m;

/* The last value that was written to a page; each page has one writer, and values go up. */
static u8 written[PAGES];

/* The device may read the page at the same time: that is what is tested, and no defect. */
__attribute__((no_sanitize("thread"))) static void store_byte(struct folio *folio,
							      unsigned long page, u8 value)
{
	*(volatile u8 *)folio_byte(folio, page * PG) = value;
}

static bool write_cached(unsigned long page, u8 value)
{
	struct folio *folio = filemap_read_folio(m, NULL, page, 1);

	if (IS_ERR(folio))
		return false;
	store_byte(folio, page, value);
	folio_mark_dirty_lock(folio);
	folio_put(folio);
	balance_dirty();
	return true;
}

static bool write_mapped(unsigned long base, unsigned long page, u8 value)
{
	enum fault_result r = sim_access(mm, base + page * PG, FAULT_WRITE, &value);

	BUG_ON(r != FAULT_DONE && page < KEPT && base == B);
	return r == FAULT_DONE;
}

/* The second place comes and goes, so that the last byte may not have got through. */
static void write_one(u64 *x, unsigned long id)
{
	unsigned long page = next_random(x) % (PAGES / NR_WRITERS) * NR_WRITERS + id;
	u8 value = (u8)(written[page] + 1);
	bool ok;

	switch (next_random(x) % 4) {
	case 0:
		ok = write_cached(page, value);
		break;
	case 1:
		ok = write_mapped(C, page, value);
		break;
	default:
		ok = write_mapped(B, page, value);
		break;
	}
	if (ok)
		__atomic_store_n(&written[page], value, __ATOMIC_RELEASE);
}

static void first_writer(u64 *x)
{
	while (!is_done())
		write_one(x, 0);
}

static void second_writer(u64 *x)
{
	while (!is_done())
		write_one(x, 1);
}

/* Not by a request, which would wait for those before it. */
__attribute__((no_sanitize("thread"))) static u8 on_device(unsigned long page)
{
	return *((volatile u8 *)sim_block_data(dev) + page * PG);
}

static void syncer(u64 *x)
{
	u8 before[KEPT];
	u32 since = 0;

	for (unsigned long i = 0; goes_on(i, SYNCS); i++) {
		for (unsigned long p = 0; p < KEPT; p++)
			before[p] = __atomic_load_n(&written[p], __ATOMIC_ACQUIRE);
		BUG_ON(filemap_sync(m, 0, KEPT * PG, &since));
		for (unsigned long n = 0; n < 64; n++) {
			unsigned long p = next_random(x) % KEPT;
			u8 now = on_device(p);

			if ((u8)(now - before[p]) > 127)
				panic("page %lu: %x was written, %x is on the device", p, before[p],
				      now);
		}
	}
}

static void puncher(u64 *x)
{
	while (!is_done()) {
		unsigned long first = KEPT + next_random(x) % (PAGES - KEPT);

		filemap_punch_hole(m, first * PG, PAGES * PG);
		host_yield();
	}
}

static void remapper(u64 *x)
{
	while (!is_done()) {
		unsigned long first = next_random(x) % PAGES;

		if (next_random(x) % 2)
			(void)mm_munmap(mm, C + first * PG, (PAGES - first) * PG);
		else
			t_map_file(mm, C, PAGES, RW, MAP_SHARED, file, 0);
	}
	(void)mm_munmap(mm, C, PAGES * PG);
}

static void dropper(u64 *x)
{
	while (!is_done()) {
		unsigned long first = next_random(x) % PAGES;

		(void)mm_madvise(mm, B + first * PG, min(16UL, PAGES - first) * PG, MADV_DONTNEED);
		(void)filemap_drop_clean(m, first, first + 64);
		if (knob_readahead_order)
			filemap_willneed(m, first, 64);
		writeback_wake(1);
		host_yield();
	}
}

static void flusher(u64 *x)
{
	(void)x;
	while (!is_done())
		writeback_once();
}

static void server(u64 *x)
{
	(void)x;
	sim_block_begin_serving(dev);
	sim_block_serve(dev);
}

static void test_writeback(void **state)
{
	static void (*const fns[])(u64 * x) = { server,	 syncer,   first_writer, second_writer,
						puncher, remapper, dropper,	 flusher };
	struct thread threads[ARRAY_SIZE(fns)];

	mm = *state;
	dev = sim_block_create(PAGES * PG);
	file = sim_block_file(dev);
	m = sim_file_mapping(file);
	sim_flush_yields = 3;
	/* low enough for writers to wait */
	knob_dirty_ratio = 1;
	knob_dirty_background_ratio = 1;
	t_map_file(mm, B, PAGES, RW, MAP_SHARED, file, 0);
	for (unsigned long i = 0; i < ARRAY_SIZE(fns); i++) {
		start(&threads[i], fns[i], i + 1);
	}
	pthread_join(threads[1].thread, NULL);
	set_done(true);
	for (unsigned long i = 2; i < ARRAY_SIZE(fns); i++) {
		writeback_wake(1);
		if (fns[i] != flusher)
			pthread_join(threads[i].thread, NULL);
	}
	writeback_wake(1);
	pthread_join(threads[ARRAY_SIZE(fns) - 1].thread, NULL);
	assert_int_equal(filemap_sync(m, 0, PAGES * PG, NULL), 0);
	sim_block_stop_serving(dev);
	pthread_join(threads[0].thread, NULL);
	t_validate(mm);
	for (unsigned long p = 0; p < KEPT; p++)
		assert_int_equal(*((u8 *)sim_block_data(dev) + p * PG), written[p]);
	assert_int_equal(m->nr_dirty + m->nr_writeback, 0);
	assert_int_equal(mm_munmap(mm, B, PAGES * PG), 0);
	file_put(file);
	sim_block_destroy(dev);
	memset(written, 0, sizeof(written));
	set_done(false);
}

/* Which a write makes dirty as a whole, and a hole splits. */
static void test_large_folios(void **state)
{
	knob_readahead_order = 5;
	test_writeback(state);
	knob_readahead_order = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { T_MM(test_writeback), T_MM(test_large_folios) };

	(void)host_seed();
	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
