/* SPDX-License-Identifier: MIT
 *
 * The B-tree of vma.index=maple from inside: what its files share. mm/vma_btree.c has a picture and says what the
 * members mean. mmap_lock held for writing, but for place_of().
 */
#ifndef MM_VMA_BTREE_H
#define MM_VMA_BTREE_H

#include "vma.h"
#include "vma_index.h"

#define MAX_ENTRIES 16u
#define MIN_ENTRIES 4u
#define FREE_BOUND (~0UL)

struct vma_node {
	union {
		struct vma_node *parent; /* NULL: the root. Of spare nodes: the next */
		struct rcu_head rcu;
	};
	unsigned int nr;
	unsigned int height;   /* 0: a leaf */
	unsigned long max_gap; /* bytes: no gap[i] is larger; the same as the parent's gap for it */
	unsigned long low, high; /* of a leaf: the bounds around it, 0 and ~0 at the edges */
	unsigned long bound[MAX_ENTRIES];
	unsigned long gap[MAX_ENTRIES];
	union {
		struct vma *vma[MAX_ENTRIES];
		struct vma_node *child[MAX_ENTRIES];
		void *entry[MAX_ENTRIES];
	};
};

/* b, or the bound n further when all before that are not above addr. */
static __always_inline const unsigned long *pass(const unsigned long *b, unsigned int n,
						 unsigned long addr)
{
	const unsigned long *further = b + n;

	return further[-1] <= addr ? further : b;
}

/* How many bounds are not above addr; 15 stands for 16, too. */
static __always_inline unsigned long place_of(const struct vma_node *n, unsigned long addr)
{
	return (unsigned long)(pass(pass(pass(pass(n->bound, 8, addr), 4, addr), 2, addr), 1,
				    addr) -
			       n->bound);
}

/* Where child, which is one of parent's, stands in it. */
static inline unsigned int child_place(const struct vma_node *parent, const struct vma_node *child)
{
	unsigned int i = 0;

	while (parent->child[i] != child)
		i++;
	return i;
}

static inline void copy_entry(struct vma_node *to, unsigned long to_at, const struct vma_node *from,
			      unsigned long from_at)
{
	to->bound[to_at] = from->bound[from_at];
	to->gap[to_at] = from->gap[from_at];
	to->entry[to_at] = from->entry[from_at];
}

/* There is room. */
static inline void put_entry(struct vma_node *n, unsigned long at, unsigned long bound,
			     unsigned long gap, void *entry)
{
	for (unsigned long i = n->nr++; i > at; i--)
		copy_entry(n, i, n, i - 1);
	n->bound[at] = bound;
	n->gap[at] = gap;
	n->entry[at] = entry;
}

static inline void drop_entry(struct vma_node *n, unsigned long at)
{
	unsigned int last = --n->nr;

	for (; at < last; at++)
		copy_entry(n, at, n, at + 1);
	n->bound[last] = FREE_BOUND;
}

static inline void set_max_gap(struct vma_node *n, unsigned long gap)
{
	n->max_gap = gap;
	if (n->parent)
		n->parent->gap[child_place(n->parent, n)] = gap;
}

/* ---- vma_btree_node.c ---- */

/*
 * Half of a node that has no room for what is to be put at a place moves to a new one. At the ends it is less than
 * half that stays, or more: who maps downwards, or upwards, fills nodes to three quarters. btree_reserve() has set
 * aside what it takes.
 */
void btree_split(struct mm *mm, struct vma_node *n, unsigned long at);
/* A node that may have too few entries now joins its neighbour, or gets some of its entries; so do those above. */
void btree_refill(struct mm *mm, struct vma_node *n);

/* ---- vma_btree_gap.c ---- */

/* Finds the largest gap of this node anew, and tells its parent. */
void btree_count_max_gap(struct vma_node *n);

#endif
