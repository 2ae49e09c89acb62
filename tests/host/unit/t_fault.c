/* SPDX-License-Identifier: MIT
 *
 * The fault handler, case by case of the table in mm/fault.c: what the entry is, what counter
 * moves, what the program sees.
 */
#include "t.h"

#define B 0x40000000UL
#define AT(page) (B + (page)*PG)

/* One access that must succeed and move exactly this counter by one. */
static void touch_counts(struct mm *mm, unsigned long va, enum fault_access access,
			 enum stat_item item)
{
	unsigned long before = stat_read(item), faults = stat_read(PGFAULT);

	assert_int_equal(sim_touch(mm, va, access), FAULT_DONE);
	assert_int_equal(stat_read(PGFAULT), faults + 1);
	assert_int_equal(stat_read(item), before + 1);
}

static void test_anonymous(void **state)
{
	struct mm *mm = *state;

	t_map(mm, AT(0), 4, RW);
	touch_counts(mm, AT(0), FAULT_READ, FAULT_ZERO);
	assert_int_equal(pte_pfn(sim_pte(mm, AT(0))), page_to_pfn(zero_page_frame));
	assert_int_equal(mm_rss(mm), 0);
	touch_counts(mm, AT(0), FAULT_WRITE, FAULT_COW);
	assert_int_equal(mm_rss(mm), 1);
	touch_counts(mm, AT(1), FAULT_WRITE, FAULT_ANON);
	assert_int_equal(atomic_read(&mm->rss[RSS_ANON]), 2);
	assert_true(pte_dirty(sim_pte(mm, AT(1))));
	assert_int_equal(stat_read(NR_ANON_PAGES), 2);
	assert_int_equal(stat_read(NR_INACTIVE_ANON), 2);
	assert_int_equal(sim_peek(mm, AT(1)), 0);
}

static void test_access_errors(void **state)
{
	static const enum fault_access all[] = { FAULT_READ, FAULT_WRITE, FAULT_EXEC };
	struct mm *mm = *state;

	t_map(mm, AT(0), 1, PROT_NONE);
	t_map(mm, AT(1), 1, PROT_READ);
	t_map(mm, AT(2), 1, PROT_WRITE);
	t_map(mm, AT(3), 1, PROT_EXEC);
	for (unsigned int i = 0; i < ARRAY_SIZE(all); i++) {
		enum fault_access a = all[i];

		assert_int_equal(sim_touch(mm, AT(0), a), FAULT_ACCERR);
		assert_int_equal(sim_touch(mm, AT(4), a), FAULT_MAPERR);
		assert_int_equal(sim_touch(mm, AT(-1UL), a), FAULT_MAPERR);
		assert_int_equal(sim_touch(mm, 0, a), FAULT_MAPERR);
		assert_int_equal(sim_touch(mm, TASK_SIZE, a), FAULT_MAPERR);
		assert_int_equal(sim_touch(mm, ~0UL, a), FAULT_MAPERR);
	}
	assert_int_equal(sim_touch(mm, AT(1), FAULT_READ), FAULT_DONE);
	assert_int_equal(sim_touch(mm, AT(1), FAULT_WRITE), FAULT_ACCERR);
	assert_int_equal(sim_touch(mm, AT(1), FAULT_EXEC), FAULT_ACCERR);
	/* x86 has no page that is writable or executable but not readable */
	assert_int_equal(sim_touch(mm, AT(2), FAULT_WRITE), FAULT_DONE);
	assert_int_equal(sim_touch(mm, AT(2), FAULT_READ), FAULT_DONE);
	assert_int_equal(sim_touch(mm, AT(2), FAULT_EXEC), FAULT_ACCERR);
	assert_int_equal(sim_touch(mm, AT(3), FAULT_EXEC), FAULT_DONE);
	assert_int_equal(sim_touch(mm, AT(3), FAULT_READ), FAULT_DONE);
	assert_int_equal(sim_touch(mm, AT(3), FAULT_WRITE), FAULT_ACCERR);
}

/* An access over the end of an area gets as far as it can. */
static void test_straddling(void **state)
{
	struct mm *mm = *state;
	char buf[16] = "0123456789abcdef";

	t_map(mm, AT(0), 1, RW);
	assert_int_equal(sim_write(mm, AT(1) - 8, buf, 16), FAULT_MAPERR);
	assert_int_equal(sim_peek(mm, AT(1) - 1), '7');
	t_map(mm, AT(1), 1, RW);
	assert_int_equal(sim_write(mm, AT(1) - 8, buf, 16), FAULT_DONE);
	assert_int_equal(sim_peek(mm, AT(1)), '8');
}

static void test_reuse_and_copy(void **state)
{
	struct mm *mm = *state, *child;
	unsigned long pfn;

	t_map(mm, AT(0), 1, RW);
	sim_poke(mm, AT(0), 1);
	pfn = pte_pfn(sim_pte(mm, AT(0)));
	/* alone again after read-only and back: reused */
	assert_int_equal(mm_mprotect(mm, AT(0), PG, PROT_READ), 0);
	assert_int_equal(mm_mprotect(mm, AT(0), PG, RW), 0);
	touch_counts(mm, AT(0), FAULT_WRITE, PGREUSE);
	assert_int_equal(pte_pfn(sim_pte(mm, AT(0))), pfn);
	/* shared with a child: the first to write copies, the second finds itself alone */
	child = mm_fork(mm);
	touch_counts(mm, AT(0), FAULT_WRITE, FAULT_COW);
	assert_int_not_equal(pte_pfn(sim_pte(mm, AT(0))), pfn);
	sim_poke(mm, AT(0), 2);
	assert_int_equal(sim_peek(child, AT(0)), 1);
	touch_counts(child, AT(0), FAULT_WRITE, PGREUSE);
	assert_int_equal(pte_pfn(sim_pte(child, AT(0))), pfn);
	sim_poke(child, AT(0), 3);
	assert_int_equal(sim_peek(mm, AT(0)), 2);
	sim_mm_put(child);
}

/* Someone holds a reference, as a copy in flight does: not alone, so the write copies. */
static void test_extra_reference_forces_copy(void **state)
{
	struct mm *mm = *state;
	struct page *page;

	t_map(mm, AT(0), 1, RW);
	sim_poke(mm, AT(0), 5);
	page = mm_get_page(mm, AT(0), false, false);
	assert_false(IS_ERR(page));
	assert_int_equal(mm_mprotect(mm, AT(0), PG, PROT_READ), 0);
	assert_int_equal(mm_mprotect(mm, AT(0), PG, RW), 0);
	touch_counts(mm, AT(0), FAULT_WRITE, FAULT_COW);
	sim_poke(mm, AT(0), 6);
	assert_int_equal(*(u8 *)page_address(page), 5);
	mm_put_page(page);
}

static void test_file_private(void **state)
{
	struct mm *mm = *state;
	struct file *f = sim_disk_file(3 * PG, true, false);

	knob_fault_around_bytes = PG;
	t_map_file(mm, AT(0), 4, RW, MAP_PRIVATE, f, 0);
	touch_counts(mm, AT(0), FAULT_READ, FAULT_FILE);
	assert_int_equal(sim_peek(mm, AT(0)), 1);
	assert_int_equal(atomic_read(&mm->rss[RSS_FILE]), 1);
	assert_false(pte_write(sim_pte(mm, AT(0))));
	touch_counts(mm, AT(0), FAULT_WRITE, FAULT_COW);
	assert_int_equal(atomic_read(&mm->rss[RSS_FILE]), 0);
	assert_int_equal(atomic_read(&mm->rss[RSS_ANON]), 1);
	touch_counts(mm, AT(1), FAULT_WRITE, FAULT_COW);
	sim_poke(mm, AT(1), 99);
	assert_int_equal(sim_peek(mm, AT(1) + 1), 2);
	assert_int_equal(sim_touch(mm, AT(3), FAULT_READ), FAULT_BUS);
	assert_int_equal(sim_touch(mm, AT(3), FAULT_WRITE), FAULT_BUS);
	/* the file does not see private writes */
	t_map_file(mm, AT(8), 3, PROT_READ, MAP_SHARED, f, 0);
	assert_int_equal(sim_peek(mm, AT(9)), 2);
	file_put(f);
}

static void test_file_shared(void **state)
{
	struct mm *mm = *state;
	struct file *f = sim_disk_file(3 * PG, true, false);
	struct folio *folio;

	knob_fault_around_bytes = PG;
	t_map_file(mm, AT(0), 4, RW, MAP_SHARED, f, 0);
	t_map_file(mm, AT(8), 4, PROT_READ, MAP_PRIVATE, f, 0);
	touch_counts(mm, AT(0), FAULT_WRITE, FAULT_FILE);
	folio = pfn_folio(pte_pfn(sim_pte(mm, AT(0))));
	assert_true(folio_test(folio, PG_dirty) || pte_dirty(sim_pte(mm, AT(0))));
	sim_poke(mm, AT(0), 77);
	assert_int_equal(sim_peek(mm, AT(8)), 77);
	assert_int_equal(pte_pfn(sim_pte(mm, AT(8))), folio_pfn(folio));
	assert_int_equal(atomic_read(&folio->mapcount), 2);
	assert_int_equal(sim_touch(mm, AT(3), FAULT_WRITE), FAULT_BUS);
	/* the end of file inside a page: the page is there, zero behind the end */
	filemap_truncate(sim_file_mapping(f), 2 * PG + 10);
	assert_int_equal(sim_peek(mm, AT(2) + 9), 3);
	assert_int_equal(sim_peek(mm, AT(2) + 10), 0);
	file_put(f);
}

static struct mm *racing_mm;

/* As another thread's fault would, between phases 2 and 3 of ours. */
static void map_first_page(void)
{
	pte_t *pte = pgtable_find(&racing_mm->pgt, AT(0));

	spin_lock(pte_lockptr(pte));
	pte_set(pte, pte_make(page_to_pfn(zero_page_frame), PTE_P | PTE_U | PTE_NX | PTE_SPECIAL));
	pte_used_inc(pte);
	spin_unlock(pte_lockptr(pte));
}

/* Who comes second finds the entry changed: what is there stays, what was brought along is dropped. */
static void test_lost_race(void **state)
{
	struct mm *mm = *state;
	struct file *f = sim_disk_file(3 * PG, true, false);

	t_map_file(mm, AT(0), 3, PROT_READ, MAP_PRIVATE, f, 0);
	assert_int_equal(mm_madvise(mm, AT(0), 3 * PG, MADV_RANDOM), 0);
	assert_int_equal(sim_touch(mm, AT(1), FAULT_READ), FAULT_DONE);
	racing_mm = mm;
	sim_caller.while_reading = map_first_page;
	touch_counts(mm, AT(0), FAULT_READ, FAULT_LOST_RACE);
	sim_caller.while_reading = NULL;
	assert_int_equal(pte_pfn(sim_pte(mm, AT(0))), page_to_pfn(zero_page_frame));
	assert_int_equal(*pte_used(pgtable_find(&mm->pgt, AT(0))), 2);
	assert_int_equal(atomic_read(&mm->rss[RSS_FILE]), 1);
	t_validate(mm);
	file_put(f);
}

static void test_read_error(void **state)
{
	struct mm *mm = *state;
	struct file *f = sim_disk_file(3 * PG, true, true);

	t_map_file(mm, AT(0), 3, RW, MAP_PRIVATE, f, 0);
	assert_int_equal(sim_touch(mm, AT(0), FAULT_READ), FAULT_BUS);
	assert_int_equal(sim_touch(mm, AT(0), FAULT_WRITE), FAULT_BUS);
	file_put(f);
}

static void test_fault_around(void **state)
{
	struct mm *mm = *state;
	struct file *f = sim_file(64 * PG, true);
	unsigned long before;

	/* All have data but 5, which is absent, and 7, which is only allocated: it stays a hole. */
	for (unsigned long i = 0; i < 40; i++) {
		struct folio *folio = i == 5 ? NULL : filemap_grab_folio(sim_file_mapping(f), i);

		if (folio && i != 7)
			folio_mark_dirty(folio);
		if (folio)
			folio_put(folio);
	}
	t_map_file(mm, AT(0), 64, PROT_READ, MAP_SHARED, f, 0);
	before = stat_read(PGFAULT);
	assert_int_equal(sim_touch(mm, AT(3), FAULT_READ), FAULT_DONE);
	assert_int_equal(stat_read(PGFAULT), before + 1);
	for (unsigned long i = 0; i < 16; i++)
		assert_int_equal(pte_present(sim_pte(mm, AT(i))), i != 5 && i != 7);
	assert_false(pte_present(sim_pte(mm, AT(16))));
	/* neighbours were not accessed */
	assert_true(pte_young(sim_pte(mm, AT(3))));
	assert_false(pte_young(sim_pte(mm, AT(4))));
	assert_int_equal(mm_rss(mm), 14);
	/* the window stops at the area's edge and at the end of file */
	t_map_file(mm, AT(100), 2, PROT_READ, MAP_SHARED, f, 20);
	assert_int_equal(sim_touch(mm, AT(101), FAULT_READ), FAULT_DONE);
	assert_int_equal(mm_rss(mm), 16);
	filemap_truncate(sim_file_mapping(f), 34 * PG);
	assert_int_equal(sim_touch(mm, AT(33), FAULT_READ), FAULT_DONE);
	assert_int_equal(mm_rss(mm), 18);
	assert_int_equal(sim_touch(mm, AT(34), FAULT_READ), FAULT_BUS);
	assert_int_equal(sim_touch(mm, AT(7), FAULT_READ), FAULT_DONE);
	assert_int_equal(mm_rss(mm), 19);
	t_validate(mm);
	file_put(f);
}

static void test_shared_anonymous(void **state)
{
	struct mm *mm = *state, *child;
	unsigned long a =
		(unsigned long)mm_mmap(mm, 0, 4 * PG, RW, MAP_SHARED | MAP_ANONYMOUS, NULL, 0);

	sim_poke(mm, a, 1);
	assert_int_equal(atomic_read(&mm->rss[RSS_SHMEM]), 1);
	child = mm_fork(mm);
	assert_int_equal(mm_rss(child), 0);
	assert_int_equal(sim_peek(child, a), 1);
	sim_poke(child, a + PG, 2);
	assert_int_equal(sim_peek(mm, a + PG), 2);
	assert_int_equal(stat_read(NR_SHMEM), 2);
	sim_mm_put(child);
	assert_int_equal(sim_peek(mm, a + PG), 2);
	/* grown beyond its object: BUS */
	a = (unsigned long)mm_mremap(mm, a, 4 * PG, 6 * PG, MREMAP_MAYMOVE, 0);
	assert_int_equal(sim_touch(mm, a + 4 * PG, FAULT_WRITE), FAULT_BUS);
}

/* A second thread's fault finds the entry there: done, counted, nothing changed. */
static void test_spurious(void **state)
{
	struct mm *mm = *state;
	pte_t pte;

	t_map(mm, AT(0), 1, RW);
	sim_poke(mm, AT(0), 9);
	pte = sim_pte(mm, AT(0));
	assert_int_equal(mm_handle_fault(mm, AT(0), FAULT_WRITE | FAULT_USER), FAULT_DONE);
	assert_int_equal(sim_pte(mm, AT(0)), pte);
	assert_int_equal(stat_read(FAULT_SPURIOUS) > 0, 1);
	assert_int_equal(mm_rss(mm), 1);
}

static void test_stack_growth(void **state)
{
	struct mm *mm = *state;
	const unsigned long top = AT(4000);
	unsigned long before = stat_read(FAULT_STACK_GROW);

	assert_int_equal(mm_setup_stack(mm, top, 4 * PG, RW), 0);
	sim_poke(mm, top - 1, 1);
	sim_poke(mm, top - 100 * PG, 2);
	assert_int_equal(stat_read(FAULT_STACK_GROW), before + 1);
	assert_int_equal(mm->stack_vm, 100);
	assert_int_equal(mm->total_vm, 100);
	/* the limit: 8 MiB */
	assert_int_equal(sim_touch(mm, top - 2049 * PG, FAULT_WRITE), FAULT_MAPERR);
	assert_int_equal(sim_touch(mm, top - 2048 * PG, FAULT_WRITE), FAULT_DONE);
	t_validate(mm);
}

static void test_stack_guard_gap(void **state)
{
	struct mm *mm = *state;
	const unsigned long top = AT(1000);

	assert_int_equal(mm_setup_stack(mm, top, 4 * PG, RW), 0);
	t_map(mm, AT(600), 1, RW);
	/* 256 pages stay free above the area at 600 */
	assert_int_equal(sim_touch(mm, AT(601 + 255), FAULT_WRITE), FAULT_MAPERR);
	assert_int_equal(sim_touch(mm, AT(601 + 256), FAULT_WRITE), FAULT_DONE);
	/* nothing is placed into the gap by a hint */
	assert_true(mm_mmap(mm, AT(700), PG, RW, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0) !=
		    (long)AT(700));
	/* an area without access below is no reason for a gap */
	assert_int_equal(mm_munmap(mm, AT(600), PG), 0);
	t_map(mm, AT(800), 1, PROT_NONE);
	assert_int_equal(sim_touch(mm, AT(801), FAULT_WRITE), FAULT_DONE);
	assert_int_equal(sim_touch(mm, AT(800), FAULT_WRITE), FAULT_ACCERR);
	t_validate(mm);
}

/* The debugger's access: private copies of read-only pages, never through to a shared file. */
static void test_forced_access(void **state)
{
	struct mm *mm = *state;
	struct file *f = sim_file(2 * PG, true);
	struct page *page;

	t_map_file(mm, AT(0), 1, PROT_READ, MAP_PRIVATE, f, 0);
	t_map_file(mm, AT(1), 1, PROT_READ, MAP_SHARED, f, 1);
	t_map(mm, AT(2), 1, PROT_NONE);
	assert_int_equal(PTR_ERR(mm_get_page(mm, AT(0), true, false)), -EFAULT);
	page = mm_get_page(mm, AT(0), true, true);
	assert_false(IS_ERR(page));
	*(u8 *)page_address(page) = 0xcc;
	mm_put_page(page);
	assert_int_equal(sim_peek(mm, AT(0)), 0xcc);
	assert_int_equal(sim_touch(mm, AT(0), FAULT_WRITE), FAULT_ACCERR);
	assert_int_equal(PTR_ERR(mm_get_page(mm, AT(1), true, true)), -EFAULT);
	assert_int_equal(PTR_ERR(mm_get_page(mm, AT(2), false, false)), -EFAULT);
	page = mm_get_page(mm, AT(2), false, true);
	assert_false(IS_ERR(page));
	mm_put_page(page);
	assert_int_equal(PTR_ERR(mm_get_page(mm, AT(3), false, true)), -EFAULT);
	t_validate(mm);
	file_put(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_anonymous),
		T_MM(test_access_errors),
		T_MM(test_straddling),
		T_MM(test_reuse_and_copy),
		T_MM(test_extra_reference_forces_copy),
		T_MM(test_file_private),
		T_MM(test_file_shared),
		T_MM(test_lost_race),
		T_MM(test_read_error),
		T_MM(test_fault_around),
		T_MM(test_shared_anonymous),
		T_MM(test_spurious),
		T_MM(test_stack_growth),
		T_MM(test_stack_guard_gap),
		T_MM(test_forced_access),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
