/* SPDX-License-Identifier: MIT
 *
 * Red-black tree: insertion, deletion, iteration.
 *
 * The rules: the root is black; a red node has no red child; every path from the root to a
 * missing child passes the same number of black nodes. Insertion can break only the second rule
 * and deletion only the third, so each has one loop that moves the fault towards the root or
 * rotates it away. Left and right cases are one piece of code: a side is a value.
 *
 * Augmented values depend only on which nodes are in the subtree. A rotation therefore changes
 * the values of the two nodes it turns, never those above them.
 */
#include <kern/rbtree.h>

enum side { LEFT, RIGHT };

static inline struct rb_node **child(struct rb_node *n, enum side s)
{
	return s == LEFT ? &n->left : &n->right;
}

static inline bool is_black(const struct rb_node *n)
{
	return !n || (n->parent_color & RB_BLACK);
}

static inline void set_parent(struct rb_node *n, struct rb_node *parent)
{
	n->parent_color = (unsigned long)parent | (n->parent_color & RB_BLACK);
}

static inline void set_black(struct rb_node *n)
{
	n->parent_color |= RB_BLACK;
}

static inline void set_red(struct rb_node *n)
{
	n->parent_color &= ~RB_BLACK;
}

/* What pointed to old, a child of parent or the root, now points to new. */
static inline void relink(struct rb_root *root, struct rb_node *parent, struct rb_node *old,
			  struct rb_node *new)
{
	if (!parent)
		root->node = new;
	else if (parent->left == old)
		parent->left = new;
	else
		parent->right = new;
}

/*
 * x moves down to side s; its child on the other side takes its place. Colours stay with the
 * nodes.
 */
static void rotate(struct rb_root *root, struct rb_node *x, enum side s, rb_update_fn update)
{
	struct rb_node *parent = rb_parent(x);
	struct rb_node *y = *child(x, !s);
	struct rb_node *middle = *child(y, s);

	*child(x, !s) = middle;
	if (middle)
		set_parent(middle, x);
	*child(y, s) = x;
	set_parent(x, y);
	set_parent(y, parent);
	relink(root, parent, x, y);
	if (update) {
		update(x);
		update(y);
	}
}

void rb_propagate(struct rb_node *node, rb_update_fn update)
{
	while (node && update(node))
		node = rb_parent(node);
}

void rb_insert(struct rb_root *root, struct rb_node *node, struct rb_node *parent,
	       struct rb_node **link, rb_update_fn update)
{
	rb_link(node, parent, link);
	if (update) {
		update(node);
		rb_propagate(parent, update);
	}
	rb_balance(root, node, update);
}

void rb_balance_slow(struct rb_root *root, struct rb_node *node, rb_update_fn update)
{
	struct rb_node *parent;

	while (!is_black(parent = rb_parent(node))) {
		struct rb_node *grand = rb_parent(parent);
		enum side s = grand->left == parent ? LEFT : RIGHT;
		struct rb_node *uncle = *child(grand, !s);

		if (!is_black(uncle)) {
			set_black(parent);
			set_black(uncle);
			set_red(grand);
			node = grand;
			continue;
		}
		if (*child(parent, !s) == node) {
			rotate(root, parent, s, update);
			parent = node;
		}
		set_black(parent);
		set_red(grand);
		rotate(root, grand, !s, update);
		break;
	}
	set_black(root->node);
}

/* The child opposite side s, whose paths are one black node longer: so there is one. */
static __attribute__((returns_nonnull)) struct rb_node *sibling_of(struct rb_node *parent,
								   enum side s)
{
	return *child(parent, !s);
}

/* Every path through parent's child x (perhaps none) has one black node too few: repairs that. */
static void erase_fixup(struct rb_root *root, struct rb_node *x, struct rb_node *parent,
			rb_update_fn update)
{
	while (parent && is_black(x)) {
		enum side s = parent->left == x ? LEFT : RIGHT;
		struct rb_node *sibling = sibling_of(parent, s);
		struct rb_node *near, *far;

		if (!is_black(sibling)) {
			set_black(sibling);
			set_red(parent);
			rotate(root, parent, s, update);
			sibling = sibling_of(parent, s);
		}
		near = *child(sibling, s);
		far = *child(sibling, !s);
		if (is_black(near) && is_black(far)) {
			set_red(sibling);
			x = parent;
			parent = rb_parent(x);
			continue;
		}
		if (is_black(far)) {
			set_black(near);
			set_red(sibling);
			rotate(root, sibling, !s, update);
			far = sibling;
			sibling = near;
		}
		sibling->parent_color =
			(sibling->parent_color & ~RB_BLACK) | (parent->parent_color & RB_BLACK);
		set_black(parent);
		set_black(far);
		rotate(root, parent, s, update);
		return;
	}
	if (x)
		set_black(x);
}

void rb_erase(struct rb_root *root, struct rb_node *node, rb_update_fn update)
{
	struct rb_node *parent = rb_parent(node);
	struct rb_node *heir = NULL; /* takes node's place when node has two children */
	struct rb_node *x;	     /* takes the place of what leaves the tree's edge */
	struct rb_node *low;	     /* x's parent: the lowest node whose subtree lost one */
	bool black = is_black(node);

	if (!node->left || !node->right) {
		x = node->left ? node->left : node->right;
		low = parent;
		if (x)
			set_parent(x, parent);
		relink(root, parent, node, x);
	} else {
		heir = node->right;
		while (heir->left)
			heir = heir->left;
		x = heir->right;
		low = rb_parent(heir);
		black = is_black(heir);
		if (low == node) {
			low = heir;
		} else {
			low->left = x;
			if (x)
				set_parent(x, low);
			heir->right = node->right;
			set_parent(heir->right, heir);
		}
		heir->left = node->left;
		set_parent(heir->left, heir);
		heir->parent_color = node->parent_color;
		relink(root, parent, node, heir);
	}

	if (update) {
		/*
		 * heir's old value was that of another place: an unchanged one there proves
		 * nothing.
		 */
		if (heir) {
			for (struct rb_node *n = low; n != heir; n = rb_parent(n))
				update(n);
			update(heir);
		}
		rb_propagate(heir ? parent : low, update);
	}
	if (black)
		erase_fixup(root, x, low, update);
}

static struct rb_node *outermost(struct rb_node *n, enum side s)
{
	if (n)
		while (*child(n, s))
			n = *child(n, s);
	return n;
}

static struct rb_node *neighbour(const struct rb_node *node, enum side s)
{
	struct rb_node *n = (struct rb_node *)node;
	struct rb_node *parent;

	if (*child(n, s))
		return outermost(*child(n, s), !s);
	while ((parent = rb_parent(n)) && *child(parent, s) == n)
		n = parent;
	return parent;
}

struct rb_node *rb_first(const struct rb_root *root)
{
	return outermost(root->node, LEFT);
}

struct rb_node *rb_last(const struct rb_root *root)
{
	return outermost(root->node, RIGHT);
}

struct rb_node *rb_next(const struct rb_node *node)
{
	return neighbour(node, RIGHT);
}

struct rb_node *rb_prev(const struct rb_node *node)
{
	return neighbour(node, LEFT);
}
