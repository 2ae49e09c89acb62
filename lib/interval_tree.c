/* SPDX-License-Identifier: MIT
 *
 * Intervals in a red-black tree by start.
 *
 * A subtree whose highest last lies below what is asked for has no answer, nor has what lies right of a node that
 * starts above it. Everything else is a descent to the left that turns right where the left has no answer.
 */
#include <kern/interval_tree.h>

#define node_of(n) rb_entry(n, struct interval_node, rb)

static bool update_max_last(struct rb_node *n)
{
	struct interval_node *node = node_of(n);
	unsigned long best = node->last;

	if (n->left)
		best = max(best, node_of(n->left)->max_last);
	if (n->right)
		best = max(best, node_of(n->right)->max_last);
	if (node->max_last == best)
		return false;
	node->max_last = best;
	return true;
}

/* The last of n, or what is below it, is another one. */
static inline void update_from(struct rb_node *n)
{
	while (n && update_max_last(n))
		n = rb_parent(n);
}

void interval_insert(struct rb_root *tree, struct interval_node *node)
{
	struct rb_node **link = &tree->node, *parent = NULL;

	node->max_last = node->last;
	if (!*link) { /* nothing above it: the one vma of a file or an anon_vma is common */
		rb_link_first(tree, &node->rb);
		return;
	}
	while (*link) {
		struct interval_node *above = node_of(*link);

		parent = *link;
		above->max_last = max(above->max_last, node->last);
		link = node->start < above->start ? &parent->left : &parent->right;
	}
	rb_link(&node->rb, parent, link);
	rb_balance(tree, &node->rb, update_max_last);
}

void interval_erase(struct rb_root *tree, struct interval_node *node)
{
	if (rb_is_only(tree, &node->rb)) {
		tree->node = NULL;
	} else if (rb_is_red_leaf(&node->rb)) {
		rb_erase_red_leaf(&node->rb);
		update_from(rb_parent(&node->rb));
	} else if (rb_has_one_child(&node->rb)) {
		rb_erase_above_leaf(tree, &node->rb);
		update_from(rb_parent(&node->rb));
	} else {
		rb_erase(tree, &node->rb, update_max_last);
	}
}

static bool keeps_its_place(const struct interval_node *node, unsigned long start)
{
	const struct rb_node *n = start > node->start ? rb_next(&node->rb) : rb_prev(&node->rb);

	return !n ||
	       (start > node->start ? start <= node_of(n)->start : node_of(n)->start <= start);
}

static __noinline void move(struct rb_root *tree, struct interval_node *node, unsigned long start,
			    unsigned long last)
{
	if (keeps_its_place(node, start)) {
		node->start = start;
		node->last = last;
		update_from(&node->rb);
	} else {
		interval_erase(tree, node);
		node->start = start;
		node->last = last;
		interval_insert(tree, node);
	}
}

void interval_resize(struct rb_root *tree, struct interval_node *node, unsigned long start,
		     unsigned long last)
{
	if (unlikely(node->start != start)) {
		move(tree, node, start, last);
		return;
	}
	node->last = last;
	update_from(&node->rb);
}

static bool reaches(const struct rb_node *subtree, unsigned long start)
{
	return subtree && node_of(subtree)->max_last >= start;
}

/* The first one of a subtree that reaches start. */
static struct interval_node *first_below(struct rb_node *n, unsigned long start, unsigned long last)
{
	for (;;) {
		struct interval_node *node = node_of(n);

		if (reaches(n->left, start)) {
			n = n->left;
			continue;
		}
		if (node->start > last)
			return NULL;
		if (node->last >= start)
			return node;
		n = n->right; /* something here reaches start, and it is neither left nor n */
	}
}

struct interval_node *interval_first(const struct rb_root *tree, unsigned long start,
				     unsigned long last)
{
	return reaches(tree->node, start) ? first_below(tree->node, start, last) : NULL;
}

struct interval_node *interval_next(const struct interval_node *node, unsigned long start,
				    unsigned long last)
{
	const struct rb_node *n = &node->rb, *below;

	for (;;) {
		if (reaches(n->right, start))
			return first_below(n->right, start, last);
		do {
			below = n;
			n = rb_parent(n);
			if (!n)
				return NULL;
		} while (n->right == below);
		if (node_of(n)->start > last)
			return NULL;
		if (node_of(n)->last >= start)
			return node_of(n);
	}
}
