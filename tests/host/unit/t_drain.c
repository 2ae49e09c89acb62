/* SPDX-License-Identifier: MIT
 *
 * What CPUs keep for themselves (pages, spare tables, free objects): counted, given back on demand, and found
 * before an allocation fails. The test is several CPUs in turn.
 */
#include "t.h"

#define PAUSE_US 200000 /* longer than mm/page_alloc.c waits after it collected */

static struct page *pages[T_FRAMES];

static void be_cpu(unsigned int cpu)
{
	sim_cpu.id = cpu;
}

static unsigned long take_all(void)
{
	unsigned long n = 0;

	while ((pages[n] = alloc_pages(GFP_KERNEL, 0)) != NULL)
		n++;
	return n;
}

static void free_all(unsigned long n)
{
	while (n)
		free_pages(pages[--n], 0);
}

static unsigned long pages_in_blocks(void)
{
	unsigned long n = 0;

	for (unsigned int order = 0; order <= MAX_ORDER; order++)
		n += buddy_nr_free(order) << order;
	return n;
}

static void test_counts(void **state)
{
	unsigned long all = nr_free_pages(), n = 0;

	(void)state;
	for (unsigned int cpu = 0; cpu < 8; cpu++) {
		be_cpu(cpu);
		for (unsigned int i = 0; i < 50; i++) {
			pages[n] = alloc_pages(GFP_KERNEL, 0);
			assert_non_null(pages[n]);
			assert_int_equal(nr_free_pages(), all - ++n);
		}
	}
	for (unsigned int i = 0; n; i++) {
		be_cpu(i % 8);
		free_pages(pages[--n], 0);
		assert_int_equal(nr_free_pages(), all - n);
	}
	be_cpu(0);
	assert_true(pages_in_blocks() < all);
	drain_pcps();
	buddy_validate();
	assert_int_equal(nr_free_pages(), all);
	assert_int_equal(pages_in_blocks(), all);
}

/* The last free pages lie on another CPU's stacks. */
static void test_single_page(void **state)
{
	unsigned long n = take_all();

	(void)state;
	assert_int_equal(nr_free_pages(), 0);
	be_cpu(3);
	free_pages(pages[--n], 0);
	free_pages(pages[--n], 0);
	be_cpu(0);
	assert_int_equal(nr_free_pages(), 2);
	assert_null(alloc_pages(GFP_ATOMIC, 0));
	irq_disable();
	assert_null(alloc_pages(GFP_ATOMIC, 0));
	irq_enable();
	for (unsigned int i = 0; i < 2; i++) {
		pages[n] = alloc_pages(GFP_KERNEL, 0);
		assert_non_null(pages[n++]);
	}
	assert_null(alloc_pages(GFP_KERNEL, 0));
	free_all(n);
}

/* The halves of a block lie on the stacks of two CPUs. */
static void test_block(void **state)
{
	unsigned long n = take_all(), kept = 0;
	struct page *block;

	(void)state;
	for (unsigned long i = 0; i < n; i++) {
		unsigned long pfn = page_to_pfn(pages[i]);

		if (pfn == 1000 || pfn == 1001) {
			be_cpu(pfn == 1000 ? 5 : 6);
			free_pages(pages[i], 0);
		} else {
			pages[kept++] = pages[i];
		}
	}
	be_cpu(0);
	usleep(PAUSE_US);
	assert_null(alloc_pages(GFP_ATOMIC, 1));
	block = alloc_pages(GFP_KERNEL, 1);
	assert_non_null(block);
	assert_int_equal(page_to_pfn(block), 1000);
	free_pages(block, 1);
	free_all(kept);
}

/* Nothing is left but what CPU 2 keeps as free objects and as spare tables. */
static void test_objects_and_tables(void **state)
{
	static void *objects[8];
	struct pgtable pt[4];
	unsigned long n;

	(void)state;
	be_cpu(2);
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++)
		objects[i] = kmalloc(4096, GFP_KERNEL);
	for (unsigned int i = 0; i < ARRAY_SIZE(pt); i++)
		assert_int_equal(pgtable_init(&pt[i]), 0);
	be_cpu(0);
	n = take_all();
	be_cpu(2);
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++)
		kfree(objects[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(pt); i++)
		pgtable_destroy(&pt[i]);
	be_cpu(0);
	usleep(PAUSE_US);
	for (unsigned int i = 0; i < ARRAY_SIZE(pt); i++) {
		pages[n] = alloc_pages(GFP_KERNEL, 0);
		assert_non_null(pages[n++]);
	}
	free_all(n);
}

/* A machine without memory does not interrupt its CPUs for every allocation that fails. */
static void test_bounded(void **state)
{
	unsigned long n = take_all(), before;

	(void)state;
	be_cpu(1);
	free_pages(pages[--n], 0);
	be_cpu(0);
	usleep(PAUSE_US);
	assert_null(alloc_pages(GFP_KERNEL, MAX_ORDER));
	before = sim_cross_calls;
	for (unsigned int i = 0; i < 100; i++)
		assert_null(alloc_pages(GFP_KERNEL, MAX_ORDER));
	/* A host that stops us for longer than the pause allows a few. */
	assert_true(sim_cross_calls - before <= 9);
	free_all(n);
}

static void test_drains(void **state)
{
	struct sim_resources before = sim_resources();
	struct pgtable pt;
	void *object;

	(void)state;
	be_cpu(4);
	object = kmalloc(100, GFP_KERNEL);
	assert_non_null(object);
	assert_int_equal(pgtable_init(&pt), 0);
	be_cpu(7);
	kfree(object);
	pgtable_destroy(&pt);
	be_cpu(0);
	assert_true(nr_free_pages() < before.free_pages);
	assert_true(slab_shrink() > 0);
	pgtable_drain();
	assert_int_equal(nr_free_pages(), before.free_pages);
	assert_int_equal(slab_objects_in_use(), before.slab_objects);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_counts),	 T(test_single_page), T(test_block), T(test_objects_and_tables),
		T(test_bounded), T(test_drains),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
