/* SPDX-License-Identifier: MIT
 *
 * Collapse: 512 entries of any kind become one folio, with all counts exact before and after, done or not done.
 */
#include "../../../mm/collapse.h"
#include "../../../mm/swap_internal.h"
#include "swap_device.h"
#include "t.h"

#define B 0x90000000UL
#define AT(page) (B + (page)*PG)
#define N PTRS_PER_TABLE

static const struct collapse_limits any = { ~0u, ~0u, ~0u, GFP_KERNEL, false };

static struct folio *folio_at(struct mm *mm, unsigned long va)
{
	pte_t e = sim_pte(mm, va);

	assert_true(pte_present(e) && !pte_special(e));
	return pfn_folio(pte_pfn(e));
}

static void poke_some(struct mm *mm, unsigned long step)
{
	for (unsigned long i = 0; i < N; i += step)
		sim_poke(mm, AT(i), (u8)(i + 1));
}

static void check_contents(struct mm *mm, unsigned long step)
{
	for (unsigned long i = 0; i < N; i++)
		assert_int_equal(sim_peek(mm, AT(i)), i % step ? 0 : (u8)(i + 1));
}

static void check_whole(struct mm *mm)
{
	struct folio *folio = folio_at(mm, B);

	assert_int_equal(folio->order, PMD_ORDER);
	assert_true(pte_is_promoted(pgtable_find(&mm->pgt, B)));
	assert_int_equal(atomic_read(&folio->refcount), N);
	assert_int_equal(atomic_read(&folio->mapcount), N);
	assert_int_equal(atomic_read(&mm->rss[RSS_ANON]), N);
	t_validate(mm);
}

static void test_small_pages(void **state)
{
	struct mm *mm = *state;

	t_map(mm, B, N, RW);
	poke_some(mm, 1);
	assert_int_equal(mm_collapse(mm, B, &any), 0);
	check_whole(mm);
	assert_int_equal(mm_collapse(mm, B, &any), COLLAPSE_NOTHING_TO_DO);
	check_contents(mm, 1);
}

static void test_holes(void **state)
{
	const struct collapse_limits few = { 100, 0, 0, GFP_KERNEL, false };
	struct mm *mm = *state;

	t_map(mm, B, N, RW);
	poke_some(mm, 3);
	assert_int_equal(sim_peek(mm, AT(1)), 0);
	assert_int_equal(mm_collapse(mm, B, &few), -EINVAL);
	assert_int_equal(mm_collapse(mm, B, &any), 0);
	check_whole(mm);
	check_contents(mm, 3);
	assert_int_equal(mm_munmap(mm, AT(5), PG), 0);
	assert_int_equal(mm_collapse(mm, B, &any), -EINVAL);
	t_validate(mm);
}

static void test_locked(void **state)
{
	struct mm *mm = *state;
	unsigned long unevictable = stat_read(NR_UNEVICTABLE), mlock = stat_read(NR_MLOCK);

	sim_caller.ipc_lock = true;
	t_map(mm, B, N, RW);
	poke_some(mm, 2);
	assert_int_equal(mm_mlock(mm, B, N * PG, true), 0);
	assert_int_equal(stat_read(NR_MLOCK), mlock + N / 2);
	assert_int_equal(mm_collapse(mm, B, &any), 0);
	check_whole(mm);
	assert_int_equal(stat_read(NR_MLOCK), mlock + N);
	assert_int_equal(stat_read(NR_UNEVICTABLE), unevictable + N);
	assert_int_equal(mm_munlock(mm, B, N * PG), 0);
	assert_int_equal(stat_read(NR_MLOCK), mlock);
	assert_int_equal(stat_read(NR_UNEVICTABLE), unevictable);
	check_contents(mm, 2);
}

static void test_shared_by_fork(void **state)
{
	const struct collapse_limits alone = { ~0u, ~0u, N - 1, GFP_KERNEL, false };
	struct mm *mm = *state, *child;

	sim_caller.ipc_lock = true;
	t_map(mm, B, N, RW);
	poke_some(mm, 1);
	child = mm_fork(mm);
	assert_int_equal(mm_mlock(child, AT(7), PG, true), 0);
	assert_int_equal(mm_collapse(mm, B, &alone), -EINVAL);
	assert_int_equal(mm_collapse(mm, B, &any), 0);
	check_whole(mm);
	assert_int_equal(atomic_read(&folio_at(child, AT(7))->mlock_count), 1);
	sim_poke(mm, AT(8), 99);
	check_contents(child, 1);
	assert_int_equal(mm_munlock(child, AT(7), PG), 0);
	assert_int_equal(mm_collapse(child, B, &any), 0);
	check_whole(child);
	check_contents(child, 1);
	sim_mm_put(child);
	assert_int_equal(sim_peek(mm, AT(8)), 99);
}

static void test_large_ones(void **state)
{
	struct mm *mm = *state, *child;

	knob_thp = THP_ALWAYS;
	knob_mthp_orders = 1UL << 4;
	t_map(mm, B, N, RW);
	poke_some(mm, 1);
	knob_thp = THP_NEVER;
	assert_int_equal(folio_at(mm, B)->order, 4);
	child = mm_fork(mm);
	sim_poke(mm, AT(3), 4);
	assert_int_equal(mm_collapse(mm, B, &any), 0);
	check_whole(mm);
	check_contents(mm, 1);
	check_contents(child, 1);
	t_validate(child);
	sim_mm_put(child);
}

static void test_swapped(void **state)
{
	struct block_device *dev = swap_device_on(2 * N);
	const struct collapse_limits none = { ~0u, 0, ~0u, GFP_KERNEL, false };
	struct mm *mm = *state;

	t_map(mm, B, N, RW);
	poke_some(mm, 1);
	assert_int_equal(mm_madvise(mm, AT(100), 50 * PG, MADV_PAGEOUT), 0);
	assert_true(atomic_read(&mm->rss[RSS_SWAP]) > 0);
	assert_int_equal(mm_collapse(mm, B, &none), -EINVAL);
	assert_int_equal(mm_collapse(mm, B, &any), 0);
	check_whole(mm);
	check_contents(mm, 1);
	assert_int_equal(swap_free_pages(), swap_total_pages());
	assert_int_equal(mm_munmap(mm, B, N * PG), 0);
	swap_device_off(dev);
}

static void test_somebody_has_it(void **state)
{
	struct mm *mm = *state;
	struct page *page;
	pte_t before;

	t_map(mm, B, N, RW);
	poke_some(mm, 2);
	page = mm_get_page(mm, AT(10), true, false);
	before = sim_pte(mm, AT(10));
	assert_int_equal(mm_collapse(mm, B, &any), -EAGAIN);
	assert_int_equal(sim_pte(mm, AT(10)), before);
	assert_int_equal(atomic_read(&mm->rss[RSS_ANON]), N / 2);
	t_validate(mm);
	mm_put_page(page);
	assert_int_equal(mm_collapse(mm, B, &any), 0);
	check_whole(mm);
	check_contents(mm, 2);
}

static void test_no_memory(void **state)
{
	struct mm *mm = *state;

	t_map(mm, B, N, RW);
	poke_some(mm, 2);
	/* The first one prepares the table, if it can; then there is room for entries, and the folio. */
	fail_at(FAIL_ALLOC_PAGES, 2);
	assert_int_equal(mm_collapse(mm, B, &any), -ENOMEM);
	for (unsigned int n = 1; n <= 2; n++) {
		fail_at(FAIL_ALLOC_PAGES, n);
		assert_int_equal(mm_collapse(mm, B, &any), -ENOMEM);
	}
	fail_at(FAIL_ALLOC_PAGES, 0);
	t_validate(mm);
	assert_int_equal(mm_collapse(mm, B, &any), 0);
	check_contents(mm, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_small_pages),	    T_MM(test_holes),	   T_MM(test_locked),
		T_MM(test_shared_by_fork),  T_MM(test_large_ones), T_MM(test_swapped),
		T_MM(test_somebody_has_it), T_MM(test_no_memory),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
