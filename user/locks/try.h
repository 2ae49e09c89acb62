/* SPDX-License-Identifier: MIT
 *
 * locks --try: a mapping of its own, calls on it from the command line, and the picture after each. Vertical
 * lines are the borders of mappings, so splitting and merging are seen, too.
 */
#ifndef USER_LOCKS_TRY_H
#define USER_LOCKS_TRY_H

#include "../compat.h"
#include "picture.h"
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define TRY_MAX 64 /* pages; as many again stay free behind them */
#define RW (PROT_READ | PROT_WRITE)

static char *arena;
static unsigned long arena_pages;

/* Pages [from, from + pages) of the arena. */
struct range {
	unsigned long from, pages;
};

static char *at(struct range r)
{
	return arena + r.from * PAGE;
}

static long try_map(struct range r)
{
	char *place =
		mmap(NULL, (2 * TRY_MAX + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (place == MAP_FAILED || munmap(place, (2 * TRY_MAX + 2) * PAGE))
		return -1;
	/* A page in front stays free, so that nothing merges with what is there. */
	arena = mmap(place + PAGE, r.pages * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		     0);
	if (arena == MAP_FAILED)
		return -1;
	arena_pages = r.pages;
	return madvise(arena, r.pages * PAGE, MADV_NOHUGEPAGE) && errno != EINVAL ? -1 : 0;
}

static long try_read(struct range r)
{
	for (unsigned long i = 0; i < r.pages; i++)
		(void)*(volatile char *)(at(r) + i * PAGE);
	return 0;
}

static long try_write(struct range r)
{
	for (unsigned long i = 0; i < r.pages; i++)
		*(volatile char *)(at(r) + i * PAGE) = 1;
	return 0;
}

static long try_mlock(struct range r)
{
	return mlock(at(r), r.pages * PAGE);
}

static long try_onfault(struct range r)
{
	return syscall(SYS_mlock2, at(r), r.pages * PAGE, 1);
}

static long try_munlock(struct range r)
{
	return munlock(at(r), r.pages * PAGE);
}

static long try_drop(struct range r)
{
	return madvise(at(r), r.pages * PAGE, MADV_DONTNEED_LOCKED);
}

static long try_readonly(struct range r)
{
	return mprotect(at(r), r.pages * PAGE, PROT_READ);
}

static long try_writable(struct range r)
{
	return mprotect(at(r), r.pages * PAGE, RW);
}

static long try_none(struct range r)
{
	return mprotect(at(r), r.pages * PAGE, PROT_NONE);
}

static long try_unmap(struct range r)
{
	return munmap(at(r), r.pages * PAGE);
}

/* To r.pages more, in its place. */
static long try_grow(struct range r)
{
	unsigned long more = arena_pages + r.pages;

	if (mremap(arena, arena_pages * PAGE, more * PAGE, 0) == MAP_FAILED)
		return -1;
	arena_pages = more;
	return 0;
}

/* A new mapping of as many pages right behind. */
static long try_append(struct range r)
{
	if (mmap(arena + arena_pages * PAGE, r.pages * PAGE, RW,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return -1;
	arena_pages += r.pages;
	return 0;
}

static long try_future(struct range r)
{
	(void)r;
	return mlockall(MCL_FUTURE);
}

static long try_future_onfault(struct range r)
{
	(void)r;
	return mlockall(MCL_FUTURE | MCL_ONFAULT);
}

static long try_munlockall(struct range r)
{
	(void)r;
	return munlockall();
}

static const struct call {
	const char *name;
	long (*fn)(struct range r);
	bool counts; /* its argument is a number of pages, not a place */
	const char *help;
} calls[] = {
	{ "map", try_map, true, "N pages of private writable memory; comes first" },
	{ "read", try_read, false, "read each page" },
	{ "write", try_write, false, "write to each page" },
	{ "mlock", try_mlock, false, "mlock" },
	{ "onfault", try_onfault, false, "mlock2(MLOCK_ONFAULT)" },
	{ "munlock", try_munlock, false, "munlock" },
	{ "drop", try_drop, false, "madvise(MADV_DONTNEED_LOCKED)" },
	{ "readonly", try_readonly, false, "mprotect(PROT_READ)" },
	{ "writable", try_writable, false, "mprotect(PROT_READ | PROT_WRITE)" },
	{ "none", try_none, false, "mprotect(PROT_NONE)" },
	{ "unmap", try_unmap, false, "munmap" },
	{ "grow", try_grow, true, "mremap to N pages more" },
	{ "append", try_append, true, "mmap of N pages right behind" },
	{ "future", try_future, true, "mlockall(MCL_FUTURE)" },
	{ "future-onfault", try_future_onfault, true, "mlockall(MCL_FUTURE | MCL_ONFAULT)" },
	{ "munlockall", try_munlockall, true, "munlockall" },
};

#define NR_CALLS (sizeof(calls) / sizeof(calls[0]))

static void put_calls(void)
{
	for (size_t i = 0; i < NR_CALLS; i++)
		printf("  %-14s %s\n", calls[i].name, calls[i].help);
}

static const struct call *find_call(const char *name, size_t len)
{
	for (size_t i = 0; i < NR_CALLS; i++)
		if (strlen(calls[i].name) == len && !strncmp(calls[i].name, name, len))
			return &calls[i];
	return NULL;
}

/* "name", "name:N", "name:A" or "name:A+N", in an arena of so many pages; 0: there is none yet. NULL: it is none of that. */
static const struct call *parse_call(const char *text, unsigned long pages, struct range *r)
{
	size_t len = strcspn(text, ":");
	const struct call *c = find_call(text, len);
	char *rest = NULL;

	if (!c || (c->fn == try_map) != !pages)
		return NULL;
	*r = (struct range){ 0, c->counts ? 1 : pages };
	if (text[len]) {
		r->pages = 1;
		*(c->counts ? &r->pages : &r->from) = strtoul(text + len + 1, &rest, 10);
		if (*rest == '+' && !c->counts)
			r->pages = strtoul(rest + 1, &rest, 10);
		if (rest == text + len + 1 || *rest)
			return NULL;
	}
	if (r->pages < 1 || r->pages > TRY_MAX)
		return NULL;
	if (c->counts)
		return pages + r->pages <= TRY_MAX ? c : NULL;
	return r->from <= pages && r->from + r->pages <= pages ? c : NULL;
}

/* Pages of the arena when all calls have succeeded; 0: one is wrong. */
static unsigned long check_calls(char **texts)
{
	unsigned long pages = 0;
	struct range r;

	for (; *texts; texts++) {
		const struct call *c = parse_call(*texts, pages, &r);

		if (!c)
			return 0;
		if (c->fn == try_map || c->fn == try_grow || c->fn == try_append)
			pages += r.pages;
	}
	return pages;
}

static long faults(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_minflt + u.ru_majflt;
}

/* The arena, in so many columns; a border more than that moves what comes behind it. */
static void put_arena(int columns)
{
	unsigned long from = (unsigned long)arena, to = from + arena_pages * PAGE, done = from;
	unsigned long total[STATES] = { 0 };

	for (size_t i = 0; i < nr_areas; i++) {
		struct area part = areas[i];

		if (part.end <= from || part.start >= to)
			continue;
		part.start = part.start < from ? from : part.start;
		part.end = part.end > to ? to : part.end;
		for (; done < part.start; done += PAGE, columns--)
			putchar(' ');
		putchar('|');
		columns -= 1 + (int)put_bar(&part, 1, total);
		done = part.end;
	}
	printf("|%*s present %lu", columns > 0 ? columns : 0, "",
	       total[PRESENT] + total[LOCKED] + total[LOCKED_ELSEWHERE]);
}

/* What a call did. VmLck and faults are the process's: it locks and touches nothing else meanwhile. */
static void try_call(const struct call *c, struct range r, const char *text, int columns)
{
	long before = faults(), err, after;

	err = c->fn(r) ? errno : 0;
	after = faults();
	load_areas();
	printf("%-14s ", text);
	put_arena(columns);
	printf("  VmLck %lu  faults %ld%s%s\n", proc_number("status", "VmLck:") / 4, after - before,
	       err ? "  " : "", err ? strerror(err) : "");
	fflush(stdout);
}

/* Returns false, having done nothing, when the command line is wrong. */
static bool try_calls(char **texts)
{
	unsigned long pages = check_calls(texts);
	struct range r;

	if (!pages)
		return false;
	open_pagemap();
	load_areas(); /* its memory is there before faults are counted */
	for (; *texts; texts++) {
		const struct call *c = parse_call(*texts, arena_pages, &r);

		if (!c) {
			printf("%s: outside the mapping, which has %lu pages\n", *texts,
			       arena_pages);
			break;
		}
		try_call(c, r, *texts, (int)pages + 8);
	}
	return true;
}

#endif
