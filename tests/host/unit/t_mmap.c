/* SPDX-License-Identifier: MIT
 *
 * mmap and munmap: placement, flags, limits, and every errno in the order that Linux checks.
 */
#include "../../../mm/vma.h"
#include "t.h"

#define B 0x30000000UL
#define AT(page) (B + (page)*PG)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static void test_errors(void **state)
{
	struct mm *mm = *state;
	struct file *ro = sim_file(4 * PG, false), *pipe = sim_pipe();
	const struct {
		unsigned long addr, len, prot, flags;
		struct file *file;
		unsigned long pgoff;
		long expect;
	} rows[] = {
		{ 0, 0, RW, ANON, NULL, 0, -EINVAL },
		{ 0, ~0UL, RW, ANON, NULL, 0, -ENOMEM },
		{ 0, TASK_SIZE + 1, RW, ANON, NULL, 0, -ENOMEM },
		{ 0, PG, RW, MAP_ANONYMOUS, NULL, 0, -EINVAL },
		{ 0, PG, RW, MAP_ANONYMOUS | MAP_SHARED_VALIDATE, NULL, 0, -EINVAL },
		{ AT(0) + 1, PG, RW, ANON | MAP_FIXED, NULL, 0, -EINVAL },
		{ TASK_SIZE, PG, RW, ANON | MAP_FIXED, NULL, 0, -ENOMEM },
		{ TASK_SIZE - PG, 2 * PG, RW, ANON | MAP_FIXED, NULL, 0, -ENOMEM },
		{ ~0UL & PAGE_MASK, PG, RW, ANON | MAP_FIXED, NULL, 0, -ENOMEM },
		{ 0, PG, RW, ANON | MAP_FIXED, NULL, 0, -EPERM },
		{ PG, PG, RW, ANON | MAP_FIXED, NULL, 0, -EPERM },
		{ 0, PG, RW, MAP_SHARED, ro, 0, -EACCES },
		{ 0, PG, PROT_READ, MAP_SHARED | MAP_GROWSDOWN, ro, 0, -EINVAL },
		{ 0, PG, PROT_READ, 0, ro, 0, -EINVAL },
		{ 0, PG, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, ro, 0, -EOPNOTSUPP },
		{ 0, PG, PROT_READ, MAP_PRIVATE, pipe, 0, -ENODEV },
		{ 0, 2 * PG, PROT_READ, MAP_PRIVATE, ro, ~0UL, -EOVERFLOW },
		{ 0, PG, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, NULL, 0, -EINVAL },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		long r = mm_mmap(mm, rows[i].addr, rows[i].len, rows[i].prot, rows[i].flags,
				 rows[i].file, rows[i].pgoff);

		if (r != rows[i].expect)
			fail_msg("row %u: %ld, should be %ld", i, r, rows[i].expect);
	}
	assert_string_equal(t_layout(mm, B), "");
	sim_caller.rawio = true;
	assert_int_equal(mm_mmap(mm, 0, PG, RW, ANON | MAP_FIXED, NULL, 0), 0);
	sim_caller.rawio = false;
	assert_int_equal(mm_munmap(mm, 0, PG), 0);
	file_put(ro);
	file_put(pipe);
}

static void test_munmap_errors(void **state)
{
	struct mm *mm = *state;

	assert_int_equal(mm_munmap(mm, AT(0), 0), -EINVAL);
	assert_int_equal(mm_munmap(mm, AT(0) + 1, PG), -EINVAL);
	assert_int_equal(mm_munmap(mm, TASK_SIZE, PG), -EINVAL);
	assert_int_equal(mm_munmap(mm, AT(0), ~0UL), -EINVAL);
	assert_int_equal(mm_munmap(mm, AT(0), TASK_SIZE), -EINVAL);
	assert_int_equal(mm_munmap(mm, AT(0), 100 * PG), 0);
	t_map(mm, AT(0), 2, RW);
	assert_int_equal(mm_munmap(mm, AT(0), 1), 0);
	assert_string_equal(t_layout(mm, B), "1-2:rw");
}

/* Top down from mmap_base, into the highest hole that is large enough; hints; NOREPLACE. */
static void test_placement(void **state)
{
	struct mm *mm = *state;
	unsigned long a = t_map(mm, 0, 4, RW), b = t_map(mm, 0, 4, PROT_READ), c;

	assert_int_equal(a + 4 * PG, mm->mmap_base);
	assert_int_equal(b + 4 * PG, a);
	assert_int_equal(mm_munmap(mm, a, 2 * PG), 0);
	assert_int_equal(t_map(mm, 0, 3, PROT_NONE), b - 3 * PG);
	assert_int_equal(t_map(mm, 0, 2, PROT_NONE), a);
	/* a hint is taken when free, also unaligned, and moved up to mmap_min_addr */
	assert_int_equal(mm_mmap(mm, AT(0), PG, RW, ANON, NULL, 0), AT(0));
	assert_int_equal(mm_mmap(mm, AT(2) + 17, PG, RW, ANON, NULL, 0), AT(2));
	assert_int_equal(mm_mmap(mm, 4096, PG, RW, ANON, NULL, 0), knob_mmap_min_addr);
	/* occupied: elsewhere */
	c = (unsigned long)mm_mmap(mm, AT(0), PG, RW, ANON, NULL, 0);
	assert_true(c > AT(100));
	assert_int_equal(mm_mmap(mm, AT(0), PG, RW, ANON | MAP_FIXED_NOREPLACE, NULL, 0), -EEXIST);
	assert_int_equal(mm_mmap(mm, AT(1), 2 * PG, RW, ANON | MAP_FIXED_NOREPLACE, NULL, 0),
			 -EEXIST);
	assert_int_equal(mm_mmap(mm, AT(1), PG, RW, ANON | MAP_FIXED_NOREPLACE, NULL, 0), AT(1));
	/* MAP_32BIT: between 1 and 2 GiB */
	c = (unsigned long)mm_mmap(mm, 0, PG, RW, ANON | MAP_32BIT, NULL, 0);
	assert_in_range(c, 0x40000000UL, 0x80000000UL - PG);
	t_validate(mm);
}

/* Full below mmap_base: above it there is still room. */
static void test_bottom_up_fallback(void **state)
{
	struct mm *mm = *state;
	unsigned long low = PAGE_ALIGN(knob_mmap_min_addr), a;

	t_map(mm, low, (mm->mmap_base - low) / PG, PROT_NONE);
	a = t_map(mm, 0, 3, RW);
	assert_int_equal(a, mm->mmap_base);
	assert_int_equal(mm_mmap(mm, 0, TASK_SIZE - mm->mmap_base, RW, ANON, NULL, 0), -ENOMEM);
}

static void test_limits(void **state)
{
	struct mm *mm = *state;

	sim_caller.rlimit[LIMIT_AS] = 10 * PG;
	t_map(mm, AT(0), 8, RW);
	assert_int_equal(mm_mmap(mm, AT(8), 3 * PG, RW, ANON | MAP_FIXED, NULL, 0), -ENOMEM);
	/* replacing does not count twice */
	t_map(mm, AT(0), 9, PROT_READ);
	sim_caller.rlimit[LIMIT_AS] = ~0UL;
	sim_caller.rlimit[LIMIT_DATA] = 4 * PG;
	t_map(mm, AT(20), 4, RW);
	assert_int_equal(mm_mmap(mm, AT(30), PG, RW, ANON | MAP_FIXED, NULL, 0), -ENOMEM);
	t_map(mm, AT(40), 40, PROT_READ);
	assert_int_equal(mm_mprotect(mm, AT(40), PG, RW), -ENOMEM);
	t_validate(mm);
}

static void test_overcommit(void **state)
{
	struct mm *mm = *state;
	unsigned long ram = totalram_pages() * PG;

	/* mode 0 refuses what could never be had, unless nothing is promised */
	assert_int_equal(mm_mmap(mm, 0, ram + PG, RW, ANON, NULL, 0), -ENOMEM);
	assert_true(mm_mmap(mm, 0, ram + PG, RW, ANON | MAP_NORESERVE, NULL, 0) > 0);
	assert_true(mm_mmap(mm, 0, ram + PG, PROT_READ, ANON, NULL, 0) > 0);
	knob_overcommit_memory = 1;
	assert_true(mm_mmap(mm, 0, 2 * ram, RW, ANON, NULL, 0) > 0);
	knob_overcommit_memory = 2;
	assert_int_equal(mm_mmap(mm, 0, ram, RW, ANON | MAP_NORESERVE, NULL, 0), -ENOMEM);
}

/*
 * Every way a private writable page can come and go leaves the promises right: checked at
 * tear-down.
 */
static void test_commit_is_exact(void **state)
{
	struct mm *mm = *state, *child;
	unsigned long before = vm_committed();

	t_map(mm, AT(0), 10, RW);
	assert_int_equal(vm_committed(), before + 10);
	t_map(mm, AT(2), 2, RW);
	assert_int_equal(vm_committed(), before + 10);
	assert_int_equal(mm_munmap(mm, AT(5), PG), 0);
	assert_int_equal(vm_committed(), before + 9);
	t_map(mm, AT(20), 4, PROT_READ);
	assert_int_equal(vm_committed(), before + 9);
	assert_int_equal(mm_mprotect(mm, AT(20), 2 * PG, RW), 0);
	assert_int_equal(vm_committed(), before + 11);
	assert_int_equal(mm_mprotect(mm, AT(20), 2 * PG, PROT_READ), 0);
	assert_int_equal(vm_committed(), before + 11);
	assert_true(mm_mremap(mm, AT(20), 2 * PG, 5 * PG, MREMAP_MAYMOVE, 0) > 0);
	assert_int_equal(vm_committed(), before + 14);
	child = mm_fork(mm);
	assert_false(IS_ERR(child));
	assert_int_equal(vm_committed(), before + 28);
	sim_mm_put(child);
	assert_int_equal(vm_committed(), before + 14);
}

static void test_populate(void **state)
{
	struct mm *mm = *state;
	struct file *f = sim_file(8 * PG, true);
	unsigned long a = (unsigned long)mm_mmap(mm, 0, 300 * PG, RW, ANON | MAP_POPULATE, NULL, 0),
		      b;

	for (unsigned long i = 0; i < 300; i++)
		assert_true(pte_write(sim_pte(mm, a + i * PG)));
	assert_int_equal(mm_rss(mm), 300);
	b = (unsigned long)mm_mmap(mm, 0, 10 * PG, PROT_READ, MAP_SHARED | MAP_POPULATE, f, 0);
	assert_int_equal(mm_rss(mm), 308);
	assert_true(pte_present(sim_pte(mm, b + 7 * PG)));
	assert_int_equal(atomic_read(&mm->rss[RSS_SHMEM]), 8);
	/* no access, no pages, and mmap succeeds all the same */
	assert_true(mm_mmap(mm, 0, PG, PROT_NONE, ANON | MAP_POPULATE, NULL, 0) > 0);
	file_put(f);
}

static void test_dev_zero(void **state)
{
	struct mm *mm = *state;
	struct file *zero = sim_dev_zero();
	unsigned long a = t_map_file(mm, AT(0), 2, RW, MAP_PRIVATE, zero, 0);
	unsigned long b = t_map_file(mm, AT(4), 2, RW, MAP_SHARED, zero, 0);
	struct mm *child;

	sim_poke(mm, a, 1);
	sim_poke(mm, b, 2);
	child = mm_fork(mm);
	sim_poke(child, a, 3);
	sim_poke(child, b, 4);
	assert_int_equal(sim_peek(mm, a), 1);
	assert_int_equal(sim_peek(mm, b), 4);
	sim_mm_put(child);
	file_put(zero);
}

static void test_mlocked_mapping(void **state)
{
	struct mm *mm = *state;

	sim_caller.rlimit[LIMIT_MEMLOCK] = 4 * PG;
	assert_true(mm_mmap(mm, AT(0), 4 * PG, RW, ANON | MAP_LOCKED, NULL, 0) > 0);
	assert_int_equal(mm->locked_vm, 4);
	assert_int_equal(mm_rss(mm), 4);
	assert_int_equal(mm_mmap(mm, 0, PG, RW, ANON | MAP_LOCKED, NULL, 0), -EAGAIN);
	sim_caller.ipc_lock = true;
	assert_true(mm_mmap(mm, 0, PG, RW, ANON | MAP_LOCKED, NULL, 0) > 0);
	sim_caller.ipc_lock = false;
	sim_caller.rlimit[LIMIT_MEMLOCK] = 0;
	assert_int_equal(mm_mmap(mm, 0, PG, RW, ANON | MAP_LOCKED, NULL, 0), -EPERM);
	assert_int_equal(mm_madvise(mm, AT(0), PG, MADV_DONTNEED), -EINVAL);
	assert_int_equal(mm_munmap(mm, AT(0), 2 * PG), 0);
	assert_int_equal(mm->locked_vm, 3);
}

static void test_fatal_signal(void **state)
{
	struct mm *mm = *state;

	/* The lock is free: nothing waits, so nothing is interrupted. */
	sim_caller.fatal_signal = true;
	t_map(mm, AT(0), 1, RW);
	assert_int_equal(mm_munmap(mm, AT(0), PG), 0);
	sim_caller.fatal_signal = false;
}

static void test_mincore_and_msync(void **state)
{
	struct mm *mm = *state;
	struct file *f = sim_file(4 * PG, true);
	unsigned char vec[8];
	struct folio *cached = filemap_grab_folio(sim_file_mapping(f), 2);

	folio_put(cached);
	t_map(mm, AT(0), 4, RW);
	t_map_file(mm, AT(4), 4, PROT_READ, MAP_SHARED, f, 0);
	sim_poke(mm, AT(1), 1);
	assert_int_equal(mm_mincore(mm, AT(0), 8, vec), 0);
	assert_memory_equal(vec, ((unsigned char[]){ 0, 1, 0, 0, 0, 0, 1, 0 }), 8);
	assert_int_equal(mm_mincore(mm, AT(4), 5, vec), -ENOMEM);
	assert_int_equal(mm_mincore(mm, AT(100), 1, vec), -ENOMEM);
	assert_int_equal(mm_msync(mm, AT(0), 8 * PG, MS_SYNC), 0);
	assert_int_equal(mm_msync(mm, AT(0), 8 * PG, MS_ASYNC | MS_INVALIDATE), 0);
	assert_int_equal(mm_msync(mm, AT(0), 9 * PG, MS_SYNC), -ENOMEM);
	assert_int_equal(mm_msync(mm, AT(0), PG, MS_SYNC | MS_ASYNC), -EINVAL);
	assert_int_equal(mm_msync(mm, AT(0), PG, 64), -EINVAL);
	assert_int_equal(mm_msync(mm, AT(0) + 1, PG, MS_SYNC), -EINVAL);
	assert_int_equal(mm_msync(mm, AT(0), 0, MS_SYNC), 0);
	file_put(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_errors),	    T_MM(test_munmap_errors),
		T_MM(test_placement),	    T_MM(test_bottom_up_fallback),
		T_MM(test_limits),	    T_MM(test_overcommit),
		T_MM(test_commit_is_exact), T_MM(test_populate),
		T_MM(test_dev_zero),	    T_MM(test_mlocked_mapping),
		T_MM(test_fatal_signal),    T_MM(test_mincore_and_msync),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
