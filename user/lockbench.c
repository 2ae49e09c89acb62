// SPDX-License-Identifier: MIT
/*
 * lockbench: the experiment behind mlock2 (Linux, 2015). A file of random data is mapped and hit at random, and what is
 * used must stay in memory: six ways to get that, set-up and processing timed apart. docs/lockbench.md explains.
 *
 * Each measurement is a process of its own. The file is made from a seed, so that the sum of all words read can be
 * computed without it: a wrong one is an error.
 */
#define _GNU_SOURCE
#include <stdbool.h>

#include "lockbench/file.h"
#include "lockbench/strategy.h"
#include <getopt.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* Of one measurement; in memory that parent and child share. */
struct result {
	uint64_t cached; /* pages of the file in memory at the start */
	uint64_t setup_ns, processing_ns;
	long minor, major, locked_kib;
	bool done, right;
};

static struct options {
	struct data_file file;
	uint64_t accesses, seed, pressure, runs;
	bool wanted[NR_STRATEGIES];
	bool make, cold, warm, csv, raise;
} opt = { .accesses = 0, .seed = 1, .runs = 1 };

/* ---- pressure ---- */

static uint64_t *rounds_of_pressure; /* shared */
static pid_t presser;

/* In a child: writes to each page of so much memory again and again. */
static _Noreturn void press(uint64_t bytes)
{
	char *p;

	write_text("/proc/self/oom_score_adj", "1000");
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		die("mmap");
	for (;;) {
		for (uint64_t at = 0; at < bytes; at += PAGE)
			p[at]++;
		__atomic_add_fetch(rounds_of_pressure, 1, __ATOMIC_RELEASE);
	}
}

/* Comes back when all the memory has been touched once. */
static void pressure_start(uint64_t bytes)
{
	*rounds_of_pressure = 0;
	presser = fork();
	if (presser < 0)
		die("fork");
	if (!presser)
		press(bytes);
	while (!__atomic_load_n(rounds_of_pressure, __ATOMIC_ACQUIRE)) {
		if (waitpid(presser, NULL, WNOHANG)) {
			fputs("lockbench: the process that presses was killed\n", stderr);
			exit(3);
		}
		sleep_ms(10);
	}
}

static void pressure_stop(void)
{
	kill(presser, SIGKILL);
	waitpid(presser, NULL, 0);
}

/* ---- one measurement ---- */

static void measure(const struct strategy *s, struct result *r)
{
	uint64_t words = opt.file.size / 8, sum, expected = 0, start;
	struct rusage before, after;
	char *map;

	r->cached = file_cached(&opt.file);
	getrusage(RUSAGE_SELF, &before);
	start = now_ns();
	map = strategy_map(s, opt.file.fd, opt.file.size);
	r->setup_ns = now_ns() - start;
	start = now_ns();
	sum = strategy_access(s, map, words, opt.accesses, opt.seed);
	r->processing_ns = now_ns() - start;
	getrusage(RUSAGE_SELF, &after);
	r->minor = after.ru_minflt - before.ru_minflt;
	r->major = after.ru_majflt - before.ru_majflt;
	r->locked_kib = proc_number("/proc/self/status", "VmLck:");
	for (uint64_t i = 0; i < opt.accesses; i++)
		expected += file_word(&opt.file, access_word(opt.seed, i, words));
	r->right = sum == expected;
	r->done = true;
}

static void run_one(const struct strategy *s, struct result *r)
{
	pid_t pid;

	memset(r, 0, sizeof(*r));
	if (opt.cold)
		file_cool(&opt.file);
	if (opt.warm)
		file_warm(&opt.file);
	if (opt.pressure)
		pressure_start(opt.pressure);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		measure(s, r);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	if (opt.pressure)
		pressure_stop();
}

/* ---- the report ---- */

static void print_head(void)
{
	if (opt.csv)
		puts("strategy,run,size,accesses,cache,pressure,cached_pages,setup_ms,processing_ms,"
		     "total_ms,minor,major,vmlck_kib,data");
	else
		printf("%-8s %10s %12s %12s %10s %9s %9s %11s %9s %s\n", "strategy", "set-up ms",
		       "process ms", "total ms", "us/access", "minor", "major", "VmLck KiB",
		       "cached", "data");
}

static const char *verdict(const struct result *r)
{
	return !r->done ? "failed" : r->right ? "right" : "wrong";
}

static void print_result(const struct strategy *s, uint64_t run, const struct result *r)
{
	double setup = (double)r->setup_ns / 1e6, processing = (double)r->processing_ns / 1e6;

	if (opt.csv)
		printf("%s,%lu,%lu,%lu,%s,%lu,%lu,%.3f,%.3f,%.3f,%ld,%ld,%ld,%s\n", s->name, run,
		       opt.file.size, opt.accesses,
		       opt.cold	  ? "cold"
		       : opt.warm ? "warm"
				  : "as-is",
		       opt.pressure, r->cached, setup, processing, setup + processing, r->minor,
		       r->major, r->locked_kib, verdict(r));
	else
		printf("%-8s %10.3f %12.3f %12.3f %10.3f %9ld %9ld %11ld %8.0f%% %s\n", s->name,
		       setup, processing, setup + processing,
		       (setup + processing) * 1e3 / (double)opt.accesses, r->minor, r->major,
		       r->locked_kib, (double)r->cached * 100 / (double)(opt.file.size / PAGE),
		       verdict(r));
	fflush(stdout);
}

/* ---- the command line ---- */

static const char help[] =
	"usage: lockbench --file PATH [options]\n"
	"  --file PATH      the file, or block device, of random data\n"
	"  --make           (re)writes it from the seed, and ends; a file needs --size\n"
	"  --size BYTES     how much of it is used (default: all); K, M, G are understood\n"
	"  --accesses N     random reads of a word (default: 3 a page)\n"
	"  --seed N         of data and accesses (default 1)\n"
	"  --strategy NAME  measure only this (repeatable); the list is below\n"
	"  --runs N         measure each so often (default 1)\n"
	"  --warm           read the whole file before each measurement\n"
	"  --cold           have the kernel forget the file before each measurement\n"
	"  --pressure BYTES another process keeps writing to so much memory meanwhile\n"
	"  --raise          raise vm.max_map_count to what the strategies need\n"
	"  --csv            comma-separated values\n"
	"Strategies:\n";

static _Noreturn void usage(int status)
{
	FILE *out = status ? stderr : stdout;

	fputs(help, out);
	for (size_t i = 0; i < NR_STRATEGIES; i++)
		fprintf(out, "  %-8s %s\n", strategies[i].name, strategies[i].what);
	fputs("Needs CAP_IPC_LOCK, or a limit of locked memory as high as the size.\n", out);
	exit(status);
}

static uint64_t positive(const char *text)
{
	uint64_t n = parse_size(text);

	if (!n)
		usage(2);
	return n;
}

static void want_strategy(const char *name)
{
	for (size_t i = 0; i < NR_STRATEGIES; i++)
		if (!strcmp(name, strategies[i].name)) {
			opt.wanted[i] = true;
			return;
		}
	usage(2);
}

enum {
	OPT_FILE = 'f',
	OPT_SIZE,
	OPT_ACCESSES,
	OPT_SEED,
	OPT_STRATEGY,
	OPT_RUNS,
	OPT_PRESSURE,
	OPT_HELP
};

static void parse_options(int argc, char **argv)
{
	int make = 0, cold = 0, warm = 0, csv = 0, raise_maps = 0, c;
	const struct option options[] = {
		{ "file", 1, NULL, OPT_FILE },
		{ "size", 1, NULL, OPT_SIZE },
		{ "accesses", 1, NULL, OPT_ACCESSES },
		{ "seed", 1, NULL, OPT_SEED },
		{ "strategy", 1, NULL, OPT_STRATEGY },
		{ "runs", 1, NULL, OPT_RUNS },
		{ "pressure", 1, NULL, OPT_PRESSURE },
		{ "help", 0, NULL, OPT_HELP },
		{ "make", 0, &make, 1 },
		{ "cold", 0, &cold, 1 },
		{ "warm", 0, &warm, 1 },
		{ "csv", 0, &csv, 1 },
		{ "raise", 0, &raise_maps, 1 },
		{ NULL, 0, NULL, 0 },
	};

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 0:
			break;
		case OPT_FILE:
			opt.file.path = optarg;
			break;
		case OPT_SIZE:
			opt.file.size = positive(optarg);
			break;
		case OPT_ACCESSES:
			opt.accesses = positive(optarg);
			break;
		case OPT_SEED:
			opt.seed = strtoull(optarg, NULL, 0);
			break;
		case OPT_STRATEGY:
			want_strategy(optarg);
			break;
		case OPT_RUNS:
			opt.runs = positive(optarg);
			break;
		case OPT_PRESSURE:
			opt.pressure = positive(optarg);
			break;
		default:
			usage(c == OPT_HELP ? 0 : 2);
		}
	}
	if (optind < argc || !opt.file.path || (cold && warm))
		usage(2);
	opt.make = make;
	opt.cold = cold;
	opt.warm = warm;
	opt.csv = csv;
	opt.raise = raise_maps;
	opt.file.seed = mix64(opt.seed);
}

/* Every other page locked makes as many areas as pages; the default limit is far below that. */
static void raise_max_map_count(void)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", opt.file.size / PAGE + 1000);
	if (proc_number("/proc/sys/vm/max_map_count", "") < atol(text) &&
	    write_text("/proc/sys/vm/max_map_count", text))
		die("/proc/sys/vm/max_map_count");
}

int main(int argc, char **argv)
{
	bool some = false, all_right = true;
	struct result *result;

	parse_options(argc, argv);
	if (opt.make) {
		file_make(&opt.file);
		return 0;
	}
	file_open(&opt.file, O_RDONLY);
	if (!opt.accesses)
		opt.accesses = opt.file.size / PAGE * 3;
	if (opt.raise)
		raise_max_map_count();
	result = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (result == MAP_FAILED)
		die("mmap");
	rounds_of_pressure = (uint64_t *)(result + 1);
	for (size_t i = 0; i < NR_STRATEGIES; i++)
		some |= opt.wanted[i];
	print_head();
	for (size_t i = 0; i < NR_STRATEGIES; i++)
		for (uint64_t run = 1; run <= opt.runs && (opt.wanted[i] || !some); run++) {
			run_one(&strategies[i], result);
			print_result(&strategies[i], run, result);
			all_right &= result->done && result->right;
		}
	return !all_right;
}
