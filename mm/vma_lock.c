/* SPDX-License-Identifier: MIT
 *
 * The lock of one vma: faults read it, and need no mmap_lock then; who changes the layout holds mmap_lock for writing
 * and locks, one after the other, the vmas that it changes. So a fault waits for a change of its own vma only.
 *
 *   mm->write_seq    raised whenever mmap_lock is released, or downgraded, by a writer
 *   vma->write_seq   what it was when the vma was last locked for writing: as long as both are equal it still is, so
 *                    that one addition unlocks all vmas that a call has locked
 *   vma->readers     faults at work in it
 *
 * A reader counts itself and then looks whether the vma is locked; a writer locks it and then looks whether there are
 * readers. Each does an atomic operation in between, so at least one of them sees the other: a reader leaves again, a
 * writer waits. Readers never wait, neither here nor, holding the lock, for mmap_lock: they give up, and fault with
 * mmap_lock.
 *
 * A vma is found through the index, or the CPU's hint, under RCU: it may be on its way out, but its memory lasts until
 * the read section ends, and holding its lock keeps it in the index. A vma that has left it is locked for ever, and
 * freed by RCU.
 *
 * Linux has the sequence numbers, too, with a semaphore a vma, and since 6.15 a reference count. tests/model/vma_lock.pml
 * is this for Spin.
 */
#include "vma.h"
#include "vma_index.h"
#include "vma_lock.h"

/* mmap_lock for writing: one at a time in an address space. */
__noinline void vma_wait_for_readers(struct vma *vma)
{
	struct mm *mm = vma->mm;

	spin_lock(&mm->vma_wait_lock);
	mm->vma_writer = park_self();
	spin_unlock(&mm->vma_wait_lock);
	__atomic_or_fetch(&vma->readers, VMA_AWAITED, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&vma->readers, __ATOMIC_SEQ_CST) != VMA_AWAITED)
		park(PARK_UNINTERRUPTIBLE);
	__atomic_and_fetch(&vma->readers, ~VMA_AWAITED, __ATOMIC_SEQ_CST);
	spin_lock(&mm->vma_wait_lock);
	mm->vma_writer = NULL;
	spin_unlock(&mm->vma_wait_lock);
}

/* The vma itself may be gone. Under the lock the writer is there, if any; it may be another one's: it looks again. */
__noinline void vma_reader_left(struct mm *mm)
{
	spin_lock(&mm->vma_wait_lock);
	if (mm->vma_writer)
		unpark(mm->vma_writer);
	spin_unlock(&mm->vma_wait_lock);
}

/* The hint was of no use. */
__noinline struct vma *vma_find_and_read_lock(struct mm *mm, unsigned long addr)
{
	struct vma *vma = vma_find_rcu(mm, addr);

	if (unlikely(!vma || !vma_start_read(mm, vma))) {
		stat_inc(VMA_LOCK_ABORT);
		return NULL;
	}
	if (likely(vma_contains(vma, addr)))
		return vma_remember(mm, vma);
	vma_end_read(mm, vma);
	stat_inc(VMA_LOCK_MISS);
	return NULL;
}
