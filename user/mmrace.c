/* SPDX-License-Identifier: MIT
 *
 * mmrace: threads that do to one address space, at the same time, what must not disturb each other.
 *
 * The run is a sequence of scenarios in random order, each in a process of its own for part of a second with
 * all its workers. Workers check what they see all the time: values carry the name of who wrote them, private
 * pages must stay as they are, counters must be exact. A scenario that does not come to its end is a hang: the
 * state of its threads is printed.
 *
 * The seed decides which scenarios run and what each worker does in turn, not how the workers interleave: a
 * failure comes back with the same seed more likely than with another, no more.
 */
#define _GNU_SOURCE
#include "mmrace/area.h"
#include "mmrace/books.h"
#include "mmrace/pages.h"
#include "mmrace/process.h"
#include "mmrace/reclaim.h"
#include <dirent.h>

#define SLICE_MS 400
#define HANG_SECONDS 60
#define HANG_SECONDS_PRESSED 240 /* when memory is short */

static const struct scenario scenarios[] = {
	{ "layout", "faults against mmap, munmap, mprotect, mremap", layout_set_up, area_work,
	  NULL },
	{ "populate", "the same with MADV_POPULATE", populate_set_up, area_work, NULL },
	{ "shared", "the same in a shared mapping of a file", shared_set_up, area_work, NULL },
	{ "private-file", "and in a private one", private_file_set_up, area_work, NULL },
	{ "same-page", "all workers fault one page at once", same_set_up, same_work, NULL },
	{ "cow-fork", "writers against fork", cow_set_up, cow_work, NULL },
	{ "truncate", "mappings of a file that shrinks and grows", truncate_set_up, truncate_work,
	  NULL },
	{ "exit-fault", "processes that end while their threads fault", exit_set_up, exit_work,
	  NULL },
	{ "heap-stack", "one heap and one growing stack for all", heap_set_up, heap_work, NULL },
	{ "futex", "pairs that wake each other", futex_set_up, futex_work, NULL },
	{ "threads", "threads that come and go", threads_set_up, threads_work, NULL },
	{ "pageout", "pages advised away, locked, forked and used", out_set_up, out_work, NULL },
};
#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))
_Static_assert(SCENARIOS <= MAX_SCENARIOS, "counters for every scenario");

static struct options {
	long seconds, threads, press;
	const char *only, *swap, *file;
	bool memory;
} options = { .seconds = 10 };

/* ---- one scenario ---- */

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	wander(w);
	scenario->work(w);
	canary_check(w);
	common->ops[scenario - scenarios] += w->ops;
	return NULL;
}

__attribute__((noreturn)) static void run_scenario(uint64_t random)
{
	catch_faults();
	for (int i = 0; i < nr_workers; i++)
		canary_new(&workers[i]);
	scenario->set_up();
	for (int i = 0; i < nr_workers; i++) {
		workers[i].index = i;
		workers[i].rng = next_random(&random);
		must(!pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]),
		     "pthread_create");
	}
	for (int64_t end = now_ms() + SLICE_MS; now_ms() < end;)
		sleep_us(20000);
	stop = 1;
	for (int i = 0; i < nr_workers; i++)
		must(!pthread_join(workers[i].thread, NULL), "pthread_join");
	if (scenario->check)
		scenario->check();
	_exit(0);
}

/* What each thread of the process does, for whoever looks into a hang. */
static void show_threads(pid_t pid)
{
	char path[300], line[200];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		int fd;
		ssize_t n = 0;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", pid, e->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			n = read(fd, line, sizeof(line) - 1);
		close(fd);
		line[n > 0 ? n : 0] = 0;
		printf("mmrace: %s\n", line);
	}
	if (d)
		closedir(d);
}

static void wait_for_scenario(pid_t pid)
{
	int hang = options.press ? HANG_SECONDS_PRESSED : HANG_SECONDS;
	int64_t deadline = now_ms() + SLICE_MS + hang * 1000;
	int status;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (now_ms() > deadline) {
			show_threads(pid);
			fail("no end after %d seconds", hang);
		}
		sleep_us(5000);
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
		exit(1); /* it has said why */
	if (status)
		fail("the scenario's process ended with status %#x", (unsigned int)status);
}

/* ---- what goes on beside the scenarios ---- */

/* From here on they run. */
static void start_beside(void)
{
	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		pid_t pid;

		if (i ? !options.swap : !options.press)
			continue;
		pid = fork();
		must(pid >= 0, "fork");
		if (!pid && i)
			switch_swap(options.swap, &common->end);
		if (!pid)
			press((unsigned long)options.press, options.file, &common->end);
		common->beside[i] = pid;
	}
}

static int nr_beside(void)
{
	return !!common->beside[0] + !!common->beside[1];
}

static void end_beside(void)
{
	common->end = 1;
	for (int i = 0; i < 2; i++) {
		int status = 0;

		if (common->beside[i])
			must(waitpid(common->beside[i], &status, 0) == common->beside[i],
			     "waitpid");
		if (status == 1 << 8)
			exit(1); /* it has said why */
		if (status)
			fail("%s ended with status %#x", i ? "swapoff" : "press",
			     (unsigned int)status);
	}
	/* Whoever is left would use memory while it is counted. */
	must(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "a process runs on");
}

/* ---- the run ---- */

/* A pass over all scenarios in a new order. */
static void shuffle(unsigned int *order, uint64_t *random)
{
	for (unsigned int i = 0; i < SCENARIOS; i++) {
		unsigned int j = (unsigned int)(next_random(random) % (i + 1));

		order[i] = order[j];
		order[j] = i;
	}
}

static void run_one(unsigned int which, uint64_t random)
{
	pid_t pid;

	scenario = &scenarios[which];
	if (options.only && strcmp(options.only, scenario->name))
		return;
	fflush(stdout);
	pid = fork();
	must(pid >= 0, "fork");
	if (!pid)
		run_scenario(random);
	wait_for_scenario(pid);
	scenario = NULL;
}

static void run(void)
{
	int64_t begin = now_ms(), end = begin + options.seconds * 1000;
	int64_t tenth = options.seconds * 100, next = begin + tenth;
	unsigned int order[SCENARIOS];
	uint64_t random = seed;
	long memory = -1;

	do {
		shuffle(order, &random);
		for (unsigned int i = 0; i < SCENARIOS && (now_ms() < end || memory < 0); i++) {
			run_one(order[i], next_random(&random));
			if (now_ms() >= next && options.seconds >= 20) {
				printf("mmrace: %ld s\n", (long)(now_ms() - begin) / 1000);
				next += tenth;
				if (options.memory && nr_beside())
					check_books_midway(nr_beside());
			}
		}
		/* The first pass makes what the kernel keeps for good, the first look what looking needs. */
		if (memory < 0) {
			memory = options.memory ? (free_memory(), free_memory()) : 0;
			start_beside();
		}
	} while (now_ms() < end);
	if (options.memory && nr_beside())
		check_books_midway(nr_beside());
	end_beside();
	if (options.memory) {
		check_books();
		check_memory(memory);
	}
}

static long number(const char *text)
{
	char *end;
	long n = strtol(text, &end, 0);

	if (!*text || *end || n < 0) {
		printf("mmrace: \"%s\" is not a number\n", text);
		exit(2);
	}
	return n;
}

__attribute__((noreturn)) static void usage(int status)
{
	puts("usage: mmrace [--seed S] [--seconds N] [--threads N] [--only SCENARIO] [--memory]\n"
	     "              [--press MIB [--file FILE]] [--swap DEVICE]\n"
	     "  --memory  free memory must be at the end what it was (nothing else may run)\n"
	     "  --press   beside the scenarios a process uses so much memory, more than there is if it can be swapped\n"
	     "  --file    and this file or device, whose contents are lost, mapped shared\n"
	     "  --swap    beside them the device, whose contents are lost, is switched on and off as swap space\n"
	     "scenarios:");
	for (unsigned int i = 0; i < SCENARIOS; i++)
		printf("  %-13s %s\n", scenarios[i].name, scenarios[i].what);
	exit(status);
}

static void parse(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		bool more = i + 1 < argc;

		if (!strcmp(argv[i], "--seed") && more)
			seed = (uint64_t)number(argv[++i]);
		else if (!strcmp(argv[i], "--seconds") && more)
			options.seconds = number(argv[++i]);
		else if (!strcmp(argv[i], "--threads") && more)
			options.threads = number(argv[++i]);
		else if (!strcmp(argv[i], "--press") && more)
			options.press = number(argv[++i]);
		else if (!strcmp(argv[i], "--file") && more)
			options.file = argv[++i];
		else if (!strcmp(argv[i], "--swap") && more)
			options.swap = argv[++i];
		else if (!strcmp(argv[i], "--only") && more)
			options.only = argv[++i];
		else if (!strcmp(argv[i], "--memory"))
			options.memory = true;
		else if (!strcmp(argv[i], "--version"))
			exit(0); /* what exit-fault executes */
		else
			usage(strcmp(argv[i], "--help") ? 2 : 0);
	}
	for (unsigned int i = 0; options.only && strcmp(options.only, scenarios[i].name);)
		if (++i == SCENARIOS)
			usage(2);
}

int main(int argc, char **argv)
{
	struct timespec ts;
	unsigned long ops = 0;

	setvbuf(stdout, NULL, _IOLBF, 0); /* fail() writes past stdio */
	clock_gettime(CLOCK_REALTIME, &ts);
	seed = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
	parse(argc, argv);
	must(!sched_getaffinity(0, sizeof(cpus), &cpus), "sched_getaffinity");
	if (!options.threads)
		options.threads = CPU_COUNT(&cpus) < 4 ? 4 : CPU_COUNT(&cpus);
	nr_workers = options.threads < MAX_WORKERS ? (int)options.threads : MAX_WORKERS;
	printf("mmrace --seed %lu --seconds %ld --threads %d\n", (unsigned long)seed,
	       options.seconds, nr_workers);
	common = mmap(NULL, sizeof(*common), RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(common != MAP_FAILED, "mmap");
	run();
	for (unsigned int i = 0; i < SCENARIOS; i++) {
		printf("mmrace: %-13s %10lu\n", scenarios[i].name, common->ops[i]);
		ops += common->ops[i];
	}
	printf("mmrace: passed, %lu operations\n", ops);
	return 0;
}
