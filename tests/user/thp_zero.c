/* SPDX-License-Identifier: MIT
 *
 * The huge zero page: one read maps 2 MiB of zeroes, which cost nothing until they are written, and belong to nobody.
 */
#include "folio.h"

#define HUGE_PAGES (HUGE / PAGE)
#define USE_ZERO_PAGE THP_FILES "/use_zero_page"

static const char *const missing = "no huge zero page";

/* n times 2 MiB, aligned, alone in a vma, that may be huge. */
static char *huge_area(size_t n)
{
	char *p = map_anon((n + 2) * HUGE, PROT_NONE);
	char *at = (char *)(((uintptr_t)p + 2 * HUGE - 1) & ~(HUGE - 1));

	MUST(!mprotect(at, n * HUGE, RW));
	MUST(!madvise(at, n * HUGE, MADV_HUGEPAGE));
	return at;
}

static uint64_t word_of(const char *p)
{
	uint64_t word;

	pagemap_words(p, 1, &word);
	return word;
}

/* 2 MiB in order, whatever maps them. */
static bool in_order(const char *p)
{
	static uint64_t words[HUGE_PAGES];
	bool yes = true;

	pagemap_words(p, HUGE_PAGES, words);
	for (size_t i = 0; i < HUGE_PAGES; i++)
		yes &= (words[i] & PAGEMAP_PFN) == (words[0] & PAGEMAP_PFN) + i;
	return yes && (words[0] & PAGEMAP_PFN);
}

static bool is_huge_zero(const char *p)
{
	return in_order(p) && (kpageflags(p) & KPF_ZERO_PAGE) && (kpageflags(p) & KPF_THP);
}

/* An area of n times 2 MiB of which all was read. NULL: there is no huge zero page, or none is used. */
static char *zeroes(size_t n)
{
	char *p = huge_area(n);

	for (size_t i = 0; i < n; i++)
		CHECK_EQ(load(p + i * HUGE + 12345), 0);
	return is_huge_zero(p) ? p : NULL;
}

static long vmstat(const char *name)
{
	return proc_value("/proc/vmstat", name);
}

/* Bytes of 2 MiB that are not 0. */
static long not_zero(const char *p)
{
	long n = 0;

	for (size_t i = 0; i < HUGE; i++)
		n += p[i] != 0;
	return n;
}

TEST(one_fault, "one read fault maps 2 MiB, and they cost nothing")
{
	char *p = huge_area(1);
	long before = minor_faults();

	CHECK_EQ(load(p), 0);
	if (!is_huge_zero(p))
		SKIP(missing);
	CHECK_EQ(not_zero(p), 0);
	CHECK_RANGE(minor_faults() - before, 1, 3);
	CHECK_EQ(smaps_kb(p, "Rss"), 0);
	CHECK_EQ(smaps_kb(p, "Pss"), 0);
	CHECK_EQ(smaps_kb(p, "Referenced"), 0);
	CHECK_EQ(smaps_kb(p, "AnonHugePages"), 0);
	CHECK_EQ(kpagecount(p), 0);
	CHECK_RANGE(vmstat("thp_zero_page_alloc"), 1, 1L << 40);
}

TEST(flags, "what pagemap, kpageflags and mincore say")
{
	char *p = zeroes(1);
	unsigned char there[HUGE_PAGES];

	if (!p)
		SKIP(missing);
	CHECK_EQ(kpageflags(p), KPF_ZERO_PAGE | KPF_THP | KPF_COMPOUND_HEAD);
	CHECK_EQ(kpageflags(p + PAGE), KPF_ZERO_PAGE | KPF_THP | KPF_COMPOUND_TAIL);
	/* Present, and a file's. */
	CHECK_EQ(word_of(p) >> 60, 8 | 2);
	MUST(!mincore(p, HUGE, there));
	CHECK(there[0] == 1 && there[HUGE_PAGES - 1] == 1);
}

TEST(shared, "all who read have the same frames")
{
	char *p = zeroes(2);

	if (!p)
		SKIP(missing);
	CHECK(is_huge_zero(p + HUGE));
	CHECK_EQ(pfn_of(p), pfn_of(p + HUGE));
	long pfn = (long)pfn_of(p);

	IN_CHILD
	{
		CHECK_EQ(load(p), 0);
		CHECK_EQ(pfn_of(p), pfn);
		store(p, 1);
		CHECK_EQ(load(p + 1), 0);
		CHECK_EQ(load(p + HUGE), 0);
		char *q = huge_area(1);

		CHECK_EQ(load(q), 0);
		CHECK_EQ(pfn_of(q), pfn);
	}
	CHECK_EQ(load(p), 0);
	CHECK(is_huge_zero(p));
}

TEST(write, "a write fault brings memory, and zeroes stay zeroes")
{
	char *p = zeroes(2);

	if (!p)
		SKIP(missing);
	long before = minor_faults(), splits = vmstat("thp_split_pmd");

	store(p + 5 * PAGE + 5, 7);
	CHECK_RANGE(minor_faults() - before, 1, 4);
	CHECK_EQ(load(p + 5 * PAGE + 5), 7);
	CHECK_EQ(not_zero(p), 1);
	CHECK_EQ(not_zero(p + HUGE), 0);
	CHECK(is_huge_zero(p + HUGE));
	/* Until 6.12 Linux brought one page. */
	if (kernel_at_least(6, 13)) {
		CHECK_EQ(smaps_kb(p, "AnonHugePages"), 2048);
		if (on_faultline())
			CHECK_EQ(vmstat("thp_split_pmd"), splits);
	}
}

TEST(parts, "parts of it are unmapped, written, made read-only")
{
	char *p = zeroes(1);
	long before = vmstat("thp_split_pmd");

	if (!p)
		SKIP(missing);
	MUST(!madvise(p + 5 * PAGE, PAGE, MADV_DONTNEED));
	CHECK_RANGE(vmstat("thp_split_pmd") - before, 1, 1L << 30);
	CHECK_EQ(word_of(p + 5 * PAGE) >> 62, 0);
	CHECK_EQ(word_of(p + 6 * PAGE) >> 63, 1);
	CHECK_EQ(kpageflags(p + 6 * PAGE) & KPF_ZERO_PAGE, KPF_ZERO_PAGE);
	CHECK_EQ(smaps_kb(p, "Rss"), 0);
	CHECK_EQ(not_zero(p), 0);
	store(p + 6 * PAGE, 1);
	CHECK_EQ(smaps_kb(p, "Rss"), 4);
	CHECK_EQ(not_zero(p), 1);
	MUST(!mprotect(p + 8 * PAGE, PAGE, PROT_READ));
	CHECK_FAULT(store(p + 8 * PAGE, 1), SIGSEGV, SEGV_ACCERR, p + 8 * PAGE);
	CHECK_NO_FAULT(store(p + 9 * PAGE, 1));
	CHECK_EQ(not_zero(p), 2);
	MUST(!munmap(p + 100 * PAGE, PAGE));
	CHECK_FAULT(load(p + 100 * PAGE), SIGSEGV, SEGV_MAPERR, p + 100 * PAGE);
	CHECK_EQ(load(p + 101 * PAGE), 0);
}

TEST(protection, "it takes the rights of its mapping")
{
	char *p = zeroes(1);

	if (!p)
		SKIP(missing);
	MUST(!mprotect(p, HUGE, PROT_READ));
	CHECK(is_huge_zero(p));
	CHECK_FAULT(store(p, 1), SIGSEGV, SEGV_ACCERR, p);
	MUST(!mprotect(p, HUGE, PROT_NONE));
	CHECK_FAULT(load(p), SIGSEGV, SEGV_ACCERR, p);
	MUST(!mprotect(p, HUGE, RW));
	CHECK_EQ(not_zero(p), 0);
	store(p, 1);
	CHECK_EQ(not_zero(p), 1);
	MUST(!madvise(p, HUGE, MADV_DONTNEED));
	CHECK_EQ(not_zero(p), 0);
}

TEST(moved, "mremap moves it whole, and in pieces")
{
	char *p = zeroes(1), *to = huge_area(1), *across = huge_area(2) + 5 * PAGE;

	if (!p)
		SKIP(missing);
	p = mremap(p, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	MUST(p == to);
	CHECK(is_huge_zero(p));
	p = mremap(p, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, across);
	MUST(p == across);
	CHECK_EQ(word_of(p) >> 63, 1);
	CHECK_EQ(word_of(p + PAGE) >> 63, 1);
	CHECK_EQ(smaps_kb(p, "Rss"), 0);
	store(p, 1);
	store(p + PAGE, 1);
	CHECK_EQ(not_zero(p), 2);
}

FORKED_TEST(locked,
	    "it is not locked: mlock of a writable area replaces it, of another one passes it by")
{
	char *p = zeroes(1), *ro = zeroes(1);

	if (!p || !ro)
		SKIP(missing);
	MUST(!mprotect(ro, HUGE, PROT_READ));
	MUST(!mlock(ro, HUGE));
	CHECK(is_huge_zero(ro));
	CHECK_EQ(smaps_kb(ro, "Locked"), 0);
	CHECK_EQ(kpageflags(ro) & KPF_LOCK_BITS, 0);
	MUST(!munlock(ro, HUGE));
	MUST(!onfault(p, HUGE));
	CHECK(is_huge_zero(p));
	CHECK_EQ(smaps_kb(p, "Locked"), 0);
	MUST(!mlock(p, HUGE));
	CHECK_EQ(smaps_kb(p, "Locked"), 2048);
	CHECK_EQ(vmlck(), (long)HUGE_PAGES);
	CHECK_EQ(kpageflags(p) & KPF_ZERO_PAGE, 0);
	MUST(!munlock(p, HUGE));
	CHECK_EQ(not_zero(p), 0);
}

TEST(advice, "MADV_FREE, COLD and PAGEOUT leave it, MADV_DONTNEED does not")
{
	char *p = zeroes(1);

	if (!p)
		SKIP(missing);
	MUST(!madvise(p, HUGE, MADV_COLD) && !madvise(p, HUGE, MADV_PAGEOUT));
	MUST(!madvise(p, HUGE, MADV_FREE));
	CHECK(is_huge_zero(p));
	MUST(!madvise(p, HUGE, MADV_DONTNEED));
	CHECK_EQ(word_of(p) >> 62, 0);
	CHECK_EQ(word_of(p + HUGE - PAGE) >> 62, 0);
	MUST(!madvise(p + HUGE / 2, PAGE, MADV_POPULATE_READ));
	CHECK(is_huge_zero(p));
}

TEST(collapse, "MADV_COLLAPSE has nothing to do, unless it is in pieces")
{
	char *p = zeroes(1);

	if (!p || !kernel_at_least(6, 1))
		SKIP(missing);
	CHECK_EQ(SYS(madvise, p, HUGE, MADV_COLLAPSE), 0);
	CHECK(is_huge_zero(p));
	MUST(!madvise(p + 5 * PAGE, PAGE, MADV_DONTNEED));
	CHECK_EQ(SYS(madvise, p, HUGE, MADV_COLLAPSE), 0);
	CHECK_EQ(smaps_kb(p, "AnonHugePages"), 2048);
	CHECK_EQ(not_zero(p), 0);
}

TEST(elsewhere, "where 2 MiB do not fit, or are not wanted, a page is read")
{
	char *p = huge_area(2), *q = huge_area(1);

	MUST(!munmap(p + HUGE - PAGE, PAGE));
	CHECK_EQ(load(p), 0);
	CHECK_EQ(kpageflags(p) & (KPF_ZERO_PAGE | KPF_THP), KPF_ZERO_PAGE);
	CHECK_EQ(word_of(p + PAGE) >> 63, 0);
	store(p + HUGE + PAGE, 1);
	MUST(!madvise(q, HUGE, MADV_NOHUGEPAGE));
	CHECK_EQ(load(q), 0);
	CHECK_EQ(word_of(q + PAGE) >> 63, 0);
}

/* For the moment of the test it is so for all programs. */
TEST(setting, "use_zero_page says whether there is one; without it a read brings memory")
{
	char *text = slurp(USE_ZERO_PAGE), before[2] = "1";

	if (!text || access(USE_ZERO_PAGE, W_OK))
		SKIP(missing);
	before[0] = text[0];
	CHECK(text[0] == '0' || text[0] == '1');
	CHECK(!tell(USE_ZERO_PAGE, "2"));
	MUST(tell(USE_ZERO_PAGE, "0"));

	char *p = huge_area(1);

	CHECK_EQ(load(p), 0);
	MUST(tell(USE_ZERO_PAGE, before));
	CHECK_EQ(kpageflags(p) & KPF_ZERO_PAGE, 0);
	CHECK_EQ(smaps_kb(p, "AnonHugePages"), 2048);
	CHECK_EQ(not_zero(p), 0);
}

TEST_MAIN()
