/* SPDX-License-Identifier: MIT
 *
 * fork: the child's layout and pages, copy on write in both directions, chains of children, what
 * is inherited.
 */
#include "t.h"

#define B 0xa0000000UL
#define AT(page) (B + (page)*PG)

static void test_layout_and_totals(void **state)
{
	struct mm *mm = *state, *child;
	struct file *f = sim_file(4 * PG, true);

	t_map(mm, AT(0), 4, RW);
	t_map(mm, AT(4), 2, PROT_READ | PROT_EXEC);
	t_map_file(mm, AT(8), 2, RW, MAP_SHARED, f, 1);
	t_map_file(mm, AT(10), 2, PROT_NONE, MAP_PRIVATE, f, 1);
	mm->start_brk = AT(100);
	mm->brk = AT(101);
	mm->arg_start = 17;
	child = mm_fork(mm);
	assert_false(IS_ERR(child));
	assert_string_equal(t_layout(child, B), "0-4:rw 4-6:rx 8-10:rws 10-12:");
	assert_int_equal(child->total_vm, mm->total_vm);
	assert_int_equal(child->data_vm, mm->data_vm);
	assert_int_equal(child->exec_vm, mm->exec_vm);
	assert_int_equal(child->brk, AT(101));
	assert_int_equal(child->arg_start, 17);
	assert_int_equal(child->mmap_base, mm->mmap_base);
	t_validate(child);
	sim_mm_put(child);
	file_put(f);
}

/* Three generations, every write seen by its writer alone. */
static void test_generations(void **state)
{
	struct mm *mms[4] = { *state };

	t_map(mms[0], AT(0), 8, RW);
	for (unsigned long p = 0; p < 8; p++)
		sim_poke(mms[0], AT(p), 1);
	for (unsigned int g = 1; g < 4; g++) {
		mms[g] = mm_fork(mms[g - 1]);
		for (unsigned long p = g; p < 8; p += 2)
			sim_poke(mms[g], AT(p), (u8)(g + 1));
	}
	assert_int_equal(sim_peek(mms[0], AT(3)), 1);
	assert_int_equal(sim_peek(mms[1], AT(3)), 2);
	assert_int_equal(sim_peek(mms[2], AT(3)), 2);
	assert_int_equal(sim_peek(mms[3], AT(3)), 4);
	assert_int_equal(sim_peek(mms[3], AT(2)), 3);
	assert_int_equal(sim_peek(mms[3], AT(0)), 1);
	/* the middle one goes first */
	sim_mm_put(mms[1]);
	sim_poke(mms[0], AT(3), 9);
	assert_int_equal(sim_peek(mms[2], AT(3)), 2);
	sim_mm_put(mms[2]);
	assert_int_equal(sim_peek(mms[3], AT(4)), 3);
	t_validate(mms[0]);
	t_validate(mms[3]);
	sim_mm_put(mms[3]);
	/* alone again: nothing is copied any more */
	{
		unsigned long copies = stat_read(FAULT_COW);

		for (unsigned long p = 0; p < 8; p++)
			sim_poke(mms[0], AT(p), 5);
		assert_int_equal(stat_read(FAULT_COW), copies);
	}
}

static void test_parent_loses_write(void **state)
{
	struct mm *mm = *state, *child;

	t_map(mm, AT(0), 2, RW);
	sim_poke(mm, AT(0), 1);
	sim_peek(mm, AT(1));
	child = mm_fork(mm);
	assert_false(pte_write(sim_pte(mm, AT(0))));
	assert_false(pte_write(sim_pte(child, AT(0))));
	assert_true(pte_dirty(sim_pte(child, AT(0))));
	assert_int_equal(pte_pfn(sim_pte(mm, AT(0))), pte_pfn(sim_pte(child, AT(0))));
	assert_true(pte_special(sim_pte(child, AT(1))));
	assert_int_equal(mm_rss(child), 1);
	t_validate(mm);
	sim_mm_put(child);
}

static void test_locks_are_not_inherited(void **state)
{
	struct mm *mm = *state, *child;

	assert_true(mm_mmap(mm, AT(0), 2 * PG, RW,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_LOCKED, NULL, 0) > 0);
	mm->def_flags = VM_LOCKED;
	child = mm_fork(mm);
	assert_int_equal(child->locked_vm, 0);
	assert_int_equal(child->def_flags, 0);
	assert_int_equal(mm->locked_vm, 2);
	t_validate(child);
	sim_mm_put(child);
}

/* Whatever counts the locks, and however they reach the LRU: with the child gone the locked page is the parent's alone. */
static void test_locked_page_stays(void **state)
{
	static const struct {
		unsigned long count, batch;
	} knobs[] = { { MLOCK_COUNT_PAGE, 1 },
		      { MLOCK_COUNT_RMAP, 1 },
		      { MLOCK_COUNT_PAGE, 31 },
		      { MLOCK_COUNT_RMAP, 31 } };
	struct mm *mm = *state;

	for (unsigned int i = 0; i < ARRAY_SIZE(knobs); i++) {
		struct mm *child;
		pte_t before;

		knob_mlock_count = knobs[i].count;
		knob_mlock_batch = knobs[i].batch;
		t_map(mm, AT(0), 1, RW);
		assert_int_equal(mm_mlock(mm, AT(0), PG, false), 0);
		before = sim_pte(mm, AT(0));
		child = mm_fork(mm);
		sim_poke(child, AT(0), 1);
		sim_mm_put(child);
		sim_poke(mm, AT(0), 2);
		assert_int_equal(pte_pfn(sim_pte(mm, AT(0))), pte_pfn(before));
		assert_int_equal(mm_munmap(mm, AT(0), PG), 0);
	}
	knob_mlock_count = MLOCK_COUNT_PAGE;
	knob_mlock_batch = 1;
}

static void test_private_file(void **state)
{
	struct mm *mm = *state, *child;
	struct file *f = sim_disk_file(4 * PG, true, false);

	t_map_file(mm, AT(0), 4, RW, MAP_PRIVATE, f, 0);
	sim_poke(mm, AT(1), 50);
	sim_peek(mm, AT(2));
	child = mm_fork(mm);
	assert_int_equal(sim_peek(child, AT(0)), 1);
	assert_int_equal(sim_peek(child, AT(1)), 50);
	sim_poke(child, AT(1), 51);
	sim_poke(child, AT(2), 52);
	assert_int_equal(sim_peek(mm, AT(1)), 50);
	assert_int_equal(sim_peek(mm, AT(2)), 3);
	/* truncation reaches both, private copies too */
	filemap_truncate(sim_file_mapping(f), PG);
	assert_int_equal(sim_touch(mm, AT(1), FAULT_READ), FAULT_BUS);
	assert_int_equal(sim_touch(child, AT(1), FAULT_READ), FAULT_BUS);
	assert_int_equal(sim_touch(child, AT(2), FAULT_READ), FAULT_BUS);
	sim_mm_put(child);
	file_put(f);
}

static void test_exe_file(void **state)
{
	struct mm *mm = *state, *child;

	mm->exe_file = sim_file(PG, false);
	child = mm_fork(mm);
	assert_ptr_equal(child->exe_file, mm->exe_file);
	sim_mm_put(child);
}

static void test_users(void **state)
{
	struct mm *mm = *state;

	mm_get(mm);
	t_map(mm, AT(0), 1, RW);
	mm_put(mm);
	sim_poke(mm, AT(0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_layout_and_totals),  T_MM(test_generations),
		T_MM(test_parent_loses_write), T_MM(test_locks_are_not_inherited),
		T_MM(test_locked_page_stays),  T_MM(test_private_file),
		T_MM(test_exe_file),	       T_MM(test_users),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
