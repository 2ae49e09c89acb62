/* SPDX-License-Identifier: MIT
 *
 * What an address space may map: its own totals against the caller's limits, and the promise of memory
 * made to all (overcommit).
 *
 * Overcommit as Linux's three modes: 0 refuses only what could never be had (more than all RAM and
 * swap in one call), 1 refuses nothing, 2 keeps the sum of promises below the commit limit.
 */
#include <mm/swap.h>

#include "vma.h"

static atomic_long_t committed; /* pages promised */

/* Left to root in mode 2, as Linux's admin_reserve_kbytes: 8 MiB. */
#define ADMIN_RESERVE_PAGES (8UL << (20 - PAGE_SHIFT))

static bool is_data(unsigned long flags)
{
	return (flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) == VM_WRITE;
}

void vm_stat_account(struct mm *mm, unsigned long flags, long pages)
{
	mmap_assert_write_locked(mm);
	mm->total_vm += (unsigned long)pages;
	if (mm->total_vm > mm->hiwater_vm)
		mm->hiwater_vm = mm->total_vm;
	if ((flags & (VM_EXEC | VM_WRITE | VM_GROWSDOWN)) == VM_EXEC)
		mm->exec_vm += (unsigned long)pages;
	else if (flags & VM_GROWSDOWN)
		mm->stack_vm += (unsigned long)pages;
	else if (is_data(flags))
		mm->data_vm += (unsigned long)pages;
	if (flags & VM_LOCKED)
		mm->locked_vm += (unsigned long)pages;
}

static bool data_limit_allows(unsigned long pages)
{
	unsigned long limit = caller_rlimit(LIMIT_DATA);

	/* A soft limit of 0 stops brk alone, for the sake of programs like Valgrind: mmap asks the hard one. */
	if (unlikely(limit == 0))
		limit = caller_hard_data_limit();
	return pages <= limit >> PAGE_SHIFT;
}

bool may_expand_vm(struct mm *mm, unsigned long flags, unsigned long pages)
{
	if (mm->total_vm + pages > caller_rlimit(LIMIT_AS) >> PAGE_SHIFT)
		return false;
	return !is_data(flags) || data_limit_allows(mm->data_vm + pages);
}

bool may_lock_pages(const struct mm *mm, unsigned long pages)
{
	return mm->locked_vm + pages <= caller_rlimit(LIMIT_MEMLOCK) >> PAGE_SHIFT ||
	       caller_has_ipc_lock();
}

bool may_lock_anything(void)
{
	return caller_rlimit(LIMIT_MEMLOCK) != 0 || caller_has_ipc_lock();
}

unsigned long vm_commit_limit(void)
{
	return totalram_pages() * knob_overcommit_ratio / 100 + swap_total_pages();
}

/* pages more are promised already: two that ask at once may not both get the last of it. */
static bool commit_allowed(unsigned long pages)
{
	unsigned long limit;

	if (knob_overcommit_memory == 1)
		return true;
	if (knob_overcommit_memory == 0)
		return pages <= totalram_pages() + swap_total_pages();
	limit = vm_commit_limit();
	if (!caller_has_sys_admin())
		limit -= min(limit, ADMIN_RESERVE_PAGES);
	return vm_committed() <= limit;
}

int vm_commit_charge(unsigned long pages)
{
	atomic_add(&committed, (long)pages);
	if (likely(commit_allowed(pages)))
		return 0;
	atomic_sub(&committed, (long)pages);
	return -ENOMEM;
}

void vm_commit_add(unsigned long pages)
{
	atomic_add(&committed, (long)pages);
}

int mapping_commit(struct mapping *m, unsigned long pages)
{
	int err = vm_commit_charge(pages);

	if (!err)
		m->committed = pages;
	return err;
}

void vm_commit_uncharge(unsigned long pages)
{
	atomic_sub(&committed, (long)pages);
}

unsigned long vm_committed(void)
{
	return (unsigned long)atomic_read(&committed);
}
