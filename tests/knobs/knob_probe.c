/* SPDX-License-Identifier: MIT
 *
 * What one sees of the lock family's design choices: each argument names a probe, which prints "name value" lines.
 * tests/test_knobs.py boots a kernel for each value of a knob and compares.
 */
#include "lock.h"
#include <pthread.h>
#include <stdatomic.h>

#define N 16L

static void show(const char *name, long value)
{
	say("%s %ld\n", name, value);
}

/* ---- stall, replace: what a second thread can do meanwhile ---- */

#define STALL_BYTES (128 * MIB)
#define NAP_NS 500000

static atomic_bool locking, done;
static long waits, longest_ns;

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = NAP_NS }, NULL);
}

static void *map_and_unmap(void *arg UNUSED)
{
	while (!locking)
		nap();
	for (;; waits++) {
		int64_t start, ns;

		nap();
		if (done)
			return NULL;
		start = now_ns(CLOCK_MONOTONIC);
		MUST(!munmap(map_anon(PAGE, RW), PAGE));
		ns = now_ns(CLOCK_MONOTONIC) - start;
		longest_ns = ns > longest_ns ? ns : longest_ns;
	}
}

/* One thread in a large mlock, another maps and unmaps a page. */
static void probe_stall(void)
{
	char *p = map_anon(STALL_BYTES, RW);
	pthread_t other;
	int64_t start;

	MUST(!pthread_create(&other, NULL, map_and_unmap, NULL));
	nap();
	locking = true;
	start = now_ns(CLOCK_MONOTONIC);
	MUST(!mlock(p, STALL_BYTES));
	show("mlock_ns", now_ns(CLOCK_MONOTONIC) - start);
	done = true;
	pthread_join(other, NULL);
	show("waits", waits);
	show("longest_ns", longest_ns);
}

static char *victim;
static bool replaced;

static void *replace(void *arg UNUSED)
{
	while (!locking)
		nap();
	nap();
	MUST(mmap(victim, N * PAGE, RW, ANON | MAP_FIXED, -1, 0) == victim);
	replaced = !done;
	return NULL;
}

/* A mapping that another thread puts into the end of a range that is being locked: filled, too? */
static void probe_replace(void)
{
	char *p = map_anon(STALL_BYTES, RW);
	pthread_t other;

	victim = p + STALL_BYTES - N * PAGE;
	MUST(!pthread_create(&other, NULL, replace, NULL));
	nap();
	locking = true;
	MUST(!mlock(p, STALL_BYTES));
	done = true;
	pthread_join(other, NULL);
	show("replaced", replaced);
	show("rss", rss(victim, N));
	show("locked", locks(victim, 1)[0] == 'L');
}

/* ---- lock_stat.hold ---- */

/* The longest time that a function held mmap_lock for writing, and how many sites of it did. */
static void show_holds(const char *function)
{
	char *text = slurp("/proc/lock_stat"), want[64];
	long longest = 0, held, sites = 0;

	MUST(text);
	snprintf(want, sizeof(want), "| %s+", function);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (strstr(line, want) && sscanf(line, "held %*d %*d %ld", &held) == 1) {
			sites++;
			longest = held > longest ? held : longest;
		}
	show("sites", sites);
	show("held_ns", longest);
}

static void probe_hold(void)
{
	char *p = map_anon(STALL_BYTES, RW);
	int64_t start = now_ns(CLOCK_MONOTONIC);

	MUST(!mlock(p, STALL_BYTES));
	show("mlock_ns", now_ns(CLOCK_MONOTONIC) - start);
	show_holds("mm_mlock");
}

/* ---- eager ---- */

static void probe_fill(void)
{
	long heap = (SYS(brk, 0) + (long)PAGE - 1) & -(long)PAGE;
	char *p;

	show("mmap", rss(lonely_anon(N), N));
	MUST(SYS(brk, heap + N * (long)PAGE) == heap + N * (long)PAGE);
	show("brk", resident((void *)heap, N * PAGE));
	p = lonely_anon(N);
	MUST(!munmap(p + N / 2 * PAGE, N / 2 * PAGE));
	MUST(mremap(p, N / 2 * PAGE, N * PAGE, 0) == p);
	show("mremap", rss(p, N));
	MUST(!mlockall(MCL_FUTURE | MCL_ONFAULT));
	show("future_onfault", rss(lonely_anon(N), N));
}

/* ---- populate.vm_populate ---- */

static void probe_merge(void)
{
	char *p = lonely_anon(N);

	fill(p,
	     N); /* at once, or Linux would give each vma an anon_vma of its own and merge none */
	for (long i = 0; i < N; i += 2)
		MUST(!mlock(p + i * PAGE, PAGE));
	show("locked_vmas", maps_in(p, N * PAGE));
	MUST(!munlock(p, N * PAGE));
	show("unlocked_vmas", maps_in(p, N * PAGE));
}

/* ---- munlock ---- */

/* Minor faults of a child that locks N pages on fault and then does what to them. */
static long child_faults(void (*what)(char *p))
{
	struct rusage usage;
	pid_t pid = fork();
	int status;

	MUST(pid >= 0);
	if (!pid) {
		char *p = lonely_anon(256);

		MUST(!what || !onfault(p, 256 * PAGE));
		if (what)
			what(p);
		_exit(0);
	}
	MUST(wait4(pid, &status, 0, &usage) == pid && status == 0);
	return usage.ru_minflt;
}

static void unmap_it(char *p)
{
	MUST(!munmap(p, 256 * PAGE));
}

static void leave_it(char *p UNUSED)
{
}

static void probe_munlock(void)
{
	char *p = lonely_anon(256), *between = lonely_anon(2 * N);
	long faults, none = child_faults(NULL);

	MUST(!onfault(p, 256 * PAGE));
	faults = minor_faults();
	MUST(!munlock(p, 256 * PAGE));
	show("munlock_faults", minor_faults() - faults);
	show("munlock_rss", rss(p, 256));
	MUST(!onfault(between, PAGE) && !onfault(between + (2 * N - 1) * PAGE, PAGE));
	MUST(!munlock(between, 2 * N * PAGE));
	show("between_rss", rss(between, 2 * N));
	show("munmap_faults", child_faults(unmap_it) - none);
	show("exit_faults", child_faults(leave_it) - none);
}

/* ---- lockonfault ---- */

static void probe_onfault(void)
{
	char *p = lonely_anon(N), *flags;

	for (long i = 0; i < N; i++)
		MUST(!(i & 1 ? onfault(p + i * PAGE, PAGE) : mlock(p + i * PAGE, PAGE)));
	show("interleaved_vmas", maps_in(p, N * PAGE));

	p = lonely_anon(N);
	MUST(!munmap(p + N / 2 * PAGE, N / 2 * PAGE) && !onfault(p, N / 2 * PAGE));
	flags = smaps_block(p);
	show("lf", flags && strstr(flags, " lf"));
	show("before_growth", rss(p, N));
	MUST(mremap(p, N / 2 * PAGE, N * PAGE, 0) == p);
	show("after_growth", rss(p, N));
	p = lonely(N, PROT_READ, ANON);
	MUST(!onfault(p, N * PAGE) && !mprotect(p, N * PAGE, RW));
	show("made_writable", rss(p, N));
	MUST(!mlockall(MCL_FUTURE | MCL_ONFAULT));
	show("future", rss(lonely_anon(N), N));
}

/* ---- mlock_count ---- */

/* What munlock of the only locked one of this many mappings costs, a page. */
static long munlock_one_of(int mappings)
{
	int fd = tmp_file(N * PAGE);
	char *p = NULL;
	int64_t start;

	for (int i = 0; i < mappings; i++) {
		p = lonely_file(N, PROT_READ, MAP_SHARED, fd);
		for (long n = 0; n < N; n++)
			load(p + n * PAGE);
	}
	MUST(!mlock(p, N * PAGE));
	start = now_ns(CLOCK_MONOTONIC);
	MUST(!munlock(p, N * PAGE));
	return (now_ns(CLOCK_MONOTONIC) - start) / N;
}

/* Of three locked mappings of a page, unlocked and unmapped one after the other: how many leave it locked. */
static void probe_count(void)
{
	int fd = tmp_file(PAGE);
	char *p[4];
	long kept = 0;

	for (int i = 0; i < 4; i++) {
		p[i] = lonely_file(1, PROT_READ, MAP_SHARED, fd);
		load(p[i]);
		if (i)
			MUST(!mlock(p[i], PAGE));
	}
	MUST(!munlock(p[2], PAGE));
	kept += !!(kpageflags(p[0]) & KPF_MLOCKED);
	MUST(!munmap(p[1], PAGE));
	kept += !!(kpageflags(p[0]) & KPF_MLOCKED);
	MUST(!munlock(p[3], PAGE));
	show("kept", kept);
	show("locked_at_end", !!(kpageflags(p[0]) & KPF_MLOCKED));
	show("munlock_of_1_ns", munlock_one_of(1));
	show("munlock_of_4_ns", munlock_one_of(4));
	show("munlock_of_64_ns", munlock_one_of(64));
}

/* ---- mlock.batch ---- */

#define LINUX_BATCH 31

static long count_with(const char *p, long pages, uint64_t flag)
{
	long n = 0;

	for (long i = 0; i < pages; i++)
		n += !!(kpageflags(p + i * PAGE) & flag);
	return n;
}

/* Pages that come one by one into a mapping locked on fault. */
static void probe_batch(void)
{
	char *p = lonely_anon(2 * LINUX_BATCH), *q = lonely_anon(4096);
	int64_t start;

	MUST(!onfault(p, 2 * LINUX_BATCH * PAGE));
	fill(p, LINUX_BATCH - 1);
	show("mlocked_30", count_with(p, LINUX_BATCH - 1, KPF_MLOCKED));
	show("unevictable_30", count_with(p, LINUX_BATCH - 1, KPF_UNEVICTABLE));
	store(p + (LINUX_BATCH - 1) * PAGE, 1);
	show("unevictable_31", count_with(p, LINUX_BATCH, KPF_UNEVICTABLE));
	store(p + LINUX_BATCH * PAGE, 1);
	show("unevictable_32", count_with(p, LINUX_BATCH + 1, KPF_UNEVICTABLE));
	MUST(!munlock(p, 2 * LINUX_BATCH * PAGE));
	show("unevictable_unlocked", count_with(p, LINUX_BATCH + 1, KPF_UNEVICTABLE));

	fill(q, 4096);
	start = now_ns(CLOCK_MONOTONIC);
	MUST(!mlock(q, 4096 * PAGE));
	show("mlock_ns", (now_ns(CLOCK_MONOTONIC) - start) / 4096);
	start = now_ns(CLOCK_MONOTONIC);
	MUST(!munlock(q, 4096 * PAGE));
	show("munlock_ns", (now_ns(CLOCK_MONOTONIC) - start) / 4096);
	MUST(!madvise(q, 4096 * PAGE, MADV_DONTNEED) && !onfault(q, 4096 * PAGE));
	start = now_ns(CLOCK_MONOTONIC);
	fill(q, 4096);
	show("fault_ns", (now_ns(CLOCK_MONOTONIC) - start) / 4096);
}

/* ---- mlock.error ---- */

static void report_failure(const char *what, char *p)
{
	const char *names[] = { "result", "vmlck", "locked", "rss" };
	long values[] = { SYS(mlock, p, N * PAGE), 0, 0, 0 };

	values[1] = vmlck();
	for (const char *l = locks(p, N); *l; l++)
		values[2] += *l == 'L';
	values[3] = rss(p, N);
	for (int i = 0; i < 4; i++)
		say("%s_%s %ld\n", what, names[i], values[i]);
	munlockall();
}

static void probe_error(void)
{
	char *hole = lonely_anon(N), *none = lonely_anon(N), *mixed = lonely_anon(N);

	MUST(!munmap(hole + N / 2 * PAGE, PAGE));
	report_failure("hole", hole);
	MUST(!mprotect(none + N / 2 * PAGE, PAGE, PROT_NONE));
	report_failure("none", none);
	/* What was locked before the call stays locked. */
	MUST(!mlock(mixed, 2 * PAGE) && !onfault(mixed + 2 * PAGE, 2 * PAGE));
	MUST(!mprotect(mixed + N / 2 * PAGE, PAGE, PROT_NONE));
	MUST(SYS(mlock, mixed, N * PAGE) == -ENOMEM);
	say("mixed_locks %s\n", locks(mixed, N));
}

static const struct {
	const char *name;
	void (*run)(void);
} probes[] = {
	{ "hold", probe_hold },	      { "stall", probe_stall }, { "replace", probe_replace },
	{ "fill", probe_fill },	      { "merge", probe_merge }, { "munlock", probe_munlock },
	{ "onfault", probe_onfault }, { "error", probe_error }, { "count", probe_count },
	{ "batch", probe_batch },
};

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		for (size_t n = 0; n < sizeof(probes) / sizeof(probes[0]); n++)
			if (!strcmp(argv[i], probes[n].name))
				IN_CHILD
				{
					probes[n].run();
				}
	return 0;
}
