/* SPDX-License-Identifier: MIT
 *
 * System-call floor, page faults, reading and writing files: one sample an access.
 */
#ifndef USER_MMBENCH_FAULT_H
#define USER_MMBENCH_FAULT_H

#include "bench.h"

static void bench_syscall(void)
{
	samples_begin();
	for (int i = 0; i < 2000; i++) {
		long nr = SYS_getppid;

		TIME(__asm__ volatile("syscall" : "+a"(nr) : : "rcx", "r11", "memory"));
	}
	report("syscall.getppid", 1);
}

#define FAULT_PAGES 4096

static void time_writes(char *p, int pages, size_t stride)
{
	samples_begin();
	for (int i = 0; i < pages; i++)
		TIME(*(volatile char *)(p + i * stride) = 1);
}

static void time_reads(char *p, int pages, size_t stride)
{
	samples_begin();
	for (int i = 0; i < pages; i++)
		TIME((void)*(volatile char *)(p + i * stride));
}

static void bench_anon(void)
{
	char *p = map(FAULT_PAGES * PAGE, RW, ANON);

	time_writes(p, FAULT_PAGES, PAGE);
	report("anon.write_fault", 1);
	munmap(p, FAULT_PAGES * PAGE);

	p = map(FAULT_PAGES * PAGE, RW, ANON);
	time_reads(p, FAULT_PAGES, PAGE);
	report("anon.read_fault_zero", 1);
	time_writes(p, FAULT_PAGES, PAGE);
	report("anon.write_after_read", 1);
	munmap(p, FAULT_PAGES * PAGE);

	p = map(256 * 2 * MIB, RW, ANON | MAP_NORESERVE);
	time_writes(p, 256, 2 * MIB);
	report("anon.sparse_write_fault", 1);
	munmap(p, 256 * 2 * MIB);

	p = map(FAULT_PAGES * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS);
	time_writes(p, FAULT_PAGES, PAGE);
	report("anon.shared_write_fault", 1);
	munmap(p, FAULT_PAGES * PAGE);
}

static void bench_file_io(void)
{
	static char page[PAGE] __attribute__((aligned(4096)));
	int fd = cached_file(2048 * PAGE);

	samples_begin();
	for (int i = 0; i < 2048; i++)
		TIME(MUST(SYS(pread64, fd, page, PAGE, i * PAGE) == (long)PAGE));
	report("file.pread_4k", 1);
	samples_begin();
	for (int i = 0; i < 2048; i++)
		TIME(MUST(SYS(pwrite64, fd, page, PAGE, i * PAGE) == (long)PAGE));
	report("file.pwrite_4k", 1);
	close(fd);
}

static void bench_file_map(void)
{
	size_t len = FAULT_PAGES * PAGE;
	int fd = cached_file(len);
	char *p = map_file(fd, len, PROT_READ, MAP_PRIVATE);

	time_reads(p, FAULT_PAGES / 16, 16 * PAGE);
	report("file.priv_read_sparse16", 1);
	munmap(p, len);

	p = map_file(fd, len, RW, MAP_PRIVATE);
	time_writes(p, FAULT_PAGES, PAGE);
	report("file.priv_write_seq", 1);
	munmap(p, len);

	p = map_file(fd, len, RW, MAP_PRIVATE);
	for (size_t at = 0; at < len; at += PAGE)
		(void)*(volatile char *)(p + at);
	time_writes(p, FAULT_PAGES, PAGE);
	report("file.priv_cow_after_read", 1);
	samples_begin();
	TIME(SYS(munmap, p, len));
	report("file.priv_munmap", FAULT_PAGES);

	p = map_file(fd, len, RW, MAP_SHARED);
	time_writes(p, FAULT_PAGES, PAGE);
	report("file.shared_write_seq", 1);
	munmap(p, len);

	samples_begin();
	for (int i = 0; i < 5; i++) {
		TIME(p = (char *)SYS(mmap, NULL, len, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0));
		MUST(p != MAP_FAILED);
		munmap(p, len);
	}
	report("file.shared_populate", FAULT_PAGES);
	close(fd);
}

static void bench_huge(void)
{
	size_t len = 4 * MIB;
	uint64_t unmap[16];
	unsigned char vec[512];

	samples_begin();
	for (int i = 0; i < 16; i++) {
		/* One aligned 2 MiB area; all of it is there after one write if pages are huge. */
		char *p = map(len, RW, ANON);
		char *at = (char *)(((unsigned long)p + 2 * MIB - 1) & -(2 * MIB));

		munmap(p, at - p);
		munmap(at + 2 * MIB, p + len - (at + 2 * MIB));
		if (madvise(at, 2 * MIB, MADV_HUGEPAGE)) {
			munmap(at, 2 * MIB);
			goto none;
		}
		TIME(*(volatile char *)at = 1);
		MUST(!mincore(at, 2 * MIB, vec));
		unmap[i] = tsc();
		SYS(munmap, at, 2 * MIB);
		unmap[i] = tsc() - unmap[i];
		if (!(vec[511] & 1))
			goto none;
	}
	report("thp.fault_2m", 1);
	samples_begin();
	for (int i = 0; i < 16; i++)
		sample(unmap[i]);
	report("thp.munmap", 1);
	return;
none:
	unsupported("thp.fault_2m");
	unsupported("thp.munmap");
}

#endif
