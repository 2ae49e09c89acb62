/* SPDX-License-Identifier: MIT
 *
 * khugepaged: small pages of an area of MADV_HUGEPAGE become large ones by and by; how many holes there may be is a
 * setting. Settings are the machine's, and are put back.
 */
#include "folio.h"

#define THP "/sys/kernel/mm/transparent_hugepage/"
#define DAEMON THP "khugepaged/"
#define HUGE_PAGES (HUGE / PAGE)
#define PATIENCE_MS 20000

static const char *const missing = "no " DAEMON " to write to";

static struct setting {
	const char *file, *here;
	char before[16];
} settings[] = {
	{ DAEMON "scan_sleep_millisecs", "10", "" },
	{ DAEMON "alloc_sleep_millisecs", "10", "" },
	{ DAEMON "pages_to_scan", "65536", "" },
	{ DAEMON "max_ptes_none", "64", "" },
};

#define NR_SETTINGS (sizeof(settings) / sizeof(settings[0]))

static bool hurry(void)
{
	if (access(DAEMON "pages_to_scan", W_OK) || !strstr(slurp(THP "enabled"), "[madvise]"))
		return false;
	for (size_t i = 0; i < NR_SETTINGS; i++) {
		snprintf(settings[i].before, sizeof(settings[i].before), "%ld",
			 atol(slurp(settings[i].file)));
		MUST(tell(settings[i].file, settings[i].here));
	}
	return true;
}

static void slow_down(void)
{
	for (size_t i = 0; i < NR_SETTINGS; i++)
		MUST(tell(settings[i].file, settings[i].before));
}

/* 2 MiB of which the first n pages are there, one by one. */
static char *small_pages(size_t n)
{
	char *p = map_anon(3 * HUGE, PROT_NONE);

	p = (char *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));
	MUST(!mprotect(p, HUGE, PROT_READ | PROT_WRITE));
	MUST(!madvise(p, HUGE, MADV_NOHUGEPAGE));
	for (size_t i = 0; i < n; i++)
		p[i * PAGE] = (char)(i | 1);
	MUST(!madvise(p, HUGE, MADV_HUGEPAGE));
	return p;
}

static long huge(const void *p)
{
	return smaps_kb(p, "AnonHugePages");
}

static void wait_for_huge(const void *p)
{
	for (long ms = 0; huge(p) != 2048 && ms < PATIENCE_MS; ms += 20)
		sleep_ms(20);
}

static void wait_for_scans(long n)
{
	long until = atol(slurp(DAEMON "full_scans")) + n;

	for (long ms = 0; atol(slurp(DAEMON "full_scans")) < until && ms < PATIENCE_MS; ms += 20)
		sleep_ms(20);
}

FORKED_TEST(collapses, "small pages become a large one")
{
	long before, wrong = 0;
	char *p;

	if (!hurry())
		SKIP(missing);
	before = atol(slurp(DAEMON "pages_collapsed"));
	p = small_pages(HUGE_PAGES - 50);
	wait_for_huge(p);
	slow_down();
	CHECK_EQ(huge(p), 2048);
	CHECK_EQ(smaps_kb(p, "Rss"), 2048);
	CHECK_RANGE(atol(slurp(DAEMON "pages_collapsed")) - before, 1, 1L << 30);
	for (size_t i = 0; i < HUGE_PAGES; i++)
		wrong += p[i * PAGE] != (i < HUGE_PAGES - 50 ? (char)(i | 1) : 0);
	CHECK_EQ(wrong, 0);
}

FORKED_TEST(shared, "small pages of shared memory, too: of 2 MiB when they are needed again")
{
	long wrong = 0;
	char *p;

	if (!hurry() || !set_shmem_enabled("never"))
		SKIP(missing);
	p = map_anon(3 * HUGE, PROT_NONE);
	p = (char *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));
	MUST(mmap(p, HUGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
	for (size_t i = 0; i < HUGE_PAGES - 50; i++)
		p[i * PAGE] = (char)(i | 1);
	CHECK_EQ(smaps_kb(p, "Rss"), (HUGE_PAGES - 50) * 4);
	MUST(set_shmem_enabled("advise"));
	MUST(!madvise(p, HUGE, MADV_HUGEPAGE));
	for (long ms = 0; smaps_kb(p, "ShmemPmdMapped") != 2048 && ms < PATIENCE_MS / 4; ms += 20) {
		sleep_ms(20);
		drain_batches(); /* Linux wants all of them on the LRU lists */
		(void)load(p);
	}
	slow_down();
	if (smaps_kb(p, "ShmemPmdMapped") == 0 && !on_faultline())
		SKIP("this Linux's khugepaged leaves it alone, as 6.18's was seen to do");
	CHECK_EQ(smaps_kb(p, "ShmemPmdMapped"), 2048);
	for (size_t i = 0; i < HUGE_PAGES; i++)
		wrong += p[i * PAGE] != (i < HUGE_PAGES - 50 ? (char)(i | 1) : 0);
	CHECK_EQ(wrong, 0);
}

FORKED_TEST(locked, "locked pages are locked all the time")
{
	char *p;

	if (!hurry())
		SKIP(missing);
	p = small_pages(HUGE_PAGES);
	MUST(!mlock(p, HUGE));
	wait_for_huge(p);
	slow_down();
	drain_batches();
	CHECK_EQ(huge(p), 2048);
	CHECK_EQ(smaps_kb(p, "Locked"), 2048);
	CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LOCK_BITS);
}

FORKED_TEST(too_many_holes, "with more holes than max_ptes_none the pages stay as they are")
{
	char *p, *full;

	if (!hurry())
		SKIP(missing);
	p = small_pages(HUGE_PAGES - 65);
	full = small_pages(HUGE_PAGES);
	wait_for_huge(full);
	wait_for_scans(2);
	CHECK_EQ(huge(full), 2048);
	CHECK_EQ(huge(p), 0);
	CHECK_EQ(rss(p, HUGE_PAGES), (long)HUGE_PAGES - 65);
	slow_down();
}

TEST(refused, "settings that make no sense are refused")
{
	if (access(DAEMON "pages_to_scan", W_OK))
		SKIP(missing);
	CHECK(!tell(DAEMON "pages_to_scan", "0"));
	CHECK(!tell(DAEMON "max_ptes_none", "512"));
	CHECK(!tell(DAEMON "max_ptes_swap", "512"));
	CHECK(!tell(DAEMON "defrag", "2"));
	CHECK(!tell(DAEMON "scan_sleep_millisecs", "soon"));
}

TEST_MAIN()
