// SPDX-License-Identifier: MIT
/*
 * What a large mlock does to others, and how it ends: one line of figures for each part that is asked for.
 *
 *	stall       one thread in mlock, another on the next CPU maps and unmaps a page: how long it waits
 *	untouched   munlock of 64 MiB and of 64 TiB that were locked on fault and never touched
 *	kill        SIGKILL to a process in mlock: until it is gone, and whether its memory is back
 *	oom         mlock of more memory than there is: how it ends, and whether the memory is back
 *
 * The last part takes all memory of the machine and is done only when asked for.
 */
#define _GNU_SOURCE
#include "tool.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define MAX_SAMPLES (1UL << 20)
#define BACK_WITHIN_MS 2000
#define BACK_KIB 4096 /* what other processes may take meanwhile */

static unsigned long size = 1024 * MIB;
static long pause_us; /* between two rounds of the other thread */
static bool histogram;

static void sleep_us(long us)
{
	nanosleep(&(struct timespec){ .tv_nsec = us * 1000 }, NULL);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static char *map(unsigned long bytes)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p != MAP_FAILED)
		madvise(p, bytes, MADV_NOHUGEPAGE);
	return p;
}

/* Where the program may run. A new thread starts out bound to its maker's CPU. */
static cpu_set_t cpus;

/* The second number of /proc/PID/statm: resident pages. */
static long resident(const char *pid)
{
	long total, rss = -1;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/statm", pid);
	f = fopen(path, "r");
	if (f && fscanf(f, "%ld %ld", &total, &rss) != 2)
		rss = -1;
	if (f)
		fclose(f);
	return rss;
}

static long meminfo_kib(const char *label)
{
	return proc_number("/proc/meminfo", label);
}

/* ---- stall ---- */

static atomic_bool locking, done;
static uint64_t samples[MAX_SAMPLES];
static size_t nr_samples;

static void *map_and_unmap(void *arg)
{
	(void)arg;
	run_on(&cpus, 1);
	while (!locking)
		sleep_us(100);
	while (!done && nr_samples < MAX_SAMPLES) {
		uint64_t start = now_ns();
		char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);

		if (p == MAP_FAILED || munmap(p, PAGE))
			die("mmap and munmap");
		samples[nr_samples++] = now_ns() - start;
		if (pause_us)
			sleep_us(pause_us);
	}
	return NULL;
}

static double sample_us(size_t percent)
{
	size_t n = nr_samples * percent / 100;

	return (double)samples[n < nr_samples ? n : nr_samples - 1] / 1e3;
}

/* How many waits were up to 1, 2, 4 ... microseconds long. The samples are sorted. */
static void print_waits(void)
{
	size_t at = 0;

	for (uint64_t us = 1; at < nr_samples; us *= 2) {
		size_t from = at;

		while (at < nr_samples && samples[at] <= us * 1000)
			at++;
		printf("wait: us=%lu count=%zu\n", us, at - from);
	}
}

static void stall(void)
{
	char *p = map(size);
	pthread_t other;
	uint64_t start, ns;

	if (p == MAP_FAILED)
		die("mmap");
	run_on(&cpus, 0);
	if (pthread_create(&other, NULL, map_and_unmap, NULL))
		die("pthread_create");
	sleep_us(1000);
	locking = true;
	start = now_ns();
	if (mlock(p, size))
		die("mlock");
	ns = now_ns() - start;
	done = true;
	pthread_join(other, NULL);
	munmap(p, size);
	qsort(samples, nr_samples, sizeof(samples[0]), by_value);
	printf("stall: mib=%lu mlock_ms=%.1f rounds=%zu p50_us=%.1f p99_us=%.1f max_us=%.1f\n",
	       size / MIB, (double)ns / 1e6, nr_samples, sample_us(50), sample_us(99),
	       sample_us(100));
	if (histogram)
		print_waits();
}

/* ---- untouched ---- */

#define ROUNDS 51

/* Nanoseconds of a munlock, the median; -1 when so much cannot be mapped. */
static long untouched_ns(unsigned long bytes)
{
	char *p = map(bytes);

	if (p == MAP_FAILED)
		return -1;
	for (int i = 0; i < ROUNDS; i++) {
		if (syscall(SYS_mlock2, p, bytes, MLOCK_ONFAULT))
			die("mlock2");
		samples[i] = now_ns();
		if (munlock(p, bytes))
			die("munlock");
		samples[i] = now_ns() - samples[i];
	}
	munmap(p, bytes);
	qsort(samples, ROUNDS, sizeof(samples[0]), by_value);
	return (long)samples[ROUNDS / 2];
}

static void untouched(void)
{
	long small, large, before;

	untouched_ns(64 * MIB);
	before = resident("self");
	small = untouched_ns(64 * MIB);
	large = untouched_ns(64 * MIB << 20);
	printf("untouched: 64mib_ns=%ld 64tib_ns=%ld ratio=%.2f more_resident=%ld\n", small, large,
	       (double)large / (double)small, resident("self") - before);
}

/* ---- kill, oom ---- */

/* A child in mlock of so much memory. What mlock returns is its exit status: an errno, or 0. */
static pid_t locker(unsigned long bytes)
{
	pid_t pid = fork();
	int fd;
	char *p;

	if (pid < 0)
		die("fork");
	if (pid)
		return pid;
	/* If somebody must die for memory, then this process. */
	fd = open("/proc/self/oom_score_adj", O_WRONLY);
	if (fd >= 0 && write(fd, "1000", 4) == 4)
		close(fd);
	p = map(bytes);
	_exit(p == MAP_FAILED || mlock(p, bytes) ? errno : 0);
}

/* KiB that are not free again, though they were: waits a little for those that still are on their way. */
static long missing_kib(long before)
{
	long missing = 0;

	for (int ms = 0; ms < BACK_WITHIN_MS; ms++) {
		missing = before - meminfo_kib("MemFree:");
		if (missing < BACK_KIB)
			break;
		sleep_us(1000);
	}
	return missing;
}

static const char *outcome(int status)
{
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGKILL ? "killed" : "signal";
	switch (WEXITSTATUS(status)) {
	case 0:
		return "locked";
	case ENOMEM:
		return "ENOMEM";
	case EAGAIN:
		return "EAGAIN";
	default:
		return "error";
	}
}

static void kill_in_mlock(void)
{
	long free_kib = meminfo_kib("MemFree:"), pages;
	pid_t pid = locker(size);
	uint64_t start, ns;
	char name[16];
	int status;

	snprintf(name, sizeof(name), "%d", pid);
	do {
		sleep_us(200);
		pages = resident(name);
	} while (pages >= 0 && (unsigned long)pages * PAGE < size / 8);
	start = now_ns();
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	ns = now_ns() - start;
	printf("kill: mib=%lu resident_mib=%lu outcome=%s wait_ms=%.2f missing_kib=%ld\n",
	       size / MIB, (unsigned long)pages * PAGE / MIB, outcome(status), (double)ns / 1e6,
	       missing_kib(free_kib));
}

static void out_of_memory(void)
{
	long free_kib = meminfo_kib("MemFree:");
	uint64_t start = now_ns(), ns;
	unsigned long bytes = (unsigned long)meminfo_kib("MemTotal:") * 2048;
	pid_t pid = locker(bytes);
	int status;

	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	ns = now_ns() - start;
	printf("oom: mib=%lu outcome=%s wait_ms=%.2f missing_kib=%ld\n", bytes / MIB,
	       outcome(status), (double)ns / 1e6, missing_kib(free_kib));
}

static const struct {
	const char *name;
	void (*run)(void);
	bool on_request;
} parts[] = {
	{ "stall", stall, false },
	{ "untouched", untouched, false },
	{ "kill", kill_in_mlock, false },
	{ "oom", out_of_memory, true },
};
#define NR_PARTS (sizeof(parts) / sizeof(parts[0]))

static void usage(int status)
{
	puts("usage: lockstall [--size MIB] [--pause US] [--histogram] [--help] [stall] [untouched] [kill] [oom]\n"
	     "  --size MIB  how much is locked (default 1024)\n"
	     "  --pause US  how long the other thread sleeps between two rounds (default 0)\n"
	     "  --histogram the waits of stall, counted by length: up to 1, 2, 4 ... microseconds\n"
	     "  stall       one thread in mlock: how long another waits for mmap and munmap of a page\n"
	     "  untouched   munlock of 64 MiB and 64 TiB locked on fault that nobody touched\n"
	     "  kill        SIGKILL to a process in mlock: how long until it is gone, KiB that are missing\n"
	     "  oom         mlock of twice the memory there is: not done unless asked for\n"
	     "Locks memory: needs CAP_IPC_LOCK or a high limit.");
	exit(status);
}

int main(int argc, char **argv)
{
	bool wanted[NR_PARTS] = { false }, some = false;

	sched_getaffinity(0, sizeof(cpus), &cpus);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 1; i < argc; i++) {
		long number = i + 1 < argc ? atol(argv[i + 1]) : 0;
		size_t n = 0;

		if (!strcmp(argv[i], "--size") && number > 0) {
			size = (unsigned long)number * MIB;
			i++;
			continue;
		}
		if (!strcmp(argv[i], "--pause") && number > 0 && number < 1000000) {
			pause_us = number;
			i++;
			continue;
		}
		if (!strcmp(argv[i], "--histogram")) {
			histogram = true;
			continue;
		}
		while (n < NR_PARTS && strcmp(argv[i], parts[n].name))
			n++;
		if (n == NR_PARTS)
			usage(strcmp(argv[i], "--help") ? 2 : 0);
		wanted[n] = some = true;
	}
	for (size_t n = 0; n < NR_PARTS; n++)
		if (wanted[n] || (!some && !parts[n].on_request))
			parts[n].run();
	return 0;
}
