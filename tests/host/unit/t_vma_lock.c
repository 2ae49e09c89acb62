/* SPDX-License-Identifier: MIT
 *
 * The locks of single vmas: who gets them when, and what a fault does that does not.
 */
#include "t.h"

#define B 0xd0000000UL
#define AT(page) (B + (page)*PG)

static enum fault_result touch(struct mm *mm, unsigned long va, enum fault_access access, bool user)
{
	return mm_handle_fault(mm, va, access | (user ? FAULT_USER : 0));
}

/* Locked and let go: could it be had? */
static bool can_read(struct mm *mm, unsigned long va)
{
	struct vma *vma = vma_read_lock_at(mm, va);

	if (!vma)
		return false;
	assert_true(vma_contains(vma, va));
	vma_end_read(mm, vma);
	return true;
}

static void test_counters(void **state)
{
	struct mm *mm = *state;
	unsigned long success = stat_read(VMA_LOCK_SUCCESS), abort = stat_read(VMA_LOCK_ABORT);

	t_map(mm, AT(0), 8, RW);
	assert_int_equal(touch(mm, AT(0), FAULT_WRITE, true), FAULT_DONE);
	assert_int_equal(touch(mm, AT(1), FAULT_READ, true), FAULT_DONE);
	assert_int_equal(stat_read(VMA_LOCK_SUCCESS), success + 2);
	assert_int_equal(touch(mm, AT(2), FAULT_WRITE, false), FAULT_DONE);
	knob_fault_lock = FAULT_LOCK_MMAP;
	assert_int_equal(touch(mm, AT(3), FAULT_WRITE, true), FAULT_DONE);
	knob_fault_lock = FAULT_LOCK_VMA;
	assert_int_equal(stat_read(VMA_LOCK_SUCCESS), success + 2);
	assert_int_equal(stat_read(VMA_LOCK_ABORT), abort);
	assert_int_equal(touch(mm, AT(100), FAULT_READ, true), FAULT_MAPERR);
	assert_int_equal(stat_read(VMA_LOCK_ABORT), abort + 1);
}

static void test_refused_access_needs_no_more(void **state)
{
	struct mm *mm = *state;
	unsigned long retry = stat_read(VMA_LOCK_RETRY);

	t_map(mm, AT(0), 1, PROT_READ);
	assert_int_equal(touch(mm, AT(0), FAULT_WRITE, true), FAULT_ACCERR);
	assert_int_equal(stat_read(VMA_LOCK_RETRY), retry);
}

/* A writer locks what it changes, and nothing else, until it lets mmap_lock go. */
static void test_writers(void **state)
{
	struct mm *mm = *state;
	struct vma *vma;

	t_map(mm, AT(0), 4, RW);
	t_map(mm, AT(4), 4, PROT_READ);
	assert_true(can_read(mm, AT(0)));
	mmap_write_lock(mm);
	assert_true(can_read(mm, AT(0)));
	vma = vma_lookup(mm, AT(0));
	vma_start_write(vma);
	vma_start_write(vma);
	assert_false(can_read(mm, AT(0)));
	assert_true(can_read(mm, AT(4)));
	mmap_write_downgrade(mm);
	assert_true(can_read(mm, AT(0)));
	mmap_read_unlock(mm);
}

/* Who holds a pointer to it since before gets no lock, whatever became of the memory. */
static void test_detached(void **state)
{
	struct mm *mm = *state;
	struct vma *vma;

	t_map(mm, AT(0), 4, RW);
	mmap_read_lock(mm);
	vma = vma_lookup(mm, AT(0));
	mmap_read_unlock(mm);
	rcu_read_lock();
	assert_int_equal(mm_munmap(mm, AT(0), 4 * PG), 0);
	assert_false(vma_start_read(mm, vma));
	rcu_read_unlock();
	assert_false(can_read(mm, AT(0)));
	/* The same memory, another vma. */
	t_map(mm, AT(40), 1, RW);
	assert_true(can_read(mm, AT(40)));
	assert_false(can_read(mm, AT(0)));
}

static void find_as_with_the_lock(unsigned long kind)
{
	unsigned long was = knob_vma_index;
	struct mm *mm;

	knob_vma_index = kind;
	mm = mm_create(false);
	knob_vma_index = was;
	assert_non_null(mm);
	for (unsigned int i = 0; i < 300; i++)
		t_map(mm, AT(2 * i), 1, i % 2 ? RW : PROT_READ);
	for (unsigned int i = 0; i < 2000; i++) {
		unsigned long va = AT(t_below(602));
		struct vma *found, *vma;

		mmap_read_lock(mm);
		vma = vma_lookup(mm, va);
		mmap_read_unlock(mm);
		rcu_read_lock();
		found = vma_find_rcu(mm, va);
		rcu_read_unlock();
		if (found && !vma_contains(found, va))
			found = NULL;
		assert_ptr_equal(found, vma);
	}
	/* Being changed. */
	mm->index.seq++;
	rcu_read_lock();
	assert_null(vma_find_rcu(mm, AT(0)));
	rcu_read_unlock();
	mm->index.seq++;
	sim_mm_put(mm);
}

static void test_find(void **state)
{
	(void)state;
	find_as_with_the_lock(VMA_INDEX_LIST);
	find_as_with_the_lock(VMA_INDEX_RBTREE);
	find_as_with_the_lock(VMA_INDEX_MAPLE);
}

static void change_unlocked(void)
{
	struct mm *mm = mm_create(false);

	t_map(mm, AT(0), 4, RW);
	mmap_write_lock(mm);
	vma_resized(mm, vma_lookup(mm, AT(0)));
}

/* Debug builds see a change of a vma whose faults were not locked out. */
static void test_assertion(void **state)
{
	(void)state;
	t_must_die(change_unlocked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_counters), T_MM(test_refused_access_needs_no_more),
		T_MM(test_writers),  T_MM(test_detached),
		T(test_find),	     T(test_assertion),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
