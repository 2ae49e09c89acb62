/* SPDX-License-Identifier: MIT
 *
 * The B-tree's invariants (mm/vma_btree.c): all of them, or those on the way to one vma.
 */
#include "vma_btree.h"

static void check_leaf(const struct vma_node *n, const struct vma **next)
{
	for (unsigned int i = 0; i < n->nr; i++) {
		const struct vma *vma = n->vma[i];

		BUG_ON(vma != *next || vma->leaf != n || n->bound[i] != vma->end);
		BUG_ON(vma->start < n->low || vma->end > n->high);
		BUG_ON(n->gap[i] != vma_gap_below(vma));
		*next = vma->next;
	}
}

static void check_entries(const struct vma_node *n)
{
	BUG_ON(n->nr > MAX_ENTRIES || (n->parent && n->nr < MIN_ENTRIES));
	for (unsigned int i = n->nr; i < MAX_ENTRIES; i++)
		BUG_ON(n->bound[i] != FREE_BOUND);
	for (unsigned int i = 0; i < n->nr; i++)
		BUG_ON(n->gap[i] > n->max_gap);
	if (n->height)
		BUG_ON(n->nr < 2 || n->bound[n->nr - 1] != FREE_BOUND);
}

static void check_child(const struct vma_node *n, unsigned int i)
{
	const struct vma_node *child = n->child[i];

	BUG_ON(child->parent != n || child->height != n->height - 1);
	BUG_ON(n->gap[i] != child->max_gap);
}

/* The subtree's vmas lie in [low, high]; *next is the first of them, and then the one after the last. */
static void check_node(const struct vma_node *n, unsigned long low, unsigned long high,
		       const struct vma **next)
{
	check_entries(n);
	if (!n->height) {
		BUG_ON(n->low != low || n->high != high);
		check_leaf(n, next);
		return;
	}
	for (unsigned int i = 0; i < n->nr; i++) {
		check_child(n, i);
		check_node(n->child[i], i ? n->bound[i - 1] : low,
			   i + 1 < n->nr ? n->bound[i] : high, next);
	}
}

void btree_validate(struct mm *mm)
{
	const struct vma *next = mm->index.first;

	BUG_ON(mm->index.root->parent);
	check_node(mm->index.root, 0, ~0UL, &next);
	BUG_ON(next);
}

void btree_validate_at(struct mm *mm, const struct vma *vma)
{
	const struct vma_node *n = vma->leaf;
	const struct vma *next = n->vma[0];

	check_entries(n);
	check_leaf(n, &next);
	for (; n->parent; n = n->parent) {
		const struct vma_node *parent = n->parent;
		unsigned int i = 0;

		while (i < parent->nr && parent->child[i] != n)
			i++;
		BUG_ON(i == parent->nr || vma->end > parent->bound[i]);
		BUG_ON(i && vma->start < parent->bound[i - 1]);
		check_entries(parent);
		check_child(parent, i);
	}
	BUG_ON(n != mm->index.root);
}
