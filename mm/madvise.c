/* SPDX-License-Identifier: MIT
 *
 * madvise: advice that changes a vma's flags, drops pages, or populates. Holes are skipped and
 * reported as ENOMEM at the end; an error of a vma stops the walk there.
 */
#include <mm/writeback.h>

#include "collapse.h"
#include "fault_ctx.h"
#include "madvise.h"
#include "shmem.h"
#include "unmap.h"
#include "vma.h"

/* What an advice does to vma->flags: out clear, in set. Other advice does nothing to them. */
static const struct advice_flags {
	unsigned long clear, set;
} flag_advices[] = {
	[MADV_NORMAL] = { VM_RAND_READ | VM_SEQ_READ, 0 },
	[MADV_RANDOM] = { VM_SEQ_READ, VM_RAND_READ },
	[MADV_SEQUENTIAL] = { VM_RAND_READ, VM_SEQ_READ },
	[MADV_DONTFORK] = { 0, VM_DONTCOPY },
	[MADV_DOFORK] = { VM_DONTCOPY, 0 },
	[MADV_DONTDUMP] = { 0, VM_DONTDUMP },
	[MADV_DODUMP] = { VM_DONTDUMP, 0 },
	[MADV_WIPEONFORK] = { 0, VM_WIPEONFORK },
	[MADV_KEEPONFORK] = { VM_WIPEONFORK, 0 },
	[MADV_HUGEPAGE] = { VM_NOHUGEPAGE, VM_HUGEPAGE },
	[MADV_NOHUGEPAGE] = { VM_HUGEPAGE, VM_NOHUGEPAGE },
};

static const struct advice_flags *find_flag_advice(int advice)
{
	const struct advice_flags *af;

	if ((unsigned int)advice >= ARRAY_SIZE(flag_advices))
		return NULL;
	af = &flag_advices[advice];
	return af->clear | af->set ? af : NULL;
}

static bool advice_valid(int advice)
{
	switch (advice) {
	case MADV_WILLNEED:
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_REMOVE:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
	case MADV_COLLAPSE:
	case MADV_GUARD_INSTALL:
	case MADV_GUARD_REMOVE:
		return true;
	default:
		return find_flag_advice(advice);
	}
}

static int check_flag_advice(const struct vma *vma, int advice)
{
	switch (advice) {
	case MADV_WIPEONFORK:
		return vma->file || (vma->flags & VM_SHARED) ? -EINVAL : 0;
	case MADV_HUGEPAGE:
		return vma->flags & VM_SPECIAL ? -EINVAL : 0;
	case MADV_DOFORK:
		return vma->flags & VM_IO ? -EINVAL : 0;
	case MADV_KEEPONFORK:
		return vma->flags & VM_DROPPABLE ? -EINVAL : 0;
	case MADV_DODUMP:
		return vma->flags & (VM_SPECIAL | VM_DROPPABLE) ? -EINVAL : 0;
	default:
		return 0;
	}
}

/* The vma that covers [start, end) afterwards, or ERR_PTR. mmap_lock held for writing. */
static __noinline struct vma *advise_flags(struct mm *mm, struct vma *vma, unsigned long start,
					   unsigned long end, int advice,
					   const struct advice_flags *af)
{
	unsigned long new = (vma->flags & ~af->clear) | af->set;
	int err = check_flag_advice(vma, advice);

	if (err)
		return ERR_PTR(err);
	if (af->set & VM_HUGEPAGE)
		khugepaged_enter(mm);
	if (new == vma->flags)
		return vma;
	vma = vma_modify(mm, vma, start, end, new);
	/* The caller is told EAGAIN: there may be kernel memory for it next time. */
	return IS_ERR(vma) ? ERR_PTR(-EAGAIN) : vma;
}

static int advise_dontneed(struct vma *vma, unsigned long start, unsigned long end, int advice)
{
	unsigned long refuse = VM_PFNMAP | (advice == MADV_DONTNEED_LOCKED ? 0 : VM_LOCKED);

	if (vma->flags & refuse)
		return -EINVAL;
	zap_range(vma, start, end, 0);
	return 0;
}

/* Punches the hole with no mm lock held; the vma may be gone when the lock is back. */
static __noinline int advise_remove(struct mm *mm, struct vma *vma, unsigned long start,
				    unsigned long end)
{
	struct file *file = vma->file;
	u64 offset = (u64)vma_index(vma, start) << PAGE_SHIFT;
	int err;

	if (vma->flags & VM_LOCKED)
		return -EINVAL;
	if (!file)
		return -EINVAL;
	if ((vma->flags & (VM_SHARED | VM_WRITE)) != (VM_SHARED | VM_WRITE))
		return -EACCES;
	file_get(file);
	mmap_read_unlock(mm);
	err = file_punch_hole(file, offset, end - start);
	file_put(file);
	mmap_read_lock(mm);
	return err;
}

/* Reads ahead with no mm lock held. Memory files have nothing to read. */
static __noinline int advise_willneed(struct mm *mm, struct vma *vma, unsigned long start,
				      unsigned long end)
{
	unsigned long first = vma->mapping ? vma_index(vma, start) : 0;
	struct mapping *m = vma->mapping;
	struct file *file = vma->file;

	if (!m)
		swap_willneed(mm, start, end);
	else if (!m->ops)
		shmem_willneed(m, first, first + ((end - start) >> PAGE_SHIFT) - 1);
	if (!m || !m->ops)
		return 0;
	file_get(file);
	mmap_read_unlock(mm);
	filemap_willneed(m, first, (end - start) >> PAGE_SHIFT);
	file_put(file);
	mmap_read_lock(mm);
	return 0;
}

static int advise_pages(struct mm *mm, struct vma *vma, unsigned long start, unsigned long end,
			int advice)
{
	switch (advice) {
	case MADV_WILLNEED:
		return advise_willneed(mm, vma, start, end);
	case MADV_REMOVE:
		return advise_remove(mm, vma, start, end);
	case MADV_GUARD_INSTALL:
		return guard_install(vma, start, end);
	case MADV_GUARD_REMOVE:
		return guard_remove(vma, start, end);
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_FREE:
		return advise_reclaim(vma, start, end, advice);
	default:
		return advise_dontneed(vma, start, end, advice);
	}
}

static int advise_range(struct mm *mm, unsigned long start, unsigned long end, int advice,
			const struct advice_flags *af)
{
	int unmapped = 0;

	while (start < end) {
		struct vma *vma = vma_find(mm, start);
		unsigned long stop;
		int err;

		if (!vma || vma->start >= end)
			return -ENOMEM;
		if (vma->start > start) {
			unmapped = -ENOMEM;
			start = vma->start;
		}
		stop = min(vma->end, end);
		if (af) {
			vma = advise_flags(mm, vma, start, stop, advice, af);
			err = IS_ERR(vma) ? (int)PTR_ERR(vma) : 0;
		} else {
			err = advise_pages(mm, vma, start, stop, advice);
		}
		if (err)
			return err;
		start = stop;
	}
	return unmapped;
}

int mm_madvise(struct mm *mm, unsigned long addr, unsigned long len, int advice)
{
	const struct advice_flags *af = find_flag_advice(advice);
	unsigned long size = PAGE_ALIGN(len), end = addr + size;
	int err;

	if (!advice_valid(advice))
		return -EINVAL;
	if (!IS_ALIGNED(addr, PAGE_SIZE) || (len && !size) || end < addr)
		return -EINVAL;
	if (end == addr)
		return 0;
	if (advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE)
		return populate_advice(mm, addr, end, advice == MADV_POPULATE_WRITE);
	if (advice == MADV_COLLAPSE)
		return collapse_advice(mm, addr, end);
	if (af) {
		if (mmap_write_lock_killable(mm))
			return -EINTR;
		err = advise_range(mm, addr, end, advice, af);
		validate_mm(mm, addr, end);
		mmap_write_unlock(mm);
	} else {
		mmap_read_lock(mm);
		err = advise_range(mm, addr, end, advice, NULL);
		mmap_read_unlock(mm);
	}
	return err;
}
