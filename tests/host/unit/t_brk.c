/* SPDX-License-Identifier: MIT
 *
 * brk: the heap grows, shrinks, meets neighbours and limits; failure is the old break.
 */
#include "t.h"

#define B 0x70000000UL
#define AT(page) (B + (page)*PG)

static int setup(void **state)
{
	int r = t_mm_setup(state);
	struct mm *mm = *state;

	mm->start_brk = AT(0);
	mm->brk = AT(0);
	return r;
}

static void test_grow_and_shrink(void **state)
{
	struct mm *mm = *state;

	assert_int_equal(mm_brk(mm, 0), AT(0));
	assert_int_equal(mm_brk(mm, AT(0) + 1), AT(0) + 1);
	assert_string_equal(t_layout(mm, B), "0-1:rw");
	assert_int_equal(mm_brk(mm, AT(1)), AT(1));
	assert_int_equal(mm_brk(mm, AT(4) + 100), AT(4) + 100);
	assert_string_equal(t_layout(mm, B), "0-5:rw");
	sim_poke(mm, AT(4), 1);
	assert_int_equal(mm_brk(mm, AT(4)), AT(4));
	assert_string_equal(t_layout(mm, B), "0-4:rw");
	assert_int_equal(sim_touch(mm, AT(4), FAULT_READ), FAULT_MAPERR);
	assert_int_equal(mm_brk(mm, AT(5)), AT(5));
	assert_int_equal(sim_peek(mm, AT(4)), 0);
	assert_int_equal(mm_brk(mm, AT(0) - 1), AT(5));
	assert_int_equal(mm_brk(mm, AT(0)), AT(0));
	assert_string_equal(t_layout(mm, B), "");
	assert_int_equal(mm_brk(mm, ~0UL), AT(0));
	assert_int_equal(mm_brk(mm, TASK_SIZE + PG), AT(0));
}

static void test_neighbour(void **state)
{
	struct mm *mm = *state;

	t_map(mm, AT(10), 1, RW);
	assert_int_equal(mm_brk(mm, AT(10)), AT(0));
	assert_int_equal(mm_brk(mm, AT(9)), AT(9));
	assert_int_equal(mm_brk(mm, AT(9) + 1), AT(9));
	assert_int_equal(mm_munmap(mm, AT(3), PG), 0);
	assert_int_equal(mm_brk(mm, AT(2)), AT(2));
	assert_string_equal(t_layout(mm, B), "0-2:rw 10-11:rw");
}

static void test_limits(void **state)
{
	struct mm *mm = *state;

	sim_caller.rlimit[LIMIT_DATA] = 4 * PG;
	assert_int_equal(mm_brk(mm, AT(4)), AT(4));
	assert_int_equal(mm_brk(mm, AT(4) + 1), AT(4));
	sim_caller.rlimit[LIMIT_DATA] = ~0UL;
	sim_caller.rlimit[LIMIT_AS] = 5 * PG;
	assert_int_equal(mm_brk(mm, AT(6)), AT(4));
	assert_int_equal(mm_brk(mm, AT(5)), AT(5));
	mm->def_flags = VM_LOCKED;
	sim_caller.rlimit[LIMIT_AS] = ~0UL;
	sim_caller.rlimit[LIMIT_MEMLOCK] = 2 * PG;
	assert_int_equal(mm_brk(mm, AT(8)), AT(5));
	assert_int_equal(mm_brk(mm, AT(7)), AT(7));
	assert_int_equal(mm_rss(mm), 2);
	t_validate(mm);
}

#define T_BRK(f) cmocka_unit_test_setup_teardown(f, setup, t_mm_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { T_BRK(test_grow_and_shrink), T_BRK(test_neighbour),
					    T_BRK(test_limits) };

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
