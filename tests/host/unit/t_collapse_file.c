/* SPDX-License-Identifier: MIT
 *
 * Collapse of shared memory: what a file has of 2 MiB becomes one folio for all who map it, with all counts exact before and
 * after, done or not done.
 */
#include "../../../mm/collapse.h"
#include "../../../mm/lru.h"
#include "../../../mm/shmem.h"
#include "swap_device.h"

#define B 0xb0000000UL
#define AT(page) (B + (page)*PG)
#define N PTRS_PER_TABLE

static const struct collapse_limits any = { ~0u, ~0u, ~0u, GFP_KERNEL, false };

static u8 mark(unsigned long i)
{
	return (u8)(i * 5 + 1);
}

static struct folio *cached(struct file *f, unsigned long index)
{
	struct folio *folio = filemap_get_folio(sim_file_mapping(f), index);

	assert_false(IS_ERR(folio));
	if (folio)
		folio_put(folio);
	return folio;
}

/* A file, mapped shared at B, of which every step-th page is there. */
static struct file *map_marked(struct mm *mm, unsigned long step)
{
	struct file *f = sim_file(N * PG, true);

	sim_caller.ipc_lock = true;
	t_map_file(mm, B, N, RW, MAP_SHARED, f, 0);
	for (unsigned long i = 0; i < N; i += step)
		sim_poke(mm, AT(i), mark(i));
	return f;
}

static void check_contents(struct mm *mm, unsigned long at, unsigned long step)
{
	for (unsigned long i = 0; i < N; i++)
		assert_int_equal(sim_peek(mm, at + i * PG), i % step ? 0 : mark(i));
}

/* Entries that map it: n. */
static void check_whole(struct file *f, unsigned long n)
{
	struct folio *folio = cached(f, 0);

	assert_int_equal(folio->order, PMD_ORDER);
	assert_ptr_equal(folio, cached(f, N - 1));
	assert_int_equal(atomic_read(&folio->refcount), n + 1);
	assert_int_equal(atomic_read(&folio->mapcount), n);
	assert_false(folio_test(folio, PG_locked));
	assert_int_equal(stat_read(NR_SHMEM), N);
	assert_int_equal(stat_read(NR_FILE_PAGES), N);
	assert_int_equal(stat_read(NR_SHMEM_THPS), 1);
	assert_int_equal(mapping_nr_pages(sim_file_mapping(f)), N);
}

/* Nothing was done: the file has n small pages. */
static void check_small(struct mm *mm, struct file *f, unsigned long n)
{
	assert_int_equal(cached(f, 0)->order, 0);
	assert_int_equal(mapping_nr_pages(sim_file_mapping(f)), n);
	assert_int_equal(stat_read(NR_SHMEM), n);
	assert_int_equal(stat_read(NR_SHMEM_THPS), 0);
	t_validate(mm);
}

static bool is_promoted(struct mm *mm, unsigned long va)
{
	pte_t *pte = pgtable_find(&mm->pgt, va);

	return pte && pte_is_promoted(pte);
}

static void end(struct mm *mm, struct file *f)
{
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, B, 64 * PMD_SIZE), 0);
	file_put(f);
	assert_int_equal(stat_read(NR_SHMEM), 0);
	assert_int_equal(stat_read(NR_FILE_PAGES), 0);
	assert_int_equal(stat_read(NR_SHMEM_THPS), 0);
	assert_int_equal(stat_read(NR_SHMEM_PMDMAPPED), 0);
	assert_int_equal(stat_read(NR_FILE_MAPPED), 0);
	assert_int_equal(stat_read(NR_MLOCK), 0);
	assert_int_equal(stat_read(NR_UNEVICTABLE), 0);
}

/* ---- done ---- */

static void test_contents(void **state)
{
	static const unsigned long steps[] = { 1, 2, 3, 511, 512 };
	struct mm *mm = *state;

	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++) {
		struct file *f = map_marked(mm, steps[i]);

		assert_int_equal(mm_collapse(mm, B, &any), 0);
		check_whole(f, N);
		assert_true(is_promoted(mm, B));
		assert_int_equal(atomic_read(&mm->rss[RSS_SHMEM]), N);
		assert_int_equal(mm_collapse(mm, B, &any), COLLAPSE_NOTHING_TO_DO);
		check_contents(mm, B, steps[i]);
		end(mm, f);
	}
}

static void test_only_the_page_cache(void **state)
{
	struct mm *mm = *state;
	struct file *f = map_marked(mm, 1);

	assert_int_equal(mm_madvise(mm, B, PMD_SIZE, MADV_DONTNEED), 0);
	assert_int_equal(mm_collapse(mm, B, &any), 0);
	check_whole(f, N);
	assert_true(is_promoted(mm, B));
	/* It is one, in pieces in the table. */
	assert_int_equal(mm_madvise(mm, AT(3), 2 * PG, MADV_DONTNEED), 0);
	assert_false(is_promoted(mm, B));
	assert_int_equal(mm_collapse(mm, B, &any), 0);
	assert_true(is_promoted(mm, B));
	check_contents(mm, B, 1);
	end(mm, f);
}

/* Folios of 64 KiB and small pages, in turns. */
static void test_mixed_orders(void **state)
{
	struct mm *mm = *state;
	struct file *f = sim_file(N * PG, true);

	knob_thp_shmem = SHMEM_HUGE_ALWAYS;
	knob_thp_shmem_orders = 1UL << 4;
	for (unsigned long i = 0; i < N; i += 32)
		folio_put(filemap_new_large(sim_file_mapping(f), i, 0));
	knob_thp_shmem = SHMEM_HUGE_NEVER;
	t_map_file(mm, B, N, RW, MAP_SHARED, f, 0);
	for (unsigned long i = 0; i < N; i++)
		sim_poke(mm, AT(i), mark(i));
	assert_int_equal(cached(f, 1)->order, 4);
	assert_int_equal(cached(f, 16)->order, 0);
	assert_int_equal(mm_collapse(mm, B, &any), 0);
	check_whole(f, N);
	check_contents(mm, B, 1);
	end(mm, f);
}

/* Mapped a second time, a third time out of line, by a child, and privately with a copy of a page. */
static void test_mappers(void **state)
{
	const unsigned long second = B + 2 * PMD_SIZE, odd = B + 4 * PMD_SIZE + 5 * PG,
			    private = B + 8 * PMD_SIZE;
	struct mm *mm = *state, *child;
	struct file *f = map_marked(mm, 1);

	t_map_file(mm, second, N, PROT_READ, MAP_SHARED, f, 0);
	t_map_file(mm, odd, N - 7, RW, MAP_SHARED, f, 7);
	t_map_file(mm, private, N, RW, MAP_PRIVATE, f, 0);
	for (unsigned long i = 0; i < N; i++)
		assert_int_equal(sim_peek(mm, second + i * PG), mark(i));
	assert_int_equal(sim_peek(mm, odd + 100 * PG), mark(107));
	assert_int_equal(mm_madvise(mm, odd, (N - 7) * PG, MADV_DONTNEED), 0);
	knob_fault_around_bytes = PG;
	assert_int_equal(sim_peek(mm, odd + 100 * PG), mark(107));
	assert_int_equal(sim_peek(mm, private + 9 * PG), mark(9));
	sim_poke(mm, private + 10 * PG, 200);
	child = mm_fork(mm);
	assert_int_equal(mm_collapse(mm, B, &any), 0);
	assert_true(is_promoted(mm, B));
	assert_true(is_promoted(mm, second));
	assert_false(is_promoted(mm, odd));
	assert_false(is_promoted(mm, private));
	/* Here twice, once at the odd place and once privately; the child has what it had, and that as one if it was told so. */
	t_validate(mm);
	t_validate(child);
	assert_int_equal(atomic_read(&cached(f, 0)->mapcount) % N,
			 2 + atomic_read(&child->rss[RSS_SHMEM]) % N);
	sim_poke(mm, AT(107), 99);
	assert_int_equal(sim_peek(mm, odd + 100 * PG), 99);
	assert_int_equal(sim_peek(child, second + 107 * PG), 99);
	assert_int_equal(sim_peek(mm, private + 107 * PG), 99);
	assert_int_equal(sim_peek(mm, private + 10 * PG), 200);
	assert_int_equal(sim_peek(mm, private + 9 * PG), mark(9));
	/* With the copy it is not one. */
	assert_int_equal(mm_collapse(mm, private, &any), -EINVAL);
	sim_poke(mm, AT(107), mark(107));
	check_contents(child, B, 1);
	sim_mm_put(child);
	end(mm, f);
}

static void test_locked(void **state)
{
	struct mm *mm = *state;
	struct file *f = map_marked(mm, 2);
	const unsigned long odd = B + 4 * PMD_SIZE + PG;

	/* One who has locked a part, not where it could be one. */
	t_map_file(mm, odd, 64, RW, MAP_SHARED, f, 0);
	assert_int_equal(mm_mlock(mm, odd, 8 * PG, false), 0);
	assert_int_equal(stat_read(NR_MLOCK), 8);
	assert_int_equal(mm_collapse(mm, B, &any), 0);
	assert_int_equal(stat_read(NR_MLOCK), 8);
	assert_int_equal(stat_read(NR_UNEVICTABLE), 0);
	t_validate(mm);
	end(mm, f);
	/* All of it, the holes when they come. */
	f = map_marked(mm, 2);
	assert_int_equal(mm_mlock(mm, B, PMD_SIZE, true), 0);
	assert_int_equal(stat_read(NR_MLOCK), N / 2);
	assert_int_equal(mm_collapse(mm, B, &any), 0);
	check_whole(f, N);
	assert_true(is_promoted(mm, B));
	assert_int_equal(stat_read(NR_MLOCK), N);
	assert_int_equal(stat_read(NR_UNEVICTABLE), N);
	assert_int_equal(mm_munlock(mm, B, PMD_SIZE), 0);
	assert_int_equal(stat_read(NR_MLOCK), 0);
	assert_int_equal(stat_read(NR_UNEVICTABLE), 0);
	check_contents(mm, B, 2);
	end(mm, f);
}

/* SHM_LOCK: nobody locks a page, but none is to go. */
static void test_unevictable_file(void **state)
{
	struct mm *mm = *state;
	struct file *f = map_marked(mm, 2);
	unsigned long scanned;
	struct page *page;

	mapping_set_unevictable(sim_file_mapping(f), true);
	page = mm_get_page(mm, AT(10), true, false);
	assert_int_equal(mm_collapse(mm, B, &any), -EAGAIN);
	check_small(mm, f, N / 2);
	mm_put_page(page);
	assert_int_equal(mm_collapse(mm, B, &any), 0);
	check_whole(f, N);
	assert_int_equal(stat_read(NR_UNEVICTABLE), N);
	scanned = stat_read(UNEVICTABLE_PGS_SCANNED);
	mapping_set_unevictable(sim_file_mapping(f), false);
	mapping_rescue(sim_file_mapping(f));
	assert_int_equal(stat_read(UNEVICTABLE_PGS_SCANNED) - scanned, N);
	assert_int_equal(stat_read(NR_UNEVICTABLE), 0);
	end(mm, f);
}

static void test_swapped(void **state)
{
	struct block_device *dev = swap_device_on(2 * N);
	const struct collapse_limits none = { ~0u, 0, ~0u, GFP_KERNEL, false };
	struct mm *mm = *state;
	struct file *f = map_marked(mm, 1);
	unsigned long swapped;

	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(mm_madvise(mm, AT(100), 50 * PG, MADV_PAGEOUT), 0);
	swapped = sim_file_mapping(f)->nr_swapped;
	assert_true(swapped > 0);
	assert_int_equal(mm_collapse(mm, B, &none), -EINVAL);
	/* They are missing as holes are. */
	assert_int_equal(mm_collapse(mm, B,
				     &(struct collapse_limits){ (unsigned int)swapped - 1, ~0u, ~0u,
								GFP_KERNEL, false }),
			 -EINVAL);
	assert_int_equal(sim_file_mapping(f)->nr_swapped, swapped);
	assert_int_equal(mm_collapse(mm, B, &any), 0);
	check_whole(f, N);
	check_contents(mm, B, 1);
	assert_int_equal(swap_free_pages(), swap_total_pages());
	end(mm, f);
	swap_device_off(dev);
}

static void test_cannot_read(void **state)
{
	struct block_device *dev = swap_device_on(2 * N);
	struct mm *mm = *state;
	struct file *f = map_marked(mm, 1);
	unsigned long swapped = 0;

	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(mm_madvise(mm, AT(100), 50 * PG, MADV_PAGEOUT), 0);
	for (unsigned long i = 0; i < N; i++) {
		void *entry = xa_load(&sim_file_mapping(f)->folios, i);

		swapped += xa_is_value(entry) && !swap_is_cached(value_to_swp(entry));
	}
	sim_block_fail(dev, true, false);
	assert_int_equal(mm_collapse(mm, B, &any), swapped ? -EINVAL : 0);
	sim_block_fail(dev, false, false);
	check_contents(mm, B, 1);
	end(mm, f);
	swap_device_off(dev);
}

/* ---- not done ---- */

static void test_limits(void **state)
{
	const struct collapse_limits few = { N / 2 - 1, 0, 0, GFP_KERNEL, false },
				     enough = { N / 2, 0, 0, GFP_KERNEL, false };
	struct mm *mm = *state;
	struct file *f = map_marked(mm, 2);

	assert_int_equal(mm_collapse(mm, B, &few), -EINVAL);
	check_small(mm, f, N / 2);
	assert_int_equal(mm_collapse(mm, B, &enough), 0);
	check_whole(f, N);
	end(mm, f);
	/* Nothing at all. */
	f = sim_file(N * PG, true);
	t_map_file(mm, B, N, RW, MAP_SHARED, f, 0);
	assert_int_equal(mm_collapse(mm, B, &any), -EINVAL);
	assert_int_equal(mapping_nr_pages(sim_file_mapping(f)), 0);
	end(mm, f);
}

static void test_vmas(void **state)
{
	struct mm *mm = *state;
	struct file *f = map_marked(mm, 1);
	const unsigned long odd = B + 4 * PMD_SIZE;

	t_map_file(mm, odd, N - 1, RW, MAP_SHARED, f, 0);
	t_map_file(mm, odd + 2 * PMD_SIZE, N - 1, RW, MAP_SHARED, f, 1);
	assert_int_equal(mm_collapse(mm, odd, &any), -EINVAL);
	assert_int_equal(mm_madvise(mm, odd + 2 * PMD_SIZE, (N - 1) * PG, MADV_COLLAPSE), -EINVAL);
	assert_int_equal(mm_madvise(mm, B, PMD_SIZE, MADV_NOHUGEPAGE), 0);
	assert_int_equal(mm_collapse(mm, B, &any), -EINVAL);
	assert_int_equal(mm_madvise(mm, B, PMD_SIZE, MADV_HUGEPAGE), 0);
	knob_thp_shmem = SHMEM_HUGE_DENY;
	assert_int_equal(mm_collapse(mm, B, &any), -EINVAL);
	knob_thp_shmem = SHMEM_HUGE_NEVER;
	check_small(mm, f, N);
	assert_int_equal(mm_madvise(mm, B, PMD_SIZE, MADV_COLLAPSE), 0);
	check_whole(f, N);
	end(mm, f);
}

static void test_somebody_has_it(void **state)
{
	struct mm *mm = *state;
	struct file *f = map_marked(mm, 3);
	unsigned long pages = (N + 2) / 3;
	struct folio *folio = filemap_get_folio(sim_file_mapping(f), 9);
	pte_t before = sim_pte(mm, AT(9));

	/* A reference. */
	assert_int_equal(mm_collapse(mm, B, &any), -EAGAIN);
	assert_int_equal(sim_pte(mm, AT(9)) & ~(PTE_A | PTE_D), before & ~(PTE_A | PTE_D));
	check_small(mm, f, pages);
	/* The lock, which is somebody else's. */
	assert_true(folio_lock_fast(folio));
	assert_int_equal(mm_collapse(mm, B, &any), -EAGAIN);
	folio_unlock_io(folio);
	check_small(mm, f, pages);
	/* On no list: reclaim has it. */
	folio_put(folio);
	assert_ptr_equal(lru_isolate_page(&folio->page, true), folio);
	assert_int_equal(mm_collapse(mm, B, &any), -EAGAIN);
	check_small(mm, f, pages);
	lru_add(folio);
	folio_put(folio);
	assert_int_equal(atomic_read(&mm->rss[RSS_SHMEM]), pages);
	assert_int_equal(mm_collapse(mm, B, &any), 0);
	check_whole(f, N);
	check_contents(mm, B, 3);
	end(mm, f);
}

static void test_no_room_on_the_mount(void **state)
{
	struct mm *mm = *state;
	struct page_quota quota = { ATOMIC_INIT(0), N - 1 };
	struct file *f = sim_file(N * PG, true);

	sim_file_mapping(f)->quota = &quota;
	t_map_file(mm, B, N, RW, MAP_SHARED, f, 0);
	for (unsigned long i = 0; i < N; i += 2)
		sim_poke(mm, AT(i), mark(i));
	assert_int_equal(mm_collapse(mm, B, &any), -EINVAL);
	check_small(mm, f, N / 2);
	assert_int_equal(atomic_read(&quota.used), N / 2);
	quota.max = N;
	assert_int_equal(mm_collapse(mm, B, &any), 0);
	assert_int_equal(atomic_read(&quota.used), N);
	end(mm, f);
	assert_int_equal(atomic_read(&quota.used), 0);
}

static void test_no_memory(void **state)
{
	struct mm *mm = *state;
	struct file *f = map_marked(mm, 200);

	for (unsigned int n = 1; n <= 2; n++) {
		fail_at(FAIL_ALLOC_PAGES, n);
		assert_int_equal(mm_collapse(mm, B, &any), -ENOMEM);
		check_small(mm, f, 3);
	}
	fail_at(FAIL_ALLOC_PAGES, 0);
	/* No node for the slots that have none. */
	fail_at(FAIL_XARRAY, 1);
	assert_int_equal(mm_collapse(mm, B, &any), -ENOMEM);
	fail_at(FAIL_XARRAY, 0);
	check_small(mm, f, 3);
	check_contents(mm, B, 200);
	end(mm, f);
	/* No memory for the promotion: it is one folio, and 512 entries. */
	f = map_marked(mm, 1);
	fail_at(FAIL_PAGETABLE, 1);
	assert_int_equal(mm_collapse(mm, B, &any), 0);
	fail_at(FAIL_PAGETABLE, 0);
	check_whole(f, N);
	end(mm, f);
}

/* ---- beyond the end of the file ---- */

static void test_short_file(void **state)
{
	struct mm *mm = *state;
	struct file *f = map_marked(mm, 1);

	filemap_truncate(sim_file_mapping(f), 100 * PG);
	assert_int_equal(mm_collapse(mm, B, &any), 0);
	check_whole(f, 100);
	assert_int_equal(sim_touch(mm, AT(100), FAULT_READ), FAULT_BUS);
	assert_int_equal(sim_peek(mm, AT(99)), mark(99));
	filemap_truncate(sim_file_mapping(f), 50 * PG);
	assert_int_equal(sim_touch(mm, AT(50), FAULT_READ), FAULT_BUS);
	filemap_truncate(sim_file_mapping(f), N * PG);
	assert_int_equal(sim_peek(mm, AT(49)), mark(49));
	assert_int_equal(sim_peek(mm, AT(50)), 0);
	end(mm, f);
}

/* ---- khugepaged ---- */

static void test_khugepaged(void **state)
{
	struct mm *mm = *state;
	struct file *f = map_marked(mm, 1);

	khugepaged_settings.pages_to_scan = 1UL << 20;
	knob_thp_shmem = SHMEM_HUGE_ADVISE;
	knob_thp_shmem_orders = 1UL << PMD_ORDER;
	assert_true(khugepaged_scan());
	check_small(mm, f, N);
	assert_int_equal(mm_madvise(mm, B, PMD_SIZE, MADV_HUGEPAGE), 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_true(khugepaged_scan());
	/* It is nobody's until he needs it. */
	check_whole(f, 0);
	assert_int_equal(mm_rss(mm), 0);
	assert_int_equal(sim_peek(mm, AT(33)), mark(33));
	check_whole(f, N);
	assert_true(is_promoted(mm, B));
	/* In pieces, it is mapped as one again. */
	assert_int_equal(mm_mprotect(mm, AT(3), PG, PROT_READ), 0);
	assert_int_equal(mm_mprotect(mm, AT(3), PG, RW), 0);
	assert_false(is_promoted(mm, B));
	for (unsigned int i = 0; i < 2; i++)
		assert_true(khugepaged_scan());
	assert_true(is_promoted(mm, B));
	check_contents(mm, B, 1);
	end(mm, f);
	/* within_size: not beyond the end. */
	f = map_marked(mm, 1);
	filemap_truncate(sim_file_mapping(f), (N - 1) * PG);
	knob_thp_shmem = SHMEM_HUGE_WITHIN_SIZE;
	for (unsigned int i = 0; i < 2; i++)
		assert_true(khugepaged_scan());
	check_small(mm, f, N - 1);
	filemap_truncate(sim_file_mapping(f), N * PG);
	for (unsigned int i = 0; i < 2; i++)
		assert_true(khugepaged_scan());
	check_whole(f, 0);
	end(mm, f);
	/* What is locked stays. */
	knob_thp_shmem = SHMEM_HUGE_NEVER;
	f = map_marked(mm, 2);
	assert_int_equal(mm_mlock(mm, B, PMD_SIZE, true), 0);
	knob_thp_shmem = SHMEM_HUGE_ALWAYS;
	for (unsigned int i = 0; i < 2; i++)
		assert_true(khugepaged_scan());
	check_whole(f, N / 2);
	assert_int_equal(stat_read(NR_MLOCK), N / 2);
	check_contents(mm, B, 2);
	assert_int_equal(stat_read(NR_MLOCK), N);
	assert_true(is_promoted(mm, B));
	knob_thp_shmem = SHMEM_HUGE_NEVER;
	end(mm, f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_contents),	    T_MM(test_only_the_page_cache),
		T_MM(test_mixed_orders),    T_MM(test_mappers),
		T_MM(test_locked),	    T_MM(test_unevictable_file),
		T_MM(test_swapped),	    T_MM(test_cannot_read),
		T_MM(test_limits),	    T_MM(test_vmas),
		T_MM(test_somebody_has_it), T_MM(test_no_room_on_the_mount),
		T_MM(test_no_memory),	    T_MM(test_short_file),
		T_MM(test_khugepaged),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
