/* SPDX-License-Identifier: MIT
 *
 * A red-black tree whose nodes live inside the objects, with an optional value a subtree
 * (an augmentation, e.g. the largest gap below a node) kept right through every rotation.
 * Algorithm: Guibas and Sedgewick 1978; insertion and deletion cases as in Cormen et al., chapter 13.
 */
#ifndef KERN_RBTREE_H
#define KERN_RBTREE_H

#include <kern/types.h>

struct rb_node {
	unsigned long parent_color; /* parent pointer | colour bit */
	struct rb_node *left, *right;
};

#define RB_BLACK 1UL /* the colour bit; red without */

struct rb_root {
	struct rb_node *node;
};

#define RB_ROOT                                                                                    \
	{                                                                                          \
		NULL                                                                               \
	}
#define rb_entry(p, type, member) container_of(p, type, member)

/*
 * Recomputes the augmented value of one node from the node itself and its children.
 * Returns true when it changed, so that a walk towards the root may stop early. May be NULL.
 */
typedef bool (*rb_update_fn)(struct rb_node *node);

/*
 * Links node as the child *link of parent (found by the caller's descent), rebalances, and updates
 * augmented values from node to the root.
 */
void rb_insert(struct rb_root *root, struct rb_node *node, struct rb_node *parent,
	       struct rb_node **link, rb_update_fn update);
void rb_erase(struct rb_root *root, struct rb_node *node, rb_update_fn update);
/* The node's own value changed: recompute from it towards the root until nothing changes. */
void rb_propagate(struct rb_node *node, rb_update_fn update);

struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_prev(const struct rb_node *node);

/* The tree is empty; the value of node is its own. */
static inline void rb_link_first(struct rb_root *root, struct rb_node *node)
{
	node->parent_color = RB_BLACK;
	node->left = NULL;
	node->right = NULL;
	root->node = node;
}

/* What follows on rb_link() when the node has no parent, or a red one. */
void rb_balance_slow(struct rb_root *root, struct rb_node *node, rb_update_fn update);

/*
 * rb_insert() in two steps, for who has values to change in between: after rb_link() all values must be made
 * right by the caller, then rb_balance() keeps them so.
 */
static inline void rb_link(struct rb_node *node, struct rb_node *parent, struct rb_node **link)
{
	node->parent_color = (unsigned long)parent; /* red */
	node->left = NULL;
	node->right = NULL;
	*link = node;
}

static inline void rb_balance(struct rb_root *root, struct rb_node *node, rb_update_fn update)
{
	const struct rb_node *parent = (const struct rb_node *)node->parent_color;

	if (!parent || !(parent->parent_color & RB_BLACK))
		rb_balance_slow(root, node, update);
}

static inline struct rb_node *rb_parent(const struct rb_node *n)
{
	return (struct rb_node *)(n->parent_color & ~1UL);
}

/* node is in the tree, and nothing else is. */
static inline bool rb_is_only(const struct rb_root *root, const struct rb_node *node)
{
	return root->node == node && !node->left && !node->right;
}

/* A leaf that goes and leaves nothing to be balanced: red, so not the root. */
static inline bool rb_is_red_leaf(const struct rb_node *node)
{
	return !node->left && !node->right && !(node->parent_color & RB_BLACK);
}

static inline void rb_erase_red_leaf(struct rb_node *node)
{
	struct rb_node *parent = (struct rb_node *)node->parent_color;

	*(parent->left == node ? &parent->left : &parent->right) = NULL;
}

/* It has one child, so is black, and the child a red leaf that can take its place. */
static inline bool rb_has_one_child(const struct rb_node *node)
{
	return !node->left != !node->right;
}

static inline void rb_erase_above_leaf(struct rb_root *root, const struct rb_node *node)
{
	struct rb_node *parent = rb_parent(node), *leaf = node->left ?: node->right;

	leaf->parent_color = node->parent_color;
	if (!parent)
		root->node = leaf;
	else
		*(parent->left == node ? &parent->left : &parent->right) = leaf;
}

#endif
