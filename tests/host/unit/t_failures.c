/* SPDX-License-Identifier: MIT
 *
 * Every error path: each operation runs with the first, second, third ... allocation at each site
 * failing, until it succeeds. After each failure every invariant holds, the program's data is as
 * it was, and the errno is the right one. What leaks shows at tear-down.
 */
#include "t.h"

#include <sync/rcu.h>

#define B 0xc0000000UL
#define AT(page) (B + (page)*PG)

static struct mm *mm;
static struct file *file;

/* Areas of every kind, with pages, at both sides of a table's edge. */
static int setup(void **state)
{
	t_mm_setup(state);
	mm = *state;
	mm->start_brk = AT(1000);
	mm->brk = AT(1000);
	file = sim_file(64 * PG, true);
	t_map(mm, AT(0), 8, RW);
	t_map_file(mm, AT(16), 8, RW, MAP_SHARED, file, 0);
	t_map_file(mm, AT(24), 8, RW, MAP_PRIVATE, file, 0);
	t_map(mm, AT(508), 8, RW);
	for (unsigned long i = 0; i < 8; i += 2) {
		sim_poke(mm, AT(i), 1);
		sim_poke(mm, AT(16 + i), 2);
		sim_poke(mm, AT(24 + i), 3);
		sim_poke(mm, AT(508 + i), 4);
	}
	return 0;
}

static int teardown(void **state)
{
	file_put(file);
	return t_mm_teardown(state);
}

static void check_data(void)
{
	t_validate(mm);
	for (unsigned long i = 0; i < 8; i += 2) {
		assert_int_equal(sim_peek(mm, AT(i)), 1);
		assert_int_equal(sim_peek(mm, AT(16 + i)), 2);
		assert_int_equal(sim_peek(mm, AT(24 + i)), 3);
		assert_int_equal(sim_peek(mm, AT(508 + i)), 4);
	}
}

/*
 * Runs op, which returns 0, or the error when it failed, under every single failure of every
 * site. undo puts things back after each try. Returns how often op failed.
 */
static unsigned int under_failures(long (*op)(void), void (*undo)(void), long expect)
{
	unsigned int failures = 0;

	for (enum fail_site site = 0; site < NR_FAIL_SITES; site++) {
		for (unsigned long nth = 1;; nth++) {
			long err;
			bool fired;

			mm_free_spares();
			rcu_barrier();
			slab_shrink();
			pgtable_drain();
			fail_at(site, nth);
			err = op();
			fired = !fail_armed;
			fail_at(site, 0);
			check_data();
			undo();
			check_data();
			if (!fired)
				break;
			/*
			 * A failure may be survived: with less done at a time, or by doing
			 * without.
			 */
			if (!err)
				continue;
			if (err != expect)
				fail_msg("site %d, failure %lu: %ld, should be %ld", (int)site, nth,
					 err, expect);
			failures++;
			assert_true(nth < 200);
		}
	}
	return failures;
}

static void unmap_new(void)
{
	assert_int_equal(mm_munmap(mm, AT(40), 40 * PG), 0);
}

static long op_mmap(void)
{
	long r = mm_mmap(mm, AT(40), 4 * PG, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);

	return r < 0 ? r : 0;
}

static long op_mmap_shared(void)
{
	long r = mm_mmap(mm, AT(40), 4 * PG, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);

	return r < 0 ? r : 0;
}

static long op_mmap_file(void)
{
	long r = mm_mmap(mm, AT(40), 4 * PG, RW, MAP_SHARED | MAP_FIXED, file, 32);

	return r < 0 ? r : 0;
}

/* Population that fails is no error of mmap. */
static long op_mmap_populate(void)
{
	long r = mm_mmap(mm, AT(40), 4 * PG, RW,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, NULL, 0);

	return r < 0 ? r : 0;
}

static void test_mmap(void **state)
{
	(void)state;
	assert_true(under_failures(op_mmap, unmap_new, -ENOMEM) >= 2);
	assert_true(under_failures(op_mmap_shared, unmap_new, -ENOMEM) >= 3);
	assert_true(under_failures(op_mmap_file, unmap_new, -ENOMEM) >= 2);
	assert_true(under_failures(op_mmap_populate, unmap_new, -ENOMEM) >= 2);
}

static void test_mmap_over(void **state)
{
	(void)state;
	for (unsigned long nth = 1; nth < 20; nth++) {
		long r;

		assert_int_equal(op_mmap(), 0);
		fail_at(nth % 2 ? FAIL_VMA_ALLOC : FAIL_KMALLOC, (nth + 1) / 2);
		r = mm_mmap(mm, AT(41), 2 * PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			    NULL, 0);
		fail_at(FAIL_VMA_ALLOC, 0);
		assert_true(r == (long)AT(41) || r == -ENOMEM);
		check_data();
		unmap_new();
	}
}

static long op_munmap_middle(void)
{
	return mm_munmap(mm, AT(3), PG);
}

static void restore_middle(void)
{
	t_map(mm, AT(3), 1, RW);
	assert_int_equal(mm->map_count, 4);
}

static void test_munmap(void **state)
{
	(void)state;
	assert_true(under_failures(op_munmap_middle, restore_middle, -ENOMEM) >= 2);
}

static long op_mprotect_middle(void)
{
	return mm_mprotect(mm, AT(2), 4 * PG, PROT_READ);
}

static void mprotect_back(void)
{
	assert_int_equal(mm_mprotect(mm, AT(0), 8 * PG, RW), 0);
}

static void test_mprotect(void **state)
{
	(void)state;
	assert_true(under_failures(op_mprotect_middle, mprotect_back, -ENOMEM) >= 3);
}

static long op_madvise(void)
{
	return mm_madvise(mm, AT(2), 4 * PG, MADV_DONTFORK);
}

static void madvise_back(void)
{
	assert_int_equal(mm_madvise(mm, AT(0), 8 * PG, MADV_DOFORK), 0);
}

static void test_madvise(void **state)
{
	(void)state;
	assert_true(under_failures(op_madvise, madvise_back, -EAGAIN) >= 3);
}

static long remap_result(long r)
{
	return r < 0 ? r : 0;
}

static long op_mremap_move(void)
{
	return remap_result(
		mm_mremap(mm, AT(508), 8 * PG, 8 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(1530)));
}

static void mremap_back(void)
{
	assert_int_equal(
		mm_mremap(mm, AT(1530), 8 * PG, 8 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(508)),
		AT(508));
}

/* On success the data is elsewhere: put it back inside the operation. */
static long op_mremap_there_and_back(void)
{
	long err = op_mremap_move();

	fail_at(FAIL_VMA_ALLOC, 0);
	if (!err)
		mremap_back();
	return err;
}

static void test_mremap(void **state)
{
	(void)state;
	/* fail_armed is reset by the operation itself, so count and stop by hand */
	for (enum fail_site site = 0; site < NR_FAIL_SITES; site++) {
		for (unsigned long nth = 1; nth <= 10; nth++) {
			long err;

			mm_free_spares();
			rcu_barrier();
			slab_shrink();
			pgtable_drain();
			fail_at(site, nth);
			err = op_mremap_there_and_back();
			assert_true(err == 0 || err == -ENOMEM);
			check_data();
		}
	}
}

static long op_brk(void)
{
	return mm_brk(mm, AT(1004)) == AT(1004) ? 0 : -ENOMEM;
}

static void brk_back(void)
{
	assert_int_equal(mm_brk(mm, AT(1000)), AT(1000));
}

static void test_brk(void **state)
{
	(void)state;
	assert_true(under_failures(op_brk, brk_back, -ENOMEM) >= 2);
}

static struct mm *child;

static long op_fork(void)
{
	child = mm_fork(mm);
	return IS_ERR(child) ? PTR_ERR(child) : 0;
}

static void end_child(void)
{
	if (IS_ERR(child))
		return;
	t_validate(child);
	for (unsigned long i = 0; i < 8; i += 2) {
		assert_int_equal(sim_peek(child, AT(i)), 1);
		assert_int_equal(sim_peek(child, AT(24 + i)), 3);
	}
	sim_mm_put(child);
}

static void test_fork(void **state)
{
	(void)state;
	/* mm, 4 vmas, root and tables: each can fail */
	assert_true(under_failures(op_fork, end_child, -ENOMEM) >= 10);
}

static long op_create(void)
{
	child = mm_create(true);
	return child ? 0 : -ENOMEM;
}

static void end_created(void)
{
	if (child)
		mm_put(child);
}

static void test_create(void **state)
{
	(void)state;
	assert_true(under_failures(op_create, end_created, -ENOMEM) >= 3);
}

static enum fault_result touched;
static unsigned long touch_va;
static enum fault_access touch_access;

static long op_touch(void)
{
	touched = sim_touch(mm, touch_va, touch_access);
	assert_true(touched == FAULT_DONE || touched == FAULT_OOM);
	return touched == FAULT_OOM ? -ENOMEM : 0;
}

static void drop_pages(void)
{
	assert_int_equal(mm_munmap(mm, AT(600), 2 * PG), 0);
	assert_int_equal(mm_munmap(mm, AT(1200), 2 * PG), 0);
	filemap_punch_hole(sim_file_mapping(file), 40 * PG, 50 * PG);
	t_map(mm, AT(600), 2, RW);
	t_map_file(mm, AT(1200), 1, RW, MAP_SHARED, file, 40);
	t_map_file(mm, AT(1201), 1, RW, MAP_PRIVATE, file, 41);
}

static void test_faults(void **state)
{
	/*
	 * What a read and a write need at least: page, table (at both sites), file page, cache
	 * node.
	 */
	static const struct {
		unsigned long va;
		unsigned int read, write;
	} rows[] = { { AT(600), 0, 1 }, { AT(1200), 3, 3 }, { AT(1201), 3, 4 } };

	(void)state;
	/* With the vma's lock alone a fault that fails begins again, and one failure is not seen. */
	knob_fault_lock = 0;
	drop_pages();
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		touch_va = rows[i].va;
		touch_access = FAULT_READ;
		assert_true(under_failures(op_touch, drop_pages, -ENOMEM) >= rows[i].read);
		touch_access = FAULT_WRITE;
		assert_true(under_failures(op_touch, drop_pages, -ENOMEM) >= rows[i].write);
	}
	knob_fault_lock = 1;
}

static long op_cow(void)
{
	u8 byte = 1;
	enum fault_result r = sim_write(mm, AT(0), &byte, 1);

	assert_true(r == FAULT_DONE || r == FAULT_OOM);
	return r == FAULT_OOM ? -ENOMEM : 0;
}

static void fork_again(void)
{
	sim_mm_put(child);
	child = mm_fork(mm);
	assert_false(IS_ERR(child));
}

static void test_cow(void **state)
{
	(void)state;
	knob_fault_lock = 0;
	child = mm_fork(mm);
	assert_true(under_failures(op_cow, fork_again, -ENOMEM) >= 1);
	sim_mm_put(child);
	knob_fault_lock = 1;
}

static long op_populate(void)
{
	return mm_madvise(mm, AT(2000), 20 * PG, MADV_POPULATE_WRITE);
}

static void drop_populated(void)
{
	assert_int_equal(mm_madvise(mm, AT(2000), 20 * PG, MADV_DONTNEED), 0);
}

static void test_populate(void **state)
{
	(void)state;
	/* A run of pages that gets too few goes on one by one, so one failure of a page is none of the call. */
	t_map(mm, AT(2000), 20, RW);
	assert_true(under_failures(op_populate, drop_populated, -ENOMEM) >= 1);
}

static long op_stack(void)
{
	return mm_setup_stack(mm, AT(5000), 4 * PG, RW);
}

static void drop_stack(void)
{
	assert_int_equal(mm_munmap(mm, AT(4000), 1000 * PG), 0);
}

static void test_setup_stack(void **state)
{
	(void)state;
	assert_true(under_failures(op_stack, drop_stack, -ENOMEM) >= 2);
}

static long op_get_page(void)
{
	struct page *page = mm_get_page(mm, AT(600), true, false);

	if (IS_ERR(page))
		return PTR_ERR(page);
	mm_put_page(page);
	return 0;
}

static void test_get_page(void **state)
{
	(void)state;
	drop_pages();
	assert_true(under_failures(op_get_page, drop_pages, -ENOMEM) >= 1);
}

static void test_zap_without_memory(void **state)
{
	(void)state;
	t_map(mm, AT(2000), 200, RW);
	for (unsigned long i = 0; i < 200; i++)
		sim_poke(mm, AT(2000 + i), 1);
	fail_at(FAIL_ALLOC_PAGES, 1);
	assert_int_equal(mm_madvise(mm, AT(2000), 200 * PG, MADV_DONTNEED), 0);
	fail_at(FAIL_ALLOC_PAGES, 0);
	check_data();
}

#define T_FAIL(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_FAIL(test_mmap),	  T_FAIL(test_mmap_over), T_FAIL(test_munmap),
		T_FAIL(test_mprotect),	  T_FAIL(test_madvise),	  T_FAIL(test_mremap),
		T_FAIL(test_brk),	  T_FAIL(test_fork),	  T_FAIL(test_create),
		T_FAIL(test_faults),	  T_FAIL(test_cow),	  T_FAIL(test_populate),
		T_FAIL(test_setup_stack), T_FAIL(test_get_page),  T_FAIL(test_zap_without_memory),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
