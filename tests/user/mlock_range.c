/* SPDX-License-Identifier: MIT
 *
 * Ranges with holes, with several mappings, at the limit of the number of mappings: what is changed when
 * the call fails in the middle, and how mappings split and merge again.
 */
#include "lock.h"

FORKED_TEST(hole_lock,
	    "mlock over a hole: ENOMEM; what lies below is locked and charged, but not populated")
{
	char *p = lonely_anon(6);

	MUST(!munmap(p + 2 * PAGE, 2 * PAGE));
	CHECK_EQ(SYS(mlock, p, 6 * PAGE), -ENOMEM);
	CHECK_STR(locks(p, 6), "LL--UU");
	CHECK_EQ(vmlck(), 2);
	CHECK_EQ(rss(p, 6), 0);
	store(p, 1);
	CHECK_EQ(rss(p, 6), 1);
	drain_batches();
	CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LOCK_BITS);
}

FORKED_TEST(hole_present, "pages that are there already are locked below the hole, not above it")
{
	char *p = lonely_anon(6);

	fill(p, 6);
	MUST(!munmap(p + 2 * PAGE, 2 * PAGE));
	drain_batches();
	CHECK_EQ(SYS(mlock, p, 6 * PAGE), -ENOMEM);
	CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LOCK_BITS);
	CHECK_EQ(kpageflags(p + PAGE) & KPF_LOCK_BITS, KPF_LOCK_BITS);
	CHECK_EQ(kpageflags(p + 4 * PAGE) & KPF_MLOCKED, 0);
}

FORKED_TEST(hole_onfault, "mlock2(ONFAULT) over a hole: the same")
{
	char *p = lonely_anon(6);

	MUST(!munmap(p + 2 * PAGE, 2 * PAGE));
	CHECK_EQ(onfault(p, 6 * PAGE), -ENOMEM);
	CHECK_STR(locks(p, 6), "FF--UU");
	CHECK_EQ(vmlck(), 2);
}

FORKED_TEST(hole_unlock, "munlock over a hole: ENOMEM; what lies below is unlocked")
{
	char *p = lonely_anon(6);

	MUST(!mlock(p, 6 * PAGE) && !munmap(p + 2 * PAGE, 2 * PAGE));
	CHECK_EQ(SYS(munlock, p, 6 * PAGE), -ENOMEM);
	CHECK_STR(locks(p, 6), "UU--LL");
	CHECK_EQ(vmlck(), 2);
}

FORKED_TEST(hole_first, "a range that starts in a hole: ENOMEM and nothing")
{
	char *p = lonely_anon(2);

	CHECK_EQ(SYS(mlock, p - PAGE, 3 * PAGE), -ENOMEM);
	CHECK_STR(locks(p, 2), "UU");
	MUST(!mlock(p, 2 * PAGE));
	CHECK_EQ(SYS(munlock, p - PAGE, 3 * PAGE), -ENOMEM);
	CHECK_STR(locks(p, 2), "LL");
	CHECK_EQ(vmlck(), 2);
}

FORKED_TEST(hole_last, "a range that ends behind the mapping: ENOMEM, the mapping is changed")
{
	char *p = lonely_anon(2);

	CHECK_EQ(SYS(mlock, p, 3 * PAGE), -ENOMEM);
	CHECK_STR(locks(p, 2), "LL");
	CHECK_EQ(rss(p, 2), 0);
	CHECK_EQ(SYS(munlock, p + PAGE, 2 * PAGE), -ENOMEM);
	CHECK_STR(locks(p, 2), "LU");
	CHECK_EQ(onfault(p + PAGE, 2 * PAGE), -ENOMEM);
	CHECK_STR(locks(p, 2), "LF");
}

FORKED_TEST(many, "one call over mappings of several kinds")
{
	char *p = lonely_anon(6);
	int fd = tmp_file(PAGE);

	MUST(!mprotect(p + PAGE, PAGE, PROT_READ));
	MUST(mmap(p + 2 * PAGE, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
	     MAP_FAILED);
	MUST(mmap(p + 3 * PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
	MUST(mmap(p + 4 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0) != MAP_FAILED);
	CHECK_EQ(SYS(mlock, p, 6 * PAGE), 0);
	CHECK_STR(locks(p, 6), "LLLLLL");
	CHECK_EQ(vmlck(), 6);
	CHECK_EQ(rss(p, 6), 5); /* the read-only one has the zero page */
	CHECK_EQ(SYS(munlock, p, 6 * PAGE), 0);
	CHECK_STR(locks(p, 6), "UUUUUU");
}

FORKED_TEST(split, "locking and unlocking a part splits the mapping; only equal ones are one")
{
	char *p = lonely_anon(6);

	CHECK_EQ(SYS(mlock, p + 2 * PAGE, 2 * PAGE), 0);
	CHECK_STR(locks(p, 6), "UULLUU");
	CHECK_EQ(maps_in(p, 6 * PAGE), 3);
	CHECK_EQ(SYS(mlock, p, 6 * PAGE), 0);
	CHECK_EQ(maps_in(p, 6 * PAGE), 1);
	CHECK_EQ(SYS(munlock, p + 2 * PAGE, 2 * PAGE), 0);
	CHECK_STR(locks(p, 6), "LLUULL");
	CHECK_EQ(maps_in(p, 6 * PAGE), 3);
	CHECK_EQ(SYS(munlock, p, 6 * PAGE), 0);
	CHECK_EQ(maps_in(p, 6 * PAGE), 1);
	CHECK_EQ(vmlck(), 0);
}

FORKED_TEST(neighbours, "a part that becomes like its neighbour joins it")
{
	char *p = lonely_anon(6);

	store(p, 1); /* old kernels do not merge touched memory with untouched */
	MUST(!mlock(p, 2 * PAGE));
	CHECK_EQ(SYS(mlock, p + 2 * PAGE, PAGE), 0);
	CHECK_EQ(maps_in(p, 6 * PAGE), 2);
	CHECK_STR(locks(p, 6), "LLLUUU");
	CHECK_EQ(SYS(munlock, p + PAGE, 2 * PAGE), 0);
	CHECK_STR(locks(p, 6), "LUUUUU");
	CHECK_EQ(maps_in(p, 6 * PAGE), 2);
	CHECK_EQ(SYS(munlock, p, 1), 0);
	CHECK_EQ(maps_in(p, 6 * PAGE), 1);
}

FORKED_TEST(two_kinds, "locked and locked-on-fault mappings do not merge; becoming equal they do")
{
	char *p = lonely_anon(4);

	store(p, 1);
	MUST(!mlock(p, 2 * PAGE));
	CHECK_EQ(onfault(p + 2 * PAGE, 2 * PAGE), 0);
	CHECK_STR(locks(p, 4), "LLFF");
	CHECK_EQ(maps_in(p, 4 * PAGE), 2);
	CHECK_EQ(onfault(p, 2 * PAGE), 0);
	CHECK_STR(locks(p, 4), "FFFF");
	CHECK_EQ(maps_in(p, 4 * PAGE), 1);
	CHECK_EQ(SYS(mlock, p + PAGE, PAGE), 0);
	CHECK_STR(locks(p, 4), "FLFF");
	CHECK_EQ(maps_in(p, 4 * PAGE), 3);
}

FORKED_TEST(alternate, "every second page locked, then all unlocked: one mapping as before")
{
	char *p = lonely_anon(32);

	/* Pieces that get their first page after the split do not merge again on Linux. */
	store(p, 1);
	for (int i = 0; i < 32; i += 2)
		CHECK_EQ(SYS(mlock, p + i * PAGE, PAGE), 0);
	CHECK_EQ(maps_in(p, 32 * PAGE), 32);
	CHECK_EQ(vmlck(), 16);
	for (int i = 0; i < 32; i += 2)
		CHECK_EQ(SYS(munlock, p + i * PAGE, PAGE), 0);
	CHECK_EQ(maps_in(p, 32 * PAGE), 1);
	CHECK_EQ(vmlck(), 0);
}

FORKED_TEST(no_nesting, "locks do not nest: one munlock undoes any number of mlocks")
{
	char *p = lonely_anon(2);

	for (int i = 0; i < 5; i++)
		CHECK_EQ(SYS(mlock, p, 2 * PAGE), 0);
	CHECK_EQ(vmlck(), 2);
	CHECK_EQ(SYS(munlock, p, 2 * PAGE), 0);
	CHECK_EQ(vmlck(), 0);
	CHECK_STR(locks(p, 2), "UU");
	CHECK_EQ(SYS(munlock, p, 2 * PAGE), 0);
}

FORKED_TEST(prot_none_part,
	    "RW, PROT_NONE, RW: ENOMEM; all three are locked, what lies behind is not populated")
{
	char *p = lonely_anon(6);

	MUST(!mprotect(p + 2 * PAGE, 2 * PAGE, PROT_NONE));
	CHECK_EQ(SYS(mlock, p, 6 * PAGE), -ENOMEM);
	CHECK_STR(locks(p, 6), "LLLLLL");
	CHECK_EQ(vmlck(), 6);
	CHECK_EQ(rss(p, 2), 2);
	CHECK_EQ(rss(p + 2 * PAGE, 4), 0);
}

/* Makes mappings until the kernel refuses another one; returns an area whose inside cannot be split. */
static char *to_the_limit(void)
{
	long limit = proc_value("/proc/sys/vm/max_map_count", "");
	char *area, *p = lonely_anon(16);

	area = mmap(NULL, (size_t)(limit + 16) * PAGE, PROT_READ, ANON | MAP_NORESERVE, -1, 0);
	MUST(area != MAP_FAILED);
	for (long i = 1; !SYS(mprotect, area + i * PAGE, PAGE, PROT_NONE); i += 2)
		MUST(i < limit + 16);
	for (int j = 0; j < 8; j++)
		SYS(mmap, 0, PAGE, j & 1 ? RW : PROT_READ | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS,
		    -1, 0);
	CHECK_EQ(SYS(mmap, 0, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0), -ENOMEM);
	return p;
}

/* locks() reads all of smaps, too long here: the mapping's state by its effect on VmLck. */
FORKED_TEST(map_count,
	    "with as many mappings as allowed: a split is ENOMEM, a whole mapping can be locked")
{
	if (proc_value("/proc/sys/vm/max_map_count", "") > 70000)
		SKIP("vm.max_map_count is raised here");
	char *p = to_the_limit();

	CHECK_EQ(SYS(mlock, p + 4 * PAGE, 4 * PAGE), -ENOMEM);
	CHECK_EQ(SYS(mlock, p + 4 * PAGE, 12 * PAGE), -ENOMEM);
	CHECK_EQ(onfault(p, 4 * PAGE), -ENOMEM);
	CHECK_EQ(vmlck(), 0);
	CHECK_EQ(SYS(mlock, p, 16 * PAGE), 0);
	CHECK_EQ(vmlck(), 16);
	CHECK_EQ(SYS(munlock, p + PAGE, PAGE), -ENOMEM);
	CHECK_EQ(vmlck(), 16);
	CHECK_EQ(SYS(munlock, p, 16 * PAGE), 0);
	CHECK_EQ(vmlck(), 0);
}

FORKED_TEST(map_count_second, "the second mapping cannot be split: ENOMEM, the first one is locked")
{
	if (proc_value("/proc/sys/vm/max_map_count", "") > 70000)
		SKIP("vm.max_map_count is raised here");
	char *p = lonely_anon(20);

	MUST(!mprotect(p, 4 * PAGE, PROT_READ));
	to_the_limit();
	CHECK_EQ(SYS(mlock, p, 10 * PAGE), -ENOMEM);
	CHECK_EQ(vmlck(), 4);
	CHECK_EQ(resident(p, 20 * PAGE), 0);
}

TEST_MAIN()
