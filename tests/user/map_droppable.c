/* SPDX-License-Identifier: MIT
 *
 * MAP_DROPPABLE: anonymous memory that the kernel may forget at any time. Since Linux 6.11.
 */
#include "lock.h"

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 8
#endif

static char *droppable(size_t pages)
{
	return lonely(pages, RW, MAP_ANONYMOUS | MAP_DROPPABLE);
}

FORKED_TEST(basic, "private anonymous memory, zeroes at first, that smaps marks dp, nr, wf and dd")
{
	char *p = droppable(4);

	CHECK_STR(perms_at(p), "rw-p");
	CHECK_EQ(load(p), 0);
	store(p, 1);
	CHECK_EQ(load(p), 1);
	CHECK_EQ(smaps_kb(p, "Anonymous"), 4);
	CHECK(strstr(smaps_block(p), " nr "));
	CHECK(strstr(smaps_block(p), " wf "));
	CHECK(strstr(smaps_block(p), " dd "));
	CHECK(strstr(smaps_block(p), " dp "));
}

FORKED_TEST(refused, "not with MAP_LOCKED, MAP_HUGETLB, MAP_GROWSDOWN, nor of a file")
{
	int fd = tmp_file(PAGE), flags = MAP_ANONYMOUS | MAP_DROPPABLE;

	CHECK_EQ(SYS(mmap, 0, PAGE, RW, flags | MAP_LOCKED, -1, 0), -EINVAL);
	CHECK_EQ(SYS(mmap, 0, PAGE, RW, flags | MAP_HUGETLB, -1, 0), -EINVAL);
	CHECK_EQ(SYS(mmap, 0, PAGE, RW, flags | MAP_GROWSDOWN, -1, 0), -EINVAL);
	CHECK_EQ(SYS(mmap, 0, PAGE, RW, MAP_DROPPABLE, fd, 0), -EINVAL);
	CHECK_EQ(SYS(mmap, 0, PAGE, RW, MAP_ANONYMOUS | MAP_DROPPABLE | MAP_SHARED, -1, 0),
		 -EINVAL);
}

FORKED_TEST(locks_, "no lock sticks: mlock and mlockall succeed, fill it and leave it unlocked")
{
	char *p = droppable(4);

	CHECK_EQ(SYS(mlock, p, 4 * PAGE), 0);
	CHECK_STR(locks(p, 4), "UUUU");
	CHECK_EQ(rss(p, 4), 4);
	CHECK_EQ(onfault(p, 4 * PAGE), 0);
	CHECK_EQ(SYS(mlockall, MCL_CURRENT), 0);
	CHECK_STR(locks(p, 4), "UUUU");
	CHECK_EQ(SYS(munlockall), 0);
	CHECK_EQ(vmlck(), 0);
}

FORKED_TEST(future,
	    "under mlockall(MCL_FUTURE) it is filled, checked against the limit, and not locked")
{
	char *p;

	MUST(!mlockall(MCL_FUTURE));
	p = droppable(4);
	CHECK_STR(locks(p, 4), "UUUU");
	CHECK_EQ(rss(p, 4), 4);
	CHECK_EQ(vmlck(), 0);
	ordinary_user(2 * PAGE);
	CHECK_EQ(SYS(mmap, 0, 4 * PAGE, RW, MAP_ANONYMOUS | MAP_DROPPABLE, -1, 0), -EAGAIN);
}

FORKED_TEST(advice, "it stays out of children and dumps: no advice changes that")
{
	char *p = droppable(1);

	CHECK_EQ(SYS(madvise, p, PAGE, MADV_KEEPONFORK), -EINVAL);
	CHECK_EQ(SYS(madvise, p, PAGE, MADV_DODUMP), -EINVAL);
	CHECK_EQ(SYS(madvise, p, PAGE, MADV_WIPEONFORK), 0);
	CHECK_EQ(SYS(madvise, p, PAGE, MADV_DONTDUMP), 0);
	CHECK_EQ(SYS(madvise, p, PAGE, MADV_DONTNEED), 0);
	store(p, 1);
	IN_CHILD
	{
		CHECK_EQ(load(p), 0);
		CHECK(strstr(smaps_block(p), " dp "));
	}
	CHECK_EQ(load(p), 1);
}

FORKED_TEST(not_for_swap, "its pages are anonymous and not swap-backed: what reclaim takes is gone")
{
	char *p = droppable(20);

	fill(p, 2);
	CHECK_EQ(SYS(madvise, p, 20 * PAGE, MADV_POPULATE_WRITE), 0);
	drain_batches();
	for (int i = 0; i < 20; i++)
		CHECK_EQ(kpageflags(p + (size_t)i * PAGE) & (KPF_ANON | KPF_SWAPBACKED), KPF_ANON);
}

FORKED_TEST(merging, "it merges with its like, not with ordinary memory")
{
	char *at = free_area(4);

	MUST(mmap(at, PAGE, RW, MAP_ANONYMOUS | MAP_DROPPABLE | MAP_FIXED_NOREPLACE, -1, 0) == at);
	MUST(mmap(at + PAGE, PAGE, RW, MAP_ANONYMOUS | MAP_DROPPABLE | MAP_FIXED_NOREPLACE, -1,
		  0) == at + PAGE);
	MUST(map_at(at + 2 * PAGE, PAGE, RW));
	CHECK_EQ(maps_in(at, 3 * PAGE), 2);
}

TEST_MAIN()
