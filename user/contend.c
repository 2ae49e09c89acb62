// SPDX-License-Identifier: MIT
/*
 * contend: what threads of one process wait for when some fault pages in and others change the map.
 *
 * A fault thread writes to pages of its own part of memory, one after the other, and drops the part when it is
 * through. A map thread maps and unmaps a page that nobody touches, so that no CPU must flush it. Each operation's time is counted by length: printed are,
 * for faults and for maps, how many a second, the median, p99 and the longest, and then the counts, in halves of
 * powers of two of a microsecond.
 */
#define _GNU_SOURCE
#include "tool.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>

#define MAX_THREADS 64
#define BUCKETS 80
#define PART_PAGES 1024UL
#define PART (PART_PAGES * PAGE)

static unsigned int fault_threads = 4, map_threads = 1;
static double seconds = 2;
static atomic_bool begun, over;

static struct worker {
	pthread_t thread;
	bool maps;
	char *part;
	uint64_t count, longest;
	uint64_t bucket[BUCKETS];
} workers[MAX_THREADS];

/* Its upper bound in nanoseconds: 125, 177, 250, 354, 500 ... */
static double bound(unsigned int bucket)
{
	return (double)(125UL << bucket / 2) * (bucket & 1 ? 1.4142135623730951 : 1);
}

static void count(struct worker *w, uint64_t ns)
{
	unsigned int b = 0;

	while (b < BUCKETS - 1 && (double)ns > bound(b))
		b++;
	w->bucket[b]++;
	w->count++;
	if (ns > w->longest)
		w->longest = ns;
}

static void fault_round(struct worker *w)
{
	for (unsigned long i = 0; i < PART_PAGES && !over; i++) {
		uint64_t start = now_ns();

		*(volatile char *)(w->part + i * PAGE) = 1;
		count(w, now_ns() - start);
	}
	if (madvise(w->part, PART, MADV_DONTNEED))
		die("madvise");
}

static void map_round(struct worker *w)
{
	uint64_t start = now_ns();
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	if (munmap(p, PAGE))
		die("munmap");
	count(w, now_ns() - start);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	while (!begun)
		sleep_ms(1);
	while (!over)
		w->maps ? map_round(w) : fault_round(w);
	return NULL;
}

/* The bound in microseconds below which so many percent are. */
static double percentile(const struct worker *sum, double percent)
{
	uint64_t rest = (uint64_t)((double)sum->count * percent / 100);

	for (unsigned int b = 0; b < BUCKETS; b++) {
		if (rest < sum->bucket[b])
			return bound(b) / 1e3;
		rest -= sum->bucket[b];
	}
	return (double)sum->longest / 1e3;
}

static void report(bool maps, double took)
{
	const char *who = maps ? "map" : "fault";
	struct worker sum = { 0 };

	for (unsigned int i = 0; i < fault_threads + map_threads; i++) {
		const struct worker *w = &workers[i];

		if (w->maps != maps)
			continue;
		sum.count += w->count;
		sum.longest = w->longest > sum.longest ? w->longest : sum.longest;
		for (unsigned int b = 0; b < BUCKETS; b++)
			sum.bucket[b] += w->bucket[b];
	}
	if (!sum.count)
		return;
	printf("%s: per_s=%.0f p50_us=%.3f p99_us=%.3f max_us=%.1f\n", who,
	       (double)sum.count / took, percentile(&sum, 50), percentile(&sum, 99),
	       (double)sum.longest / 1e3);
	for (unsigned int b = 0; b < BUCKETS; b++)
		if (sum.bucket[b])
			printf("%s-wait: us=%.3f count=%lu\n", who, bound(b) / 1e3, sum.bucket[b]);
}

static void start(struct worker *w, bool maps)
{
	w->maps = maps;
	w->part = mmap(NULL, PART, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (w->part == MAP_FAILED)
		die("mmap");
	madvise(w->part, PART, MADV_NOHUGEPAGE);
	if (pthread_create(&w->thread, NULL, work, w))
		die("pthread_create");
}

static _Noreturn void usage(int status)
{
	fputs("usage: contend [--faults N] [--maps N] [--seconds S] [--help]\n"
	      "  --faults N   threads that fault pages in (default 4)\n"
	      "  --maps N     threads that map and unmap a page (default 1)\n"
	      "  --seconds S  how long (default 2)\n",
	      status ? stderr : stdout);
	exit(status);
}

static double number(char **argv, int *i, double max)
{
	char *rest;
	double n = argv[*i + 1] ? strtod(argv[++*i], &rest) : -1;

	if (n < 0 || n > max || *rest)
		usage(2);
	return n;
}

int main(int argc, char **argv)
{
	uint64_t start_ns;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--faults"))
			fault_threads = (unsigned int)number(argv, &i, MAX_THREADS / 2);
		else if (!strcmp(argv[i], "--maps"))
			map_threads = (unsigned int)number(argv, &i, MAX_THREADS / 2);
		else if (!strcmp(argv[i], "--seconds"))
			seconds = number(argv, &i, 3600);
		else
			usage(strcmp(argv[i], "--help") ? 2 : 0);
	}
	if (!(fault_threads + map_threads))
		usage(2);
	for (unsigned int i = 0; i < fault_threads + map_threads; i++)
		start(&workers[i], i >= fault_threads);
	begun = true;
	start_ns = now_ns();
	sleep_ms((long)(seconds * 1000));
	over = true;
	for (unsigned int i = 0; i < fault_threads + map_threads; i++)
		pthread_join(workers[i].thread, NULL);
	report(false, (double)(now_ns() - start_ns) / 1e9);
	report(true, (double)(now_ns() - start_ns) / 1e9);
	return 0;
}
