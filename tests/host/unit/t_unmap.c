/* SPDX-License-Identifier: MIT
 *
 * Unmapping: batches of every size, page tables freed when nobody needs them, the TLB before the
 * frames. And the simulated TLB itself: that it would notice.
 */
#include "t.h"

#include <sync/rcu.h>

#define B 0x90000000UL
#define AT(page) (B + (page)*PG)

static void test_batch_sizes(void **state)
{
	struct mm *mm = *state;
	static const unsigned long sizes[] = { 1, 2, 31, 32, 33, 64, 511, 512, 513, 1500, 4097 };

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned long before;

		mm_free_spares();
		rcu_barrier();
		slab_shrink();
		before = nr_free_pages();
		t_map(mm, AT(100), sizes[i], RW);
		for (unsigned long p = 0; p < sizes[i]; p++)
			sim_poke(mm, AT(100 + p), (u8)p);
		assert_int_equal(mm_rss(mm), sizes[i]);
		assert_int_equal(mm_munmap(mm, AT(100), sizes[i] * PG), 0);
		assert_int_equal(mm_rss(mm), 0);
		assert_int_equal(sim_tlb_entries(mm), 0);
		assert_int_equal(atomic_read(&mm->pgt.nr_tables), 0);
		mm_free_spares();
		rcu_barrier();
		slab_shrink();
		pgtable_drain();
		assert_int_equal(nr_free_pages(), before);
	}
}

/* Without memory for the large array the batch flushes in small steps. */
static void test_batch_without_memory(void **state)
{
	struct mm *mm = *state;

	t_map(mm, AT(0), 1000, RW);
	for (unsigned long p = 0; p < 1000; p++)
		sim_poke(mm, AT(p), 1);
	fail_at(FAIL_ALLOC_PAGES, 1);
	assert_int_equal(mm_munmap(mm, AT(0), 1000 * PG), 0);
	assert_int_equal(mm_rss(mm), 0);
	t_validate(mm);
}

/* A few pages at an edge need no vma of their own, and no memory; in the middle they do. */
static void test_trim(void **state)
{
	struct mm *mm = *state;

	t_map(mm, AT(0), 1000, RW);
	for (unsigned long p = 0; p < 1000; p += 10)
		sim_poke(mm, AT(p), 1);
	fail_at(FAIL_VMA_ALLOC, 1);
	assert_int_equal(mm_munmap(mm, AT(990), 10 * PG), 0);
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, AT(0), 511 * PG), 0);
	t_validate(mm);
	assert_int_equal(mm->total_vm, 479);
	assert_int_equal(mm_rss(mm), 47);
	assert_int_equal(mm_munmap(mm, AT(600), 100 * PG), -ENOMEM);
	assert_int_equal(mm_munmap(mm, AT(600), 100 * PG), 0);
	t_validate(mm);
	assert_int_equal(mm->map_count, 2);
	assert_int_equal(mm->total_vm, 379);
	assert_int_equal(sim_peek(mm, AT(700)), 1);
	assert_int_equal(sim_peek(mm, AT(520)), 1);
	t_map(mm, AT(600), 100, RW);
	assert_int_equal(mm->map_count, 1);
	assert_int_equal(mm_munmap(mm, AT(511), 479 * PG), 0);
	assert_int_equal(mm_rss(mm), 0);
	assert_int_equal(atomic_read(&mm->pgt.nr_tables), 0);
}

static void test_tables_of_neighbours_stay(void **state)
{
	struct mm *mm = *state;
	unsigned long tables;

	/* three areas in one 2 MiB table, one in the next */
	t_map(mm, AT(0), 1, RW);
	t_map(mm, AT(10), 1, RW);
	t_map(mm, AT(20), 1, RW);
	t_map(mm, AT(512), 1, RW);
	for (unsigned long i = 0; i < 3; i++)
		sim_poke(mm, AT(i * 10), 1);
	sim_poke(mm, AT(512), 1);
	tables = (unsigned long)atomic_read(&mm->pgt.nr_tables);
	assert_int_equal(mm_munmap(mm, AT(10), PG), 0);
	assert_int_equal(atomic_read(&mm->pgt.nr_tables), tables);
	assert_int_equal(mm_munmap(mm, AT(0), PG), 0);
	assert_int_equal(atomic_read(&mm->pgt.nr_tables), tables);
	assert_int_equal(sim_peek(mm, AT(20)), 1);
	assert_int_equal(mm_munmap(mm, AT(20), PG), 0);
	assert_int_equal(atomic_read(&mm->pgt.nr_tables), tables - 1);
	assert_int_equal(sim_peek(mm, AT(512)), 1);
	assert_int_equal(mm_munmap(mm, AT(512), PG), 0);
	assert_int_equal(atomic_read(&mm->pgt.nr_tables), 0);
}

static void test_sparse(void **state)
{
	struct mm *mm = *state;

	/* one page in each 2 MiB of 1 GiB: an unmap that visits tables, not pages */
	assert_int_equal(mm_mmap(mm, 1UL << 32, 1UL << 30, RW,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, NULL, 0),
			 1UL << 32);
	for (unsigned long i = 0; i < 512; i++)
		sim_touch(mm, (1UL << 32) + i * PMD_SIZE + i * PG,
			  i % 2 ? FAULT_WRITE : FAULT_READ);
	assert_int_equal(mm_rss(mm), 256);
	assert_int_equal(mm_munmap(mm, (1UL << 32) + PG, (1UL << 30) - PG), 0);
	assert_int_equal(mm_rss(mm), 0);
	assert_int_equal(atomic_read(&mm->pgt.nr_tables), 3);
	t_validate(mm);
}

static void test_flush_policy(void **state)
{
	struct mm *mm = *state;
	unsigned long ranged, all;

	t_map(mm, AT(0), 200, RW);
	for (unsigned long i = 0; i < 200; i++)
		sim_poke(mm, AT(i), 1);
	ranged = stat_read(TLB_FLUSH_RANGE);
	all = stat_read(TLB_FLUSH_ALL);
	assert_int_equal(mm_madvise(mm, AT(0), 3 * PG, MADV_DONTNEED), 0);
	assert_int_equal(stat_read(TLB_FLUSH_RANGE), ranged + 1);
	assert_int_equal(mm_madvise(mm, AT(10), 100 * PG, MADV_DONTNEED), 0);
	assert_int_equal(stat_read(TLB_FLUSH_ALL), all + 1);
	/* nothing there, nothing to flush */
	assert_int_equal(mm_madvise(mm, AT(0), 3 * PG, MADV_DONTNEED), 0);
	assert_int_equal(mm_mprotect(mm, AT(0), 3 * PG, PROT_READ), 0);
	assert_int_equal(stat_read(TLB_FLUSH_RANGE), ranged + 1);
	assert_int_equal(stat_read(TLB_FLUSH_ALL), all + 1);
}

/* ---- the simulation's own eyes: each of these mistakes must end the program ---- */

static struct mm *victim;

static void forget_flush_on_unmap(void)
{
	pte_get_and_clear(pgtable_find(&victim->pgt, AT(0)));
	sim_tlb_check(victim);
}

static void forget_flush_on_protect(void)
{
	pte_clear_bits(pgtable_find(&victim->pgt, AT(0)), PTE_W);
	sim_peek(victim, AT(0));
}

static void forget_flush_of_dirty(void)
{
	pte_clear_bits(pgtable_find(&victim->pgt, AT(0)), PTE_D);
	sim_poke(victim, AT(0), 1);
}

static void use_freed_frame(void)
{
	free_pages(pfn_to_page(pte_pfn(sim_pte(victim, AT(0)))), 0);
	sim_peek(victim, AT(0));
}

static void break_accounting(void)
{
	atomic_add(&victim->rss[RSS_ANON], -1);
	t_validate(victim);
}

static void test_mistakes_are_noticed(void **state)
{
	victim = *state;
	t_map(victim, AT(0), 1, RW);
	sim_poke(victim, AT(0), 1);
	t_must_die(forget_flush_on_unmap);
	t_must_die(forget_flush_on_protect);
	t_must_die(forget_flush_of_dirty);
	t_must_die(use_freed_frame);
	t_must_die(break_accounting);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_batch_sizes),
		T_MM(test_batch_without_memory),
		T_MM(test_trim),
		T_MM(test_tables_of_neighbours_stay),
		T_MM(test_sparse),
		T_MM(test_flush_policy),
		T_MM(test_mistakes_are_noticed),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
