/* SPDX-License-Identifier: MIT
 *
 * Files with a backing store: windows of read-ahead, what a folio owes to its store, errors, devices that shrink.
 */
#include "store.h"

#define WINDOW 32UL /* readahead_kb=128 */

/* ---- reading ahead ---- */

static void test_sequential(void **state)
{
	struct file_ra ra = { 0 };
	unsigned long requests = 0;

	(void)state;
	open_device(PAGES * PG);
	assert_int_equal(read_byte(&ra, 0, 1), 1);
	/* the first window, of 4 pages */
	expect_io(BIO_READ, 1, 4);
	assert_true(page_is(1, PG_readahead));
	/* its marker starts the next one, of 8, before it is used up */
	assert_int_equal(read_byte(&ra, 1, 1), 2);
	expect_io(BIO_READ, 1, 8);
	for (unsigned long i = 2; i < PAGES; i++) {
		assert_int_equal(read_byte(&ra, i, 1), (u8)(i + 1));
		requests += sim_block_counts(dev).requests[BIO_READ];
		assert_true(i > PAGES - WINDOW || is_cached(i + 1));
	}
	/* 16, then 32 at a time */
	assert_int_equal(requests, 1 + (PAGES - 28 + WINDOW - 1) / WINDOW);
	close_device();
}

static void test_large_reads(void **state)
{
	struct file_ra ra = { 0 };

	(void)state;
	open_device(PAGES * PG);
	/* more than a window is wanted at once: whole windows from the start */
	assert_int_equal(read_byte(&ra, 0, 64), 1);
	expect_io(BIO_READ, 1, WINDOW);
	close_device();
}

static void test_random(void **state)
{
	struct file_ra ra = { 0 };

	(void)state;
	open_device(PAGES * PG);
	assert_int_equal(read_byte(&ra, 100, 2), 101);
	expect_io(BIO_READ, 1, 2);
	assert_int_equal(read_byte(&ra, 50, 1), 51);
	expect_io(BIO_READ, 1, 1);
	/* the page after the last one: somebody reads in order from here */
	assert_int_equal(read_byte(&ra, 51, 1), 52);
	expect_io(BIO_READ, 1, 4);
	ra.how = RA_RANDOM;
	assert_int_equal(read_byte(&ra, 0, 1), 1);
	assert_int_equal(read_byte(&ra, 1, 1), 2);
	expect_io(BIO_READ, 2, 2);
	close_device();
}

/* Two readers with one state disturb each other, and the marker brings each back into step. */
static void test_two_readers(void **state)
{
	struct file_ra a = { 0 }, b = { 0 };

	(void)state;
	open_device(PAGES * PG);
	for (unsigned long i = 0; i < 40; i++)
		assert_int_equal(read_byte(&a, i, 1), (u8)(i + 1));
	(void)sim_block_counts(dev);
	/* b comes to what a has read, meets a's last marker, and goes on from where the cache ends */
	for (unsigned long i = 20; i < 100; i++)
		assert_int_equal(read_byte(&b, i, 1), (u8)(i + 1));
	assert_true(sim_block_counts(dev).requests[BIO_READ] <= 4);
	close_device();
}

static void test_off(void **state)
{
	struct file_ra ra = { 0 };
	unsigned long before = knob_readahead_kb;

	(void)state;
	open_device(PAGES * PG);
	knob_readahead_kb = 0;
	for (unsigned long i = 0; i < 5; i++)
		assert_int_equal(read_byte(&ra, i, 1), (int)i + 1);
	knob_readahead_kb = before;
	expect_io(BIO_READ, 5, 5);
	close_device();
}

static void test_willneed(void **state)
{
	(void)state;
	open_device(10 * PG + 512);
	filemap_willneed(m, 2, 3);
	expect_io(BIO_READ, 1, 3);
	filemap_willneed(m, 0, 1000);
	expect_io(BIO_READ, 2, 8);
	/* the last page is part of one; beyond are zeroes */
	assert_int_equal(read_byte(NULL, 10, 1), 11);
	close_device();
}

static void test_no_memory(void **state)
{
	struct file_ra ra = { 0 };
	int err;

	(void)state;
	open_device(PAGES * PG);
	for (unsigned long nth = 1;; nth++) {
		fail_at(FAIL_ALLOC_PAGES, nth);
		err = read_byte(&ra, 200 - nth, 1);
		fail_at(FAIL_ALLOC_PAGES, 0);
		if (err > 0)
			break;
		assert_int_equal(err, -ENOMEM);
	}
	close_device();
}

/* ---- faults ---- */

static void test_read_around(void **state)
{
	struct mm *mm = *state;

	open_device(PAGES * PG);
	t_map_file(mm, B, PAGES, RW, MAP_SHARED, file, 0);
	assert_int_equal(sim_peek(mm, AT(100)), 101);
	expect_io(BIO_READ, 1, WINDOW);
	assert_true(is_cached(84) && is_cached(115) && !is_cached(83) && !is_cached(116));
	assert_int_equal(sim_caller.major_faults, 1);
	assert_int_equal(sim_peek(mm, AT(101)), 102);
	assert_int_equal(sim_caller.major_faults, 1);

	assert_int_equal(mm_madvise(mm, B, PAGES * PG, MADV_RANDOM), 0);
	assert_int_equal(sim_peek(mm, AT(30)), 31);
	expect_io(BIO_READ, 1, 1);

	assert_int_equal(mm_madvise(mm, B, PAGES * PG, MADV_SEQUENTIAL), 0);
	for (unsigned long i = 150; i < 250; i++)
		assert_int_equal(sim_peek(mm, AT(i)), (u8)(i + 1));
	assert_true(sim_block_counts(dev).requests[BIO_READ] < 10);
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, B, PAGES * PG), 0);
	close_device();
}

static void test_populate(void **state)
{
	struct mm *mm = *state;

	open_device(PAGES * PG);
	t_map_file(mm, B, PAGES, RW, MAP_SHARED | MAP_POPULATE, file, 0);
	for (unsigned long i = 0; i < PAGES; i++)
		assert_true(pte_present(sim_pte(mm, AT(i))) && !pte_write(sim_pte(mm, AT(i))));
	assert_true(sim_block_counts(dev).requests[BIO_READ] < PAGES / 8);
	assert_int_equal(m->nr_dirty, 0);
	assert_int_equal(mm_madvise(mm, B, 3 * PG, MADV_POPULATE_WRITE), 0);
	assert_int_equal(m->nr_dirty, 3);
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, B, PAGES * PG), 0);
	close_device();
}

static void test_read_errors(void **state)
{
	struct file_ra ra = { 0 };
	struct mm *mm = *state;

	open_device(PAGES * PG);
	t_map_file(mm, B, PAGES, RW, MAP_SHARED, file, 0);
	sim_block_fail(dev, true, false);
	assert_int_equal(read_byte(&ra, 3, 1), -EIO);
	assert_int_equal(sim_touch(mm, AT(3), FAULT_READ), FAULT_BUS);
	assert_int_equal(sim_touch(mm, AT(70), FAULT_WRITE), FAULT_BUS);
	assert_int_equal(mm_madvise(mm, B, PG, MADV_POPULATE_READ), -EFAULT);
	/* the next access tries again */
	sim_block_fail(dev, false, false);
	assert_int_equal(read_byte(&ra, 3, 1), 4);
	assert_int_equal(sim_peek(mm, AT(70)), 71);
	assert_int_equal(m->nr_dirty, 0);
	assert_int_equal(mm_munmap(mm, B, PAGES * PG), 0);
	close_device();
}

/* ---- dirty and written ---- */

static void test_write_fault(void **state)
{
	struct mm *mm = *state;
	u32 since = 0;

	open_device(PAGES * PG);
	t_map_file(mm, B, PAGES, RW, MAP_SHARED, file, 0);
	sim_peek(mm, AT(5));
	assert_false(pte_write(sim_pte(mm, AT(5))));
	assert_false(page_is(5, PG_dirty));
	sim_poke(mm, AT(5), 99);
	sim_poke(mm, AT(6), 98);
	sim_poke(mm, AT(9), 97);
	assert_true(page_is(5, PG_dirty));
	assert_int_equal(m->nr_dirty, 3);
	assert_int_equal(stat_read(NR_FILE_DIRTY), 3);
	(void)sim_block_counts(dev);
	assert_int_equal(filemap_sync(m, 0, PAGES * PG, &since), 0);
	expect_io(BIO_WRITE, 2, 3);
	assert_int_equal(*stored(5), 99);
	assert_int_equal(*stored(6), 98);
	assert_int_equal(*stored(9), 97);
	/* clean again, and the next write is noticed */
	assert_int_equal(m->nr_dirty + m->nr_writeback, 0);
	assert_int_equal(stat_read(NR_FILE_DIRTY), 0);
	assert_false(pte_write(sim_pte(mm, AT(5))) || pte_dirty(sim_pte(mm, AT(5))));
	t_validate(mm);
	sim_poke(mm, AT(5), 55);
	assert_int_equal(*stored(5), 99);
	assert_int_equal(m->nr_dirty, 1);
	assert_int_equal(mm_munmap(mm, B, PAGES * PG), 0);
	assert_int_equal(filemap_sync(m, 5 * PG, 5 * PG + 1, &since), 0);
	assert_int_equal(*stored(5), 55);
	close_device();
}

/* The right to write comes from the fault alone, whatever happens to the vma. */
static void test_mprotect_keeps_tracking(void **state)
{
	struct mm *mm = *state, *child;

	open_device(PAGES * PG);
	t_map_file(mm, B, 8, PROT_READ, MAP_SHARED, file, 0);
	for (unsigned long i = 0; i < 8; i++)
		sim_peek(mm, AT(i));
	assert_int_equal(mm_mprotect(mm, B, 4 * PG, RW), 0);
	assert_false(pte_write(sim_pte(mm, AT(1))));
	sim_poke(mm, AT(1), 1);
	assert_int_equal(mm_mprotect(mm, B, 8 * PG, RW), 0);
	assert_true(pte_write(sim_pte(mm, AT(1))) && !pte_write(sim_pte(mm, AT(6))));
	child = mm_fork(mm);
	sim_poke(child, AT(6), 7);
	assert_int_equal(m->nr_dirty, 2);
	filemap_writeback(m, 0, ~0UL >> PAGE_SHIFT, true);
	assert_false(pte_write(sim_pte(mm, AT(1))) || pte_write(sim_pte(child, AT(6))));
	t_validate(mm);
	t_validate(child);
	sim_mm_put(child);
	assert_int_equal(mm_munmap(mm, B, 8 * PG), 0);
	close_device();
}

static void test_private(void **state)
{
	struct mm *mm = *state;

	open_device(PAGES * PG);
	t_map_file(mm, B, 8, RW, MAP_PRIVATE, file, 0);
	t_map_file(mm, AT(100), 8, RW, MAP_SHARED, file, 0);
	sim_poke(mm, AT(2), 200);
	assert_int_equal(m->nr_dirty, 0);
	sim_poke(mm, AT(103), 201);
	assert_int_equal(sim_peek(mm, AT(3)), 201);
	assert_int_equal(sim_peek(mm, AT(102)), 3);
	assert_int_equal(read_byte(NULL, 3, 1), 201);
	assert_int_equal(mm_munmap(mm, B, 200 * PG), 0);
	close_device();
}

static void test_overwrite(void **state)
{
	(void)state;
	open_device(PAGES * PG);
	overwrite(3, 33, 0);
	expect_io(BIO_READ, 0, 0);
	assert_int_equal(read_byte(NULL, 3, 1), 33);
	assert_int_equal(read_byte(NULL, 4, 1), 5);
	overwrite(4, 44, 0);
	assert_int_equal(read_byte(NULL, 4, 1), 44);
	/* over what could not be read */
	sim_block_fail(dev, true, false);
	assert_int_equal(read_byte(NULL, 7, 1), -EIO);
	overwrite(7, 77, 0);
	assert_int_equal(read_byte(NULL, 7, 1), 77);
	assert_int_equal(m->nr_dirty, 3);
	filemap_writeback(m, 0, 100, true);
	assert_int_equal(*stored(3), 33);
	assert_int_equal(*stored(4), 44);
	assert_int_equal(*stored(7), 77);
	close_device();
}

/* ---- errors of writing ---- */

static void test_write_errors(void **state)
{
	u32 first = 0, second = 0, late;

	(void)state;
	open_device(PAGES * PG);
	overwrite(3, 33, 0);
	sim_block_fail(dev, false, true);
	assert_int_equal(filemap_sync(m, 0, PAGES * PG, &first), -EIO);
	/* still here, still dirty: it can be tried again, and the second try says the truth, too */
	assert_int_equal(m->nr_dirty, 1);
	assert_true(page_is(3, PG_error));
	assert_int_equal(filemap_sync(m, 0, PAGES * PG, &first), -EIO);
	sim_block_fail(dev, false, false);
	assert_int_equal(filemap_sync(m, 0, PAGES * PG, &first), 0);
	assert_int_equal(*stored(3), 33);
	assert_false(page_is(3, PG_error));
	/* every file that was open learns of it once, one that is opened afterwards does not */
	late = mapping_sample_error(m);
	assert_int_equal(mapping_check_error(m, &late), 0);
	assert_int_equal(mapping_check_error(m, &second), -EIO);
	assert_int_equal(mapping_check_error(m, &second), 0);
	/* unless nobody had seen it */
	mapping_set_error(m, -ENOSPC);
	late = mapping_sample_error(m);
	assert_int_equal(mapping_check_error(m, &late), -ENOSPC);
	assert_int_equal(mapping_check_error(m, &late), 0);
	close_device();
}

/* A device that stays dead may not fill the memory with what it does not take. */
static void test_dead_device(void **state)
{
	unsigned long ratio = knob_dirty_background_ratio;
	u32 since = 0;

	(void)state;
	open_device(PAGES * PG);
	sim_block_fail(dev, false, true);
	knob_dirty_background_ratio = 0;
	overwrite(3, 33, 0);
	assert_int_equal(filemap_sync(m, 0, PAGES * PG, &since), -EIO);
	assert_int_equal(m->nr_dirty, 0);
	knob_dirty_background_ratio = ratio;
	close_device();
}

static void test_shrunk_device(void **state)
{
	struct mm *mm = *state;
	u32 since = 0;

	open_device(PAGES * PG);
	t_map_file(mm, B, PAGES, RW, MAP_SHARED, file, 0);
	sim_poke(mm, AT(5), 50);
	sim_poke(mm, AT(200), 60);
	sim_block_resize(dev, 100 * PG + 512);
	/* the file does not know yet: what is cached is there, what is not cannot be read, nothing panics */
	assert_int_equal(sim_peek(mm, AT(201)), 202);
	assert_int_equal(sim_touch(mm, AT(150), FAULT_READ), FAULT_BUS);
	assert_int_equal(filemap_sync(m, 0, PAGES * PG, &since), -EIO);
	assert_int_equal(*stored(5), 50);
	sim_poke(mm, AT(200), 61);
	writeback_wake(0);
	writeback_once();
	assert_int_equal(mapping_check_error(m, &since), -EIO);
	assert_int_equal(sim_touch(mm, AT(200), FAULT_READ), FAULT_BUS);
	assert_int_equal(sim_touch(mm, AT(150), FAULT_WRITE), FAULT_BUS);
	assert_int_equal(sim_peek(mm, AT(100) + 511), 101);
	assert_int_equal(m->nr_dirty, 1); /* the last page: zeroes beyond the end */
	assert_int_equal(filemap_sync(m, 0, PAGES * PG, &since), 0);
	assert_int_equal(stored(100)[512], 101);
	assert_int_equal(mm_munmap(mm, B, PAGES * PG), 0);
	close_device();
}

/* ---- out of the cache ---- */

static void test_drop_clean(void **state)
{
	struct mm *mm = *state;

	open_device(PAGES * PG);
	t_map_file(mm, B, PAGES, RW, MAP_SHARED, file, 0);
	filemap_willneed(m, 0, 20);
	sim_peek(mm, AT(3)); /* and around it: the first 16 */
	overwrite(18, 1, 0);
	assert_int_equal(filemap_drop_clean(m, 0, PAGES), 3);
	assert_true(is_cached(15) && !is_cached(16) && is_cached(18) && !is_cached(19));
	assert_int_equal(mm_munmap(mm, B, PAGES * PG), 0);
	assert_int_equal(writeback_drop_clean(), 16);
	assert_int_equal(mapping_nr_pages(m), 1);
	writeback_sync_all(true);
	assert_int_equal(*stored(18), 1);
	assert_int_equal(writeback_drop_clean(), 1);
	close_device();
}

/* ---- the flusher ---- */

static void test_flusher(void **state)
{
	unsigned long expire = knob_dirty_expire_centisecs;

	(void)state;
	open_device(PAGES * PG);
	overwrite(3, 33, 0);
	writeback_wake(0); /* it is young */
	writeback_once();
	assert_int_equal(m->nr_dirty, 1);
	knob_dirty_expire_centisecs = 0;
	writeback_wake(0);
	writeback_once();
	knob_dirty_expire_centisecs = expire;
	assert_int_equal(m->nr_dirty, 0);
	overwrite(3, 34, 0);
	writeback_wake(1); /* memory is short */
	writeback_once();
	assert_int_equal(*stored(3), 34);
	close_device();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_sequential),
		T(test_large_reads),
		T(test_random),
		T(test_two_readers),
		T(test_off),
		T(test_willneed),
		T(test_no_memory),
		T_MM(test_read_around),
		T_MM(test_populate),
		T_MM(test_read_errors),
		T_MM(test_write_fault),
		T_MM(test_mprotect_keeps_tracking),
		T_MM(test_private),
		T(test_overwrite),
		T(test_write_errors),
		T(test_dead_device),
		T_MM(test_shrunk_device),
		T_MM(test_drop_clean),
		T(test_flusher),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
