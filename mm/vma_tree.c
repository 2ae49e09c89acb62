/* SPDX-License-Identifier: MIT
 *
 * The vma index: find, insert, erase, next, prev, gap, and nothing else. A red-black tree by address
 * in which every vma knows the free space below it and the largest such gap of its subtree, so that
 * placing a mapping is a descent, not a scan.
 *
 * A gap ends where the vma's guard begins: 256 pages below a GROWSDOWN vma nothing is placed.
 */
#include "internal.h"

#define node_vma(n) rb_entry(n, struct vma, rb)

static inline struct vma *node_vma_or_null(struct rb_node *n)
{
	return n ? node_vma(n) : NULL;
}

/* The lowest address that a vma keeps from others. */
unsigned long vma_start_gap(const struct vma *vma)
{
	unsigned long guard = knob_stack_guard_gap << PAGE_SHIFT;

	if (likely(!(vma->flags & VM_GROWSDOWN)))
		return vma->start;
	return vma->start > guard ? vma->start - guard : 0;
}

static bool update_max_gap(struct rb_node *n)
{
	struct vma *vma = node_vma(n);
	unsigned long best = vma->gap;

	if (n->left)
		best = max(best, node_vma(n->left)->max_gap);
	if (n->right)
		best = max(best, node_vma(n->right)->max_gap);
	if (vma->max_gap == best)
		return false;
	vma->max_gap = best;
	return true;
}

static unsigned long gap_below(const struct vma *prev, const struct vma *vma)
{
	unsigned long from = prev ? prev->end : 0, to = vma_start_gap(vma);

	return to > from ? to - from : 0;
}

/* The gap below vma may have changed. */
static void refresh_gap(struct vma *prev, struct vma *vma)
{
	unsigned long gap;

	if (!vma)
		return;
	gap = gap_below(prev, vma);
	if (gap != vma->gap) {
		vma->gap = gap;
		rb_propagate(&vma->rb, update_max_gap);
	}
}

struct vma *vma_find(struct mm *mm, unsigned long addr)
{
	struct vma **last = vma_hint(mm), *hint = __atomic_load_n(last, __ATOMIC_RELAXED);
	struct rb_node *n;
	struct vma *found = NULL;

	mmap_assert_locked(mm);
	if (likely(hint) && hint->start <= addr && addr < hint->end)
		return hint;
	for (n = mm->vmas.node; n;) {
		struct vma *vma = node_vma(n);

		if (vma->end > addr) {
			found = vma;
			if (vma->start <= addr)
				break;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	if (found)
		__atomic_store_n(last, found, __ATOMIC_RELAXED);
	return found;
}

struct vma *vma_next(const struct vma *vma)
{
	return node_vma_or_null(rb_next(&vma->rb));
}

struct vma *vma_prev(const struct vma *vma)
{
	return node_vma_or_null(rb_prev(&vma->rb));
}

struct vma *vma_first(struct mm *mm)
{
	return node_vma_or_null(rb_first(&mm->vmas));
}

/*
 * Makes the values right from n to the root. ancestor's own gap changed as well, so the walk may not stop
 * before it.
 */
static void update_path(struct rb_node *n, const struct rb_node *ancestor)
{
	bool passed = !ancestor;

	for (; n; n = rb_parent(n)) {
		passed |= n == ancestor;
		if (!update_max_gap(n) && passed)
			return;
	}
}

/*
 * In a search tree the place between two neighbours is the missing right child of the lower or the missing
 * left child of the upper one: no descent.
 */
void vma_insert(struct mm *mm, struct vma *vma, struct vma *prev, struct vma *next)
{
	struct rb_node **link = &mm->vmas.node, *parent = NULL;

	mmap_assert_write_locked(mm);
	ASSERT(!prev || (prev->end <= vma->start && vma_next(prev) == next));
	ASSERT(!next || (vma->end <= next->start && vma_prev(next) == prev));
	if (prev && !prev->rb.right) {
		parent = &prev->rb;
		link = &parent->right;
	} else if (next) {
		parent = &next->rb;
		link = &parent->left;
	}
	vma->gap = gap_below(prev, vma);
	vma->max_gap = vma->gap;
	if (next)
		next->gap = gap_below(vma, next);
	else
		mm->top_vma = vma;
	rb_link(&vma->rb, parent, link);
	update_path(parent, next ? &next->rb : NULL);
	rb_balance(&mm->vmas, &vma->rb, update_max_gap);
	mm->map_count++;
}

void vma_erase(struct mm *mm, struct vma *vma)
{
	struct vma *prev = vma_prev(vma), *next = vma_next(vma);

	mmap_assert_write_locked(mm);
#pragma GCC unroll 4
	for (unsigned int i = 0; i < VMA_HINTS; i++)
		if (unlikely(mm->last_vma[i] == vma))
			mm->last_vma[i] = NULL;
	if (!next)
		mm->top_vma = prev;
	rb_erase(&mm->vmas, &vma->rb, update_max_gap);
	refresh_gap(prev, next);
	mm->map_count--;
}

void vma_resized(struct mm *mm, struct vma *vma)
{
	mmap_assert_write_locked(mm);
	refresh_gap(vma_prev(vma), vma);
	refresh_gap(vma, vma_next(vma));
}

/* The request, unchanged through the descent. */
struct gap_request {
	unsigned long len, low, high;
};

/* Clips the gap below vma to the request's window. True when len fits; *start, *end: what is free. */
static bool gap_fits(const struct gap_request *rq, const struct vma *vma, unsigned long *start,
		     unsigned long *end)
{
	unsigned long top = vma_start_gap(vma);

	if (vma->gap < rq->len)
		return false;
	*start = max(top - vma->gap, rq->low);
	*end = min(top, rq->high);
	return *end > *start && *end - *start >= rq->len;
}

static inline bool has_gap(const struct rb_node *n, unsigned long len)
{
	return n && node_vma(n)->max_gap >= len;
}

/* In-order from the right, leaving out subtrees without a gap that is large enough. */
static unsigned long highest_gap(const struct gap_request *rq, struct rb_node *n)
{
	while (has_gap(n, rq->len)) {
		struct vma *vma = node_vma(n);
		unsigned long start, end, found;

		if (vma->end < rq->high && has_gap(n->right, rq->len) &&
		    (found = highest_gap(rq, n->right)))
			return found;
		if (gap_fits(rq, vma, &start, &end))
			return end - rq->len;
		if (vma->start <= rq->low)
			return 0;
		n = n->left;
	}
	return 0;
}

static unsigned long lowest_gap(const struct gap_request *rq, struct rb_node *n)
{
	while (has_gap(n, rq->len)) {
		struct vma *vma = node_vma(n);
		unsigned long start, end, found;

		if (vma->start > rq->low && has_gap(n->left, rq->len) &&
		    (found = lowest_gap(rq, n->left)))
			return found;
		if (gap_fits(rq, vma, &start, &end))
			return start;
		if (vma->end >= rq->high)
			return 0;
		n = n->right;
	}
	return 0;
}

unsigned long vma_gap(struct mm *mm, unsigned long len, unsigned long low, unsigned long high,
		      bool bottom_up)
{
	const struct gap_request rq = { len, max(low, PAGE_SIZE), high };
	unsigned long above = max(mm->top_vma ? mm->top_vma->end : 0, rq.low), found;
	bool fits_above = above < high && high - above >= len;

	if (high < len || high - len < rq.low)
		return 0;
	if (!bottom_up)
		return fits_above ? high - len : highest_gap(&rq, mm->vmas.node);
	found = lowest_gap(&rq, mm->vmas.node);
	return found || !fits_above ? found : above;
}
