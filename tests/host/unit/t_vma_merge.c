/* SPDX-License-Identifier: MIT
 *
 * Splitting and merging: every case of the picture in mm/vma.c, for mmap, mprotect and munmap;
 * and what keeps neighbours apart.
 */
#include "t.h"

#define B 0x20000000UL
#define AT(page) (B + (page)*PG)

#define LAYOUT(mm, text) assert_string_equal(t_layout(mm, B), text)

/*
 * Three areas P 0-3, V 3-6, N 6-9 with these rights, pieces of one in which there were pages; then 3+from..3+to of V
 * gets the rights prot.
 */
static void modify_case(struct mm *mm, unsigned long p, unsigned long v, unsigned long n,
			unsigned long from, unsigned long to, unsigned long prot,
			const char *expect)
{
	t_map(mm, AT(0), 9, RW);
	for (unsigned long i = 0; i < 9; i++)
		sim_touch(mm, AT(i), i % 2 ? FAULT_READ : FAULT_WRITE);
	assert_int_equal(mm_mprotect(mm, AT(0), 3 * PG, p), 0);
	assert_int_equal(mm_mprotect(mm, AT(3), 3 * PG, v), 0);
	assert_int_equal(mm_mprotect(mm, AT(6), 3 * PG, n), 0);
	assert_int_equal(mm_mprotect(mm, AT(3 + from), (to - from) * PG, prot), 0);
	LAYOUT(mm, expect);
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, AT(0), 9 * PG), 0);
	LAYOUT(mm, "");
}

static void test_modify(void **state)
{
	struct mm *mm = *state;
	const unsigned long r = PROT_READ, w = RW, x = PROT_READ | PROT_EXEC;

	/* all of V: P and N fit, P fits, N fits, neither */
	modify_case(mm, w, r, w, 0, 3, w, "0-9:rw");
	modify_case(mm, w, r, x, 0, 3, w, "0-6:rw 6-9:rx");
	modify_case(mm, x, r, w, 0, 3, w, "0-3:rx 3-9:rw");
	modify_case(mm, x, r, x, 0, 3, w, "0-3:rx 3-6:rw 6-9:rx");
	/* the start of V: P fits or not */
	modify_case(mm, w, r, w, 0, 1, w, "0-4:rw 4-6:r 6-9:rw");
	modify_case(mm, x, r, w, 0, 1, w, "0-3:rx 3-4:rw 4-6:r 6-9:rw");
	/* the end of V: N fits or not */
	modify_case(mm, w, r, w, 2, 3, w, "0-3:rw 3-5:r 5-9:rw");
	modify_case(mm, w, r, x, 2, 3, w, "0-3:rw 3-5:r 5-6:rw 6-9:rx");
	/* the middle of V */
	modify_case(mm, w, r, w, 1, 2, w, "0-3:rw 3-4:r 4-5:rw 5-6:r 6-9:rw");
	/* nothing changes */
	modify_case(mm, w, r, w, 0, 3, r, "0-3:rw 3-6:r 6-9:rw");
}

/* One call over several areas: each joins what came before it. */
static void test_modify_across(void **state)
{
	struct mm *mm = *state;

	t_map(mm, AT(0), 2, PROT_READ);
	t_map(mm, AT(2), 2, RW);
	t_map(mm, AT(4), 2, PROT_READ | PROT_EXEC);
	t_map(mm, AT(6), 2, PROT_NONE);
	assert_int_equal(mm_mprotect(mm, AT(1), 6 * PG, PROT_READ), 0);
	/* What was writable keeps its promise of memory (VM_ACCOUNT), and so stays apart. */
	LAYOUT(mm, "0-2:r 2-4:r 4-7:r 7-8:");
	assert_int_equal(mm_mprotect(mm, AT(0), 8 * PG, RW), 0);
	LAYOUT(mm, "0-8:rw");
}

/* A new area between P and N: it joins both, one or none. */
static void new_case(struct mm *mm, unsigned long p, unsigned long n, unsigned long prot,
		     const char *expect)
{
	t_map(mm, AT(0), 3, p);
	t_map(mm, AT(6), 3, n);
	t_map(mm, AT(3), 3, prot);
	LAYOUT(mm, expect);
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, AT(0), 9 * PG), 0);
}

static void test_new(void **state)
{
	struct mm *mm = *state;
	const unsigned long r = PROT_READ, w = RW;

	new_case(mm, w, w, w, "0-9:rw");
	new_case(mm, w, r, w, "0-6:rw 6-9:r");
	new_case(mm, r, w, w, "0-3:r 3-9:rw");
	new_case(mm, r, r, w, "0-3:r 3-6:rw 6-9:r");
	/* replacing the middle of one area by the same */
	t_map(mm, AT(0), 9, w);
	t_map(mm, AT(3), 3, w);
	LAYOUT(mm, "0-9:rw");
	t_map(mm, AT(3), 3, r);
	LAYOUT(mm, "0-3:rw 3-6:r 6-9:rw");
}

static void test_unmap(void **state)
{
	struct mm *mm = *state;

	t_map(mm, AT(0), 9, RW);
	assert_int_equal(mm_munmap(mm, AT(0), PG), 0);
	LAYOUT(mm, "1-9:rw");
	assert_int_equal(mm_munmap(mm, AT(8), PG), 0);
	LAYOUT(mm, "1-8:rw");
	assert_int_equal(mm_munmap(mm, AT(4), PG), 0);
	LAYOUT(mm, "1-4:rw 5-8:rw");
	assert_int_equal(mm_munmap(mm, AT(3), 3 * PG), 0);
	LAYOUT(mm, "1-3:rw 6-8:rw");
	t_map(mm, AT(4), 1, PROT_READ);
	assert_int_equal(mm_munmap(mm, AT(2), 5 * PG), 0);
	LAYOUT(mm, "1-2:rw 7-8:rw");
	assert_int_equal(mm_munmap(mm, AT(3), 3 * PG), 0);
	LAYOUT(mm, "1-2:rw 7-8:rw");
}

static void test_files(void **state)
{
	struct mm *mm = *state;
	struct file *f = sim_file(20 * PG, true), *g = sim_file(20 * PG, true);

	/* offsets that continue merge; others, other files and other kinds do not */
	t_map_file(mm, AT(0), 2, PROT_READ, MAP_SHARED, f, 5);
	t_map_file(mm, AT(2), 2, PROT_READ, MAP_SHARED, f, 7);
	LAYOUT(mm, "0-4:rs");
	t_map_file(mm, AT(4), 2, PROT_READ, MAP_SHARED, f, 10);
	LAYOUT(mm, "0-4:rs 4-6:rs");
	t_map_file(mm, AT(6), 2, PROT_READ, MAP_SHARED, g, 12);
	LAYOUT(mm, "0-4:rs 4-6:rs 6-8:rs");
	t_map_file(mm, AT(8), 2, PROT_READ, MAP_PRIVATE, g, 14);
	LAYOUT(mm, "0-4:rs 4-6:rs 6-8:rs 8-10:r");
	t_map_file(mm, AT(4), 2, PROT_READ, MAP_SHARED, f, 9);
	LAYOUT(mm, "0-6:rs 6-8:rs 8-10:r");
	/* splitting keeps each part's offset */
	assert_int_equal(mm_mprotect(mm, AT(2), PG, RW), 0);
	LAYOUT(mm, "0-2:rs 2-3:rws 3-6:rs 6-8:rs 8-10:r");
	sim_poke(mm, AT(2), 42);
	assert_int_equal(mm_mprotect(mm, AT(2), PG, PROT_READ), 0);
	LAYOUT(mm, "0-6:rs 6-8:rs 8-10:r");
	t_map_file(mm, AT(12), 1, PROT_READ, MAP_SHARED, f, 7);
	assert_int_equal(sim_peek(mm, AT(12)), 42);
	t_validate(mm);
	file_put(f);
	file_put(g);
}

/* An area that moved with its pages keeps their offsets, and so stays apart. */
static void test_moved_pages(void **state)
{
	struct mm *mm = *state;

	t_map(mm, AT(0), 2, RW);
	t_map(mm, AT(20), 2, RW);
	assert_int_equal(
		mm_mremap(mm, AT(20), 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(2)), AT(2));
	LAYOUT(mm, "0-4:rw");
	t_map(mm, AT(20), 2, RW);
	sim_poke(mm, AT(20), 7);
	assert_int_equal(
		mm_mremap(mm, AT(20), 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(4)), AT(4));
	LAYOUT(mm, "0-4:rw 4-6:rw");
	assert_int_equal(sim_peek(mm, AT(4)), 7);
}

/* Pages that were found through different anon_vmas stay in different vmas. */
static void test_anonymous_pages(void **state)
{
	struct mm *mm = *state, *child;

	/* P and N each had their first page while nothing joined them: V can be part of one */
	t_map(mm, AT(0), 3, RW);
	t_map(mm, AT(3), 3, PROT_READ);
	t_map(mm, AT(6), 3, RW);
	sim_poke(mm, AT(1), 1);
	sim_poke(mm, AT(7), 1);
	assert_int_equal(mm_mprotect(mm, AT(3), 3 * PG, RW), 0);
	LAYOUT(mm, "0-6:rw 6-9:rw");
	sim_poke(mm, AT(4), 1);
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, AT(0), 9 * PG), 0);

	/* areas beside each other share from the first page on, although their rights differ then */
	t_map(mm, AT(0), 6, RW);
	assert_int_equal(mm_mprotect(mm, AT(3), 3 * PG, PROT_NONE), 0);
	sim_poke(mm, AT(0), 1);
	assert_int_equal(mm_mprotect(mm, AT(3), 3 * PG, RW | PROT_EXEC), 0);
	sim_poke(mm, AT(3), 1);
	assert_int_equal(mm_mprotect(mm, AT(3), 3 * PG, RW), 0);
	LAYOUT(mm, "0-6:rw");

	/* what was inherited does not grow, and its own pieces join again, touched or not */
	child = mm_fork(mm);
	t_map(child, AT(6), 3, RW);
	LAYOUT(child, "0-6:rw 6-9:rw");
	assert_int_equal(mm_mprotect(child, AT(1), PG, PROT_READ), 0);
	sim_poke(child, AT(0), 2);
	sim_poke(child, AT(5), 2);
	assert_int_equal(mm_mprotect(child, AT(1), PG, RW), 0);
	LAYOUT(child, "0-6:rw 6-9:rw");
	t_validate(child);
	sim_mm_put(child);
	t_map(mm, AT(6), 3, RW);
	LAYOUT(mm, "0-9:rw");
}

static void test_flags_keep_apart(void **state)
{
	struct mm *mm = *state;

	t_map(mm, AT(0), 4, RW);
	assert_int_equal(mm_madvise(mm, AT(1), PG, MADV_DONTFORK), 0);
	LAYOUT(mm, "0-1:rw 1-2:rw 2-4:rw");
	assert_int_equal(mm_madvise(mm, AT(1), PG, MADV_DOFORK), 0);
	LAYOUT(mm, "0-4:rw");
	assert_int_equal(mm_mmap(mm, AT(4), PG, RW,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, NULL, 0),
			 AT(4));
	LAYOUT(mm, "0-4:rw 4-5:rw");
}

static void test_map_count_limit(void **state)
{
	struct mm *mm = *state;

	knob_max_map_count = 3;
	t_map(mm, AT(0), 9, RW);
	assert_int_equal(mm_mprotect(mm, AT(3), PG, PROT_READ), 0);
	LAYOUT(mm, "0-3:rw 3-4:r 4-9:rw");
	assert_int_equal(mm_mprotect(mm, AT(6), PG, PROT_READ), -ENOMEM);
	assert_int_equal(mm_munmap(mm, AT(6), PG), -ENOMEM);
	assert_int_equal(mm_munmap(mm, AT(8), PG), 0);
	t_validate(mm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_modify),
		T_MM(test_modify_across),
		T_MM(test_new),
		T_MM(test_unmap),
		T_MM(test_files),
		T_MM(test_moved_pages),
		T_MM(test_anonymous_pages),
		T_MM(test_flags_keep_apart),
		T_MM(test_map_count_limit),
	};

	int failed = 0;

	sim_boot(T_FRAMES);
	for (knob_vma_index = VMA_INDEX_LIST; knob_vma_index <= VMA_INDEX_MAPLE; knob_vma_index++)
		failed += cmocka_run_group_tests(tests, NULL, NULL);
	return failed;
}
