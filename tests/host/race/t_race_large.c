/* SPDX-License-Identifier: MIT
 *
 * Large folios, of up to 2 MiB, whose pages several threads fault in, unmap, protect, lock, share by fork, split and
 * reclaim at the same time.
 */
#include "large_crew.h"

static void test_huge(void **state)
{
	begin(state, 1UL << PMD_ORDER);
	RUN(mm, changer, toucher, toucher, splitter);
	end();
}

static void test_huge_forks(void **state)
{
	begin(state, 1UL << PMD_ORDER);
	RUN(mm, forker, changer, toucher, splitter);
	end();
}

static void test_all_orders(void **state)
{
	begin(state, 0x3fc);
	RUN(mm, forker, changer, toucher, toucher, splitter);
	end();
}

static void test_reclaim(void **state)
{
	begin(state, 0x3fc);
	RUN(mm, forker, changer, toucher, reclaimer, splitter);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_huge),
		T_MM(test_huge_forks),
		T_MM(test_all_orders),
		T_MM(test_reclaim),
	};

	(void)host_seed();
	sim_boot(16384);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
