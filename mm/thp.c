/* SPDX-License-Identifier: MIT
 *
 * Which large folios anonymous memory gets: knobs thp and mthp.orders, as Linux's
 * /sys/kernel/mm/transparent_hugepage says it, and MADV_HUGEPAGE and MADV_NOHUGEPAGE of the vma.
 */
#include "internal.h"

static atomic_long_t events[PMD_ORDER + 1][NR_THP_EVENTS];

void thp_count(unsigned int order, enum thp_event event)
{
	static const enum stat_item of_pmd_order[NR_THP_EVENTS] = {
		[THP_COUNT_ALLOC] = THP_FAULT_ALLOC,
		[THP_COUNT_FALLBACK] = THP_FAULT_FALLBACK,
		[THP_COUNT_SPLIT] = THP_SPLIT_PAGE,
	};

	atomic_inc(&events[order][event]);
	if (order == PMD_ORDER)
		stat_inc(of_pmd_order[event]);
}

unsigned long thp_fault_orders(const struct vma *vma)
{
	unsigned long orders = knob_mthp_orders & THP_ORDERS;

	if (likely(knob_thp == THP_NEVER) || (vma->flags & (VM_NOHUGEPAGE | VM_DROPPABLE)))
		return 0;
	if (knob_thp == THP_MADVISE && !(vma->flags & VM_HUGEPAGE))
		return 0;
	return orders;
}

bool thp_eligible(const struct vma *vma)
{
	unsigned long orders = vma_is_anonymous(vma) ? thp_fault_orders(vma) : 0;

	for (unsigned int order = 0; orders >> order; order++) {
		unsigned long size = PAGE_SIZE << order;

		if ((orders >> order & 1) && ALIGN_UP(vma->start, size) + size <= vma->end)
			return true;
	}
	return false;
}
