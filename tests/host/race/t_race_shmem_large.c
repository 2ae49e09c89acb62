/* SPDX-License-Identifier: MIT
 *
 * Large folios of a shared file that several threads fault in through two mappings and in a child, look up, lock, split,
 * reclaim, collapse, cut by truncation and holes, at the same time. Page n contains OWN(n) or zeroes; its private copy
 * OTHER(n), too.
 */
#include "../../../mm/collapse.h"
#include "../../../mm/large.h"
#include "owner.h"
#include "../unit/migrate_now.h"
#include "../unit/swap_device.h"

#define SHARED 0xe0000000UL
#define PRIVATE 0xe8000000UL
#define PAGES 1024UL /* two blocks of 2 MiB */
#define ROUNDS 60UL

static struct mm *mm;
static struct file *file;
static struct mapping *mapping;

static void access_once(struct mm *of, u64 *x)
{
	unsigned long n = next_random(x) % PAGES;
	bool private = next_random(x) % 2;
	enum fault_access access = next_random(x) % 2 ? FAULT_WRITE : FAULT_READ;
	u8 byte = private ? OTHER(n) : OWN(n);
	enum fault_result r = sim_access(
		of, (private ? PRIVATE : SHARED) + n * PG + next_random(x) % PG, access, &byte);

	BUG_ON(r != FAULT_DONE && r != FAULT_BUS && r != FAULT_ACCERR);
	if (r == FAULT_DONE)
		check_byte(n, byte, private);
}

static void toucher(u64 *x)
{
	while (!is_done())
		access_once(mm, x);
}

/* The only one who has the inode's lock. */
static void cutter(u64 *x)
{
	for (unsigned long i = 0; goes_on(i, ROUNDS); i++) {
		u64 first = next_random(x) % PAGES, n = 1 + next_random(x) % (PAGES - first);

		if (next_random(x) % 2) {
			filemap_truncate(mapping, first * PG);
			host_yield();
			filemap_truncate(mapping, PAGES * PG);
		} else {
			filemap_punch_hole(mapping, first * PG, (first + n) * PG);
		}
		for (unsigned int k = 0; k < 20; k++)
			access_once(mm, x);
	}
}

static void locker(u64 *x)
{
	for (unsigned long i = 0; i < ROUNDS && !is_done(); i++) {
		unsigned long n = next_random(x) % PAGES, len = 1 + next_random(x) % (PAGES - n);
		unsigned long va = SHARED + n * PG;

		switch (next_random(x) % 4) {
		case 0:
			(void)mm_mlock(mm, va, len * PG, true);
			break;
		case 1:
			(void)mm_munlock(mm, SHARED, PAGES * PG);
			break;
		case 2:
			(void)mm_mprotect(mm, va, len * PG, next_random(x) % 3 ? RW : PROT_READ);
			break;
		default:
			(void)mm_madvise(mm, va, len * PG,
					 next_random(x) % 2 ? MADV_PAGEOUT : MADV_DONTNEED);
		}
	}
}

static void forker(u64 *x)
{
	for (unsigned long i = 0; i < ROUNDS / 4 && !is_done(); i++) {
		struct mm *child = mm_fork(mm);

		BUG_ON(IS_ERR(child));
		for (unsigned int k = 0; k < 30; k++)
			access_once(child, x);
		child_leave(child);
	}
}

/* As read(2) does it: while others write through their page tables. */
__attribute__((no_sanitize("thread"))) static u8 byte_of(const struct folio *folio, unsigned long n)
{
	return *(volatile u8 *)folio_byte(folio, n * PG);
}

/* Whoever has a reference sees the same page in the same place, with its contents. */
static void finder(u64 *x)
{
	while (!is_done()) {
		unsigned long n = next_random(x) % PAGES;
		struct folio *folio = next_random(x) % 4 ? filemap_get_folio(mapping, n)
							 : filemap_new_large(mapping, n, 0);

		if (!folio || IS_ERR(folio))
			continue;
		BUG_ON(n - folio->index >= folio_nr_pages(folio));
		check_byte(n, byte_of(folio, n), false);
		host_yield();
		BUG_ON(n - folio->index >= folio_nr_pages(folio));
		if (next_random(x) % 8 == 0)
			(void)migrate_now(folio, MIGRATE_ASYNC);
		folio_put(folio);
	}
}

static void splitter(u64 *x)
{
	while (!is_done()) {
		unsigned long n = next_random(x) % PAGES;

		if (next_random(x) % 2)
			filemap_split_folios(mapping, n, n + 1);
		else
			mm_split_folios(mm, SHARED + n * PG, SHARED + (n + 1) * PG);
		host_yield();
	}
}

static void reclaimer(u64 *x)
{
	reclaim_until_done(2, x);
}

static atomic_long_t collapsed;

static void collapser(u64 *x)
{
	struct collapse_limits any = { ~0u, ~0u, ~0u, GFP_KERNEL | __GFP_NORETRY, false };

	while (!is_done()) {
		unsigned long va = next_random(x) % 4 ? SHARED : PRIVATE;
		int err;

		any.lazy = next_random(x) % 2;
		err = mm_collapse(mm, va + next_random(x) % 2 * PMD_SIZE, &any);
		BUG_ON(err != 0 && err != COLLAPSE_NOTHING_TO_DO && err != -EINVAL &&
		       err != -EAGAIN && err != -ENOMEM);
		if (err == 0)
			atomic_inc(&collapsed);
		host_yield();
	}
}

static struct block_device *dev;

static void begin(void **state, unsigned long orders)
{
	mm = *state;
	sim_caller.ipc_lock = true;
	knob_thp_shmem = SHMEM_HUGE_ALWAYS;
	knob_thp_shmem_orders = orders;
	dev = swap_device_on(8192);
	file = sim_file(PAGES * PG, true);
	mapping = sim_file_mapping(file);
	t_map_file(mm, SHARED, PAGES, RW, MAP_SHARED, file, 0);
	t_map_file(mm, PRIVATE, PAGES, RW, MAP_PRIVATE, file, 0);
}

static void end(void)
{
	t_validate(mm);
	knob_thp_shmem = SHMEM_HUGE_NEVER;
	assert_int_equal(mm_munmap(mm, SHARED, PAGES * PG), 0);
	assert_int_equal(mm_munmap(mm, PRIVATE, PAGES * PG), 0);
	file_put(file);
	assert_int_equal(stat_read(NR_MLOCK), 0);
	assert_int_equal(stat_read(NR_SHMEM), 0);
	assert_int_equal(stat_read(NR_SHMEM_THPS), 0);
	assert_int_equal(stat_read(NR_SHMEM_PMDMAPPED), 0);
	swap_device_off(dev);
}

static void test_cut(void **state)
{
	begin(state, 1UL << PMD_ORDER);
	RUN(mm, cutter, toucher, toucher, finder, splitter);
	end();
}

static void test_cut_all_orders(void **state)
{
	begin(state, 0x3fc);
	RUN(mm, cutter, toucher, locker, forker, splitter);
	end();
}

static void test_reclaim(void **state)
{
	begin(state, 0x3fc);
	RUN(mm, cutter, toucher, locker, finder, reclaimer);
	end();
}

/* Small pages become large ones while others fault, cut and write. */
static void test_collapse(void **state)
{
	begin(state, 1UL << 2);
	RUN(mm, cutter, toucher, toucher, collapser, collapser);
	end();
}

static void test_collapse_locked(void **state)
{
	begin(state, 0);
	RUN(mm, cutter, toucher, locker, forker, collapser, splitter);
	end();
}

static void test_collapse_reclaim(void **state)
{
	begin(state, 0x3fc);
	RUN(mm, cutter, toucher, locker, collapser, finder, reclaimer);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_cut),	     T_MM(test_cut_all_orders),	 T_MM(test_reclaim),
		T_MM(test_collapse), T_MM(test_collapse_locked), T_MM(test_collapse_reclaim),
	};

	(void)host_seed();
	sim_boot(16384);
	return cmocka_run_group_tests(tests, NULL, NULL) || !atomic_read(&collapsed);
}
