/* SPDX-License-Identifier: MIT
 *
 * mprotect: errno, partial effect up to a hole, entries and TLB after every change of rights.
 */
#include "t.h"

#define B 0x50000000UL
#define AT(page) (B + (page)*PG)

static void test_errors(void **state)
{
	struct mm *mm = *state;

	t_map(mm, AT(0), 4, RW);
	assert_int_equal(mm_mprotect(mm, AT(0) + 1, PG, RW), -EINVAL);
	assert_int_equal(mm_mprotect(mm, AT(0), 0, 0x7777), 0);
	assert_int_equal(mm_mprotect(mm, AT(0), PG, 0x10), -EINVAL);
	assert_int_equal(mm_mprotect(mm, AT(0), PG, RW | PROT_SEM), 0);
	assert_int_equal(mm_mprotect(mm, AT(0), ~0UL & PAGE_MASK, RW), -ENOMEM);
	assert_int_equal(mm_mprotect(mm, AT(0), ~0UL, RW), -ENOMEM);
	assert_int_equal(mm_mprotect(mm, AT(8), PG, RW), -ENOMEM);
	assert_int_equal(mm_mprotect(mm, AT(-1UL), 2 * PG, RW), -ENOMEM);
	assert_int_equal(mm_mprotect(mm, AT(0), PG, RW | PROT_GROWSDOWN), -EINVAL);
	assert_int_equal(mm_mprotect(mm, AT(0), PG, RW | PROT_GROWSUP), -EINVAL);
	assert_int_equal(mm_mprotect(mm, AT(0), PG, RW | PROT_GROWSUP | PROT_GROWSDOWN), -EINVAL);
	assert_string_equal(t_layout(mm, B), "0-4:rw");
}

static void test_partial(void **state)
{
	struct mm *mm = *state;

	t_map(mm, AT(0), 4, RW);
	t_map(mm, AT(6), 2, RW);
	assert_int_equal(mm_mprotect(mm, AT(2), 6 * PG, PROT_READ), -ENOMEM);
	assert_string_equal(t_layout(mm, B), "0-2:rw 2-4:r 6-8:rw");
}

static void test_read_only_file(void **state)
{
	struct mm *mm = *state;
	struct file *f = sim_file(4 * PG, false);

	t_map_file(mm, AT(0), 4, PROT_READ, MAP_SHARED, f, 0);
	t_map_file(mm, AT(4), 4, PROT_READ, MAP_PRIVATE, f, 0);
	assert_int_equal(mm_mprotect(mm, AT(0), PG, RW), -EACCES);
	assert_int_equal(mm_mprotect(mm, AT(4), 4 * PG, RW), 0);
	sim_poke(mm, AT(4), 1);
	assert_int_equal(sim_touch(mm, AT(0), FAULT_WRITE), FAULT_ACCERR);
	assert_int_equal(sim_peek(mm, AT(0)), 0);
	file_put(f);
}

/*
 * From every right to every other, with the page present and cached in the TLB: the new rights
 * hold at once.
 */
static void test_all_changes(void **state)
{
	struct mm *mm = *state;

	for (unsigned int shared = 0; shared < 2; shared++)
		for (unsigned long from = 0; from < 8; from++)
			for (unsigned long to = 0; to < 8; to++) {
				unsigned long flags = MAP_ANONYMOUS | MAP_FIXED |
						      (shared ? MAP_SHARED : MAP_PRIVATE);

				assert_int_equal(mm_mmap(mm, AT(0), PG, RW, flags, NULL, 0), AT(0));
				sim_poke(mm, AT(0), 0x5a);
				assert_int_equal(mm_mprotect(mm, AT(0), PG, from), 0);
				sim_touch(mm, AT(0), FAULT_READ);
				sim_touch(mm, AT(0), FAULT_WRITE);
				sim_touch(mm, AT(0), FAULT_EXEC);
				assert_int_equal(mm_mprotect(mm, AT(0), PG, to), 0);
				t_validate(mm);
				assert_int_equal(sim_touch(mm, AT(0), FAULT_READ),
						 to ? FAULT_DONE : FAULT_ACCERR);
				assert_int_equal(sim_touch(mm, AT(0), FAULT_WRITE),
						 to & PROT_WRITE ? FAULT_DONE : FAULT_ACCERR);
				assert_int_equal(sim_touch(mm, AT(0), FAULT_EXEC),
						 to & PROT_EXEC ? FAULT_DONE : FAULT_ACCERR);
				if (to)
					assert_int_equal(sim_peek(mm, AT(0)), 0x5a);
			}
}

/* The zero page never becomes writable. */
static void test_zero_page(void **state)
{
	struct mm *mm = *state;

	t_map(mm, AT(0), 2, PROT_READ);
	assert_int_equal(sim_peek(mm, AT(0)), 0);
	assert_int_equal(mm_mprotect(mm, AT(0), 2 * PG, RW), 0);
	sim_poke(mm, AT(0), 1);
	assert_int_equal(sim_peek(mm, AT(1)), 0);
	assert_int_equal(*(u8 *)page_address(zero_page_frame), 0);
}

static void test_grows_down(void **state)
{
	struct mm *mm = *state;
	const unsigned long top = AT(1000);

	assert_int_equal(mm_setup_stack(mm, top, 8 * PG, RW), 0);
	assert_int_equal(
		mm_mprotect(mm, top - PG, PG, PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN),
		0);
	assert_string_equal(t_layout(mm, top), "-8-0:rwx");
}

/* Dirty and accessed survive a change of rights. */
static void test_bits_survive(void **state)
{
	struct mm *mm = *state;
	struct file *f = sim_file(2 * PG, true);

	t_map_file(mm, AT(0), 2, RW, MAP_SHARED, f, 0);
	sim_poke(mm, AT(0), 1);
	assert_true(pte_dirty(sim_pte(mm, AT(0))));
	assert_int_equal(mm_mprotect(mm, AT(0), 2 * PG, PROT_NONE), 0);
	assert_true(pte_present(sim_pte(mm, AT(0))));
	assert_true(pte_dirty(sim_pte(mm, AT(0))));
	assert_int_equal(mm_mprotect(mm, AT(0), 2 * PG, PROT_READ), 0);
	assert_true(pte_dirty(sim_pte(mm, AT(0))) && pte_young(sim_pte(mm, AT(0))));
	assert_int_equal(mm_munmap(mm, AT(0), 2 * PG), 0);
	{
		struct folio *folio = filemap_get_folio(sim_file_mapping(f), 0);

		assert_true(folio_test(folio, PG_dirty));
		folio_put(folio);
	}
	file_put(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_errors),	 T_MM(test_partial),   T_MM(test_read_only_file),
		T_MM(test_all_changes),	 T_MM(test_zero_page), T_MM(test_grows_down),
		T_MM(test_bits_survive),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
