/* SPDX-License-Identifier: MIT
 *
 * Taking a killed process's memory before it has come to its end: it may be waiting for a lock that whoever needs the
 * memory holds. Linux has a thread for this, the OOM reaper; here whoever ran out of memory does it.
 */
#include "unmap.h"
#include "vma.h"

/* What only this address space has: locked pages too, but not what may be a file's only copy of new data. */
static bool is_private(const struct vma *vma)
{
	return !vma_is_shared(vma) && !(vma->flags & VM_PFNMAP);
}

void mm_oom_reap(struct mm *mm)
{
	struct vma *vma;

	if (!mmap_read_trylock(mm))
		return; /* the next to run out of memory tries again */
	if (!mm->oom_reaped) {
		WRITE_ONCE(mm->oom_reaped, true);
		for_each_vma(mm, vma)
			if (is_private(vma))
				zap_range(vma, vma->start, vma->end, ZAP_NO_YIELD);
	}
	mmap_read_unlock(mm);
}
