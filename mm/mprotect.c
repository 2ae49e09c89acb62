/* SPDX-License-Identifier: MIT
 *
 * mprotect: new rights for a range. The vmas change first; then the entries lose what they no longer
 * may, and one flush follows. Rights that grow are granted by the next fault, except on shared pages
 * where the entry itself can say it.
 */
#include "large.h"
#include "populate.h"
#include "vma.h"

/* How the entries of one vma change. */
struct entry_change {
	pte_t prot; /* rights without PTE_A and PTE_MLOCKED: they stay as they are */
	pte_t keep; /* PTE_W where the vma stays writable: what the write fault granted stays granted */
};

static inline pte_t changed_pte(pte_t e, const struct entry_change *c)
{
	return pte_modify(e, c->prot) | (e & c->keep);
}

/* Rewrites the present entries of one table. True when one changed, so that the TLB must forget. */
static bool change_table(struct mm *mm, pte_t *table, unsigned long va, unsigned long stop,
			 const struct entry_change *c)
{
	unsigned long start = va;
	spinlock_t *ptl = pte_lockptr(table);
	struct folio *huge;
	bool flush = false;
	pte_t *pte = table;

	spin_lock(ptl);
	huge = huge_suspend(table);
	for (; va < stop; va += PAGE_SIZE, pte++) {
		pte_t e = pte_read(pte);

		if (!pte_present(e) || changed_pte(e, c) == e)
			continue;
		/*
		 * CPUs may set A and D in between looking and writing. The entry is never absent meanwhile:
		 * whoever uses the page would fault, and wait for this call to end.
		 */
		while (!pte_cmpxchg(pte, &e, changed_pte(e, c)))
			;
		flush = true;
	}
	if (unlikely(huge))
		huge_resume(mm, start, table, huge);
	spin_unlock(ptl);
	return flush;
}

static void change_entries(struct vma *vma, unsigned long start, unsigned long end)
{
	const struct entry_change c = { vma->page_prot & ~(PTE_A | PTE_MLOCKED),
					vma->flags & VM_WRITE ? PTE_W : 0 };
	struct mm *mm = vma->mm;
	unsigned long va = start, stop;
	bool flush = false;
	pte_t *pte;

	while ((pte = pgtable_next(&mm->pgt, &va, end, &stop))) {
		flush |= change_table(mm, pte, va, stop, &c);
		va = stop;
		if (va < end)
			cond_resched();
	}
	/* Truncation or reclaim may have cleared entries and not flushed them yet: they lose their rights here, too. */
	if (flush || unlikely(atomic_read(&mm->zaps) || atomic_read(&mm->unflushed)))
		tlb_flush_range(&mm->tlb, start, end, false);
}

/* One vma's part of the range. Returns the vma that covers it now, or ERR_PTR. */
static struct vma *protect_vma(struct mm *mm, struct vma *vma, unsigned long start,
			       unsigned long end, unsigned long rights)
{
	unsigned long old = vma->flags, new = (old & ~VM_ACCESS) | rights;
	unsigned long pages = (end - start) >> PAGE_SHIFT, charged = 0;
	struct vma *changed;

	if (new == old)
		return vma;
	/* The MAY bits stand three above the rights they allow. */
	if (rights & ~(old >> 4) & VM_ACCESS)
		return ERR_PTR(-EACCES);
	/* What turns into data counts against RLIMIT_DATA. */
	if ((new &VM_WRITE) && !may_expand_vm(mm, new, pages) && may_expand_vm(mm, old, pages))
		return ERR_PTR(-ENOMEM);
	/* Private memory that becomes writable is promised from now on, and keeps its promise. */
	if ((new &VM_WRITE) && !(old & (VM_ACCOUNT | VM_WRITE | VM_SHARED | VM_NORESERVE))) {
		if (vm_commit_charge(pages))
			return ERR_PTR(-ENOMEM);
		charged = pages;
		new |= VM_ACCOUNT;
	}
	changed = vma_modify(mm, vma, start, end, new);
	if (IS_ERR(changed)) {
		vm_commit_uncharge(charged);
		return changed;
	}
	vm_stat_account(mm, old, -(long)pages);
	vm_stat_account(mm, new, (long)pages);
	change_entries(changed, start, end);
	return changed;
}

/*
 * Locked private pages that become writable get their own copies at once, so that no write faults later.
 * Linux does it before it lets go of mmap_lock.
 */
static bool needs_copies(unsigned long flags, unsigned long rights)
{
	return (flags & (VM_LOCKED | VM_LOCKONFAULT | VM_SHARED | VM_WRITE)) == VM_LOCKED &&
	       (rights & VM_WRITE);
}

/* What one hold of the lock leaves to be filled: locked pieces that became writable, side by side. None: end is 0. */
struct fill {
	unsigned long start, end;
	unsigned long next; /* how far the range was changed */
};

/* A second place to be filled ends the hold: what lies between, locked and absent, is not this call's business. */
static int protect_range(struct mm *mm, unsigned long start, unsigned long end, unsigned long prot,
			 unsigned long grows, struct fill *fill)
{
	unsigned long rights = prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
	struct vma *vma = vma_find(mm, start);

	if (!vma)
		return -ENOMEM;
	if (grows & PROT_GROWSDOWN) {
		if (vma->start >= end)
			return -ENOMEM;
		if (!(vma->flags & VM_GROWSDOWN))
			return -EINVAL;
		start = vma->start;
	} else if (vma->start > start) {
		return -ENOMEM;
	} else if (grows & PROT_GROWSUP) {
		return -EINVAL; /* x86 stacks grow down only */
	}
	while (start < end) {
		unsigned long stop;
		bool copies;

		if (!vma || vma->start > start)
			return -ENOMEM; /* a hole: what lies below has been changed */
		stop = min(end, vma->end);
		copies = needs_copies(vma->flags, rights);
		if (copies && fill->end && fill->end != start)
			break;
		vma = protect_vma(mm, vma, start, stop, rights);
		if (IS_ERR(vma))
			return (int)PTR_ERR(vma);
		if (copies) {
			fill->start = fill->end ? fill->start : start;
			fill->end = stop;
		}
		start = stop;
		if (start >= vma->end)
			vma = vma_next(vma);
	}
	fill->next = start;
	return 0;
}

int mm_mprotect(struct mm *mm, unsigned long addr, unsigned long len, unsigned long prot)
{
	unsigned long grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP), end;
	int err;

	prot &= ~grows;
	if (grows == (PROT_GROWSDOWN | PROT_GROWSUP))
		return -EINVAL;
	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (len == 0)
		return 0;
	len = PAGE_ALIGN(len);
	end = addr + len;
	if (end <= addr)
		return -ENOMEM;
	if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM))
		return -EINVAL;
	do {
		struct fill fill = { 0, 0, 0 };

		if (mmap_write_lock_killable(mm))
			return -EINTR;
		err = protect_range(mm, addr, end, prot, grows, &fill);
		validate_mm(mm, addr, end);
		(void)mmap_write_unlock_populate(mm, fill.start, fill.end, POPULATE_LOCKED);
		addr = fill.next;
		grows = 0;
	} while (!err && addr < end);
	return err;
}
