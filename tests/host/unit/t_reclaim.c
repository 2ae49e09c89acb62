/* SPDX-License-Identifier: MIT
 *
 * Reclaim: what it takes and what it leaves, by the page tables and by the contents; nobody reclaims in the
 * background here, so every page that goes is taken by a call of the test.
 */
#include "../../../mm/lru.h"
#include "../../../mm/mlock_count.h"
#include "../../../mm/reclaim.h"
#include "t.h"
#include "swap_device.h"
#include <pthread.h>

#define B 0x70000000UL
#define AT(page) (B + (page)*PG)
#define RW (PROT_READ | PROT_WRITE)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE)

static struct block_device *dev;

static int setup(void **state)
{
	if (t_mm_setup(state))
		return -1;
	dev = swap_device_on(40000);
	watermarks_update();
	return 0;
}

static int teardown(void **state)
{
	struct mm *mm = *state;

	mmap_read_lock(mm);
	mm_validate(mm);
	mmap_read_unlock(mm);
	sim_mm_put(mm);
	swap_device_off(dev);
	return t_teardown(state);
}

#define R(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static void map(struct mm *mm, unsigned long pages)
{
	assert_int_equal(mm_mmap(mm, B, pages * PG, RW, PRIVATE, NULL, 0), B);
}

static u8 byte_of(unsigned long page)
{
	return (u8)(page * 13 + 1);
}

static void fill(struct mm *mm, unsigned long pages)
{
	for (unsigned long p = 0; p < pages; p++)
		sim_poke(mm, AT(p), byte_of(p));
}

static void check(struct mm *mm, unsigned long pages)
{
	for (unsigned long p = 0; p < pages; p++)
		assert_int_equal(sim_peek(mm, AT(p)), byte_of(p));
}

static unsigned long present(struct mm *mm, unsigned long pages)
{
	unsigned long n = 0;

	for (unsigned long p = 0; p < pages; p++)
		n += pte_present(sim_pte(mm, AT(p)));
	return n;
}

/* Nobody has used the pages since. */
static void make_old(struct mm *mm, unsigned long pages)
{
	for (unsigned long p = 0; p < pages; p++) {
		pte_t *pte = pgtable_find(&mm->pgt, AT(p));

		if (pte_present(pte_read(pte)))
			pte_clear_bits(pte, PTE_A);
	}
	sim_mm_leave(mm); /* or the TLB would remember that they were used */
}

/*
 * More than there is: every page is written, goes out, and comes back as it was. As long as there are pages to take, nobody
 * interrupts other CPUs for what they keep.
 */
static void test_more_than_memory(void **state)
{
	const unsigned long pages = T_FRAMES * 3 / 2;
	unsigned long calls = sim_cross_calls;
	struct mm *mm = *state;

	map(mm, pages);
	fill(mm, pages);
	assert_int_equal(sim_cross_calls, calls);
	assert_true(present(mm, pages) < T_FRAMES);
	assert_true(nr_free_pages() > 0);
	check(mm, pages);
	check(mm, pages);
}

static void test_unused_go_first(void **state)
{
	struct mm *mm = *state;
	unsigned long used = 0;

	map(mm, 400);
	fill(mm, 400);
	make_old(mm, 400);
	for (unsigned long p = 0; p < 400; p += 2)
		(void)sim_peek(mm, AT(p));
	assert_true(try_to_free_pages(0) > 0);
	for (unsigned long p = 0; p < 400; p += 2)
		used += pte_present(sim_pte(mm, AT(p)));
	assert_true(present(mm, 400) < 400);
	assert_int_equal(used, 200);
	check(mm, 400);
}

static void test_locked_stay(void **state)
{
	struct mm *mm = *state;

	sim_caller.ipc_lock = true;
	map(mm, 200);
	fill(mm, 200);
	assert_int_equal(mm_mlock(mm, AT(50), 100 * PG, false), 0);
	make_old(mm, 200);
	for (int i = 0; i < 20; i++)
		(void)try_to_free_pages(0);
	assert_int_equal(present(mm, 200), 100);
	for (unsigned long p = 50; p < 150; p++)
		assert_true(pte_present(sim_pte(mm, AT(p))));
	assert_int_equal(stat_read(NR_UNEVICTABLE), 100);
	assert_int_equal(mm_munlock(mm, AT(50), 100 * PG), 0);
	make_old(mm, 200);
	for (int i = 0; i < 20; i++)
		(void)try_to_free_pages(0);
	assert_int_equal(present(mm, 200), 0);
	check(mm, 200);
}

static void test_nothing_to_take(void **state)
{
	struct mm *mm = *state;
	unsigned long swappiness = knob_swappiness;

	map(mm, 100);
	fill(mm, 100);
	make_old(mm, 100);
	knob_swappiness = 0;
	assert_int_equal(try_to_free_pages(0), 0);
	assert_int_equal(present(mm, 100), 100);
	knob_swappiness = swappiness;
}

static void test_write_errors(void **state)
{
	struct mm *mm = *state;

	map(mm, 100);
	fill(mm, 100);
	make_old(mm, 100);
	sim_block_fail(dev, false, true);
	for (int i = 0; i < 10; i++)
		assert_int_equal(try_to_free_pages(0), 0);
	sim_block_fail(dev, false, false);
	check(mm, 100);
}

static void test_madvise(void **state)
{
	struct mm *mm = *state;

	map(mm, 64);
	fill(mm, 64);
	assert_int_equal(mm_madvise(mm, B, 64 * PG, MADV_COLD), 0);
	assert_int_equal(present(mm, 64), 64);
	assert_int_equal(mm_madvise(mm, B, 64 * PG, MADV_PAGEOUT), 0);
	/* Written the first time, clean and taken the second: the device is as fast as that. */
	assert_int_equal(present(mm, 64), 0);
	check(mm, 64);
	assert_int_equal(mm_madvise(mm, B, 32 * PG, MADV_FREE), 0);
	for (unsigned long p = 0; p < 32; p += 2)
		sim_poke(mm, AT(p), 77);
	assert_int_equal(mm_madvise(mm, B, 64 * PG, MADV_PAGEOUT), 0);
	for (unsigned long p = 0; p < 32; p++)
		assert_int_equal(sim_peek(mm, AT(p)), p % 2 ? 0 : 77);
	for (unsigned long p = 32; p < 64; p++)
		assert_int_equal(sim_peek(mm, AT(p)), byte_of(p));
}

/* A page that comes back is known. */
static void test_refault(void **state)
{
	struct mm *mm = *state;
	unsigned long refaults;

	map(mm, 600);
	fill(mm, 600);
	make_old(mm, 600);
	assert_int_equal(mm_madvise(mm, B, 8 * PG, MADV_PAGEOUT), 0);
	(void)try_to_free_pages(0);
	while (swap_is_cached(pte_to_swp(sim_pte(mm, B))))
		(void)try_to_free_pages(0);
	refaults = stat_read(WORKINGSET_REFAULT_ANON);
	assert_int_equal(sim_peek(mm, AT(0)), byte_of(0));
	assert_true(stat_read(WORKINGSET_REFAULT_ANON) > refaults);
}

static void test_oom_reap(void **state)
{
	struct mm *mm = *state;

	sim_caller.ipc_lock = true;
	map(mm, 100);
	fill(mm, 100);
	assert_int_equal(mm_mlock(mm, B, 50 * PG, false), 0);
	mm_oom_reap(mm);
	assert_int_equal(mm_rss(mm), 0);
	assert_int_equal(stat_read(NR_UNEVICTABLE), 0);
	/* The kernel on the victim's behalf: refused. */
	assert_int_equal(mm_handle_fault(mm, B, FAULT_READ), FAULT_BUS);
}

static void *kernel_reads(void *mm)
{
	enum fault_result r;

	sim_cpu.id = 1;
	r = mm_handle_fault(mm, B, FAULT_READ);
	return (void *)(unsigned long)r;
}

/* The kernel's fault waits for a page to come from swap while its address space is reaped: no zeroes in its place. */
static void test_oom_reap_while_waiting(void **state)
{
	struct mm *mm = *state;
	struct folio *folio;
	pthread_t thread;
	void *result;
	u8 io = 0;

	map(mm, 1);
	fill(mm, 1);
	make_old(mm, 1);
	assert_int_equal(mm_madvise(mm, B, PG, MADV_PAGEOUT), 0);
	folio = swap_cache_read(pte_to_swp(sim_pte(mm, B)), &io);
	folio_lock(folio);
	assert_int_equal(pthread_create(&thread, NULL, kernel_reads, mm), 0);
	while (!folio_test(folio, PG_waiters))
		usleep(1000);
	mm_oom_reap(mm);
	swap_folio_unlock(folio);
	folio_put(folio);
	pthread_join(thread, &result);
	assert_int_equal((unsigned long)result, FAULT_BUS);
}

/* A page of a file is found in the cache, mapped and locked, and perhaps unlocked, before it comes to its list. */
static void test_locked_before_listed(void **state)
{
	(void)state;
	for (unsigned int unlocked = 0; unlocked < 2; unlocked++) {
		struct folio *folio = folio_alloc(GFP_KERNEL, 0);
		unsigned long pages[NR_LRU_LISTS];

		folio_set(folio, PG_swapbacked);
		atomic_set(&folio->mlock_count, 1);
		lru_mlock_now(&folio, 1);
		if (unlocked)
			atomic_set(&folio->mlock_count, 0);
		lru_add(folio);
		assert_int_equal(stat_read(NR_MLOCK), 1);
		assert_int_equal(stat_read(NR_UNEVICTABLE), 1);
		atomic_set(&folio->mlock_count, 0);
		lru_munlock_now(&folio, 1);
		assert_int_equal(stat_read(NR_MLOCK), 0);
		assert_int_equal(stat_read(NR_UNEVICTABLE), 0);
		lru_validate(pages);
		assert_int_equal(pages[LRU_INACTIVE_ANON], 1);
		folio_put(folio);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		R(test_more_than_memory),
		R(test_unused_go_first),
		R(test_locked_stay),
		R(test_nothing_to_take),
		R(test_write_errors),
		R(test_madvise),
		R(test_refault),
		R(test_oom_reap),
		R(test_oom_reap_while_waiting),
		T(test_locked_before_listed),
	};

	sim_boot(T_FRAMES);
	workingset_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
