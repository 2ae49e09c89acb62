/* SPDX-License-Identifier: MIT
 *
 * Locks and the life of a process: fork, vfork, threads' shared memory, execve, exit. What becomes of the
 * frames, seen by their numbers and flags, when parent and child write.
 */
#include "lock.h"

static char *locked_page(void)
{
	char *p = lonely_anon(1);

	store(p, 1);
	MUST(!mlock(p, PAGE));
	drain_batches();
	CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LOCK_BITS);
	return p;
}

FORKED_TEST(child, "a child inherits no lock: unlocked mappings, VmLck 0, no MCL_FUTURE")
{
	char *p = lonely_anon(4), *q = lonely_anon(4);

	MUST(!mlock(p, 4 * PAGE) && !onfault(q, 4 * PAGE) && !mlockall(MCL_FUTURE));
	IN_CHILD
	{
		CHECK_STR(locks(p, 4), "UUUU");
		CHECK_STR(locks(q, 4), "UUUU");
		CHECK_EQ(vmlck(), 0);
		CHECK_STR(locks(lonely(1, RW, ANON), 1), "U");
		CHECK_EQ(vmlck(), 0);
		CHECK_OK(munlock(p, 4 * PAGE));
	}
	CHECK_STR(locks(p, 4), "LLLL");
	CHECK_STR(locks(q, 4), "FFFF");
	CHECK_STR(locks(lonely(1, RW, ANON), 1), "L");
	CHECK_EQ(vmlck(), 9);
}

FORKED_TEST(child_limit, "so a child of a process at its limit can lock again")
{
	char *p = lonely_anon(4);

	ordinary_user(4 * PAGE);
	MUST(!mlock(p, 4 * PAGE));
	IN_CHILD
	{
		CHECK_OK(mlock(p, 4 * PAGE));
		CHECK_EQ(vmlck(), 4);
	}
}

FORKED_TEST(pages_stay,
	    "the pages stay locked for the parent, whatever the child does: read, unmap, exit")
{
	char *p = locked_page();
	uint64_t frame = pfn_of(p);

	IN_CHILD
	{
		CHECK_EQ(load(p), 1);
		CHECK_EQ(pfn_of(p), frame);
		MUST(!munlock(p, PAGE));
		MUST(!munmap(p, PAGE));
		drain_batches();
	}
	drain_batches();
	CHECK_EQ(pfn_of(p), frame);
	CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LOCK_BITS);
}

FORKED_TEST(child_writes, "the child writes: it gets an unlocked copy, the parent keeps its frame")
{
	char *p = locked_page();
	uint64_t frame = pfn_of(p);

	IN_CHILD
	{
		store(p, 2);
		CHECK(pfn_of(p) != frame);
		CHECK_EQ(kpageflags(p) & (KPF_MLOCKED | KPF_UNEVICTABLE), 0);
	}
	CHECK_EQ(pfn_of(p), frame);
	CHECK_EQ(load(p), 1);
	/* The child is gone: the parent writes in place. */
	store(p, 3);
	CHECK_EQ(pfn_of(p), frame);
	CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LOCK_BITS);
}

/* Runs body while a child that shares all pages sleeps; the child then checks. */
static void with_sleeping_child(void (*parent)(char *), void (*child)(char *), char *p)
{
	int fds[2];
	char c;
	pid_t pid;

	MUST(!pipe(fds));
	pid = fork_checked();
	if (!pid) {
		close(fds[1]);
		MUST(read(fds[0], &c, 1) == 0);
		child(p);
		child_exit();
	}
	close(fds[0]);
	parent(p);
	close(fds[1]);
	reap_checked(pid);
}

static uint64_t old_frame;

static void parent_writes(char *p)
{
	long before;

	old_frame = pfn_of(p);
	before = minor_faults();
	store(p, 9);
	CHECK_EQ(minor_faults() - before, 1);
	CHECK(pfn_of(p) != old_frame);
	drain_batches();
	CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LOCK_BITS);
}

static void child_has_old_frame(char *p)
{
	CHECK_EQ(load(p), 1);
	drain_batches();
	CHECK_EQ(kpageflags(p) & (KPF_MLOCKED | KPF_UNEVICTABLE), 0);
}

FORKED_TEST(
	parent_writes_,
	"the parent writes while the child has the page: a minor fault, a locked copy; the old frame is unlocked")
{
	char *p = locked_page();

	with_sleeping_child(parent_writes, child_has_old_frame, p);
	CHECK_EQ(load(p), 9);
	CHECK_EQ(vmlck(), 1);
}

FORKED_TEST(child_locks,
	    "parent and child lock the same page: it stays locked until both have unlocked it")
{
	char *p = locked_page();
	int to[2], from[2];
	char c = 0;
	pid_t pid;

	MUST(!pipe(to) && !pipe(from));
	pid = fork_checked();
	if (!pid) {
		close(to[1]);
		MUST(!onfault(p, PAGE)); /* mlock would copy it */
		drain_batches();
		MUST(write(from[1], &c, 1) == 1 && read(to[0], &c, 1) == 0);
		CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LOCK_BITS);
		MUST(!munlock(p, PAGE));
		drain_batches();
		CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LRU);
		child_exit();
	}
	MUST(read(from[0], &c, 1) == 1);
	MUST(!munlock(p, PAGE));
	drain_batches();
	CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LOCK_BITS);
	close(to[1]);
	reap_checked(pid);
}

static char *vfork_page;

FORKED_TEST(vfork_, "vfork: one address space, the same locks")
{
	static long seen;
	pid_t pid;

	vfork_page = locked_page();
	pid = vfork();
	MUST(pid >= 0);
	if (!pid) {
		seen = vmlck();
		_exit(munlock(vfork_page, PAGE) ? 1 : 0);
	}
	CHECK_EQ(wait_for(pid), 0);
	CHECK_EQ(seen, 1);
	CHECK_EQ(vmlck(), 0);
	CHECK_STR(locks(vfork_page, 1), "U");
}

FORKED_TEST(exit_, "a child that exits with locked memory takes nothing with it")
{
	char *p = locked_page();
	uint64_t frame = pfn_of(p);

	IN_CHILD
	{
		char *q = lonely_anon(256);

		MUST(!onfault(p, PAGE) && !mlock(q, 256 * PAGE));
	}
	drain_batches();
	CHECK_EQ(pfn_of(p), frame);
	CHECK_EQ(kpageflags(p) & KPF_LOCK_BITS, KPF_LOCK_BITS);
}

/* What the program finds after execve; its exit status is the number of failed checks. */
static void after_exec(void)
{
	CHECK_EQ(vmlck(), 0);
	CHECK_STR(locks(lonely(1, RW, ANON), 1), "U");
	CHECK_EQ(locks(&test_failures, 1)[0], 'U');
	child_exit();
}

FORKED_TEST(exec_, "execve: everything is unlocked, MCL_FUTURE is forgotten")
{
	pid_t pid;

	MUST(!setenv("AFTER_EXEC", "1", 1));
	MUST(!mlockall(MCL_CURRENT | MCL_FUTURE));
	pid = fork_checked();
	if (!pid) {
		MUST(!mlockall(MCL_CURRENT | MCL_FUTURE));
		execl("/proc/self/exe", "mlock_fork_exec", NULL);
		_exit(99);
	}
	reap_checked(pid);
}

int main(void)
{
	if (getenv("AFTER_EXEC"))
		after_exec();
	return run_tests();
}
