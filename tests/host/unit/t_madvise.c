/* SPDX-License-Identifier: MIT
 *
 * madvise: what each advice does to pages and areas, and what it refuses.
 */
#include "t.h"

#define B 0x80000000UL
#define AT(page) (B + (page)*PG)

static void test_errors(void **state)
{
	struct mm *mm = *state;

	t_map(mm, AT(0), 4, RW);
	assert_int_equal(mm_madvise(mm, AT(0) + 1, PG, MADV_DONTNEED), -EINVAL);
	assert_int_equal(mm_madvise(mm, AT(0), PG, 999), -EINVAL);
	assert_int_equal(mm_madvise(mm, AT(0), PG, -1), -EINVAL);
	assert_int_equal(mm_madvise(mm, AT(0), ~0UL, MADV_DONTNEED), -EINVAL);
	assert_int_equal(mm_madvise(mm, AT(0), ~0UL & PAGE_MASK, MADV_DONTNEED), -EINVAL);
	assert_int_equal(mm_madvise(mm, AT(0), 0, MADV_DONTNEED), 0);
	assert_int_equal(mm_madvise(mm, AT(0), 0, 999), -EINVAL);
	assert_int_equal(mm_madvise(mm, AT(50), PG, MADV_DONTNEED), -ENOMEM);
	assert_int_equal(mm_madvise(mm, AT(50), PG, MADV_WILLNEED), -ENOMEM);
	assert_int_equal(mm_madvise(mm, AT(0), PG, MADV_WILLNEED), 0);
	assert_int_equal(mm_madvise(mm, AT(0), PG, MADV_REMOVE), -EINVAL);
}

static void test_dontneed(void **state)
{
	struct mm *mm = *state;
	struct file *f = sim_file(4 * PG, true);

	t_map(mm, AT(0), 4, RW);
	t_map(mm, AT(6), 2, RW);
	t_map_file(mm, AT(8), 2, RW, MAP_SHARED, f, 0);
	t_map_file(mm, AT(10), 2, RW, MAP_PRIVATE, f, 0);
	for (unsigned long i = 0; i < 12; i++)
		if (i < 4 || i >= 6)
			sim_poke(mm, AT(i), (u8)(i + 1));
	/* holes are told of at the end, the rest is done */
	assert_int_equal(mm_madvise(mm, AT(1), 11 * PG, MADV_DONTNEED), -ENOMEM);
	assert_int_equal(sim_peek(mm, AT(0)), 1);
	assert_int_equal(sim_peek(mm, AT(1)), 0);
	assert_int_equal(sim_peek(mm, AT(7)), 0);
	assert_int_equal(sim_peek(mm, AT(8)), 9);
	assert_int_equal(sim_peek(mm, AT(10)), 9);
	t_validate(mm);
	file_put(f);
}

static void test_lazy_free(void **state)
{
	struct mm *mm = *state;
	struct file *f = sim_file(4 * PG, true);
	u8 byte;

	t_map(mm, AT(0), 2, RW);
	t_map_file(mm, AT(2), 2, RW, MAP_PRIVATE, f, 0);
	sim_poke(mm, AT(0), 3);
	assert_int_equal(mm_madvise(mm, AT(0), 2 * PG, MADV_FREE), 0);
	byte = sim_peek(mm, AT(0));
	assert_true(byte == 0 || byte == 3);
	sim_poke(mm, AT(0), 4);
	assert_int_equal(sim_peek(mm, AT(0)), 4);
	assert_int_equal(mm_madvise(mm, AT(2), PG, MADV_FREE), -EINVAL);
	file_put(f);
}

static void test_fork_advice(void **state)
{
	struct mm *mm = *state, *child;

	t_map(mm, AT(0), 6, RW);
	for (unsigned long i = 0; i < 6; i++)
		sim_poke(mm, AT(i), (u8)(i + 1));
	assert_int_equal(mm_madvise(mm, AT(0), 2 * PG, MADV_DONTFORK), 0);
	assert_int_equal(mm_madvise(mm, AT(2), 2 * PG, MADV_WIPEONFORK), 0);
	assert_string_equal(t_layout(mm, B), "0-2:rw 2-4:rw 4-6:rw");
	child = mm_fork(mm);
	assert_string_equal(t_layout(child, B), "2-4:rw 4-6:rw");
	assert_int_equal(sim_peek(child, AT(2)), 0);
	assert_int_equal(sim_peek(child, AT(4)), 5);
	assert_int_equal(sim_peek(mm, AT(2)), 3);
	sim_mm_put(child);
	assert_int_equal(mm_madvise(mm, AT(0), 2 * PG, MADV_DOFORK), 0);
	assert_int_equal(mm_madvise(mm, AT(2), 2 * PG, MADV_KEEPONFORK), 0);
	assert_string_equal(t_layout(mm, B), "0-6:rw");
	child = mm_fork(mm);
	assert_int_equal(sim_peek(child, AT(2)), 3);
	assert_int_equal(sim_peek(child, AT(0)), 1);
	sim_mm_put(child);
	t_map_file(mm, AT(8), 1, RW, MAP_SHARED | MAP_ANONYMOUS, NULL, 0);
	assert_int_equal(mm_madvise(mm, AT(8), PG, MADV_WIPEONFORK), -EINVAL);
}

static void test_remove(void **state)
{
	struct mm *mm = *state;
	struct file *f = sim_file(4 * PG, true);

	t_map_file(mm, AT(0), 4, RW, MAP_SHARED, f, 0);
	t_map_file(mm, AT(4), 4, RW, MAP_PRIVATE, f, 0);
	t_map_file(mm, AT(8), 4, PROT_READ, MAP_SHARED, f, 0);
	for (unsigned long i = 0; i < 4; i++)
		sim_poke(mm, AT(i), (u8)(i + 1));
	sim_poke(mm, AT(5), 77);
	assert_int_equal(mm_madvise(mm, AT(1), 2 * PG, MADV_REMOVE), 0);
	assert_int_equal(mapping_nr_pages(sim_file_mapping(f)), 2);
	assert_int_equal(sim_peek(mm, AT(0)), 1);
	assert_int_equal(sim_peek(mm, AT(1)), 0);
	assert_int_equal(sim_peek(mm, AT(10)), 0);
	assert_int_equal(sim_peek(mm, AT(3)), 4);
	/* the private copy stays */
	assert_int_equal(sim_peek(mm, AT(5)), 77);
	assert_int_equal(mm_madvise(mm, AT(4), PG, MADV_REMOVE), -EACCES);
	assert_int_equal(mm_madvise(mm, AT(8), PG, MADV_REMOVE), -EACCES);
	t_validate(mm);
	file_put(f);
}

static void test_populate(void **state)
{
	struct mm *mm = *state;
	struct file *f = sim_file(2 * PG, true);

	t_map(mm, AT(0), 4, RW);
	t_map(mm, AT(4), 2, PROT_READ);
	t_map(mm, AT(6), 1, PROT_NONE);
	assert_int_equal(mm_madvise(mm, AT(0), 6 * PG, MADV_POPULATE_READ), 0);
	assert_int_equal(mm_rss(mm), 0);
	assert_true(pte_special(sim_pte(mm, AT(5))));
	assert_int_equal(mm_madvise(mm, AT(0), 4 * PG, MADV_POPULATE_WRITE), 0);
	assert_int_equal(mm_rss(mm), 4);
	assert_int_equal(mm_madvise(mm, AT(3), 2 * PG, MADV_POPULATE_WRITE), -EINVAL);
	assert_int_equal(mm_madvise(mm, AT(5), 2 * PG, MADV_POPULATE_READ), -EINVAL);
	assert_int_equal(mm_madvise(mm, AT(7), PG, MADV_POPULATE_READ), -ENOMEM);
	t_map_file(mm, AT(10), 3, RW, MAP_SHARED, f, 0);
	assert_int_equal(mm_madvise(mm, AT(10), 3 * PG, MADV_POPULATE_WRITE), -EFAULT);
	assert_int_equal(mm_madvise(mm, AT(10), 2 * PG, MADV_POPULATE_WRITE), 0);
	file_put(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_errors),	T_MM(test_dontneed), T_MM(test_lazy_free),
		T_MM(test_fork_advice), T_MM(test_remove),   T_MM(test_populate),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
