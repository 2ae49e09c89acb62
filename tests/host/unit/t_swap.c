/* SPDX-License-Identifier: MIT
 *
 * Swap: areas and their slots, the swap cache, and its I/O.
 */
#include "../../../mm/shmem.h"
#include "t.h"

#include <mm/swap.h>

#define HEADER_VERSION 1024
#define HEADER_LAST_PAGE 1028
#define HEADER_NR_BAD 1032
#define HEADER_BAD 1536
#define HEADER_MAGIC (PG - 10)

static void put32(struct block_device *dev, u64 pos, u32 value)
{
	memcpy(sim_block_data(dev) + pos, &value, sizeof(value));
}

/* A device of that many pages, as mkswap leaves it. */
static struct block_device *make_swap(u32 pages)
{
	struct block_device *dev = sim_block_create(pages * PG);

	put32(dev, HEADER_VERSION, 1);
	put32(dev, HEADER_LAST_PAGE, pages - 1);
	memcpy(sim_block_data(dev) + HEADER_MAGIC, "SWAPSPACE2", 10);
	return dev;
}

static struct file *swap_name;

/* An area that is on. */
static struct block_device *swap_on(u32 pages, int prio)
{
	struct block_device *dev = make_swap(pages);

	if (!swap_name)
		swap_name = sim_file(0, true);
	assert_int_equal(swap_area_on(swap_name, dev, prio), 0);
	return dev;
}

static void swap_off(struct block_device *dev)
{
	swap_validate();
	assert_int_equal(swap_area_off(dev), 0);
	sim_block_destroy(dev);
}

static int t_swap_setup(void **state)
{
	swap_name = NULL;
	knob_vm_page_cluster = 3;
	return t_setup(state);
}

static int t_swap_teardown(void **state)
{
	if (swap_name)
		file_put(swap_name);
	assert_int_equal(swap_total_pages(), 0);
	return t_teardown(state);
}

#define S(f) cmocka_unit_test_setup_teardown(f, t_swap_setup, t_swap_teardown)

/* A locked page as reclaim isolates one: up to date, of one byte throughout. */
static struct folio *new_page(u8 value)
{
	struct folio *folio = folio_alloc(GFP_KERNEL, 0);

	folio->flags = 1UL << PG_swapbacked | 1UL << PG_anon | 1UL << PG_uptodate;
	memset(folio_address(folio), value, PG);
	return folio;
}

static bool give_slot(struct folio *folio)
{
	bool added;

	folio_lock(folio);
	added = swap_cache_add(folio);
	folio_unlock(folio);
	return added;
}

static void take_slot(struct folio *folio)
{
	folio_lock(folio);
	assert_true(swap_cache_try_free(folio));
	folio_unlock(folio);
}

/* Evicts it: its slot, with one entry that names it. */
static swp_entry_t evict(struct folio *folio)
{
	struct swap_plug plug = { NULL };
	swp_entry_t swp;

	folio_lock(folio);
	assert_true(swap_cache_add(folio));
	swp = folio->swap;
	swap_slot_dup(swp);
	swap_writeout(folio, &plug);
	swap_plug_flush(&plug);
	folio_lock(folio);
	assert_false(folio_test(folio, PG_writeback) || folio_test(folio, PG_dirty));
	assert_true(swap_cache_remove_frozen(folio));
	folio_unlock(folio);
	folio_free(folio);
	return swp;
}

static void test_header(void **state)
{
	static const struct {
		u64 pos;
		u32 value;
	} wrong[] = {
		{ HEADER_MAGIC + 4, 0 },   { HEADER_VERSION, 0 },
		{ HEADER_VERSION, 2 },	   { HEADER_VERSION, 0x01000000 },
		{ HEADER_LAST_PAGE, 0 },   { HEADER_LAST_PAGE, 16 },
		{ HEADER_LAST_PAGE, ~0u }, { HEADER_NR_BAD, 638 },
		{ HEADER_NR_BAD, ~0u },	   { HEADER_NR_BAD, 1 } /* page 0 */,
		{ HEADER_NR_BAD, 15 },
	};
	struct file *f = sim_file(0, true);
	struct block_device *dev;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		dev = make_swap(16);
		put32(dev, wrong[i].pos, wrong[i].value);
		assert_int_equal(swap_area_on(f, dev, -1), -EINVAL);
		sim_block_destroy(dev);
	}
	dev = make_swap(16);
	put32(dev, HEADER_NR_BAD, 1);
	put32(dev, HEADER_BAD, 16);
	assert_int_equal(swap_area_on(f, dev, -1), -EINVAL);
	sim_block_fail(dev, true, false);
	assert_int_equal(swap_area_on(f, dev, -1), -EIO);
	sim_block_fail(dev, false, false);
	put32(dev, HEADER_BAD, 15);
	assert_int_equal(swap_area_on(f, dev, -1), 0);
	assert_int_equal(swap_area_on(f, dev, -1), -EBUSY);
	assert_int_equal(swap_total_pages(), 14);
	assert_int_equal(swap_free_pages(), 14);
	swap_off(dev);
	for (unsigned int nth = 1; nth < 6; nth++) {
		dev = make_swap(2000);
		fail_at(FAIL_ALLOC_PAGES, nth);
		assert_int_equal(swap_area_on(f, dev, -1), -ENOMEM);
		sim_block_destroy(dev);
	}
	file_put(f);
}

/* Consecutive pages get consecutive slots, none twice, bad ones never; what is freed is found again. */
static void test_slots(void **state)
{
	struct block_device *dev = make_swap(1200);
	struct folio *folios[1194];
	struct file *f = sim_file(0, true);

	(void)state;
	put32(dev, HEADER_NR_BAD, 5);
	for (u32 i = 0; i < 5; i++)
		put32(dev, HEADER_BAD + 4 * i, 100 * i + 50);
	assert_int_equal(swap_area_on(f, dev, -1), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(folios); i++) {
		folios[i] = new_page(0);
		assert_true(give_slot(folios[i]));
		if (i)
			assert_in_range(folios[i]->swap, folios[i - 1]->swap + 1,
					folios[i - 1]->swap + 2);
		assert_true(i >= 500 || folios[i]->swap % 100 != 50);
	}
	assert_int_equal(swap_free_pages(), 0);
	swap_validate();
	{
		struct folio *more = new_page(0);

		assert_false(give_slot(more));
		folio_put(more);
	}
	for (unsigned int round = 0; round < 2000; round++) {
		unsigned int i = (unsigned int)t_below(ARRAY_SIZE(folios)),
			     j = (unsigned int)t_below(ARRAY_SIZE(folios));

		take_slot(folios[i]);
		if (j != i)
			take_slot(folios[j]);
		assert_true(give_slot(folios[i]));
		if (j != i)
			assert_true(give_slot(folios[j]));
		if (round % 100 == 0)
			swap_validate();
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(folios); i++) {
		take_slot(folios[i]);
		folio_put(folios[i]);
	}
	assert_int_equal(swap_free_pages(), ARRAY_SIZE(folios));
	swap_off(dev);
	file_put(f);
}

/* The highest priority first; equals take turns, a chunk each; unspecified ones in the order they came. */
static void test_priorities(void **state)
{
	struct block_device *devs[4] = { swap_on(600, -1), swap_on(2000, 5), swap_on(2000, 5),
					 swap_on(600, -1) };
	static const unsigned int expected[] = { 1, 2, 1, 2, 1, 2, 1, 2, 0, 0, 3, 3 };
	static const int prios[] = { -2, 5, 5, -3 };
	struct folio *folios[599 * 2 + 1999 * 2];

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(folios); i++) {
		folios[i] = new_page(0);
		assert_true(give_slot(folios[i]));
	}
	for (unsigned int i = 0, n = 0; i < ARRAY_SIZE(folios); n++) {
		unsigned int last = expected[n] % 3 ? 1999 : 599;

		assert_int_equal(swp_area(folios[i]->swap), expected[n]);
		i += min(512U - (unsigned int)swp_offset(folios[i]->swap) % 512,
			 last + 1 - (unsigned int)swp_offset(folios[i]->swap));
	}
	for (unsigned int i = 0; i < 4; i++) {
		struct swap_area_info info;

		assert_true(swap_area_info(i, &info));
		assert_int_equal(info.prio, prios[i]);
		assert_int_equal(info.used, info.pages);
		file_put(info.file);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(folios); i++) {
		take_slot(folios[i]);
		folio_put(folios[i]);
	}
	for (unsigned int i = 0; i < 4; i++)
		swap_off(devs[i]);
}

/* Out and in again: contents, the cache finds it, readahead brings the neighbours. */
static void test_read_back(void **state)
{
	struct block_device *dev = swap_on(64, -1);
	unsigned long in = stat_read(PSWPIN), out = stat_read(PSWPOUT),
		      hits = stat_read(SWAP_RA_HIT);
	swp_entry_t swps[16];
	struct folio *folio;
	bool io;

	(void)state;
	for (unsigned int i = 0; i < 16; i++) {
		swps[i] = evict(new_page((u8)(i + 1)));
		assert_int_equal(swp_offset(swps[i]), i + 1);
	}
	assert_int_equal(stat_read(PSWPOUT) - out, 16);
	assert_null(swap_cache_get(swps[3]));
	for (unsigned int i = 0; i < 16; i++) {
		folio = swap_cache_read(swps[i], &io);
		assert_false(IS_ERR(folio));
		folio_lock(folio);
		assert_true(folio_test(folio, PG_uptodate) && folio->swap == swps[i]);
		assert_int_equal(*(u8 *)folio_address(folio), i + 1);
		assert_int_equal(((u8 *)folio_address(folio))[PG - 1], i + 1);
		folio_unlock(folio);
		folio_put(folio);
	}
	assert_int_equal(stat_read(PSWPIN) - in, 16);
	assert_true(stat_read(SWAP_RA_HIT) - hits > 8);
	assert_int_equal(stat_read(NR_SWAPCACHED), 16);
	for (unsigned int i = 0; i < 16; i++) {
		swap_slot_dup(swps[i]);
		swap_slot_put(swps[i]);
		assert_int_equal(swap_slot_count(swps[i]), 1);
		swap_slot_put(swps[i]);
		assert_null(swap_cache_get(swps[i]));
	}
	/* A stale entry is nothing. */
	assert_int_equal(PTR_ERR(swap_cache_read(swps[0], &io)), -ENOENT);
	assert_int_equal(PTR_ERR(swap_cache_read(swp_entry(7, 1), &io)), -ENOENT);
	assert_int_equal(PTR_ERR(swap_cache_read(swp_entry(0, 64), &io)), -ENOENT);
	assert_int_equal(PTR_ERR(swap_cache_read(swp_entry(SWP_MARKER, 1), &io)), -ENOENT);
	assert_int_equal(stat_read(NR_SWAPCACHED), 0);
	assert_int_equal(swap_free_pages(), 63);
	swap_off(dev);
}

/* The last entry goes while the folio is locked: who unlocks it frees the slot. */
static void test_last_entry_while_locked(void **state)
{
	struct block_device *dev = swap_on(16, -1);
	struct folio *folio = new_page(1);
	swp_entry_t swp;

	(void)state;
	folio_lock(folio);
	assert_true(swap_cache_add(folio));
	swp = folio->swap;
	swap_slot_dup(swp);
	assert_false(swap_cache_try_free(folio));
	swap_slot_put(swp);
	assert_true(folio_test(folio, PG_swapcache));
	swap_folio_unlock(folio);
	assert_false(folio_test(folio, PG_swapcache));
	folio_put(folio);
	swap_off(dev);
}

/* The last step of reclaim wants the folio for itself, and clean. */
static void test_frozen(void **state)
{
	struct block_device *dev = swap_on(16, -1);
	struct swap_plug plug = { NULL };
	struct folio *folio = new_page(1);

	(void)state;
	folio_lock(folio);
	assert_true(swap_cache_add(folio));
	assert_false(swap_cache_remove_frozen(folio));
	swap_writeout(folio, &plug);
	swap_plug_flush(&plug);
	folio_lock(folio);
	/* The write ended, and no entry named the slot: it is free already. */
	assert_false(folio_test(folio, PG_swapcache));
	folio_unlock(folio);
	folio_put(folio);
	swap_off(dev);
}

/* What cannot be written stays dirty, in memory; what cannot be read is not up to date, and is tried again. */
static void test_errors(void **state)
{
	struct block_device *dev = swap_on(16, -1);
	struct swap_plug plug = { NULL };
	struct folio *folio = new_page(7);
	unsigned long errors = stat_read(SWAP_WRITE_ERROR);
	swp_entry_t swp;
	bool io;

	(void)state;
	folio_lock(folio);
	assert_true(swap_cache_add(folio));
	swp = folio->swap;
	swap_slot_dup(swp);
	sim_block_fail(dev, true, true);
	swap_writeout(folio, &plug);
	swap_plug_flush(&plug);
	assert_int_equal(stat_read(SWAP_WRITE_ERROR) - errors, 1);
	folio_lock(folio);
	assert_true(folio_test(folio, PG_dirty) && folio_test(folio, PG_error));
	assert_false(swap_cache_remove_frozen(folio));
	sim_block_fail(dev, true, false);
	swap_writeout(folio, &plug);
	swap_plug_flush(&plug);
	folio_lock(folio);
	assert_false(folio_test(folio, PG_dirty) || folio_test(folio, PG_error));
	assert_true(swap_cache_remove_frozen(folio));
	folio_unlock(folio);
	folio_free(folio);

	folio = swap_cache_read(swp, &io);
	assert_true(io);
	folio_lock(folio);
	assert_false(folio_test(folio, PG_uptodate));
	swap_cache_forget(folio);
	folio_unlock(folio);
	folio_put(folio);
	assert_int_equal(swap_slot_count(swp), 1);
	sim_block_fail(dev, false, false);
	folio = swap_cache_read(swp, &io);
	assert_true(io && folio_test(folio, PG_uptodate));
	assert_int_equal(*(u8 *)folio_address(folio), 7);
	folio_put(folio);
	fail_at(FAIL_ALLOC_PAGES, 1);
	swap_slot_put(swp);
	fail_at(FAIL_ALLOC_PAGES, 0);
	swap_off(dev);
}

/* ---- page tables ---- */

#define B 0xa0000000UL
#define AT(page) (B + (page)*PG)

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

static struct block_device *swap_dev;

static int t_swap_mm_setup(void **state)
{
	t_swap_setup(state);
	sim_caller.ipc_lock = true;
	swap_dev = swap_on(256, -1);
	*state = mm_create(false);
	return *state ? 0 : -1;
}

static int t_swap_mm_teardown(void **state)
{
	struct mm *mm = *state;

	t_validate(mm);
	sim_mm_put(mm);
	assert_int_equal(swap_free_pages(), swap_total_pages());
	assert_int_equal(stat_read(NR_SWAPCACHED), 0);
	swap_off(swap_dev);
	return t_swap_teardown(state);
}

#define S_MM(f) cmocka_unit_test_setup_teardown(f, t_swap_mm_setup, t_swap_mm_teardown)

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

/* ---- swapoff ---- */

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

/* ---- tmpfs ---- */

static void shmem_out(struct file *f, unsigned long index)
{
	struct folio *folio = filemap_get_folio(sim_file_mapping(f), index);
	struct swap_plug plug = { NULL };
	swp_entry_t swp;

	folio_lock(folio);
	assert_true(shmem_writeout(folio, &plug));
	swap_plug_flush(&plug);
	folio_lock(folio);
	swp = folio->swap;
	assert_true(swp && swap_slot_count(swp) == 1);
	assert_true(swap_cache_remove_frozen(folio));
	folio_unlock(folio);
	folio_free(folio);
}

static void test_shmem(void **state)
{
	struct mm *mm = *state;
	struct file *f = sim_file(8 * PG, true);
	struct mapping *m = sim_file_mapping(f);
	unsigned long free = swap_free_pages(), shmem = stat_read(NR_SHMEM);
	unsigned char vec[8];
	struct vma_usage u = { 0 };
	struct folio *folio;

	t_map_file(mm, AT(0), 8, RW, MAP_SHARED, f, 0);
	for (unsigned long p = 0; p < 6; p++)
		sim_poke(mm, AT(p), (u8)(p + 1));
	/* Still mapped: not yet. */
	folio = filemap_get_folio(m, 0);
	folio_lock(folio);
	assert_false(shmem_writeout(folio, NULL));
	folio_unlock(folio);
	folio_put(folio);
	assert_int_equal(mm_madvise(mm, AT(0), 8 * PG, MADV_DONTNEED), 0);
	for (unsigned long p = 0; p < 6; p++)
		shmem_out(f, p);
	assert_int_equal(mapping_nr_pages(m), 6);
	assert_int_equal(swap_free_pages(), free - 6);
	assert_int_equal(stat_read(NR_SHMEM), shmem);
	assert_int_equal(mm_mincore(mm, AT(0), 8, vec), 0);
	for (unsigned long p = 0; p < 8; p++)
		assert_int_equal(vec[p], 0);
	mmap_read_lock(mm);
	vma_usage(mm, vma_lookup(mm, AT(0)), &u);
	mmap_read_unlock(mm);
	assert_int_equal(u.swap, 6 * PG);

	/* A fault, a write, a look-up bring it back; its slot goes. */
	assert_int_equal(sim_peek(mm, AT(0)), 1);
	sim_poke(mm, AT(1), 20);
	folio = filemap_grab_folio(m, 2);
	assert_int_equal(*(u8 *)folio_address(folio), 3);
	folio_put(folio);
	assert_int_equal(swap_free_pages(), free - 3);
	assert_int_equal(stat_read(NR_SHMEM), shmem + 3);
	assert_int_equal(sim_peek(mm, AT(1)), 20);
	/* An error is one. */
	sim_block_fail(swap_dev, true, false);
	if (!swap_is_cached(value_to_swp(xa_load(&m->folios, 5)))) {
		assert_int_equal(PTR_ERR(filemap_get_folio(m, 5)), -EIO);
		assert_int_equal(sim_touch(mm, AT(5), FAULT_READ), FAULT_BUS);
	}
	sim_block_fail(swap_dev, false, false);
	assert_int_equal(sim_peek(mm, AT(5)), 6);
	/* Read ahead of need. */
	assert_int_equal(mm_madvise(mm, AT(0), 8 * PG, MADV_WILLNEED), 0);
	assert_true(swap_is_cached(value_to_swp(xa_load(&m->folios, 4))));
	/* A private copy of a page that is in swap. */
	t_map_file(mm, AT(20), 8, RW, MAP_PRIVATE, f, 0);
	sim_poke(mm, AT(24), 50);
	assert_int_equal(sim_peek(mm, AT(4)), 5);
	/* Holes and the end of the file free slots. */
	assert_int_equal(mm_madvise(mm, AT(0), 8 * PG, MADV_DONTNEED), 0);
	for (unsigned long p = 0; p < 6; p++)
		shmem_out(f, p);
	filemap_punch_hole(m, PG, 2 * PG);
	assert_int_equal(mapping_nr_pages(m), 5);
	assert_int_equal(swap_free_pages(), free - 5);
	filemap_truncate(m, 3 * PG + 1);
	assert_int_equal(mapping_nr_pages(m), 3);
	filemap_truncate(m, 8 * PG);
	assert_int_equal(sim_peek(mm, AT(1)), 0);
	assert_int_equal(sim_peek(mm, AT(3)), 4);
	assert_int_equal(sim_peek(mm, AT(3) + 1), 0);
	assert_int_equal(sim_peek(mm, AT(4)), 0);
	assert_int_equal(mm_munmap(mm, AT(0), 30 * PG), 0);
	file_put(f);
	assert_int_equal(swap_free_pages(), free);
}

static void test_shmem_swapoff(void **state)
{
	struct file *a = sim_file(8 * PG, true), *b = sim_file(8 * PG, true);
	struct block_device *second = swap_on(64, 5);

	(void)state;
	for (unsigned long p = 0; p < 8; p++) {
		struct folio *folio = filemap_grab_folio(sim_file_mapping(p % 2 ? a : b), p);

		*(u8 *)folio_address(folio) = (u8)(p + 1);
		folio_mark_dirty(folio);
		folio_put(folio);
		shmem_out(p % 2 ? a : b, p);
	}
	sim_block_fail(second, true, false);
	assert_int_equal(swap_area_off(second), -EIO);
	sim_block_fail(second, false, false);
	assert_int_equal(swap_area_off(second), 0);
	for (unsigned long p = 0; p < 8; p++) {
		struct folio *folio = filemap_get_folio(sim_file_mapping(p % 2 ? a : b), p);

		assert_int_equal(*(u8 *)folio_address(folio), p + 1);
		folio_put(folio);
	}
	shmem_out(a, 1);
	file_put(a);
	file_put(b);
	sim_block_destroy(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		S(test_header),
		S(test_slots),
		S(test_priorities),
		S(test_read_back),
		S(test_last_entry_while_locked),
		S(test_frozen),
		S(test_errors),
		S_MM(test_fault_read),
		S_MM(test_fault_write),
		S_MM(test_fork_shares_slots),
		S_MM(test_zap),
		S_MM(test_mremap_and_mprotect),
		S_MM(test_mlock),
		S_MM(test_proc),
		S_MM(test_fault_error),
		S_MM(test_forced_write),
		S_MM(test_willneed),
		S_MM(test_swapoff),
		S_MM(test_shmem),
		S_MM(test_shmem_swapoff),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests_name("swap", tests, NULL, NULL);
}
