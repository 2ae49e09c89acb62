/* SPDX-License-Identifier: MIT
 *
 * msync. Memory files have no backing store, so there is nothing to write; the checks are Linux's.
 */
#include "internal.h"

int mm_msync(struct mm *mm, unsigned long addr, unsigned long len, int flags)
{
	unsigned long end;
	struct vma *vma;
	int err = 0, unmapped = 0;

	if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC))
		return -EINVAL;
	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if ((flags & MS_ASYNC) && (flags & MS_SYNC))
		return -EINVAL;
	len = PAGE_ALIGN(len);
	end = addr + len;
	if (end < addr)
		return -ENOMEM;
	if (end == addr)
		return 0;
	mmap_read_lock(mm);
	for (vma = vma_find(mm, addr); addr < end; vma = vma_next(vma)) {
		if (!vma) {
			err = -ENOMEM;
			break;
		}
		if (addr < vma->start) {
			if (flags == MS_ASYNC) {
				err = -ENOMEM;
				break;
			}
			unmapped = -ENOMEM;
			addr = vma->start;
			if (addr >= end)
				break;
		}
		if ((flags & MS_INVALIDATE) && (vma->flags & VM_LOCKED)) {
			err = -EBUSY;
			break;
		}
		addr = vma->end;
	}
	mmap_read_unlock(mm);
	return err ? err : unmapped;
}
