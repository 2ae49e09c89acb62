// SPDX-License-Identifier: MIT
/*
 * faultaround: what reading a mapped file costs when it is in the page cache, by how densely it is read. A read
 * fault maps the cached pages around it, too: that pays when they are read soon, and costs when they are not.
 *
 *	case every.N	of each N pages the first is read, in order: a page that is read
 *	case random	every page is read, in random order: a page
 *	case munmap.N	munmap afterwards: a page that was read
 *
 * in ticks of the time-stamp counter, in the format of mmbench: guest instructions under QEMU's -icount.
 */
#define _GNU_SOURCE
#include "mmbench/bench.h"

#define FILE_PAGES 4096UL

static void one(const char *name, unsigned long stride, double value)
{
	printf("case %s.%lu median %.1f mean %.1f n 1\n", name, stride, value, value);
}

/* Every stride-th page, in order. */
static void read_every(int fd, unsigned long stride)
{
	char *p = map_file(fd, FILE_PAGES * PAGE, PROT_READ, MAP_SHARED);
	double units = (double)FILE_PAGES / (double)stride;
	uint64_t start, ticks;

	start = tsc();
	for (unsigned long i = 0; i < FILE_PAGES; i += stride)
		(void)*(volatile char *)(p + i * PAGE);
	ticks = tsc() - start;
	one("every", stride, (double)ticks / units);
	start = tsc();
	munmap(p, FILE_PAGES * PAGE);
	ticks = tsc() - start;
	one("munmap", stride, (double)ticks / units);
}

/* All pages, in the order of a permutation: 2654435761 is odd and their number a power of two. */
static void read_random(int fd)
{
	char *p = map_file(fd, FILE_PAGES * PAGE, PROT_READ, MAP_SHARED);
	uint64_t start = tsc();
	double ticks;

	for (unsigned long i = 0; i < FILE_PAGES; i++)
		(void)*(volatile char *)(p + i * 2654435761 % FILE_PAGES * PAGE);
	ticks = (double)(tsc() - start) / (double)FILE_PAGES;
	printf("case random median %.1f mean %.1f n 1\n", ticks, ticks);
	munmap(p, FILE_PAGES * PAGE);
}

int main(int argc, char **argv)
{
	int fd;

	if (argc > 1) {
		puts("usage: faultaround [--help]\n"
		     "Reads a cached, mapped file by faults: every Nth page, and at random.\n"
		     "Figures are guest instructions a page under QEMU's -icount, cycles elsewhere.");
		return strcmp(argv[1], "--help") ? 2 : 0;
	}
	fd = cached_file(FILE_PAGES * PAGE);
	for (unsigned long stride = 1; stride <= 64; stride *= 2)
		read_every(fd, stride);
	read_random(fd);
	return 0;
}
