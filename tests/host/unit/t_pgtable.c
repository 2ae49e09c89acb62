/* SPDX-License-Identifier: MIT
 *
 * Page tables as memory: finding, adding, iterating, freeing, and running out of memory on the way.
 */
#include "t.h"

static struct pgtable pt;
static unsigned int released;

static void release(void *arg, struct page *table)
{
	assert_ptr_equal(arg, &pt);
	assert_true(table->flags & (1UL << PG_pgtable));
	released++;
	pgtable_free_page(table);
}

static void free_range(unsigned long start, unsigned long end, unsigned long floor,
		       unsigned long ceiling)
{
	released = 0;
	pgtable_free_range(&pt, start, end, floor, ceiling, release, &pt);
}

static void free_all(void)
{
	free_range(0, TASK_SIZE, 0, TASK_SIZE + PAGE_SIZE);
	pgtable_destroy(&pt);
}

static void test_find_and_alloc(void **state)
{
	static const unsigned long vas[] = { 0,
					     PAGE_SIZE,
					     PMD_SIZE,
					     PUD_SIZE,
					     PGD_SIZE,
					     5 * PGD_SIZE + 3 * PUD_SIZE,
					     TASK_SIZE - PAGE_SIZE };

	(void)state;
	assert_int_equal(pgtable_init(&pt), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(vas); i++) {
		pte_t *pte = pgtable_alloc(&pt, vas[i]);

		assert_non_null(pte);
		assert_ptr_equal(pgtable_alloc(&pt, vas[i]), pte);
		assert_ptr_equal(pgtable_find(&pt, vas[i]), pte);
		assert_true(pte_none(*pte));
		pte_set(pte, pte_make(i + 1, PTE_P));
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(vas); i++) {
		assert_int_equal(pte_pfn(pte_read(pgtable_find(&pt, vas[i]))), i + 1);
		pte_get_and_clear(pgtable_find(&pt, vas[i]));
	}
	/* Three levels below the root for the first, then only what differs. */
	assert_int_equal(atomic_read(&pt.nr_tables), 3 + 0 + 1 + 2 + 3 + 3 + 3);
	assert_null(pgtable_find(&pt, 2 * PMD_SIZE));
	assert_null(pgtable_find(&pt, 2 * PUD_SIZE));
	assert_null(pgtable_find(&pt, 2 * PGD_SIZE));
	free_all();
}

static void test_next(void **state)
{
	unsigned long va = 0, stop;

	(void)state;
	assert_int_equal(pgtable_init(&pt), 0);
	assert_null(pgtable_next(&pt, &va, TASK_SIZE, &stop));
	assert_non_null(pgtable_alloc(&pt, PMD_SIZE + 5 * PAGE_SIZE));
	assert_non_null(pgtable_alloc(&pt, PGD_SIZE + 7 * PUD_SIZE));

	/* Tables without entries are only seen by who asks for them. */
	va = 0;
	assert_null(pgtable_next(&pt, &va, TASK_SIZE, &stop));
	va = 0;
	assert_ptr_equal(pgtable_next_table(&pt, &va, TASK_SIZE, &stop),
			 pgtable_find(&pt, PMD_SIZE));
	pte_used_inc(pgtable_find(&pt, PMD_SIZE));
	pte_used_inc(pgtable_find(&pt, PGD_SIZE + 7 * PUD_SIZE));

	va = 0;
	assert_ptr_equal(pgtable_next(&pt, &va, TASK_SIZE, &stop), pgtable_find(&pt, PMD_SIZE));
	assert_int_equal(va, PMD_SIZE);
	assert_int_equal(stop, 2 * PMD_SIZE);
	va = stop;
	assert_non_null(pgtable_next(&pt, &va, TASK_SIZE, &stop));
	assert_int_equal(va, PGD_SIZE + 7 * PUD_SIZE);
	va = stop;
	assert_null(pgtable_next(&pt, &va, TASK_SIZE, &stop));

	/* Inside a table: starts and stops where the range does. */
	va = PMD_SIZE + 3 * PAGE_SIZE;
	assert_ptr_equal(pgtable_next(&pt, &va, PMD_SIZE + 9 * PAGE_SIZE, &stop),
			 pgtable_find(&pt, PMD_SIZE + 3 * PAGE_SIZE));
	assert_int_equal(stop, PMD_SIZE + 9 * PAGE_SIZE);
	va = 0;
	assert_null(pgtable_next(&pt, &va, PMD_SIZE, &stop));
	va = TASK_SIZE;
	assert_null(pgtable_next(&pt, &va, TASK_SIZE, &stop));
	pte_used_sub(pgtable_find(&pt, PMD_SIZE), 1);
	pte_used_sub(pgtable_find(&pt, PGD_SIZE + 7 * PUD_SIZE), 1);
	free_all();
}

static void use(unsigned long va)
{
	pte_t *pte = pgtable_alloc(&pt, va);

	pte_set(pte, PTE_GUARD);
	pte_used_inc(pte);
}

static void unuse(unsigned long va)
{
	pte_t *pte = pgtable_find(&pt, va);

	pte_set(pte, 0);
	pte_used_sub(pte, 1);
}

/* From the middle of a line to the middle of a line, three tables between them. */
#define RANGE_START (PMD_SIZE + 12 * PAGE_SIZE)
#define RANGE_END (5 * PMD_SIZE + 21 * PAGE_SIZE)

static bool untouched(void)
{
	return pgtable_is_untouched(&pt, RANGE_START, RANGE_END);
}

static void test_untouched(void **state)
{
	static const unsigned long outside[] = { RANGE_START - PAGE_SIZE, RANGE_END, PMD_SIZE };
	static const unsigned long edges[] = { RANGE_START, RANGE_END - PAGE_SIZE };
	static const unsigned long inside[] = { 2 * PMD_SIZE - PAGE_SIZE, 5 * PMD_SIZE,
						3 * PMD_SIZE };

	(void)state;
	assert_int_equal(pgtable_init(&pt), 0);
	assert_true(untouched());
	for (unsigned int i = 0; i < ARRAY_SIZE(outside); i++)
		use(outside[i]);
	assert_true(untouched());
	for (unsigned int i = 0; i < ARRAY_SIZE(edges); i++) {
		use(edges[i]);
		assert_false(untouched());
		unuse(edges[i]);
		assert_true(untouched());
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(inside); i++) {
		use(inside[i]);
		assert_false(untouched());
		unuse(inside[i]);
	}
	/* What takes longer is not looked at. */
	assert_false(pgtable_is_untouched(&pt, PUD_SIZE - PMD_SIZE, PUD_SIZE + PMD_SIZE));
	for (unsigned int i = 0; i < ARRAY_SIZE(outside); i++)
		unuse(outside[i]);
	free_all();
}

/* A line is not in use any more when all of it was emptied. */
static void test_lines_unused(void **state)
{
	pte_t *table;

	(void)state;
	assert_int_equal(pgtable_init(&pt), 0);
	table = pgtable_alloc(&pt, 0);
	pte_used_add(&table[0], 64, 64);
	assert_int_equal(pte_table(table)->pt_groups, 0xff);
	pte_lines_unused(&table[9], &table[15]);
	assert_int_equal(pte_table(table)->pt_groups, 0xff);
	pte_lines_unused(&table[9], &table[33]);
	assert_int_equal(pte_table(table)->pt_groups, 0xf3);
	pte_lines_unused(&table[0], &table[PTRS_PER_TABLE]);
	assert_int_equal(pte_table(table)->pt_groups, 0);
	pte_used_sub(table, 64);
	free_all();
}

/* From each entry, to each end: what a look at one entry after the other finds. */
static void check_next_in_use(pte_t *table)
{
	for (unsigned int i = 0; i < PTRS_PER_TABLE; i++)
		for (unsigned int end = i + 1; end <= PTRS_PER_TABLE; end += 1 + end % 7) {
			unsigned int next = i + 1;

			while (next < end && pte_none(table[next]))
				next++;
			assert_ptr_equal(pte_next_in_use(&table[i], &table[end]), &table[next]);
		}
}

static void test_next_in_use(void **state)
{
	static const unsigned int runs[][2] = { { 5, 1 }, { 64, 9 }, { 300, 3 }, { 504, 8 } };
	unsigned int n = 0;
	pte_t *table;

	(void)state;
	assert_int_equal(pgtable_init(&pt), 0);
	table = pgtable_alloc(&pt, 0);
	check_next_in_use(table);
	for (unsigned int i = 0; i < 4; n += runs[i++][1]) {
		for (unsigned int j = 0; j < runs[i][1]; j++)
			pte_set(&table[runs[i][0] + j], PTE_GUARD);
		pte_used_add(&table[runs[i][0]], runs[i][1], runs[i][1]);
	}
	assert_int_equal(*pte_used(table), n);
	check_next_in_use(table);
	/* Emptied again, group after group. */
	for (unsigned int i = 0; i < PTRS_PER_TABLE; i++)
		if (!pte_none(table[i])) {
			pte_set(&table[i], 0);
			pte_used_sub(table, 1);
			if (i % 4 == 0)
				check_next_in_use(table);
		}
	check_next_in_use(table);
	pte_set(&table[77], PTE_GUARD);
	pte_used_inc(&table[77]);
	check_next_in_use(table);
	pte_set(&table[77], 0);
	pte_used_sub(table, 1);
	free_all();
}

static void test_lockptr(void **state)
{
	pte_t *a, *b;

	(void)state;
	assert_int_equal(pgtable_init(&pt), 0);
	a = pgtable_alloc(&pt, 0);
	b = pgtable_alloc(&pt, PMD_SIZE);
	assert_ptr_equal(pte_lockptr(a), pte_lockptr(a + 511));
	assert_ptr_not_equal(pte_lockptr(a), pte_lockptr(b));
	free_all();
}

/* A table goes only when no neighbour uses it. */
static void test_free_range_bounds(void **state)
{
	const unsigned long at = 4 * PUD_SIZE + 4 * PMD_SIZE;

	(void)state;
	assert_int_equal(pgtable_init(&pt), 0);
	assert_non_null(pgtable_alloc(&pt, at));
	free_range(at, at + PAGE_SIZE, at - PAGE_SIZE + PAGE_SIZE, at + PAGE_SIZE);
	assert_int_equal(released, 0);
	free_range(at, at + PAGE_SIZE, at, at + PMD_SIZE - PAGE_SIZE);
	assert_int_equal(released, 0);
	free_range(at, at + PAGE_SIZE, at, at + PMD_SIZE);
	assert_int_equal(released, 1);
	assert_null(pgtable_find(&pt, at));

	assert_non_null(pgtable_alloc(&pt, at));
	free_range(at, at + PAGE_SIZE, 4 * PUD_SIZE, 5 * PUD_SIZE);
	assert_int_equal(released, 2);
	assert_non_null(pgtable_alloc(&pt, at));
	free_range(at, at + PAGE_SIZE, 0, PGD_SIZE - PAGE_SIZE);
	assert_int_equal(released, 2);
	assert_non_null(pgtable_alloc(&pt, at));
	free_range(at, at + PAGE_SIZE, 0, PGD_SIZE);
	assert_int_equal(released, 3);
	assert_int_equal(atomic_read(&pt.nr_tables), 0);
	free_all();
}

static void test_out_of_memory(void **state)
{
	(void)state;
	fail_at(FAIL_PAGETABLE, 1);
	assert_int_equal(pgtable_init(&pt), -ENOMEM);
	assert_int_equal(pgtable_init(&pt), 0);
	for (unsigned long nth = 1; nth <= 3; nth++) {
		fail_at(FAIL_PAGETABLE, nth);
		assert_null(pgtable_alloc(&pt, nth * PGD_SIZE));
	}
	fail_at(FAIL_ALLOC_PAGES, 1);
	assert_null(pgtable_alloc(&pt, 9 * PGD_SIZE));
	free_all();
}

static void test_entry_bits(void **state)
{
	pte_t e = pte_make(0x12345, PTE_P | PTE_W | PTE_U | PTE_A | PTE_D | PTE_NX);

	(void)state;
	assert_int_equal(pte_pfn(e), 0x12345);
	assert_true(pte_present(e) && pte_write(e) && pte_dirty(e) && pte_young(e) &&
		    !pte_special(e));
	e = pte_modify(e, PTE_PROTNONE);
	assert_true(pte_present(e) && !pte_write(e) && !(e & PTE_P));
	assert_true(pte_dirty(e) && pte_young(e));
	assert_int_equal(pte_pfn(e), 0x12345);
	assert_true(pte_none(0) && !pte_present(0));
	e = PTE_W | PTE_D;
	pte_clear_bits(&e, PTE_W);
	assert_int_equal(e, PTE_D);
	assert_int_equal(pte_get_and_clear(&e), PTE_D);
	assert_int_equal(e, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_find_and_alloc),	   T(test_next),	  T(test_next_in_use),
		T(test_untouched),	   T(test_lines_unused),  T(test_lockptr),
		T(test_free_range_bounds), T(test_out_of_memory), T(test_entry_bits),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
