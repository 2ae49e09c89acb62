/* SPDX-License-Identifier: MIT
 *
 * Which large folios tmpfs, memfd and shared anonymous memory get, and where they come from: a fault, a write or an
 * fallocate at a place where the file has nothing yet. Linux's rules: the mount's (option huge=), or for memory that no
 * mount shows those of shmem_enabled, which is knob thp.shmem.
 *
 * As with anonymous memory nothing is reclaimed for it, and smaller ones will do.
 */
#include "filemap_large.h"
#include "vma.h"
#include "writeback.h"

#define SHMEM_FLAGS (1UL << PG_swapbacked | 1UL << PG_uptodate)

/* Orders by policy, of memory that no mount shows; those that inherit are knob_thp_shmem_orders. Changed under lock. */
static struct {
	spinlock_t lock;
	unsigned long always, within_size, advised;
} sizes = { .lock = SPINLOCK_INIT };

bool shmem_sizes_set;

enum shmem_size_policy shmem_size_policy(unsigned int order)
{
	unsigned long bit = 1UL << order;

	if (READ_ONCE(sizes.always) & bit)
		return SHMEM_SIZE_ALWAYS;
	if (READ_ONCE(sizes.within_size) & bit)
		return SHMEM_SIZE_WITHIN_SIZE;
	if (READ_ONCE(sizes.advised) & bit)
		return SHMEM_SIZE_ADVISE;
	return READ_ONCE(knob_thp_shmem_orders) & bit ? SHMEM_SIZE_INHERIT : SHMEM_SIZE_NEVER;
}

void shmem_set_size_policy(unsigned int order, enum shmem_size_policy policy)
{
	spin_lock(&sizes.lock);
	set_order(&sizes.always, order, policy == SHMEM_SIZE_ALWAYS);
	set_order(&sizes.within_size, order, policy == SHMEM_SIZE_WITHIN_SIZE);
	set_order(&sizes.advised, order, policy == SHMEM_SIZE_ADVISE);
	set_order(&knob_thp_shmem_orders, order, policy == SHMEM_SIZE_INHERIT);
	WRITE_ONCE(shmem_sizes_set, (sizes.always | sizes.within_size | sizes.advised) != 0);
	spin_unlock(&sizes.lock);
}

/* Of these orders those whose folio around the page ends before the file does. */
static unsigned long within_size(const struct mapping *m, unsigned long orders, unsigned long index,
				 u64 end)
{
	unsigned long pages = (max(READ_ONCE(m->size), end) + PAGE_SIZE - 1) >> PAGE_SHIFT;

	for (unsigned int order = PMD_ORDER; order >= THP_MIN_ORDER; order--)
		if (ALIGN_UP(index + 1, 1UL << order) > pages)
			orders &= ~(1UL << order);
	return orders;
}

/* The orders that a policy of the mount, or for all that inherit, gives to a folio around the page. */
static unsigned long orders_by_policy(const struct mapping *m, enum shmem_huge policy, bool advised,
				      unsigned long index, u64 end)
{
	unsigned long orders = READ_ONCE(knob_thp_shmem_orders);

	switch (policy) {
	case SHMEM_HUGE_ALWAYS:
	case SHMEM_HUGE_FORCE:
		return orders;
	case SHMEM_HUGE_WITHIN_SIZE:
		return advised ? orders : within_size(m, orders, index, end);
	case SHMEM_HUGE_ADVISE:
		return advised ? orders : 0;
	default:
		return 0;
	}
}

/* Those with a policy of their own. */
static unsigned long orders_by_size(const struct mapping *m, bool advised, unsigned long index,
				    u64 end)
{
	unsigned long within = READ_ONCE(sizes.within_size);

	if (advised)
		return READ_ONCE(sizes.always) | within | READ_ONCE(sizes.advised);
	return READ_ONCE(sizes.always) | within_size(m, within, index, end);
}

/* Of a fault in a vma with these flags. Bit n: order n. */
static unsigned long allowed_orders(const struct mapping *m, unsigned long vm_flags,
				    unsigned long index, u64 end)
{
	unsigned long global = READ_ONCE(knob_thp_shmem), orders;
	bool advised = vm_flags & VM_HUGEPAGE, internal = m->huge == &knob_thp_shmem;

	if (!m->huge || global == SHMEM_HUGE_DENY || (vm_flags & VM_NOHUGEPAGE))
		return 0;
	if (global != SHMEM_HUGE_FORCE)
		global = READ_ONCE(*m->huge);
	orders = orders_by_policy(m, (enum shmem_huge)global, advised, index, end);
	if (internal)
		orders |= orders_by_size(m, advised, index, end);
	return orders & THP_ORDERS;
}

/* As of a page in the middle of a file that is large enough. */
unsigned long shmem_vma_orders(const struct vma *vma)
{
	return allowed_orders(vma->mapping, vma->flags, 0, ~0ULL >> 1);
}

unsigned long shmem_fault_orders(const struct vma *vma, unsigned long index)
{
	return allowed_orders(vma->mapping, vma->flags, index, 0);
}

unsigned long shmem_orders(const unsigned long *huge)
{
	const struct mapping any = { .huge = huge };

	return allowed_orders(&any, VM_HUGEPAGE, 0, ~0ULL >> 1);
}

/* It can be mapped as it is: all of it is in the vma, at addresses aligned like its frames. */
static bool fits_vma(const struct vma *vma, unsigned long first, unsigned long n)
{
	unsigned long addr = vma->start + ((first - vma->pgoff) << PAGE_SHIFT);

	return first >= vma->pgoff && first + n <= vma->pgoff + vma_pages(vma) &&
	       IS_ALIGNED(addr, n << PAGE_SHIFT);
}

/* Neither pages nor such as are in swap. */
static bool range_is_empty(struct mapping *m, unsigned long first, unsigned long last)
{
	bool empty;

	spin_lock(&m->lock);
	empty = !xa_find(&m->folios, &first, last);
	spin_unlock(&m->lock);
	return empty;
}

/* NULL: there is no room for it, or no block. */
static struct folio *try_order(struct mapping *m, const struct vma *vma, unsigned long index,
			       unsigned int order)
{
	unsigned long n = 1UL << order, first = ALIGN_DOWN(index, n);
	struct folio *folio;

	if ((vma && !fits_vma(vma, first, n)) || !range_is_empty(m, first, first + n - 1))
		return NULL;
	folio = large_alloc_for_fault(vma, order, SHMEM_FLAGS);
	if (folio && filemap_insert(m, folio, first)) {
		folio_put(folio);
		return NULL;
	}
	thp_count(order, folio ? THP_COUNT_SHMEM_ALLOC : THP_COUNT_SHMEM_FALLBACK);
	return folio;
}

struct folio *shmem_new_large(struct mapping *m, const struct vma *vma, unsigned long index,
			      u64 end)
{
	unsigned long orders = allowed_orders(m, vma ? vma->flags : 0, index, end);

	while (orders) {
		unsigned int order = 63 - (unsigned int)__builtin_clzl(orders);
		struct folio *folio = try_order(m, vma, index, order);

		if (folio)
			return folio;
		orders &= ~(1UL << order);
	}
	return NULL;
}

struct folio *filemap_new_large(struct mapping *m, unsigned long index, u64 end)
{
	return mapping_may_be_large(m) ? shmem_new_large(m, NULL, index, end) : NULL;
}
