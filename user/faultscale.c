// SPDX-License-Identifier: MIT
/*
 * How page faults scale: 1, 2, ... N threads of one process touch disjoint parts of anonymous memory, as fast as
 * they can, and the faults a second of all of them together are set against one thread's.
 *
 * Rounds of all thread counts are interleaved, so that a disturbance hits each count; printed are the median round
 * and the best one. Only the touching is timed: the pages are dropped between two rounds. The last column is what
 * a loop that only computes gains from as many threads: less than their number, and the machine is not quiet.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 64
#define MAX_ROUNDS 1000
#define LOOP 1000000UL
#define PART_ALIGN (2UL << 20) /* no two threads share a page table */

static unsigned int max_threads, rounds = 15;
static unsigned long pages = 4096, page_size;
static bool separate;

static pthread_barrier_t begin, end;
static unsigned int active; /* threads of this round; 0: leave */
static bool computing;	    /* they compute, for comparison */
static double rates[MAX_THREADS + 1][MAX_ROUNDS], loops[MAX_THREADS + 1][MAX_ROUNDS];

static struct worker {
	pthread_t thread;
	unsigned int id;
	char *part;
	double started, finished; /* seconds */
	char pad[64];
} workers[MAX_THREADS];

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void compute(void)
{
	for (volatile unsigned long i = 0; i < LOOP; i++)
		;
}

static void touch(char *part)
{
	for (unsigned long i = 0; i < pages; i++)
		*(volatile char *)(part + i * page_size) = 1;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (;;) {
		bool takes_part, touches;

		pthread_barrier_wait(&begin);
		if (active == 0)
			return NULL;
		takes_part = w->id < active;
		touches = takes_part && !computing;
		w->started = now();
		if (touches)
			touch(w->part);
		else if (takes_part)
			compute();
		w->finished = now();
		pthread_barrier_wait(&end);
		if (touches && madvise(w->part, pages * page_size, MADV_DONTNEED))
			die("madvise");
	}
}

/* How long n threads took from the first one's start to the last one's end. */
static double round_of(unsigned int n, bool compute_only)
{
	double first, last;

	active = n;
	computing = compute_only;
	pthread_barrier_wait(&begin);
	pthread_barrier_wait(&end);
	first = workers[0].started;
	last = workers[0].finished;
	for (unsigned int i = 1; i < n; i++) {
		first = workers[i].started < first ? workers[i].started : first;
		last = workers[i].finished > last ? workers[i].finished : last;
	}
	return last - first;
}

static void measure(unsigned int n, unsigned int r)
{
	rates[n][r] = (double)n * (double)pages / round_of(n, false);
	loops[n][r] = (double)n / round_of(n, true);
}

/* Writable memory that starts at a multiple of PART_ALIGN. */
static char *map(unsigned long bytes)
{
	char *p = mmap(NULL, bytes + PART_ALIGN, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	madvise(p, bytes + PART_ALIGN, MADV_NOHUGEPAGE);
	return p + (-(unsigned long)p & (PART_ALIGN - 1));
}

static void start_workers(void)
{
	unsigned long part = (pages * page_size + PART_ALIGN - 1) & ~(PART_ALIGN - 1);
	char *all = separate ? NULL : map(part * max_threads);

	pthread_barrier_init(&begin, NULL, max_threads + 1);
	pthread_barrier_init(&end, NULL, max_threads + 1);
	for (unsigned int i = 0; i < max_threads; i++) {
		workers[i].id = i;
		workers[i].part = separate ? map(part) : all + i * part;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			die("pthread_create");
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(void)
{
	double median1 = 0, best1 = 0, loop1 = 0;

	puts("threads   median faults/s   ratio     best faults/s   ratio    loop");
	for (unsigned int n = 1; n <= max_threads; n++) {
		double median, best, loop;

		qsort(rates[n], rounds, sizeof(double), by_value);
		qsort(loops[n], rounds, sizeof(double), by_value);
		loop = loops[n][rounds / 2];
		median = rates[n][rounds / 2];
		best = rates[n][rounds - 1];
		if (n == 1) {
			median1 = median;
			best1 = best;
			loop1 = loop;
		}
		printf("%7u %17.0f %7.2f %17.0f %7.2f %7.2f\n", n, median, median / median1, best,
		       best / best1, loop / loop1);
	}
}

static void usage(int status)
{
	puts("usage: faultscale [--threads N] [--pages N] [--rounds N] [--separate] [--help]\n"
	     "  --threads N   measure 1 to N threads (default: one a CPU)\n"
	     "  --pages N     pages that each thread touches in a round (default 4096)\n"
	     "  --rounds N    rounds for each number of threads (default 15)\n"
	     "  --separate    a mapping of its own for each thread, not one for all");
	exit(status);
}

/* The value of the option argv[*i], between 1 and max. */
static unsigned long number(char **argv, int *i, unsigned long max)
{
	char *rest;
	unsigned long n;

	if (!argv[*i + 1])
		usage(2);
	n = strtoul(argv[++*i], &rest, 0);
	if (*rest || n < 1 || n > max)
		usage(2);
	return n;
}

int main(int argc, char **argv)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	page_size = (unsigned long)sysconf(_SC_PAGESIZE);
	max_threads = cpus < 1 ? 1 : cpus > MAX_THREADS ? MAX_THREADS : (unsigned int)cpus;
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--threads"))
			max_threads = (unsigned int)number(argv, &i, MAX_THREADS);
		else if (!strcmp(argv[i], "--pages"))
			pages = number(argv, &i, 1UL << 24);
		else if (!strcmp(argv[i], "--rounds"))
			rounds = (unsigned int)number(argv, &i, MAX_ROUNDS);
		else if (!strcmp(argv[i], "--separate"))
			separate = true;
		else
			usage(strcmp(argv[i], "--help") ? 2 : 0);
	}
	start_workers();
	for (unsigned int r = 0; r < rounds; r++)
		for (unsigned int n = 1; n <= max_threads; n++)
			measure(n, r);
	active = 0;
	pthread_barrier_wait(&begin);
	for (unsigned int i = 0; i < max_threads; i++)
		pthread_join(workers[i].thread, NULL);
	report();
	return 0;
}
