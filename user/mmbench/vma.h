/* SPDX-License-Identifier: MIT
 *
 * The same operations in an address space with many mappings: one-page areas side by side, kept apart by
 * their permissions, or with one-page holes between them.
 */
#ifndef USER_MMBENCH_VMA_H
#define USER_MMBENCH_VMA_H

#include "bench.h"

static char *vma_base;

/* `count` one-page areas, every `stride` pages; those with odd numbers are writable. */
static void areas_make(int count, int stride)
{
	size_t len = (size_t)count * stride * PAGE;

	vma_base = map(len, PROT_NONE, ANON | MAP_NORESERVE);
	MUST(!munmap(vma_base, len));
	for (size_t i = 0; i < (size_t)count; i++)
		MUST(mmap(vma_base + i * stride * PAGE, PAGE, i & 1 ? RW : PROT_READ,
			  ANON | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED);
}

static void areas_remove(int count, int stride)
{
	munmap(vma_base, (size_t)count * stride * PAGE);
}

static unsigned int random_state = 1;

static unsigned int random_below(unsigned int n)
{
	random_state = random_state * 1103515245 + 12345;
	return (random_state >> 8) % n;
}

/* A writable one. */
static char *random_area(int count)
{
	return vma_base + (random_below(count) | 1) * PAGE;
}

static void bench_vma_few(void)
{
	char *p;

	samples_begin();
	for (int round = 0; round < 50; round++) {
		areas_make(10, 1);
		for (int i = 1; i < 10; i += 2)
			TIME(*(volatile char *)(vma_base + i * PAGE) = 1);
		areas_remove(10, 1);
	}
	report("vma.00010_fault", 1);
	areas_make(10, 1);
	samples_begin();
	for (int i = 0; i < 500; i++) {
		TIME(p = (char *)SYS(mmap, NULL, PAGE, RW, ANON, -1, 0));
		munmap(p, PAGE);
	}
	report("vma.00010_mmap_1page", 1);
	areas_remove(10, 1);
}

/* Faults, mmap, munmap and mprotect among `count` areas: for mmbench --areas. */
static void bench_areas(int count)
{
	char *p[100], *faulting[500], text[16];
	int fd = open("/proc/sys/vm/max_map_count", O_WRONLY | O_CLOEXEC);

	snprintf(text, sizeof(text), "%d", count + 1000);
	if (count > 60000)
		MUST(fd >= 0 && write(fd, text, strlen(text)) > 0);
	close(fd);
	areas_make(count, 1);
	/* The first fault of an area also makes its reverse map; one right after another is found without the index. */
	for (int i = 0; i < 500; i++) {
		faulting[i] = random_area(count);
		touch(faulting[i], PAGE);
		MUST(!madvise(faulting[i], PAGE, MADV_DONTNEED));
	}
	samples_begin();
	for (int i = 0; i < 500; i++) {
		TIME(*(volatile char *)faulting[i] = 1);
		MUST(!madvise(faulting[i], PAGE, MADV_DONTNEED));
	}
	report("areas.fault", 1);
	samples_begin();
	for (int i = 0; i < 100; i++)
		TIME(p[i] = (char *)SYS(mmap, NULL, PAGE, i & 1 ? RW : PROT_READ, ANON, -1, 0));
	report("areas.mmap", 1);
	samples_begin();
	for (int i = 0; i < 100; i++)
		TIME(SYS(munmap, p[i], PAGE));
	report("areas.munmap", 1);
	samples_begin();
	for (int i = 0; i < 100; i++) {
		char *at = random_area(count);

		TIME(SYS(mprotect, at, PAGE, PROT_NONE));
		mprotect(at, PAGE, RW);
	}
	report("areas.mprotect", 1);
	areas_remove(count, 1);
}

#define MANY 50000
#define MORE 200

/* Maps MORE areas of `pages` pages that do not merge; unmaps them, as a second case if that has a name. */
static void bench_more_areas(int pages, const char *map_name, const char *unmap_name)
{
	char *p[MORE];

	samples_begin();
	for (int i = 0; i < MORE; i++)
		TIME(p[i] = (char *)SYS(mmap, NULL, pages * PAGE, i & 1 ? RW : PROT_READ, ANON, -1,
					0));
	report(map_name, 1);
	samples_begin();
	for (int i = 0; i < MORE; i++)
		TIME(SYS(munmap, p[i], pages * PAGE));
	if (unmap_name)
		report(unmap_name, 1);
}

static void bench_vma_many(void)
{
	areas_make(MANY, 1);
	samples_begin();
	for (int i = 0; i < 500; i++) {
		volatile char *at = random_area(MANY);

		TIME(*at = 1);
	}
	report("vma.50000_fault", 1);
	bench_more_areas(1, "vma.50000_mmap_1page", "vma.50000_munmap_1page");
	samples_begin();
	for (int i = 0; i < MORE; i++) {
		char *at = random_area(MANY);

		TIME(SYS(mprotect, at, PAGE, PROT_NONE));
		mprotect(at, PAGE, RW);
	}
	report("vma.50000_mprotect", 1);
	areas_remove(MANY, 1);

	areas_make(MANY, 2);
	bench_more_areas(2, "vma.50000_holes_mmap_2page", NULL);
	areas_remove(MANY, 2);
}

#endif
