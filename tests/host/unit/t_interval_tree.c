/* SPDX-License-Identifier: MIT
 *
 * The interval tree against an array that is searched from end to end: random insertions, deletions and changes, equal
 * intervals among them, and the same answers to every question.
 */
#include "t.h"
#include <kern/interval_tree.h>

#define NODES 150U
#define STEPS 6000U

static struct interval_node nodes[NODES];
static bool used[NODES];
static struct rb_root tree;

/* Ends of the number range among them: intervals that reach them are nothing special. */
static void some_interval(unsigned long *start, unsigned long *last)
{
	unsigned long span = t_below(10) == 0 ? 1000 : 12;

	*start = t_below(1000);
	*last = *start + t_below(span);
	if (t_below(40) == 0)
		*last = ~0UL;
	if (t_below(40) == 0)
		*start = 0;
}

/* Returns the highest last of the subtree. */
static unsigned long check_subtree(const struct rb_node *n)
{
	const struct interval_node *node;
	unsigned long best;

	if (!n)
		return 0;
	node = rb_entry(n, struct interval_node, rb);
	best = max(node->last, max(check_subtree(n->left), check_subtree(n->right)));
	assert_true(node->max_last == best);
	return best;
}

static void check_question(unsigned long start, unsigned long last)
{
	unsigned int expected = 0, found = 0;
	unsigned long before = 0;
	struct interval_node *node;

	for (unsigned int i = 0; i < NODES; i++)
		expected += used[i] && nodes[i].start <= last && nodes[i].last >= start;
	for_each_interval(node, &tree, start, last) {
		assert_true(used[node - nodes]);
		assert_true(node->start <= last && node->last >= start);
		assert_true(before <= node->start);
		before = node->start;
		assert_true(++found <= expected);
	}
	assert_int_equal(found, expected);
}

static void random_step(bool growing)
{
	struct interval_node *node = &nodes[t_below(NODES)];
	bool *in = &used[node - nodes];
	unsigned long start, last;

	some_interval(&start, &last);
	if (!*in && (growing || t_below(4) == 0)) {
		node->start = start;
		node->last = last;
		node->max_last = t_random(); /* whatever was there before */
		interval_insert(&tree, node);
		*in = true;
	} else if (*in && t_below(3) == 0) {
		if (t_below(2))
			start = node->start;
		interval_resize(&tree, node, start, max(start, last));
	} else if (*in && !growing) {
		interval_erase(&tree, node);
		*in = false;
	}
}

static void test_random(void **state)
{
	(void)state;
	for (unsigned int step = 0; step < STEPS; step++) {
		unsigned long start, last;

		random_step((step / 700) % 2 == 0);
		check_subtree(tree.node);
		some_interval(&start, &last);
		check_question(start, last);
	}
	check_question(0, ~0UL);
}

static void test_empty_and_edges(void **state)
{
	static struct interval_node all = { .start = 0, .last = ~0UL },
				    top = { .start = ~0UL, .last = ~0UL };
	struct rb_root few = RB_ROOT;

	(void)state;
	assert_null(interval_first(&few, 0, ~0UL));
	interval_insert(&few, &top);
	assert_null(interval_first(&few, 0, ~0UL - 1));
	assert_ptr_equal(interval_first(&few, ~0UL, ~0UL), &top);
	interval_insert(&few, &all);
	assert_ptr_equal(interval_first(&few, ~0UL, ~0UL), &all);
	assert_ptr_equal(interval_next(&all, ~0UL, ~0UL), &top);
	assert_null(interval_next(&top, ~0UL, ~0UL));
	interval_erase(&few, &all);
	interval_erase(&few, &top);
	assert_null(few.node);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_and_edges),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
