/* SPDX-License-Identifier: MIT
 *
 * Stack growth: a fault below a GROWSDOWN vma moves its start down to the touched page, in one step,
 * when the guard gap to the vma below stays and the limits allow it. Linux asks nothing of the stack
 * pointer, and neither do we.
 */
#include "vma.h"

/* The guard gap holds against an accessible neighbour that is no stack itself. */
static bool guard_gap_ok(const struct vma *vma, unsigned long addr)
{
	const struct vma *prev = vma_prev(vma);
	unsigned long gap = knob_stack_guard_gap << PAGE_SHIFT;

	if (!prev || (prev->flags & VM_GROWSDOWN) || !(prev->flags & VM_ACCESS))
		return !prev || prev->end <= addr;
	return prev->end <= addr && addr - prev->end >= gap;
}

enum fault_result stack_grow(struct mm *mm, unsigned long addr)
{
	struct vma *vma = vma_find(mm, addr);
	unsigned long grow;

	mmap_assert_write_locked(mm);
	/* The layout may have changed while the lock was dropped: growing is then no longer needed, or no longer possible. */
	if (!vma)
		return FAULT_MAPERR;
	if (vma->start <= addr)
		return FAULT_DONE;
	if (!(vma->flags & VM_GROWSDOWN) || addr < knob_mmap_min_addr || !guard_gap_ok(vma, addr))
		return FAULT_MAPERR;
	grow = (vma->start - addr) >> PAGE_SHIFT;
	if (vma->end - addr > caller_rlimit(LIMIT_STACK) || !may_expand_vm(mm, vma->flags, grow))
		return FAULT_MAPERR;
	if ((vma->flags & VM_LOCKED) && !may_lock_pages(mm, grow))
		return FAULT_MAPERR;
	if ((vma->flags & VM_ACCOUNT) && vm_commit_charge(grow))
		return FAULT_MAPERR;
	stat_inc(FAULT_STACK_GROW);
	vma_set_range(mm, vma, addr, vma->end);
	vm_stat_account(mm, vma->flags, (long)grow);
	return FAULT_DONE;
}
