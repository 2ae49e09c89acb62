/* SPDX-License-Identifier: MIT
 *
 * Threads, each a simulated CPU, that allocate and free pages, blocks, objects and page tables, while others
 * take what the CPUs keep for themselves away from them. What one CPU allocates another one frees.
 */
#include "t.h"

#include <pthread.h>

#define NR_THREADS 4
#define ROUNDS 1500UL
#define SLOTS 64

/* A thing that changes hands: [A] taken and put with an exchange. */
static struct page *page_slots[SLOTS];
static void *object_slots[SLOTS];
static struct kmem_cache *cache;
static bool done; /* [A] */

static u64 next_random(u64 *x)
{
	*x = *x * 6364136223846793005UL + 1442695040888963407UL;
	return *x >> 33;
}

static void swap_page(u64 *x)
{
	struct page *page = next_random(x) % 4 ? alloc_pages(GFP_KERNEL, 0) : NULL;

	if (page)
		*(unsigned long *)page_address(page) = page_to_pfn(page);
	page = __atomic_exchange_n(&page_slots[next_random(x) % SLOTS], page, __ATOMIC_ACQ_REL);
	if (!page)
		return;
	BUG_ON(*(unsigned long *)page_address(page) != page_to_pfn(page));
	free_pages(page, 0);
}

static void swap_object(u64 *x)
{
	unsigned long *obj = next_random(x) % 4 ? kmem_cache_alloc(cache, GFP_KERNEL) : NULL;

	if (obj)
		*obj = (unsigned long)obj;
	obj = __atomic_exchange_n(&object_slots[next_random(x) % SLOTS], obj, __ATOMIC_ACQ_REL);
	if (!obj)
		return;
	BUG_ON(*obj != (unsigned long)obj);
	kmem_cache_free(cache, obj);
}

static void make_tables(void)
{
	struct pgtable pt;

	if (pgtable_init(&pt) == 0)
		pgtable_destroy(&pt);
}

static void *user(void *arg)
{
	u64 x = (u64)arg * 77777 + host_seed();

	sim_cpu.id = (unsigned int)(unsigned long)arg;
	for (unsigned long i = 0; i < ROUNDS; i++) {
		unsigned int order = (unsigned int)(next_random(&x) % 4);
		struct page *block;

		swap_page(&x);
		swap_object(&x);
		switch (next_random(&x) % 4) {
		case 0:
			make_tables();
			break;
		case 1:
			block = alloc_pages(GFP_ATOMIC, order);
			BUG_ON(!block);
			free_pages(block, order);
			break;
		}
	}
	return NULL;
}

static void *drainer(void *arg)
{
	u64 x = (u64)arg * 991 + host_seed();

	sim_cpu.id = (unsigned int)(unsigned long)arg;
	while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {
		switch (next_random(&x) % 3) {
		case 0:
			(void)slab_shrink();
			break;
		case 1:
			pgtable_drain();
			break;
		default:
			drain_pcps();
		}
	}
	return NULL;
}

static void run(unsigned int nr_drainers)
{
	pthread_t threads[NR_THREADS + 2];
	unsigned int n = 0;

	__atomic_store_n(&done, false, __ATOMIC_RELEASE);
	for (; n < NR_THREADS + nr_drainers; n++)
		assert_int_equal(pthread_create(&threads[n], NULL, n < NR_THREADS ? user : drainer,
						(void *)(n + 1UL)),
				 0);
	for (n = 0; n < NR_THREADS; n++)
		pthread_join(threads[n], NULL);
	__atomic_store_n(&done, true, __ATOMIC_RELEASE);
	for (; n < NR_THREADS + nr_drainers; n++)
		pthread_join(threads[n], NULL);
	for (unsigned int i = 0; i < SLOTS; i++) {
		if (page_slots[i])
			free_pages(page_slots[i], 0);
		if (object_slots[i])
			kmem_cache_free(cache, object_slots[i]);
		page_slots[i] = NULL;
		object_slots[i] = NULL;
	}
	buddy_validate();
	slab_validate();
}

static void test_users(void **state)
{
	(void)state;
	run(0);
}

static void test_one_drainer(void **state)
{
	(void)state;
	run(1);
}

static void test_two_drainers(void **state)
{
	(void)state;
	run(2);
}

/* ---- memory has run out: what one thread frees another finds, wherever it lies ---- */

static struct page *hoard;

static void *scavenger(void *arg)
{
	sim_cpu.id = (unsigned int)(unsigned long)arg;
	for (unsigned long i = 0; i < ROUNDS; i++) {
		struct page *page = alloc_pages(GFP_KERNEL, 0);

		if (page)
			free_pages(page, 0);
	}
	return NULL;
}

static void test_exhausted(void **state)
{
	pthread_t threads[NR_THREADS];
	struct page *page;

	(void)state;
	while ((page = alloc_pages(GFP_KERNEL, 0)) != NULL) {
		page->words[1] = (unsigned long)hoard;
		hoard = page;
	}
	for (unsigned int i = 0; i < 3; i++) {
		page = hoard;
		hoard = (struct page *)page->words[1];
		free_pages(page, 0);
	}
	for (unsigned int i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, scavenger, (void *)(i + 1UL)),
				 0);
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(nr_free_pages(), 3);
	while ((page = hoard) != NULL) {
		hoard = (struct page *)page->words[1];
		free_pages(page, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_users),
		T(test_one_drainer),
		T(test_two_drainers),
		T(test_exhausted),
	};

	(void)host_seed();
	sim_boot(T_FRAMES);
	cache = kmem_cache_create("race-200", 200, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
