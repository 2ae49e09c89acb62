// SPDX-License-Identifier: MIT
/*
 * contend: what threads of one process wait for when some fault pages in and others change the map.
 *
 * A fault thread writes to pages of its own part of memory, one after the other, and drops the part when it is
 * through. A map thread maps and unmaps a page that nobody
 * touches, so that no CPU must flush it, or maps more pages and writes to them. Each operation's time is counted by length: printed
 * are, for faults and for maps, how many a second, the median, p99 and the longest, and then the counts, in halves of
 * powers of two of a microsecond. Where there are CPUs enough each thread has one to itself.
 *
 * With --locks Faultline's knob fault.lock has its two values in turns, and the figures of each are printed: what disturbs
 * one disturbs the other.
 */
#define _GNU_SOURCE
#include "tool.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>

#define MAX_THREADS 64
#define BUCKETS 80
#define PART_PAGES 512UL
#define PART (PART_PAGES * PAGE)

static unsigned int fault_threads = 4, map_threads = 1;
static unsigned long map_pages = 1;
static long pause_us; /* of a fault thread, between two pages */
static double seconds = 2;
static bool replace; /* a map thread maps over what it mapped before */
static atomic_bool begun, over;
static cpu_set_t cpus; /* where the program may run */

/* --locks */
#define LOCK_FILE "/proc/sys/vm/fault_lock"
#define TURN_MS 50
static const char *const locks[] = { "mmap", "vma" };
static unsigned int nr_locks = 1;
static atomic_uint turn; /* whose */

static struct worker {
	pthread_t thread;
	bool maps;
	char *part;
	struct counts {
		uint64_t count, longest;
		uint64_t bucket[BUCKETS];
	} counts[2]; /* by turn */
} workers[MAX_THREADS];

/* Its upper bound in nanoseconds: 125, 177, 250, 354, 500 ... */
static double bound(unsigned int bucket)
{
	return (double)(125UL << bucket / 2) * (bucket & 1 ? 1.4142135623730951 : 1);
}

static void count(struct counts *w, uint64_t ns)
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
		struct counts *c = &w->counts[turn];
		uint64_t start = now_ns();

		*(volatile char *)(w->part + i * PAGE) = 1;
		count(c, now_ns() - start);
		if (pause_us)
			nanosleep(&(struct timespec){ .tv_nsec = pause_us * 1000 }, NULL);
	}
	if (madvise(w->part, PART, MADV_DONTNEED))
		die("madvise");
}

static void map_round(struct worker *w)
{
	struct counts *c = &w->counts[turn];
	uint64_t start = now_ns();
	char *p = mmap(w->part, map_pages * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | (w->part ? MAP_FIXED : 0), -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	for (unsigned long i = 0; i < map_pages && map_pages > 1; i++)
		*(volatile char *)(p + i * PAGE) = 1;
	if (replace)
		w->part = p;
	else if (munmap(p, map_pages * PAGE))
		die("munmap");
	count(c, now_ns() - start);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	if ((unsigned int)CPU_COUNT(&cpus) >= fault_threads + map_threads)
		run_on(&cpus, (unsigned int)(w - workers));
	while (!begun)
		sleep_ms(1);
	while (!over)
		w->maps ? map_round(w) : fault_round(w);
	return NULL;
}

/* The bound in microseconds below which so many percent are. */
static double percentile(const struct counts *sum, double percent)
{
	uint64_t rest = (uint64_t)((double)sum->count * percent / 100);

	for (unsigned int b = 0; b < BUCKETS; b++) {
		if (rest < sum->bucket[b])
			return bound(b) / 1e3;
		rest -= sum->bucket[b];
	}
	return (double)sum->longest / 1e3;
}

static void report(unsigned int lock, bool maps, double took)
{
	struct counts sum = { 0 };
	char who[16];

	snprintf(who, sizeof(who), "%s%s%s", nr_locks > 1 ? locks[lock] : "",
		 nr_locks > 1 ? "-" : "", maps ? "map" : "fault");

	for (unsigned int i = 0; i < fault_threads + map_threads; i++) {
		const struct counts *w = &workers[i].counts[lock];

		if (workers[i].maps != maps)
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
	w->part =
		maps ? NULL
		     : mmap(NULL, PART, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (w->part == MAP_FAILED)
		die("mmap");
	if (!maps)
		madvise(w->part, PART, MADV_NOHUGEPAGE);
	if (pthread_create(&w->thread, NULL, work, w))
		die("pthread_create");
}

static _Noreturn void usage(int status)
{
	fputs("usage: contend [--faults N] [--maps N] [--map-pages N] [--replace] [--pause US] [--seconds S] [--locks] [--help]\n"
	      "  --faults N     threads that fault pages in (default 4)\n"
	      "  --maps N       threads that map and unmap a page (default 1)\n"
	      "  --map-pages N  so many pages, and write to them (default 1, and do not)\n"
	      "  --replace      and map over them next time instead of unmapping them before\n"
	      "  --pause US     of a fault thread, between two pages (default 0)\n"
	      "  --seconds S    how long (default 2)\n"
	      "  --locks        in turns with fault.lock=mmap and fault.lock=vma\n",
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

static void set_lock(unsigned int lock)
{
	int fd = open(LOCK_FILE, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, locks[lock], strlen(locks[lock])) < 0)
		die(LOCK_FILE);
	close(fd);
	turn = lock;
}

/* As long as it is to last. */
static void take_turns(void)
{
	if (nr_locks == 1) {
		sleep_ms((long)(seconds * 1000));
		return;
	}
	for (long left = (long)(seconds * 1000); left > 0; left -= 2 * TURN_MS)
		for (unsigned int lock = 0; lock < nr_locks; lock++) {
			set_lock(lock);
			sleep_ms(TURN_MS);
		}
}

int main(int argc, char **argv)
{
	uint64_t start_ns;
	double took;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--faults"))
			fault_threads = (unsigned int)number(argv, &i, MAX_THREADS / 2);
		else if (!strcmp(argv[i], "--maps"))
			map_threads = (unsigned int)number(argv, &i, MAX_THREADS / 2);
		else if (!strcmp(argv[i], "--map-pages"))
			map_pages = (unsigned long)number(argv, &i, 1 << 20);
		else if (!strcmp(argv[i], "--pause"))
			pause_us = (long)number(argv, &i, 999999);
		else if (!strcmp(argv[i], "--replace"))
			replace = true;
		else if (!strcmp(argv[i], "--locks"))
			nr_locks = 2;
		else if (!strcmp(argv[i], "--seconds"))
			seconds = number(argv, &i, 3600);
		else
			usage(strcmp(argv[i], "--help") ? 2 : 0);
	}
	if (!(fault_threads + map_threads))
		usage(2);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	for (unsigned int i = 0; i < fault_threads + map_threads; i++)
		start(&workers[i], i >= fault_threads);
	begun = true;
	start_ns = now_ns();
	take_turns();
	over = true;
	for (unsigned int i = 0; i < fault_threads + map_threads; i++)
		pthread_join(workers[i].thread, NULL);
	took = (double)(now_ns() - start_ns) / 1e9 / nr_locks;
	for (unsigned int lock = 0; lock < nr_locks; lock++) {
		report(lock, false, took);
		report(lock, true, took);
	}
	return 0;
}
