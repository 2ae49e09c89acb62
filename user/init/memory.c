/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/swap.h>
#include <unistd.h>

#include "control.h"
#include "util.h"

#define MAX_SWAPS 4

/*
 * A task's stack is given back by the CPU it died on, once that has gone on to another task: to us, and
 * then every task that ended before is gone.
 */
static void visit_every_cpu(void)
{
	cpu_set_t all, one;

	if (sched_getaffinity(0, sizeof(all), &all))
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
	}
	sched_setaffinity(0, sizeof(all), &all);
}

/* What is in swap would seem to be free, so memory is counted with all areas off. These were on. */
static char swaps[MAX_SWAPS][64];

static void swap_off(void)
{
	char text[1024], *rest = text, *line;
	size_t n = 0;

	memset(swaps, 0, sizeof(swaps));
	read_file("/proc/swaps", text, sizeof(text));
	while (n < MAX_SWAPS && (line = strsep(&rest, "\n"))) {
		if (*line != '/' || sscanf(line, "%63s", swaps[n]) != 1)
			continue;
		if (swapoff(swaps[n]))
			report("books after swapoff %s: %s\n", swaps[n], strerror(errno));
		n++;
	}
}

static void swap_on(void)
{
	for (size_t i = 0; i < MAX_SWAPS && swaps[i][0]; i++)
		swapon(swaps[i], 0);
}

/* A debug kernel makes up the books of all memory anew; nobody else runs now. */
static void report_books(const char *when)
{
	char text[256];

	if (read_file("/proc/validate", text, sizeof(text)) && strcmp(text, "ok\n"))
		report("books %s %s", when, text);
}

/* A line for each of the text's that holds a word and then a figure. */
static void report_figures(const char *word, const char *when, char *text)
{
	char name[64], *line;
	long figure;

	while ((line = strsep(&text, "\n")))
		if (sscanf(line, "%63[^ :]%*[ :]%ld", name, &figure) == 2)
			report("%s %s %s %ld\n", word, when, name, figure);
}

static void count_memory(const char *when)
{
	static char slabs[64 * 1024], memory[4096];
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	visit_every_cpu();
	report_books(when);
	if (fd >= 0) {
		write_all(fd, "3\n", 2);
		close(fd);
	}
	read_file("/proc/slabinfo", slabs, sizeof(slabs));
	read_file("/proc/meminfo", memory, sizeof(memory));
	report_figures("slab", when, slabs);
	report_figures("mem", when, memory);
	report("mem %s end\n", when);
}

void report_memory(const char *when)
{
	swap_off();
	count_memory(when);
	swap_on();
}
