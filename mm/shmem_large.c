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

#define SHMEM_FLAGS (1UL << PG_swapbacked)

static unsigned long policy_of(const struct mapping *m)
{
	unsigned long global = READ_ONCE(knob_thp_shmem);

	if (!m->huge || global == SHMEM_HUGE_DENY)
		return SHMEM_HUGE_NEVER;
	return global == SHMEM_HUGE_FORCE ? SHMEM_HUGE_ALWAYS : READ_ONCE(*m->huge);
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

/* Bit n: order n. */
static unsigned long allowed_orders(const struct mapping *m, const struct vma *vma,
				    unsigned long index, u64 end)
{
	unsigned long orders = READ_ONCE(knob_thp_shmem_orders) & THP_ORDERS;
	bool advised = vma && (vma->flags & VM_HUGEPAGE);

	if (vma && (vma->flags & VM_NOHUGEPAGE))
		return 0;
	switch (policy_of(m)) {
	case SHMEM_HUGE_ALWAYS:
		return orders;
	case SHMEM_HUGE_WITHIN_SIZE:
		return advised ? orders : within_size(m, orders, index, end);
	case SHMEM_HUGE_ADVISE:
		return advised ? orders : 0;
	default:
		return 0;
	}
}

unsigned long shmem_vma_orders(const struct vma *vma)
{
	/* Any page will do that can be in a folio of 2 MiB; the size may yet grow. */
	return allowed_orders(vma->mapping, vma, 0, ~0ULL >> 1);
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
	if (order == PMD_ORDER)
		stat_inc(folio ? THP_FILE_ALLOC : THP_FILE_FALLBACK);
	return folio;
}

struct folio *shmem_new_large(struct mapping *m, const struct vma *vma, unsigned long index,
			      u64 end)
{
	unsigned long orders = allowed_orders(m, vma, index, end);

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
