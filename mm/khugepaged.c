/* SPDX-License-Identifier: MIT
 *
 * khugepaged: looks for small pages that could be large ones, and collapses them.
 *
 * It looks at the areas that faults would give 2 MiB to, when these are too late: their pages came one by one, or there
 * was no such block at the time. An address space that has such an area is marked, by MADV_HUGEPAGE or by its first large
 * fault, and scanned in rounds, so many entries at a time. When none is marked the thread sleeps without a timer.
 *
 * Locking: none of its own; it has a user's reference to the address space that it is at, only while it looks.
 */
#include "collapse.h"
#include "filemap_large.h"
#include "vma.h"

static struct {
	struct task *task;   /* [A] NULL: knob khugepaged is off */
	bool due;	     /* [A] */
	atomic_t marked;     /* [A] address spaces */
	unsigned long round; /* its own; from 1 */
} khugepaged = { .round = 1 };

struct khugepaged_settings khugepaged_settings = {
	.scan_sleep_ms = 10000,
	.alloc_sleep_ms = 60000,
	.pages_to_scan = 8 * PTRS_PER_TABLE,
	.max_ptes_none = PTRS_PER_TABLE - 1,
	.max_ptes_swap = PTRS_PER_TABLE / 8,
	.max_ptes_shared = PTRS_PER_TABLE / 2,
	.defrag = 1,
};

struct khugepaged_counts khugepaged_counts;

/* ---- who is scanned ---- */

void __khugepaged_enter(struct mm *mm)
{
	if (__atomic_exchange_n(&mm->khugepaged, true, __ATOMIC_RELAXED))
		return;
	if (atomic_add_return(&khugepaged.marked, 1) == 1)
		khugepaged_wake();
}

void khugepaged_exit(struct mm *mm)
{
	if (mm->khugepaged)
		atomic_dec(&khugepaged.marked);
}

bool khugepaged_has_work(void)
{
	return atomic_read(&khugepaged.marked) > 0;
}

/* ---- the thread's sleep ---- */

void khugepaged_begin(void)
{
	__atomic_store_n(&khugepaged.task, park_self(), __ATOMIC_RELEASE);
}

void khugepaged_wait(void)
{
	while (!__atomic_exchange_n(&khugepaged.due, false, __ATOMIC_ACQUIRE))
		park(PARK_UNINTERRUPTIBLE);
}

void khugepaged_wake(void)
{
	struct task *task = __atomic_load_n(&khugepaged.task, __ATOMIC_ACQUIRE);

	if (!task)
		return;
	__atomic_store_n(&khugepaged.due, true, __ATOMIC_RELEASE);
	unpark(task);
}

/* ---- a scan ---- */

/* A fault at addr might have got 2 MiB. */
static bool wants_collapse(const struct vma *vma, unsigned long addr)
{
	unsigned long orders = vma_is_anonymous(vma)
				       ? thp_fault_orders(vma)
				       : shmem_fault_orders(vma, vma_index(vma, addr));

	return (orders >> PMD_ORDER & 1) && collapse_suits(vma);
}

/* The next 2 MiB at or above *addr that could be collapsed. False: there are none. */
static bool find_candidate(struct mm *mm, unsigned long *addr)
{
	struct vma *vma;

	mmap_read_lock(mm);
	for (vma = vma_find(mm, *addr); vma; vma = vma_next(vma)) {
		unsigned long start = ALIGN_UP(max(*addr, vma->start), PMD_SIZE);

		if (start + PMD_SIZE <= vma->end && wants_collapse(vma, start)) {
			*addr = start;
			break;
		}
	}
	mmap_read_unlock(mm);
	return vma;
}

/* Goes on where it was. *budget: entries that may be looked at. -ENOMEM: no folio is to be had. */
static int scan_mm(struct mm *mm, unsigned long *budget)
{
	const struct khugepaged_settings *set = &khugepaged_settings;
	const struct collapse_limits limits = {
		.none = (unsigned int)READ_ONCE(set->max_ptes_none),
		.swapped = (unsigned int)READ_ONCE(set->max_ptes_swap),
		.shared = (unsigned int)READ_ONCE(set->max_ptes_shared),
		.gfp = READ_ONCE(set->defrag) ? GFP_KERNEL | __GFP_NORETRY : GFP_LIGHT,
		.lazy = true,
	};

	while (*budget) {
		int result;

		if (!find_candidate(mm, &mm->khugepaged_at)) {
			mm->khugepaged_at = 0;
			mm->khugepaged_round = khugepaged.round;
			return 0;
		}
		result = mm_collapse(mm, mm->khugepaged_at, &limits);
		if (result == -ENOMEM)
			return result;
		if (!result)
			WRITE_ONCE(khugepaged_counts.pages_collapsed,
				   khugepaged_counts.pages_collapsed + 1);
		mm->khugepaged_at += PMD_SIZE;
		*budget -= min(*budget, PTRS_PER_TABLE + 0UL);
		cond_resched();
	}
	return 0;
}

bool khugepaged_scan(void)
{
	unsigned long budget = READ_ONCE(khugepaged_settings.pages_to_scan);
	struct mm *mm = NULL;
	int err = 0;

	while (!err && budget && (mm = mm_next(mm)))
		if (READ_ONCE(mm->khugepaged) && mm->khugepaged_round != khugepaged.round)
			err = scan_mm(mm, &budget);
	if (mm) {
		mm_put(mm);
	} else {
		khugepaged.round++;
		WRITE_ONCE(khugepaged_counts.full_scans, khugepaged_counts.full_scans + 1);
	}
	return !err;
}
