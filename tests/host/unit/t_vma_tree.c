/* SPDX-License-Identifier: MIT
 *
 * The vma index against a walk over the list: finding, neighbours, and the gap search in both
 * directions.
 */
#include "t.h"

#define LOW 0x10000000UL
#define SPAN 400UL

/* Areas at random places, some of them stacks with a guard gap, none merging. */
static void random_layout(struct mm *mm, unsigned int areas)
{
	for (unsigned int i = 0; i < areas; i++) {
		unsigned long at = LOW + t_below(SPAN) * PG, pages = 1 + t_below(6);
		unsigned long flags =
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | (t_below(8) ? 0 : MAP_GROWSDOWN);

		assert_int_equal(mm_mmap(mm, at, pages * PG, t_below(8), flags, NULL, 0), at);
	}
}

static unsigned long naive_gap(struct mm *mm, unsigned long len, unsigned long low,
			       unsigned long high, bool bottom_up)
{
	unsigned long best = 0, from = 0;
	struct vma *vma = vma_first(mm);

	for (;;) {
		unsigned long to = vma ? vma_start_gap(vma) : ~0UL;
		unsigned long start = max(max(from, low), PG), end = min(to, high);

		if (start < end && end - start >= len) {
			if (bottom_up)
				return start;
			best = end - len;
		}
		if (!vma)
			return best;
		from = vma->end;
		vma = vma_next(vma);
	}
}

static void test_gap_search(void **state)
{
	struct mm *mm = *state;

	for (unsigned int round = 0; round < 60; round++) {
		knob_stack_guard_gap = t_below(2) ? 256 : 3;
		random_layout(mm, (unsigned int)t_below(60));
		mmap_read_lock(mm);
		mm_validate(mm);
		for (unsigned int i = 0; i < 300; i++) {
			unsigned long len = (1 + t_below(t_below(4) ? 8 : 500)) * PG;
			unsigned long low = t_below(3) ? LOW + t_below(SPAN) * PG : t_below(2) * PG;
			unsigned long high = t_below(3) ? low + t_below(SPAN) * PG : TASK_SIZE;

			for (int up = 0; up < 2; up++)
				assert_int_equal(vma_gap(mm, len, low, high, up),
						 naive_gap(mm, len, low, high, up));
		}
		mmap_read_unlock(mm);
		assert_int_equal(mm_munmap(mm, LOW, (SPAN + 10) * PG), 0);
	}
}

static void test_find(void **state)
{
	struct mm *mm = *state;

	assert_null((mmap_read_lock(mm), vma_find(mm, 0)));
	mmap_read_unlock(mm);
	for (unsigned int round = 0; round < 30; round++) {
		random_layout(mm, 40);
		mmap_read_lock(mm);
		for (unsigned int i = 0; i < 500; i++) {
			unsigned long addr = LOW + t_below((SPAN + 10) * PG);
			struct vma *expect = vma_first(mm), *prev = NULL;

			while (expect && expect->end <= addr) {
				prev = expect;
				expect = vma_next(expect);
			}
			assert_ptr_equal(vma_find(mm, addr), expect);
			assert_ptr_equal(vma_lookup(mm, addr),
					 expect && expect->start <= addr ? expect : NULL);
			if (expect)
				assert_ptr_equal(vma_prev(expect), prev);
		}
		mmap_read_unlock(mm);
		assert_int_equal(mm_munmap(mm, LOW, (SPAN + 10) * PG), 0);
	}
}

/* The lookup hint must not outlive its vma. */
static void test_hint(void **state)
{
	struct mm *mm = *state;
	unsigned long a = t_map(mm, LOW, 4, RW);

	sim_poke(mm, a, 1);
	assert_int_equal(mm_munmap(mm, a, 4 * PG), 0);
	assert_int_equal(sim_touch(mm, a, FAULT_READ), FAULT_MAPERR);
	t_map(mm, LOW, 4, PROT_READ);
	assert_int_equal(sim_touch(mm, a, FAULT_READ), FAULT_DONE);
	assert_int_equal(mm_mprotect(mm, a + PG, PG, PROT_NONE), 0);
	assert_int_equal(sim_touch(mm, a + PG, FAULT_READ), FAULT_ACCERR);
	assert_int_equal(sim_touch(mm, a + 2 * PG, FAULT_READ), FAULT_DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = { T_MM(test_gap_search), T_MM(test_find),
					    T_MM(test_hint) };

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
