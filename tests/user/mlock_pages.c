/* SPDX-License-Identifier: MIT
 *
 * The flags of single pages in /proc/kpageflags: unlocked, locked, the zero page; several mappings of one page.
 */
#include "lock.h"

/* What says nothing here: when a page was last used. */
#define KPF_USE (KPF_REFERENCED | KPF_ACTIVE | 1UL << 25)
#define KPF_COMMON ((1UL << 27) - 1)

static uint64_t flags_of(const volatile void *p)
{
	return kpageflags(p) & KPF_COMMON & ~KPF_USE;
}

#define UNLOCKED_ANON (KPF_UPTODATE | KPF_LRU | KPF_MMAP | KPF_ANON | KPF_SWAPBACKED)

FORKED_TEST(
	anon,
	"private memory: UPTODATE LRU MMAP ANON SWAPBACKED; locked: UNEVICTABLE and MLOCKED too")
{
	char *p = lonely_anon(64);

	fill(p, 64);
	drain_batches();
	CHECK_EQ(flags_of(p), UNLOCKED_ANON);
	CHECK_EQ(kpageflags(p) & KPF_MLOCKED, 0);
	MUST(!mlock(p, 64 * PAGE));
	CHECK_EQ(flags_of(p), UNLOCKED_ANON | KPF_UNEVICTABLE);
	CHECK(kpageflags(p) & KPF_MLOCKED);
	CHECK_EQ(kpageflags(p) & KPF_ACTIVE, 0);
	MUST(!munlock(p, 64 * PAGE));
	CHECK_EQ(flags_of(p), UNLOCKED_ANON);
	CHECK_EQ(kpageflags(p) & KPF_MLOCKED, 0);
}

FORKED_TEST(populated, "pages that mlock itself brought: the same flags")
{
	char *p = lonely_anon(64);

	MUST(!mlock(p, 64 * PAGE));
	for (int i = 0; i < 64; i++) {
		CHECK_EQ(flags_of(p + i * PAGE), UNLOCKED_ANON | KPF_UNEVICTABLE);
		CHECK(kpageflags(p + i * PAGE) & KPF_MLOCKED);
	}
}

FORKED_TEST(
	batched,
	"a page touched in memory locked on fault: MLOCKED at once; on the list when the batch is drained")
{
	char *p = lonely_anon(4);

	MUST(!onfault(p, 4 * PAGE));
	store(p, 1);
	CHECK(kpageflags(p) & KPF_MLOCKED);
	/* Linux: neither LRU nor UNEVICTABLE yet; a kernel that does not batch: both. */
	uint64_t list = kpageflags(p) & (KPF_LRU | KPF_UNEVICTABLE);

	CHECK(!list || list == (KPF_LRU | KPF_UNEVICTABLE));
	drain_batches();
	CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LOCK_BITS);
}

FORKED_TEST(zero, "the zero page: ZERO_PAGE, on no list, never locked")
{
	char *p = lonely_anon(1);

	load(p);
	MUST(!onfault(p, PAGE));
	CHECK(kpageflags(p) & KPF_ZERO_PAGE);
	CHECK_EQ(kpageflags(p) & (KPF_LOCK_BITS | KPF_ANON), 0);
}

FORKED_TEST(three,
	    "a page in three locked mappings stays locked until all three are gone, in any order")
{
	static const int orders[][3] = { { 0, 1, 2 }, { 2, 0, 1 }, { 1, 2, 0 } };
	int fd = tmp_file(PAGE);

	for (int o = 0; o < 3; o++) {
		char *p[3], *look = lonely_file(1, PROT_READ, MAP_SHARED, fd);

		load(look);
		for (int i = 0; i < 3; i++) {
			p[i] = lonely_file(1, RW, MAP_SHARED, fd);
			MUST(!mlock(p[i], PAGE));
		}
		CHECK_EQ(kpagecount(look), 4);
		for (int i = 0; i < 3; i++) {
			drain_batches();
			CHECK_EQ(kpageflags(look) & KPF_LOCK_BITS, KPF_LOCK_BITS);
			if (i & 1)
				MUST(!munmap(p[orders[o][i]], PAGE));
			else
				MUST(!munlock(p[orders[o][i]], PAGE));
		}
		drain_batches();
		CHECK_EQ(kpageflags(look) & KPF_LOCK_BITS, KPF_LRU);
		for (int i = 0; i < 3; i++)
			munmap(p[i], PAGE);
		MUST(!munmap(look, PAGE));
	}
}

FORKED_TEST(none, "a page under PROT_NONE is locked and unlocked like any other")
{
	char *p = lonely_anon(1);

	store(p, 1);
	MUST(!mprotect(p, PAGE, PROT_NONE));
	drain_batches();
	CHECK_EQ(SYS(mlock2, p, PAGE, MLOCK_ONFAULT), 0);
	CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LOCK_BITS);
	CHECK_EQ(SYS(munlock, p, PAGE), 0);
	CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LRU);
}

FORKED_TEST(moved, "mremap moves the page with its flags and its frame")
{
	char *p = lonely_anon(4), *to = free_area(8);
	uint64_t frame;

	MUST(!mlock(p, 4 * PAGE));
	frame = pfn_of(p + PAGE);
	MUST(mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	CHECK_EQ(pfn_of(to + PAGE), frame);
	CHECK_EQ(kpageflags(to + PAGE) & KPF_LOCK_BITS, KPF_LOCK_BITS);
	CHECK_EQ(kpagecount(to + PAGE), 1);
}

FORKED_TEST(unlocked_mapping,
	    "a page in a locked and an unlocked mapping stays locked when the unlocked one goes")
{
	int fd = tmp_file(PAGE);
	char *p = lonely_file(1, RW, MAP_SHARED, fd), *q = lonely_file(1, RW, MAP_SHARED, fd);

	MUST(!mlock(p, PAGE));
	load(q);
	CHECK_EQ(kpageflags(q) & KPF_LOCK_BITS, KPF_LOCK_BITS);
	MUST(!munmap(q, PAGE));
	drain_batches();
	CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LOCK_BITS);
}

TEST_MAIN()
