/* SPDX-License-Identifier: MIT
 *
 * What the kernel says of memory as a whole, where nothing else runs: at the end everything is free again, and on the way
 * /proc/meminfo, /proc/vmstat and, on a debug kernel, the page tables, frames and lists themselves (/proc/validate) agree
 * on what is on the lists of reclaim.
 */
#ifndef USER_MMRACE_BOOKS_H
#define USER_MMRACE_BOOKS_H

#include "race.h"
#include "reclaim.h"

#define BOOK_SIZE 16384
static char books[2][BOOK_SIZE]; /* in memory before memory is counted */

static void read_book(const char *path, char *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t part;

	must(fd >= 0, path);
	while ((part = read(fd, text + n, BOOK_SIZE - 1 - n)) > 0)
		n += (size_t)part;
	must(!part && n < BOOK_SIZE - 1, path);
	close(fd);
	text[n] = 0;
}

/* The number behind a name that begins a line. -1: there is none. */
static long number_in(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = text; p && *p; p = strchr(p, '\n'), p += !!p)
		if (!strncmp(p, name, n) && (p[n] == ':' || p[n] == ' '))
			return strtol(p + n + 1, NULL, 10);
	return -1;
}

/* ---- at the end ---- */

/* Free memory and slabs in KiB after everything cached was written and given back. */
static long free_memory(void)
{
	char *text = books[0];
	long kib, slab;

	memset(books, 0, sizeof(books));
	sync();
	drop_caches("3");
	read_book("/proc/meminfo", text);
	kib = number_in(text, "MemFree");
	slab = number_in(text, "Slab");
	must(kib >= 0, "MemFree");
	return kib + (slab > 0 ? slab : 0);
}

/* What processes leave behind that have just ended may take a moment. */
static void check_memory(long before)
{
	long now = 0;

	for (int i = 0; i < 100; i++) {
		now = free_memory();
		if (now >= before)
			return;
		sleep_us(20000);
	}
	fail("%ld KiB of memory are gone", before - now);
}

/* A debug kernel makes up the books of all memory anew. */
static void check_books(void)
{
	char *text = books[0];

	if (access("/proc/validate", R_OK))
		return;
	read_book("/proc/validate", text);
	if (strcmp(text, "ok\n"))
		fail("/proc/validate: %s", text);
}

/* ---- on the way ---- */

/* A line of /proc/meminfo and the counters of /proc/vmstat that it is the sum of. */
static const struct same {
	const char *line, *counters[2];
} same[] = {
	{ "Active(anon)", { "nr_active_anon" } },
	{ "Inactive(anon)", { "nr_inactive_anon" } },
	{ "Active(file)", { "nr_active_file" } },
	{ "Inactive(file)", { "nr_inactive_file" } },
	{ "Active", { "nr_active_anon", "nr_active_file" } },
	{ "Inactive", { "nr_inactive_anon", "nr_inactive_file" } },
	{ "Unevictable", { "nr_unevictable" } },
	{ "Mlocked", { "nr_mlock" } },
	{ "AnonPages", { "nr_anon_pages" } },
	{ "Mapped", { "nr_mapped" } },
	{ "Shmem", { "nr_shmem" } },
	{ "Dirty", { "nr_dirty" } },
	{ "Writeback", { "nr_writeback" } },
};
#define SAMES (sizeof(same) / sizeof(same[0]))

/* The first line that is not the sum of its counters, or NULL. */
static const struct same *first_difference(const char *meminfo, const char *vmstat)
{
	for (const struct same *s = same; s < same + SAMES; s++) {
		long pages = 0;

		for (int i = 0; i < 2 && s->counters[i]; i++)
			pages += number_in(vmstat, s->counters[i]);
		if (number_in(meminfo, s->line) != pages * (long)(PAGE / 1024))
			return s;
	}
	return NULL;
}

/* The kernel's threads may still be at work: ten seconds for the two to agree. */
static void compare_lists(void)
{
	char *meminfo = books[0], *vmstat = books[1];
	const struct same *wrong;

	for (int i = 0; i < 500; i++) {
		read_book("/proc/meminfo", meminfo);
		read_book("/proc/vmstat", vmstat);
		wrong = first_difference(meminfo, vmstat);
		if (!wrong) {
			printf("mmrace: lists agree: %ld + %ld + %ld KiB\n",
			       number_in(meminfo, "Active"), number_in(meminfo, "Inactive"),
			       number_in(meminfo, "Unevictable"));
			return;
		}
		sleep_us(20000);
	}
	fail("%s: %ld kB, and %s %ld", wrong->line, number_in(meminfo, wrong->line),
	     wrong->counters[0], number_in(vmstat, wrong->counters[0]));
}

/* What goes on beside the scenarios rests, so that the lists are full and nothing changes them. */
static void check_books_midway(int beside)
{
	common->rest = 1;
	for (int64_t end = now_ms() + 120 * 1000; common->resting < beside;) {
		siginfo_t ended = { 0 };

		must(!waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT), "waitid");
		if (ended.si_pid)
			break; /* end_beside() says why */
		if (now_ms() > end)
			fail("what runs beside does not come to rest");
		sleep_us(5000);
	}
	if (common->resting == beside) {
		compare_lists();
		check_books();
	}
	common->rest = 0;
	while (common->resting)
		sleep_us(1000);
}

#endif
