/* SPDX-License-Identifier: MIT
 *
 * The lock of one vma, mm/vma_lock.c: a fault holds it for reading instead of mmap_lock. Shared inside mm/ only.
 */
#ifndef MM_VMA_LOCK_H
#define MM_VMA_LOCK_H

#include <kern/atomic.h>
#include <mm/mm.h>
#include <mm/stats.h>
#include <sync/lockdep.h>
#include <sync/rcu.h>

/* vma->readers: the sign bit, a writer waits until no reader is left. */
#define VMA_AWAITED (int)(1u << 31)
/* vma->write_seq of a vma that left the index: locked for ever. */
#define VMA_DETACHED (~0UL)

/* Slow paths. */
void vma_wait_for_readers(struct vma *vma);
void vma_reader_left(struct mm *mm);
struct vma *vma_find_and_read_lock(struct mm *mm, unsigned long addr);

/* New memory, which will be a vma of mm, or one after the other. */
static inline void vma_lock_init(struct vma *vma, struct mm *mm)
{
	vma->mm = mm;
	vma->readers = 0;
#ifdef CONFIG_DEBUG
	vma->class = LOCKDEP_CLASS("vma");
#endif
}

/* A new vma is locked by who makes it and holds mmap_lock for writing. */
static inline void vma_new_locked(struct vma *vma)
{
	__atomic_store_n(&vma->write_seq, vma->mm->write_seq, __ATOMIC_RELAXED);
}

/* ---- writers ---- */

/*
 * No fault is at work in the vma from here on until mmap_lock, held for writing, is released or downgraded: called
 * before anything of a linked vma is changed, or its entries are moved or shared. May sleep; before the locks of the
 * reverse map are taken.
 */
static __always_inline void vma_start_write(struct vma *vma)
{
	struct mm *mm = vma->mm;

	mmap_assert_write_locked(mm);
	if (vma->write_seq >= mm->write_seq)
		return;
	lockdep_acquire(&vma->class, vma, LOCKDEP_SLEEPING);
	/* A barrier: a reader who is not seen here sees this. */
	__atomic_exchange_n(&vma->write_seq, mm->write_seq, __ATOMIC_SEQ_CST);
	if (unlikely(__atomic_load_n(&vma->readers, __ATOMIC_SEQ_CST)))
		vma_wait_for_readers(vma);
	lockdep_release(vma, LOCKDEP_SLEEPING);
}

/* The vma, locked for writing, leaves the index: who finds it from now on does not get its lock. */
static inline void vma_mark_detached(struct vma *vma)
{
	__atomic_store_n(&vma->write_seq, VMA_DETACHED, __ATOMIC_RELAXED);
}

static inline void vma_assert_write_locked(const struct vma *vma)
{
	mmap_assert_write_locked(vma->mm);
	ASSERT(vma->write_seq >= vma->mm->write_seq);
}

/* ---- readers ---- */

static __always_inline void vma_end_read(struct mm *mm, struct vma *vma)
{
	lockdep_release(vma, LOCKDEP_SLEEPING);
	/* The vma may be gone from here on. */
	if (unlikely(__atomic_sub_fetch(&vma->readers, 1, __ATOMIC_RELEASE) < 0))
		vma_reader_left(mm);
}

/* The vma, found under RCU in mm. False: it is being changed, or is gone. */
static __always_inline bool vma_start_read(struct mm *mm, struct vma *vma)
{
	unsigned long seq;

	/* A barrier: a writer who does not see this reader is seen by it. */
	__atomic_add_fetch(&vma->readers, 1, __ATOMIC_SEQ_CST);
	lockdep_acquire(&vma->class, vma, LOCKDEP_SLEEPING | LOCKDEP_TRY);
	/* In this order: a writer that lets go in between may have detached the vma. */
	seq = __atomic_load_n(&mm->write_seq, __ATOMIC_SEQ_CST);
	if (likely(__atomic_load_n(&vma->write_seq, __ATOMIC_SEQ_CST) < seq))
		return true;
	vma_end_read(mm, vma);
	return false;
}

/* Where this CPU remembers the vma that it found last. */
static inline struct vma **vma_hint(struct mm *mm)
{
	return &mm->last_vma[cpu_id() % VMA_HINTS];
}

static __always_inline bool vma_contains(const struct vma *vma, unsigned long addr)
{
	return vma->start <= addr && addr < vma->end;
}

/* The vma that contains addr, locked for reading without mmap_lock; NULL when that cannot be had at once. */
static __always_inline struct vma *vma_read_lock_at(struct mm *mm, unsigned long addr)
{
	struct vma *vma;

	rcu_read_lock();
	vma = __atomic_load_n(vma_hint(mm), __ATOMIC_ACQUIRE);
	if (likely(vma) && likely(vma_start_read(mm, vma))) {
		if (likely(vma_contains(vma, addr))) {
			rcu_read_unlock();
			return vma;
		}
		vma_end_read(mm, vma);
	}
	vma = vma_find_and_read_lock(mm, addr);
	rcu_read_unlock();
	return vma;
}

#endif
