/* SPDX-License-Identifier: MIT
 *
 * Which large folios anonymous memory gets: knobs thp and mthp.orders, what Linux's
 * /sys/kernel/mm/transparent_hugepage makes of them for each size, and MADV_HUGEPAGE and MADV_NOHUGEPAGE of the vma.
 */
#include <mm/kcompactd.h>

#include "alloc.h"
#include "large.h"
#include "vma.h"

/* Orders by policy; those that inherit are knob_mthp_orders. Changed under lock, read without. */
unsigned long thp_always_orders;
static unsigned long advised_orders;
static spinlock_t lock = SPINLOCK_INIT;

unsigned long thp_defrag = THP_DEFRAG_MADVISE;

static atomic_long_t events[PMD_ORDER + 1][NR_THP_EVENTS];

void thp_count(unsigned int order, enum thp_event event)
{
	static const enum stat_item of_pmd_order[NR_THP_EVENTS] = {
		[THP_COUNT_ALLOC] = THP_FAULT_ALLOC,
		[THP_COUNT_FALLBACK] = THP_FAULT_FALLBACK,
		[THP_COUNT_SPLIT] = THP_SPLIT_PAGE,
		[THP_COUNT_SPLIT_FAILED] = THP_SPLIT_PAGE_FAILED,
		[THP_COUNT_SPLIT_DEFERRED] = THP_DEFERRED_SPLIT_PAGE,
		[THP_COUNT_SHMEM_ALLOC] = THP_FILE_ALLOC,
		[THP_COUNT_SHMEM_FALLBACK] = THP_FILE_FALLBACK,
	};

	atomic_inc(&events[order][event]);
	if (order == PMD_ORDER)
		stat_inc(of_pmd_order[event]);
}

unsigned long thp_events(unsigned int order, enum thp_event event)
{
	return (unsigned long)atomic_read(&events[order][event]);
}

enum thp_size_policy thp_size_policy(unsigned int order)
{
	unsigned long bit = 1UL << order;

	if (READ_ONCE(thp_always_orders) & bit)
		return THP_SIZE_ALWAYS;
	if (READ_ONCE(advised_orders) & bit)
		return THP_SIZE_MADVISE;
	return READ_ONCE(knob_mthp_orders) & bit ? THP_SIZE_INHERIT : THP_SIZE_NEVER;
}

void thp_set_size_policy(unsigned int order, enum thp_size_policy policy)
{
	spin_lock(&lock);
	set_order(&thp_always_orders, order, policy == THP_SIZE_ALWAYS);
	set_order(&advised_orders, order, policy == THP_SIZE_MADVISE);
	set_order(&knob_mthp_orders, order, policy == THP_SIZE_INHERIT);
	spin_unlock(&lock);
}

unsigned long __thp_fault_orders(const struct vma *vma)
{
	unsigned long orders = READ_ONCE(thp_always_orders), flags = vma->flags;
	unsigned long thp = READ_ONCE(knob_thp);

	if (flags & VM_HUGEPAGE)
		orders |= READ_ONCE(advised_orders);
	if (thp == THP_ALWAYS || (thp == THP_MADVISE && (flags & VM_HUGEPAGE)))
		orders |= READ_ONCE(knob_mthp_orders);
	if (likely(!orders) || (flags & (VM_NOHUGEPAGE | VM_DROPPABLE)))
		return 0;
	return orders & THP_ORDERS;
}

/* A fault in the vma that finds no block tries to make one. */
static bool fault_compacts(const struct vma *vma, unsigned long defrag)
{
	return defrag == THP_DEFRAG_ALWAYS ||
	       ((defrag == THP_DEFRAG_MADVISE || defrag == THP_DEFRAG_DEFER_MADVISE) &&
		(vma->flags & VM_HUGEPAGE));
}

struct folio *thp_alloc_pmd(const struct vma *vma)
{
	struct folio *folio = folio_alloc(GFP_LIGHT | __GFP_ZERO, PMD_ORDER);
	unsigned long defrag = READ_ONCE(thp_defrag);

	if (likely(folio))
		return folio;
	kcompactd_watch();
	if (vma && fault_compacts(vma, defrag) && compact_for(PMD_ORDER))
		folio = folio_alloc(GFP_LIGHT | __GFP_ZERO, PMD_ORDER);
	else if (defrag == THP_DEFRAG_DEFER || defrag == THP_DEFRAG_DEFER_MADVISE)
		kcompactd_ask(PMD_ORDER);
	return folio;
}

bool thp_eligible(const struct vma *vma)
{
	unsigned long orders =
		vma_is_anonymous(vma) ? thp_fault_orders(vma) : shmem_vma_orders(vma);

	for (unsigned int order = 0; orders >> order; order++) {
		unsigned long size = PAGE_SIZE << order;

		if ((orders >> order & 1) && ALIGN_UP(vma->start, size) + size <= vma->end)
			return true;
	}
	return false;
}
