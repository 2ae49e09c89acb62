/* SPDX-License-Identifier: MIT
 *
 * Small objects: alignment, no overlap, exact counts, shrinking, poison, kmalloc's classes.
 */
#include "t.h"

static unsigned char *objects[2000];
static size_t sizes[2000];

static void test_one_cache(void **state)
{
	struct kmem_cache *c = kmem_cache_create("test-40", 40, 0);
	unsigned long before = slab_objects_in_use();

	(void)state;
	for (unsigned int i = 0; i < 1000; i++) {
		objects[i] = kmem_cache_alloc(c, GFP_KERNEL);
		assert_non_null(objects[i]);
		assert_int_equal((unsigned long)objects[i] % 8, 0);
		memset(objects[i], (int)i, 40);
		assert_int_equal(slab_objects_in_use(), before + i + 1);
	}
	slab_validate();
	for (unsigned int i = 0; i < 1000; i++) {
		assert_int_equal(objects[i][39], i & 0xff);
		kmem_cache_free(c, objects[i]);
		assert_int_equal(slab_objects_in_use(), before + 999 - i);
	}
	slab_validate();
}

static void test_alignment(void **state)
{
	struct kmem_cache *c = kmem_cache_create("test-aligned", 100, 64);

	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		objects[i] = kmem_cache_alloc(c, GFP_KERNEL | __GFP_ZERO);
		assert_int_equal((unsigned long)objects[i] % 64, 0);
		for (unsigned int k = 0; k < 100; k++)
			assert_int_equal(objects[i][k], 0);
	}
	for (unsigned int i = 0; i < 100; i++)
		kmem_cache_free(c, objects[i]);
}

static void test_kmalloc_sizes(void **state)
{
	(void)state;
	for (size_t size = 1; size <= 4UL << 20; size = size * 5 / 4 + 1) {
		unsigned char *p = kmalloc(size, GFP_KERNEL), *q = kzalloc(size, GFP_KERNEL);

		assert_non_null(p);
		assert_non_null(q);
		assert_int_equal((unsigned long)p % 16, 0);
		memset(p, 0xff, size);
		for (size_t i = 0; i < size; i += 97)
			assert_int_equal(q[i], 0);
		kfree(p);
		kfree(q);
	}
	assert_null(kmalloc((4UL << 20) + 1, GFP_KERNEL));
	assert_null(kmalloc(~0UL, GFP_KERNEL));
	kfree(NULL);
	kfree(kmalloc(0, GFP_KERNEL));
}

static void test_random(void **state)
{
	unsigned long n = 0, before = slab_objects_in_use();

	(void)state;
	for (unsigned int step = 0; step < 30000; step++) {
		if (n < ARRAY_SIZE(objects) && t_below(100) < (step / 5000 % 2 ? 35 : 65)) {
			size_t size = 1 + t_below(t_below(8) ? 300 : 8192);

			objects[n] = kmalloc(size, GFP_KERNEL);
			assert_non_null(objects[n]);
			memset(objects[n], (int)size, size);
			sizes[n++] = size;
		} else if (n) {
			unsigned long at = t_below(n);

			assert_int_equal(objects[at][0], (unsigned char)sizes[at]);
			assert_int_equal(objects[at][sizes[at] - 1], (unsigned char)sizes[at]);
			kfree(objects[at]);
			objects[at] = objects[--n];
			sizes[at] = sizes[n];
		}
		if (step % 1000 == 0) {
			slab_validate();
			assert_int_equal(slab_objects_in_use(), before + n);
		}
		if (step % 7000 == 0)
			slab_shrink();
	}
	while (n--)
		kfree(objects[n]);
}

static void test_shrink(void **state)
{
	unsigned long held;

	(void)state;
	for (unsigned int i = 0; i < 500; i++)
		objects[i] = kmalloc(512, GFP_KERNEL);
	held = slab_pages();
	for (unsigned int i = 0; i < 500; i++)
		kfree(objects[i]);
	assert_true(slab_pages() < held);
	assert_true(slab_shrink() > 0);
	assert_int_equal(slab_shrink(), 0);
}

static void count_cache(void *arg, const char *name, unsigned long active, unsigned long total,
			size_t size)
{
	(void)size;
	assert_true(active <= total);
	if (strcmp(name, "kmalloc-64") == 0)
		*(unsigned long *)arg = active;
}

static void test_for_each_cache(void **state)
{
	unsigned long before = 0, now = 0;
	void *p;

	(void)state;
	slab_for_each_cache(count_cache, &before);
	p = kmalloc(64, GFP_KERNEL);
	slab_for_each_cache(count_cache, &now);
	assert_int_equal(now, before + 1);
	kfree(p);
}

static void test_failure(void **state)
{
	(void)state;
	fail_at(FAIL_KMALLOC, 1);
	assert_null(kmalloc(100, GFP_KERNEL));
	slab_shrink();
	fail_at(FAIL_ALLOC_PAGES, 1);
	assert_null(kmalloc(1000, GFP_KERNEL));
	fail_at(FAIL_KMALLOC, 1);
	assert_null(kmalloc(100000, GFP_KERNEL));
}

/* There is no block for a slab of the usual size: a smaller one will do, with as many objects as it has room for. */
static void test_smaller_slab(void **state)
{
	unsigned long pages = slab_pages();
	void *p[4];

	(void)state;
	slab_shrink();
	for (unsigned int i = 0; i < ARRAY_SIZE(p); i++) {
		fail_at(FAIL_ALLOC_PAGES, 1);
		p[i] = kmalloc(3000, GFP_KERNEL);
		assert_non_null(p[i]);
		slab_validate();
	}
	assert_int_equal(slab_pages(), pages + ARRAY_SIZE(p));
	for (unsigned int i = 0; i < ARRAY_SIZE(p); i++)
		kfree(p[i]);
	slab_shrink();
	slab_validate();
	assert_int_equal(slab_pages(), pages);
}

static void free_twice(void)
{
	void *p = kmalloc(100, GFP_KERNEL);

	kfree(p);
	kfree(p);
}

static void free_inside(void)
{
	kfree((char *)kmalloc(100, GFP_KERNEL) + 16);
}

static void write_after_free(void)
{
	char *p = kmalloc(100, GFP_KERNEL);

	kfree(p);
	mem_allocated(p, 100);
	p[50] = 1;
	if (kmalloc(100, GFP_KERNEL))
		return;
}

static void read_after_free(void)
{
	char *p = kmalloc(100, GFP_KERNEL);

	kfree(p);
	if (((volatile char *)p)[20])
		return;
}

static void wrong_cache(void)
{
	kmem_cache_free(kmem_cache_create("another", 128, 0), kmalloc(128, GFP_KERNEL));
}

static void test_misuse(void **state)
{
	(void)state;
	t_must_die(free_twice);
	t_must_die(free_inside);
	t_must_die(write_after_free);
	t_must_die(read_after_free);
	t_must_die(wrong_cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_one_cache), T(test_alignment),	 T(test_kmalloc_sizes),
		T(test_random),	   T(test_shrink),	 T(test_for_each_cache),
		T(test_failure),   T(test_smaller_slab), T(test_misuse),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
