/* SPDX-License-Identifier: MIT
 *
 * Large folios: what is counted, and what is mapped as one, stays right when they are split, and when that fails.
 */
#include "../../../mm/large.h"
#include "../../../mm/lru.h"
#include "t.h"

#include <mm/rmap.h>

#define B 0x90000000UL /* aligned to 2 MiB */
#define NR PTRS_PER_TABLE

/* A folio of 2 MiB at B, which its page table maps as one. */
static struct folio *large_folio(struct mm *mm)
{
	struct folio *folio;

	knob_thp = THP_ALWAYS;
	knob_mthp_orders = 1UL << PMD_ORDER;
	t_map(mm, B, NR, RW);
	sim_poke(mm, B, 1);
	knob_thp = THP_NEVER;
	folio = pfn_folio(pte_pfn(sim_pte(mm, B)));
	assert_int_equal(folio->order, PMD_ORDER);
	assert_true(pte_is_promoted(pgtable_find(&mm->pgt, B)));
	return folio;
}

static bool split(struct folio *folio)
{
	bool done;

	folio_get(folio);
	done = split_mapped_folio(folio);
	folio_put(folio);
	return done;
}

/* Somebody looks at the folio meanwhile. */
static void fail_to_split(struct folio *folio)
{
	folio_get(folio);
	assert_false(split(folio));
	folio_put(folio);
}

static void test_locked_pages(void **state)
{
	struct mm *mm = *state;
	unsigned long mlocked = stat_read(NR_MLOCK), unevictable = stat_read(NR_UNEVICTABLE);
	struct folio *folio = large_folio(mm);

	sim_caller.ipc_lock = true;
	assert_int_equal(mm_mlock(mm, B, NR / 2 * PG, false), 0);
	assert_int_equal(stat_read(NR_MLOCK), mlocked + NR / 2);
	assert_true(split(folio));
	assert_int_equal(stat_read(NR_MLOCK), mlocked + NR / 2);
	assert_int_equal(stat_read(NR_UNEVICTABLE), unevictable + NR / 2);
	t_validate(mm);
	assert_int_equal(mm_munlock(mm, B, NR / 2 * PG), 0);
	assert_int_equal(stat_read(NR_MLOCK), mlocked);
	assert_int_equal(stat_read(NR_UNEVICTABLE), unevictable);
}

static void test_all_locked(void **state)
{
	struct mm *mm = *state;
	unsigned long mlocked = stat_read(NR_MLOCK);
	struct folio *folio = large_folio(mm);

	sim_caller.ipc_lock = true;
	assert_int_equal(mm_mlock(mm, B, NR * PG, false), 0);
	fail_to_split(folio);
	assert_int_equal(stat_read(NR_MLOCK), mlocked + NR);
	assert_true(split(folio));
	assert_int_equal(stat_read(NR_MLOCK), mlocked + NR);
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, B, NR * PG), 0);
	assert_int_equal(stat_read(NR_MLOCK), mlocked);
}

/* It still waits for it, and is found when memory is short. */
static void test_failed(void **state)
{
	struct mm *mm = *state;
	struct folio *folio = large_folio(mm);

	assert_int_equal(mm_munmap(mm, B + PG, 3 * PG), 0);
	fail_to_split(folio);
	assert_true(folio_is_large(folio));
	assert_int_equal(split_deferred(1), 3);
	assert_false(folio_is_large(folio));
	assert_int_equal(split_deferred(1), 0);
	t_validate(mm);
}

/* The entries of two vmas may be alike; what one of them allows is not allowed in the other. */
static void test_two_vmas(void **state)
{
	struct mm *mm = *state;
	struct folio *folio = large_folio(mm);

	sim_mm_put(mm_fork(mm));
	assert_int_equal(mm_mprotect(mm, B + NR / 2 * PG, NR / 2 * PG, PROT_READ), 0);
	fail_to_split(folio);
	assert_false(pte_is_promoted(pgtable_find(&mm->pgt, B)));
	sim_poke(mm, B, 2);
	assert_int_equal(sim_touch(mm, B + NR / 2 * PG, FAULT_WRITE), FAULT_ACCERR);
	t_validate(mm);
}

static void test_fork_of_unused(void **state)
{
	struct mm *mm = *state, *child;
	struct folio *folio = large_folio(mm);
	unsigned long flags;

	folio_get(folio);
	folio_lock(folio);
	assert_int_equal(folio_referenced(folio, &flags), 1);
	assert_int_equal(folio_referenced(folio, &flags), 0);
	folio_unlock(folio);
	folio_put(folio);
	child = mm_fork(mm);
	assert_true(pte_is_promoted(pgtable_find(&child->pgt, B)));
	t_validate(mm);
	t_validate(child);
	sim_mm_put(child);
}

/* Reclaim takes so many pages off a list at a time, and not so many folios: others find the rest. */
static void test_isolated_by_pages(void **state)
{
	struct mm *mm = *state;
	struct folio *folio = large_folio(mm);
	LIST_HEAD(folios);

	t_map(mm, B + PMD_SIZE, 4, RW);
	for (unsigned long i = 0; i < 4; i++)
		sim_poke(mm, B + PMD_SIZE + i * PG, 1);
	assert_int_equal(lru_isolate(LRU_INACTIVE_ANON, LRU_BATCH, &folios), NR);
	assert_true(folios.next == &folio->lru && folios.prev == &folio->lru);
	lru_putback(&folios);
	assert_int_equal(stat_read(NR_INACTIVE_ANON), NR + 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_locked_pages), T_MM(test_all_locked),	    T_MM(test_failed),
		T_MM(test_two_vmas),	 T_MM(test_fork_of_unused), T_MM(test_isolated_by_pages),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
