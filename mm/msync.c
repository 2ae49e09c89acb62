/* SPDX-License-Identifier: MIT
 *
 * msync: what was written through a shared mapping of a file with a backing store is made safe. Others have nothing
 * to write. The checks are Linux's; so is that MS_ASYNC does nothing, for the flusher does it anyway.
 */
#include "vma.h"

/* mmap_lock is dropped meanwhile, and vmas may come and go. */
static int sync_vma(struct mm *mm, struct vma *vma, unsigned long start, unsigned long end)
{
	u64 from = (u64)vma_index(vma, start) << PAGE_SHIFT, to = from + (end - start);
	struct file *file = vma->file;
	int err;

	file_get(file);
	mmap_read_unlock(mm);
	err = file_sync_range(file, from, to);
	file_put(file);
	mmap_read_lock(mm);
	return err;
}

int mm_msync(struct mm *mm, unsigned long addr, unsigned long len, int flags)
{
	unsigned long end, next;
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
	vma = vma_find(mm, addr);
	while (addr < end) {
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
		next = min(vma->end, end);
		if ((flags & MS_SYNC) && vma->file && vma_is_shared(vma)) {
			err = sync_vma(mm, vma, addr, next);
			if (err)
				break;
			vma = NULL;
		}
		addr = next;
		vma = vma ? vma_next(vma) : vma_find(mm, addr);
	}
	mmap_read_unlock(mm);
	return err ? err : unmapped;
}
