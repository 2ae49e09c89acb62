/* SPDX-License-Identifier: MIT
 *
 * memory_validate(): silent when everything is right, and not when one number is wrong.
 */
#include "swap_device.h"

#include <mm/stats.h>
#include <pthread.h>
#include <unistd.h>

#define B 0x10000000UL
#define AT(page) (B + (page)*PG)

static char what[160];

static void all_right(void)
{
	int err = memory_validate(what, sizeof(what));

	if (err)
		fail_msg("%d: %s", err, what);
}

static void complains_of(const char *about)
{
	assert_int_equal(memory_validate(what, sizeof(what)), -EINVAL);
	if (!strstr(what, about))
		fail_msg("\"%s\" is not about %s", what, about);
}

/* Private and shared pages, some locked, some in swap, mapped by two address spaces. */
static struct mm *populate(struct mm *mm)
{
	struct mm *child;

	t_map(mm, AT(0), 16, RW);
	assert_true(mm_mmap(mm, AT(32), 16 * PG, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, NULL,
			    0) > 0);
	for (unsigned int i = 0; i < 16; i++) {
		sim_poke(mm, AT(i), (u8)i);
		sim_poke(mm, AT(32 + i), (u8)i);
	}
	assert_int_equal(mm_mlock(mm, AT(4), 4 * PG, false), 0);
	assert_int_equal(mm_mlock(mm, AT(36), 4 * PG, false), 0);
	child = mm_fork(mm);
	assert_int_equal(mm_mlock(child, AT(38), 4 * PG, false), 0);
	assert_int_equal(mm_madvise(mm, AT(32), 4 * PG, MADV_PAGEOUT), 0);
	sim_poke(child, AT(8), 1);
	assert_int_equal(mm_madvise(child, AT(8), PG, MADV_PAGEOUT), 0);
	return child;
}

static struct folio *folio_at(struct mm *mm, unsigned long va)
{
	assert_true(pte_present(sim_pte(mm, va)));
	return pfn_folio(pte_pfn(sim_pte(mm, va)));
}

static void test_right(void **state)
{
	struct block_device *dev = swap_device_on(256);
	struct mm *mm = *state, *child;

	all_right();
	child = populate(mm);
	all_right();
	sim_mm_put(child);
	all_right();
	assert_int_equal(mm_munmap(mm, B, 64 * PG), 0);
	all_right();
	swap_device_off(dev);
	all_right();
}

static void test_wrong(void **state)
{
	struct block_device *dev = swap_device_on(256);
	struct mm *mm = *state, *child = populate(mm);
	struct folio *locked = folio_at(mm, AT(5)), *plain = folio_at(mm, AT(1));

	atomic_inc(&locked->mlock_count);
	complains_of("mlock_count 2");
	atomic_dec(&locked->mlock_count);
	atomic_inc(&plain->mapcount);
	complains_of("mapcount 3");
	atomic_dec(&plain->mapcount);
	folio_set(plain, PG_mlocked);
	complains_of("not locked");
	folio_clear(plain, PG_mlocked);
	folio_clear(locked, PG_unevictable);
	complains_of("it is locked");
	folio_set(locked, PG_unevictable);
	stat_inc(NR_MLOCK);
	complains_of("nr_mlock");
	stat_add(NR_MLOCK, -1);
	stat_inc(NR_INACTIVE_ANON);
	complains_of("nr_inactive_anon");
	stat_add(NR_INACTIVE_ANON, -1);
	stat_inc(NR_SHMEM);
	complains_of("nr_shmem");
	stat_add(NR_SHMEM, -1);
	stat_inc(NR_FILE_DIRTY);
	complains_of("nr_dirty");
	stat_add(NR_FILE_DIRTY, -1);
	stat_inc(NR_FILE_PAGES);
	complains_of("nr_file_pages");
	stat_add(NR_FILE_PAGES, -1);
	assert_true(pte_has_slot(sim_pte(child, AT(8))));
	swap_slot_dup(pte_to_swp(sim_pte(child, AT(8))));
	complains_of("swap slot");
	swap_slot_put(pte_to_swp(sim_pte(child, AT(8))));
	all_right();
	sim_mm_put(child);
	assert_int_equal(mm_munmap(mm, B, 64 * PG), 0);
	swap_device_off(dev);
}

static void *come_back(void *mm)
{
	usleep(400000);
	atomic_set(&((struct mm *)mm)->users, 1);
	return NULL;
}

/* An address space without a user is about to end: it is not visited, and what it maps does not agree until it is over. */
static void test_ending(void **state)
{
	struct block_device *dev = swap_device_on(256);
	struct mm *mm = *state, *child = populate(mm);
	pthread_t thread;

	atomic_set(&child->users, 0);
	assert_int_equal(pthread_create(&thread, NULL, come_back, child), 0);
	all_right();
	assert_int_equal(pthread_join(thread, NULL), 0);
	sim_mm_put(child);
	assert_int_equal(mm_munmap(mm, B, 64 * PG), 0);
	swap_device_off(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = { T_MM(test_right), T_MM(test_wrong), T_MM(test_ending) };

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
