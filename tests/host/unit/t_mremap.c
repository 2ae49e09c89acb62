/* SPDX-License-Identifier: MIT
 *
 * mremap: every flag, every errno, contents that move along, tables of different alignment.
 */
#include "t.h"

#define B 0x60000000UL
#define AT(page) (B + (page)*PG)
#define MOVE MREMAP_MAYMOVE
#define FIXED (MREMAP_MAYMOVE | MREMAP_FIXED)
#define KEEP (MREMAP_MAYMOVE | MREMAP_DONTUNMAP)

static void test_errors(void **state)
{
	struct mm *mm = *state;
	static const struct {
		unsigned long addr, old_len, new_len, flags, new_addr;
		long expect;
	} rows[] = {
		{ AT(0) + 1, PG, PG, 0, 0, -EINVAL },
		{ AT(0), PG, 0, 0, 0, -EINVAL },
		{ AT(0), PG, PG, 8, 0, -EINVAL },
		{ AT(0), PG, PG, MREMAP_FIXED, AT(100), -EINVAL },
		{ AT(0), PG, PG, MREMAP_DONTUNMAP, AT(100), -EINVAL },
		{ AT(0), PG, 2 * PG, KEEP, AT(100), -EINVAL },
		{ AT(0), PG, PG, FIXED, AT(100) + 1, -EINVAL },
		{ AT(0), PG, PG, FIXED, TASK_SIZE, -EINVAL },
		{ AT(0), PG, TASK_SIZE + PG, FIXED, AT(100), -EINVAL },
		{ AT(0), 2 * PG, 2 * PG, FIXED, AT(1), -EINVAL },
		{ AT(0), PG, PG, FIXED, AT(0), -EINVAL },
		{ AT(0), PG, PG, FIXED, 0, -EPERM },
		{ AT(50), PG, PG, 0, 0, -EFAULT },
		{ AT(50), PG, 2 * PG, MOVE, 0, -EFAULT },
		{ AT(0), 0, PG, MOVE, 0, -EINVAL },
		{ AT(2), 4 * PG, 5 * PG, MOVE, 0, -EFAULT },
		{ AT(0), PG, 2 * PG, 0, 0, -ENOMEM },
		{ AT(0), PG, ~0UL & PAGE_MASK, MOVE, 0, -ENOMEM },
		{ AT(0), PG, TASK_SIZE, MOVE, 0, -ENOMEM },
	};

	t_map(mm, AT(0), 4, RW);
	t_map(mm, AT(4), 4, PROT_READ);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		long r = mm_mremap(mm, rows[i].addr, rows[i].old_len, rows[i].new_len,
				   rows[i].flags, rows[i].new_addr);

		if (r != rows[i].expect)
			fail_msg("row %u: %ld, should be %ld", i, r, rows[i].expect);
	}
	assert_string_equal(t_layout(mm, B), "0-4:rw 4-8:r");
}

static void test_in_place(void **state)
{
	struct mm *mm = *state;

	t_map(mm, AT(0), 4, RW);
	for (unsigned long i = 0; i < 4; i++)
		sim_poke(mm, AT(i), (u8)(i + 1));
	assert_int_equal(mm_mremap(mm, AT(0), 4 * PG, 4 * PG, 0, 0), AT(0));
	assert_int_equal(mm_mremap(mm, AT(0), 4 * PG, 8 * PG, 0, 0), AT(0));
	assert_string_equal(t_layout(mm, B), "0-8:rw");
	assert_int_equal(sim_peek(mm, AT(3)), 4);
	assert_int_equal(sim_peek(mm, AT(4)), 0);
	assert_int_equal(mm_mremap(mm, AT(0), 8 * PG, 2 * PG, 0, 0), AT(0));
	assert_string_equal(t_layout(mm, B), "0-2:rw");
	assert_int_equal(mm_mremap(mm, AT(0), 2 * PG, 4 * PG, 0, 0), AT(0));
	assert_int_equal(sim_peek(mm, AT(3)), 0);
	/* growing into a neighbour that fits joins it */
	t_map(mm, AT(6), 2, RW);
	assert_int_equal(mm_mremap(mm, AT(0), 4 * PG, 6 * PG, 0, 0), AT(0));
	assert_string_equal(t_layout(mm, B), "0-8:rw");
}

static void test_move(void **state)
{
	struct mm *mm = *state;
	long to;

	t_map(mm, AT(0), 4, RW);
	t_map(mm, AT(4), 1, PROT_READ);
	for (unsigned long i = 0; i < 4; i++)
		sim_poke(mm, AT(i), (u8)(i + 1));
	to = mm_mremap(mm, AT(0), 4 * PG, 6 * PG, MOVE, 0);
	assert_true(to > 0 && (unsigned long)to != AT(0));
	for (unsigned long i = 0; i < 6; i++)
		assert_int_equal(sim_peek(mm, (unsigned long)to + i * PG), i < 4 ? i + 1 : 0);
	assert_int_equal(sim_touch(mm, AT(0), FAULT_READ), FAULT_MAPERR);
	/* the middle of an area moves out of it */
	assert_int_equal(mm_mremap(mm, (unsigned long)to + PG, 2 * PG, 2 * PG, FIXED, AT(20)),
			 AT(20));
	assert_int_equal(sim_peek(mm, AT(20)), 2);
	assert_int_equal(sim_peek(mm, AT(21)), 3);
	assert_int_equal(sim_touch(mm, (unsigned long)to + PG, FAULT_READ), FAULT_MAPERR);
	assert_int_equal(sim_peek(mm, (unsigned long)to + 3 * PG), 4);
	/* onto an existing area, shrinking */
	assert_int_equal(mm_mremap(mm, AT(20), 2 * PG, PG, FIXED, AT(4)), AT(4));
	assert_int_equal(sim_peek(mm, AT(4)), 2);
	assert_int_equal(sim_touch(mm, AT(21), FAULT_READ), FAULT_MAPERR);
	t_validate(mm);
}

/* Old and new place with every relation to the 2 MiB tables. */
static void test_move_across_tables(void **state)
{
	struct mm *mm = *state;
	static const unsigned long starts[] = { 0, 100, 500, 511, 512 };
	const unsigned long n = 700;

	for (unsigned int a = 0; a < ARRAY_SIZE(starts); a++)
		for (unsigned int b = 0; b < ARRAY_SIZE(starts); b++) {
			unsigned long from = AT(starts[a]), to = AT(4096 + starts[b]);

			t_map(mm, from, n, RW);
			for (unsigned long i = 0; i < n; i += 7)
				sim_poke(mm, from + i * PG, (u8)(i * 3 + 1));
			assert_int_equal(mm_mremap(mm, from, n * PG, n * PG, FIXED, to), to);
			t_validate(mm);
			for (unsigned long i = 0; i < n; i++)
				assert_int_equal(sim_peek(mm, to + i * PG),
						 i % 7 ? 0 : (u8)(i * 3 + 1));
			assert_int_equal(mm_munmap(mm, to, n * PG), 0);
			assert_int_equal(atomic_read(&mm->pgt.nr_tables), 0);
		}
}

static void test_dont_unmap(void **state)
{
	struct mm *mm = *state;

	t_map(mm, AT(0), 2, RW);
	sim_poke(mm, AT(0), 9);
	assert_int_equal(mm_mremap(mm, AT(0), 2 * PG, 2 * PG, KEEP | MREMAP_FIXED, AT(10)), AT(10));
	assert_int_equal(sim_peek(mm, AT(10)), 9);
	assert_int_equal(sim_peek(mm, AT(0)), 0);
	assert_string_equal(t_layout(mm, B), "0-2:rw 10-12:rw");
	assert_int_equal(mm->total_vm, 4);
	t_validate(mm);
}

static void test_shared_copy(void **state)
{
	struct mm *mm = *state;
	struct file *f = sim_file(8 * PG, true);

	t_map_file(mm, AT(0), 4, RW, MAP_SHARED, f, 2);
	sim_poke(mm, AT(1), 5);
	/* old length 0: a second view */
	assert_int_equal(mm_mremap(mm, AT(1), 0, 2 * PG, FIXED, AT(10)), AT(10));
	assert_string_equal(t_layout(mm, B), "0-4:rws 10-12:rws");
	assert_int_equal(sim_peek(mm, AT(10)), 5);
	sim_poke(mm, AT(10), 6);
	assert_int_equal(sim_peek(mm, AT(1)), 6);
	/* moving keeps the offset, growing continues it */
	assert_int_equal(mm_mremap(mm, AT(10), 2 * PG, 3 * PG, FIXED, AT(20)), AT(20));
	sim_poke(mm, AT(22), 7);
	assert_int_equal(sim_peek(mm, AT(3)), 7);
	t_validate(mm);
	file_put(f);
}

static void test_limits(void **state)
{
	struct mm *mm = *state;

	t_map(mm, AT(0), 4, RW);
	sim_caller.rlimit[LIMIT_AS] = 6 * PG;
	assert_int_equal(mm_mremap(mm, AT(0), 4 * PG, 7 * PG, MOVE, 0), -ENOMEM);
	assert_int_equal(mm_mremap(mm, AT(0), 4 * PG, 6 * PG, MOVE, 0), AT(0));
	sim_caller.rlimit[LIMIT_AS] = ~0UL;
	knob_max_map_count = 3;
	assert_int_equal(mm_mremap(mm, AT(0), 2 * PG, 2 * PG, FIXED, AT(20)), -ENOMEM);
	assert_string_equal(t_layout(mm, B), "0-6:rw");
}

/*
 * A locked area stays locked, its new pages are populated, and DONTUNMAP unlocks what stays
 * behind.
 */
static void test_locked(void **state)
{
	struct mm *mm = *state;
	long to;

	assert_true(mm_mmap(mm, AT(0), 2 * PG, RW,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_LOCKED, NULL, 0) > 0);
	assert_int_equal(mm_mremap(mm, AT(0), 2 * PG, 4 * PG, 0, 0), AT(0));
	assert_int_equal(mm->locked_vm, 4);
	assert_int_equal(mm_rss(mm), 4);
	assert_int_equal(mm_mremap(mm, AT(0), 4 * PG, 17 * PG, MOVE, 0), -EAGAIN);
	to = mm_mremap(mm, AT(0), 4 * PG, 4 * PG, KEEP, 0);
	assert_true(to > 0);
	assert_int_equal(mm->locked_vm, 4);
	assert_int_equal(mm->total_vm, 8);
	t_validate(mm);
}

static void test_remap_file_pages(void **state)
{
	struct mm *mm = *state;
	struct file *f = sim_file(8 * PG, true);

	t_map_file(mm, AT(0), 8, RW, MAP_SHARED, f, 0);
	for (unsigned long i = 0; i < 8; i++)
		sim_poke(mm, AT(i), (u8)(i + 1));
	assert_int_equal(mm_remap_file_pages(mm, AT(0), 2 * PG, 0, 5, 0), 0);
	assert_int_equal(sim_peek(mm, AT(0)), 6);
	assert_int_equal(sim_peek(mm, AT(1)), 7);
	assert_int_equal(sim_peek(mm, AT(2)), 3);
	assert_int_equal(mm_remap_file_pages(mm, AT(0), PG, PROT_READ, 0, 0), -EINVAL);
	assert_int_equal(mm_remap_file_pages(mm, AT(0), 0, 0, 0, 0), -EINVAL);
	assert_int_equal(mm_remap_file_pages(mm, AT(50), PG, 0, 0, 0), -EINVAL);
	t_map(mm, AT(20), 1, RW);
	assert_int_equal(mm_remap_file_pages(mm, AT(20), PG, 0, 0, 0), -EINVAL);
	t_validate(mm);
	file_put(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_errors),
		T_MM(test_in_place),
		T_MM(test_move),
		T_MM(test_move_across_tables),
		T_MM(test_dont_unmap),
		T_MM(test_shared_copy),
		T_MM(test_limits),
		T_MM(test_locked),
		T_MM(test_remap_file_pages),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
