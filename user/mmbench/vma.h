/* SPDX-License-Identifier: MIT
 *
 * The same operations in an address space with many mappings: one-page areas with one-page holes.
 */
#ifndef USER_MMBENCH_VMA_H
#define USER_MMBENCH_VMA_H

#include "bench.h"

static char *vma_base;

/* `count` one-page areas, a one-page hole after each. */
static void areas_make(int count)
{
	vma_base = map(2UL * count * PAGE, PROT_NONE, ANON | MAP_NORESERVE);
	MUST(!munmap(vma_base, 2UL * count * PAGE));
	for (int i = 0; i < count; i++)
		MUST(mmap(vma_base + 2UL * i * PAGE, PAGE, RW, ANON | MAP_FIXED | MAP_NORESERVE, -1,
			  0) != MAP_FAILED);
}

static void areas_remove(int count)
{
	munmap(vma_base, 2UL * count * PAGE);
}

static unsigned int random_state = 1;

static unsigned int random_below(unsigned int n)
{
	random_state = random_state * 1103515245 + 12345;
	return (random_state >> 8) % n;
}

static void bench_vma_few(void)
{
	samples_begin();
	for (int round = 0; round < 50; round++) {
		areas_make(10);
		for (int i = 0; i < 10; i++)
			TIME(*(volatile char *)(vma_base + 2 * i * PAGE) = 1);
		areas_remove(10);
	}
	report("vma.00010_fault", 1);
	areas_make(10);
	samples_begin();
	for (int i = 0; i < 500; i++) {
		char *p;

		TIME(p = (char *)CALL(mmap, NULL, PAGE, RW, ANON, -1, 0));
		munmap(p, PAGE);
	}
	report("vma.00010_mmap_1page", 1);
	areas_remove(10);
}

#define MANY 50000

static void bench_vma_many(void)
{
	char *p[200];

	areas_make(MANY);
	samples_begin();
	for (int i = 0; i < 500; i++) {
		char *at = vma_base + 2UL * random_below(MANY) * PAGE;

		TIME(*(volatile char *)at = 1);
	}
	report("vma.50000_fault", 1);
	samples_begin();
	for (int i = 0; i < 200; i++)
		TIME(p[i] = (char *)CALL(mmap, NULL, PAGE, RW, ANON, -1, 0));
	report("vma.50000_mmap_1page", 1);
	samples_begin();
	for (int i = 0; i < 200; i++)
		TIME(CALL(munmap, p[i], PAGE));
	report("vma.50000_munmap_1page", 1);
	samples_begin();
	for (int i = 0; i < 200; i++) {
		char *at = vma_base + 2UL * random_below(MANY) * PAGE;

		TIME(CALL(mprotect, at, PAGE, PROT_READ));
		mprotect(at, PAGE, RW);
	}
	report("vma.50000_mprotect", 1);
	samples_begin();
	for (int i = 0; i < 200; i++)
		TIME(p[i] = (char *)CALL(mmap, NULL, 2 * PAGE, RW, ANON, -1, 0));
	report("vma.50000_holes_mmap_2page", 1);
	for (int i = 0; i < 200; i++)
		munmap(p[i], 2 * PAGE);
	areas_remove(MANY);
}

#endif
