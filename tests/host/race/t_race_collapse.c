/* SPDX-License-Identifier: MIT
 *
 * Collapse beside faults, munmap, fork, mlock and munlock, MADV_DONTNEED, splitting, migration and reclaim: asked for by
 * several threads at once, and by khugepaged.
 */
#include "../../../mm/collapse.h"
#include "large_crew.h"
#include "mover.h"

static atomic_long_t collapsed;

static void collapser(u64 *x)
{
	const struct collapse_limits any = { ~0u, ~0u, ~0u, GFP_KERNEL | __GFP_NORETRY, false };

	while (!is_done()) {
		bool advice = next_random(x) % 4 == 0;
		int err = advice ? mm_madvise(mm, B, WINDOW * PG, MADV_COLLAPSE)
				 : mm_collapse(mm, AT(next_random(x) % 2 * 512), &any);

		BUG_ON(err != 0 && err != COLLAPSE_NOTHING_TO_DO && err != -EINVAL &&
		       err != -EAGAIN && err != -ENOMEM);
		if (err == 0)
			atomic_inc(&collapsed);
		host_yield();
	}
}

/* There is only one. */
static void khugepaged(u64 *x)
{
	while (!is_done()) {
		(void)next_random(x);
		(void)khugepaged_scan();
		host_yield();
	}
}

static void test_faults(void **state)
{
	begin(state, 1UL << PMD_ORDER);
	RUN(mm, changer, toucher, toucher, collapser, collapser);
	end();
}

/* Folios of 16 to 64 KiB come by faults, and become 2 MiB. */
static void test_small_ones(void **state)
{
	begin(state, 0x1c | 1UL << PMD_ORDER);
	RUN(mm, changer, toucher, collapser, khugepaged, splitter);
	end();
}

static void test_forks(void **state)
{
	begin(state, 1UL << PMD_ORDER);
	RUN(mm, forker, changer, toucher, collapser, khugepaged, splitter);
	end();
}

static void test_migration(void **state)
{
	begin(state, 1UL << PMD_ORDER | 1UL << THP_MIN_ORDER);
	RUN(mm, forker, changer, toucher, collapser, mover, splitter);
	end();
}

static void test_reclaim(void **state)
{
	begin(state, 1UL << PMD_ORDER);
	RUN(mm, forker, changer, toucher, collapser, khugepaged, reclaimer);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_faults),    T_MM(test_small_ones), T_MM(test_forks),
		T_MM(test_migration), T_MM(test_reclaim),
	};

	(void)host_seed();
	sim_boot(16384);
	return cmocka_run_group_tests(tests, NULL, NULL) || !atomic_read(&collapsed);
}
