/* SPDX-License-Identifier: MIT
 *
 * How mmbench measures: a time-stamp difference around one operation, many times, and of those the median
 * and the mean. Under QEMU's -icount the time-stamp counter counts guest instructions, so the figures are
 * exact; elsewhere they are cycles and mean what cycles mean.
 *
 * A case is a name and a unit: the samples of a case are divided by the units (pages, mostly) that one
 * operation handles. The cost of reading the counter is measured first and subtracted from every sample.
 */
#ifndef USER_MMBENCH_BENCH_H
#define USER_MMBENCH_BENCH_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../compat.h"
#include "../raw_syscall.h"

#define PAGE 4096UL
#define MIB (1024UL * 1024)
#define PAGES_64M (64 * MIB / PAGE)
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
/*
 * Twice this array, all of it touched, makes this process about as large as the one that the figures in the
 * yardstick were taken with: fork and exec depend on that.
 */
#define MAX_SAMPLES 49152

static uint64_t samples[MAX_SAMPLES];
static unsigned int nr_samples;
static uint64_t tsc_overhead;
static const char *wanted = ""; /* prefix of the names to report */

static inline uint64_t tsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

__attribute__((noreturn)) static inline void die(const char *what)
{
	printf("mmbench: %s: %s\n", what, strerror(errno));
	exit(1);
}

#define MUST(expr)                                                                                 \
	do {                                                                                       \
		if (!(expr))                                                                       \
			die(#expr);                                                                \
	} while (0)

static inline void samples_begin(void)
{
	nr_samples = 0;
}

static inline void sample(uint64_t ticks)
{
	if (nr_samples < MAX_SAMPLES)
		samples[nr_samples++] = ticks > tsc_overhead ? ticks - tsc_overhead : 0;
}

/* One sample: the time of the statement. */
#define TIME(statement)                                                                            \
	do {                                                                                       \
		uint64_t t_ = tsc();                                                               \
		statement;                                                                         \
		sample(tsc() - t_);                                                                \
	} while (0)

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static inline bool is_wanted(const char *name)
{
	return !strncmp(name, wanted, strlen(wanted));
}

/* Reports the samples since samples_begin(), each of which handled `units`. */
static inline void report(const char *name, double units)
{
	double sum = 0, median;

	if (!is_wanted(name))
		return;
	if (!nr_samples) {
		printf("case %s failed\n", name);
		return;
	}
	qsort(samples, nr_samples, sizeof(samples[0]), by_value);
	for (unsigned int i = 0; i < nr_samples; i++)
		sum += (double)samples[i];
	median = (double)(samples[(nr_samples - 1) / 2] + samples[nr_samples / 2]) / 2;
	printf("case %s median %.1f mean %.1f n %u\n", name, median / units,
	       sum / nr_samples / units, nr_samples);
	fflush(stdout);
}

/* The kernel does not have what the case measures. */
static inline void unsupported(const char *name)
{
	if (is_wanted(name))
		printf("case %s unsupported\n", name);
}

static inline char *map(size_t len, int prot, int flags)
{
	char *p = mmap(NULL, len, prot, flags, -1, 0);

	MUST(p != MAP_FAILED);
	return p;
}

static inline void touch(char *p, size_t len)
{
	for (size_t at = 0; at < len; at += PAGE)
		*(volatile char *)(p + at) = 1;
}

/* A file of `len` bytes that is in the page cache. */
static inline int cached_file(size_t len)
{
	static char page[PAGE];
	int fd = memfd_create("mmbench", MFD_CLOEXEC);

	MUST(fd >= 0);
	for (size_t at = 0; at < len; at += PAGE)
		MUST(write(fd, page, PAGE) == (ssize_t)PAGE);
	return fd;
}

static inline char *map_file(int fd, size_t len, int prot, int flags)
{
	char *p = mmap(NULL, len, prot, flags, fd, 0);

	MUST(p != MAP_FAILED);
	return p;
}

#endif
