/* SPDX-License-Identifier: MIT
 *
 * Mappings that exec puts at places of its own choice, in an address space that nobody else knows yet: the first stack,
 * and what the kernel shows every program. They have flags that no mmap() can ask for.
 */
#include "vma.h"

/* 0, -ENOMEM (also: the place is not free), -EINTR. */
static int place(struct mm *mm, const struct vma_desc *d)
{
	unsigned long pages = (d->end - d->start) >> PAGE_SHIFT, charged = 0;
	struct vma_neighbours nb;
	struct vma *vma;
	int err = -ENOMEM;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	nb = vma_neighbours(mm, d->start);
	if ((nb.next && nb.next->start < d->end) || !may_expand_vm(mm, d->flags, pages))
		goto out;
	if (d->flags & VM_ACCOUNT) {
		if (vm_commit_charge(pages))
			goto out;
		charged = pages;
	}
	vma = vma_alloc(mm, d);
	if (!vma) {
		vm_commit_uncharge(charged);
		goto out;
	}
	vma_link(mm, vma, &nb);
	vm_stat_account(mm, d->flags, (long)pages);
	validate_mm(mm, d->start, d->end);
	err = 0;
out:
	mmap_write_unlock(mm);
	return err;
}

int mm_setup_stack(struct mm *mm, unsigned long top, unsigned long size, unsigned long prot)
{
	struct vma_desc d = { .start = top - size,
			      .end = top,
			      .pgoff = (top - size) >> PAGE_SHIFT };

	d.flags = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_GROWSDOWN |
		  VM_ACCOUNT | (prot & PROT_EXEC ? VM_EXEC : 0);
	return place(mm, &d);
}

int mm_map_special(struct mm *mm, unsigned long start, unsigned long len, unsigned long flags,
		   struct file *file, unsigned long pgoff)
{
	struct vma_desc d = {
		.start = start, .end = start + len, .flags = flags, .file = file, .pgoff = pgoff
	};
	struct file_mmap fm;
	int err = file_mmap_info(file, &fm);

	ASSERT((flags & VM_SPECIAL) && !(flags & VM_SHARED));
	if (err)
		return err;
	d.mapping = fm.mapping;
	return place(mm, &d);
}
