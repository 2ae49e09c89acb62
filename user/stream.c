// SPDX-License-Identifier: MIT
/*
 * stream: sustainable memory bandwidth by McCalpin's rules (copy, scale, add, triad over arrays of doubles; bytes that
 * the source text reads and writes count; the best of several rounds, the first of which does not count).
 *
 * The 2015 series used it to show that lock-on-fault costs a program nothing that does not lock; --lock has the arrays
 * locked, so that this can be seen of programs that do.
 */
#define _GNU_SOURCE
#include "tool.h"

#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <sys/mman.h>

#define SCALAR 3.0
#define MAX_ROUNDS 100 /* numbers grow fifteenfold in each */

static uint64_t elements = 1000000, rounds = 10;
static double *a, *b, *c;

static void copy(void)
{
	for (uint64_t i = 0; i < elements; i++)
		c[i] = a[i];
}

static void scale(void)
{
	for (uint64_t i = 0; i < elements; i++)
		b[i] = SCALAR * c[i];
}

static void add(void)
{
	for (uint64_t i = 0; i < elements; i++)
		c[i] = a[i] + b[i];
}

static void triad(void)
{
	for (uint64_t i = 0; i < elements; i++)
		a[i] = b[i] + SCALAR * c[i];
}

static struct kernel {
	const char *name;
	void (*run)(void);
	unsigned int arrays; /* read or written */
	uint64_t ns[MAX_ROUNDS];
} kernels[] = {
	{ "copy", copy, 2, { 0 } },
	{ "scale", scale, 2, { 0 } },
	{ "add", add, 3, { 0 } },
	{ "triad", triad, 3, { 0 } },
};
#define NR_KERNELS (sizeof(kernels) / sizeof(kernels[0]))

static double *new_array(const char *lock)
{
	size_t bytes = elements * sizeof(double);
	double *array =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (array == MAP_FAILED)
		die("stream: mmap");
	if (!strcmp(lock, "whole") && mlock(array, bytes))
		die("stream: mlock");
	if (!strcmp(lock, "onfault") && syscall(SYS_mlock2, array, bytes, MLOCK_ONFAULT))
		die("stream: mlock2");
	return array;
}

static void measure(void)
{
	for (uint64_t i = 0; i < elements; i++) {
		a[i] = 1;
		b[i] = 2;
		c[i] = 0;
	}
	for (uint64_t round = 0; round < rounds; round++)
		for (size_t k = 0; k < NR_KERNELS; k++) {
			uint64_t start = now_ns();

			kernels[k].run();
			kernels[k].ns[round] = now_ns() - start;
		}
}

static bool near(const double *array, double expected)
{
	double error = 0;

	for (uint64_t i = 0; i < elements; i++)
		error += fabs(array[i] - expected);
	return error / (double)elements <= 1e-13 * fabs(expected);
}

/* All elements of an array are the same number, which the rounds can be followed with alone. */
static bool is_right(void)
{
	double one = 1, two = 2, zero = 0;

	for (uint64_t round = 0; round < rounds; round++) {
		zero = one;
		two = SCALAR * zero;
		zero = one + two;
		one = two + SCALAR * zero;
	}
	return near(a, one) && near(b, two) && near(c, zero);
}

static void report(bool csv)
{
	puts(csv ? "function,best_mb_s,mean_ms,least_ms,most_ms"
		 : "function   best MB/s    mean ms   least ms    most ms");
	for (size_t k = 0; k < NR_KERNELS; k++) {
		uint64_t least = UINT64_MAX, most = 0, sum = 0;

		for (uint64_t round = 1; round < rounds; round++) {
			uint64_t ns = kernels[k].ns[round];

			least = ns < least ? ns : least;
			most = ns > most ? ns : most;
			sum += ns;
		}
		printf(csv ? "%s,%.1f,%.3f,%.3f,%.3f\n" : "%-8s %11.1f %10.3f %10.3f %10.3f\n",
		       kernels[k].name,
		       (double)(kernels[k].arrays * elements * sizeof(double)) * 1e3 /
			       (double)least,
		       (double)sum / 1e6 / (double)(rounds - 1), (double)least / 1e6,
		       (double)most / 1e6);
	}
}

static _Noreturn void usage(int status)
{
	fputs("usage: stream [options]\n"
	      "  --elements N  of each of three arrays of 8-byte numbers (default 1000000; K, M are understood);\n"
	      "                all three together should be 12 times the last cache's size\n"
	      "  --rounds N    how often each function runs (default 10; the first does not count)\n"
	      "  --lock HOW    the arrays are locked: no (default), whole, or onfault\n"
	      "  --csv         comma-separated values\n"
	      "A MB is 1,000,000 bytes. Results that are wrong are an error.\n",
	      status ? stderr : stdout);
	exit(status);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "elements", 1, NULL, 'e' }, { "rounds", 1, NULL, 'r' }, { "lock", 1, NULL, 'l' },
		{ "csv", 0, NULL, 'c' },      { "help", 0, NULL, 'h' },	  { NULL, 0, NULL, 0 },
	};
	const char *lock = "no";
	bool csv = false;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (o == 'e')
			elements = parse_size(optarg);
		else if (o == 'r')
			rounds = parse_size(optarg);
		else if (o == 'l')
			lock = optarg;
		else if (o == 'c')
			csv = true;
		else
			usage(o == 'h' ? 0 : 2);
	}
	if (optind < argc || !elements || rounds < 2 || rounds > MAX_ROUNDS ||
	    (strcmp(lock, "no") && strcmp(lock, "whole") && strcmp(lock, "onfault")))
		usage(2);
	a = new_array(lock);
	b = new_array(lock);
	c = new_array(lock);
	measure();
	report(csv);
	if (is_right())
		return 0;
	fputs("stream: the results are wrong\n", stderr);
	return 1;
}
