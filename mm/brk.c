/* SPDX-License-Identifier: MIT
 *
 * brk: the heap's end moves. Failure is told by returning the old break.
 */
#include "populate.h"
#include "vma.h"

#define HEAP_FLAGS (VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_ACCOUNT)

/* The heap and the program's own data together stay under RLIMIT_DATA. */
static bool data_limit_ok(const struct mm *mm, unsigned long brk)
{
	unsigned long limit = caller_rlimit(LIMIT_DATA);

	return limit == ~0UL || (brk - mm->start_brk) + (mm->end_data - mm->start_data) <= limit;
}

/* Maps [start, end), page-aligned, above the old heap. 0 or -errno. */
static int heap_grow(struct mm *mm, unsigned long start, unsigned long end)
{
	unsigned long pages = (end - start) >> PAGE_SHIFT,
		      flags = HEAP_FLAGS | future_lock_flags(mm);
	struct vma_desc d = { start, end, flags, NULL, NULL, start >> PAGE_SHIFT, NULL };
	struct vma_neighbours nb = vma_neighbours(mm, start);
	struct vma *vma;
	int err;

	/* One page stays free below the next vma, and a stack keeps its guard gap. */
	if (end > TASK_SIZE || (nb.next && end + PAGE_SIZE > vma_start_gap(nb.next)))
		return -ENOMEM;
	if ((flags & VM_LOCKED) && !may_lock_pages(mm, pages))
		return -EAGAIN;
	if (!may_expand_vm(mm, flags, pages) || (unsigned long)mm->map_count > knob_max_map_count)
		return -ENOMEM;
	err = vm_commit_charge(pages);
	if (err)
		return err;
	if (!vma_merge_new(mm, &d, &nb)) {
		vma = vma_alloc(mm, &d);
		if (!vma) {
			vm_commit_uncharge(pages);
			return -ENOMEM;
		}
		vma_link(mm, vma, &nb);
	}
	vm_stat_account(mm, flags, (long)pages);
	return 0;
}

unsigned long mm_brk(struct mm *mm, unsigned long brk)
{
	unsigned long old, oldpage, newpage, populate = 0;

	if (mmap_write_lock_killable(mm))
		return mm->brk;
	old = mm->brk;
	oldpage = PAGE_ALIGN(old);
	newpage = PAGE_ALIGN(brk);
	if (brk < mm->start_brk || newpage < brk || !data_limit_ok(mm, brk))
		goto out;
	if (newpage < oldpage) {
		const struct vma *vma = vma_find(mm, newpage);

		/* What the program unmapped by itself cannot be given back. */
		if (!vma || vma->start >= oldpage || munmap_locked(mm, newpage, oldpage))
			goto out;
	} else if (newpage > oldpage) {
		if (heap_grow(mm, oldpage, newpage))
			goto out;
		if (((mm->def_flags & VM_LOCKED) && future_populates(mm)) ||
		    knob_populate == POPULATE_EAGER)
			populate = newpage;
	}
	mm->brk = brk;
	old = brk;
out:
	validate_mm(mm, min(oldpage, newpage), max(oldpage, newpage));
	(void)mmap_write_unlock_populate(mm, oldpage, populate, 0);
	return old;
}
