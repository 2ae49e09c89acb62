/* SPDX-License-Identifier: MIT
 *
 * A machine that has been up for long: most of its memory was used, in small pages, among them the kernel's own, and every
 * second page was given back. Folios of 2 MiB are to be had all the same: when faults compact, when they ask kcompactd, and
 * when kcompactd sees to it by itself. Settings are the machine's, and are put back.
 */
#include "blocks.h"
#include "folio.h"

#define PROACTIVENESS "/proc/sys/vm/compaction_proactiveness"
#define ENABLED THP_FILES "/enabled"
#define DEFRAG THP_FILES "/defrag"
#define BLOCK (PAGE << BLOCK_ORDER)
#define PATIENCE_MS 30000
#define SMALL_MACHINE (GIB / 1024) /* elsewhere it takes too long */
#define AMONG 64		   /* user pages between two of the kernel's */
#define MAX_PIPES 400

static long meminfo_kb(const char *name)
{
	return proc_value("/proc/meminfo", name);
}

static char enabled_before[20], defrag_before[20], proactiveness_before[20];

static void settings(const char *defrag, const char *proactiveness)
{
	MUST(chosen(ENABLED, enabled_before, sizeof(enabled_before)));
	MUST(chosen(DEFRAG, defrag_before, sizeof(defrag_before)));
	snprintf(proactiveness_before, sizeof(proactiveness_before), "%ld",
		 atol(slurp(PROACTIVENESS)));
	MUST(tell(ENABLED, "madvise"));
	MUST(tell(DEFRAG, defrag));
	MUST(tell(PROACTIVENESS, proactiveness));
}

static void restore_settings(void)
{
	MUST(tell(ENABLED, enabled_before));
	MUST(tell(DEFRAG, defrag_before));
	MUST(tell(PROACTIVENESS, proactiveness_before));
}

/* Some pages that cannot be moved: a pipe with something in it, a page table. */
static void use_kernel_memory(size_t i)
{
	static int pipes[MAX_PIPES][2];
	char *far = (char *)(0x200000000000UL + i * GIB);

	if (i >= MAX_PIPES || pipe(pipes[i]))
		return;
	MUST(write(pipes[i][1], "x", 1) == 1);
	store(map_at(far, PAGE, RW), 1);
}

static char *fragments;
static size_t pages;

/* Most of what is free, and half of it is free again. */
static void fragment(void)
{
	pages = (size_t)meminfo_kb("MemFree:") / 4 * 3 / 4;
	fragments = map_anon(pages * PAGE, RW);
	(void)madvise(fragments, pages * PAGE, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < pages; i++) {
		if (i % AMONG == 0)
			use_kernel_memory(i / AMONG);
		store(fragments + i * PAGE, (unsigned char)(i + 1));
	}
	for (size_t i = 1; i < pages; i += 2)
		MUST(!madvise(fragments + i * PAGE, PAGE, MADV_DONTNEED));
}

/* NULL, or why the test cannot be made here. */
static const char *begin(const char *defrag, const char *proactiveness)
{
	if (meminfo_kb("MemTotal:") >= (long)SMALL_MACHINE)
		return "a large machine";
	if (access(PROACTIVENESS, W_OK) || access(DEFRAG, W_OK))
		return "no " PROACTIVENESS " or " DEFRAG;
	settings(defrag, proactiveness);
	fragment();
	return NULL;
}

/* What was moved has its contents. */
static void end(void)
{
	long wrong = 0;

	for (size_t i = 0; i < pages; i += 2)
		wrong += load(fragments + i * PAGE) != (unsigned char)(i + 1);
	CHECK_EQ(wrong, 0);
	restore_settings();
}

/* As many as free memory is large enough for, and something is left for the others. */
static long possible(void)
{
	return (meminfo_kb("MemFree:") - meminfo_kb("MemTotal:") / 24) * 1024 / (long)BLOCK;
}

static char *huge_area(long n)
{
	char *p = map_anon(((size_t)n + 1) * BLOCK, RW);

	p = (char *)(((uintptr_t)p + BLOCK - 1) & ~(BLOCK - 1));
	MUST(!madvise(p, (size_t)n * BLOCK, MADV_HUGEPAGE));
	return p;
}

/* How many of n areas of 2 MiB come as one folio. */
static long had(char *p, long n)
{
	for (long i = 0; i < n; i++)
		store(p + (size_t)i * BLOCK, 1);
	return smaps_kb(p, "AnonHugePages") * 1024 / (long)BLOCK;
}

/* percent: at least so many. */
static void check_share(long got, long of, long percent)
{
	say("# %ld of %ld\n", got, of);
	CHECK_RANGE(got * 100, of * percent, of * 100);
}

FORKED_TEST(faults, "faults that compact get at least four of five")
{
	const char *reason = begin("madvise", "0");

	if (reason)
		SKIP(reason);
	long n = possible();

	say("# %ld blocks are free\n", large_blocks());
	/* Linux 6.1 gives up for a while after each failure, and gets two of three. */
	check_share(had(huge_area(n), n), n, on_faultline() ? 80 : 50);
	end();
}

FORKED_TEST(in_advance, "kcompactd gets four of five in advance, when it is told to")
{
	const char *reason = begin("never", "0");
	long waited = 0;

	if (reason)
		SKIP(reason);
	long n = possible(), wakes = proc_value("/proc/vmstat", "compact_daemon_wake");

	say("# %ld blocks are free\n", large_blocks());
	MUST(tell(PROACTIVENESS, "95"));
	for (; large_blocks() < n * 9 / 10 && waited < PATIENCE_MS; waited += 100)
		sleep_ms(100);
	say("# %ld blocks are free after %ld ms, %ld wakes\n", large_blocks(), waited,
	    proc_value("/proc/vmstat", "compact_daemon_wake") - wakes);
	check_share(had(huge_area(n), n), n, 80);
	end();
}

FORKED_TEST(deferred, "a fault that does not wait asks kcompactd, and the next one finds a block")
{
	const char *reason = begin("defer", "0");
	long waited = 0;

	if (reason)
		SKIP(reason);
	long wakes = proc_value("/proc/vmstat", "compact_daemon_wake");
	char *q = huge_area(large_blocks() + 1);

	/* Those that are there are used up. */
	(void)had(q, large_blocks());
	q = huge_area(1);
	while (!had(q, 1) && waited < PATIENCE_MS) {
		MUST(!madvise(q, BLOCK, MADV_DONTNEED));
		sleep_ms(50);
		waited += 50;
	}
	CHECK_EQ(smaps_kb(q, "AnonHugePages"), 2048);
	if (waited)
		CHECK_RANGE(proc_value("/proc/vmstat", "compact_daemon_wake") - wakes, 1, 1L << 30);
	end();
}

TEST_MAIN()
