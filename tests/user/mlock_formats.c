/* SPDX-License-Identifier: MIT
 *
 * Byte for byte: the maps line and the smaps entry of a locked mapping, VmLck in status, Locked in
 * smaps_rollup. What only some kernels print may be there, but then exactly so.
 */
#include "lock.h"

/* The next line of *at must be this one; returns whether it was. */
static bool take(char **at, const char *want)
{
	size_t len = strlen(want);

	if (strncmp(*at, want, len))
		return false;
	*at += len;
	return true;
}

__attribute__((format(printf, 2, 3))) static void expect(char **at, const char *fmt, ...)
{
	char want[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(want, sizeof(want), fmt, ap);
	va_end(ap);
	if (take(at, want))
		return;
	FAIL("\"%.60s\", want \"%s\"", *at, want);
	*at = strchr(*at, '\n') + 1;
}

/* A mapping of four pages; kb of it are there, private and dirty. */
static void check_block(const char *p, long kb, const char *flags, const char *old_flags)
{
	static const char *const zeroes[] = { "LazyFree:", "AnonHugePages:", "ShmemPmdMapped:",
					      "FilePmdMapped:" };
	char *at = smaps_block(p);

	MUST(at);
	expect(&at, "%lx-%lx rw-p 00000000 00:00 0 \n", (unsigned long)p,
	       (unsigned long)p + 4 * PAGE);
	expect(&at, "%-16s%8d kB\n", "Size:", 16);
	expect(&at, "%-16s%8d kB\n", "KernelPageSize:", 4);
	expect(&at, "%-16s%8d kB\n", "MMUPageSize:", 4);
	expect(&at, "%-16s%8ld kB\n", "Rss:", kb);
	expect(&at, "%-16s%8ld kB\n", "Pss:", kb);
	expect(&at, "%-16s%8ld kB\n", "Pss_Dirty:", kb);
	expect(&at, "%-16s%8d kB\n", "Shared_Clean:", 0);
	expect(&at, "%-16s%8d kB\n", "Shared_Dirty:", 0);
	expect(&at, "%-16s%8d kB\n", "Private_Clean:", 0);
	expect(&at, "%-16s%8ld kB\n", "Private_Dirty:", kb);
	expect(&at, "%-16s%8ld kB\n", "Referenced:", kb);
	expect(&at, "%-16s%8ld kB\n", "Anonymous:", kb);
	take(&at, "KSM:                   0 kB\n"); /* newer than 6.1 */
	for (int i = 0; i < 4; i++)
		expect(&at, "%-16s%8d kB\n", zeroes[i], 0);
	expect(&at, "%-16s%8d kB\n", "Shared_Hugetlb:", 0);
	expect(&at, "Private_Hugetlb: %7d kB\n", 0);
	expect(&at, "%-16s%8d kB\n", "Swap:", 0);
	expect(&at, "%-16s%8d kB\n", "SwapPss:", 0);
	expect(&at, "%-16s%8ld kB\n", "Locked:", kb);
	if (!take(&at, "THPeligible:    0\n")) /* 6.1 */
		expect(&at, "%-16s%8d\n", "THPeligible:", 0);
	take(&at, "ProtectionKey:         0\n"); /* where the CPU has them */
	if (!take(&at, old_flags))
		expect(&at, "%s", flags);
	take(&at, "sd "); /* where soft-dirty tracking is built in */
	expect(&at, "\n");
	CHECK_EQ(*at, 0);
}

FORKED_TEST(smaps, "smaps of a locked mapping: Locked equals Rss, VmFlags has lo")
{
	char *p = lonely_anon(4);

	MUST(!mlock(p, 4 * PAGE));
	fill(p, 4); /* used, not only populated */
	check_block(p, 16, "VmFlags: rd wr mr mw me lo ac ", "VmFlags: rd wr mr mw me lo ac ");
}

FORKED_TEST(smaps_onfault, "of one locked on fault: lo lf, and what is there")
{
	char *p = lonely_anon(4);

	MUST(!onfault(p, 4 * PAGE));
	fill(p, 1);
	/* 6.1 has no name for the flag. */
	check_block(p, 4, "VmFlags: rd wr mr mw me lo lf ac ", "VmFlags: rd wr mr mw me lo ?? ac ");
}

FORKED_TEST(smaps_unlocked, "of an unlocked one nothing contains \"lo\"")
{
	char *p = lonely_anon(4), *flags;

	MUST(!mlock(p, 4 * PAGE) && !munlock(p, 4 * PAGE));
	flags = strstr(smaps_block(p), "\nVmFlags:");
	MUST(flags);
	CHECK(!strstr(flags, "lo"));
	CHECK_EQ(smaps_kb(p, "Locked"), 0);
}

FORKED_TEST(maps, "the maps line does not show the lock; named lines have their name at column 73")
{
	char *p = lonely_anon(2), want[64], *text, *line;

	MUST(!mlock(p, PAGE));
	text = slurp("/proc/self/maps");
	MUST(text);
	snprintf(want, sizeof(want), "%lx-%lx rw-p 00000000 00:00 0 \n%lx-%lx rw-p",
		 (unsigned long)p, (unsigned long)p + PAGE, (unsigned long)p + PAGE,
		 (unsigned long)p + 2 * PAGE);
	CHECK(strstr(text, want));
	line = strstr(text, "[stack]\n");
	MUST(line);
	text = line;
	while (text[-1] != '\n')
		text--;
	CHECK_EQ(line - text, 73);
}

FORKED_TEST(status, "VmLck: behind VmSize, before VmPin, a tab and eight columns")
{
	char *p = lonely_anon(300), *text, want[64];

	MUST(!onfault(p, 300 * PAGE));
	text = strstr(slurp("/proc/self/status"), "\nVmSize:\t");
	MUST(text);
	text = strchr(text + 1, '\n');
	snprintf(want, sizeof(want), "\nVmLck:\t%8d kB\nVmPin:\t%8d kB\n", 1200, 0);
	CHECK(!strncmp(text, want, strlen(want)));
}

FORKED_TEST(rollup, "smaps_rollup: Locked is the sum")
{
	char *p = lonely_anon(8);

	MUST(!mlock(p, 4 * PAGE) && !onfault(p + 4 * PAGE, 4 * PAGE));
	store(p + 4 * PAGE, 1);
	CHECK_EQ(proc_value("/proc/self/smaps_rollup", "Locked:"), 20);
}

FORKED_TEST(locked_share, "Locked counts by share: pages that a child has too count half")
{
	char *p = lonely_anon(4);

	fill(p, 4);
	MUST(!mlock(p, 4 * PAGE));
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid) {
		pause();
		_exit(0);
	}
	CHECK_EQ(smaps_kb(p, "Rss"), 16);
	CHECK_EQ(smaps_kb(p, "Locked"), 8);
	MUST(!kill(pid, SIGKILL));
	wait_for(pid);
	CHECK_EQ(smaps_kb(p, "Locked"), 16);
}

TEST_MAIN()
