/* SPDX-License-Identifier: MIT
 *
 * What /proc shows: smaps totals, pagemap words, kpageflags and kpagecount.
 */
#include "t.h"

#define B 0xd0000000UL
#define AT(page) (B + (page)*PG)

static struct vma_usage usage(struct mm *mm, unsigned long va)
{
	struct vma_usage u = { 0 };

	mmap_read_lock(mm);
	vma_usage(mm, vma_lookup(mm, va), &u);
	mmap_read_unlock(mm);
	return u;
}

static void test_usage(void **state)
{
	struct mm *mm = *state, *child;
	struct file *f = sim_file(8 * PG, true);
	struct vma_usage u;

	t_map(mm, AT(0), 8, RW);
	for (unsigned long i = 0; i < 4; i++)
		sim_poke(mm, AT(i), 1);
	sim_peek(mm, AT(5)); /* the zero page does not count */
	u = usage(mm, AT(0));
	assert_int_equal(u.rss, 4 * PG);
	assert_int_equal(u.pss, 4 * PG);
	assert_int_equal(u.private_dirty, 4 * PG);
	assert_int_equal(u.anonymous, 4 * PG);
	assert_int_equal(u.referenced, 4 * PG);
	assert_int_equal(u.locked, 0);
	child = mm_fork(mm);
	sim_poke(child, AT(0), 2);
	u = usage(mm, AT(0));
	assert_int_equal(u.rss, 4 * PG);
	assert_int_equal(u.pss, PG + 3 * PG / 2);
	assert_int_equal(u.private_dirty, PG);
	assert_int_equal(u.shared_dirty, 3 * PG);
	sim_mm_put(child);

	t_map_file(mm, AT(16), 8, RW, MAP_SHARED, f, 0);
	for (unsigned long i = 0; i < 3; i++)
		sim_peek(mm, AT(16 + i));
	sim_poke(mm, AT(16), 1);
	u = usage(mm, AT(16));
	assert_int_equal(u.rss, 3 * PG);
	assert_int_equal(u.anonymous, 0);
	assert_int_equal(u.pss_shmem, 3 * PG);
	assert_int_equal(u.private_dirty + u.private_clean, 3 * PG);
	assert_true(u.private_dirty >= PG);
	file_put(f);
}

static void test_locked_usage(void **state)
{
	struct mm *mm = *state;

	assert_true(mm_mmap(mm, AT(0), 2 * PG, RW,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_LOCKED, NULL, 0) > 0);
	assert_int_equal(usage(mm, AT(0)).locked, 2 * PG);
}

#define PRESENT (1UL << 63)
#define FILE_PAGE (1UL << 61)
#define EXCLUSIVE (1UL << 56)
#define PFN(word) ((word) & ((1UL << 55) - 1))

static void test_pagemap(void **state)
{
	struct mm *mm = *state, *child;
	struct file *f = sim_file(2 * PG, true);
	u64 w[8];

	t_map(mm, AT(0), 3, RW);
	t_map_file(mm, AT(4), 2, PROT_READ, MAP_SHARED, f, 0);
	sim_poke(mm, AT(0), 1);
	sim_poke(mm, AT(1), 1);
	sim_peek(mm, AT(4));
	child = mm_fork(mm);
	sim_poke(child, AT(1), 2);
	mm_pagemap(mm, AT(-1UL), 8, w, true);
	assert_int_equal(w[0], 0);
	assert_true((w[1] & PRESENT) && !(w[1] & (FILE_PAGE | EXCLUSIVE)));
	assert_int_equal(PFN(w[1]), pte_pfn(sim_pte(mm, AT(0))));
	assert_true((w[2] & PRESENT) && (w[2] & EXCLUSIVE));
	assert_int_equal(w[3], 0);
	assert_int_equal(w[4], 0);
	assert_true((w[5] & PRESENT) && (w[5] & FILE_PAGE));
	assert_int_equal(w[7], 0);
	mm_pagemap(mm, AT(0), 1, w, false);
	assert_true(w[0] & PRESENT);
	assert_int_equal(PFN(w[0]), 0);
	sim_mm_put(child);
	file_put(f);
}

static void test_kpage(void **state)
{
	struct mm *mm = *state, *child;
	unsigned long pfn;
	struct page *p;

	t_map(mm, AT(0), 1, RW);
	sim_poke(mm, AT(0), 1);
	pfn = pte_pfn(sim_pte(mm, AT(0)));
	assert_int_equal(page_kpagecount(pfn), 1);
	/* uptodate, lru, mmap, anon, swapbacked */
	assert_int_equal(page_kpageflags(pfn), 1 << 3 | 1 << 5 | 1 << 11 | 1 << 12 | 1 << 14);
	child = mm_fork(mm);
	assert_int_equal(page_kpagecount(pfn), 2);
	sim_mm_put(child);
	assert_int_equal(page_kpageflags(page_to_pfn(zero_page_frame)) & 1UL << 24, 1UL << 24);
	p = alloc_pages(GFP_KERNEL, 5);
	pfn = page_to_pfn(p);
	assert_int_equal(page_kpagecount(pfn), 0);
	assert_int_equal(page_kpageflags(pfn), 0);
	free_pages(p, 5);
	p = virt_to_page(mm->pgt.root);
	assert_int_equal(page_kpageflags(page_to_pfn(p)), 1UL << 26);
	assert_int_equal(page_kpageflags(0), 1UL << 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_usage),
		T_MM(test_locked_usage),
		T_MM(test_pagemap),
		T_MM(test_kpage),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
