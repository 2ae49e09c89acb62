/* SPDX-License-Identifier: MIT
 *
 * MADV_COLLAPSE: 2 MiB of small pages, of holes, of pages that others have as well, become one large page with the
 * same contents and the same locks.
 */
#include "lock.h"

#define MADV_GUARD 102 /* MADV_GUARD_INSTALL */
#define HUGE (2 * MIB)
#define HUGE_PAGES (HUGE / PAGE)

/* n times 2 MiB, aligned, alone in a vma, without a page. */
static char *huge_area(size_t n)
{
	char *p = map_anon((n + 2) * HUGE, PROT_NONE);
	char *at = (char *)(((uintptr_t)p + 2 * HUGE - 1) & ~(HUGE - 1));

	MUST(!((uintptr_t)at & (HUGE - 1)));
	MUST(!mprotect(at, n * HUGE, PROT_READ | PROT_WRITE));
	/* Whatever `enabled` says, what comes by faults is small. */
	MUST(!madvise(at, n * HUGE, MADV_NOHUGEPAGE));
	return at;
}

static void may_be_huge(char *p, size_t n)
{
	MUST(!madvise(p, n * HUGE, MADV_HUGEPAGE));
}

static long collapse(void *p, size_t len)
{
	long err = SYS(madvise, p, len, MADV_COLLAPSE);

	/* Somebody looks at a page, or it is on its way to a list. */
	for (int i = 0; err == -EAGAIN && i < 100; i++) {
		sleep_ms(10);
		err = SYS(madvise, p, len, MADV_COLLAPSE);
	}
	return err;
}

static bool can_collapse(void)
{
	return kernel_at_least(6, 1) ||
	       !access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK);
}

static const char *const cannot = "no MADV_COLLAPSE";

static void mark(char *p, size_t first, size_t after)
{
	for (size_t i = first; i < after; i++)
		p[i * PAGE + i] = (char)(i | 1);
}

/* Pages that mark() marked and that do not say so, and others that are not 0. */
static long wrong(const char *p, size_t first, size_t after)
{
	long n = 0;

	for (size_t i = 0; i < HUGE_PAGES; i++)
		n += p[i * PAGE + i] != (i >= first && i < after ? (char)(i | 1) : 0);
	return n;
}

static long huge(const void *p)
{
	return smaps_kb(p, "AnonHugePages");
}

TEST(small_pages, "512 small pages become one large page")
{
	if (!can_collapse())
		SKIP(cannot);
	char *p = huge_area(1);

	mark(p, 0, HUGE_PAGES);
	CHECK_EQ(huge(p), 0);
	may_be_huge(p, 1);
	CHECK_EQ(collapse(p, HUGE), 0);
	CHECK_EQ(huge(p), 2048);
	CHECK_EQ(smaps_kb(p, "Rss"), 2048);
	CHECK_EQ(wrong(p, 0, HUGE_PAGES), 0);
	CHECK_EQ(collapse(p, HUGE), 0);
	mark(p, 0, HUGE_PAGES);
	CHECK_EQ(huge(p), 2048);
}

TEST(holes, "holes and pages of zeroes are filled")
{
	if (!can_collapse())
		SKIP(cannot);
	char *p = huge_area(1);

	mark(p, 100, 101);
	CHECK_EQ(load(p + 200 * PAGE), 0);
	may_be_huge(p, 1);
	CHECK_EQ(collapse(p, HUGE), 0);
	CHECK_EQ(huge(p), 2048);
	CHECK_EQ(smaps_kb(p, "Rss"), 2048);
	CHECK_EQ(wrong(p, 100, 101), 0);
	MUST(!madvise(p + 300 * PAGE, PAGE, MADV_DONTNEED));
	CHECK_EQ(huge(p), 0);
	CHECK_EQ(collapse(p, HUGE), 0);
	CHECK_EQ(huge(p), 2048);
	CHECK_EQ(wrong(p, 100, 101), 0);
}

TEST(never_used, "where nothing was, there is nothing to collapse: EINVAL")
{
	if (!can_collapse())
		SKIP(cannot);
	char *p = huge_area(1);

	may_be_huge(p, 1);
	CHECK_ERR(madvise(p, HUGE, MADV_COLLAPSE), EINVAL);
	CHECK_EQ(huge(p), 0);
}

TEST(errors, "EINVAL and ENOMEM")
{
	if (!can_collapse())
		SKIP(cannot);
	char *p = huge_area(2);

	mark(p, 0, HUGE_PAGES);
	CHECK_ERR(madvise(p, HUGE, MADV_COLLAPSE), EINVAL); /* MADV_NOHUGEPAGE */
	may_be_huge(p, 2);
	CHECK_ERR(madvise(p + 1, HUGE, MADV_COLLAPSE), EINVAL);
	CHECK_EQ(SYS(madvise, p, 0, MADV_COLLAPSE), 0);
	/* Not one whole 2 MiB; none that is not tried. */
	CHECK_ERR(madvise(p + PAGE, PAGE, MADV_COLLAPSE), EINVAL);
	CHECK_EQ(SYS(madvise, p, PAGE, MADV_COLLAPSE), 0);
	CHECK_EQ(huge(p), 0);
	CHECK_EQ(collapse(p, HUGE), 0);
	MUST(!munmap(p + HUGE, HUGE));
	CHECK_ERR(madvise(p, 2 * HUGE, MADV_COLLAPSE), ENOMEM);
	CHECK_EQ(huge(p), 2048);
	CHECK_ERR(madvise(p + HUGE, HUGE, MADV_COLLAPSE), ENOMEM);
	/* A vma in which there is no room. */
	MUST(!munmap(p + 511 * PAGE, PAGE));
	CHECK_ERR(madvise(p, HUGE, MADV_COLLAPSE), EINVAL);
	if (kernel_at_least(6, 13)) {
		p = huge_area(1);
		mark(p, 0, HUGE_PAGES);
		may_be_huge(p, 1);
		MUST(!madvise(p + PAGE, PAGE, MADV_GUARD));
		CHECK_ERR(madvise(p, HUGE, MADV_COLLAPSE), EINVAL);
	}
}

TEST(two_vmas, "no large page reaches into another vma")
{
	if (!can_collapse())
		SKIP(cannot);
	char *p = huge_area(2);

	mark(p, 0, HUGE_PAGES);
	mark(p + HUGE, 0, HUGE_PAGES);
	may_be_huge(p, 2);
	MUST(!mprotect(p + PAGE, PAGE, PROT_READ));
	CHECK_ERR(madvise(p, HUGE, MADV_COLLAPSE), EINVAL);
	MUST(!mprotect(p + PAGE, PAGE, PROT_READ | PROT_WRITE));
	CHECK_EQ(collapse(p + PAGE, 2 * HUGE - PAGE), 0);
	CHECK_EQ(huge(p), 2048);
	CHECK_EQ(collapse(p, 2 * HUGE), 0);
	CHECK_EQ(huge(p), 4096);
	CHECK_EQ(wrong(p, 0, HUGE_PAGES) + wrong(p + HUGE, 0, HUGE_PAGES), 0);
}

FORKED_TEST(locked, "locked pages stay locked, and holes of a locked area become it")
{
	if (!can_collapse())
		SKIP(cannot);
	char *p = huge_area(1);

	MUST(!onfault(p, HUGE));
	mark(p, 0, 10);
	may_be_huge(p, 1);
	drain_batches();
	CHECK_EQ(smaps_kb(p, "Locked"), 40);
	CHECK_EQ(collapse(p, HUGE), 0);
	CHECK_EQ(huge(p), 2048);
	CHECK_EQ(smaps_kb(p, "Locked"), 2048);
	CHECK_EQ(vmlck(), (long)HUGE_PAGES);
	drain_batches();
	CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LOCK_BITS);
	MUST(!munlock(p, HUGE));
	drain_batches();
	CHECK_EQ(kpageflags(p) & (KPF_UNEVICTABLE | KPF_MLOCKED), 0);
	CHECK_EQ(smaps_kb(p, "Locked"), 0);
	CHECK_EQ(wrong(p, 0, 10), 0);
}

FORKED_TEST(shared_by_fork, "after a fork each has its own large page, and its own contents")
{
	if (!can_collapse())
		SKIP(cannot);
	char *p = huge_area(1);
	int ready[2];
	char c;

	mark(p, 0, HUGE_PAGES);
	may_be_huge(p, 1);
	MUST(!pipe(ready));
	pid_t pid = fork_checked();

	if (!pid) {
		MUST(read(ready[0], &c, 1) == 1);
		CHECK_EQ(huge(p), 0);
		CHECK_EQ(wrong(p, 0, HUGE_PAGES), 0);
		CHECK_EQ(collapse(p, HUGE), 0);
		CHECK_EQ(huge(p), 2048);
		CHECK_EQ(wrong(p, 0, HUGE_PAGES), 0);
		child_exit();
	}
	CHECK_EQ(collapse(p, HUGE), 0);
	CHECK_EQ(huge(p), 2048);
	MUST(write(ready[1], "x", 1) == 1);
	p[0] = 100;
	reap_checked(pid);
	CHECK_EQ(p[0], 100);
	p[0] = 1;
	CHECK_EQ(wrong(p, 0, HUGE_PAGES), 0);
}

TEST_MAIN()
