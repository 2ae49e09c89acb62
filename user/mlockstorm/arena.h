/* SPDX-License-Identifier: MIT
 *
 * The arena as the kernel describes it, and the output that two kernels must agree on.
 *
 * Addresses are page numbers from ARENA. Three regions, chosen so that what Linux merges does not depend on
 * its anon_vmas, of which other kernels may know nothing:
 *
 *   slots   Private memory is mapped at a slot's start, once, writable, and written to at once: all that is
 *           ever split off it shares one anon_vma. Shared objects go anywhere. mremap works here.
 *   stack   One MAP_GROWSDOWN mapping with free pages below.
 *   wild    Anything anywhere, but no mremap. Neighbours that look equal are printed as one.
 *
 * The heap is printed page by page.
 */
#ifndef USER_MLOCKSTORM_ARENA_H
#define USER_MLOCKSTORM_ARENA_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../compat.h"
#include "../random.h"

#define PAGE 4096UL
#define ARENA ((char *)0x10000000000UL)

#define SLOT 64U       /* pages from one slot's start to the next */
#define SLOT_LIMIT 56U /* growth ends here, before it meets the next slot */
#define SLOTS 8U
#define STACK 1400U /* where the stack ends, with more than a guard gap of room below */
#define STACK_PAGES 6U
#define WILD 2048U
#define WILD_PAGES 48U
#define ARENA_PAGES 2112U
#define HEAP_PAGES 24U

#define FILES 2
#define FILE_PAGES 24U

#define RW (PROT_READ | PROT_WRITE)

/* ---- random numbers ---- */

static uint64_t rng;

static unsigned int below(unsigned int n)
{
	return (unsigned int)(next_random(&rng) % n);
}

static bool one_in(unsigned int n)
{
	return below(n) == 0;
}

/* ---- output: text, or a number an epoch. Shared with children, which go on in it ---- */

struct out {
	uint64_t hash;
	bool digest;
	size_t used;
	char text[60000];
};

static struct out *out;

__attribute__((noreturn)) static void give_up(const char *what)
{
	dprintf(2, "mlockstorm: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void flush(void)
{
	size_t done = 0;

	while (done < out->used) {
		ssize_t n = write(1, out->text + done, out->used - done);

		if (n <= 0)
			_exit(1);
		done += (size_t)n;
	}
	out->used = 0;
}

__attribute__((format(printf, 1, 2))) static void put(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(line))
		n = sizeof(line) - 1;
	for (int i = 0; i < n; i++)
		out->hash = (out->hash ^ (unsigned char)line[i]) * 0x100000001b3;
	if (out->digest)
		return;
	if (out->used + (size_t)n > sizeof(out->text))
		flush();
	memcpy(out->text + out->used, line, (size_t)n);
	out->used += (size_t)n;
}

static const char *error_name(int e)
{
	static const struct {
		int e;
		const char *name;
	} names[] = { { EPERM, "EPERM" },   { ENOMEM, "ENOMEM" }, { EAGAIN, "EAGAIN" },
		      { EINVAL, "EINVAL" }, { EFAULT, "EFAULT" }, { EACCES, "EACCES" },
		      { EEXIST, "EEXIST" }, { EBUSY, "EBUSY" },	  { EBADF, "EBADF" },
		      { ENOSYS, "ENOSYS" }, { ENODEV, "ENODEV" }, { EOPNOTSUPP, "EOPNOTSUPP" } };
	static char other[16];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].e == e)
			return names[i].name;
	snprintf(other, sizeof(other), "errno %d", e);
	return other;
}

/* ---- what is mapped ---- */

struct area {
	unsigned int start, end; /* pages */
	char perms[5];
	char backing[24];
	char flags[64];
	long rss, locked; /* kB */
};

#define MAX_AREAS 128

static struct area areas[MAX_AREAS];
static unsigned int nr_areas;
static char heap_text[HEAP_PAGES + 1];
static long heap_rss, locked_outside; /* kB; pages */
static char *heap;
static bool in_child;

static char *at(unsigned int page)
{
	return ARENA + page * PAGE;
}

static bool is_strict(unsigned int page)
{
	return page < STACK && !in_child;
}

static char *slurp(const char *path)
{
	static char buf[256 * 1024];
	size_t n = 0;
	ssize_t r;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		give_up(path);
	while (n < sizeof(buf) - 1 && (r = read(fd, buf + n, sizeof(buf) - 1 - n)) > 0)
		n += (size_t)r;
	close(fd);
	buf[n] = 0;
	return buf;
}

static long kb_of(const char *block, const char *label)
{
	char want[32];
	const char *p;

	snprintf(want, sizeof(want), "\n%s:", label);
	p = strstr(block, want);
	return p ? strtol(p + strlen(want), NULL, 10) : -1;
}

/* The flags of a VmFlags line. Old kernels have no name for lock on fault. "ac" is left out: Linux 6.5 and later drop it from untouched memory made read-only. */
static void copy_flags(char *to, size_t size, const char *line)
{
	static const char *const known[] = { "rd", "wr", "ex", "sh", "mr", "mw", "me", "ms", "gd",
					     "lo", "sr", "rr", "dc", "lf", "??", "nr", "wf", "dd" };
	size_t used = 0;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		char want[5];

		snprintf(want, sizeof(want), " %s ", known[i]);
		if (strstr(line, want))
			used += (size_t)snprintf(to + used, size - used, "%s%s", used ? " " : "",
						 known[i][0] == '?' ? "lf" : known[i]);
	}
	to[used] = 0;
}

static bool has_flag(const struct area *a, const char *flag)
{
	return strstr(a->flags, flag);
}

/* Where the name says so: "a+3" is page 3 of the first file. */
static void copy_backing(struct area *a, const char *line, unsigned long offset)
{
	const char *file = strstr(line, "/memfd:");

	if (file)
		snprintf(a->backing, sizeof(a->backing), "%c+%lu", file[7], offset / PAGE);
	else
		strcpy(a->backing, strstr(line, "/dev/zero") ? "shm" : "anon");
}

static void add_to_heap(unsigned long start, unsigned long end, const struct area *a)
{
	unsigned long base = (unsigned long)heap;

	for (unsigned long p = start; p < end; p += PAGE)
		if (p >= base && p < base + HEAP_PAGES * PAGE)
			heap_text[(p - base) / PAGE] = has_flag(a, "lf")   ? 'F'
						       : has_flag(a, "lo") ? 'L'
									   : 'U';
	heap_rss += a->rss;
}

/* The second goes on where the first ends, in its file too. Shared anonymous memory does not say. */
static bool continues(const struct area *a, const struct area *b)
{
	char next[sizeof(a->backing)];

	if (!strcmp(a->backing, "shm"))
		return false;
	if (a->backing[1] == '+')
		snprintf(next, sizeof(next), "%c+%lu", a->backing[0],
			 strtoul(a->backing + 2, NULL, 10) + a->end - a->start);
	else
		strcpy(next, "anon");
	return a->end == b->start && !strcmp(a->perms, b->perms) && !strcmp(a->flags, b->flags) &&
	       !strcmp(b->backing, next);
}

static void add_area(const struct area *a)
{
	struct area *last = nr_areas ? &areas[nr_areas - 1] : NULL;

	if (last && !is_strict(a->start) && continues(last, a)) {
		last->end = a->end;
		last->rss += a->rss;
		last->locked += a->locked;
		return;
	}
	if (nr_areas == MAX_AREAS)
		give_up("too many areas");
	areas[nr_areas++] = *a;
}

/* Reads smaps: areas of the arena, the heap, what is locked elsewhere. */
static void look(void)
{
	unsigned long lo = (unsigned long)ARENA, hi = lo + ARENA_PAGES * PAGE, start, end, offset;
	char *block = slurp("/proc/self/smaps");

	nr_areas = 0;
	heap_rss = locked_outside = 0;
	memset(heap_text, '-', HEAP_PAGES);
	while (*block) {
		char *flags = strstr(block, "\nVmFlags:"), *next, *line = strchr(block, '\n');
		struct area a = { 0 };

		if (!flags || sscanf(block, "%lx-%lx %4s %lx", &start, &end, a.perms, &offset) != 4)
			give_up("cannot parse smaps");
		next = strchr(flags + 1, '\n');
		*next = *line = 0;
		copy_flags(a.flags, sizeof(a.flags), flags + 1);
		copy_backing(&a, block, offset);
		*line = '\n';
		a.rss = kb_of(block, "Rss");
		a.locked = kb_of(block, "Locked");
		if (start >= lo && end <= hi) {
			a.start = (unsigned int)((start - lo) / PAGE);
			a.end = (unsigned int)((end - lo) / PAGE);
			add_area(&a);
		} else if (start >= (unsigned long)heap &&
			   end <= (unsigned long)heap + HEAP_PAGES * PAGE) {
			add_to_heap(start, end, &a);
		} else if (has_flag(&a, "lo")) {
			locked_outside += (long)((end - start) / PAGE);
		}
		block = next + 1;
	}
}

/* VmLck of the arena and the heap, in pages. */
static long locked_inside(void)
{
	return kb_of(slurp("/proc/self/status"), "VmLck") / 4 - locked_outside;
}

static void print_areas(void)
{
	for (unsigned int i = 0; i < nr_areas; i++) {
		const struct area *a = &areas[i];

		put("    %u-%u %s %s Rss %ld", a->start, a->end, a->perms, a->backing, a->rss);
		/* A share of pages with several mappings is rounded an area: of one printed for two it may differ. */
		if (is_strict(a->start))
			put(" Locked %ld", a->locked);
		put(" %s\n", a->flags);
	}
	put("    heap %s Rss %ld\n", heap_text, heap_rss);
}

/* The area that contains the page. */
static const struct area *area_at(unsigned int page)
{
	for (unsigned int i = 0; i < nr_areas; i++)
		if (page >= areas[i].start && page < areas[i].end)
			return &areas[i];
	return NULL;
}

#endif
