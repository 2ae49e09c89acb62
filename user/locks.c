/* SPDX-License-Identifier: MIT
 *
 * locks: what of an address space is locked, as a picture in the terminal.
 *
 * A row a mapping, a cell a page (or several). At the end the sums, set against VmLck, which must be the pages of
 * all locked mappings, and against RLIMIT_MEMLOCK. Runs on Linux and on Faultline.
 */
#define _GNU_SOURCE
#include "locks/try.h"
#include <sys/ioctl.h>

#define MIN_WIDTH 60
#define MAX_WIDTH 1000

static unsigned int width;

static void usage(int status)
{
	FILE *to = status ? stderr : stdout;

	fprintf(to, "usage: locks [--width N] [PID]     PID's address space (default: its own)\n"
		    "       locks --try CALL[:A[+N]]... a mapping, calls on its pages A to A+N-1\n"
		    "  --width N   columns to use (default: the terminal's, or 100)\n"
		    "  --help      this, and what the cells mean\n");
	if (!status) {
		puts("cells:");
		put_legend();
		puts("calls (without A: the whole mapping):");
		put_calls();
	}
	exit(status);
}

/* 4K, 132K, 64M: at most four digits, and exact when those suffice. */
static void put_size(unsigned long bytes)
{
	const char *unit = "KMGT";

	for (bytes >>= 10; bytes >= 10000 || (bytes && bytes % 1024 == 0); bytes >>= 10)
		unit++;
	printf(" %4lu%c", bytes, *unit);
}

/* Columns left of the bar: two addresses, the size, the rights. */
#define FIXED (25 + 6 + 5 + 2)

/* Cells of the longest bar. */
static unsigned long bar_cells(void)
{
	unsigned long cells = 8;

	while (cells + 8 <= (width - FIXED) * 2 / 3)
		cells += 8;
	return cells;
}

static void put_area(const struct area *a, unsigned long total[STATES])
{
	unsigned long pages = (a->end - a->start) / PAGE, per = 1, max = bar_cells();
	unsigned int used;
	int room;

	while ((pages + per - 1) / per > max)
		per *= 2;
	printf("%012lx-%012lx", a->start, a->end);
	put_size(a->end - a->start);
	printf(" %s |", a->rights);
	used = put_bar(a, per, total);
	used += (unsigned int)printf(per > 1 ? "|x%lu" : "|", per);
	room = (int)width - FIXED - (int)max - 6;
	printf("%*s%.*s\n", *a->name ? (int)max + 6 - (int)used : 0, "", room > 0 ? room : 0,
	       a->name);
}

/* The soft limit in KiB; ~0: none. */
static unsigned long memlock_limit(void)
{
	static const char label[] = "Max locked memory";
	unsigned long limit = ~0UL;
	char value[32], *line;

	open_proc("limits");
	while ((line = next_line()))
		if (!strncmp(line, label, strlen(label)) &&
		    sscanf(line + strlen(label), "%31s", value) == 1 && strcmp(value, "unlimited"))
			limit = strtoul(value, NULL, 10) >> 10;
	return limit;
}

static void put_totals(const unsigned long total[STATES], unsigned long locked_pages,
		       unsigned int locked_areas)
{
	unsigned long vmlck = proc_number("status", "VmLck:"), limit = memlock_limit();

	printf("%zu mappings, %u locked: %lu pages (%lu kB), %lu of them present\n", nr_areas,
	       locked_areas, locked_pages, locked_pages * 4, total[LOCKED]);
	if (total[ZERO_PAGE] || total[LOCKED_ELSEWHERE])
		printf("zero page in %lu places, %lu pages locked through other mappings\n",
		       total[ZERO_PAGE], total[LOCKED_ELSEWHERE]);
	printf("VmLck %lu kB: %s\n", vmlck,
	       vmlck == locked_pages * 4 ? "the same" : "not what the mappings say");
	if (limit == ~0UL)
		puts("RLIMIT_MEMLOCK: none");
	else
		printf("RLIMIT_MEMLOCK %lu kB: %lu left\n", limit,
		       vmlck < limit ? limit - vmlck : 0);
}

static void show(void)
{
	unsigned long total[STATES] = { 0 }, locked_pages = 0;
	unsigned int locked_areas = 0;

	open_pagemap();
	load_areas();
	for (size_t i = 0; i < nr_areas; i++) {
		put_area(&areas[i], total);
		if (!areas[i].locked)
			continue;
		locked_pages += (areas[i].end - areas[i].start) / PAGE;
		locked_areas++;
	}
	put_legend();
	put_totals(total, locked_pages, locked_areas);
}

/* Between MIN_WIDTH and MAX_WIDTH; 0: it is no such number. */
static unsigned int parse_width(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	return *text && !*end && n >= MIN_WIDTH && n <= MAX_WIDTH ? (unsigned int)n : 0;
}

static unsigned int terminal_width(void)
{
	struct winsize size;

	if (ioctl(1, TIOCGWINSZ, &size) || size.ws_col < MIN_WIDTH)
		return 100;
	return size.ws_col > MAX_WIDTH ? MAX_WIDTH : size.ws_col;
}

/* What /proc calls the process. */
static void set_process(const char *text)
{
	if (!*text || strlen(text) > 10 || strspn(text, "0123456789") != strlen(text))
		usage(2);
	snprintf(proc_dir, sizeof(proc_dir), "/proc/%s", text);
}

int main(int argc, char **argv)
{
	int i = 1;

	coloured = isatty(1);
	width = terminal_width();
	for (; i < argc && !strncmp(argv[i], "--", 2); i++) {
		if (!strcmp(argv[i], "--help")) {
			usage(0);
		} else if (!strcmp(argv[i], "--try")) {
			if (!try_calls(argv + i + 1))
				usage(2);
			return 0;
		} else if (!strcmp(argv[i], "--width") && i + 1 < argc) {
			width = parse_width(argv[++i]);
			if (!width)
				usage(2);
		} else {
			usage(2);
		}
	}
	if (i < argc - 1)
		usage(2);
	if (i < argc)
		set_process(argv[i]);
	show();
	return 0;
}
