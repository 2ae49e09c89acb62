/* SPDX-License-Identifier: MIT
 *
 * vma.index=maple: a B-tree of address ranges. A leaf has up to 16 vmas and their ends, an inner node up to
 * 16 children and the bounds between them, so that a lookup among 50,000 vmas reads five nodes:
 *
 *                     bound   300      700      ~0
 *                     child    |        |        |
 *          +-------------------+        |        +------------------+
 *   bound 100 200 240 ~0..        bound 400 500 650 ~0..        bound 800 990 ~0..
 *   vma    A   B   C                     D   E   F                     G   H
 *
 * bound[i] of a leaf is the end of vma[i]. bound[i] of an inner node lies between its children i and i + 1: no
 * vma of the one ends above it, none of the other starts below it; the last is ~0, since what ends the node
 * itself is its parent's to say. Places that are not in use have bound ~0 as well, so that a search compares
 * with all of them and not with how many there are.
 *
 * A vma knows its leaf, and the list of vmas its neighbours: insertion and removal start at the leaf and mostly end
 * there. Every node but the root has at least four entries; one that would have fewer joins its neighbour, or gets
 * some of its entries.
 *
 * gap[i] of a leaf is what is free below vma[i]. Further up it is a promise: no gap below child i is larger, not
 * that there is one so large. A gap that grows is told to the nodes above at once; one that shrinks is not
 * told at all: whoever looks there in vain writes down what there is. Each such look is paid for by a change
 * before it.
 *
 * Nothing fails once a change has begun: vma_alloc() has btree_reserve() set nodes aside.
 *
 * Readers hold mmap_lock, or look whether the index has changed before they follow a pointer (vma_find_rcu()): a node
 * is changed in place, and freed by RCU.
 */
#include "vma_btree.h"

/* ---- what is free below a vma ---- */

/* A gap of this node may have grown to so much. Parents promise at least what their children do. */
static __noinline void raise_max_gap(struct vma_node *n, unsigned long gap)
{
	for (; n && n->max_gap < gap; n = n->parent)
		set_max_gap(n, gap);
}

/* What is free below the vma, at this place of a leaf, may have changed. */
static inline void set_gap(struct vma_node *leaf, unsigned long at, const struct vma *vma)
{
	leaf->gap[at] = vma_gap_below(vma);
	if (unlikely(leaf->max_gap < leaf->gap[at]))
		raise_max_gap(leaf, leaf->gap[at]);
}

/* The same for the vma after the one that is, or was, before this place. */
static inline void set_next_gap(struct vma_node *leaf, unsigned long at, const struct vma *next)
{
	if (likely(at < leaf->nr))
		set_gap(leaf, at, next);
	else if (next)
		set_gap(next->leaf, 0, next);
}

/* ---- the operations ---- */

struct vma *btree_find(struct mm *mm, unsigned long addr)
{
	const struct vma_node *n = mm->index.root;
	unsigned long i;

	addr = min(addr, FREE_BOUND - 1);
	while (n->height)
		n = n->child[place_of(n, addr)];
	if (unlikely(!n->nr))
		return NULL;
	i = place_of(n, addr);
	if (likely(i < n->nr) && likely(n->bound[i] > addr))
		return vma_remember(mm, n->vma[i]);
	return vma_remember(mm, n->vma[n->nr - 1]->next);
}

READS_UNLOCKED struct vma *btree_find_rcu(struct mm *mm, unsigned long addr, unsigned long seq)
{
	const struct vma_node *n = mm->index.root;
	struct vma *vma = NULL;
	unsigned long i;

	for (;;) {
		if (vma_index_changed(mm, seq))
			return NULL;
		i = place_of(n, addr);
		if (!n->height)
			break;
		n = n->child[i];
	}
	if (likely(i < n->nr))
		vma = n->vma[i];
	return vma_index_changed(mm, seq) ? NULL : vma;
}

/* The bound between the leaf left and the one that follows it, wherever in the tree it stands. */
static __noinline void move_bound(struct vma_node *left, struct vma_node *right, unsigned long to)
{
	struct vma_node *n = left;

	left->high = to;
	right->low = to;
	while (n == n->parent->child[n->parent->nr - 1])
		n = n->parent;
	n->parent->bound[child_place(n->parent, n)] = to;
}

void btree_insert(struct mm *mm, struct vma *vma)
{
	struct vma *prev = vma->prev, *beside = prev ?: vma->next;
	struct vma_node *leaf = beside ? beside->leaf : mm->index.root;
	unsigned long at = prev ? place_of(leaf, prev->start) + 1 : 0;

	if (beside && unlikely(leaf->nr == MAX_ENTRIES)) {
		btree_split(mm, leaf, at);
		leaf = beside->leaf;
		at = prev ? place_of(leaf, prev->start) + 1 : 0;
	}
	put_entry(leaf, at, vma->end, 0, vma);
	vma->leaf = leaf;
	if (prev)
		leaf->bound[at - 1] = prev->end;
	set_gap(leaf, at, vma);
	set_next_gap(leaf, at + 1, vma->next);
	if (unlikely(vma->end > leaf->high))
		move_bound(leaf, vma->next->leaf, vma->end);
}

void btree_append(struct mm *mm, struct vma *vma)
{
	struct vma_node *leaf = vma->prev ? vma->prev->leaf : mm->index.root;
	unsigned int at = leaf->nr;

	if (unlikely(at == MAX_ENTRIES)) {
		btree_insert(mm, vma);
		return;
	}
	leaf->nr = at + 1;
	leaf->bound[at] = vma->end;
	leaf->vma[at] = vma;
	vma->leaf = leaf;
	set_gap(leaf, at, vma);
}

void btree_erase(struct mm *mm, struct vma *vma)
{
	struct vma_node *leaf = vma->leaf;
	unsigned long at = place_of(leaf, vma->start);

	drop_entry(leaf, at);
	set_next_gap(leaf, at, vma->next);
	if (unlikely(leaf->nr < MIN_ENTRIES))
		btree_refill(mm, leaf);
}

void btree_resized(struct vma *vma)
{
	struct vma_node *leaf = vma->leaf;
	unsigned long at = place_of(leaf, vma->start);

	set_gap(leaf, at, vma);
	if (leaf->bound[at] != vma->end) {
		leaf->bound[at] = vma->end;
		set_next_gap(leaf, at + 1, vma->next);
	}
	if (unlikely(vma->end > leaf->high))
		move_bound(leaf, vma->next->leaf, vma->end);
	if (unlikely(vma->start < leaf->low))
		move_bound(vma->prev->leaf, leaf, vma->start);
}

/* Between the pieces of what was one there are no gaps, and what is free below the vma after them is what it was. */
void btree_insert_pieces(struct mm *mm, struct vma *vma, unsigned int n)
{
	struct vma_node *leaf = vma->leaf;
	struct vma *piece = vma;
	unsigned long at;

	if (unlikely(leaf->nr + n > MAX_ENTRIES)) {
		btree_split(mm, leaf, place_of(leaf, vma->start) + 1);
		leaf = vma->leaf;
	}
	at = place_of(leaf, vma->start);
	for (unsigned long i = leaf->nr; --i > at;)
		copy_entry(leaf, i + n, leaf, i);
	leaf->nr += n;
	leaf->bound[at] = vma->end;
	while (n--) {
		piece = piece->next;
		piece->leaf = leaf;
		at++;
		leaf->bound[at] = piece->end;
		leaf->gap[at] = 0;
		leaf->vma[at] = piece;
	}
}

void btree_erase_pieces(struct mm *mm, struct vma *vma, struct vma *first, unsigned int n)
{
	struct vma_node *leaf = vma->leaf;
	unsigned long at = place_of(leaf, vma->start);

	if (unlikely(at + n >= leaf->nr || (leaf->nr - n < MIN_ENTRIES && leaf->parent))) {
		for (; n--; first = first->next)
			btree_erase(mm, first);
		btree_resized(vma);
		return;
	}
	leaf->nr -= n;
	leaf->bound[at] = vma->end;
	while (++at < leaf->nr)
		copy_entry(leaf, at, leaf, at + n);
	while (n--)
		leaf->bound[leaf->nr + n] = FREE_BOUND;
}

void btree_boundary_moved(struct vma *vma)
{
	struct vma_node *leaf = vma->leaf;

	leaf->bound[place_of(leaf, vma->start)] = vma->end;
	if (unlikely(vma->next->leaf != leaf))
		move_bound(leaf, vma->next->leaf, vma->end);
}
