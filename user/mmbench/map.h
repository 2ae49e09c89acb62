/* SPDX-License-Identifier: MIT
 *
 * mmap, munmap, mprotect, mremap, brk, madvise, mincore: one sample a call.
 */
#ifndef USER_MMBENCH_MAP_H
#define USER_MMBENCH_MAP_H

#include "bench.h"

#define CALLS 500
#define LARGE_ROUNDS 3 /* of operations on 64 MiB */

static void bench_mmap_small(void)
{
	uint64_t unmap[CALLS];
	char *p;

	samples_begin();
	for (int i = 0; i < CALLS; i++) {
		TIME(p = (char *)SYS(mmap, NULL, PAGE, RW, ANON, -1, 0));
		unmap[i] = tsc();
		SYS(munmap, p, PAGE);
		unmap[i] = tsc() - unmap[i];
	}
	report("mmap.1page", 1);
	samples_begin();
	for (int i = 0; i < CALLS; i++)
		sample(unmap[i]);
	report("munmap.1page_untouched", 1);
	samples_begin();
	for (int i = 0; i < CALLS; i++)
		TIME({
			p = (char *)SYS(mmap, NULL, PAGE, RW, ANON, -1, 0);
			*(volatile char *)p = 1;
			SYS(munmap, p, PAGE);
		});
	report("mmap+touch+munmap.1page", 1);
}

static void bench_mmap_large(void)
{
	uint64_t unmap[LARGE_ROUNDS];
	char *p;

	samples_begin();
	for (int i = 0; i < LARGE_ROUNDS; i++) {
		TIME(p = (char *)SYS(mmap, NULL, 64 * MIB, RW, ANON | MAP_POPULATE, -1, 0));
		MUST(p != MAP_FAILED);
		unmap[i] = tsc();
		munmap(p, 64 * MIB);
		unmap[i] = tsc() - unmap[i];
	}
	report("mmap.populate_64m", PAGES_64M);
	samples_begin();
	for (int i = 0; i < LARGE_ROUNDS; i++)
		sample(unmap[i]);
	report("munmap.populated_64m", PAGES_64M);
}

static void bench_mprotect(void)
{
	char *p = map(CALLS * 4 * PAGE, RW, ANON);
	uint64_t merge[CALLS];

	samples_begin();
	for (int i = 0; i < CALLS; i++) {
		char *at = p + (i * 4 + 2) * PAGE;

		TIME(SYS(mprotect, at, PAGE, PROT_READ));
		merge[i] = tsc();
		mprotect(at, PAGE, RW);
		merge[i] = tsc() - merge[i];
	}
	report("mprotect.split_1page_untouched", 1);
	samples_begin();
	for (int i = 0; i < CALLS; i++)
		sample(merge[i]);
	report("mprotect.merge_1page_untouched", 1);
	munmap(p, CALLS * 4 * PAGE);

	p = map(64 * MIB, RW, ANON | MAP_POPULATE);
	samples_begin();
	for (int i = 0; i < 5; i++) {
		TIME(SYS(mprotect, p, 64 * MIB, PROT_READ));
		mprotect(p, 64 * MIB, RW);
		touch(p, 64 * MIB);
	}
	report("mprotect.64m_rw_to_r", PAGES_64M);
	munmap(p, 64 * MIB);
}

static void bench_mremap(void)
{
	char *p = map((CALLS + 2) * PAGE, PROT_NONE, ANON), *q, *from, *to;
	size_t len = 16 * MIB;

	munmap(p, (CALLS + 2) * PAGE);
	p = mmap(p, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	MUST(p != MAP_FAILED);
	samples_begin();
	for (int i = 1; i <= CALLS; i++)
		TIME(SYS(mremap, p, i * PAGE, (i + 1) * PAGE, 0));
	report("mremap.grow_1page_in_place", 1);
	samples_begin();
	for (int i = CALLS + 1; i > 1; i--)
		TIME(SYS(mremap, p, i * PAGE, (i - 1) * PAGE, 0));
	report("mremap.shrink_1page", 1);
	munmap(p, PAGE);

	/* From a page-aligned place to another, so that page tables cannot be moved whole. */
	q = map(4 * len, PROT_NONE, ANON);
	from = (char *)(((unsigned long)q + 2 * MIB - 1) & -(2 * MIB)) + PAGE;
	to = from + len + 2 * MIB - 5 * PAGE;
	MUST(mmap(from, len, RW, ANON | MAP_FIXED | MAP_POPULATE, -1, 0) == from);
	samples_begin();
	for (int i = 0; i < 10; i++) {
		char *t = from;

		TIME(SYS(mremap, from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to));
		from = to;
		to = t;
	}
	report("mremap.move_16m_page_aligned", (double)len / PAGE);
	munmap(q, 4 * len);
}

static void bench_brk(void)
{
	char *b = (char *)syscall(SYS_brk, 0);

	b = (char *)(((unsigned long)b + PAGE - 1) & -PAGE);
	syscall(SYS_brk, b);
	syscall(SYS_brk, b + PAGE);
	samples_begin();
	for (int i = 2; i < CALLS; i++)
		TIME(SYS(brk, b + i * PAGE));
	report("brk.grow_1page", 1);
	samples_begin();
	for (int i = CALLS - 2; i > 1; i--)
		TIME(SYS(brk, b + i * PAGE));
	report("brk.shrink_1page_untouched", 1);
}

static void bench_madvise(void)
{
	char *p = map(64 * MIB, RW, ANON);

	samples_begin();
	for (int i = 0; i < LARGE_ROUNDS; i++) {
		touch(p, 64 * MIB);
		TIME(SYS(madvise, p, 64 * MIB, MADV_DONTNEED));
	}
	report("madvise.dontneed_64m_populated", PAGES_64M);
	samples_begin();
	for (int i = 0; i < 10; i++)
		TIME(SYS(madvise, p, 64 * MIB, MADV_DONTNEED));
	report("madvise.dontneed_64m_empty", 1);
	samples_begin();
	for (int i = 0; i < CALLS; i++) {
		*(volatile char *)p = 1;
		TIME(SYS(madvise, p, PAGE, MADV_DONTNEED));
	}
	report("madvise.dontneed_1page", 1);
	munmap(p, 64 * MIB);
}

static void bench_mincore(void)
{
	static unsigned char vec[PAGES_64M];
	char *p = map(64 * MIB, RW, ANON | MAP_POPULATE);

	memset(vec, 1, sizeof(vec));
	samples_begin();
	for (int i = 0; i < 5; i++)
		TIME(SYS(mincore, p, 64 * MIB, vec));
	report("mincore.64m_populated", PAGES_64M);
	munmap(p, 64 * MIB);
}

#endif
