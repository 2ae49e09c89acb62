/* SPDX-License-Identifier: MIT
 *
 * What the tests of the lock family share: the state of each page's mapping as one letter, the counts of
 * smaps and status, limits and ids, event counters, page flags.
 *
 * Tests that lock run in a child (FORKED_TEST): VmLck begins at 0 and MCL_FUTURE ends with it.
 */
#ifndef TESTS_USER_LOCK_H
#define TESTS_USER_LOCK_H

#include "test.h"
#include <sys/prctl.h>
#include <sys/utsname.h>

#define NOBODY 65534

/* ---- mappings ---- */

/* The mapping's entry of smaps, from its header line to its end, in a static buffer; NULL: none there. */
static inline char *smaps_block(const void *addr)
{
	unsigned long start, end;

	for (char *at = slurp("/proc/self/smaps"); at && *at;) {
		char *last = strstr(at, "\nVmFlags:"), *next;

		MUST(last && sscanf(at, "%lx-%lx ", &start, &end) == 2);
		next = strchr(last + 1, '\n');
		MUST(next);
		if ((unsigned long)addr >= start && (unsigned long)addr < end) {
			next[1] = 0;
			return at;
		}
		at = next + 1;
	}
	return NULL;
}

/* A line's value in kB; -1 when the line or the mapping is not there. */
static inline long smaps_kb(const void *addr, const char *label)
{
	char *at = smaps_block(addr), want[40];

	snprintf(want, sizeof(want), "\n%s:", label);
	at = at ? strstr(at, want) : NULL;
	return at ? strtol(at + strlen(want), NULL, 10) : -1;
}

/* Old kernels have no name for VM_LOCKONFAULT and print "??". */
static inline char lock_letter(const char *flags, size_t len)
{
	bool lo = memmem(flags, len, " lo ", 4);
	bool lf = memmem(flags, len, " lf ", 4) || memmem(flags, len, " ?? ", 4);

	return lf ? (lo ? 'F' : '?') : lo ? 'L' : 'U';
}

/*
 * One letter a page of [addr, addr + pages): U unlocked, L locked, F locked on fault, '-' not mapped. A static
 * buffer of its own for each call in one expression.
 */
static inline const char *locks(const void *addr, size_t pages)
{
	static char out[4][4096];
	static int turn;
	unsigned long from = (unsigned long)addr & -PAGE, start, end;
	char *text = out[turn++ % 4], *at = slurp("/proc/self/smaps");

	MUST(at && pages < sizeof(out[0]));
	memset(text, '-', pages);
	text[pages] = 0;
	while (*at) {
		char *flags = strstr(at, "\nVmFlags:"), *next;

		MUST(flags && sscanf(at, "%lx-%lx ", &start, &end) == 2);
		next = strchr(flags + 1, '\n');
		MUST(next);
		for (size_t i = 0; i < pages; i++)
			if (from + i * PAGE >= start && from + i * PAGE < end)
				text[i] = lock_letter(flags, (size_t)(next - flags));
		at = next + 1;
	}
	return text;
}

/* Pages with an own frame (not the zero page) of the mappings that start in the range. */
static inline long pages_of(const char *label, const void *addr, size_t pages)
{
	unsigned long lo = (unsigned long)addr, hi = lo + pages * PAGE, start, end;
	char want[40], *at = slurp("/proc/self/smaps");
	long kb = 0;

	MUST(at);
	snprintf(want, sizeof(want), "\n%s:", label);
	while (*at) {
		char *last = strstr(at, "\nVmFlags:"), *value = strstr(at, want);

		MUST(last && value && sscanf(at, "%lx-%lx ", &start, &end) == 2);
		if (start >= lo && start < hi)
			kb += strtol(value + strlen(want), NULL, 10);
		at = strchr(last + 1, '\n') + 1;
	}
	return kb / 4;
}

static inline long rss(const void *addr, size_t pages)
{
	return pages_of("Rss", addr, pages);
}

static inline long status_pages(const char *label)
{
	return proc_value("/proc/self/status", label) / 4;
}

/* Pages this process has locked, as counted against the limit. */
static inline long vmlck(void)
{
	return status_pages("VmLck:");
}

/* Pages of the locked mappings that lie outside of [addr, addr + pages). */
static inline long locked_outside(const void *addr, size_t pages)
{
	unsigned long lo = (unsigned long)addr, hi = lo + pages * PAGE, start, end;
	char *at = slurp("/proc/self/smaps");
	long sum = 0;

	MUST(at);
	while (*at) {
		char *flags = strstr(at, "\nVmFlags:"), *next;

		MUST(flags && sscanf(at, "%lx-%lx ", &start, &end) == 2);
		next = strchr(flags + 1, '\n');
		MUST(next);
		if (lock_letter(flags, (size_t)(next - flags)) != 'U' && (end <= lo || start >= hi))
			sum += (long)((end - start) / PAGE);
		at = next + 1;
	}
	return sum;
}

/* What VmLck must be: the pages of all locked mappings. */
static inline long locked_sum(void)
{
	return locked_outside(NULL, 0);
}

/* Mapped at a place with free pages on both sides, so that nothing merges with what is there. */
static inline char *lonely(size_t pages, int prot, int flags)
{
	char *at = free_area(pages + 2);
	char *p = mmap(at, pages * PAGE, prot, flags | MAP_FIXED_NOREPLACE, -1, 0);

	MUST(p == at);
	return p;
}

static inline char *lonely_anon(size_t pages)
{
	return lonely(pages, RW, ANON);
}

static inline char *lonely_file(size_t pages, int prot, int flags, int fd)
{
	char *at = free_area(pages + 2);

	MUST(mmap(at, pages * PAGE, prot, flags | MAP_FIXED_NOREPLACE, fd, 0) == at);
	return at;
}

/* Touches every page for writing. */
static inline void fill(char *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		store(p + i * PAGE, (unsigned char)(i + 1));
}

static inline long onfault(const void *p, size_t len)
{
	return SYS(mlock2, p, len, MLOCK_ONFAULT);
}

/* ---- limits and ids ---- */

/* The soft limit only: raising the hard one takes a capability that root may lack in a container. */
static inline void set_memlock(unsigned long soft)
{
	struct rlimit rl;

	MUST(!getrlimit(RLIMIT_MEMLOCK, &rl));
	rl.rlim_cur = soft;
	MUST(!setrlimit(RLIMIT_MEMLOCK, &rl));
}

/* From now on an ordinary user who may lock so many bytes. Reading its own /proc files stays allowed. */
static inline void ordinary_user(unsigned long bytes)
{
	set_memlock(bytes);
	MUST(!setgid(NOBODY) && !setuid(NOBODY));
	MUST(!prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

/* ---- kernels ---- */

static inline bool kernel_at_least(int major, int minor)
{
	struct utsname u;
	int a = 0, b = 0;

	MUST(!uname(&u) && sscanf(u.release, "%d.%d", &a, &b) == 2);
	return a > major || (a == major && b >= minor);
}

/* ---- event counters ---- */

struct events {
	long culled, mlocked, munlocked, rescued, cleared, stranded;
};

static inline struct events events_now(void)
{
	char *text = slurp("/proc/vmstat");
	struct events e;
	struct {
		const char *name;
		long *value;
	} const all[] = {
		{ "\nunevictable_pgs_culled ", &e.culled },
		{ "\nunevictable_pgs_mlocked ", &e.mlocked },
		{ "\nunevictable_pgs_munlocked ", &e.munlocked },
		{ "\nunevictable_pgs_rescued ", &e.rescued },
		{ "\nunevictable_pgs_cleared ", &e.cleared },
		{ "\nunevictable_pgs_stranded ", &e.stranded },
	};

	MUST(text);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		char *at = strstr(text, all[i].name);

		*all[i].value = at ? strtol(at + strlen(all[i].name), NULL, 10) : -1;
		if (!at)
			bail_out("/proc/vmstat has no %s", all[i].name + 1);
	}
	return e;
}

/* ---- page flags ---- */

#define KPF_REFERENCED (1UL << 2)
#define KPF_UPTODATE (1UL << 3)
#define KPF_LRU (1UL << 5)
#define KPF_ACTIVE (1UL << 6)
#define KPF_MMAP (1UL << 11)
#define KPF_ANON (1UL << 12)
#define KPF_SWAPBACKED (1UL << 14)
#define KPF_UNEVICTABLE (1UL << 18)
#define KPF_ZERO_PAGE (1UL << 24)
#define KPF_RESERVED (1UL << 32)
#define KPF_MLOCKED (1UL << 33)

static inline uint64_t kpage_word(const char *file, const volatile void *p)
{
	uint64_t word = 0, pfn = pfn_of(p);
	int fd;

	if (!pfn)
		return 0;
	fd = open(file, O_RDONLY | O_CLOEXEC);
	MUST(fd >= 0);
	MUST(pread(fd, &word, 8, (off_t)(pfn * 8)) == 8);
	close(fd);
	return word;
}

static inline uint64_t kpageflags(const volatile void *p)
{
	return kpage_word("/proc/kpageflags", p);
}

static inline uint64_t kpagecount(const volatile void *p)
{
	return kpage_word("/proc/kpagecount", p);
}

/* What a locked page shows all of, an unlocked page only the first. */
#define KPF_LOCK_BITS (KPF_LRU | KPF_UNEVICTABLE | KPF_MLOCKED)

/*
 * Per-CPU batches hold pages that were just touched or unlocked. A syscall that walks page tables drains this
 * CPU's: locking and unlocking one page of our own does it.
 */
static inline void drain_batches(void)
{
	char *p = map_anon(PAGE, RW);

	store(p, 1);
	MUST(!mlock(p, PAGE) && !munlock(p, PAGE));
	munmap(p, PAGE);
}

#endif
