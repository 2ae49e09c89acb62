/* SPDX-License-Identifier: MIT
 *
 * One pass of a page fault, and the phases that it goes through: fault.c, anon.c, filemap.c, swap_fault.c.
 */
#ifndef MM_FAULT_CTX_H
#define MM_FAULT_CTX_H

#include "internal.h"

#define FAULT_IO_MAJOR 1u   /* I/O was started or waited for */
#define FAULT_IO_DIRTIED 2u /* a page of a file with a store became dirty: balance_dirty() */
#define FAULT_IO_ALONE 4u   /* reading failed together with neighbours: again, without them */

/* Everything one pass of the handler learns. Thrown away on FAULT_RETRY. */
struct fault_ctx {
	unsigned long addr; /* page-aligned */
	bool write;
	bool exec;
	bool vma_locked; /* the vma's lock is held, and not mmap_lock */
	bool force;	 /* populate: override a missing VM_READ; ptrace: a missing VM_WRITE */
	u8 io; /* FAULT_IO_*: what is left to do when the fault is over; stays through retries */
	struct vma *vma; /* set by fault_lookup() */
	pte_t *pte;	 /* set by fault_get_folio(), unless the caller knows it (populate) */
	pte_t old;	 /* the entry as fault_get_folio() saw it */
	pte_t new;	 /* the entry to install; 0: nothing to install, all done */
	struct folio *
		folio; /* what new maps, with the reference the entry will own; NULL: the zero page */
	struct folio *old_folio; /* COW source, with a reference to drop */
	struct folio
		*locked;    /* a page-cache page (folio or old_folio), locked against truncation */
	bool new_anon;	    /* folio is fresh and goes to the LRU */
	struct folio *wait; /* FAULT_WAIT: with a reference, fault_wait()'s */
};

/* The vma stays as it is, and so do its page tables. */
static inline void fault_assert_locked(const struct fault_ctx *f)
{
	ASSERT(f->vma_locked ? READ_ONCE(f->vma->readers)
			     : rwsem_is_locked(&f->vma->mm->mmap_lock));
}

/*
 * The address space's private pages were taken for want of memory: a page that is absent now may have been there, and whoever
 * reads zeroes or the file in its place might store them somewhere. Asked after the entry was seen to be none, or with the
 * page-table lock held. The killed threads notice nothing else of it.
 */
static inline bool fault_lost_pages(const struct mm *mm)
{
	return unlikely(READ_ONCE(mm->oom_reaped));
}

/*
 * Before the fault maps a new anonymous page: anon_vma_prepare(). Failure is FAULT_OOM, which a fault with the vma's lock
 * alone answers by taking mmap_lock. 0, -ENOMEM, -EAGAIN.
 */
int fault_make_anon_vma(const struct fault_ctx *f);
static __always_inline int __must_check fault_anon_vma(const struct fault_ctx *f)
{
	if (likely(__atomic_load_n(&f->vma->anon_vma, __ATOMIC_ACQUIRE)))
		return 0;
	return fault_make_anon_vma(f);
}

/* The caller's fault is done and had to do with I/O. */
static inline void fault_count_io(const struct fault_ctx *f)
{
	if (f->io & FAULT_IO_MAJOR)
		caller_count_major_faults(1);
	else
		caller_count_minor_faults(1);
}

/*
 * Phases 2 to 4. mmap_lock held for reading; addr, vma, pte (or NULL), write, exec and force set, and the
 * access known to be allowed. FAULT_RETRY: the entry changed meanwhile, look again. FAULT_WAIT: it takes I/O; drop
 * mmap_lock, fault_wait(f->wait), and look again from the start.
 */
enum fault_result fault_once(struct mm *mm, struct fault_ctx *f);
/* Waits for a page being read, drops the reference. FAULT_RETRY, FAULT_BUS (-EIO) or FAULT_KILLED. */
enum fault_result fault_wait(struct folio *folio);
/* A failed fault on behalf of a system call, as an errno; otherwise: what a page that is not to be had is there. */
static inline int fault_errno(enum fault_result r, int otherwise)
{
	return r == FAULT_OOM ? -ENOMEM : r == FAULT_KILLED ? -EINTR : otherwise;
}
/* Phase 2 for an empty entry and for a write to a read-only one. */
enum fault_result anon_get_folio(struct fault_ctx *f);
enum fault_result anon_write_protected(struct fault_ctx *f);
enum fault_result swap_get_folio(struct fault_ctx *f); /* for a swap entry */
enum fault_result filemap_get_fault_folio(struct mm *mm, struct fault_ctx *f);
/* Phase 2 for a migration entry: waits until it is gone, with mmap_lock held; then FAULT_RETRY. */
enum fault_result migration_entry_wait(struct fault_ctx *f);
/* fault_wait() for a folio of the swap cache. Drops the reference. */
enum fault_result swap_wait(struct folio *folio);
/*
 * Phase 3's part for a swap entry: its place is taken by f->new, which maps f->folio. Page-table lock held, folio
 * locked.
 */
void swap_replace_entry(struct mm *mm, struct fault_ctx *f);
/* fault_once() for an entry that was seen to be this swap entry; FAULT_RETRY when it is not any more. */
enum fault_result fault_swap_entry(struct mm *mm, struct fault_ctx *f, pte_t swapped);
/* The folio of the only entry that maps it leaves the swap cache: true when it is that entry's alone now. PTL held. */
bool swap_make_alone(struct folio *folio);
/* Maps what is cached around a read fault. Page-table lock not held. */
void filemap_fault_around(struct mm *mm, struct fault_ctx *f);

/* Phase 2 for a private copy: f->folio is fresh, and its contents are the caller's to set. False: no memory. */
bool anon_get_unset_folio(struct fault_ctx *f);

#endif
