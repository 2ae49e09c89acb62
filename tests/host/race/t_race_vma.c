/* SPDX-License-Identifier: MIT
 *
 * Threads that lock vmas without mmap_lock, against one that maps, unmaps, cuts and joins many of them: with each index
 * nobody gets a vma that does not contain the address, is changed meanwhile, or is gone.
 */
#include "crew.h"

#define B 0xc0000000UL
#define PAGES 300UL
#define AT(page) (B + (page)*PG)
#define ROUNDS 60UL

static struct mm *mm;

/* Readable and writable by the place, so that a vma of the wrong place shows. */
static unsigned long prot_of(unsigned long page)
{
	return page / 2 % 2 ? RW : PROT_READ;
}

static void reader(u64 *x)
{
	unsigned long found = 0;

	while (!is_done()) {
		unsigned long va = AT(next_random(x) % PAGES), start, end, flags;
		struct vma *vma = vma_read_lock_at(mm, va);

		if (!vma)
			continue;
		start = vma->start;
		end = vma->end;
		flags = vma->flags;
		BUG_ON(va < start || va >= end || vma->mm != mm);
		BUG_ON(!(flags & VM_LOCKED) && !(flags & VM_READ));
		if (next_random(x) % 8 == 0)
			host_yield();
		BUG_ON(vma->start != start || vma->end != end || vma->flags != flags);
		BUG_ON(READ_ONCE(vma->write_seq) == VMA_DETACHED);
		vma_end_read(mm, vma);
		found++;
	}
	BUG_ON(!found);
}

static void map(unsigned long page, unsigned long pages)
{
	for (; pages; page++, pages--)
		BUG_ON(mm_mmap(mm, AT(page), PG, prot_of(page),
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0) < 0);
}

static void changer(u64 *x)
{
	for (unsigned long i = 0; i < ROUNDS; i++) {
		unsigned long page = next_random(x) % PAGES;
		unsigned long n = 1 + next_random(x) % min(20UL, PAGES - page);

		switch (next_random(x) % 4) {
		case 0:
			BUG_ON(mm_munmap(mm, AT(page), n * PG));
			break;
		case 1:
			map(page, n);
			break;
		case 2:
			(void)mm_mprotect(mm, AT(page), n * PG, RW);
			break;
		default:
			(void)mm_mprotect(mm, AT(page), n * PG, PROT_READ);
		}
	}
}

enum stage { OUTSIDE, INSIDE, LEAVING };

static void *wait_with_lock(void *arg)
{
	struct vma *vma;

	sim_cpu.id = 1;
	vma = vma_read_lock_at(mm, AT(0));
	BUG_ON(!vma);
	__atomic_store_n((enum stage *)arg, INSIDE, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < 1000; i++)
		host_yield();
	BUG_ON(vma->start != AT(0));
	__atomic_store_n((enum stage *)arg, LEAVING, __ATOMIC_RELEASE);
	vma_end_read(mm, vma);
	return NULL;
}

static void race(unsigned long kind)
{
	unsigned long was = knob_vma_index;

	knob_vma_index = kind;
	mm = mm_create(false);
	knob_vma_index = was;
	assert_non_null(mm);
	map(0, PAGES);
	RUN(mm, changer, reader, reader, reader);
	sim_mm_put(mm);
}

static void test_list(void **state)
{
	(void)state;
	race(VMA_INDEX_LIST);
}

static void test_rbtree(void **state)
{
	(void)state;
	race(VMA_INDEX_RBTREE);
}

static void test_maple(void **state)
{
	(void)state;
	race(VMA_INDEX_MAPLE);
}

/* munmap returns when the reader has left. */
static void test_writer_waits(void **state)
{
	enum stage stage = OUTSIDE;
	pthread_t thread;

	mm = *state;
	t_map(mm, AT(0), 4, RW);
	assert_int_equal(pthread_create(&thread, NULL, wait_with_lock, &stage), 0);
	while (__atomic_load_n(&stage, __ATOMIC_ACQUIRE) == OUTSIDE)
		host_yield();
	assert_int_equal(mm_munmap(mm, AT(0), 4 * PG), 0);
	assert_int_equal(__atomic_load_n(&stage, __ATOMIC_ACQUIRE), LEAVING);
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_list),
		T(test_rbtree),
		T(test_maple),
		T_MM(test_writer_waits),
	};

	(void)host_seed();
	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
