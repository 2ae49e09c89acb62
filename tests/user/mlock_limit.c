/* SPDX-License-Identifier: MIT
 *
 * RLIMIT_MEMLOCK: what is charged, when, against what; and which error says that it was too much.
 */
#include "lock.h"
#include <sched.h>

#define LIMIT 16 /* pages */
#define CAP_IPC_LOCK_ 14

static char *user_area(size_t pages)
{
	char *p = lonely_anon(pages);

	ordinary_user(LIMIT * PAGE);
	return p;
}

FORKED_TEST(exact, "mlock up to the limit; one page more is ENOMEM and changes nothing")
{
	char *p = user_area(32);

	CHECK_EQ(SYS(mlock, p, (LIMIT + 1) * PAGE), -ENOMEM);
	CHECK_EQ(vmlck(), 0);
	CHECK_EQ(rss(p, 32), 0);
	CHECK_EQ(SYS(mlock, p, LIMIT * PAGE), 0);
	CHECK_EQ(vmlck(), LIMIT);
	CHECK_EQ(SYS(mlock, p + LIMIT * PAGE, 1), -ENOMEM);
	CHECK_EQ(onfault(p + LIMIT * PAGE, 1), -ENOMEM);
	CHECK_EQ(SYS(mlock, p + LIMIT * PAGE, 0), 0);
	CHECK_EQ(vmlck(), LIMIT);
}

FORKED_TEST(onfault_full,
	    "ONFAULT is charged in full when the range is locked, not when pages come")
{
	char *p = user_area(32);

	CHECK_EQ(onfault(p, (LIMIT + 1) * PAGE), -ENOMEM);
	CHECK_EQ(onfault(p, LIMIT * PAGE), 0);
	CHECK_EQ(vmlck(), LIMIT);
	CHECK_EQ(rss(p, 32), 0);
	CHECK_EQ(SYS(mlock, p + LIMIT * PAGE, PAGE), -ENOMEM);
	fill(p, LIMIT);
	CHECK_EQ(vmlck(), LIMIT);
	CHECK_EQ(rss(p, 32), LIMIT);
}

FORKED_TEST(overlap,
	    "pages of the range that are locked already are free; one page further is too much")
{
	char *p = user_area(32);

	CHECK_EQ(SYS(mlock, p + PAGE, LIMIT * PAGE), 0);
	CHECK_EQ(SYS(mlock, p + PAGE, LIMIT * PAGE), 0);
	CHECK_EQ(SYS(mlock, p + 4 * PAGE, 4 * PAGE), 0);
	CHECK_EQ(onfault(p + 4 * PAGE, 4 * PAGE), 0);
	CHECK_EQ(SYS(mlock, p + 2 * PAGE, LIMIT * PAGE), -ENOMEM);
	CHECK_EQ(SYS(mlock, p, LIMIT * PAGE), -ENOMEM);
	CHECK_EQ(SYS(munlock, p + LIMIT * PAGE, PAGE), 0);
	CHECK_EQ(SYS(mlock, p, LIMIT * PAGE), 0);
	CHECK_EQ(vmlck(), LIMIT);
}

FORKED_TEST(
	lowered,
	"a limit lowered below what is locked takes nothing away, but then even that cannot be locked again")
{
	char *p = user_area(32);

	MUST(!mlock(p, LIMIT * PAGE));
	set_memlock(4 * PAGE);
	CHECK_EQ(vmlck(), LIMIT);
	CHECK_STR(locks(p, 17), "LLLLLLLLLLLLLLLLU");
	CHECK_EQ(SYS(mlock, p, PAGE), -ENOMEM);
	CHECK_EQ(onfault(p, PAGE), -ENOMEM);
	CHECK_EQ(SYS(mlock, p, 0), -ENOMEM); /* 0 more is still too much */
	CHECK_EQ(SYS(munlock, p, 12 * PAGE), 0);
	CHECK_EQ(SYS(mlock, p + 12 * PAGE, 4 * PAGE), 0);
	CHECK_EQ(SYS(mlock, p + 11 * PAGE, PAGE), -ENOMEM);
}

FORKED_TEST(rounds_down, "the limit counts whole pages: its remainder is worth nothing")
{
	char *p = lonely_anon(4);

	ordinary_user(2 * PAGE + 4095);
	CHECK_EQ(SYS(mlock, p, 3 * PAGE), -ENOMEM);
	CHECK_EQ(SYS(mlock, p, 2 * PAGE), 0);
}

FORKED_TEST(root, "CAP_IPC_LOCK: no limit, but VmLck counts")
{
	char *p = lonely_anon(32);

	set_memlock(4 * PAGE);
	CHECK_EQ(SYS(mlock, p, 32 * PAGE), 0);
	CHECK_EQ(vmlck(), 32);
	CHECK(SYS(mmap, 0, 32 * PAGE, RW, ANON | MAP_LOCKED, -1, 0) > 0);
	CHECK_EQ(vmlck(), 64);
}

FORKED_TEST(capability,
	    "it is the capability that counts, not the user: without it root has the limit")
{
	struct {
		uint32_t version;
		int pid;
	} h = { 0x20080522, 0 };
	struct {
		uint32_t effective, permitted, inheritable;
	} d[2];
	char *p = lonely_anon(32);

	set_memlock(LIMIT * PAGE);
	MUST(!SYS(capget, &h, d));
	d[0].effective &= ~(1U << CAP_IPC_LOCK_);
	MUST(!SYS(capset, &h, d));
	CHECK_EQ(SYS(mlock, p, (LIMIT + 1) * PAGE), -ENOMEM);
	CHECK_EQ(SYS(mlock, p, LIMIT * PAGE), 0);
	d[0].effective |= 1U << CAP_IPC_LOCK_;
	MUST(!SYS(capset, &h, d));
	CHECK_EQ(SYS(mlock, p, 32 * PAGE), 0);
}

FORKED_TEST(namespace, "the capability in a user namespace of one's own does not count")
{
	char *p = user_area(32);

	MUST(!unshare(CLONE_NEWUSER));
	CHECK_EQ(SYS(mlock, p, (LIMIT + 1) * PAGE), -ENOMEM);
	CHECK_EQ(SYS(mlock, p, LIMIT * PAGE), 0);
}

FORKED_TEST(unlimited, "RLIM_INFINITY is no limit")
{
	char *p = lonely_anon(4096);
	struct rlimit rl = { RLIM_INFINITY, RLIM_INFINITY };

	if (setrlimit(RLIMIT_MEMLOCK, &rl))
		SKIP("this root may not raise its limits");
	MUST(!setuid(NOBODY) && !prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	CHECK_EQ(SYS(mlock, p, 4096 * PAGE), 0);
	CHECK_EQ(SYS(mlockall, MCL_CURRENT | MCL_FUTURE), 0);
}

FORKED_TEST(all_current,
	    "mlockall(CURRENT): everything mapped must fit, however much of it is locked")
{
	char *p = lonely_anon(4);
	long size = proc_value("/proc/self/statm", "");

	ordinary_user((unsigned long)(size - 1) * PAGE);
	CHECK_EQ(SYS(mlock, p, 4 * PAGE), 0);
	CHECK_EQ(SYS(mlockall, MCL_CURRENT), -ENOMEM);
	CHECK_EQ(SYS(mlockall, MCL_CURRENT | MCL_ONFAULT), -ENOMEM);
	CHECK_EQ(vmlck(), 4);
	set_memlock((unsigned long)size * PAGE);
	CHECK_EQ(SYS(mlockall, MCL_CURRENT), 0);
	CHECK_STR(locks(p, 4), "LLLL");
	CHECK_RANGE(vmlck(), size - 16, size);
}

FORKED_TEST(future, "mlockall(FUTURE) tests nothing; mmap then does: EAGAIN")
{
	char *p = free_area(LIMIT);

	ordinary_user(LIMIT * PAGE);
	CHECK_EQ(SYS(mlockall, MCL_FUTURE), 0);
	CHECK_EQ(SYS(mmap, 0, (LIMIT + 1) * PAGE, RW, ANON, -1, 0), -EAGAIN);
	CHECK_EQ(SYS(mmap, 0, (LIMIT + 1) * PAGE, PROT_NONE, ANON | MAP_NORESERVE, -1, 0), -EAGAIN);
	map_at(p, LIMIT * PAGE, RW);

	CHECK_EQ(vmlck(), LIMIT);
	CHECK_STR(locks(p, LIMIT), "LLLLLLLLLLLLLLLL");
	CHECK_EQ(SYS(mmap, 0, PAGE, RW, ANON, -1, 0), -EAGAIN);
	MUST(!munmap(p, PAGE));
	CHECK_EQ(vmlck(), LIMIT - 1);
	CHECK(SYS(mmap, 0, PAGE, RW, ANON, -1, 0) > 0);
}

FORKED_TEST(future_onfault,
	    "the same under FUTURE|ONFAULT, with MAP_POPULATE too: charged in full at mmap")
{
	ordinary_user(LIMIT * PAGE);
	CHECK_EQ(SYS(mlockall, MCL_FUTURE | MCL_ONFAULT), 0);
	CHECK_EQ(SYS(mmap, 0, 2 * LIMIT * PAGE, RW, ANON | MAP_POPULATE, -1, 0), -EAGAIN);
	CHECK(SYS(mmap, 0, LIMIT * PAGE, RW, ANON | MAP_POPULATE, -1, 0) > 0);
	CHECK_EQ(vmlck(), LIMIT);
}

FORKED_TEST(future_root,
	    "MCL_FUTURE set as root, then an ordinary user: later mappings obey the limit")
{
	MUST(!mlockall(MCL_FUTURE));
	CHECK(SYS(mmap, 0, 2 * LIMIT * PAGE, RW, ANON, -1, 0) > 0);
	ordinary_user(LIMIT * PAGE);
	CHECK_EQ(SYS(mmap, 0, PAGE, RW, ANON, -1, 0), -EAGAIN);
	CHECK_EQ(vmlck(), 2 * LIMIT);
}

FORKED_TEST(map_locked, "MAP_LOCKED beyond the limit: EAGAIN")
{
	ordinary_user(LIMIT * PAGE);
	CHECK_EQ(SYS(mmap, 0, (LIMIT + 1) * PAGE, RW, ANON | MAP_LOCKED, -1, 0), -EAGAIN);
	CHECK(SYS(mmap, 0, LIMIT * PAGE, RW, ANON | MAP_LOCKED, -1, 0) > 0);
	CHECK_EQ(SYS(mmap, 0, PAGE, RW, ANON | MAP_LOCKED, -1, 0), -EAGAIN);
	CHECK(SYS(mmap, 0, PAGE, RW, ANON, -1, 0) > 0);
}

FORKED_TEST(map_locked_zero,
	    "limit 0: MAP_LOCKED is EPERM, but a mapping under MCL_FUTURE is EAGAIN")
{
	ordinary_user(LIMIT * PAGE);
	MUST(!mlockall(MCL_FUTURE));
	set_memlock(0);
	CHECK_EQ(SYS(mmap, 0, PAGE, RW, ANON, -1, 0), -EAGAIN);
	CHECK_EQ(SYS(mmap, 0, PAGE, RW, ANON | MAP_LOCKED, -1, 0), -EPERM);
	MUST(!munlockall());
	CHECK_EQ(SYS(mmap, 0, PAGE, RW, ANON | MAP_LOCKED, -1, 0), -EPERM);
	CHECK(SYS(mmap, 0, PAGE, RW, ANON, -1, 0) > 0);
}

FORKED_TEST(fixed_over,
	    "MAP_FIXED over locked pages counts the new ones on top: EAGAIN, the old mapping stays")
{
	char *p = user_area(LIMIT);

	MUST(!mlock(p, LIMIT * PAGE));
	store(p, 77);
	CHECK_EQ(SYS(mmap, p, 4 * PAGE, RW, ANON | MAP_FIXED | MAP_LOCKED, -1, 0), -EAGAIN);
	CHECK_EQ(vmlck(), LIMIT);
	CHECK_EQ(load(p), 77);
	CHECK_EQ(maps_in(p, LIMIT * PAGE), 1);
	MUST(!mlockall(MCL_FUTURE));
	CHECK_EQ(SYS(mmap, p, 4 * PAGE, RW, ANON | MAP_FIXED, -1, 0), -EAGAIN);
	CHECK_EQ(load(p), 77);
	MUST(!munlock(p, 4 * PAGE));
	CHECK_EQ(SYS(mmap, p + 4 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED | MAP_LOCKED, -1, 0),
		 p + 4 * PAGE);
	CHECK_EQ(vmlck(), LIMIT - 4);
}

FORKED_TEST(brk_, "brk under MCL_FUTURE: beyond the limit the break stays")
{
	long b = (SYS(brk, 0) + (long)PAGE - 1) & -(long)PAGE;

	MUST(SYS(brk, b) == b);
	ordinary_user(LIMIT * PAGE);
	CHECK_EQ(SYS(brk, b + (LIMIT + 1) * (long)PAGE), b + (LIMIT + 1) * (long)PAGE);
	CHECK_EQ(SYS(brk, b), b);
	MUST(!mlockall(MCL_FUTURE));
	CHECK_EQ(SYS(brk, b + (LIMIT + 1) * (long)PAGE), b);
	CHECK_EQ(SYS(brk, b + LIMIT * (long)PAGE), b + LIMIT * (long)PAGE);
	CHECK_EQ(vmlck(), LIMIT);
	CHECK_EQ(SYS(brk, b + (LIMIT + 1) * (long)PAGE), b + LIMIT * (long)PAGE);
	CHECK_EQ(SYS(brk, b), b);
	CHECK_EQ(vmlck(), 0);
}

FORKED_TEST(mremap_, "mremap of a locked mapping: growth is charged (EAGAIN), a move costs nothing")
{
	char *p = lonely_anon(8), *to = free_area(40);

	ordinary_user(LIMIT * PAGE);
	MUST(!mlock(p, 8 * PAGE));
	CHECK_EQ(SYS(mremap, p, 8 * PAGE, (LIMIT + 1) * PAGE, MREMAP_MAYMOVE), -EAGAIN);
	CHECK_EQ(SYS(mremap, p, 8 * PAGE, LIMIT * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
	CHECK_EQ(vmlck(), LIMIT);
	CHECK_EQ(SYS(mremap, to, LIMIT * PAGE, LIMIT * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p), p);
	CHECK_EQ(vmlck(), LIMIT);
	CHECK_EQ(SYS(mremap, p, LIMIT * PAGE, (LIMIT + 1) * PAGE, MREMAP_MAYMOVE), -EAGAIN);
	CHECK_EQ(SYS(mremap, p, LIMIT * PAGE, 4 * PAGE, 0), p);
	CHECK_EQ(vmlck(), 4);
}

FORKED_TEST(mremap_onfault, "locked on fault: the same")
{
	char *p = user_area(LIMIT);

	MUST(!onfault(p, LIMIT * PAGE));
	CHECK_EQ(SYS(mremap, p, LIMIT * PAGE, (LIMIT + 1) * PAGE, MREMAP_MAYMOVE), -EAGAIN);
	CHECK_EQ(vmlck(), LIMIT);
}

FORKED_TEST(mremap_unlocked, "an unlocked mapping grows beyond the limit, even under MCL_FUTURE")
{
	char *p = user_area(4);

	MUST(!mlockall(MCL_FUTURE));
	long q = SYS(mremap, p, 4 * PAGE, 2 * LIMIT * PAGE, MREMAP_MAYMOVE);

	CHECK(q > 0);
	CHECK_EQ(vmlck(), 0);
}

FORKED_TEST(stack_, "a locked stack that would grow beyond the limit: SIGSEGV")
{
	char *at = free_area(64);
	char *p = mmap(at + 60 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0);

	MUST(p == at + 60 * PAGE);
	ordinary_user(LIMIT * PAGE);
	MUST(!mlock(p, 4 * PAGE));
	CHECK_FAULT(store(p - (LIMIT - 3) * PAGE, 1), SIGSEGV, SEGV_MAPERR, p - (LIMIT - 3) * PAGE);
	CHECK_EQ(vmlck(), 4);
	CHECK_NO_FAULT(store(p - (LIMIT - 4) * PAGE, 1));
	CHECK_EQ(vmlck(), LIMIT);
	CHECK_FAULT(store(p - (LIMIT - 3) * PAGE, 1), SIGSEGV, SEGV_MAPERR, p - (LIMIT - 3) * PAGE);
}

FORKED_TEST(released,
	    "munlock, munmap, a shrinking mremap and MAP_FIXED give back what they take away")
{
	char *p = user_area(LIMIT);

	MUST(!mlock(p, LIMIT * PAGE));
	CHECK_EQ(SYS(munlock, p, 2 * PAGE), 0);
	CHECK_EQ(vmlck(), LIMIT - 2);
	CHECK_EQ(SYS(munmap, p, 4 * PAGE), 0);
	CHECK_EQ(vmlck(), LIMIT - 4);
	CHECK_EQ(SYS(munmap, p + 6 * PAGE, PAGE), 0);
	CHECK_EQ(vmlck(), LIMIT - 5);
	CHECK_EQ(SYS(mmap, p + 4 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED, -1, 0), p + 4 * PAGE);
	CHECK_EQ(vmlck(), LIMIT - 8);
	CHECK_EQ(SYS(mremap, p + 8 * PAGE, 8 * PAGE, PAGE, 0), p + 8 * PAGE);
	CHECK_EQ(vmlck(), 1);
	CHECK_EQ(SYS(munlockall), 0);
	CHECK_EQ(vmlck(), 0);
}

FORKED_TEST(per_process, "every process has the limit for itself")
{
	char *p = user_area(LIMIT);

	MUST(!mlock(p, LIMIT * PAGE));
	IN_CHILD
	{
		CHECK_EQ(SYS(mlock, p, LIMIT * PAGE), 0);
		CHECK_EQ(vmlck(), LIMIT);
	}
}

FORKED_TEST(failed_part, "a mlock that fails at a hole stays charged for the part below it")
{
	char *p = user_area(LIMIT);

	MUST(!munmap(p + 10 * PAGE, PAGE));
	CHECK_EQ(SYS(mlock, p, LIMIT * PAGE), -ENOMEM);
	CHECK_EQ(vmlck(), 10);
	CHECK_EQ(SYS(mlock, p + 11 * PAGE, 5 * PAGE), 0);
	CHECK_EQ(SYS(mmap, 0, 2 * PAGE, RW, ANON | MAP_LOCKED, -1, 0), -EAGAIN);
}

TEST_MAIN()
