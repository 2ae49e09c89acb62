/* SPDX-License-Identifier: MIT
 *
 * The red-black tree against a sorted array: random insertions and deletions, with a subtree
 * maximum as the augmented value, every rule checked after each step.
 */
#include "t.h"
#include <kern/rbtree.h>

#define NODES 200

struct item {
	struct rb_node rb;
	unsigned long key, value, max;
};

static struct item items[NODES];
static struct item *sorted[NODES];
static unsigned int nr_sorted;
static struct rb_root root;

#define item_of(n) rb_entry(n, struct item, rb)

static bool update(struct rb_node *n)
{
	struct item *it = item_of(n);
	unsigned long best = it->value;

	if (n->left)
		best = max(best, item_of(n->left)->max);
	if (n->right)
		best = max(best, item_of(n->right)->max);
	if (best == it->max)
		return false;
	it->max = best;
	return true;
}

/* The black height of a subtree that obeys all rules. */
static unsigned int check(struct rb_node *n, struct rb_node *parent, bool augmented)
{
	bool red;
	unsigned int left, right;

	if (!n)
		return 0;
	red = !(n->parent_color & 1);
	assert_ptr_equal(rb_parent(n), parent);
	assert_false(red && (!parent || !(parent->parent_color & 1)));
	left = check(n->left, n, augmented);
	right = check(n->right, n, augmented);
	assert_int_equal(left, right);
	if (augmented)
		assert_false(update(n));
	return left + !red;
}

static void check_all(bool augmented)
{
	struct rb_node *n = rb_first(&root);

	check(root.node, NULL, augmented);
	for (unsigned int i = 0; i < nr_sorted; i++, n = rb_next(n))
		assert_ptr_equal(item_of(n), sorted[i]);
	assert_null(n);
	n = rb_last(&root);
	for (unsigned int i = nr_sorted; i-- > 0; n = rb_prev(n))
		assert_ptr_equal(item_of(n), sorted[i]);
	assert_null(n);
}

static void insert(struct item *it, rb_update_fn fn)
{
	struct rb_node **link = &root.node, *parent = NULL;
	unsigned int i = nr_sorted++;

	while (*link) {
		parent = *link;
		link = it->key < item_of(parent)->key ? &parent->left : &parent->right;
	}
	rb_insert(&root, &it->rb, parent, link, fn);
	for (; i && sorted[i - 1]->key > it->key; i--)
		sorted[i] = sorted[i - 1];
	sorted[i] = it;
}

static void erase(unsigned int i, rb_update_fn fn)
{
	rb_erase(&root, &sorted[i]->rb, fn);
	nr_sorted--;
	for (; i < nr_sorted; i++)
		sorted[i] = sorted[i + 1];
}

static void random_steps(rb_update_fn fn)
{
	bool used[NODES] = { 0 };

	root.node = NULL;
	nr_sorted = 0;
	for (unsigned int step = 0; step < 4000; step++) {
		unsigned int i = (unsigned int)t_below(NODES);
		/* Long phases of growing and of shrinking. */
		bool grow = t_below(100) < ((step / 500) % 2 ? 30 : 70);

		if (grow && !used[i]) {
			used[i] = true;
			items[i].key = t_random();
			items[i].value = t_below(50);
			items[i].max = t_below(50); /* stale: insertion must not trust it */
			insert(&items[i], fn);
		} else if (!grow && nr_sorted) {
			unsigned int at = (unsigned int)t_below(nr_sorted);

			used[sorted[at] - items] = false;
			erase(at, fn);
		} else if (fn && nr_sorted) {
			struct item *it = sorted[t_below(nr_sorted)];

			it->value = t_below(50);
			rb_propagate(&it->rb, fn);
		}
		check_all(fn != NULL);
	}
}

static void test_random_plain(void **state)
{
	(void)state;
	random_steps(NULL);
}

static void test_random_augmented(void **state)
{
	(void)state;
	random_steps(update);
}

static void test_ascending_and_descending(void **state)
{
	(void)state;
	for (unsigned int down = 0; down < 2; down++) {
		root.node = NULL;
		nr_sorted = 0;
		for (unsigned int i = 0; i < NODES; i++) {
			items[i] = (struct item){ .key = down ? NODES - i : i, .value = i };
			insert(&items[i], update);
			check_all(true);
		}
		while (nr_sorted) {
			erase(down ? 0 : nr_sorted - 1, update);
			check_all(true);
		}
		assert_null(rb_first(&root));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_plain),
		cmocka_unit_test(test_random_augmented),
		cmocka_unit_test(test_ascending_and_descending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
