/* SPDX-License-Identifier: MIT
 *
 * shmdt(): the only unmapping that finds its range by what is mapped there.
 */
#include "vma.h"

/* Part of a segment attached at addr: as far into the file as it is from addr. */
static bool belongs(const struct vma *vma, unsigned long addr)
{
	return vma_is_watched(vma) && vma->start - addr == vma->pgoff << PAGE_SHIFT;
}

/*
 * An attach may have been cut, moved in part or mapped over since. Linux unmaps the first part it finds above addr,
 * however far, and of the same attach what the segment's size can hold. mmap_lock held for writing.
 */
static int detach(struct mm *mm, unsigned long addr)
{
	struct vma *vma = vma_find(mm, addr);
	unsigned long size, end;
	struct file *file;
	int err;

	while (vma && !belongs(vma, addr))
		vma = vma_next(vma);
	if (!vma)
		return -EINVAL;
	file = vma->file;
	file_get(file);
	size = PAGE_ALIGN(READ_ONCE(vma->mapping->size));
	do {
		end = vma->end;
		err = vma->file == file && belongs(vma, addr) ? munmap_locked(mm, vma->start, end)
							      : 0;
		vma = vma_find(mm, end);
	} while (!err && vma && vma->end - addr <= size);
	file_put(file);
	return err;
}

int mm_shmdt(struct mm *mm, unsigned long addr)
{
	int err;

	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	err = detach(mm, addr);
	validate_mm(mm, addr, addr);
	mmap_write_unlock(mm);
	return err;
}
