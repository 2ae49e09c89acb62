/* SPDX-License-Identifier: MIT
 *
 * A set of intervals [start, last], which may overlap and be equal, that answers "which of you overlap this
 * one?" with a descent for each. A red-black tree by start in which every node knows the highest last of its
 * subtree. Source: Cormen et al., Introduction to Algorithms, 14.3.
 */
#ifndef KERN_INTERVAL_TREE_H
#define KERN_INTERVAL_TREE_H

#include <kern/rbtree.h>

struct interval_node {
	struct rb_node rb;
	unsigned long start, last; /* start <= last; the owner sets them before the insertion */
	unsigned long max_last;	   /* of the subtree */
};

void interval_insert(struct rb_root *tree, struct interval_node *node);
void interval_erase(struct rb_root *tree, struct interval_node *node);
/* A node of the tree becomes [start, last]. */
void interval_resize(struct rb_root *tree, struct interval_node *node, unsigned long start,
		     unsigned long last);
/* The intervals that overlap [start, last], in ascending order of their starts; NULL after the last one. */
struct interval_node *interval_first(const struct rb_root *tree, unsigned long start,
				     unsigned long last);
struct interval_node *interval_next(const struct interval_node *node, unsigned long start,
				    unsigned long last);

#define for_each_interval(node, tree, start, last)                                                 \
	for ((node) = interval_first(tree, start, last); (node);                                   \
	     (node) = interval_next(node, start, last))

#endif
