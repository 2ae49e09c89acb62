/* SPDX-License-Identifier: MIT
 *
 * kcompactd: what it is asked for it makes, it gives up what cannot be had for a while, and it keeps free memory in one
 * piece as far as it is told to.
 */
#include "../../../mm/alloc.h"
#include "t.h"

#include <mm/kcompactd.h>

#define B 0x90000000UL
#define AT(page) (B + (page)*PG)
#define N 14000UL

/* No free memory but every step-th page of what the address space had. */
static void fragment(struct mm *mm, unsigned long step)
{
	t_map(mm, B, N, RW);
	for (unsigned long i = 0; i < N; i++)
		sim_poke(mm, AT(i), (u8)i);
	drain_pcps();
	while (buddy_has_block(PMD_ORDER - 1)) {
		long at = mm_mmap(mm, 0, 1, RW, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0);

		assert_true(at > 0);
		sim_poke(mm, (unsigned long)at, 1);
	}
	for (unsigned long i = 0; i < N; i += step)
		assert_int_equal(mm_madvise(mm, AT(i), PG, MADV_DONTNEED), 0);
	drain_pcps();
	assert_false(buddy_has_block(PMD_ORDER));
}

static void check_contents(struct mm *mm, unsigned long step)
{
	for (unsigned long i = 0; i < N; i++)
		assert_int_equal(sim_peek(mm, AT(i)), i % step ? (u8)i : 0);
	t_validate(mm);
}

static void test_asked(void **state)
{
	struct mm *mm = *state;
	unsigned long wakes = stat_read(KCOMPACTD_WAKE), stalls = stat_read(COMPACTSTALL);

	fragment(mm, 2);
	kcompactd_serve();
	assert_false(buddy_has_block(PMD_ORDER));
	kcompactd_ask(3);
	kcompactd_ask(PMD_ORDER);
	kcompactd_ask(2);
	kcompactd_serve();
	assert_true(buddy_has_block(PMD_ORDER));
	assert_int_equal(stat_read(KCOMPACTD_WAKE), wakes + 1);
	assert_int_equal(stat_read(COMPACTSTALL), stalls);
	assert_true(stat_read(KCOMPACTD_MIGRATE_SCANNED) && stat_read(KCOMPACTD_FREE_SCANNED));
	/* There is one: nothing to do. */
	kcompactd_ask(PMD_ORDER);
	kcompactd_serve();
	assert_int_equal(stat_read(KCOMPACTD_WAKE), wakes + 1);
	check_contents(mm, 2);
}

static void test_in_vain(void **state)
{
	struct mm *mm = *state;
	unsigned long wakes = stat_read(KCOMPACTD_WAKE);

	sim_caller.ipc_lock = true;
	fragment(mm, 4);
	assert_int_equal(mm_mlock(mm, B, N * PG, true), 0);
	knob_compact_unevictable_allowed = 0;
	for (unsigned int i = 0; i < 64; i++) {
		kcompactd_ask(PMD_ORDER);
		kcompactd_serve();
	}
	knob_compact_unevictable_allowed = 1;
	assert_false(buddy_has_block(PMD_ORDER));
	/* 1, 2, 4 ... of them are left out. */
	assert_in_range(stat_read(KCOMPACTD_WAKE) - wakes, 4, 8);
}

static void test_looks(void **state)
{
	struct mm *mm = *state;
	unsigned long wakes = stat_read(KCOMPACTD_WAKE);

	fragment(mm, 2);
	assert_true(fragmentation(PMD_ORDER) > 95);
	knob_compaction_proactiveness = 0;
	assert_false(kcompactd_watches());
	/* All may be in small blocks. */
	kcompactd_look();
	assert_int_equal(stat_read(KCOMPACTD_WAKE), wakes);
	knob_compaction_proactiveness = 60;
	kcompactd_watch();
	assert_true(kcompactd_watches());
	kcompactd_look();
	assert_int_equal(stat_read(KCOMPACTD_WAKE), wakes + 1);
	assert_in_range(fragmentation(PMD_ORDER), 0, 40);
	/* Between the two marks it lets be. */
	kcompactd_look();
	assert_int_equal(stat_read(KCOMPACTD_WAKE), wakes + 1);
	knob_compaction_proactiveness = 20;
	check_contents(mm, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_asked),
		T_MM(test_in_vain),
		T_MM(test_looks),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
