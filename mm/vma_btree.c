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

/* ---- inside a node ---- */

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

static unsigned int child_place(const struct vma_node *parent, const struct vma_node *child)
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

/* ---- gaps ---- */

static void set_max_gap(struct vma_node *n, unsigned long gap)
{
	n->max_gap = gap;
	if (n->parent)
		n->parent->gap[child_place(n->parent, n)] = gap;
}

/* A gap of this node may have grown to so much. Parents promise at least what their children do. */
static __noinline void raise_max_gap(struct vma_node *n, unsigned long gap)
{
	for (; n && n->max_gap < gap; n = n->parent)
		set_max_gap(n, gap);
}

static void count_max_gap(struct vma_node *n)
{
	unsigned long best = 0;

	for (unsigned int i = 0; i < n->nr; i++)
		best = max(best, n->gap[i]);
	set_max_gap(n, best);
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

/*
 * Half of a node that has no room for what is to be put at a place moves to a new one. At the ends it is less than
 * half that stays, or more: who maps downwards, or upwards, fills nodes to three quarters.
 */
static void split(struct mm *mm, struct vma_node *n, unsigned long at)
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
		split(mm, n->parent, child_place(n->parent, n));
	right = take_spare(mm, n->height);
	right->parent = n->parent;
	right->high = n->high;
	move_up(n, right, n->nr - keep);
	n_at = child_place(n->parent, n);
	put_entry(n->parent, n_at + 1, n->parent->bound[n_at], n->max_gap, right);
	set_bound_between(n, right, n_at);
	count_max_gap(n);
	count_max_gap(right);
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

static __noinline void refill(struct mm *mm, struct vma_node *n)
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
		split(mm, leaf, at);
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
		refill(mm, leaf);
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
		split(mm, leaf, place_of(leaf, vma->start) + 1);
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

/* ---- the gap search ---- */

/*
 * A search that finds nothing writes down what there is, unless what it passed is as large as promised and lies
 * outside the window.
 */

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
	bool kept = false;

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
		count_max_gap(n);
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
		count_max_gap(n);
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

/* ---- its invariants ---- */

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
