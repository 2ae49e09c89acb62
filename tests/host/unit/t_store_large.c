/* SPDX-License-Identifier: MIT
 *
 * Large folios of files with a backing store: who gets them, what a fault maps, what is written of them, what becomes of
 * them when the device fails or shrinks, when they are locked, split, moved and reclaimed.
 */
#include "../../../mm/large.h"
#include "../../../mm/lru.h"
#include "../../../mm/reclaim.h"
#include "migrate_now.h"
#include "store.h"

static void begin(unsigned int order, unsigned long bytes)
{
	knob_readahead_order = order;
	knob_readahead_kb = max(128UL, 4UL << order);
	sim_caller.ipc_lock = true;
	open_device(bytes);
}

static void end(void)
{
	knob_readahead_order = 0;
	knob_readahead_kb = 128;
	assert_int_equal(m->nr_dirty + m->nr_writeback, 0);
	close_device();
	assert_int_equal(stat_read(NR_FILE_PAGES), 0);
	assert_int_equal(stat_read(NR_FILE_MAPPED), 0);
	assert_int_equal(stat_read(NR_FILE_DIRTY), 0);
	assert_int_equal(stat_read(NR_FILE_THPS), 0);
	assert_int_equal(stat_read(NR_FILE_PMDMAPPED), 0);
	assert_int_equal(stat_read(NR_MLOCK), 0);
}

/* Four folios of the order, read. */
static unsigned long begin_read(unsigned int order)
{
	unsigned long pages = 4UL << order;

	begin(order, pages * PG);
	filemap_willneed(m, 0, pages);
	(void)sim_block_counts(dev);
	return pages;
}

static struct folio *folio_at(unsigned long page)
{
	struct folio *folio = filemap_get_folio(m, page);

	assert_non_null(folio);
	folio_put(folio);
	return folio;
}

static void each_order(void **state, void (*fn)(struct mm *mm, unsigned int order))
{
	for (unsigned int order = THP_MIN_ORDER; order <= PMD_ORDER; order++)
		fn(*state, order);
}

/* Pages from page on have these contents, by way of read(2). */
static void expect_bytes(unsigned long page, unsigned long n)
{
	for (unsigned long i = page; i < page + n; i++)
		assert_int_equal(read_byte(NULL, i, 1), (u8)(i + 1));
}

/* ---- who gets them ---- */

static void test_grow(void **state)
{
	static const struct {
		unsigned long page;
		unsigned int order;
	} expect[] = { { 0, 2 },  { 4, 2 },  { 8, 3 },	{ 16, 4 },
		       { 32, 4 }, { 48, 4 }, { 64, 5 }, { 96, 5 } };
	struct file_ra ra = { 0 };

	(void)state;
	begin(5, PAGES * PG);
	for (unsigned long i = 0; i < PAGES; i++)
		assert_int_equal(read_byte(&ra, i, 1), (u8)(i + 1));
	for (unsigned int i = 0; i < ARRAY_SIZE(expect); i++) {
		assert_int_equal(folio_at(expect[i].page)->index, expect[i].page);
		assert_int_equal(folio_at(expect[i].page)->order, expect[i].order);
	}
	assert_int_equal(stat_read(NR_FILE_PAGES), PAGES);
	end();
}

/* Around what is there, and up to the end of the file, which is in the middle of a page. */
static void test_gaps(void **state)
{
	(void)state;
	begin(3, 29 * PG + 512);
	assert_int_equal(read_byte(NULL, 13, 1), 14);
	filemap_willneed(m, 0, PAGES);
	assert_int_equal(folio_at(0)->order, 3);
	assert_int_equal(folio_at(8)->order, 2);
	assert_int_equal(folio_at(12)->order, 0);
	assert_int_equal(folio_at(14)->order, 0);
	assert_int_equal(folio_at(16)->order, 3);
	assert_int_equal(folio_at(24)->order, 2);
	assert_int_equal(folio_at(28)->order, 0);
	assert_int_equal(folio_at(29)->order, 0);
	assert_int_equal(mapping_nr_pages(m), 30);
	expect_bytes(0, 30);
	end();
}

static void test_no_block(void **state)
{
	(void)state;
	begin(4, 16 * PG);
	fail_at(FAIL_ALLOC_PAGES, 1);
	filemap_willneed(m, 0, 16);
	fail_at(FAIL_ALLOC_PAGES, 0);
	assert_int_equal(folio_at(0)->order, 3);
	assert_int_equal(folio_at(8)->order, 3);
	expect_bytes(0, 16);
	end();
}

static void one_request(struct mm *mm __maybe_unused, unsigned int order)
{
	unsigned long pages = 4UL << order;

	begin(order, pages * PG);
	filemap_willneed(m, 0, pages);
	expect_io(BIO_READ, max(pages >> PMD_ORDER, 1UL), pages);
	assert_int_equal(folio_at(pages - 1)->order, order);
	expect_bytes(0, pages);
	assert_int_equal(filemap_drop_clean(m, 1, pages - 2), pages / 2);
	assert_int_equal(filemap_drop_clean(m, 0, pages), pages / 2);
	end();
}

static void test_one_request(void **state)
{
	each_order(state, one_request);
}

/* ---- faults ---- */

static void mapped(struct mm *mm, unsigned int order)
{
	unsigned long pages = begin_read(order), n = 1UL << order;

	t_map_file(mm, B, pages, RW, MAP_SHARED, file, 0);
	assert_int_equal(sim_peek(mm, AT(n)), (u8)(n + 1));
	/* All of it, and of those that are smaller what is around. */
	assert_int_equal(mm_rss(mm), max(n, 16UL));
	assert_int_equal(stat_read(NR_FILE_MAPPED), max(n, 16UL));
	assert_false(pte_write(sim_pte(mm, AT(n))));
	for (unsigned long i = 0; i < pages; i++)
		assert_int_equal(sim_peek(mm, AT(i)), (u8)(i + 1));
	assert_int_equal(mm_rss(mm), pages);
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, AT(n + 1), PG), 0);
	assert_int_equal(stat_read(NR_FILE_MAPPED), pages - 1);
	assert_int_equal(mm_munmap(mm, B, pages * PG), 0);
	end();
}

static void test_mapped(void **state)
{
	each_order(state, mapped);
}

/* The mapping does not begin where folios do, nor is it as large. */
static void test_mapped_askew(void **state)
{
	struct mm *mm = *state;
	unsigned long pages = begin_read(4);

	t_map_file(mm, B, 40, PROT_READ, MAP_SHARED, file, 5);
	for (unsigned long i = 0; i < 40; i++)
		assert_int_equal(sim_peek(mm, AT(i)), (u8)(i + 6));
	assert_int_equal(mm_rss(mm), 40);
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, B, 40 * PG), 0);
	assert_int_equal(filemap_drop_clean(m, 0, pages), pages);
	end();
}

static void test_private(void **state)
{
	struct mm *mm = *state;
	unsigned long pages = begin_read(4);

	t_map_file(mm, B, pages, RW, MAP_PRIVATE, file, 0);
	sim_poke(mm, AT(5), 200);
	assert_int_equal(sim_peek(mm, AT(6)), 7);
	sim_poke(mm, AT(6), 201);
	assert_int_equal(m->nr_dirty, 0);
	expect_bytes(0, pages);
	assert_int_equal(sim_peek(mm, AT(5)), 200);
	assert_int_equal(mm_munmap(mm, B, pages * PG), 0);
	end();
}

/* ---- dirty and written ---- */

static void written(struct mm *mm, unsigned int order)
{
	unsigned long pages = begin_read(order), n = 1UL << order;
	u32 since = 0;

	t_map_file(mm, B, pages, RW, MAP_SHARED, file, 0);
	sim_peek(mm, AT(n));
	sim_poke(mm, AT(n + 1), 201);
	assert_int_equal(m->nr_dirty, n);
	assert_int_equal(stat_read(NR_FILE_DIRTY), n);
	/* Found from any of its pages, and not from those beside it. */
	assert_int_equal(filemap_sync(m, 0, n * PG, &since), 0);
	assert_int_equal(filemap_sync(m, 2 * n * PG, pages * PG, &since), 0);
	expect_io(BIO_WRITE, 0, 0);
	assert_int_equal(filemap_sync(m, (2 * n - 1) * PG, 2 * n * PG, &since), 0);
	expect_io(BIO_WRITE, 1, n);
	assert_int_equal(*stored(n + 1), 201);
	assert_int_equal(*stored(n + 2), (u8)(n + 3));
	assert_int_equal(m->nr_dirty + m->nr_writeback, 0);
	for (unsigned long i = n; i < 2 * n; i++)
		assert_false(sim_pte(mm, AT(i)) & (PTE_W | PTE_D));
	t_validate(mm);
	/* A write to each page of two of them, by their first fault: one request. */
	for (unsigned long i = 2 * n; i < 4 * n; i++)
		sim_poke(mm, AT(i), 77);
	assert_int_equal(filemap_sync(m, 0, pages * PG, &since), 0);
	expect_io(BIO_WRITE, 1, 2 * n);
	for (unsigned long i = 2 * n; i < 4 * n; i++)
		assert_int_equal(*stored(i), 77);
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, B, pages * PG), 0);
	end();
}

static void test_written(void **state)
{
	each_order(state, written);
}

static void test_overwrite(void **state)
{
	(void)state;
	begin_read(3);
	overwrite(9, 99, 0);
	assert_int_equal(m->nr_dirty, 8);
	assert_int_equal(read_byte(NULL, 9, 1), 99);
	assert_int_equal(read_byte(NULL, 10, 1), 11);
	filemap_writeback(m, 0, 31, true);
	assert_int_equal(*stored(9), 99);
	assert_int_equal(*stored(10), 11);
	end();
}

/* Dirty again while it is being written: nobody comes to it twice in one pass. */
static void test_written_to_meanwhile(void **state)
{
	(void)state;
	begin_read(3);
	overwrite(9, 98, 0);
	sim_block_begin_serving(dev);
	assert_int_equal(filemap_writeback(m, 0, 31, false), 1);
	overwrite(10, 99, 0);
	assert_int_equal(filemap_writeback(m, 0, 31, false), 1);
	assert_int_equal(filemap_writeback(m, 15, 31, false), 1);
	assert_int_equal(filemap_writeback(m, 16, 31, false), 0);
	sim_block_stop_serving(dev);
	sim_block_serve(dev);
	assert_int_equal(filemap_writeback(m, 0, 31, true), 1);
	assert_int_equal(*stored(9), 98);
	assert_int_equal(*stored(10), 99);
	end();
}

/* The error is told once, and the folio stays dirty as a whole. */
static void test_write_errors(void **state)
{
	u32 since = 0;

	(void)state;
	begin_read(3);
	overwrite(9, 99, 0);
	sim_block_fail(dev, false, true);
	assert_int_equal(filemap_sync(m, 0, 32 * PG, &since), -EIO);
	assert_int_equal(m->nr_dirty, 8);
	assert_true(page_is(15, PG_error));
	assert_int_equal(mapping_check_error(m, &since), 0);
	sim_block_fail(dev, false, false);
	assert_int_equal(filemap_sync(m, 0, 32 * PG, &since), 0);
	assert_int_equal(*stored(9), 99);
	end();
}

/* ---- devices that fail and shrink ---- */

static void bad_page(struct mm *mm, unsigned int order)
{
	unsigned long pages = 4UL << order, bad = (1UL << order) + 1;

	begin(order, pages * PG);
	sim_block_fail_page(dev, bad);
	filemap_willneed(m, 0, pages);
	t_map_file(mm, B, pages, RW, MAP_SHARED, file, 0);
	for (unsigned long i = 0; i < pages; i += i + 3 < bad && order > 5 ? 61 : 1) {
		bool ok = i != bad;

		assert_int_equal(read_byte(NULL, i, 1), ok ? (u8)(i + 1) : -EIO);
		assert_int_equal(sim_touch(mm, AT(i), FAULT_READ), ok ? FAULT_DONE : FAULT_BUS);
	}
	assert_int_equal(read_byte(NULL, bad, 1), -EIO);
	/* The next access tries again. */
	sim_block_fail_page(dev, 0);
	assert_int_equal(sim_peek(mm, AT(bad)), (u8)(bad + 1));
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, B, pages * PG), 0);
	end();
}

static void test_bad_page(void **state)
{
	each_order(state, bad_page);
}

/* A write of a whole page reads nothing: what could not be read before is no better for it. */
static void test_overwrite_unread(void **state)
{
	(void)state;
	begin(3, 32 * PG);
	sim_block_fail_page(dev, 2);
	filemap_willneed(m, 0, 8);
	overwrite(3, 33, 0);
	sim_block_fail_page(dev, 0);
	assert_int_equal(m->nr_dirty, 1);
	assert_int_equal(read_byte(NULL, 2, 1), 3);
	assert_int_equal(read_byte(NULL, 3, 1), 33);
	filemap_writeback(m, 0, 31, true);
	assert_int_equal(*stored(3), 33);
	end();
}

static void shrunk(struct mm *mm, unsigned int order)
{
	unsigned long pages = begin_read(order), n = 1UL << order, cut = n + 2;
	u32 since = 0;

	t_map_file(mm, B, pages, RW, MAP_SHARED, file, 0);
	sim_poke(mm, AT(n + 1), 201);
	sim_peek(mm, AT(2 * n));
	sim_block_resize(dev, cut * PG + 512);
	/* What is there of the folio is written, and that it was not all is told. */
	assert_int_equal(filemap_sync(m, 0, pages * PG, &since), -EIO);
	assert_int_equal(*stored(n + 1), 201);
	writeback_wake(0);
	writeback_once();
	assert_int_equal(mapping_nr_pages(m), cut + 1);
	assert_int_equal(folio_at(0)->order, order);
	assert_int_equal(folio_at(n)->order, 0);
	assert_int_equal(sim_touch(mm, AT(cut + 1), FAULT_READ), FAULT_BUS);
	assert_int_equal(sim_peek(mm, AT(n + 1)), 201);
	assert_int_equal(sim_peek(mm, AT(cut) + 511), (u8)(cut + 1));
	assert_int_equal(sim_peek(mm, AT(cut) + 512), 0);
	assert_int_equal(filemap_sync(m, 0, pages * PG, &since), 0);
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, B, pages * PG), 0);
	end();
}

static void test_shrunk(void **state)
{
	each_order(state, shrunk);
}

/* The device ends within a folio before it is read. */
static void test_read_over_end(void **state)
{
	(void)state;
	begin(4, 64 * PG);
	sim_block_resize(dev, 20 * PG + 512);
	filemap_willneed(m, 0, 64);
	expect_bytes(0, 21);
	assert_int_equal(read_byte(NULL, 21, 1), -EIO);
	assert_int_equal(read_byte(NULL, 40, 1), -EIO);
	writeback_wake(0);
	writeback_once();
	assert_int_equal(mapping_nr_pages(m), 21);
	filemap_writeback(m, 0, 63, true); /* the last page: zeroes beyond the end */
	end();
}

/* ---- locked, split, moved, reclaimed ---- */

static void locked(struct mm *mm, unsigned int order)
{
	unsigned long pages = begin_read(order), n = 1UL << order;

	t_map_file(mm, B, pages, RW, MAP_SHARED, file, 0);
	assert_int_equal(mm_mlock(mm, B, pages * PG, false), 0);
	assert_int_equal(stat_read(NR_MLOCK), pages);
	assert_true(page_is(n, PG_unevictable));
	/* Of the second one a page is not: it is where reclaim finds it. */
	assert_int_equal(mm_munlock(mm, AT(n + 1), PG), 0);
	assert_int_equal(stat_read(NR_MLOCK), pages - 1);
	assert_false(page_is(n, PG_unevictable));
	assert_true(page_is(0, PG_unevictable) && page_is(pages - 1, PG_unevictable));
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, B, pages * PG), 0);
	assert_int_equal(stat_read(NR_UNEVICTABLE), 0);
	end();
}

static void test_locked(void **state)
{
	each_order(state, locked);
}

/* The pieces are dirty, and each is found. */
static void split_dirty(struct mm *mm, unsigned int order)
{
	unsigned long pages = begin_read(order), n = 1UL << order;
	struct folio *folio = filemap_get_folio(m, n);

	t_map_file(mm, B, pages, RW, MAP_SHARED, file, 0);
	sim_poke(mm, AT(n + 1), 201);
	assert_true(split_mapped_folio(folio));
	folio_put(folio);
	assert_int_equal(m->nr_dirty, n);
	assert_int_equal(folio_at(n + 2)->index, n + 2);
	assert_true(page_is(2 * n - 1, PG_dirty));
	t_validate(mm);
	filemap_writeback(m, n + 1, n + 1, true);
	assert_int_equal(m->nr_dirty, n - 1);
	assert_int_equal(*stored(n + 1), 201);
	assert_int_equal(filemap_writeback(m, 0, pages, true), n - 1);
	assert_int_equal(filemap_drop_clean(m, 0, pages), pages - n);
	assert_int_equal(mm_munmap(mm, B, pages * PG), 0);
	end();
}

static void test_split_dirty(void **state)
{
	each_order(state, split_dirty);
}

static void migrated(struct mm *mm, unsigned int order)
{
	unsigned long pages = begin_read(order), n = 1UL << order;
	struct folio *old = folio_at(n);

	t_map_file(mm, B, pages, RW, MAP_SHARED, file, 0);
	sim_poke(mm, AT(n + 1), 201);
	assert_true(migrate_now(old, MIGRATE_SYNC));
	assert_ptr_not_equal(folio_at(n), old);
	assert_int_equal(folio_at(n)->order, order);
	assert_int_equal(m->nr_dirty, n);
	assert_int_equal(sim_peek(mm, AT(n + 1)), 201);
	filemap_writeback(m, 2 * n - 1, 2 * n - 1, true);
	assert_int_equal(*stored(n + 1), 201);
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, B, pages * PG), 0);
	end();
}

static void test_migrated(void **state)
{
	each_order(state, migrated);
}

/* Clean ones go as a whole, and count as refaults page by page when they come back; a partly locked one goes in part. */
static void reclaimed(struct mm *mm, unsigned int order)
{
	unsigned long pages = begin_read(order), n = 1UL << order;
	unsigned long before = stat_read(WORKINGSET_REFAULT_FILE);

	t_map_file(mm, B, pages, RW, MAP_SHARED, file, 0);
	for (unsigned long i = 0; i < pages; i++)
		sim_peek(mm, AT(i));
	assert_int_equal(mm_mlock(mm, AT(n), PG, false), 0);
	for (unsigned int i = 0; i < 200 && mapping_nr_pages(m) > 1; i++)
		(void)try_to_free_pages(0);
	assert_int_equal(mapping_nr_pages(m), 1);
	assert_int_equal(mm_rss(mm), 1);
	t_validate(mm);
	filemap_willneed(m, 0, n);
	/* Some may be forgotten: those of the tests before are remembered, too. */
	assert_in_range(stat_read(WORKINGSET_REFAULT_FILE) - before, n - n / 16, n);
	expect_bytes(0, pages);
	assert_int_equal(mm_munmap(mm, B, pages * PG), 0);
	end();
}

static void test_reclaimed(void **state)
{
	each_order(state, reclaimed);
}

/* Those that lie in the range go at once, the others in part. */
static void paged_out(struct mm *mm, unsigned int order)
{
	unsigned long pages = begin_read(order), n = 1UL << order;

	t_map_file(mm, B, pages, RW, MAP_SHARED, file, 0);
	for (unsigned long i = 0; i < pages; i++)
		sim_peek(mm, AT(i));
	assert_int_equal(mm_madvise(mm, AT(1), 2 * n * PG, MADV_PAGEOUT), 0);
	assert_int_equal(mapping_nr_pages(m), pages - 2 * n);
	assert_int_equal(mm_rss(mm), pages - 2 * n);
	assert_int_equal(folio_at(0)->order, 0);
	assert_int_equal(folio_at(3 * n)->order, order);
	for (unsigned long i = 0; i < pages; i++)
		assert_int_equal(sim_peek(mm, AT(i)), (u8)(i + 1));
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, B, pages * PG), 0);
	end();
}

static void test_paged_out(void **state)
{
	each_order(state, paged_out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_grow),
		T(test_gaps),
		T(test_no_block),
		T_MM(test_one_request),
		T_MM(test_mapped),
		T_MM(test_mapped_askew),
		T_MM(test_private),
		T_MM(test_written),
		T(test_overwrite),
		T(test_written_to_meanwhile),
		T(test_write_errors),
		T_MM(test_bad_page),
		T(test_overwrite_unread),
		T_MM(test_shrunk),
		T(test_read_over_end),
		T_MM(test_locked),
		T_MM(test_split_dirty),
		T_MM(test_migrated),
		T_MM(test_reclaimed),
		T_MM(test_paged_out),
	};

	sim_boot(T_FRAMES);
	workingset_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
