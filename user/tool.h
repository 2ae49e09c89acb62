/* SPDX-License-Identifier: MIT
 *
 * What the measuring programs share: time, CPUs, sizes on the command line, numbers from /proc, random numbers.
 * They define _GNU_SOURCE.
 */
#ifndef USER_TOOL_H
#define USER_TOOL_H

#include <ctype.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "compat.h"
#include "random.h"

#define PAGE 4096UL
#define MIB (1UL << 20)

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static inline void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* Binds the calling thread to the nth of these CPUs, if there are so many. */
static inline void run_on(const cpu_set_t *cpus, unsigned int n)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, cpus) && n-- == 0) {
			CPU_SET(cpu, &one);
			sched_setaffinity(0, sizeof(one), &one);
			return;
		}
}

static inline _Noreturn void die(const char *what)
{
	perror(what);
	exit(3);
}

/* "64M" in bytes; 0 when it is no such thing. */
static inline uint64_t parse_size(const char *text)
{
	static const char units[] = "KMGT";
	char *end;
	uint64_t n = strtoull(text, &end, 10);
	const char *unit;

	if (!isdigit((unsigned char)*text))
		return 0;
	if (!*end)
		return n;
	unit = strchr(units, toupper((unsigned char)*end));
	return unit && !end[1] ? n << 10 * (unit - units + 1) : 0;
}

/* The number behind a label of a /proc file; -1 without such a line. */
static inline long proc_number(const char *path, const char *label)
{
	char line[256];
	long number = -1;
	FILE *f = fopen(path, "r");

	while (f && number < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, label, strlen(label)))
			number = atol(line + strlen(label));
	if (f)
		fclose(f);
	return number;
}

static inline int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), result = -1;

	if (fd < 0)
		return -1;
	if (write(fd, text, strlen(text)) == (ssize_t)strlen(text))
		result = 0;
	close(fd);
	return result;
}

#endif
