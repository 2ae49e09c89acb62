/* SPDX-License-Identifier: MIT
 *
 * An address space as /proc shows it: the mappings from smaps, and for each page from pagemap whether it is
 * there. What a page is (the zero page, locked through another mapping) takes kpageflags, which root alone may
 * read; without it such pages count as present, or as locked with their mapping.
 *
 * The lock is the mapping's: VmFlags lo, and lf when pages are locked as they come.
 */
#ifndef USER_LOCKS_SPACE_H
#define USER_LOCKS_SPACE_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096UL
#define WORDS 512 /* of pagemap, read at a time */

#define PM_PRESENT (1ULL << 63)
#define PM_FRAME ((1ULL << 55) - 1)
#define KPF_ZERO_PAGE (1ULL << 24)
#define KPF_MLOCKED (1ULL << 33)

struct area {
	unsigned long start, end;
	char rights[8], name[80];
	unsigned long rss; /* KiB */
	bool locked, onfault;
};

enum state { ABSENT, ZERO_PAGE, PRESENT, LOCKED, LOCKED_ELSEWHERE, STATES };

static char proc_dir[32] = "/proc/self";
static struct area *areas;
static size_t nr_areas;
static int pagemap_fd = -1, kpageflags_fd = -1;

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "locks: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- files of /proc/PID, line by line: without malloc(), which would map memory while we count ---- */

static struct {
	int fd;
	size_t at, end; /* what of text is still to come */
	char text[16384], line[512];
} reader;

static void open_proc(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", proc_dir, name);
	reader.fd = open(path, O_RDONLY);
	reader.at = reader.end = 0;
	if (reader.fd < 0)
		die(path);
}

static bool more_text(void)
{
	ssize_t got = read(reader.fd, reader.text, sizeof(reader.text));

	if (got < 0)
		die(proc_dir);
	reader.at = 0;
	reader.end = (size_t)got;
	return got > 0;
}

/* The next line, without its end; of a long one its beginning. NULL, and the file is closed, when there is none. */
static char *next_line(void)
{
	size_t n = 0;

	for (;;) {
		char c;

		if (reader.at == reader.end && !more_text()) {
			close(reader.fd);
			return NULL;
		}
		c = reader.text[reader.at++];
		if (c == '\n')
			break;
		if (n < sizeof(reader.line) - 1)
			reader.line[n++] = c;
	}
	reader.line[n] = 0;
	return reader.line;
}

/* The number behind a label at the start of a line; 0 when there is no such line. */
static unsigned long proc_number(const char *file, const char *label)
{
	unsigned long value = 0;
	const char *line;

	open_proc(file);
	while ((line = next_line()))
		if (!strncmp(line, label, strlen(label)))
			value = strtoul(line + strlen(label), NULL, 10);
	return value;
}

/* ---- the mappings ---- */

static struct area *new_area(void)
{
	if (nr_areas % 64 == 0)
		areas = realloc(areas, (nr_areas + 64) * sizeof(*areas));
	if (!areas)
		die("memory");
	memset(&areas[nr_areas], 0, sizeof(*areas));
	return &areas[nr_areas++];
}

/* Of a path its last part. */
static void set_name(struct area *a, const char *text)
{
	const char *slash = *text == '/' ? strrchr(text, '/') : NULL;

	snprintf(a->name, sizeof(a->name), "%s", slash ? slash + 1 : text);
}

/* Linux before 6.7 has no name for lock on fault and prints "??". */
static void set_flags(struct area *a, const char *flags)
{
	a->locked = strstr(flags, " lo ");
	a->onfault = a->locked && (strstr(flags, " lf ") || strstr(flags, " ?? "));
}

/* The vsyscall page lies beyond: Linux shows it to everyone, but it is nobody's mapping. */
#define USER_END (1UL << 47)

static void load_areas(void)
{
	unsigned long start, end;
	struct area *a = NULL;
	char *line, rights[8];
	int at;

	nr_areas = 0;
	open_proc("smaps");
	while ((line = next_line())) {
		at = 0;
		if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %n", &start, &end, rights, &at) == 3) {
			a = start < USER_END ? new_area() : NULL;
			if (!a)
				continue;
			a->start = start;
			a->end = end;
			strcpy(a->rights, rights);
			set_name(a, at ? line + at : "");
		} else if (a && !strncmp(line, "VmFlags:", 8)) {
			set_flags(a, line + 8);
		} else if (a) {
			sscanf(line, "Rss: %lu", &a->rss);
		}
	}
}

/* ---- the pages ---- */

static void open_pagemap(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/pagemap", proc_dir);
	pagemap_fd = open(path, O_RDONLY);
	if (pagemap_fd < 0)
		die(path);
	kpageflags_fd = open("/proc/kpageflags", O_RDONLY);
}

static enum state page_state(const struct area *a, uint64_t word)
{
	uint64_t frame = word & PM_FRAME, flags = 0;

	if (!(word & PM_PRESENT))
		return ABSENT;
	if (frame && kpageflags_fd >= 0 &&
	    pread(kpageflags_fd, &flags, sizeof(flags), (off_t)(frame * sizeof(flags))) < 0)
		flags = 0;
	if (flags & KPF_ZERO_PAGE)
		return ZERO_PAGE;
	if (a->locked)
		return LOCKED;
	return flags & KPF_MLOCKED ? LOCKED_ELSEWHERE : PRESENT;
}

/* Counts the pages of [start, end), part of the area, by state. */
static void count_pages(const struct area *a, unsigned long start, unsigned long end,
			unsigned long count[STATES])
{
	uint64_t words[WORDS];

	while (start < end) {
		size_t want = (end - start) / PAGE < WORDS ? (end - start) / PAGE : WORDS;
		ssize_t got = pread(pagemap_fd, words, want * sizeof(words[0]),
				    (off_t)(start / PAGE * sizeof(words[0])));

		if (got == 0)
			errno = ESRCH; /* its memory is gone */
		if (got <= 0)
			die("pagemap");
		for (size_t i = 0; i < (size_t)got / sizeof(words[0]); i++)
			count[page_state(a, words[i])]++;
		start += (size_t)got / sizeof(words[0]) * PAGE;
	}
}

#endif
