/* SPDX-License-Identifier: MIT
 *
 * The page allocator: alignment, merging, exact counts, exhaustion, folios, poison.
 */
#include "t.h"

static struct page *pages[T_FRAMES];

static void test_every_order(void **state)
{
	(void)state;
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		unsigned long before = nr_free_pages();
		struct page *p = alloc_pages(GFP_KERNEL | __GFP_ZERO, order);
		const unsigned char *mem;

		assert_non_null(p);
		assert_int_equal(page_to_pfn(p) & ((1UL << order) - 1), 0);
		assert_int_equal(nr_free_pages(), before - (1UL << order));
		mem = page_address(p);
		for (unsigned long i = 0; i < PAGE_SIZE << order; i += 61)
			assert_int_equal(mem[i], 0);
		memset(page_address(p), 0x5a, PAGE_SIZE << order);
		free_pages(p, order);
		assert_int_equal(nr_free_pages(), before);
		buddy_validate();
	}
}

static unsigned long take_all(unsigned int order)
{
	unsigned long n = 0;

	while ((pages[n] = alloc_pages(GFP_KERNEL, order)) != NULL)
		n++;
	return n;
}

/* Everything as single pages, freed in some order, becomes large blocks again. */
static void test_exhaustion(void **state)
{
	unsigned long large = take_all(MAX_ORDER), n;

	(void)state;
	assert_true(large > 0);
	for (unsigned long i = 0; i < large; i++)
		free_pages(pages[i], MAX_ORDER);
	for (unsigned int how = 0; how < 3; how++) {
		n = take_all(0);
		assert_int_equal(nr_free_pages(), 0);
		assert_null(folio_alloc(GFP_KERNEL, 0));
		for (unsigned long i = 0; i < n; i++) {
			unsigned long at = how == 0 ? i : how == 1 ? n - 1 - i : t_below(n - i);
			struct page *p = pages[at];

			if (how == 2)
				pages[at] = pages[n - 1 - i];
			free_pages(p, 0);
		}
		assert_int_equal(nr_free_pages(), n);
		drain_pcps();
		buddy_validate();
		assert_int_equal(take_all(MAX_ORDER), large);
		for (unsigned long i = 0; i < large; i++)
			free_pages(pages[i], MAX_ORDER);
	}
}

/* A block that exists only in halves on the per-CPU stacks is found. */
static void test_drain_for_a_block(void **state)
{
	unsigned long n = take_all(0), kept = 0;

	(void)state;
	for (unsigned long i = 0; i < n; i++) {
		unsigned long pfn = page_to_pfn(pages[i]);

		if (pfn == 1000 || pfn == 1001)
			free_pages(pages[i], 0);
		else
			pages[kept++] = pages[i];
	}
	assert_int_equal(nr_free_pages(), 2);
	pages[kept] = alloc_pages(GFP_KERNEL, 1);
	assert_non_null(pages[kept]);
	assert_int_equal(page_to_pfn(pages[kept]), 1000);
	free_pages(pages[kept], 1);
	for (unsigned long i = 0; i < kept; i++)
		free_pages(pages[i], 0);
}

static void test_random(void **state)
{
	static unsigned int orders[400];
	unsigned long n = 0, held = 0, all = nr_free_pages();

	(void)state;
	for (unsigned int step = 0; step < 20000; step++) {
		if (n < 400 && t_below(100) < (step / 4000 % 2 ? 40 : 60)) {
			orders[n] = (unsigned int)t_below(t_below(4) ? 2 : 8);
			pages[n] = alloc_pages(GFP_ATOMIC, orders[n]);
			assert_non_null(pages[n]);
			/* Overlapping blocks would overwrite each other's mark. */
			*(unsigned long *)page_address(pages[n]) = page_to_pfn(pages[n]);
			held += 1UL << orders[n++];
		} else if (n) {
			unsigned long at = t_below(n);

			assert_int_equal(*(unsigned long *)page_address(pages[at]),
					 page_to_pfn(pages[at]));
			held -= 1UL << orders[at];
			free_pages(pages[at], orders[at]);
			pages[at] = pages[--n];
			orders[at] = orders[n];
		}
		assert_int_equal(nr_free_pages(), all - held);
		if (step % 512 == 0)
			buddy_validate();
	}
	while (n--)
		free_pages(pages[n], orders[n]);
}

static void test_folios(void **state)
{
	struct folio *f[4];

	(void)state;
	for (unsigned int order = 0; order < 4; order++) {
		f[order] = folio_alloc(GFP_KERNEL, order);
		assert_non_null(f[order]);
		assert_int_equal(f[order]->flags, 0);
		assert_int_equal(f[order]->order, order);
		assert_int_equal(atomic_read(&f[order]->refcount), 1);
		assert_int_equal(atomic_read(&f[order]->mapcount), 0);
		assert_null(f[order]->mapping);
		for (unsigned long i = 0; i < 1UL << order; i++)
			assert_ptr_equal(page_folio(folio_page(f[order], i)), f[order]);
		atomic_set(&f[order]->refcount, 0);
	}
	free_folios(f, 4);
	/* No tail mark stays behind. */
	pages[0] = alloc_pages(GFP_KERNEL, 3);
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(pages[0][i].flags, 0);
	free_pages(pages[0], 3);
}

static void test_counters(void **state)
{
	unsigned long allocated = stat_read(PGALLOC), freed = stat_read(PGFREE);
	struct page *a = alloc_pages(GFP_KERNEL, 0), *b = alloc_pages(GFP_KERNEL, 3);

	(void)state;
	assert_int_equal(stat_read(PGALLOC), allocated + 9);
	free_pages(a, 0);
	free_pages(b, 3);
	assert_int_equal(stat_read(PGFREE), freed + 9);
	assert_int_equal(totalram_pages(), T_FRAMES - 1);
	assert_int_equal(max_pfn(), T_FRAMES);
}

static void test_failpoint(void **state)
{
	struct page *p;

	(void)state;
	fail_at(FAIL_ALLOC_PAGES, 2);
	p = alloc_pages(GFP_KERNEL, 0);
	assert_non_null(p);
	assert_null(alloc_pages(GFP_KERNEL, 0));
	free_pages(p, 0);
}

static void free_twice(void)
{
	struct page *p = alloc_pages(GFP_KERNEL, 0);

	free_pages(p, 0);
	free_pages(p, 0);
}

static void free_block_twice(void)
{
	struct page *p = alloc_pages(GFP_KERNEL, 4);

	free_pages(p, 4);
	free_pages(p, 4);
}

/* Behind the sanitizer's back, as a device would. */
static void write_after_free(void)
{
	struct page *p = alloc_pages(GFP_KERNEL, 0);

	free_pages(p, 0);
	mem_allocated(page_address(p), PAGE_SIZE);
	((char *)page_address(p))[100] = 1;
	for (;;)
		if (!alloc_pages(GFP_KERNEL, 0))
			return;
}

static void read_after_free(void)
{
	struct page *p = alloc_pages(GFP_KERNEL, 0);

	free_pages(p, 0);
	if (*(volatile char *)page_address(p))
		return;
}

static void test_misuse(void **state)
{
	(void)state;
	t_must_die(free_twice);
	t_must_die(free_block_twice);
	t_must_die(write_after_free);
	t_must_die(read_after_free);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_every_order), T(test_exhaustion), T(test_drain_for_a_block), T(test_random),
		T(test_folios),	     T(test_counters),	 T(test_failpoint),	    T(test_misuse),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
