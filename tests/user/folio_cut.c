/* SPDX-License-Identifier: MIT
 *
 * Mappings of 2 MiB as one that are cut: how AnonHugePages says it, which parts stay whole, and that nobody's contents or
 * rights suffer. Cuts fall in the middle of one of them, and in the middle of two at once.
 */
#include "folio.h"

#define BLOCKS 3UL
#define LENGTH (BLOCKS * HUGE)
/* Begins within the first block and ends within the last. */
#define MIDDLE(p) ((p) + HUGE / 2)
#define MIDDLE_LENGTH (LENGTH - HUGE)

static unsigned char mark(size_t offset)
{
	return (unsigned char)(offset / PAGE * 5 + 1);
}

/* NULL: there are no folios of 2 MiB. */
static char *three_blocks(void)
{
	char *all = free_area(2 * LENGTH / PAGE);
	char *p = map_at((char *)(((unsigned long)all + HUGE - 1) & -HUGE), LENGTH, RW);

	allow_all_orders();
	MUST(!madvise(p, LENGTH, MADV_HUGEPAGE));
	for (size_t at = 0; at < LENGTH; at += PAGE)
		store(p + at, mark(at));
	return smaps_kb(p, "AnonHugePages") == (long)(LENGTH / 1024) ? p : NULL;
}

static void check_contents(const char *p)
{
	long wrong = 0;

	for (size_t at = 0; at < LENGTH; at += PAGE)
		wrong += load(p + at) != mark(at);
	CHECK_EQ(wrong, 0);
}

/* MiB that each of the mappings of [p, p + LENGTH) has as one, and their number in *mappings. */
static void check_huge(const char *p, int mappings, long first, long middle, long last)
{
	CHECK_EQ(maps_in(p, LENGTH), mappings);
	CHECK_EQ(smaps_kb(p, "AnonHugePages"), first * 1024);
	CHECK_EQ(smaps_kb(p + LENGTH / 2, "AnonHugePages"), middle * 1024);
	CHECK_EQ(smaps_kb(p + LENGTH - PAGE, "AnonHugePages"), last * 1024);
}

#define NEEDS_BLOCKS(p)                                                                            \
	char *p = three_blocks();                                                                  \
	if (!p)                                                                                    \
	SKIP("no folios of 2 MiB to be had")

FORKED_TEST(mprotect_middle,
	    "mprotect from the middle of one to the middle of another: the one between stays whole")
{
	NEEDS_BLOCKS(p);
	CHECK_EQ(SYS(mprotect, MIDDLE(p), MIDDLE_LENGTH, PROT_READ), 0);
	check_huge(p, 3, 0, 2, 0);
	check_contents(p);
	CHECK_NO_FAULT(store(p, mark(0)));
	CHECK_NO_FAULT(store(p + LENGTH - PAGE, mark(LENGTH - PAGE)));
	CHECK_FAULT(store(p + HUGE / 2, 0), SIGSEGV, SEGV_ACCERR, p + HUGE / 2);
	CHECK_FAULT(store(p + HUGE, 0), SIGSEGV, SEGV_ACCERR, p + HUGE);
	CHECK_EQ(SYS(mprotect, MIDDLE(p), MIDDLE_LENGTH, RW), 0);
	for (size_t at = 0; at < LENGTH; at += PAGE)
		store(p + at, mark(at));
	check_contents(p);
	CHECK_EQ(maps_in(p, LENGTH), 1);
}

FORKED_TEST(mlock_middle, "mlock from the middle of one to the middle of another")
{
	NEEDS_BLOCKS(p);
	CHECK_EQ(SYS(mlock, MIDDLE(p), MIDDLE_LENGTH), 0);
	check_huge(p, 3, 0, 2, 0);
	CHECK_EQ(vmlck(), (long)((LENGTH - HUGE) / PAGE));
	drain_batches();
	CHECK_EQ(kpageflags(p + HUGE) & KPF_LOCK_BITS, KPF_LOCK_BITS);
	CHECK_EQ(kpageflags(p + HUGE / 2) & KPF_UNEVICTABLE, 0);
	CHECK_EQ(kpageflags(p + LENGTH - PAGE) & KPF_UNEVICTABLE, 0);
	check_contents(p);
	CHECK_EQ(SYS(mlock, p, LENGTH), 0);
	CHECK_EQ(vmlck(), (long)(LENGTH / PAGE));
	drain_batches();
	/* Linux looks at what was unlocked before, which is half of this folio, and leaves it. */
	if (on_faultline())
		CHECK_EQ(kpageflags(p + HUGE / 2) & KPF_LOCK_BITS, KPF_LOCK_BITS);
	CHECK_EQ(SYS(munlock, MIDDLE(p), MIDDLE_LENGTH), 0);
	CHECK_EQ(vmlck(), (long)(HUGE / PAGE));
	drain_batches();
	CHECK_EQ(kpageflags(p + HUGE) & KPF_UNEVICTABLE, 0);
	check_contents(p);
}

FORKED_TEST(munmap_middle, "munmap of the middle: the halves at both ends keep their contents")
{
	NEEDS_BLOCKS(p);
	CHECK_EQ(SYS(munmap, MIDDLE(p), MIDDLE_LENGTH), 0);
	CHECK_EQ(maps_in(p, LENGTH), 2);
	CHECK_EQ(smaps_kb(p, "AnonHugePages"), 0);
	CHECK_EQ(smaps_kb(p + LENGTH - PAGE, "AnonHugePages"), 0);
	for (size_t at = 0; at < HUGE / 2; at += PAGE) {
		CHECK_EQ(load(p + at), mark(at));
		CHECK_EQ(load(p + LENGTH - HUGE / 2 + at), mark(LENGTH - HUGE / 2 + at));
	}
}

FORKED_TEST(advice_middle, "advice that only marks the mapping cuts it as well")
{
	NEEDS_BLOCKS(p);
	CHECK_EQ(SYS(madvise, MIDDLE(p), MIDDLE_LENGTH, MADV_DONTFORK), 0);
	check_huge(p, 3, 0, 2, 0);
	check_contents(p);
	IN_CHILD
	{
		CHECK_EQ(maps_in(p, LENGTH), 2);
		CHECK_EQ(load(p), mark(0));
		store(p, 0);
	}
	check_contents(p);
}

FORKED_TEST(dontneed_middle, "DONTNEED of the middle: zeroes there, and nowhere else")
{
	NEEDS_BLOCKS(p);
	CHECK_EQ(SYS(madvise, MIDDLE(p), MIDDLE_LENGTH, MADV_DONTNEED), 0);
	CHECK_EQ(rss(p, LENGTH / PAGE), (long)(HUGE / PAGE));
	for (size_t at = 0; at < LENGTH; at += PAGE) {
		bool gone = at >= HUGE / 2 && at < LENGTH - HUGE / 2;

		if (load(p + at) != (gone ? 0 : mark(at)))
			FAIL("page %zu", at / PAGE);
	}
}

FORKED_TEST(mremap_middle, "the middle moves to where nothing lies as before")
{
	NEEDS_BLOCKS(p);
	char *to = free_area(2 * LENGTH / PAGE) + 5 * PAGE;
	size_t wrong = 0;

	CHECK_EQ(SYS(mremap, MIDDLE(p), MIDDLE_LENGTH, MIDDLE_LENGTH, MREMAP_MAYMOVE | MREMAP_FIXED,
		     to),
		 to);
	CHECK_EQ(maps_in(p, LENGTH), 2);
	for (size_t at = 0; at < LENGTH - HUGE; at += PAGE)
		wrong += load(to + at) != mark(at + HUGE / 2);
	CHECK_EQ(wrong, 0);
	CHECK_EQ(load(p), mark(0));
	CHECK_EQ(load(p + LENGTH - PAGE), mark(LENGTH - PAGE));
}

FORKED_TEST(fork_then_cut, "a child that cuts and writes changes nothing for its parent")
{
	NEEDS_BLOCKS(p);
	IN_CHILD
	{
		check_contents(p);
		CHECK_EQ(SYS(mprotect, MIDDLE(p), MIDDLE_LENGTH, PROT_READ), 0);
		for (size_t at = 0; at < HUGE / 2; at += PAGE)
			store(p + at, 0);
		CHECK_EQ(SYS(munmap, MIDDLE(p), MIDDLE_LENGTH), 0);
	}
	check_contents(p);
	for (size_t at = 0; at < LENGTH; at += PAGE)
		store(p + at, mark(at));
	check_contents(p);
}

TEST_MAIN()
