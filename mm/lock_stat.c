/* SPDX-License-Identifier: MIT
 *
 * Waiting for mmap_lock, measured. A site is known by the return address of the call that waits, so it needs no
 * data and no instruction where the lock is free. Sites are claimed once, never given back; when all are
 * taken, the last one collects the rest.
 *
 * Holding it for writing is measured when the knob lock_stat.hold says so: reading the clock twice costs more than
 * many a hold. The site is where the lock was taken, wherever it is given up or down to reading.
 */
#include <arch/timer.h>
#include <mm/lock_stat.h>

#include "internal.h"

static struct lock_site sites[NR_LOCK_STATS][LOCK_SITES];

static struct lock_site *site_of(enum lock_stat what, unsigned long ip, bool write)
{
	struct lock_site *s = sites[what];

	for (; s < sites[what] + LOCK_SITES - 1; s++) {
		unsigned long seen = 0;

		if (__atomic_load_n(&s->ip, __ATOMIC_RELAXED) == ip)
			break;
		if (__atomic_compare_exchange_n(&s->ip, &seen, ip, false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED)) {
			WRITE_ONCE(s->write, write);
			break;
		}
		if (seen == ip)
			break;
	}
	return s;
}

static unsigned int bucket_of(u64 ns)
{
	unsigned int n = 0;

	for (u64 us = ns / 1000; us && n < LOCK_TIME_BUCKETS - 1; us >>= 1)
		n++;
	return n;
}

static void count(struct lock_site *s, u64 ns)
{
	u64 longest = __atomic_load_n(&s->max_ns, __ATOMIC_RELAXED);

	__atomic_add_fetch(&s->times, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&s->total_ns, ns, __ATOMIC_RELAXED);
	__atomic_add_fetch(&s->histogram[bucket_of(ns)], 1, __ATOMIC_RELAXED);
	while (ns > longest && !__atomic_compare_exchange_n(&s->max_ns, &longest, ns, false,
							    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

__noinline int mmap_lock_wait(struct rwsem *sem, bool write, enum park_mode mode)
{
	unsigned long ip = (unsigned long)__builtin_return_address(0);
	u64 start = clock_ns();
	int err = write ? rwsem_down_write_slow(sem, mode) : rwsem_down_read_slow(sem, mode);

	stat_inc(write ? MMAP_LOCK_WRITE_WAIT : MMAP_LOCK_READ_WAIT);
	count(site_of(LOCK_WAITS, ip, write), clock_ns() - start);
	return err;
}

__cold int mmap_lock_traced(struct mm *mm, bool write, enum park_mode mode, unsigned int how)
{
	struct rwsem *sem = &mm->mmap_lock;
	int err = 0;

	trace(mmap_lock_start_locking, mm, write);
	lockdep_acquire(&sem->class, sem, LOCKDEP_SLEEPING | how);
	(void)how;
	if (!(write ? rwsem_write_fast(sem) : rwsem_read_fast(sem)))
		err = mmap_lock_wait(sem, write, mode);
	trace(mmap_lock_acquire_returned, mm, write, !err);
	if (err)
		lockdep_release(sem, LOCKDEP_SLEEPING);
	else if (write && knob_lock_stat_hold)
		mmap_hold_begin(mm);
	return err;
}

__noinline void mmap_hold_begin(struct mm *mm)
{
	mmap_assert_write_locked(mm);
	mm->held_by = (unsigned long)__builtin_return_address(0);
	mm->held_since = clock_ns();
}

__noinline void mmap_hold_end(struct mm *mm)
{
	mmap_assert_write_locked(mm);
	if (mm->held_since)
		count(site_of(LOCK_HOLDS, mm->held_by, true), clock_ns() - mm->held_since);
	mm->held_since = 0;
}

void mmap_write_unlock_measured(struct mm *mm)
{
	mmap_hold_end(mm);
	up_write(&mm->mmap_lock);
}

bool lock_site_get(enum lock_stat what, unsigned int n, struct lock_site *out)
{
	struct lock_site *s = &sites[what][n];

	if (n >= LOCK_SITES || !__atomic_load_n(&s->ip, __ATOMIC_RELAXED))
		return false;
	out->ip = READ_ONCE(s->ip);
	out->write = READ_ONCE(s->write);
	out->times = READ_ONCE(s->times);
	out->total_ns = READ_ONCE(s->total_ns);
	out->max_ns = READ_ONCE(s->max_ns);
	for (unsigned int i = 0; i < LOCK_TIME_BUCKETS; i++)
		out->histogram[i] = READ_ONCE(s->histogram[i]);
	return true;
}
