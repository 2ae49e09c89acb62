/* SPDX-License-Identifier: MIT
 *
 * vma.index=rbtree: a red-black tree by address in which every vma knows the free space below it and the
 * largest such gap of its subtree, so that placing a mapping is a descent, not a scan.
 *
 * A gap ends where the vma's guard begins: 256 pages below a GROWSDOWN vma nothing is placed.
 */
#include "vma.h"
#include "vma_index.h"

#define node_vma(n) rb_entry(n, struct vma, rb)

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

/* The gap below vma may have changed. */
static void refresh_gap(struct vma *vma)
{
	unsigned long gap;

	if (!vma)
		return;
	gap = vma_gap_below(vma);
	if (gap != vma->gap) {
		vma->gap = gap;
		rb_propagate(&vma->rb, update_max_gap);
	}
}

struct vma *rbtree_find(struct mm *mm, unsigned long addr)
{
	struct vma *found = NULL;

	for (struct rb_node *n = mm->index.rb.node; n;) {
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
	return vma_remember(mm, found);
}

READS_UNLOCKED struct vma *rbtree_find_rcu(struct mm *mm, unsigned long addr, unsigned long seq)
{
	struct rb_node *n = mm->index.rb.node;

	while (!vma_index_changed(mm, seq) && n) {
		struct vma *vma = node_vma(n);

		if (vma->end <= addr)
			n = n->right;
		else if (vma->start > addr)
			n = n->left;
		else
			return vma;
	}
	return NULL;
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
void rbtree_insert(struct mm *mm, struct vma *vma)
{
	struct rb_node **link = &mm->index.rb.node, *parent = NULL;
	struct vma *prev = vma->prev, *next = vma->next;

	if (prev && !prev->rb.right) {
		parent = &prev->rb;
		link = &parent->right;
	} else if (next) {
		parent = &next->rb;
		link = &parent->left;
	}
	vma->gap = vma_gap_below(vma);
	vma->max_gap = vma->gap;
	if (next)
		next->gap = vma_gap_below(next);
	rb_link(&vma->rb, parent, link);
	update_path(parent, next ? &next->rb : NULL);
	rb_balance(&mm->index.rb, &vma->rb, update_max_gap);
}

void rbtree_erase(struct mm *mm, struct vma *vma)
{
	rb_erase(&mm->index.rb, &vma->rb, update_max_gap);
	refresh_gap(vma->next);
}

void rbtree_resized(struct vma *vma)
{
	refresh_gap(vma);
	refresh_gap(vma->next);
}

static bool own_gap_fits(const struct gap_request *rq, const struct vma *vma, unsigned long *from,
			 unsigned long *to)
{
	*to = vma_start_gap(vma);
	*from = *to - vma->gap;
	return gap_fits(rq, from, to);
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
		unsigned long from, to, found;

		if (vma->end < rq->high && has_gap(n->right, rq->len) &&
		    (found = highest_gap(rq, n->right)))
			return found;
		if (own_gap_fits(rq, vma, &from, &to))
			return to - rq->len;
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
		unsigned long from, to, found;

		if (vma->start > rq->low && has_gap(n->left, rq->len) &&
		    (found = lowest_gap(rq, n->left)))
			return found;
		if (own_gap_fits(rq, vma, &from, &to))
			return from;
		if (vma->end >= rq->high)
			return 0;
		n = n->right;
	}
	return 0;
}

unsigned long rbtree_highest_gap(struct mm *mm, const struct gap_request *rq)
{
	return highest_gap(rq, mm->index.rb.node);
}

unsigned long rbtree_lowest_gap(struct mm *mm, const struct gap_request *rq)
{
	return lowest_gap(rq, mm->index.rb.node);
}

/* Returns the largest gap of the subtree; *next is the vma that its first one must be, and then the one after. */
static unsigned long check_subtree(const struct rb_node *n, const struct vma **next)
{
	const struct vma *vma;
	unsigned long best;

	if (!n)
		return 0;
	vma = node_vma(n);
	best = check_subtree(n->left, next);
	BUG_ON(*next != vma || vma->gap != vma_gap_below(vma));
	*next = vma->next;
	best = max(max(best, vma->gap), check_subtree(n->right, next));
	BUG_ON(vma->max_gap != best);
	return best;
}

void rbtree_validate(struct mm *mm)
{
	const struct vma *next = mm->index.first;

	(void)check_subtree(mm->index.rb.node, &next);
	BUG_ON(next);
}
