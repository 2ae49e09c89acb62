/* SPDX-License-Identifier: MIT
 *
 * mremap, munmap, brk and growing stacks with locked memory: which part is locked, charged and populated.
 */
#include "lock.h"

FORKED_TEST(
	grow,
	"a locked mapping grows: the new length is locked and charged, only the extension populated")
{
	char *p = lonely_anon(4);

	MUST(!mlock(p, 4 * PAGE) && !madvise(p, 4 * PAGE, MADV_DONTNEED_LOCKED));
	CHECK_EQ(SYS(mremap, p, 4 * PAGE, 6 * PAGE, 0), p);
	CHECK_STR(locks(p, 7), "LLLLLL-");
	CHECK_EQ(vmlck(), 6);
	CHECK_EQ(rss(p, 6), 2);
	CHECK(pagemap_entry(p + 5 * PAGE) & PAGEMAP_PRESENT);
}

FORKED_TEST(grow_move, "growing by moving: the same; pages are moved, not faulted in again")
{
	char *p = lonely_anon(4), *to = free_area(16);
	uint64_t frame;

	MUST(!mlock(p, 4 * PAGE));
	fill(p, 4);
	frame = pfn_of(p + 2 * PAGE);
	CHECK_EQ(SYS(mremap, p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
	CHECK_STR(locks(p, 4), "----");
	CHECK_STR(locks(to, 8), "LLLLLLLL");
	CHECK_EQ(vmlck(), 8);
	CHECK_EQ(rss(to, 8), 8);
	CHECK_EQ(pfn_of(to + 2 * PAGE), frame);
	CHECK_EQ(load(to + 2 * PAGE), 3);
}

FORKED_TEST(grow_onfault, "locked on fault: nothing is populated")
{
	char *p = lonely_anon(4);

	MUST(!onfault(p, 4 * PAGE));
	CHECK_EQ(SYS(mremap, p, 4 * PAGE, 6 * PAGE, 0), p);
	CHECK_STR(locks(p, 6), "FFFFFF");
	CHECK_EQ(vmlck(), 6);
	CHECK_EQ(rss(p, 6), 0);
}

FORKED_TEST(grow_future,
	    "an unlocked mapping that grows under MCL_FUTURE stays unlocked and uncharged")
{
	char *p = lonely_anon(4);

	MUST(!mlockall(MCL_FUTURE));
	CHECK_EQ(SYS(mremap, p, 4 * PAGE, 6 * PAGE, 0), p);
	CHECK_STR(locks(p, 6), "UUUUUU");
	CHECK_EQ(vmlck(), 0);
	CHECK_EQ(rss(p, 6), 0);
}

FORKED_TEST(grow_past_end, "what cannot be populated is no error")
{
	int fd = tmp_file(4 * PAGE);
	char *p = lonely_file(4, PROT_READ, MAP_SHARED, fd);

	MUST(!mlock(p, 4 * PAGE));
	CHECK_EQ(SYS(mremap, p, 4 * PAGE, 6 * PAGE, 0), p);
	CHECK_STR(locks(p, 6), "LLLLLL");
	CHECK_EQ(rss(p, 6), 4);
}

FORKED_TEST(spanning, "a range over two mappings of different lock state does not grow: EFAULT")
{
	char *p = lonely_anon(4);

	store(p, 1);
	MUST(!mlock(p, 2 * PAGE));
	CHECK_EQ(SYS(mremap, p, 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE), -EFAULT);
	MUST(!onfault(p + 2 * PAGE, 2 * PAGE));
	CHECK_EQ(SYS(mremap, p, 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE), -EFAULT);
	MUST(!onfault(p, 2 * PAGE));
	CHECK(SYS(mremap, p, 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE) > 0);
}

FORKED_TEST(part_move,
	    "a part of a locked mapping moves: both parts stay locked, the sum is the same")
{
	char *p = lonely_anon(6), *to = free_area(8);

	MUST(!mlock(p, 6 * PAGE));
	CHECK_EQ(SYS(mremap, p + 2 * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to),
		 to);
	CHECK_STR(locks(p, 6), "LL--LL");
	CHECK_STR(locks(to, 3), "LL-");
	CHECK_EQ(vmlck(), 6);
	CHECK_EQ(rss(to, 2), 2);
}

FORKED_TEST(over_locked, "a move over locked memory releases what was there")
{
	char *p = lonely_anon(2), *q = lonely_anon(6);

	MUST(!mlock(p, 2 * PAGE) && !mlock(q, 6 * PAGE));
	CHECK_EQ(SYS(mremap, p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + 2 * PAGE),
		 q + 2 * PAGE);
	CHECK_EQ(vmlck(), 6);
	CHECK_STR(locks(q, 6), "LLLLLL");
}

FORKED_TEST(
	dontunmap,
	"DONTUNMAP: the new place is locked, the emptied old one is not, nothing is charged twice")
{
	char *p = lonely_anon(4), *to = free_area(8);

	MUST(!mlock(p, 4 * PAGE));
	CHECK_EQ(SYS(mremap, p, 4 * PAGE, 4 * PAGE,
		     MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to),
		 to);
	CHECK_STR(locks(p, 4), "UUUU");
	CHECK_STR(locks(to, 4), "LLLL");
	CHECK_EQ(rss(p, 4), 0);
	CHECK_EQ(rss(to, 4), 4);
	MUST(!munmap(p, 4 * PAGE) && !munmap(to, 4 * PAGE));
	/* Linux 6.15 and later count the pages a second time, for good. */
	CHECK_EQ(vmlck(), kernel_at_least(6, 15) ? 4 : 0);
}

FORKED_TEST(munmap_, "munmap of the middle: what remains stays locked")
{
	char *p = lonely_anon(6);

	MUST(!mlock(p, 6 * PAGE) && !munmap(p + 2 * PAGE, 2 * PAGE));
	CHECK_STR(locks(p, 6), "LL--LL");
	CHECK_EQ(vmlck(), 4);
	CHECK_EQ(rss(p, 6), 4);
}

FORKED_TEST(
	fixed,
	"MAP_FIXED over a locked part: the old charge is released, the new one as the flags say")
{
	char *p = lonely_anon(6);

	MUST(!mlock(p, 6 * PAGE));
	CHECK_EQ(SYS(mmap, p + PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0), p + PAGE);
	CHECK_EQ(SYS(mmap, p + 3 * PAGE, PAGE, RW, ANON | MAP_FIXED | MAP_LOCKED, -1, 0),
		 p + 3 * PAGE);
	CHECK_STR(locks(p, 6), "LULLLL");
	CHECK_EQ(vmlck(), 5);
	CHECK_EQ(rss(p, 6), 5);
}

static char *heap_start(void)
{
	long b = (SYS(brk, 0) + (long)PAGE - 1) & -(long)PAGE;

	/* A page that stays outside keeps what is there already from merging. */
	MUST(SYS(brk, b + (long)PAGE) == b + (long)PAGE && !mprotect((char *)b, PAGE, PROT_READ));
	return (char *)b + PAGE;
}

FORKED_TEST(brk_locked, "growing a heap that was locked by mlock gives a second, unlocked mapping")
{
	char *h = heap_start();

	MUST(SYS(brk, h + 4 * PAGE) == (long)(h + 4 * PAGE) && !mlock(h, 4 * PAGE));
	CHECK_EQ(SYS(brk, h + 6 * PAGE), h + 6 * PAGE);
	CHECK_STR(locks(h, 7), "LLLLUU-");
	CHECK_EQ(vmlck(), 4);
	CHECK_EQ(SYS(brk, h + 2 * PAGE), h + 2 * PAGE);
	CHECK_STR(locks(h, 7), "LL-----");
	CHECK_EQ(vmlck(), 2);
}

FORKED_TEST(brk_future,
	    "under MCL_FUTURE the grown part is locked and there; under ONFAULT too only locked")
{
	char *h = heap_start();

	MUST(!mlockall(MCL_FUTURE));
	CHECK_EQ(SYS(brk, h + 4 * PAGE), h + 4 * PAGE);
	CHECK_STR(locks(h, 5), "LLLL-");
	CHECK_EQ(rss(h, 4), 4);
	CHECK_EQ(vmlck(), 4);
	MUST(!mlockall(MCL_FUTURE | MCL_ONFAULT));
	CHECK_EQ(SYS(brk, h + 6 * PAGE), h + 6 * PAGE);
	CHECK_STR(locks(h, 7), "LLLLFF-");
	CHECK_EQ(rss(h, 6), 4);
	CHECK_EQ(vmlck(), 6);
	CHECK_EQ(SYS(brk, h), h);
	CHECK_EQ(vmlck(), 0);
}

FORKED_TEST(
	stack_,
	"a locked stack grows by a fault: all of the growth is locked and charged, one page is there")
{
	char *at = free_area(600);
	char *p = mmap(at + 596 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0);

	MUST(p == at + 596 * PAGE && !mlock(p, 4 * PAGE));
	store(p - 256 * PAGE, 1);
	CHECK_EQ(vmlck(), 260);
	CHECK_EQ(smaps_kb(p, "Rss"), 4 * 5);
	CHECK_EQ(locks(p - 256 * PAGE, 1)[0], 'L');
	CHECK_EQ(locks(p - PAGE, 1)[0], 'L');
	CHECK_EQ(SYS(mlock, p - 256 * PAGE, 260 * PAGE), 0);
	CHECK_EQ(smaps_kb(p, "Rss"), 4 * 260);
}

FORKED_TEST(stack_onfault,
	    "the same for one locked on fault, and for one that is not locked under MCL_FUTURE")
{
	char *at = free_area(600);
	char *p = mmap(at + 596 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0);

	MUST(p == at + 596 * PAGE && !mlockall(MCL_FUTURE));
	store(p - PAGE, 1);
	CHECK_STR(locks(p - PAGE, 5), "UUUUU");
	CHECK_EQ(vmlck(), 0);
	MUST(!onfault(p - PAGE, 5 * PAGE));
	store(p - 3 * PAGE, 1);
	CHECK_STR(locks(p - 3 * PAGE, 7), "FFFFFFF");
	CHECK_EQ(vmlck(), 7);
	CHECK_EQ(smaps_kb(p, "Rss"), 8);
}

TEST_MAIN()
