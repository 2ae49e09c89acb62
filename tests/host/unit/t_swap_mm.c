/* SPDX-License-Identifier: MIT
 *
 * Swap entries in page tables: what faults, fork, munmap, mremap, mlock, /proc and swapoff do with them.
 */
#include "swap_setup.h"

/* What reclaim does to one entry, until it does: the page gets a slot, the entry names it. */
static void unmap_entry(struct mm *mm, unsigned long va)
{
	pte_t *pte = pgtable_find(&mm->pgt, va), e = pte_read(pte);
	struct folio *folio = pfn_folio(pte_pfn(e));
	spinlock_t *ptl = pte_lockptr(pte);

	assert_true(pte_present(e) && !pte_special(e) && folio_test(folio, PG_anon));
	folio_lock(folio);
	assert_true(folio_test(folio, PG_swapcache) || swap_cache_add(folio));
	spin_lock(ptl);
	swap_slot_dup(folio->swap);
	e = pte_get_and_clear(pte);
	pte_set(pte, swp_to_pte(folio->swap));
	atomic_inc(&mm->rss[RSS_SWAP]);
	atomic_dec(&mm->rss[RSS_ANON]);
	if (pte_dirty(e))
		folio_set(folio, PG_dirty);
	if (atomic_dec_and_test(&folio->mapcount))
		stat_add(NR_ANON_PAGES, -1);
	spin_unlock(ptl);
	tlb_flush_page(&mm->tlb, va);
	folio_unlock(folio);
	folio_put(folio);
}

/* The folio of a swap entry is written and, when nobody maps it, freed. */
static void write_entry(struct mm *mm, unsigned long va)
{
	swp_entry_t swp = pte_to_swp(sim_pte(mm, va));
	struct folio *folio = swap_cache_get(swp);
	struct swap_plug plug = { NULL };

	assert_non_null(folio);
	folio_lock(folio);
	if (folio_test(folio, PG_dirty)) {
		swap_writeout(folio, &plug);
		swap_plug_flush(&plug);
		folio_lock(folio);
	}
	if (swap_cache_remove_frozen(folio)) {
		folio_unlock(folio);
		folio_free(folio);
		return;
	}
	swap_folio_unlock(folio);
	folio_put(folio);
}

static void swap_out(struct mm *mm, unsigned long va)
{
	unmap_entry(mm, va);
	write_entry(mm, va);
	assert_true(pte_has_slot(sim_pte(mm, va)));
}

static struct folio *folio_at(struct mm *mm, unsigned long va)
{
	pte_t e = sim_pte(mm, va);

	return pte_present(e) && !pte_special(e) ? pfn_folio(pte_pfn(e)) : NULL;
}

static bool is_in_swap_cache(struct mm *mm, unsigned long va)
{
	return folio_test(folio_at(mm, va), PG_swapcache);
}

static void fill(struct mm *mm, unsigned long pages)
{
	t_map(mm, AT(0), pages, RW);
	for (unsigned long p = 0; p < pages; p++)
		sim_poke(mm, AT(p), (u8)(p + 1));
}

static void test_fault_read(void **state)
{
	struct mm *mm = *state;
	unsigned long major = stat_read(PGMAJFAULT), copies = stat_read(FAULT_COW);

	fill(mm, 8);
	for (unsigned long p = 0; p < 8; p++)
		swap_out(mm, AT(p));
	assert_int_equal(mm_rss(mm), 0);
	assert_int_equal(atomic_read(&mm->rss[RSS_SWAP]), 8);
	t_validate(mm);
	for (unsigned long p = 0; p < 8; p++)
		assert_int_equal(sim_peek(mm, AT(p)), p + 1);
	assert_true(stat_read(PGMAJFAULT) - major < 8);
	assert_int_equal(mm_rss(mm), 8);
	assert_int_equal(atomic_read(&mm->rss[RSS_SWAP]), 0);
	/* Only read: each keeps its slot, and goes without a write. */
	assert_true(is_in_swap_cache(mm, AT(3)));
	{
		unsigned long out = stat_read(PSWPOUT);

		swap_out(mm, AT(3));
		assert_int_equal(stat_read(PSWPOUT), out);
		assert_int_equal(sim_peek(mm, AT(3)), 4);
	}
	/* Writable at once; what was written is written back. */
	assert_true(pte_write(sim_pte(mm, AT(4))) && !pte_dirty(sim_pte(mm, AT(4))));
	sim_poke(mm, AT(4), 99);
	swap_out(mm, AT(4));
	assert_int_equal(sim_peek(mm, AT(4)), 99);
	assert_int_equal(stat_read(FAULT_COW), copies);
}

static void test_fault_write(void **state)
{
	struct mm *mm = *state;
	unsigned long copies = stat_read(FAULT_COW), free = swap_free_pages();
	unsigned long majors;

	fill(mm, 2);
	swap_out(mm, AT(0));
	assert_int_equal(swap_free_pages(), free - 1);
	majors = stat_read(PGMAJFAULT);
	sim_poke(mm, AT(0) + 1, 50);
	assert_int_equal(stat_read(PGMAJFAULT) - majors, 1);
	assert_int_equal(sim_peek(mm, AT(0)), 1);
	assert_int_equal(swap_free_pages(), free);
	assert_false(is_in_swap_cache(mm, AT(0)));
	/* Still in the cache: no I/O. */
	unmap_entry(mm, AT(0));
	majors = stat_read(PGMAJFAULT);
	assert_int_equal(sim_peek(mm, AT(0) + 1), 50);
	assert_int_equal(stat_read(PGMAJFAULT), majors);
	/* Write-protected in between: reused all the same. */
	assert_int_equal(mm_mprotect(mm, AT(0), PG, PROT_READ), 0);
	assert_int_equal(mm_mprotect(mm, AT(0), PG, RW), 0);
	sim_poke(mm, AT(0), 51);
	assert_int_equal(stat_read(FAULT_COW), copies);
}

static void test_fork_shares_slots(void **state)
{
	struct mm *mm = *state, *child;
	unsigned long copies;

	fill(mm, 4);
	swap_out(mm, AT(0));
	swap_out(mm, AT(1));
	unmap_entry(mm, AT(2));
	child = mm_fork(mm);
	assert_int_equal(atomic_read(&child->rss[RSS_SWAP]), 3);
	assert_int_equal(swap_slot_count(pte_to_swp(sim_pte(child, AT(0)))), 2);
	t_validate(child);
	copies = stat_read(FAULT_COW);
	sim_poke(child, AT(0), 100);
	assert_int_equal(stat_read(FAULT_COW) - copies, 1);
	assert_int_equal(sim_peek(mm, AT(0)), 1);
	assert_int_equal(sim_peek(child, AT(0)), 100);
	/* The parent reads, the child writes: still a copy. */
	assert_int_equal(sim_peek(mm, AT(1)), 2);
	sim_poke(child, AT(1), 101);
	assert_int_equal(sim_peek(mm, AT(1)), 2);
	sim_poke(mm, AT(1), 7);
	assert_int_equal(sim_peek(child, AT(1)), 101);
	/* One of them maps it and the other has the slot: not alone. */
	assert_int_equal(sim_peek(mm, AT(2)), 3);
	sim_poke(mm, AT(2), 8);
	assert_int_equal(sim_peek(child, AT(2)), 3);
	/* Both mapped, then both out. */
	unmap_entry(mm, AT(3));
	swap_out(child, AT(3));
	assert_int_equal(swap_slot_count(pte_to_swp(sim_pte(child, AT(3)))), 2);
	sim_mm_put(child);
	assert_int_equal(swap_slot_count(pte_to_swp(sim_pte(mm, AT(3)))), 1);
	sim_poke(mm, AT(3), 9);
	assert_int_equal(sim_peek(mm, AT(0)), 1);
}

/* Whoever leaves takes his slots along, and nothing stays in the cache. */
static void test_zap(void **state)
{
	struct mm *mm = *state, *child;
	unsigned long free = swap_free_pages();

	fill(mm, 8);
	for (unsigned long p = 0; p < 6; p++)
		swap_out(mm, AT(p));
	unmap_entry(mm, AT(6));
	sim_peek(mm, AT(0));
	sim_peek(mm, AT(1));
	child = mm_fork(mm);
	assert_int_equal(mm_madvise(mm, AT(0), 3 * PG, MADV_DONTNEED), 0);
	assert_int_equal(sim_peek(mm, AT(0)), 0);
	assert_int_equal(sim_peek(child, AT(0)), 1);
	assert_int_equal(sim_peek(child, AT(2)), 3);
	assert_int_equal(mm_munmap(mm, AT(3), 5 * PG), 0);
	assert_int_equal(atomic_read(&mm->rss[RSS_SWAP]), 0);
	sim_mm_put(child);
	assert_int_equal(swap_free_pages(), free);
	assert_int_equal(stat_read(NR_SWAPCACHED), 0);
}

static void test_mremap_and_mprotect(void **state)
{
	struct mm *mm = *state;

	fill(mm, 4);
	swap_out(mm, AT(1));
	swap_out(mm, AT(2));
	assert_int_equal(
		mm_mremap(mm, AT(0), 4 * PG, 4 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(1000)),
		AT(1000));
	assert_true(pte_has_slot(sim_pte(mm, AT(1001))));
	assert_int_equal(mm_mprotect(mm, AT(1001), PG, PROT_READ), 0);
	t_validate(mm);
	assert_int_equal(sim_peek(mm, AT(1001)), 2);
	assert_int_equal(sim_touch(mm, AT(1001), FAULT_WRITE), FAULT_ACCERR);
	assert_int_equal(sim_peek(mm, AT(1002)), 3);
}

/* A locked page never goes to swap again: it gives its slot away. */
static void test_mlock(void **state)
{
	struct mm *mm = *state;
	unsigned long free = swap_free_pages();

	fill(mm, 4);
	for (unsigned long p = 0; p < 4; p++)
		swap_out(mm, AT(p));
	assert_int_equal(mm_mlock(mm, AT(0), 2 * PG, false), 0);
	assert_int_equal(mm_rss(mm), 2);
	assert_int_equal(atomic_read(&mm->rss[RSS_SWAP]), 2);
	assert_int_equal(atomic_read(&folio_at(mm, AT(0))->mlock_count), 1);
	assert_int_equal(stat_read(NR_MLOCK), 2);
	assert_int_equal(swap_free_pages(), free - 2);
	/* Lock on fault: what is in swap stays there until it is touched; munlock brings nothing back. */
	assert_int_equal(mm_mlock(mm, AT(2), 2 * PG, true), 0);
	assert_int_equal(mm_rss(mm), 2);
	assert_int_equal(sim_peek(mm, AT(2)), 3);
	assert_int_equal(stat_read(NR_MLOCK), 3);
	assert_int_equal(mm_munlock(mm, AT(0), 4 * PG), 0);
	assert_int_equal(mm_rss(mm), 3);
	assert_int_equal(stat_read(NR_MLOCK), 0);
}

static void test_proc(void **state)
{
	struct mm *mm = *state, *child;
	struct vma_usage u = { 0 };
	unsigned char vec[4];
	u64 words[4];

	fill(mm, 4);
	swap_out(mm, AT(0));
	unmap_entry(mm, AT(1));
	assert_int_equal(mm_mincore(mm, AT(0), 4, vec), 0);
	assert_int_equal(vec[0], 0);
	assert_int_equal(vec[1], 1);
	assert_int_equal(vec[2], 1);
	mm_pagemap(mm, AT(0), 4, words, true);
	assert_int_equal(words[0], 1ULL << 62 | swp_offset(pte_to_swp(sim_pte(mm, AT(0)))) << 5);
	assert_int_equal(words[2] >> 56, 0x81);
	mm_pagemap(mm, AT(0), 4, words, false);
	assert_int_equal(words[0], 1ULL << 62);
	child = mm_fork(mm);
	mmap_read_lock(mm);
	vma_usage(mm, vma_lookup(mm, AT(0)), &u);
	mmap_read_unlock(mm);
	assert_int_equal(u.swap, 2 * PG);
	assert_int_equal(u.swap_pss, PG);
	assert_int_equal(u.rss, 2 * PG);
	sim_mm_put(child);
}

/* An unreadable slot is a bus error, and another try when it is touched again. */
static void test_fault_error(void **state)
{
	struct mm *mm = *state;

	fill(mm, 8);
	for (unsigned long p = 0; p < 8; p++)
		swap_out(mm, AT(p));
	sim_block_fail(swap_dev, true, false);
	assert_int_equal(sim_touch(mm, AT(2), FAULT_READ), FAULT_BUS);
	assert_int_equal(sim_touch(mm, AT(3), FAULT_WRITE), FAULT_BUS);
	assert_int_equal(stat_read(NR_SWAPCACHED) > 8, 0);
	sim_block_fail(swap_dev, false, false);
	for (unsigned long p = 0; p < 8; p++)
		assert_int_equal(sim_peek(mm, AT(p)), p + 1);
	for (unsigned long p = 0; p < 8; p++)
		swap_out(mm, AT(p));
	for (unsigned int nth = 1; nth < 4; nth++) {
		fail_at(FAIL_ALLOC_PAGES, nth);
		(void)sim_touch(mm, AT(nth), FAULT_READ);
		fail_at(FAIL_ALLOC_PAGES, 0);
		t_validate(mm);
	}
	assert_int_equal(sim_peek(mm, AT(1)), 2);
}

/* A page that is only read ahead cannot be read: that is nobody's error but of who wants this page. */
static void test_neighbour_error(void **state)
{
	struct mm *mm = *state;
	swp_entry_t bad;

	fill(mm, 8);
	for (unsigned long p = 0; p < 8; p++)
		swap_out(mm, AT(p));
	bad = pte_to_swp(sim_pte(mm, AT(4)));
	sim_block_fail_page(swap_dev, swp_offset(bad));
	for (unsigned long p = 0; p < 8; p++) {
		if (p == 4)
			continue;
		assert_int_equal(sim_touch(mm, AT(p), FAULT_READ), FAULT_DONE);
		assert_int_equal(sim_peek(mm, AT(p)), p + 1);
	}
	assert_int_equal(sim_touch(mm, AT(4), FAULT_READ), FAULT_BUS);
	assert_int_equal(swap_area_off(swap_dev), -EIO);
	sim_block_fail_page(swap_dev, 0);
	assert_int_equal(sim_peek(mm, AT(4)), 5);
}

static void test_willneed(void **state)
{
	struct mm *mm = *state;
	unsigned long major, in = stat_read(PSWPIN);

	fill(mm, 40);
	for (unsigned long p = 0; p < 40; p += 2)
		swap_out(mm, AT(p));
	assert_int_equal(mm_madvise(mm, AT(0), 40 * PG, MADV_WILLNEED), 0);
	assert_int_equal(stat_read(PSWPIN) - in, 20);
	assert_int_equal(atomic_read(&mm->rss[RSS_SWAP]), 20);
	major = stat_read(PGMAJFAULT);
	for (unsigned long p = 0; p < 40; p++)
		assert_int_equal(sim_peek(mm, AT(p)), p + 1);
	assert_int_equal(stat_read(PGMAJFAULT), major);
}

/* A debugger writes to a page that is in swap, and that the program may not write to. */
static void test_forced_write(void **state)
{
	struct mm *mm = *state, *child;
	struct page *page;

	fill(mm, 2);
	assert_int_equal(mm_mprotect(mm, AT(0), 2 * PG, PROT_READ), 0);
	swap_out(mm, AT(0));
	page = mm_get_page(mm, AT(0), true, true);
	assert_false(IS_ERR(page));
	assert_int_equal(*(u8 *)page_address(page), 1);
	mm_put_page(page);
	/* Its slot is another's, too. */
	unmap_entry(mm, AT(0));
	child = mm_fork(mm);
	assert_int_equal(sim_peek(mm, AT(0)), 1);
	page = mm_get_page(mm, AT(0), true, true);
	*(u8 *)page_address(page) = 77;
	mm_put_page(page);
	assert_int_equal(sim_peek(mm, AT(0)), 77);
	assert_int_equal(sim_peek(child, AT(0)), 1);
	sim_mm_put(child);
}

static void test_swapoff(void **state)
{
	struct mm *mm = *state, *child;
	struct block_device *second = swap_on(64, 5);

	knob_vm_page_cluster = 0;
	fill(mm, 16);
	for (unsigned long p = 0; p < 12; p++)
		swap_out(mm, AT(p));
	child = mm_fork(mm);
	unmap_entry(child, AT(12));
	sim_poke(child, AT(3), 100);
	sim_peek(child, AT(4));
	t_map(child, AT(1000), 1, RW);
	assert_int_equal(swp_area(pte_to_swp(sim_pte(mm, AT(0)))), 1);
	assert_int_equal(swap_area_off((void *)mm), -EINVAL);

	/* An unreadable slot, too little memory, a signal: it stays on, and nothing is lost. */
	sim_block_fail(second, true, false);
	assert_int_equal(swap_area_off(second), -EIO);
	sim_block_fail(second, false, false);
	fail_at(FAIL_ALLOC_PAGES, 3);
	assert_int_equal(swap_area_off(second), -ENOMEM);
	fail_at(FAIL_ALLOC_PAGES, 0);
	knob_overcommit_memory = 2;
	knob_overcommit_ratio = 0;
	assert_int_equal(swap_area_off(second), -ENOMEM);
	knob_overcommit_memory = 0;
	knob_overcommit_ratio = 50;
	sim_signal(park_self(), SIM_SIGNAL_ANY);
	assert_int_equal(swap_area_off(second), -EINTR);
	sim_signal(park_self(), SIM_SIGNAL_NONE);
	assert_int_equal(swap_total_pages(), 255 + 63);
	swap_validate();
	t_validate(mm);
	t_validate(child);

	assert_int_equal(swap_area_off(second), 0);
	assert_int_equal(swap_total_pages(), 255);
	assert_int_equal(atomic_read(&mm->rss[RSS_SWAP]), 0);
	assert_int_equal(atomic_read(&child->rss[RSS_SWAP]), 0);
	assert_int_equal(stat_read(NR_SWAPCACHED), 0);
	for (unsigned long p = 0; p < 16; p++) {
		assert_int_equal(sim_peek(mm, AT(p)), p + 1);
		assert_int_equal(sim_peek(child, AT(p)), p == 3 ? 100 : p + 1);
	}
	sim_mm_put(child);
	sim_block_destroy(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		S_MM(test_fault_read),
		S_MM(test_fault_write),
		S_MM(test_fork_shares_slots),
		S_MM(test_zap),
		S_MM(test_mremap_and_mprotect),
		S_MM(test_mlock),
		S_MM(test_proc),
		S_MM(test_fault_error),
		S_MM(test_forced_write),
		S_MM(test_neighbour_error),
		S_MM(test_willneed),
		S_MM(test_swapoff),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests_name("swap_mm", tests, NULL, NULL);
}
