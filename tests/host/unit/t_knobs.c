/* SPDX-License-Identifier: MIT
 *
 * Knobs by name and text, and failure points.
 */
#include "t.h"

static void test_range(void **state)
{
	unsigned long old = knob_populate_batch;

	(void)state;
	assert_int_equal(knob_set("populate.batch", "128"), 0);
	assert_int_equal(knob_populate_batch, 128);
	assert_int_equal(knob_set("populate.batch", "0"), -EINVAL);
	assert_int_equal(knob_set("populate.batch", "99999999"), -EINVAL);
	assert_int_equal(knob_set("populate.batch", "many"), -EINVAL);
	assert_int_equal(knob_set("populate.batches", "1"), -ENOENT);
	assert_int_equal(knob_populate_batch, 128);
	knob_populate_batch = old;
}

static void test_choice(void **state)
{
	unsigned long old = knob_debug_validate;

	(void)state;
	assert_int_equal(knob_set("validate", "off"), 0);
	assert_int_equal(knob_debug_validate, 0);
	assert_int_equal(knob_set("validate", "on"), 0);
	assert_int_equal(knob_debug_validate, 1);
	assert_int_equal(knob_set("validate", "o"), -EINVAL);
	assert_int_equal(knob_set("validate", "off|on"), -EINVAL);
	assert_int_equal(knob_set("validate", ""), -EINVAL);
	knob_debug_validate = old;
}

static void look(void *arg, const char *name, const char *value, const char *text)
{
	unsigned int *seen = arg;

	assert_true(strlen(text) > 0);
	if (strcmp(name, "validate") == 0) {
		assert_string_equal(value, "on");
		*seen |= 1;
	}
	if (strcmp(name, "vm.max_map_count") == 0) {
		assert_string_equal(value, "65530");
		*seen |= 2;
	}
}

static void test_for_each(void **state)
{
	unsigned int seen = 0;

	(void)state;
	knob_for_each(look, &seen);
	assert_int_equal(seen, 3);
}

static void test_failpoints(void **state)
{
	(void)state;
	fail_at(FAIL_KMALLOC, 2);
	assert_false(fail_point(FAIL_ALLOC_PAGES));
	assert_false(fail_point(FAIL_KMALLOC));
	assert_true(fail_point(FAIL_KMALLOC));
	assert_false(fail_point(FAIL_KMALLOC));
	assert_false(fail_armed);
	assert_int_equal(knob_set("fail", "vma_alloc:1"), 0);
	assert_true(fail_point(FAIL_VMA_ALLOC));
	assert_int_equal(knob_set("fail", "vma:1"), -EINVAL);
	assert_int_equal(knob_set("fail", "vma_alloc"), -EINVAL);
	assert_int_equal(knob_set("fail", "vma_alloc:x"), -EINVAL);
	assert_int_equal(knob_set("fail", "vma_alloc:0"), 0);
	assert_false(fail_armed);
}

static void test_stats(void **state)
{
	unsigned long before = stat_read(CTXT);

	(void)state;
	assert_string_equal(stat_name(PGFAULT), "pgfault");
	stat_add(CTXT, 5);
	sim_cpu.id = 3;
	stat_add(CTXT, -2);
	sim_cpu.id = 0;
	assert_int_equal(stat_read(CTXT), before + 3);
	stat_add(CTXT, -4);
	assert_int_equal(stat_read(CTXT), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_range),	 cmocka_unit_test(test_choice),
		cmocka_unit_test(test_for_each), cmocka_unit_test(test_failpoints),
		cmocka_unit_test(test_stats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
