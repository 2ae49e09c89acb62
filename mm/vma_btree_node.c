/* SPDX-License-Identifier: MIT
 *
 * The B-tree's nodes (mm/vma_btree.c): set aside, taken, given back; a full one is split, and one that has too few
 * entries joins its neighbour.
 */
#include "vma_btree.h"

static struct kmem_cache *node_cache;

void btree_init(void)
{
	node_cache = kmem_cache_create("vma_node", sizeof(struct vma_node), 0);
}

/* ---- nodes: set aside, taken, given back ---- */

static void node_init(struct vma_node *n, unsigned int height)
{
	n->parent = NULL;
	n->nr = 0;
	n->height = height;
	n->max_gap = 0;
	n->low = 0;
	n->high = ~0UL;
	for (unsigned int i = 0; i < MAX_ENTRIES; i++)
		n->bound[i] = FREE_BOUND;
}

bool btree_create(struct mm *mm)
{
	struct vma_node *root = kmem_cache_alloc(node_cache, GFP_KERNEL);

	if (!root)
		return false;
	node_init(root, 0);
	mm->index.root = root;
	return true;
}

/* Leaves first; nr counts down what is left of an inner node. */
void btree_destroy(struct mm *mm)
{
	struct vma_node *n = mm->index.root, *next;

	while (n) {
		if (n->height && n->nr) {
			n = n->child[--n->nr];
			continue;
		}
		next = n->parent;
		kmem_cache_free(node_cache, n);
		n = next;
	}
	for (n = mm->index.spare; n; n = next) {
		next = n->parent;
		kmem_cache_free(node_cache, n);
	}
}

/* One node a level may be split, and the root gets one above it. */
bool btree_reserve(struct mm *mm)
{
	struct vma_index *index = &mm->index;

	mmap_assert_write_locked(mm);
	if (mm->map_count < (int)MAX_ENTRIES - 1)
		return true; /* no node can be full, even with two pieces of a vma at once */
	while (unlikely(index->nr_spare < index->root->height + 2)) {
		struct vma_node *n = kmem_cache_alloc(node_cache, GFP_KERNEL);

		if (!n)
			return false;
		n->parent = index->spare;
		index->spare = n;
		index->nr_spare++;
	}
	return true;
}

static struct vma_node *take_spare(struct mm *mm, unsigned int height)
{
	struct vma_node *n = mm->index.spare;

	BUG_ON(!n);
	mm->index.spare = n->parent;
	mm->index.nr_spare--;
	node_init(n, height);
	return n;
}

static void free_by_rcu(struct rcu_head *head)
{
	kmem_cache_free(node_cache, container_of(head, struct vma_node, rcu));
}

/* ---- entries go to a neighbour ---- */

static void set_owner(struct vma_node *n, unsigned int at)
{
	if (n->height)
		n->child[at]->parent = n;
	else
		n->vma[at]->leaf = n;
}

/* The last n entries of left become the first of right. */
static void move_up(struct vma_node *left, struct vma_node *right, unsigned int n)
{
	for (unsigned int i = right->nr; i-- > 0;)
		copy_entry(right, i + n, right, i);
	left->nr -= n;
	right->nr += n;
	for (unsigned int i = 0; i < n; i++) {
		copy_entry(right, i, left, left->nr + i);
		set_owner(right, i);
		left->bound[left->nr + i] = FREE_BOUND;
	}
}

/* The first n entries of right become the last of left. */
static void move_down(struct vma_node *left, struct vma_node *right, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		copy_entry(left, left->nr, right, i);
		set_owner(left, left->nr++);
	}
	right->nr -= n;
	for (unsigned int i = 0; i < right->nr; i++)
		copy_entry(right, i, right, i + n);
	for (unsigned int i = 0; i < n; i++)
		right->bound[right->nr + i] = FREE_BOUND;
}

/* ---- a node splits, joins another ---- */

/* right follows left below the same parent: what is between them lies at the end of left. */
static void set_bound_between(struct vma_node *left, struct vma_node *right, unsigned int left_at)
{
	unsigned long *end = &left->bound[left->nr - 1];

	left->parent->bound[left_at] = *end;
	if (left->height)
		*end = FREE_BOUND;
	else
		left->high = right->low = *end;
}

static void add_level(struct mm *mm)
{
	struct vma_node *old = mm->index.root, *root = take_spare(mm, old->height + 1);

	root->max_gap = old->max_gap;
	put_entry(root, 0, FREE_BOUND, old->max_gap, old);
	old->parent = root;
	mm->index.root = root;
}

void btree_split(struct mm *mm, struct vma_node *n, unsigned long at)
{
	unsigned int keep = MAX_ENTRIES / 2, n_at;
	struct vma_node *right;

	if (at <= MIN_ENTRIES)
		keep = MIN_ENTRIES;
	else if (at >= MAX_ENTRIES - MIN_ENTRIES)
		keep = n->nr - MIN_ENTRIES;
	if (!n->parent)
		add_level(mm);
	else if (n->parent->nr == MAX_ENTRIES)
		btree_split(mm, n->parent, child_place(n->parent, n));
	right = take_spare(mm, n->height);
	right->parent = n->parent;
	right->high = n->high;
	move_up(n, right, n->nr - keep);
	n_at = child_place(n->parent, n);
	put_entry(n->parent, n_at + 1, n->parent->bound[n_at], n->max_gap, right);
	set_bound_between(n, right, n_at);
	btree_count_max_gap(n);
	btree_count_max_gap(right);
}

/* The root has one child only: that is the root. */
static void drop_level(struct mm *mm)
{
	struct vma_node *root = mm->index.root;

	mm->index.root = root->child[0];
	mm->index.root->parent = NULL;
	call_rcu(&root->rcu, free_by_rcu);
}

/* Two children of one parent, at left_at and after it, of which one has too few entries: one node, or half and half. */
static void join(struct vma_node *left, struct vma_node *right, unsigned int left_at)
{
	struct vma_node *parent = left->parent;
	unsigned int sum = left->nr + right->nr;

	set_max_gap(left, max(left->max_gap, right->max_gap));
	set_max_gap(right, left->max_gap);
	if (left->height)
		left->bound[left->nr - 1] = parent->bound[left_at];
	if (sum <= MAX_ENTRIES - MIN_ENTRIES) {
		move_down(left, right, right->nr);
		left->high = right->high;
		parent->bound[left_at] = parent->bound[left_at + 1];
		drop_entry(parent, left_at + 1);
		call_rcu(&right->rcu, free_by_rcu);
		return;
	}
	if (left->nr < right->nr)
		move_down(left, right, sum / 2 - left->nr);
	else
		move_up(left, right, left->nr - sum / 2);
	set_bound_between(left, right, left_at);
}

void btree_refill(struct mm *mm, struct vma_node *n)
{
	while (n->nr < MIN_ENTRIES && n->parent) {
		struct vma_node *parent = n->parent;
		unsigned int at = child_place(parent, n);

		at -= at > 0;
		join(parent->child[at], parent->child[at + 1], at);
		n = parent;
	}
	if (!n->parent && n->height && n->nr == 1)
		drop_level(mm);
}
