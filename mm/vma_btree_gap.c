/* SPDX-License-Identifier: MIT
 *
 * The B-tree's gaps (mm/vma_btree.c): what its nodes promise, and the search that holds them to it.
 */
#include "vma_btree.h"

void btree_count_max_gap(struct vma_node *n)
{
	unsigned long best = 0;

	for (unsigned int i = 0; i < n->nr; i++)
		best = max(best, n->gap[i]);
	set_max_gap(n, best);
}

/* ---- the search: who finds nothing writes down what there is ---- */

/* The part of a leaf's gap in the window, when it is large enough. */
static __always_inline bool leaf_gap_fits(struct mm *mm, const struct gap_request *rq,
					  const struct vma_node *leaf, unsigned int at,
					  unsigned long *from, unsigned long *to)
{
	*to = vma_start_gap(leaf->vma[at]);
	*from = *to - leaf->gap[at];
	if (!gap_fits(rq, from, to))
		return false;
	(void)vma_remember(mm, leaf->vma[at]); /* whoever maps there asks for its neighbours */
	return true;
}

static unsigned long highest_gap(struct mm *mm, const struct gap_request *rq, struct vma_node *n)
{
	unsigned long from, to;
	bool kept = false; /* one that is as large as promised lies outside the window */

	for (unsigned int i = n->nr; i-- > 0;) {
		if (likely(n->gap[i] < rq->len))
			continue;
		if (!n->height) {
			if ((i < 1 || n->bound[i - 1] < rq->high) &&
			    leaf_gap_fits(mm, rq, n, i, &from, &to))
				return to - rq->len;
		} else if (i < 2 || n->bound[i - 2] < rq->high) {
			/* Else all gaps of child i, which start above the end of child i - 2, lie above. */
			to = highest_gap(mm, rq, n->child[i]);
			if (to)
				return to;
		}
		kept |= n->gap[i] >= rq->len;
	}
	if (!kept)
		btree_count_max_gap(n);
	return 0;
}

static unsigned long lowest_gap(struct mm *mm, const struct gap_request *rq, struct vma_node *n)
{
	unsigned long from, to;
	bool kept = false;

	for (unsigned int i = 0; i < n->nr; i++) {
		if (likely(n->gap[i] < rq->len))
			continue;
		if (!n->height) {
			if (leaf_gap_fits(mm, rq, n, i, &from, &to))
				return from;
		} else if (n->bound[i] > rq->low) {
			/* Else all gaps of child i, which end below its bound, lie below. */
			from = lowest_gap(mm, rq, n->child[i]);
			if (from)
				return from;
		}
		kept |= n->gap[i] >= rq->len;
	}
	if (!kept)
		btree_count_max_gap(n);
	return 0;
}

unsigned long btree_highest_gap(struct mm *mm, const struct gap_request *rq)
{
	return highest_gap(mm, rq, mm->index.root);
}

unsigned long btree_lowest_gap(struct mm *mm, const struct gap_request *rq)
{
	return lowest_gap(mm, rq, mm->index.root);
}
