/* SPDX-License-Identifier: MIT
 *
 * The huge zero page: who may map it, when it goes, and what every act on a part of it leaves.
 */
#include "../../../mm/collapse.h"
#include "t.h"

#define N PTRS_PER_TABLE
#define B 0x90000000UL
#define AT(page) (B + (page)*PG)

static int setup(void **state)
{
	if (t_mm_setup(state))
		return -1;
	knob_thp = THP_ALWAYS;
	knob_mthp_orders = 1UL << PMD_ORDER;
	return 0;
}

static int teardown(void **state)
{
	knob_thp = THP_NEVER;
	return t_mm_teardown(state);
}

static bool maps_huge_zero(struct mm *mm, unsigned long va)
{
	pte_t e = sim_pte(mm, va);

	return pte_special(e) && folio_is_huge_zero(pfn_folio(pte_pfn(e)));
}

/* 2 MiB at B, read. */
static void map_zeroes(struct mm *mm)
{
	t_map(mm, B, N, RW);
	assert_int_equal(sim_peek(mm, AT(7)), 0);
	assert_true(maps_huge_zero(mm, B));
	assert_true(pte_is_promoted(pgtable_find(&mm->pgt, B)));
	assert_int_equal(mm_rss(mm), 0);
	t_validate(mm);
}

static void check_zero_but(struct mm *mm, unsigned long page)
{
	for (unsigned long i = 0; i < N; i++)
		assert_int_equal(sim_peek(mm, AT(i)), i == page);
	t_validate(mm);
}

static void test_life(void **state)
{
	struct mm *mm = *state, *child;
	unsigned long allocs = stat_read(THP_ZERO_PAGE_ALLOC);

	assert_int_equal(huge_zero_shrink(), 0);
	map_zeroes(mm);
	assert_int_equal(stat_read(THP_ZERO_PAGE_ALLOC), allocs + 1);
	check_zero_but(mm, N);
	child = mm_fork(mm);
	assert_true(maps_huge_zero(child, B));
	assert_int_equal(sim_peek(child, AT(3)), 0);
	t_validate(child);
	/* It is the address space's to the end, mapped or not. */
	assert_int_equal(mm_munmap(mm, B, N * PG), 0);
	assert_int_equal(huge_zero_shrink(), 0);
	sim_mm_put(mm);
	assert_int_equal(huge_zero_shrink(), 0);
	sim_mm_put(child);
	assert_int_equal(huge_zero_shrink(), N);
	assert_int_equal(huge_zero_shrink(), 0);
	*state = mm_create(false);
	map_zeroes(*state);
	assert_int_equal(stat_read(THP_ZERO_PAGE_ALLOC), allocs + 2);
}

static void test_write(void **state)
{
	struct mm *mm = *state;
	unsigned long splits = stat_read(THP_SPLIT_PMD);

	map_zeroes(mm);
	sim_poke(mm, AT(5), 1);
	assert_false(maps_huge_zero(mm, B));
	assert_true(pte_is_promoted(pgtable_find(&mm->pgt, B)));
	assert_int_equal(mm_rss(mm), N);
	assert_int_equal(stat_read(THP_SPLIT_PMD), splits);
	check_zero_but(mm, 5);
}

static void test_write_without_memory(void **state)
{
	struct mm *mm = *state;

	map_zeroes(mm);
	fail_at(FAIL_ALLOC_PAGES, 1);
	sim_poke(mm, AT(5), 1);
	fail_at(FAIL_ALLOC_PAGES, 0);
	assert_false(maps_huge_zero(mm, AT(5)));
	assert_true(maps_huge_zero(mm, AT(6)));
	assert_int_equal(mm_rss(mm), 1);
	check_zero_but(mm, 5);
	/* The rest comes a page at a time. */
	sim_poke(mm, AT(6), 1);
	assert_int_equal(mm_rss(mm), 2);
}

static void test_no_block(void **state)
{
	struct mm *mm = *state;
	unsigned long failed = stat_read(THP_ZERO_PAGE_ALLOC_FAILED);

	t_map(mm, B, N, RW);
	sim_poke(mm, B, 1);
	assert_int_equal(mm_madvise(mm, B, N * PG, MADV_DONTNEED), 0);
	fail_at(FAIL_ALLOC_PAGES, 1);
	assert_int_equal(sim_peek(mm, AT(5)), 0);
	fail_at(FAIL_ALLOC_PAGES, 0);
	assert_int_equal(stat_read(THP_ZERO_PAGE_ALLOC_FAILED), failed + 1);
	assert_int_equal(pte_pfn(sim_pte(mm, AT(5))), page_to_pfn(zero_page_frame));
	assert_true(pte_none(sim_pte(mm, AT(6))));
	assert_null(huge_zero_folio);
	t_validate(mm);
}

static void test_unmap_part(void **state)
{
	struct mm *mm = *state;
	unsigned long splits = stat_read(THP_SPLIT_PMD);

	map_zeroes(mm);
	assert_int_equal(mm_madvise(mm, AT(5), PG, MADV_DONTNEED), 0);
	assert_int_equal(stat_read(THP_SPLIT_PMD), splits + 1);
	assert_true(pte_none(sim_pte(mm, AT(5))));
	check_zero_but(mm, N);
	assert_int_equal(mm_munmap(mm, AT(100), 50 * PG), 0);
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, B, N * PG), 0);
	t_validate(mm);
	map_zeroes(mm);
	assert_int_equal(mm_munmap(mm, B, N * PG), 0);
	assert_int_equal(stat_read(THP_SPLIT_PMD), splits + 1);
}

static void test_rights(void **state)
{
	struct mm *mm = *state;

	map_zeroes(mm);
	assert_int_equal(mm_mprotect(mm, B, N * PG, PROT_READ), 0);
	assert_true(pte_is_promoted(pgtable_find(&mm->pgt, B)));
	assert_int_equal(sim_touch(mm, AT(1), FAULT_WRITE), FAULT_ACCERR);
	assert_int_equal(mm_mprotect(mm, B, N * PG, PROT_NONE), 0);
	t_validate(mm);
	assert_int_equal(sim_touch(mm, AT(1), FAULT_READ), FAULT_ACCERR);
	assert_int_equal(mm_mprotect(mm, AT(3), PG, RW), 0);
	sim_poke(mm, AT(3), 1);
	assert_int_equal(mm_mprotect(mm, B, N * PG, RW), 0);
	check_zero_but(mm, 3);
}

static void test_fork_part(void **state)
{
	struct mm *mm = *state, *child;

	map_zeroes(mm);
	/* One of two vmas on the same table. */
	assert_int_equal(mm_mprotect(mm, B, 10 * PG, PROT_READ), 0);
	sim_poke(mm, AT(20), 1);
	child = mm_fork(mm);
	check_zero_but(child, 20);
	sim_poke(child, AT(21), 2);
	check_zero_but(mm, 20);
	sim_mm_put(child);
}

static void test_move(void **state)
{
	struct mm *mm = *state;
	unsigned long to = B + 4 * PMD_SIZE, across = B + 8 * PMD_SIZE + 9 * PG;

	map_zeroes(mm);
	assert_int_equal(mm_mremap(mm, B, N * PG, N * PG, MREMAP_MAYMOVE | MREMAP_FIXED, to),
			 (long)to);
	assert_true(pte_is_promoted(pgtable_find(&mm->pgt, to)));
	t_validate(mm);
	assert_int_equal(mm_mremap(mm, to, N * PG, N * PG, MREMAP_MAYMOVE | MREMAP_FIXED, across),
			 (long)across);
	assert_false(pte_is_promoted(pgtable_find(&mm->pgt, across)));
	assert_true(maps_huge_zero(mm, across));
	sim_poke(mm, across, 1);
	assert_int_equal(sim_peek(mm, across + PG), 0);
	t_validate(mm);
}

static void test_lock(void **state)
{
	struct mm *mm = *state;
	unsigned long mlocked = stat_read(NR_MLOCK);

	sim_caller.ipc_lock = true;
	map_zeroes(mm);
	assert_int_equal(mm_mlock(mm, B, N * PG, true), 0);
	assert_true(maps_huge_zero(mm, B));
	assert_int_equal(stat_read(NR_MLOCK), mlocked);
	t_validate(mm);
	/* What is mapped in a locked area is not locked, either. */
	assert_int_equal(mm_madvise(mm, B, N * PG, MADV_DONTNEED_LOCKED), 0);
	assert_int_equal(sim_peek(mm, AT(7)), 0);
	assert_true(maps_huge_zero(mm, B));
	t_validate(mm);
	assert_int_equal(mm_mlock(mm, B, N * PG, false), 0);
	assert_int_equal(stat_read(NR_MLOCK), mlocked + N);
	assert_int_equal(mm_munlock(mm, B, N * PG), 0);
	check_zero_but(mm, N);
}

static void test_collapse(void **state)
{
	const struct collapse_limits few = { 10, 0, 0, GFP_KERNEL, false },
				     any = { ~0u, 0, 0, GFP_KERNEL, false };
	struct mm *mm = *state;

	map_zeroes(mm);
	assert_int_equal(mm_collapse(mm, B, &any), COLLAPSE_NOTHING_TO_DO);
	assert_int_equal(mm_madvise(mm, AT(5), PG, MADV_DONTNEED), 0);
	/* Zeroes are as good as nothing: max_ptes_none. */
	assert_int_equal(mm_collapse(mm, B, &few), -EINVAL);
	assert_int_equal(mm_collapse(mm, B, &any), 0);
	assert_int_equal(mm_rss(mm), N);
	check_zero_but(mm, N);
}

/* A page of it for somebody else is any page of zeroes. */
static void test_get_page(void **state)
{
	struct mm *mm = *state;
	struct page *page;

	map_zeroes(mm);
	page = mm_get_page(mm, AT(9), false, false);
	assert_ptr_equal(page, zero_page_frame);
	mm_put_page(page);
	page = mm_get_page(mm, AT(9), true, false);
	assert_false(IS_ERR(page));
	*(u8 *)page_address(page) = 1;
	mm_put_page(page);
	check_zero_but(mm, 9);
}

static void test_flags(void **state)
{
	struct mm *mm = *state;
	unsigned long pfn;

	map_zeroes(mm);
	pfn = pte_pfn(sim_pte(mm, B));
	assert_int_equal(page_kpageflags(pfn), 1UL << 24 | 1UL << 22 | 1UL << 15);
	assert_int_equal(page_kpageflags(pfn + 511), 1UL << 24 | 1UL << 22 | 1UL << 16);
	assert_int_equal(page_kpagecount(pfn + 1), 0);
}

static void test_off(void **state)
{
	struct mm *mm = *state;

	knob_thp_zero_page = 0;
	t_map(mm, B, N, RW);
	assert_int_equal(sim_peek(mm, B), 0);
	knob_thp_zero_page = 1;
	assert_int_equal(mm_rss(mm), N);
	check_zero_but(mm, N);
}

#define T_ZERO(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_ZERO(test_life),	T_ZERO(test_write),	 T_ZERO(test_write_without_memory),
		T_ZERO(test_no_block),	T_ZERO(test_unmap_part), T_ZERO(test_rights),
		T_ZERO(test_fork_part), T_ZERO(test_move),	 T_ZERO(test_lock),
		T_ZERO(test_collapse),	T_ZERO(test_get_page),	 T_ZERO(test_flags),
		T_ZERO(test_off),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
