/* SPDX-License-Identifier: MIT
 *
 * Pages of tmpfs in swap.
 */
#include "../../../mm/shmem.h"
#include "swap_setup.h"

#include <pthread.h>

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

/* A page that is only read ahead cannot be read: who wants another one does not notice. */
static void test_shmem_neighbour_error(void **state)
{
	struct file *f = sim_file(8 * PG, true);
	struct mapping *m = sim_file_mapping(f);
	struct folio *folio;

	(void)state;
	for (unsigned long p = 0; p < 8; p++) {
		folio = filemap_grab_folio(m, p);
		*(u8 *)folio_address(folio) = (u8)(p + 1);
		folio_mark_dirty(folio);
		folio_put(folio);
		shmem_out(f, p);
	}
	sim_block_fail_page(swap_dev, swp_offset(value_to_swp(xa_load(&m->folios, 4))));
	for (unsigned long p = 0; p < 8; p++) {
		folio = filemap_get_folio(m, p);
		if (p == 4) {
			assert_int_equal(PTR_ERR(folio), -EIO);
			continue;
		}
		assert_false(IS_ERR(folio));
		assert_int_equal(*(u8 *)folio_address(folio), p + 1);
		folio_put(folio);
	}
	sim_block_fail_page(swap_dev, 0);
	file_put(f);
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

/* ---- the visit of all slots beside swapoff ---- */

#define NR_FILES 32
#define ROUNDS 3000

static bool swapoffs_done;

/* What swapoff of an area does in which no file has a page. */
static void *bring_nothing_back(void *unused)
{
	sim_cpu.id = 1;
	for (unsigned int i = 0; i < ROUNDS; i++)
		BUG_ON(shmem_bring_back(SWAP_MAX_AREAS - 1));
	__atomic_store_n(&swapoffs_done, true, __ATOMIC_RELEASE);
	return unused;
}

static void count_slot(void *arg, swp_entry_t swp)
{
	(void)swp;
	++*(unsigned int *)arg;
}

/* Files that swapoff has been through are among those that are visited. */
static void test_visit_beside_swapoff(void **state)
{
	struct file *files[NR_FILES];
	pthread_t thread;

	(void)state;
	for (unsigned int i = 0; i < NR_FILES; i++) {
		struct folio *folio;

		files[i] = sim_file(PG, true);
		folio = filemap_grab_folio(sim_file_mapping(files[i]), 0);
		folio_mark_dirty(folio);
		folio_put(folio);
		shmem_out(files[i], 0);
	}
	swapoffs_done = false;
	assert_int_equal(pthread_create(&thread, NULL, bring_nothing_back, NULL), 0);
	while (!__atomic_load_n(&swapoffs_done, __ATOMIC_ACQUIRE)) {
		unsigned int slots = 0;

		shmem_for_each_slot(count_slot, &slots);
		assert_int_equal(slots, NR_FILES);
	}
	pthread_join(thread, NULL);
	for (unsigned int i = 0; i < NR_FILES; i++)
		file_put(files[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		S_MM(test_shmem),
		S_MM(test_shmem_neighbour_error),
		S_MM(test_shmem_swapoff),
		S_MM(test_visit_beside_swapoff),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests_name("swap_shmem", tests, NULL, NULL);
}
