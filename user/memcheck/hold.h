/* SPDX-License-Identifier: MIT
 *
 * The process that holds memory by mlock while the others press: its pages must never leave.
 *
 * It watches them from all sides: mincore, the pages' entries in /proc/self/pagemap, their contents, VmLck, and the
 * count of its own faults, which must stand still. So everything else it uses is locked, too, and it calls
 * nothing that maps or allocates.
 */
#ifndef MEMCHECK_HOLD_H
#define MEMCHECK_HOLD_H

#include "pattern.h"
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define PM_PRESENT (1UL << 63)
#define PM_SWAP (1UL << 62)
#define AT_ONCE 512 /* pages a system call */
#define HOLDER 255  /* its number among the owners of patterns */

enum hold_how { HOLD_LOCK, HOLD_ONFAULT, HOLD_RELEASE };

struct hold {
	struct pattern pattern;
	enum hold_how how;
	uint64_t pages;
	/* Shared with the parent: */
	bool *ready, *release, *stop;
	unsigned long *checks;
};

struct holder {
	const struct hold *h;
	char *memory;
	uint64_t touched; /* pages, of h->pages */
	int pagemap;
	long minor, major; /* faults when all was in place */
	uint64_t entries[AT_ONCE];
	unsigned char in_core[AT_ONCE];
};

static struct holder holder;

static int hold_fail(uint64_t page, const char *what, uint64_t value)
{
	printf("memcheck: the holder's page %lu of %lu: %s (%#lx)\n", page, holder.h->pages, what,
	       value);
	fflush(stdout);
	return 1;
}

static void faults_so_far(long *minor, long *major)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	*minor = usage.ru_minflt;
	*major = usage.ru_majflt;
}

static void hold_set_up(void)
{
	const struct hold *h = holder.h;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS, bad;

	holder.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (holder.pagemap < 0 || mlockall(MCL_CURRENT))
		die("memcheck: mlockall");
	holder.memory = mmap(NULL, h->pages * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (holder.memory == MAP_FAILED)
		die("memcheck: mmap");
	madvise(holder.memory, h->pages * PAGE, MADV_NOHUGEPAGE);
	bad = h->how == HOLD_ONFAULT
		      ? (int)syscall(SYS_mlock2, holder.memory, h->pages * PAGE, MLOCK_ONFAULT)
		      : mlock(holder.memory, h->pages * PAGE);
	if (bad)
		die("memcheck: mlock");
	holder.touched = h->how == HOLD_ONFAULT ? h->pages / 2 : h->pages;
	for (uint64_t page = 0; page < holder.touched; page++)
		page_fill((uint64_t *)(holder.memory + page * PAGE),
			  page_key(&h->pattern, 0, page));
}

/* A run of pages: all there, with no place in swap; those never touched: not there. */
static int hold_check_run(uint64_t first, size_t n)
{
	char *at = holder.memory + first * PAGE;

	if (mincore(at, n * PAGE, holder.in_core))
		return hold_fail(first, "mincore failed, errno", (uint64_t)errno);
	if (pread(holder.pagemap, holder.entries, n * 8, (off_t)((uintptr_t)at / PAGE * 8)) !=
	    (ssize_t)(n * 8))
		return hold_fail(first, "pagemap cannot be read, errno", (uint64_t)errno);
	for (size_t i = 0; i < n; i++) {
		uint64_t page = first + i, entry = holder.entries[i];
		const uint64_t *words = (const uint64_t *)(at + i * PAGE);

		if (page >= holder.touched) {
			if (entry & (PM_PRESENT | PM_SWAP) || holder.in_core[i] & 1)
				return hold_fail(page, "never touched, but it has memory", entry);
			continue;
		}
		if (!(entry & PM_PRESENT) || entry & PM_SWAP)
			return hold_fail(page, "locked, but pagemap says it has left", entry);
		if (!(holder.in_core[i] & 1))
			return hold_fail(page, "locked, but mincore says it has left", 0);
		if (page_wrong(words, page_key(&holder.h->pattern, 0, page)) != WORDS) {
			page_report(&holder.h->pattern, words, 0, page, holder.h->pages);
			return 1;
		}
	}
	return 0;
}

static int hold_check_pages(void)
{
	for (uint64_t page = 0; page < holder.h->pages; page += AT_ONCE) {
		uint64_t left = holder.h->pages - page;

		if (hold_check_run(page, left < AT_ONCE ? left : AT_ONCE))
			return 1;
	}
	return 0;
}

static int hold_check_all(void)
{
	long minor, major;

	if (hold_check_pages())
		return 1;
	faults_so_far(&minor, &major);
	if (minor != holder.minor || major != holder.major) {
		printf("memcheck: the holder had faults: %ld minor, %ld major\n",
		       minor - holder.minor, major - holder.major);
		fflush(stdout);
		return 1;
	}
	return 0;
}

/* Pages of the holder that are not in memory. */
static uint64_t hold_gone(void)
{
	uint64_t gone = 0;

	for (uint64_t page = 0; page < holder.h->pages; page += AT_ONCE) {
		uint64_t left = holder.h->pages - page, n = left < AT_ONCE ? left : AT_ONCE;
		uintptr_t at = (uintptr_t)holder.memory / PAGE + page;

		if (pread(holder.pagemap, holder.entries, n * 8, (off_t)(at * 8)) !=
		    (ssize_t)(n * 8))
			return 0;
		for (size_t i = 0; i < n; i++)
			gone += !(holder.entries[i] & PM_PRESENT);
	}
	return gone;
}

/* Unlocked, the pages are like all others: some must go while the rest of the writing is done. */
static int hold_check_release(void)
{
	uint64_t gone = 0;

	munlock(holder.memory, holder.h->pages * PAGE);
	do {
		sleep_ms(50);
		gone = hold_gone();
	} while (!__atomic_load_n(holder.h->stop, __ATOMIC_ACQUIRE));
	printf("memcheck: %lu of the holder's %lu pages left after munlock\n", gone,
	       holder.h->pages);
	fflush(stdout);
	if (!gone)
		return 1;
	for (uint64_t page = 0; page < holder.h->pages; page++) {
		const uint64_t *words = (const uint64_t *)(holder.memory + page * PAGE);

		if (page_wrong(words, page_key(&holder.h->pattern, 0, page)) != WORDS) {
			page_report(&holder.h->pattern, words, 0, page, holder.h->pages);
			return 1;
		}
	}
	return 0;
}

/* The holder's life. Its exit status: 0, or 1 when something moved. */
static int hold_memory(const struct hold *h)
{
	holder.h = h;
	hold_set_up();
	if (hold_check_pages()) /* and so nothing happens for the first time when faults count */
		return 1;
	faults_so_far(&holder.minor, &holder.major);
	__atomic_store_n(h->ready, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(h->stop, __ATOMIC_ACQUIRE)) {
		if (hold_check_all())
			return 1;
		++*h->checks;
		if (h->how == HOLD_RELEASE && __atomic_load_n(h->release, __ATOMIC_ACQUIRE))
			break;
		sleep_ms(50);
	}
	return h->how == HOLD_RELEASE ? hold_check_release() : hold_check_all();
}

#endif
