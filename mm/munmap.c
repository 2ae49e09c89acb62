/* SPDX-License-Identifier: MIT
 *
 * munmap: cut the vmas at the edges, take those inside out of the index, then their pages and page
 * tables. All that can fail (the cuts) happens before anything is removed. A few pages of one vma are
 * trimmed off it instead: no vma is made to be thrown away.
 *
 * A large unmap gives the lock down to readers once the layout is settled: faults elsewhere go on
 * while pages are freed.
 */
#include "populate.h"
#include "unmap.h"
#include "vma.h"

/* From here on the write lock is not kept while pages are freed. */
#define DOWNGRADE_PAGES 512

/* The vmas of one munmap, out of the index but still linked to each other, in ascending order. */
struct detached {
	struct vma *first;
	struct vma *prev, *next; /* neighbours that stay */
	unsigned long pages;
};

/* So many pages of a vma with these flags are mapped no more. */
static void account_removed(struct mm *mm, unsigned long flags, unsigned long pages)
{
	vm_stat_account(mm, flags, -(long)pages);
	if (flags & VM_ACCOUNT)
		vm_commit_uncharge(pages);
}

/* [start, end), not all of the vma, is so little of it that no vma of its own is made. */
static bool can_trim(const struct vma *vma, unsigned long start, unsigned long end)
{
	return vma->start <= start && end <= vma->end &&
	       (end - start) >> PAGE_SHIFT < DOWNGRADE_PAGES;
}

/* The vma gives up [start, end), all but what lies on one side of it. */
static int trim(struct mm *mm, struct vma *vma, unsigned long start, unsigned long end)
{
	const struct vma *prev, *next;
	struct unmap_batch b;

	vma_start_write(vma);
	if (start != vma->start && end != vma->end) {
		struct vma *upper;

		if ((unsigned long)mm->map_count >= knob_max_map_count)
			return -ENOMEM;
		upper = vma_split(mm, vma, end);
		if (IS_ERR(upper))
			return (int)PTR_ERR(upper);
	}
	unmap_batch_init(&b, mm);
	/* While it is still the vma's: the reverse map must find who maps the pages, and writes to them. */
	unmap_vma_range(&b, vma, start, end);
	if (start == vma->start)
		vma_set_range(mm, vma, end, vma->end);
	else
		vma_set_range(mm, vma, vma->start, start);
	prev = start < vma->start ? vma_prev(vma) : vma;
	next = start < vma->start ? vma : vma_next(vma);
	unmap_free_tables(&b, start, end, prev ? prev->end : 0,
			  next ? next->start : TABLES_CEILING);
	unmap_batch_finish(&b);
	account_removed(mm, vma->flags, (end - start) >> PAGE_SHIFT);
	return 0;
}

static int cut_edges(struct mm *mm, struct vma *first, unsigned long start, unsigned long end)
{
	struct vma *last, *upper;

	if (first->start < start) {
		/* Linux refuses early when the middle of one vma at the limit would make two. */
		if (end < first->end && (unsigned long)mm->map_count >= knob_max_map_count)
			return -ENOMEM;
		upper = vma_split(mm, first, start);
		if (IS_ERR(upper))
			return (int)PTR_ERR(upper);
	}
	last = vma_lookup(mm, end - 1);
	if (last && last->end > end) {
		upper = vma_split(mm, last, end);
		if (IS_ERR(upper))
			return (int)PTR_ERR(upper);
	}
	return 0;
}

static void detach_vmas(struct mm *mm, struct vma *vma, unsigned long end, struct detached *d)
{
	struct vma *last = vma;

	d->pages = 0;
	d->prev = vma_prev(vma);
	d->first = vma;
	for (; vma && vma->start < end; vma = vma_next(vma)) {
		vma_start_write(vma);
		vma_erase(mm, vma);
		account_removed(mm, vma->flags, vma_pages(vma));
		d->pages += vma_pages(vma);
		last = vma;
	}
	last->next = NULL;
	d->next = vma;
}

/* mmap_lock held, reading is enough: nobody else can reach these vmas. */
static void unmap_detached(struct mm *mm, const struct detached *d)
{
	unsigned long floor = d->prev ? d->prev->end : 0;
	unsigned long top = d->next ? d->next->start : TABLES_CEILING;
	struct unmap_batch b;
	struct vma *vma;

	unmap_batch_init(&b, mm);
	for (vma = d->first; vma; vma = vma_next(vma)) {
		unmap_vma_range(&b, vma, vma->start, vma->end);
		/*
		 * Not before the pages are gone: writeback must find who may still write to them. Nor after the
		 * tables.
		 */
		vma_unlink_mapping(vma);
		anon_vma_unlink(vma);
	}
	unmap_free_vma_tables(&b, d->first, floor, top);
	unmap_batch_finish(&b);
}

static void free_detached(const struct detached *d)
{
	struct vma *vma = d->first;

	while (vma) {
		struct vma *next = vma_next(vma);

		vma_free(vma);
		vma = next;
	}
}

/* The layout part. Returns 0 with d->first NULL when nothing was mapped, or nothing more is to be done. */
static int munmap_prepare(struct mm *mm, unsigned long start, unsigned long end, struct detached *d)
{
	struct vma *first = vma_find(mm, start);
	int err;

	mmap_assert_write_locked(mm);
	d->first = NULL;
	if (!first || first->start >= end)
		return 0;
	if (unlikely(knob_munlock == MUNLOCK_GUP))
		munlock_by_gup(mm, start, end);
	if (first->start != start || first->end != end) {
		if (can_trim(first, start, end))
			return trim(mm, first, start, end);
		err = cut_edges(mm, first, start, end);
		if (err)
			return err;
		if (first->start < start)
			first = vma_next(first);
	}
	detach_vmas(mm, first, end, d);
	return 0;
}

int munmap_locked(struct mm *mm, unsigned long start, unsigned long end)
{
	struct detached d;
	int err = munmap_prepare(mm, start, end, &d);

	if (!err && d.first) {
		unmap_detached(mm, &d);
		free_detached(&d);
	}
	return err;
}

int mm_munmap(struct mm *mm, unsigned long addr, unsigned long len)
{
	struct detached d;
	int err;

	if (!IS_ALIGNED(addr, PAGE_SIZE) || addr > TASK_SIZE || len > TASK_SIZE - addr)
		return -EINVAL;
	len = PAGE_ALIGN(len);
	if (len == 0)
		return -EINVAL;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	err = munmap_prepare(mm, addr, addr + len, &d);
	if (err || !d.first) {
		validate_mm(mm, addr, addr + len);
		mmap_write_unlock(mm);
		return err;
	}
	if (d.pages >= DOWNGRADE_PAGES) {
		mmap_write_downgrade(mm);
		unmap_detached(mm, &d);
		mmap_read_unlock(mm);
	} else {
		unmap_detached(mm, &d);
		validate_mm(mm, addr, addr + len);
		mmap_write_unlock(mm);
	}
	free_detached(&d);
	return 0;
}
