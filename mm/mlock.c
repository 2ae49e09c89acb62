/* SPDX-License-Identifier: MIT
 *
 * Locking memory: mlock, mlock2, munlock, mlockall, munlockall.
 *
 * Three steps, each with the lock it needs:
 *
 *   1 the vmas       mmap_lock for writing: check, charge, split and merge, set VM_LOCKED
 *   2 what is there  mmap_lock for reading, a table at a time: entries are brought in line with their vma
 *   3 what is not    populate.c: for locking, not for unlocking; nothing for lock on fault
 *
 * Which mappings of a folio are locked is said by the entries themselves: PTE_MLOCKED is set in the
 * same moment, under the page-table lock, in which the folio's mlock_count is raised, and whoever
 * removes the entry finds the bit in it. So the count is exact whatever happens between the steps: a
 * fault, a truncation, another mlock. Step 2 looks the vma up again for each table and does what its
 * flags say then; of two calls that race, the one that took the write lock last decides.
 *
 * munlock never faults a page in (mailing-list thread of 2009): step 2 visits page tables that exist,
 * so a hole costs nothing, and it allocates nothing, so exit and lack of memory are no obstacles.
 */
#include "large.h"
#include "mapcount.h"
#include "mlock_count.h"
#include "populate.h"
#include "vma.h"

/* ---- step 1: the vmas. mmap_lock held for writing ---- */

/* What a change of the vmas leaves for step 2: nothing when start >= end. */
struct lock_change {
	unsigned long start, end;
	bool incomplete; /* step 2 met a page that step 3 has to fault in */
};

/* The lock bits as a vma carries them. */
static unsigned long lock_bits(bool onfault)
{
	unsigned long bits = VM_LOCKED | (knob_populate_vm_populate ? VM_POPULATE : 0);

	return onfault && knob_lockonfault == LOCKONFAULT_VMA ? bits | VM_LOCKONFAULT : bits;
}

unsigned long future_lock_bits(const struct mm *mm)
{
	return lock_bits(mm->def_flags & VM_LOCKONFAULT);
}

/* These keep the bits they have, silently: special mappings none, droppable memory none, secret memory its own. */
static bool refuses_lock(const struct vma *vma)
{
	return (vma->flags & (VM_SPECIAL | VM_DROPPABLE)) || vma_is_secret(vma);
}

/*
 * Gives [start, end) of a vma these lock bits, which replace the old ones. The vma that covers it
 * afterwards, or ERR_PTR(-ENOMEM).
 */
static __always_inline struct vma *set_lock_bits(struct mm *mm, struct vma *vma,
						 unsigned long start, unsigned long end,
						 unsigned long bits, struct lock_change *c)
{
	unsigned long old = vma->flags, new = (old & ~VM_LOCK_BITS) | bits;
	long pages = (long)((end - start) >> PAGE_SHIFT);

	if (new == old || refuses_lock(vma))
		return vma;
	if (unlikely(knob_munlock == MUNLOCK_GUP) && !(new &VM_LOCKED))
		munlock_by_gup(mm, start, end);
	vma = vma_modify(mm, vma, start, end, new);
	if (IS_ERR(vma))
		return vma;
	if ((old ^ new) & VM_LOCKED) {
		mm->locked_vm += (unsigned long)(new &VM_LOCKED ? pages : -pages);
		c->start = min(c->start, start);
		c->end = max(c->end, end);
	}
	return vma;
}

/*
 * A hole is -ENOMEM after everything below it was changed, as in Linux: a locked part is of use to who
 * asked.
 */
static __always_inline int lock_vmas(struct mm *mm, unsigned long start, unsigned long end,
				     unsigned long bits, struct lock_change *c)
{
	struct vma *vma;

	if (end < start)
		return -EINVAL;
	for (vma = vma_find(mm, start); start < end; vma = vma_next(vma)) {
		if (!vma || vma->start > start)
			return -ENOMEM;
		vma = set_lock_bits(mm, vma, start, min(end, vma->end), bits, c);
		if (IS_ERR(vma))
			return (int)PTR_ERR(vma);
		start = vma->end; /* which may be further: it merged with its equal neighbour */
	}
	return 0;
}

/* Every vma there is; one that cannot be changed for want of memory keeps its state, as in Linux. */
static void lock_all_vmas(struct mm *mm, unsigned long bits, struct lock_change *c)
{
	struct vma *vma = vma_first(mm);

	while (vma) {
		struct vma *changed = set_lock_bits(mm, vma, vma->start, vma->end, bits, c);

		vma = vma_next(IS_ERR(changed) ? vma : changed);
	}
}

static unsigned long count_locked(struct mm *mm, unsigned long start, unsigned long end)
{
	unsigned long pages = 0;

	for (struct vma *vma = vma_find(mm, start); vma && vma->start < end; vma = vma_next(vma))
		if (vma->flags & VM_LOCKED)
			pages += (min(end, vma->end) - max(start, vma->start)) >> PAGE_SHIFT;
	return pages;
}

/* RLIMIT_MEMLOCK allows [start, start + len) to be locked; what is locked there already is free. */
static bool limit_allows(struct mm *mm, unsigned long limit, unsigned long start, unsigned long len)
{
	unsigned long pages = (len >> PAGE_SHIFT) + mm->locked_vm;

	limit >>= PAGE_SHIFT;
	if (likely(pages <= limit) || caller_has_ipc_lock())
		return true;
	return pages - count_locked(mm, start, start + len < start ? ~0UL : start + len) <= limit;
}

/* ---- step 2: the entries that exist ---- */

/* So many folios whose mlock_count changed between 0 and 1 go to the LRU together. */
#define CHANGED_BATCH 64

/* The entry gets PTE_MLOCKED or loses it. True when its folio is to be told to the LRU. */
static __always_inline bool mark_entry(pte_t *pte, struct folio *folio, bool lock)
{
	if (lock) {
		pte_set_bits(pte, PTE_MLOCKED);
		return atomic_add_return(&folio->mlock_count, 1) == 1;
	}
	pte_clear_bits(pte, PTE_MLOCKED);
	return atomic_dec_and_test(&folio->mlock_count);
}

/*
 * The same for a run of entries, from pte[i] and before end, that map pages of a large folio; the LRU knows afterwards.
 * Returns where the run ends.
 */
static __noinline pte_t *mark_large(pte_t *pte, unsigned int i, const pte_t *end, bool lock)
{
	struct page *page = pte_page(pte_read(pte += i));
	struct folio *folio = page_folio(page);
	unsigned int n = large_run(pte, (unsigned int)(end - pte));

	if (n < PTRS_PER_TABLE)
		huge_demote(pte);
	for (i = 0; i < n; i++)
		if (lock)
			pte_set_bits(pte + i, PTE_MLOCKED);
		else
			pte_clear_bits(pte + i, PTE_MLOCKED);
	if (lock)
		large_mlock(folio, page, n);
	else
		large_munlock(folio, page, n);
	return pte + n;
}

static __always_inline void tell_lru(struct folio **folios, unsigned int nr, bool lock)
{
	if (lock)
		lru_mlock(folios, nr);
	else
		lru_munlock(folios, nr);
}

/* Whether the entry is to be changed. One that is locked is present, and not special. */
static __always_inline bool wants_mark(pte_t e, bool lock)
{
	return lock ? pte_present(e) && !(e & (PTE_SPECIAL | PTE_MLOCKED)) : pte_mlocked(e);
}

/* Folios whose mlock_count changed between 0 and 1, and, when locking, the bits that all entries have. */
struct marked {
	struct folio **first, **next;
	pte_t common;
};

static __always_inline void tell_lru_of(struct marked *m, bool lock)
{
	if (m->next > m->first)
		tell_lru(m->first, (unsigned int)(m->next - m->first), lock);
	m->next = m->first;
}

/* False, and nothing done: the entry, which is to be changed, maps a page of a large folio. */
static __always_inline bool mark_single(struct marked *m, pte_t *pte, bool lock)
{
	pte_t e = pte_read(pte);
	struct folio *folio = (struct folio *)pte_page(e);

	if (lock)
		m->common &= e;
	if (!wants_mark(e, lock))
		return true;
	if (unlikely(RACY_READ(folio->flags) & (1UL << PG_tail | 1UL << PG_large)))
		return false;
	*m->next = folio;
	m->next += mark_entry(pte, folio, lock);
	return true;
}

/* Entries [pte, stop) of a line, and the rest of a large folio's up to end. Returns how far it came. */
static __always_inline pte_t *mark_some(struct marked *m, pte_t *pte, const pte_t *stop,
					const pte_t *end, bool lock)
{
	while (pte < stop)
		pte = mark_single(m, pte, lock) ? pte + 1 : mark_large(pte, 0, end, lock);
	return pte;
}

/* All entries of a line. How many were done: all of them, or those before a large folio's. */
static __always_inline unsigned int mark_line(struct marked *m, pte_t *line, bool lock)
{
#pragma GCC unroll 8
	for (unsigned int i = 0; i < PTE_GROUP; i++)
		if (unlikely(!mark_single(m, line + i, lock)))
			return i;
	return PTE_GROUP;
}

/* Entries [pte, stop), whole lines. Returns how far it came: to the end, or past a large folio, which may reach to end. */
static __always_inline pte_t *mark_lines(struct marked *m, pte_t *pte, pte_t *stop,
					 const pte_t *end, bool lock)
{
	pte_t *const table = (pte_t *)((unsigned long)pte & PAGE_MASK);
	const u64 all = pte_lines(pte, stop);
	u64 lines = pte_table(pte)->pt_groups & all;

	if (lines != all)
		m->common = 0;
	for (; lines; lines &= lines - 1) {
		pte_t *line = table + (unsigned long)__builtin_ctzll(lines) * PTE_GROUP;
		unsigned int n = mark_line(m, line, lock);

		if (unlikely(n < PTE_GROUP))
			return mark_large(line, n, end, lock);
		if (unlikely(m->next > m->first + CHANGED_BATCH - PTE_GROUP))
			tell_lru_of(m, lock);
	}
	return stop;
}

/* Entries [pte, end) of one table. Its lock held. Returns the bits that all of them have. */
static __always_inline pte_t mark_many(pte_t *pte, pte_t *end, bool lock)
{
	const unsigned long line = PTE_GROUP * sizeof(pte_t);
	struct folio *changed[CHANGED_BATCH];
	struct marked m = { changed, changed, ~0UL };

	while (pte < end) {
		if (IS_ALIGNED((unsigned long)pte, line) && end - pte >= PTE_GROUP)
			pte = mark_lines(&m, pte, (pte_t *)ALIGN_DOWN((unsigned long)end, line),
					 end, lock);
		else
			pte = mark_some(&m, pte, min(pte_line_end(pte), end), end, lock);
		tell_lru_of(&m, lock);
	}
	return m.common;
}

static __noinline pte_t lock_many(pte_t *pte, pte_t *end)
{
	return mark_many(pte, end, true);
}

static __noinline pte_t unlock_many(pte_t *pte, pte_t *end)
{
	return mark_many(pte, end, false);
}

/* The same, when they are in one line. */
static __always_inline pte_t mark_few(pte_t *pte, pte_t *end, bool lock)
{
	struct folio *changed[PTE_GROUP];
	struct marked m = { changed, changed, ~0UL };

	(void)mark_some(&m, pte, end, end, lock);
	tell_lru_of(&m, lock);
	return m.common;
}

static pte_t mark_table(pte_t *pte, unsigned long n, bool lock)
{
	spinlock_t *ptl = pte_lockptr(pte);
	pte_t *end = pte + n, common;

	if (mlock_by_rmap()) {
		mark_by_rmap(pte, end, lock);
		return 0;
	}
	spin_lock(ptl);
	if (end <= pte_line_end(pte))
		common = lock ? mark_few(pte, end, true) : mark_few(pte, end, false);
	else
		common = lock ? lock_many(pte, end) : unlock_many(pte, end);
	spin_unlock(ptl);
	return common;
}

/* The first table of [start, end) inside vma that exists. Returns where it ends: the range when there is none. */
static unsigned long mark_next_table(struct mm *mm, const struct vma *vma, unsigned long start,
				     unsigned long end, struct lock_change *c)
{
	const pte_t enough = populate_wants(vma);
	unsigned long at = start, stop;
	pte_t *pte = NULL, common = 0;

	/* Nothing that counts was ever here: its tables, which neighbours may share, need not be looked for. */
	if (!vma_is_anonymous(vma) || vma_has_anon(vma))
		pte = pgtable_next(&mm->pgt, &at, end, &stop);
	if (pte)
		common = mark_table(pte, (stop - at) >> PAGE_SHIFT, vma->flags & VM_LOCKED);
	c->incomplete |= at != start || (common & enough) != enough;
	return pte ? stop : end;
}

/* What exists of the changed range is marked as its vmas say. mmap_lock held; yield: for reading. */
static void mark_range(struct mm *mm, struct lock_change *c, bool yield)
{
	unsigned long start = c->start;

	mlock_batch_drain();
	while (start < c->end) {
		struct vma *vma = vma_find(mm, start);

		if (!vma || vma->start >= c->end)
			break;
		start = mark_next_table(mm, vma, max(start, vma->start), min(c->end, vma->end), c);
		if (yield && start < c->end)
			mmap_read_yield(mm);
	}
	mlock_batch_drain();
}

/* Step 2 has seen all pages of [start, end). A hole between vmas is -ENOMEM, and was found in step 1. */
static bool is_filled(const struct lock_change *c, unsigned long start, unsigned long end)
{
	return !c->incomplete && c->start <= start && end <= c->end;
}

/* Steps 2 and 3. mmap_lock held for writing; dropped. Populates [start, end), or nothing if empty. */
static int finish_locking(struct mm *mm, struct lock_change *c, unsigned long start,
			  unsigned long end, unsigned int how)
{
	bool populate = start < end, changed = c->start < c->end;
	/* One table is no longer a hold than the change of the vmas was. */
	bool at_once = changed && ALIGN_DOWN(c->start, PMD_SIZE) + PMD_SIZE >= c->end;
	int err = 0;

	if (changed && !at_once && pgtable_is_untouched(&mm->pgt, c->start, c->end)) {
		c->incomplete = true;
		changed = false;
	}
	if (at_once || (changed && populate && knob_populate == POPULATE_UNDER_WRITE_LOCK))
		mark_range(mm, c, false);
	if (!changed || at_once || (populate && knob_populate == POPULATE_UNDER_WRITE_LOCK)) {
		validate_mm(mm, c->start, c->end);
		if (is_filled(c, start, end))
			end = start;
		return mmap_write_unlock_populate(mm, start, end, how);
	}
	atomic_inc(&mm->lock_walks);
	validate_mm(mm, c->start, c->end);
	mmap_write_downgrade(mm);
	mark_range(mm, c, true);
	atomic_dec(&mm->lock_walks);
	mmap_read_unlock(mm);
	if (populate && !is_filled(c, start, end))
		err = mm_populate(mm, start, end, how);
	return err;
}

/* ---- mlock.error=rollback: what there was before ---- */

struct saved_bits {
	unsigned long start, end, bits;
};

#define MAX_SAVED (PAGE_SIZE / sizeof(struct saved_bits))

struct undo {
	struct page *page; /* NULL: nothing will be undone */
	unsigned int nr;
};

/* 0; -ENOMEM for a hole, or for more vmas than can be remembered: then nothing is done at all. */
static int undo_save(struct mm *mm, unsigned long start, unsigned long end, struct undo *u)
{
	struct saved_bits *saved;

	if (start >= end)
		return 0;
	u->page = alloc_pages(GFP_KERNEL, 0);
	if (!u->page)
		return -ENOMEM;
	saved = page_address(u->page);
	while (start < end) {
		const struct vma *vma = vma_lookup(mm, start);
		unsigned long stop;

		if (!vma || u->nr == MAX_SAVED)
			return -ENOMEM;
		stop = min(end, vma->end);
		saved[u->nr++] = (struct saved_bits){ start, stop, vma->flags & VM_LOCK_BITS };
		start = stop;
	}
	return 0;
}

/* mmap_lock held for writing. What has been unmapped or replaced meanwhile is left alone. */
static void undo_vmas(struct mm *mm, const struct undo *u, struct lock_change *c)
{
	const struct saved_bits *saved = page_address(u->page);

	for (unsigned int i = 0; i < u->nr; i++) {
		struct vma *vma = vma_lookup(mm, saved[i].start);

		if (vma && vma->end >= saved[i].end)
			(void)set_lock_bits(mm, vma, saved[i].start, saved[i].end, saved[i].bits,
					    c);
	}
}

static void undo_free(struct undo *u)
{
	if (u->page)
		free_pages(u->page, 0);
}

/* ---- the calls ---- */

#define NOTHING_CHANGED                                                                            \
	{                                                                                          \
		.start = ~0UL, .end = 0                                                            \
	}

/* What populate could not do, as mlock(2) says it. */
static int mlock_errno(int err)
{
	if (err == -EFAULT)
		return -ENOMEM;
	return err == -ENOMEM ? -EAGAIN : err;
}

/* mlock.error=rollback: the rest of mm_mlock(), or nothing. mmap_lock held for writing; dropped. */
static __noinline int mlock_or_nothing(struct mm *mm, unsigned long start, unsigned long end,
				       bool onfault)
{
	struct lock_change c = NOTHING_CHANGED;
	struct undo undo = { .nr = 0 };
	int err = undo_save(mm, start, end, &undo);

	if (!err)
		err = lock_vmas(mm, start, end, lock_bits(onfault), &c);
	if (!err) {
		err = mlock_errno(
			finish_locking(mm, &c, start, onfault ? start : end, POPULATE_STRICT));
		if (!err || !undo.page)
			goto out;
		mmap_write_lock(mm);
	}
	if (undo.page)
		undo_vmas(mm, &undo, &c);
	(void)finish_locking(mm, &c, start, start, 0);
out:
	undo_free(&undo);
	return err;
}

int mm_mlock(struct mm *mm, unsigned long addr, unsigned long len, bool onfault)
{
	struct lock_change c = NOTHING_CHANGED;
	unsigned long start = addr & PAGE_MASK, end, limit = caller_rlimit(LIMIT_MEMLOCK);
	int err;

	if (!limit && !caller_has_ipc_lock())
		return -EPERM;
	len = PAGE_ALIGN(len + (addr & ~PAGE_MASK));
	end = start + len;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	if (unlikely(!limit_allows(mm, limit, start, len))) {
		mmap_write_unlock(mm);
		return -ENOMEM;
	}
	if (unlikely(knob_mlock_error == MLOCK_ERROR_ROLLBACK))
		return mlock_or_nothing(mm, start, end, onfault);
	err = lock_vmas(mm, start, end, lock_bits(onfault), &c);
	if (unlikely(err)) {
		(void)finish_locking(mm, &c, start, start, 0);
		return err;
	}
	return mlock_errno(finish_locking(mm, &c, start, onfault ? start : end, POPULATE_STRICT));
}

int mm_munlock(struct mm *mm, unsigned long addr, unsigned long len)
{
	struct lock_change c = NOTHING_CHANGED;
	unsigned long start = addr & PAGE_MASK;
	int err;

	len = PAGE_ALIGN(len + (addr & ~PAGE_MASK));
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	err = lock_vmas(mm, start, start + len, 0, &c);
	(void)finish_locking(mm, &c, 0, 0, 0);
	return err;
}

int mm_mlockall(struct mm *mm, int flags)
{
	struct lock_change c = NOTHING_CHANGED;
	bool onfault = flags & MCL_ONFAULT, current_too = flags & MCL_CURRENT;

	if (!flags || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || flags == MCL_ONFAULT)
		return -EINVAL;
	if (!may_lock_anything())
		return -EPERM;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	if (current_too && mm->total_vm > caller_rlimit(LIMIT_MEMLOCK) >> PAGE_SHIFT &&
	    !caller_has_ipc_lock()) {
		mmap_write_unlock(mm);
		return -ENOMEM;
	}
	mm->def_flags &= ~VM_LOCK_BITS;
	if (flags & MCL_FUTURE)
		mm->def_flags |= onfault ? VM_LOCK_BITS : VM_LOCKED;
	if (current_too)
		lock_all_vmas(mm, lock_bits(onfault), &c);
	(void)finish_locking(mm, &c, 0, current_too && !onfault ? TASK_SIZE : 0, 0);
	return 0;
}

int mm_munlockall(struct mm *mm)
{
	struct lock_change c = NOTHING_CHANGED;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	mm->def_flags &= ~VM_LOCK_BITS;
	lock_all_vmas(mm, 0, &c);
	(void)finish_locking(mm, &c, 0, 0, 0);
	return 0;
}
