/* SPDX-License-Identifier: MIT
 *
 * Population: faulting in a range before it is touched, after the layout change that asked for it is
 * complete and its write lock is gone (mailing-list thread of December 2012).
 *
 * The range is walked under the read lock in batches of knob populate.batch pages. Between batches the
 * lock is dropped when a writer waits, and the vma is looked up again: it may be gone (skipped) or be
 * another one (populated like any other). Linux keeps the lock through a whole anonymous populate; a
 * waiting mmap() there waits for all of it.
 *
 * The alternatives of the thread are knobs: populate=under_write_lock does it before the writer lets go,
 * as before 2013; eager fills every mapping, as a kernel without an MMU must; populate.vm_populate=on
 * goes only into vmas that carry VM_POPULATE, as Linux 3.9-rc did.
 */
#include <mm/swap.h>
#include <mm/writeback.h>

#include "fault_ctx.h"
#include "large.h"
#include "madvise.h"
#include "mlock_count.h"
#include "populate.h"
#include "vma.h"

/* How far a walk over the range has come. */
struct walk {
	unsigned long addr;
	unsigned long budget; /* pages that may still be faulted in under this hold of mmap_lock */
	struct folio *wait;   /* the page at addr takes I/O: fault_wait() it, then go on there */
	bool dirtied;	      /* pages of files with a store: balance_dirty() */
	u8 io;		      /* FAULT_IO_* of the page at addr, which was waited for */
};

static __noinline void count_io(struct fault_ctx *f, struct walk *w)
{
	if (f->io & FAULT_IO_MAJOR)
		stat_inc(PGMAJFAULT);
	fault_count_io(f);
	w->dirtied |= f->io & FAULT_IO_DIRTIED;
	f->io = 0;
}

/* The page at f->addr. 0 or -errno; -EAGAIN: w->wait first. */
static inline int populate_page(struct mm *mm, struct fault_ctx *f, struct walk *w)
{
	enum fault_result r;

	do
		r = fault_once(mm, f);
	while (unlikely(r == FAULT_RETRY));
	if (unlikely(r == FAULT_WAIT)) {
		w->wait = f->wait;
		w->io = f->io;
		return -EAGAIN;
	}
	if (unlikely(r != FAULT_DONE))
		return fault_errno(r, -EFAULT);
	stat_inc(PGFAULT);
	if (unlikely(f->io))
		count_io(f, w);
	else
		caller_count_minor_faults(1);
	return 0;
}

/* Entries from pte, at most max, that are none. */
static unsigned int count_none(const pte_t *pte, unsigned long max)
{
	unsigned int n = 0;

	while (n < max && pte_none(pte_read(pte + n)))
		n++;
	return n;
}

/* New pages for the none entries from f->pte, at most max of them: how many, 0 when it is not so simple. */
static unsigned int populate_run(struct mm *mm, struct fault_ctx *f, unsigned long max)
{
	unsigned int n;

	if (!f->write || !vma_is_anonymous(f->vma) || (f->vma->flags & (VM_SHARED | VM_DROPPABLE)))
		return 0;
	n = count_none(f->pte, min(max, ANON_POPULATE_MAX));
	if (n && unlikely(thp_fault_orders(f->vma)) &&
	    anon_fault_large(f, thp_fault_orders(f->vma)))
		n = 1; /* and what more of it is here is filled now */
	else if (n)
		n = anon_populate(mm, f->vma, f->addr, f->pte, n);
	stat_add(PGFAULT, n);
	caller_count_minor_faults(n);
	return n;
}

#define GROUP 8

/* How many entries from pte, at most max, need nothing: a group at a time, what is left over one by one. */
static inline unsigned long count_filled(const pte_t *pte, unsigned long max, pte_t enough)
{
	unsigned long n = 0;

	while (n + GROUP <= max) {
		pte_t all = enough;

#pragma GCC unroll 8
		for (unsigned int i = 0; i < GROUP; i++)
			all &= pte_read(pte + n + i);
		if (all != enough)
			break;
		n += GROUP;
	}
	while (n < max && (pte_read(pte + n) & enough) == enough)
		n++;
	return n;
}

/*
 * Populates from w->addr to the end of the vma, or of the table (which mmap_lock keeps in place, so that it
 * is looked up once), or until the budget is used up; w->addr is what was reached.
 */
static int populate_table(struct mm *mm, struct vma *vma, struct walk *w, unsigned long end,
			  bool write)
{
	unsigned long stop = min(end, ALIGN_DOWN(w->addr, PMD_SIZE) + PMD_SIZE);
	unsigned long left = w->budget;
	pte_t enough = write ? PTE_P | PTE_W : PTE_P;
	struct fault_ctx f = { .addr = w->addr, .write = write, .vma = vma, .io = w->io };
	int err = 0;

	trace(populate_batch_begin, f.addr, stop);
	w->io = 0;
	f.pte = pgtable_alloc(&mm->pgt, f.addr);
	if (!f.pte)
		return -ENOMEM;
	while (f.addr < stop) {
		unsigned long pages = (stop - f.addr) >> PAGE_SHIFT;
		unsigned long n = count_filled(f.pte, pages, enough);

		if (n < pages) {
			unsigned int made;

			f.addr += n * PAGE_SIZE;
			f.pte += n;
			if (!left)
				break;
			made = populate_run(mm, &f, min(pages - n, left));
			if (unlikely(!made)) {
				err = populate_page(mm, &f, w);
				if (err)
					break;
				made = 1;
			}
			left -= made;
			n = made;
		}
		f.addr += n * PAGE_SIZE;
		f.pte += n;
	}
	trace(populate_batch_end, f.addr, (long)(w->budget - left), err);
	w->addr = f.addr;
	w->budget = left;
	return err;
}

/* populate_table() came to a page that takes I/O. The lock is dropped for that unless it is held for writing. */
static __noinline int populate_wait(struct mm *mm, struct walk *w, bool read_held)
{
	struct folio *folio = w->wait;
	enum fault_result r;

	w->wait = NULL;
	if (read_held)
		mmap_read_unlock(mm);
	r = fault_wait(folio);
	if (read_held)
		mmap_read_lock(mm);
	return r == FAULT_RETRY ? 0 : fault_errno(r, -EFAULT);
}

void mmap_read_yield(struct mm *mm)
{
	if (rwsem_is_contended(&mm->mmap_lock)) {
		mmap_read_unlock(mm);
		cond_resched();
		mmap_read_lock(mm);
	} else {
		cond_resched();
	}
}

/* munlock=gup: goes into vmas locked on fault, too, and not even SIGKILL ends it. */
#define POPULATE_GUP 4u

/* A vma that is not to be filled although the range is. */
static bool populate_skips(const struct vma *vma, unsigned int how)
{
	if ((how & POPULATE_LOCKED) && !(vma->flags & VM_LOCKED))
		return true;
	if (vma->flags & (VM_IO | VM_PFNMAP))
		return true;
	if (knob_populate == POPULATE_EAGER || (how & POPULATE_GUP))
		return false;
	if (vma->flags & VM_LOCKONFAULT)
		return true;
	return knob_populate_vm_populate && !(vma->flags & VM_POPULATE);
}

/* One table of the vma that contains w->addr, or all of the vma when it is not to be filled. */
static int populate_step(struct mm *mm, struct vma *vma, struct walk *w, unsigned long end,
			 unsigned int how)
{
	if (populate_skips(vma, how)) {
		w->addr = vma->end;
		return 0;
	}
	if (!(how & POPULATE_GUP) && park_interrupted(PARK_KILLABLE))
		return -EINTR;
	if (!(vma->flags & VM_ACCESS) || vma_is_secret(vma))
		return -EFAULT;
	return populate_table(mm, vma, w, min(end, vma->end), populate_writes(vma));
}

/* mmap_lock held; given up between batches when only for reading. */
static int populate_range(struct mm *mm, unsigned long start, unsigned long end, unsigned int how,
			  bool read_held)
{
	struct walk w = { .addr = start, .budget = knob_populate_batch };
	int err = 0;

	while (w.addr < end) {
		struct vma *vma = vma_find(mm, w.addr);
		unsigned long before = w.budget, vma_end;

		if (!vma || vma->start >= end)
			break;
		vma_end = vma->end;
		w.addr = max(w.addr, vma->start);
		err = populate_step(mm, vma, &w, end, how);
		if (unlikely(err == -EAGAIN)) {
			err = populate_wait(mm, &w, read_held);
			if (!err)
				continue;
		}
		if (err == -EINTR || (err && (how & POPULATE_STRICT)))
			break;
		if (err)
			w.addr = vma_end;
		w.budget -=
			w.budget == before; /* looking at what is full or left out is work, too */
		if (read_held && !w.budget)
			mmap_read_yield(mm);
		else
			cond_resched();
		w.budget = w.budget ?: knob_populate_batch;
	}
	mlock_batch_drain();
	return err;
}

int mm_populate(struct mm *mm, unsigned long start, unsigned long end, unsigned int how)
{
	int err;

	mmap_read_lock(mm);
	err = populate_range(mm, start, end, how, true);
	mmap_read_unlock(mm);
	return err;
}

int unlock_and_populate(struct mm *mm, unsigned long start, unsigned long end, unsigned int how)
{
	int err;

	if (knob_populate == POPULATE_UNDER_WRITE_LOCK) {
		err = populate_range(mm, start, end, how, false);
		mmap_write_unlock(mm);
	} else {
		mmap_write_unlock(mm);
		err = mm_populate(mm, start, end, how);
	}
	return err;
}

void munlock_by_gup(struct mm *mm, unsigned long start, unsigned long end)
{
	mmap_assert_write_locked(mm);
	(void)populate_range(mm, start, end, POPULATE_LOCKED | POPULATE_GUP, false);
}

int populate_advice(struct mm *mm, unsigned long start, unsigned long end, bool write)
{
	unsigned long need = write ? VM_WRITE : VM_READ;
	struct walk w = { .addr = start };
	int err = 0;

	mmap_read_lock(mm);
	while (w.addr < end && !err) {
		struct vma *vma = vma_lookup(mm, w.addr);

		w.budget = knob_populate_batch;
		if (!vma)
			err = -ENOMEM;
		else if ((vma->flags & (VM_IO | VM_PFNMAP)) || !(vma->flags & need) ||
			 vma_is_secret(vma))
			err = -EINVAL;
		else if (park_interrupted(PARK_KILLABLE))
			err = -EINTR;
		else
			err = populate_table(mm, vma, &w, min(end, vma->end), write);
		if (unlikely(err == -EAGAIN))
			err = populate_wait(mm, &w, true);
		else if (!err)
			mmap_read_yield(mm);
		if (unlikely(w.dirtied)) {
			mmap_read_unlock(mm);
			balance_dirty();
			w.dirtied = false;
			mmap_read_lock(mm);
		}
	}
	mmap_read_unlock(mm);
	return err;
}

/* A forced write is done once the page is the mm's own, though the entry stays read-only. */
static bool is_own_copy(const struct vma *vma, pte_t e)
{
	struct folio *folio;
	bool own;

	if ((vma->flags & VM_WRITE) || pte_special(e) || !pte_dirty(e))
		return false;
	folio = pfn_folio(pte_pfn(e));
	/* Who moves the folio has its lock, and what were others' entries are in no count meanwhile. */
	if (!folio_test(folio, PG_anon) || !folio_trylock(folio))
		return false;
	own = page_mapcount(pfn_to_page(pte_pfn(e))) == 1 &&
	      (!folio_test(folio, PG_swapcache) || swap_slot_count(READ_ONCE(folio->swap)) == 0);
	folio_unlock(folio);
	return own;
}

struct page *mm_get_page(struct mm *mm, unsigned long addr, bool write, bool force)
{
	struct fault_ctx f = { .addr = addr & PAGE_MASK, .write = write, .force = force };
	struct page *page = ERR_PTR(-EFAULT);
	enum fault_result r = FAULT_DONE;

	mmap_read_lock(mm);
	while (r == FAULT_DONE || r == FAULT_RETRY) {
		unsigned long need = write ? VM_WRITE : VM_READ;
		spinlock_t *ptl;
		pte_t *pte, e;

		f.vma = vma_lookup(mm, f.addr);
		if (!f.vma || (f.vma->flags & (VM_IO | VM_PFNMAP)) || vma_is_secret(f.vma))
			break;
		/* force reads and writes what the vma only might allow, but never through to a shared file. */
		if (!(f.vma->flags & need) &&
		    (!force || !(f.vma->flags & (need << 4)) || (write && vma_is_shared(f.vma))))
			break;
		pte = pgtable_find(&mm->pgt, f.addr);
		if (pte) {
			ptl = pte_lockptr(pte);
			spin_lock(ptl);
			e = pte_read(pte);
			if (pte_present(e) && (!write || pte_write(e) || is_own_copy(f.vma, e))) {
				page = zero_page_frame; /* of whichever size it is */
				if (!pte_special(e)) {
					page = pfn_to_page(pte_pfn(e));
					folio_get(page_folio(page));
				}
			}
			spin_unlock(ptl);
			if (!IS_ERR(page))
				break;
		}
		f.pte = NULL;
		r = fault_once(mm, &f);
		if (unlikely(r == FAULT_WAIT)) {
			mmap_read_unlock(mm);
			r = fault_wait(f.wait);
			mmap_read_lock(mm);
		}
		if (r == FAULT_OOM)
			page = ERR_PTR(-ENOMEM);
	}
	mmap_read_unlock(mm);
	return page;
}

void mm_put_page(struct page *page)
{
	if (page != zero_page_frame)
		folio_put(page_folio(page));
}
