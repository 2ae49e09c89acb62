/* SPDX-License-Identifier: MIT
 *
 * The page cache: finding, adding, truncating, punching holes, with the pages mapped in several
 * address spaces.
 */
#include "t.h"

#define B 0xb0000000UL
#define AT(page) (B + (page)*PG)

static void put_byte(struct file *f, unsigned long index, u8 value)
{
	struct folio *folio = filemap_grab_folio(sim_file_mapping(f), index);

	assert_false(IS_ERR(folio));
	memset(folio_address(folio), value, PG);
	folio_mark_dirty(folio);
	folio_put(folio);
}

static int get_byte(struct file *f, u64 offset)
{
	struct folio *folio = filemap_get_folio(sim_file_mapping(f), offset / PG);
	int value;

	if (!folio)
		return -1;
	value = ((u8 *)folio_address(folio))[offset % PG];
	folio_put(folio);
	return value;
}

static void test_cache(void **state)
{
	struct file *f = sim_file(100 * PG, true);
	struct mapping *m = sim_file_mapping(f);
	struct folio *a = filemap_grab_folio(m, 7), *b = filemap_grab_folio(m, 7);

	(void)state;
	assert_ptr_equal(a, b);
	assert_int_equal(a->index, 7);
	assert_ptr_equal(a->mapping, m);
	assert_true(folio_test(a, PG_uptodate));
	assert_int_equal(atomic_read(&a->refcount), 3);
	folio_put(a);
	folio_put(b);
	assert_null(filemap_get_folio(m, 8));
	assert_int_equal(mapping_nr_pages(m), 1);
	assert_int_equal(stat_read(NR_SHMEM), 1);
	file_put(f);
}

static void test_add_folio(void **state)
{
	struct file *f = sim_file(10 * PG, true);
	struct folio *folio = folio_alloc(GFP_KERNEL, 0);

	(void)state;
	memset(folio_address(folio), 0x42, PG);
	assert_int_equal(filemap_add_folio(sim_file_mapping(f), folio, 3), 0);
	folio_put(folio);
	assert_int_equal(get_byte(f, 3 * PG), 0x42);
	folio = folio_alloc(GFP_KERNEL, 0);
	assert_int_equal(filemap_add_folio(sim_file_mapping(f), folio, 3), -EEXIST);
	folio_put(folio);
	file_put(f);
}

static void test_quota(void **state)
{
	struct page_quota quota = { .max = 2 };
	struct file *f = sim_file(10 * PG, true);
	struct mm *mm = *state;

	sim_file_mapping(f)->quota = &quota;
	put_byte(f, 0, 1);
	put_byte(f, 1, 2);
	assert_int_equal(PTR_ERR(filemap_grab_folio(sim_file_mapping(f), 2)), -ENOSPC);
	t_map_file(mm, AT(0), 4, RW, MAP_SHARED, f, 0);
	assert_int_equal(sim_touch(mm, AT(1), FAULT_WRITE), FAULT_DONE);
	assert_int_equal(sim_touch(mm, AT(2), FAULT_WRITE), FAULT_BUS);
	filemap_punch_hole(sim_file_mapping(f), 0, PG);
	assert_int_equal(atomic_read(&quota.used), 1);
	assert_int_equal(sim_touch(mm, AT(2), FAULT_WRITE), FAULT_DONE);
	assert_int_equal(mm_munmap(mm, AT(0), 4 * PG), 0);
	file_put(f);
	assert_int_equal(atomic_read(&quota.used), 0);
}

static void test_truncate(void **state)
{
	struct mm *mm = *state, *child;
	struct file *f = sim_file(10 * PG, true);

	for (unsigned long i = 0; i < 10; i++)
		put_byte(f, i, (u8)(i + 1));
	t_map_file(mm, AT(0), 10, RW, MAP_SHARED, f, 0);
	t_map_file(mm, AT(20), 5, RW, MAP_PRIVATE, f, 3);
	for (unsigned long i = 0; i < 10; i++)
		sim_peek(mm, AT(i));
	sim_poke(mm, AT(22), 99);
	child = mm_fork(mm);
	sim_peek(child, AT(5));
	filemap_truncate(sim_file_mapping(f), 4 * PG + 10);
	assert_int_equal(mapping_nr_pages(sim_file_mapping(f)), 5);
	assert_int_equal(get_byte(f, 4 * PG + 9), 5);
	assert_int_equal(get_byte(f, 4 * PG + 10), 0);
	assert_int_equal(sim_peek(mm, AT(4) + 9), 5);
	assert_int_equal(sim_peek(mm, AT(4) + 10), 0);
	assert_int_equal(sim_touch(mm, AT(5), FAULT_READ), FAULT_BUS);
	assert_int_equal(sim_touch(child, AT(5), FAULT_READ), FAULT_BUS);
	assert_int_equal(sim_touch(mm, AT(22), FAULT_READ), FAULT_BUS);
	t_validate(mm);
	t_validate(child);
	/* longer again: what comes back is zero */
	filemap_truncate(sim_file_mapping(f), 10 * PG);
	assert_int_equal(sim_peek(mm, AT(7)), 0);
	assert_int_equal(sim_peek(mm, AT(4) + 10), 0);
	filemap_truncate(sim_file_mapping(f), 0);
	assert_int_equal(mapping_nr_pages(sim_file_mapping(f)), 0);
	assert_int_equal(sim_touch(mm, AT(0), FAULT_READ), FAULT_BUS);
	sim_mm_put(child);
	file_put(f);
}

static void test_punch_hole(void **state)
{
	struct mm *mm = *state;
	struct file *f = sim_file(10 * PG, true);
	struct mapping *m = sim_file_mapping(f);

	for (unsigned long i = 0; i < 10; i++)
		put_byte(f, i, (u8)(i + 1));
	t_map_file(mm, AT(0), 10, RW, MAP_SHARED, f, 0);
	t_map_file(mm, AT(20), 10, RW, MAP_PRIVATE, f, 0);
	for (unsigned long i = 0; i < 10; i++)
		sim_peek(mm, AT(i));
	sim_poke(mm, AT(23), 70);
	/* inside a page, over an edge, whole pages, nothing */
	filemap_punch_hole(m, PG + 10, PG + 20);
	assert_int_equal(get_byte(f, PG + 9), 2);
	assert_int_equal(get_byte(f, PG + 10), 0);
	assert_int_equal(get_byte(f, PG + 19), 0);
	assert_int_equal(get_byte(f, PG + 20), 2);
	filemap_punch_hole(m, 2 * PG - 5, 2 * PG + 5);
	assert_int_equal(get_byte(f, 2 * PG - 6), 2);
	assert_int_equal(get_byte(f, 2 * PG - 5), 0);
	assert_int_equal(get_byte(f, 2 * PG + 4), 0);
	assert_int_equal(get_byte(f, 2 * PG + 5), 3);
	filemap_punch_hole(m, 3 * PG, 5 * PG + 100);
	assert_int_equal(get_byte(f, 3 * PG), -1);
	assert_int_equal(get_byte(f, 4 * PG), -1);
	assert_int_equal(get_byte(f, 5 * PG + 99), 0);
	assert_int_equal(get_byte(f, 5 * PG + 100), 6);
	assert_int_equal(sim_peek(mm, AT(3)), 0);
	assert_int_equal(sim_peek(mm, AT(23)), 70);
	assert_int_equal(sim_peek(mm, AT(24)), 0);
	filemap_punch_hole(m, 7 * PG, 7 * PG);
	assert_int_equal(get_byte(f, 7 * PG), 8);
	filemap_punch_hole(m, 8 * PG, 50 * PG);
	assert_int_equal(mapping_nr_pages(m), 8);
	t_validate(mm);
	file_put(f);
}

/* A page someone holds survives truncation for its holder, out of the file. */
static void test_held_page(void **state)
{
	struct file *f = sim_file(2 * PG, true);
	struct folio *folio;

	(void)state;
	put_byte(f, 1, 9);
	folio = filemap_get_folio(sim_file_mapping(f), 1);
	filemap_truncate(sim_file_mapping(f), PG);
	assert_null(folio->mapping);
	assert_int_equal(((u8 *)folio_address(folio))[5], 9);
	folio_put(folio);
	file_put(f);
}

static void test_out_of_memory(void **state)
{
	struct file *f = sim_file(1UL << 40, true);

	(void)state;
	for (unsigned long nth = 1;; nth++) {
		struct folio *folio;

		fail_at(FAIL_XARRAY, nth);
		folio = filemap_grab_folio(sim_file_mapping(f), 123456789);
		fail_at(FAIL_XARRAY, 0);
		if (!IS_ERR(folio)) {
			assert_true(nth > 3);
			folio_put(folio);
			break;
		}
		assert_int_equal(PTR_ERR(folio), -ENOMEM);
		assert_int_equal(mapping_nr_pages(sim_file_mapping(f)), 0);
	}
	fail_at(FAIL_ALLOC_PAGES, 1);
	assert_int_equal(PTR_ERR(filemap_grab_folio(sim_file_mapping(f), 1)), -ENOMEM);
	file_put(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_cache),	       T(test_add_folio),     T_MM(test_quota),
		T_MM(test_truncate),   T_MM(test_punch_hole), T(test_held_page),
		T(test_out_of_memory),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
