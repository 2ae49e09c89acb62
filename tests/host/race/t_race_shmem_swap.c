/* SPDX-License-Identifier: MIT
 *
 * Shared memory in swap: files that come and go, one that stays and is faulted in, cut, advised, collapsed, locked and
 * given other limits, while reclaim takes its pages away and swapoff brings them back. Page n contains OWN(n) or zeroes.
 */
#include "../../../mm/collapse.h"
#include "../../../mm/shmem.h"
#include "owner.h"
#include "../unit/swap_device.h"

#define B 0xe0000000UL
#define PAGES 512UL
#define ROUNDS 60UL

static struct mm *mm;
static struct file *file;
static struct mapping *mapping;
static struct page_quota quota;
static struct block_device *dev;

static void access_once(u64 *x)
{
	unsigned long n = next_random(x) % PAGES;

	access_page(mm, B + n * PG, n, x, false);
}

static void toucher(u64 *x)
{
	while (!is_done())
		access_once(x);
}

/* The device may read the page at the same time: that is what is tested, and no defect. */
__attribute__((no_sanitize("thread"))) static void store_byte(struct folio *folio, unsigned long n)
{
	*(volatile u8 *)folio_byte(folio, n * PG) = OWN(n);
}

static void write_page(struct mapping *m, unsigned long n)
{
	struct folio *folio = filemap_grab_folio(m, n);

	if (IS_ERR(folio)) {
		BUG_ON(PTR_ERR(folio) != -ENOSPC);
		return;
	}
	store_byte(folio, n);
	folio_mark_dirty(folio);
	folio_put(folio);
}

/* Files of which pages are in swap when they end. */
static void filer(u64 *x)
{
	for (unsigned long i = 0; goes_on(i, ROUNDS); i++) {
		unsigned long n = 1 + next_random(x) % 64;
		struct file *f = sim_file(n * PG, true);
		struct mapping *m = sim_file_mapping(f);

		for (unsigned long k = 0; k < n; k++)
			write_page(m, k);
		for (unsigned int k = 0; k < 8; k++) {
			LIST_HEAD(folios);

			if (lru_isolate(LRU_INACTIVE_ANON, 8, &folios))
				(void)reclaim_folios(&folios);
		}
		BUG_ON(shmem_swapped_pages(m, 0, n - 1) > n);
		file_put(f);
	}
}

/* The only one who has the inode's lock. */
static void cutter(u64 *x)
{
	while (!is_done()) {
		unsigned long first = next_random(x) % PAGES;

		if (next_random(x) % 2) {
			filemap_truncate(mapping, first * PG + next_random(x) % 2);
			filemap_truncate(mapping, PAGES * PG);
		} else {
			filemap_punch_hole(mapping, first * PG,
					   min(first + 64, PAGES) * PG - next_random(x) % 2);
		}
		for (unsigned int k = 0; k < 64; k++)
			write_page(mapping, next_random(x) % PAGES);
	}
}

/* Everything that looks at the file, or changes what holds for it, without its lock. */
static void adviser(u64 *x)
{
	const struct collapse_limits any = { ~0u, ~0u, ~0u, GFP_KERNEL | __GFP_NORETRY, true };

	while (!is_done()) {
		unsigned long n = next_random(x) % PAGES, len = 1 + next_random(x) % (PAGES - n);

		switch (next_random(x) % 7) {
		case 0:
			(void)mm_madvise(mm, B + n * PG, len * PG, MADV_WILLNEED);
			break;
		case 1:
			(void)mm_madvise(mm, B + n * PG, len * PG, MADV_PAGEOUT);
			break;
		case 2:
			(void)mm_collapse(mm, B, &any);
			break;
		case 3:
			mapping_set_unevictable(mapping, true);
			host_yield();
			mapping_set_unevictable(mapping, false);
			mapping_rescue(mapping);
			break;
		case 4: /* a remount */
			WRITE_ONCE(quota.max, (long)(PAGES / 2 + next_random(x) % PAGES));
			WRITE_ONCE(knob_thp_shmem,
				   next_random(x) % 2 ? SHMEM_HUGE_ALWAYS : SHMEM_HUGE_NEVER);
			break;
		case 5:
			(void)mm_mlock(mm, B + n * PG, len * PG, next_random(x) % 2);
			(void)mm_munlock(mm, B, PAGES * PG);
			break;
		default:
			BUG_ON(mapping_nr_pages(mapping) > PAGES);
			(void)shmem_swapped_pages(mapping, n, n + len - 1);
		}
		host_yield();
	}
}

static void swapper(u64 *x)
{
	while (!is_done()) {
		int err = swap_area_off(dev);

		BUG_ON(err && err != -ENOMEM);
		host_yield();
		if (!err)
			BUG_ON(swap_area_on(swap_device_name, dev, SWAP_PRIO_NEXT));
		for (unsigned int i = 0; i < 200; i++)
			access_once(x);
	}
}

static void reclaimer(u64 *x)
{
	reclaim_until_done(8, x);
}

static void begin(void **state, unsigned long orders)
{
	mm = *state;
	sim_caller.ipc_lock = true;
	knob_thp_shmem = orders ? SHMEM_HUGE_ALWAYS : SHMEM_HUGE_NEVER;
	knob_thp_shmem_orders = orders;
	dev = swap_device_on(4096);
	file = sim_file(PAGES * PG, true);
	mapping = sim_file_mapping(file);
	quota = (struct page_quota){ .max = PAGES };
	mapping->quota = &quota;
	t_map_file(mm, B, PAGES, RW, MAP_SHARED, file, 0);
}

static void end(void)
{
	(void)mm_munlock(mm, B, PAGES * PG);
	t_validate(mm);
	knob_thp_shmem = SHMEM_HUGE_NEVER;
	assert_int_equal(mm_munmap(mm, B, PAGES * PG), 0);
	file_put(file);
	assert_int_equal(atomic_read(&quota.used), 0);
	assert_int_equal(stat_read(NR_MLOCK), 0);
	assert_int_equal(stat_read(NR_SHMEM), 0);
	assert_int_equal(stat_read(NR_SHMEM_THPS), 0);
	assert_int_equal(stat_read(NR_UNEVICTABLE), 0);
	swap_device_off(dev);
}

static void test_small(void **state)
{
	begin(state, 0);
	RUN(mm, filer, cutter, toucher, adviser, swapper, reclaimer);
	end();
}

static void test_large(void **state)
{
	begin(state, 0x3fc);
	RUN(mm, filer, cutter, toucher, adviser, swapper, reclaimer);
	end();
}

static void test_files(void **state)
{
	begin(state, 0);
	RUN(mm, filer, filer, filer, swapper, adviser, reclaimer);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = { T_MM(test_small), T_MM(test_large), T_MM(test_files) };

	(void)host_seed();
	sim_boot(16384);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
