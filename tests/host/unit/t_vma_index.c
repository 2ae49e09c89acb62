/* SPDX-License-Identifier: MIT
 *
 * The vma indexes, each against a walk over the list: finding, neighbours, and the gap search in both
 * directions.
 */
#include "../../../mm/vma.h"
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
		mmap_write_lock(mm);
		mm_validate(mm);
		for (unsigned int i = 0; i < 300; i++) {
			unsigned long len = (1 + t_below(t_below(4) ? 8 : 500)) * PG;
			unsigned long low = t_below(3) ? LOW + t_below(SPAN) * PG : t_below(2) * PG;
			unsigned long high = t_below(3) ? low + t_below(SPAN) * PG : TASK_SIZE;

			for (int up = 0; up < 2; up++)
				assert_int_equal(vma_gap(mm, len, low, high, up),
						 naive_gap(mm, len, low, high, up));
		}
		mmap_write_unlock(mm);
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

/* Enough areas for a tree of several levels, and down again: nodes split, even out, join and go. */
static void test_grow_and_shrink(void **state)
{
	struct mm *mm = *state;
	const unsigned long window = 6000;

	for (unsigned int phase = 0; phase < 6; phase++) {
		for (unsigned int i = 0; i < 3000; i++) {
			unsigned long at = t_below(window), pages = 1 + t_below(3);

			/* Neighbours with different rights stay apart. */
			if (t_below(8) < (phase % 2 ? 2 : 6))
				t_map(mm, LOW + at * PG, 1,
				      at % 2 ? PROT_READ : PROT_READ | PROT_EXEC);
			else
				assert_int_equal(mm_munmap(mm, LOW + at * PG, pages * PG), 0);
			if (i % 250 == 0)
				t_validate(mm);
		}
		t_validate(mm);
	}
	/* From the top, and from the bottom. */
	for (unsigned long at = 0; at < window / 2; at += 4) {
		assert_int_equal(mm_munmap(mm, LOW + at * PG, 4 * PG), 0);
		assert_int_equal(mm_munmap(mm, LOW + (window - at) * PG, 4 * PG), 0);
		if (at % 128 == 0)
			t_validate(mm);
	}
}

/* Mappings that the kernel places: one below the other, until there is no room; then every third goes. */
static void test_sequences(void **state)
{
	struct mm *mm = *state;
	unsigned long first = t_map(mm, 0, 1, PROT_READ), last = first;

	for (unsigned int i = 1; i < 2000; i++) {
		unsigned long at = t_map(mm, 0, 1, i % 2 ? PROT_NONE : PROT_READ);

		assert_int_equal(at, last - PG);
		last = at;
	}
	t_validate(mm);
	for (unsigned long at = last; at < first; at += 3 * PG)
		assert_int_equal(mm_munmap(mm, at, PG), 0);
	t_validate(mm);
	/* The highest holes first; what fits into none goes below. */
	assert_int_equal(t_map(mm, 0, 1, PROT_READ), last + (first - last - 1) / (3 * PG) * 3 * PG);
	assert_int_equal(t_map(mm, 0, 2, PROT_READ), last - PG);
	t_validate(mm);
}

/*
 * One area, parts of which change their rights: it is cut in two or three, boundaries move, and pieces become one again,
 * some with pages; in the end all of it does.
 */
static void test_pieces(void **state)
{
	static const int rights[] = { PROT_NONE, PROT_READ, RW };
	const unsigned long pages = 400;
	struct mm *mm = *state;
	int before;

	t_map(mm, LOW, pages, RW);
	before = mm->map_count;
	for (unsigned int i = 0; i < 20000; i++) {
		unsigned long at = t_below(pages), n = 1 + t_below(3);
		unsigned int rare = i / 5000; /* fewer and fewer pieces */

		n = min(n, pages - at);
		(void)sim_touch(mm, LOW + t_below(pages) * PG, FAULT_WRITE);
		assert_int_equal(mm_mprotect(mm, LOW + at * PG, n * PG,
					     rights[t_below(6) < rare ? 2 : t_below(3)]),
				 0);
		if (i % 100 == 0)
			t_validate(mm);
	}
	assert_int_equal(mm_mprotect(mm, LOW, pages * PG, RW), 0);
	t_validate(mm);
	assert_int_equal(mm->map_count, before);
}

/* Without memory for nodes mmap fails, and nothing has changed. */
static void test_no_memory(void **state)
{
	struct mm *mm = *state;

	for (unsigned int i = 0; i < 1000; i++) {
		unsigned long at = LOW + t_below(2000) * PG;
		long r;

		fail_at(FAIL_ALLOC_PAGES, t_below(4));
		r = mm_mmap(mm, at, PG, t_below(2) ? PROT_READ : PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);
		fail_at(FAIL_ALLOC_PAGES, 0);
		assert_true(r == (long)at || r == -ENOMEM);
		if (i % 50 == 0)
			t_validate(mm);
	}
}

int main(void)
{
	static const struct CMUnitTest list[] = { T_MM(test_gap_search), T_MM(test_find),
						  T_MM(test_hint), T_MM(test_sequences),
						  T_MM(test_pieces) };
	static const struct CMUnitTest trees[] = {
		T_MM(test_gap_search),
		T_MM(test_find),
		T_MM(test_hint),
		T_MM(test_sequences),
		T_MM(test_grow_and_shrink),
		T_MM(test_pieces),
		T_MM(test_no_memory),
	};
	int failed;

	sim_boot(T_FRAMES);
	knob_vma_index = VMA_INDEX_LIST;
	failed = cmocka_run_group_tests_name("list", list, NULL, NULL);
	knob_vma_index = VMA_INDEX_RBTREE;
	failed += cmocka_run_group_tests_name("rbtree", trees, NULL, NULL);
	knob_vma_index = VMA_INDEX_MAPLE;
	return failed + cmocka_run_group_tests_name("maple", trees, NULL, NULL);
}
