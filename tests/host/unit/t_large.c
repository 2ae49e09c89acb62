/* SPDX-License-Identifier: MIT
 *
 * Large folios: what is counted of each page and of the whole, promotion and demotion of their tables, splitting, and what
 * fork, moves, cuts and locks do to them.
 */
#include "../../../mm/large.h"
#include "../../../mm/mapcount.h"
#include "t.h"

#define ORDERS_BELOW_HUGE 0x1fcUL /* 2 to 8 */

static struct folio *folio_at(struct mm *mm, unsigned long va)
{
	pte_t e = sim_pte(mm, va);

	assert_true(pte_present(e) && !pte_special(e));
	return pfn_folio(pte_pfn(e));
}

static struct page *page_at(struct mm *mm, unsigned long va)
{
	return pfn_to_page(pte_pfn(sim_pte(mm, va)));
}

static bool is_promoted(struct mm *mm, unsigned long va)
{
	pte_t *pte = pgtable_find(&mm->pgt, va);

	return pte && pte_is_promoted(pte);
}

#define B 0xa0000000UL
#define AT(page) (B + (page)*PG)

static u8 mark(unsigned long i)
{
	return (u8)(i * 3 + 1);
}

/* 2^order pages at B in one folio, written and marked. */
static struct folio *map_folio(struct mm *mm, unsigned int order)
{
	unsigned long n = 1UL << order;
	struct folio *folio;

	knob_thp = THP_ALWAYS;
	knob_mthp_orders = n;
	sim_caller.ipc_lock = true;
	t_map(mm, B, n, RW);
	for (unsigned long i = 0; i < n; i++)
		sim_poke(mm, AT(i), mark(i));
	folio = folio_at(mm, B);
	assert_true(folio_is_large(folio) && folio->order == order);
	return folio;
}

static void check_marks(struct mm *mm, unsigned long first, unsigned long end)
{
	for (unsigned long i = first; i < end; i++)
		assert_int_equal(sim_peek(mm, AT(i)), mark(i));
}

/* After the last of them is unmapped nothing is counted. */
static void end(struct mm *mm, unsigned long n)
{
	assert_int_equal(mm_munmap(mm, B, n * PG), 0);
	assert_int_equal(stat_read(NR_MLOCK), 0);
	assert_int_equal(stat_read(NR_ANON_THPS), 0);
	knob_thp = THP_NEVER;
}

static void each_order(void **state, void (*fn)(struct mm *mm, unsigned int order))
{
	for (unsigned int order = 2; order <= PMD_ORDER; order++)
		fn(*state, order);
}

/* ---- faults ---- */

static void one_fault(struct mm *mm, unsigned int order)
{
	unsigned long faults = sim_caller.faults;
	long anon = (long)stat_read(NR_ANON_PAGES);
	int n = 1 << order;
	struct folio *folio = map_folio(mm, order);

	assert_int_equal(sim_caller.faults - faults, 1);
	assert_int_equal((long)stat_read(NR_ANON_PAGES) - anon, n);
	assert_int_equal(atomic_read(&folio->mapcount), n);
	assert_int_equal(atomic_read(&folio->refcount), n);
	assert_int_equal(large_nr_mapped(folio), n);
	assert_int_equal(mm_rss(mm), n);
	for (int i = 0; i < n; i++)
		assert_int_equal(page_mapcount(folio_page(folio, (unsigned long)i)), 1);
	assert_int_equal(is_promoted(mm, B), order == PMD_ORDER);
	assert_int_equal(stat_read(NR_ANON_THPS), order == PMD_ORDER);
	t_validate(mm);
	end(mm, (unsigned long)n);
}

static void test_fault(void **state)
{
	each_order(state, one_fault);
}

/* The largest that fits into the vma and among what is there; smaller ones when there is no such block. */
static void test_what_fits(void **state)
{
	struct mm *mm = *state;

	knob_thp = THP_ALWAYS;
	knob_mthp_orders = ORDERS_BELOW_HUGE;
	t_map(mm, AT(2), 30, RW);
	sim_poke(mm, AT(17), 1);
	assert_int_equal(folio_at(mm, AT(17))->order, 4);
	sim_poke(mm, AT(13), 1);
	assert_int_equal(folio_at(mm, AT(13))->order, 3);
	sim_poke(mm, AT(3), 1);
	assert_int_equal(folio_at(mm, AT(3))->order, 0);
	sim_poke(mm, AT(6), 1);
	assert_int_equal(folio_at(mm, AT(6))->order, 2);
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, B, 32 * PG), 0);
	t_map(mm, B, 16, RW);
	fail_at(FAIL_ALLOC_PAGES, 1);
	sim_poke(mm, AT(0), 1);
	fail_at(FAIL_ALLOC_PAGES, 0);
	assert_int_equal(folio_at(mm, B)->order, 3);
	end(mm, 16);
}

/* ---- parts ---- */

static void unmap_half(struct mm *mm, unsigned int order)
{
	unsigned long n = 1UL << order, queued = stat_read(THP_DEFERRED_SPLIT_PAGE);
	long anon = (long)stat_read(NR_ANON_PAGES);
	struct folio *folio = map_folio(mm, order);

	assert_int_equal(mm_madvise(mm, AT(n / 2), n / 2 * PG, MADV_DONTNEED), 0);
	assert_false(is_promoted(mm, B));
	assert_int_equal(large_nr_mapped(folio), n / 2);
	assert_int_equal((long)stat_read(NR_ANON_PAGES) - anon, n / 2);
	assert_int_equal(stat_read(THP_DEFERRED_SPLIT_PAGE) - queued, order == PMD_ORDER);
	assert_int_equal(split_deferred(1), n / 2);
	assert_int_equal(folio_at(mm, B)->order, 0);
	check_marks(mm, 0, n / 2);
	assert_int_equal(split_deferred(1), 0);
	t_validate(mm);
	end(mm, n);
}

static void test_unmapped_half(void **state)
{
	each_order(state, unmap_half);
}

/* What goes entirely is not left in the queue. */
static void test_queue_forgets(void **state)
{
	struct mm *mm = *state;

	map_folio(mm, 4);
	assert_int_equal(mm_madvise(mm, AT(1), PG, MADV_DONTNEED), 0);
	end(mm, 16);
	assert_int_equal(split_deferred(8), 0);
}

static void cut(struct mm *mm, unsigned int order)
{
	unsigned long n = 1UL << order;
	struct folio *folio = map_folio(mm, order);

	assert_int_equal(mm_mprotect(mm, AT(1), PG, PROT_READ), 0);
	assert_false(is_promoted(mm, B));
	assert_ptr_equal(folio_at(mm, AT(n - 1)), folio);
	assert_int_equal(large_nr_mapped(folio), n);
	assert_int_equal(sim_touch(mm, AT(1), FAULT_WRITE), FAULT_ACCERR);
	sim_poke(mm, AT(2), mark(2));
	check_marks(mm, 0, n);
	t_validate(mm);
	end(mm, n);
}

static void test_cut(void **state)
{
	each_order(state, cut);
}

/* ---- fork ---- */

static void share(struct mm *mm, unsigned int order)
{
	unsigned long n = 1UL << order;
	struct folio *folio = map_folio(mm, order);
	struct mm *child = mm_fork(mm);

	assert_int_equal(atomic_read(&folio->mapcount), 2 * n);
	assert_int_equal(page_mapcount(folio_page(folio, n - 1)), 2);
	assert_int_equal(is_promoted(child, B), order == PMD_ORDER);
	assert_int_equal(is_promoted(mm, B), order == PMD_ORDER);
	sim_poke(child, AT(1), 99);
	assert_int_equal(folio_at(child, AT(1))->order, 0);
	assert_int_equal(page_mapcount(folio_page(folio, 1)), 1);
	assert_int_equal(page_mapcount(folio_page(folio, 0)), 2);
	assert_int_equal(large_nr_mapped(folio), n);
	check_marks(mm, 0, n);
	sim_poke(mm, AT(1), mark(1));
	assert_ptr_equal(folio_at(mm, AT(1)), folio);
	check_marks(child, 2, n);
	t_validate(mm);
	t_validate(child);
	sim_mm_put(child);
	sim_poke(mm, AT(0), mark(0));
	assert_ptr_equal(folio_at(mm, AT(0)), folio);
	t_validate(mm);
	end(mm, n);
}

static void test_fork(void **state)
{
	each_order(state, share);
}

/* ---- locks ---- */

static void lock(struct mm *mm, unsigned int order)
{
	unsigned long n = 1UL << order;
	struct folio *folio = map_folio(mm, order);
	struct mm *child;

	assert_int_equal(mm_mlock(mm, B, n * PG, false), 0);
	assert_true(folio_is_mlocked(folio) && folio_test(folio, PG_unevictable));
	assert_int_equal(stat_read(NR_MLOCK), n);
	assert_int_equal(is_promoted(mm, B), order == PMD_ORDER);
	assert_int_equal(mm_munlock(mm, AT(1), PG), 0);
	assert_false(folio_is_mlocked(folio) || folio_test(folio, PG_unevictable));
	assert_int_equal(stat_read(NR_MLOCK), n - 1);
	child = mm_fork(mm);
	assert_int_equal(mm_mlock(child, AT(0), 2 * PG, true), 0);
	assert_int_equal(stat_read(NR_MLOCK), n);
	assert_true(folio_is_mlocked(folio) && folio_test(folio, PG_unevictable));
	assert_int_equal(atomic_read(page_mlocks(folio_page(folio, 0))), 2);
	sim_mm_put(child);
	assert_false(folio_is_mlocked(folio) || folio_test(folio, PG_unevictable));
	assert_int_equal(stat_read(NR_MLOCK), n - 1);
	t_validate(mm);
	end(mm, n);
}

static void test_lock(void **state)
{
	each_order(state, lock);
}

static void split_locked(struct mm *mm, unsigned int order)
{
	unsigned long n = 1UL << order, unevictable = stat_read(NR_UNEVICTABLE);
	struct folio *folio = map_folio(mm, order);

	assert_int_equal(mm_mlock(mm, AT(1), (n - 2) * PG, false), 0);
	assert_int_equal(stat_read(NR_MLOCK), n - 2);
	assert_int_equal(stat_read(NR_UNEVICTABLE), unevictable);
	folio_get(folio);
	assert_true(split_mapped_folio(folio));
	folio_put(folio);
	assert_int_equal(stat_read(NR_MLOCK), n - 2);
	assert_int_equal(stat_read(NR_UNEVICTABLE) - unevictable, n - 2);
	for (unsigned long i = 0; i < n; i++) {
		struct folio *piece = folio_at(mm, AT(i));

		assert_int_equal(piece->order, 0);
		assert_ptr_equal(&piece->page, page_at(mm, AT(0)) + i);
		assert_int_equal(folio_test(piece, PG_unevictable), i > 0 && i < n - 1);
		assert_int_equal(atomic_read(&piece->refcount), 1);
	}
	check_marks(mm, 0, n);
	t_validate(mm);
	end(mm, n);
	assert_int_equal(stat_read(NR_UNEVICTABLE), unevictable);
}

static void test_split_locked(void **state)
{
	each_order(state, split_locked);
}

/* Somebody else has it: it stays whole, and as locked as it was. */
static void test_split_fails(void **state)
{
	struct mm *mm = *state;
	struct folio *folio = map_folio(mm, 4);

	assert_int_equal(mm_mlock(mm, B, 16 * PG, false), 0);
	folio_get(folio);
	folio_get(folio);
	assert_false(split_mapped_folio(folio));
	folio_put(folio);
	folio_put(folio);
	assert_int_equal(stat_read(NR_MLOCK), 16);
	assert_true(folio_is_mlocked(folio) && folio_test(folio, PG_unevictable));
	check_marks(mm, 0, 16);
	t_validate(mm);
	end(mm, 16);
}

/* ---- moves ---- */

static void move_apart(struct mm *mm, unsigned int order)
{
	unsigned long n = 1UL << order, to = B + 0x10000000UL;
	struct folio *folio = map_folio(mm, order);

	assert_int_equal(mm_mlock(mm, B, n * PG, false), 0);
	assert_int_equal(
		mm_mremap(mm, AT(n / 2), n / 2 * PG, n / 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, to),
		to);
	assert_true(folio_is_mlocked(folio));
	assert_int_equal(large_nr_mapped(folio), n);
	assert_int_equal(mm_munlock(mm, to, n / 2 * PG), 0);
	assert_false(folio_is_mlocked(folio) || folio_test(folio, PG_unevictable));
	assert_int_equal(stat_read(NR_MLOCK), n / 2);
	check_marks(mm, 0, n / 2);
	for (unsigned long i = 0; i < n / 2; i++)
		assert_int_equal(sim_peek(mm, to + i * PG), mark(i + n / 2));
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, to, n / 2 * PG), 0);
	end(mm, n);
}

static void test_apart(void **state)
{
	each_order(state, move_apart);
}

/* ---- promotion ---- */

static void test_promotion(void **state)
{
	const unsigned long n = PTRS_PER_TABLE, to = B + PMD_SIZE * 8;
	struct mm *mm = *state;

	map_folio(mm, PMD_ORDER);
	assert_int_equal(mm_mprotect(mm, B, n * PG, PROT_READ), 0);
	assert_true(is_promoted(mm, B));
	assert_int_equal(mm_mprotect(mm, B, n * PG, RW), 0);
	assert_true(is_promoted(mm, B));
	assert_int_equal(mm_mremap(mm, B, n * PG, n * PG, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
	assert_true(is_promoted(mm, to));
	t_validate(mm);
	/* Not aligned: entries. */
	assert_int_equal(mm_mremap(mm, to, n * PG, n * PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(5)),
			 AT(5));
	assert_false(is_promoted(mm, AT(5)) || is_promoted(mm, AT(n)));
	assert_int_equal(stat_read(NR_ANON_THPS), 0);
	for (unsigned long i = 0; i < n; i++)
		assert_int_equal(sim_peek(mm, AT(5 + i)), mark(i));
	t_validate(mm);
	end(mm, n + 5);
}

/* A boundary that changes no entry, too. */
static void test_vma_boundary(void **state)
{
	struct mm *mm = *state;

	map_folio(mm, PMD_ORDER);
	assert_int_equal(mm_madvise(mm, AT(10), PG, MADV_DONTFORK), 0);
	assert_false(is_promoted(mm, B));
	t_validate(mm);
	end(mm, PTRS_PER_TABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_fault),	  T_MM(test_what_fits),	   T_MM(test_unmapped_half),
		T_MM(test_queue_forgets), T_MM(test_cut),	   T_MM(test_fork),
		T_MM(test_lock),	  T_MM(test_split_locked), T_MM(test_split_fails),
		T_MM(test_apart),	  T_MM(test_promotion),	   T_MM(test_vma_boundary),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
