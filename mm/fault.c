/* SPDX-License-Identifier: MIT
 *
 * The fault handler: a loop over four phases.
 *
 *   1 fault_lookup      which vma is it, does it allow the access, grow the stack?
 *   2 fault_get_folio   what should be there: the zero page, a new page, one from the cache, a copy
 *   3 fault_install     the entry, under the page-table lock, if it is still what phase 2 saw
 *   4 fault_to_lru      a new page becomes one that reclaim can find
 *
 * The cases of phase 2, by what the entry holds; the counters have the same names:
 *
 *   entry       access   vma               folio
 *   none        read     anonymous         the zero page, not counted              fault_get_folio_zero
 *   none        write    anonymous         new, zeroed                             fault_get_folio_anon
 *   none        read     file              from the page cache, and its neighbours fault_get_folio_file
 *   none        write    file, shared      from the page cache, dirty              fault_get_folio_file
 *   none        write    file, private     new, copied from the page cache         fault_get_folio_cow
 *   read-only   write    shared            the same, made writable                 fault_get_folio_file
 *   read-only   write    private, alone    the same, made writable                 pgreuse
 *   read-only   write    private           new, copied (from the zero page: zeroed) fault_get_folio_cow
 *   swap        any      any               from the swap cache or the device        pgmajfault
 *   allows it   any      any               nothing to do: someone was faster       fault_spurious
 *
 * Locking: the vma's lock for reading around a pass, or mmap_lock: only mm_handle_fault() takes and drops them. A fault
 * of a program tries the vma first (knob fault.lock), and begins again with mmap_lock when its vma cannot be found, or
 * is being changed, or when the pass ends with anything but success or a signal: it has to wait, or to make the vma's
 * first anon_vma, for which the neighbours are looked at. Phase 2 may sleep. A page-cache folio stays locked from phase 2 to the end, so that truncate cannot take it
 * out of the file in between. Phases 3 and 4 run under the page-table lock: what is seen in an entry
 * is on the LRU as soon as the lock is free.
 */
#include <mm/swap.h>
#include <mm/writeback.h>

#include "fault_ctx.h"
#include "large.h"
#include "lru.h"
#include "mapcount.h"
#include "mlock_count.h"
#include "vma.h"

/* Internal to this file: the address is below a GROWSDOWN vma, come back with the write lock. */
#define FAULT_GROW_STACK ((enum fault_result)(FAULT_KILLED + 1))

static bool access_allowed(const struct vma *vma, unsigned int how)
{
	if (how & FAULT_WRITE)
		return vma->flags & VM_WRITE;
	/*
	 * x86 has no write-only and no exec-only page, so an absent page needs any right at all; when
	 * the page is there, the CPU has already decided.
	 */
	return !(how & FAULT_PRESENT) && (vma->flags & VM_ACCESS);
}

/* Phase 1. Fills vma. */
static enum fault_result fault_lookup(struct mm *mm, unsigned int how, struct fault_ctx *f)
{
	struct vma *vma = __atomic_load_n(vma_hint(mm), __ATOMIC_RELAXED);

	/* Most faults hit the vma of the one before. */
	if (unlikely(!vma || f->addr < vma->start || f->addr >= vma->end))
		vma = vma_find(mm, f->addr);
	if (unlikely(!vma))
		return FAULT_MAPERR;
	if (unlikely(vma->start > f->addr))
		return vma->flags & VM_GROWSDOWN ? FAULT_GROW_STACK : FAULT_MAPERR;
	if (unlikely(!access_allowed(vma, how)))
		return FAULT_ACCERR;
	f->vma = vma;
	return FAULT_DONE;
}

/* A fault on an entry that allows the access: the TLB was behind, or another thread was faster. */
static enum fault_result fault_spurious(struct fault_ctx *f)
{
	stat_inc(FAULT_SPURIOUS);
	tlb_flush_local_page(f->addr);
	return FAULT_DONE;
}

/* Phase 2. Fills pte, old, new, folio. */
static inline enum fault_result fault_get_folio(struct mm *mm, struct fault_ctx *f)
{
	if (likely(!f->pte))
		f->pte = pgtable_alloc(&mm->pgt, f->addr);
	if (unlikely(!f->pte))
		return FAULT_OOM;
	f->old = pte_read(f->pte);
	if (likely(pte_none(f->old))) {
		if (fault_lost_pages(mm))
			return FAULT_BUS;
		if (likely(vma_is_anonymous(f->vma)))
			return anon_get_folio(f);
		return filemap_get_fault_folio(mm, f);
	}
	if (f->write && !pte_write(f->old))
		return anon_write_protected(f);
	if (unlikely(!pte_present(f->old)))
		return swap_get_folio(f);
	return fault_spurious(f);
}

/* A page gives way to its private copy: nobody may still write through the old entry when the new one appears. */
static void replace_old_folio(struct mm *mm, struct fault_ctx *f)
{
	struct folio *old = f->old_folio;
	pte_t e;

	huge_demote(f->pte);
	e = pte_get_and_clear(f->pte);
	tlb_flush_page(&mm->tlb, f->addr);
	if (!old)
		return;
	if (unlikely(pte_mlocked(e)))
		page_munlock(old, pte_page(e));
	page_remove_rmap(old, pte_page(e));
	atomic_dec(&mm->rss[folio_rss_kind(old)]);
	folio_put(old); /* the entry's; phase 2's own reference is still held */
}

/* Phase 3, at f's entry. Page-table lock held. FAULT_RETRY: the entry changed since phase 2 looked at it. */
static __always_inline enum fault_result fault_install(struct mm *mm, struct fault_ctx *f,
						       pte_t *pte, bool new_anon)
{
	struct folio *folio = f->folio;
	pte_t old = f->old, new = f->new;

	if (unlikely(pte_read(pte) != old))
		return FAULT_RETRY;
	if (likely(pte_none(old)))
		pte_used_inc(pte);
	else if (likely(pte_present(old)))
		replace_old_folio(mm, f);
	else
		swap_replace_entry(mm, f);
	if (likely(new_anon)) {
		atomic_set(&folio->mapcount, 1);
		atomic_set(&folio->mlock_count, pte_mlocked(new));
		stat_inc(NR_ANON_PAGES);
		atomic_inc(&mm->rss[RSS_ANON]);
	} else if (folio) {
		page_add_rmap(folio, pfn_to_page(pte_pfn(new)));
		atomic_inc(&mm->rss[folio_rss_kind(folio)]);
		if (unlikely(pte_mlocked(new)))
			page_mlock(folio, pfn_to_page(pte_pfn(new)));
	}
	pte_set(pte, new);
	return FAULT_DONE;
}

/* Phase 4, for a fresh folio. Page-table lock held. */
static __always_inline void fault_to_lru(struct fault_ctx *f)
{
	lru_add_new(f->folio);
	/* Reclaim drops it, as after MADV_FREE, instead of writing it to swap. */
	if (unlikely(f->vma->flags & VM_DROPPABLE))
		lru_mark_lazyfree(f->folio);
}

/* Drops what phase 2 brought and the entry did not take over. */
static void fault_release(struct fault_ctx *f, bool installed)
{
	if (f->locked)
		folio_unlock(f->locked);
	if (f->folio && !installed)
		folio_put(f->folio);
	if (f->old_folio) {
		if (installed && mlock_by_rmap())
			mlock_recount(&f->old_folio, 1);
		if (unlikely(folio_test(f->old_folio, PG_swapcache)))
			swap_free_if_unused(f->old_folio);
		folio_put(f->old_folio);
	}
}

static __always_inline void fault_begin(struct fault_ctx *f)
{
	f->new = 0;
	f->folio = NULL;
	f->old_folio = NULL;
	f->new_anon = false;
	f->locked = NULL;
}

/* Phases 3 and 4. */
static __always_inline enum fault_result fault_end(struct mm *mm, struct fault_ctx *f)
{
	pte_t *pte = f->pte;
	spinlock_t *ptl = pte_lockptr(pte);
	bool new_anon = f->new_anon;
	enum fault_result r;

	spin_lock(ptl);
	r = fault_install(mm, f, pte, new_anon);
	if (likely(r == FAULT_DONE) && new_anon)
		fault_to_lru(f);
	spin_unlock(ptl);
	trace(fault_phase, TRACE_PHASE_INSTALL);

	if (unlikely(r == FAULT_RETRY)) {
		/* Someone was faster: perhaps with what this access needs, perhaps not. */
		stat_inc(FAULT_LOST_RACE);
		fault_release(f, false);
		return FAULT_RETRY;
	}
	if (unlikely(f->locked || f->old_folio)) {
		fault_release(f, true);
		/* A page from swap that others have, too, is here now; next it is copied. */
		if (unlikely(!pte_present(f->old)) && !pte_none(f->old) && f->write &&
		    !pte_dirty(f->new))
			return FAULT_RETRY;
	}
	return FAULT_DONE;
}

static __always_inline enum fault_result fault_pass(struct mm *mm, struct fault_ctx *f)
{
	enum fault_result r;

	fault_assert_locked(f);
	fault_begin(f);
	r = fault_get_folio(mm, f);
	trace(fault_phase, TRACE_PHASE_FOLIO);
	if (unlikely(r != FAULT_DONE) || !f->new)
		return r;
	return fault_end(mm, f);
}

enum fault_result fault_once(struct mm *mm, struct fault_ctx *f)
{
	return fault_pass(mm, f);
}

enum fault_result fault_swap_entry(struct mm *mm, struct fault_ctx *f, pte_t swapped)
{
	enum fault_result r;

	mmap_assert_locked(mm);
	fault_begin(f);
	f->old = swapped;
	r = swap_get_folio(f);
	return r == FAULT_DONE ? fault_end(mm, f) : r;
}

/* Phase 1 found the address just below a stack: grow it under the write lock. Returns with the read lock. */
static enum fault_result fault_grow_stack(struct mm *mm, unsigned long addr)
{
	enum fault_result r;

	mmap_read_unlock(mm);
	if (mmap_write_lock_killable(mm)) {
		mmap_read_lock(mm);
		return FAULT_KILLED;
	}
	r = stack_grow(mm, addr);
	validate_mm(mm, addr, addr);
	mmap_write_downgrade(mm);
	return r;
}

/* Others may change the layout meanwhile. */
static enum fault_result fault_wait_unlocked(struct mm *mm, const struct fault_ctx *f)
{
	enum fault_result r;

	mmap_read_unlock(mm);
	r = fault_wait(f->wait);
	mmap_read_lock(mm);
	return r;
}

/* A pass ended with r: true when another one may get further. */
static __noinline bool fault_again(struct mm *mm, const struct fault_ctx *f, enum fault_result *r)
{
	if (*r == FAULT_GROW_STACK)
		*r = fault_grow_stack(mm, f->addr) == FAULT_DONE ? FAULT_RETRY : FAULT_MAPERR;
	else if (*r == FAULT_WAIT)
		*r = fault_wait_unlocked(mm, f);
	return *r == FAULT_RETRY;
}

/* The end of a fault that had to do with I/O. mmap_lock not held. */
static __noinline void fault_end_io(const struct fault_ctx *f, enum fault_result r)
{
	if (f->io & FAULT_IO_MAJOR)
		stat_inc(PGMAJFAULT);
	if (r == FAULT_DONE)
		fault_count_io(f);
	if (f->io & FAULT_IO_DIRTIED)
		balance_dirty();
}

int fault_make_anon_vma(const struct fault_ctx *f)
{
	struct mm *mm = f->vma->mm;
	int err;

	if (!f->vma_locked)
		return anon_vma_make(f->vma);
	/* Who has it for writing may be waiting for this vma. */
	if (!mmap_read_trylock(mm))
		return -EAGAIN;
	err = anon_vma_make(f->vma);
	mmap_read_unlock(mm);
	return err;
}

/* The vma's lock is not enough, or the folio that is waited for ends the wait: again, with mmap_lock. */
static __noinline enum fault_result vma_lock_failed(const struct fault_ctx *f, enum fault_result r)
{
	if (r != FAULT_WAIT && r != FAULT_RETRY && r != FAULT_OOM)
		return r;
	stat_inc(VMA_LOCK_RETRY);
	trace(fault_retry, f->addr, r);
	return r == FAULT_WAIT ? fault_wait(f->wait) : FAULT_RETRY;
}

/* A pass with the lock of the vma alone. FAULT_RETRY: it takes mmap_lock. */
static __always_inline enum fault_result fault_with_vma_lock(struct mm *mm, unsigned int how,
							     struct fault_ctx *f)
{
	enum fault_result r = FAULT_ACCERR;

	f->vma = vma_read_lock_at(mm, f->addr);
	if (unlikely(!f->vma)) {
		trace(fault_retry, f->addr, FAULT_RETRY);
		return FAULT_RETRY;
	}
	f->vma_locked = true;
	f->pte = NULL;
	trace(fault_phase, TRACE_PHASE_LOOKUP);
	if (likely(access_allowed(f->vma, how)))
		r = fault_pass(mm, f);
	vma_end_read(mm, f->vma);
	if (likely(r == FAULT_DONE)) {
		stat_inc(VMA_LOCK_SUCCESS);
		return r;
	}
	return vma_lock_failed(f, r);
}

static __noinline enum fault_result fault_with_mmap_lock(struct mm *mm, unsigned int how,
							 struct fault_ctx *f)
{
	enum fault_result r;

	if (unlikely(mmap_read_lock_killable(mm)))
		return FAULT_KILLED;
	f->vma_locked = false;
	do {
		f->pte = NULL;
		r = fault_lookup(mm, how, f);
		trace(fault_phase, TRACE_PHASE_LOOKUP);
		if (likely(r == FAULT_DONE))
			r = fault_pass(mm, f);
	} while (unlikely(r != FAULT_DONE) && fault_again(mm, f, &r));
	mmap_read_unlock(mm);
	return r;
}

enum fault_result mm_handle_fault(struct mm *mm, unsigned long addr, unsigned int how)
{
	struct fault_ctx f;
	enum fault_result r = FAULT_RETRY;

	stat_inc(PGFAULT);
	f.addr = addr & PAGE_MASK;
	f.write = how & FAULT_WRITE;
	f.exec = how & FAULT_EXEC;
	f.force = false;
	f.io = 0;
	if (likely(how & FAULT_USER) && likely(READ_ONCE(knob_fault_lock) == FAULT_LOCK_VMA))
		r = fault_with_vma_lock(mm, how, &f);
	if (unlikely(r == FAULT_RETRY))
		r = fault_with_mmap_lock(mm, how, &f);
	if (unlikely(f.io))
		fault_end_io(&f, r);
	else if (likely(r == FAULT_DONE))
		caller_count_minor_faults(1);
	return r;
}
