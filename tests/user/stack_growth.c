/* SPDX-License-Identifier: MIT
 *
 * MAP_GROWSDOWN areas and the process stack grow on faults; the guard gap; what does not grow them.
 */
#include "test.h"

#define GAP 256 /* pages */

/* A GROWSDOWN area of 4 pages with `room` free pages below; returns its start. */
static char *stack_area(size_t room)
{
	char *at = free_area(room + 8);
	char *p = mmap(at + room * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0);

	MUST(p == at + room * PAGE);
	return p;
}

static unsigned long start_of(const void *p)
{
	struct map m;

	MUST(map_find(p, &m));
	return m.start;
}

TEST(one_page, "the page below")
{
	char *p = stack_area(600);

	CHECK_NO_FAULT(store(p - 1, 1));
	CHECK_EQ(start_of(p), p - PAGE);
	CHECK_EQ(maps_in(p - PAGE, 5 * PAGE), 1);
	munmap(p - PAGE, 5 * PAGE);
}

TEST(far, "200 pages below in one step; only the touched page is resident")
{
	char *p = stack_area(600);

	CHECK_NO_FAULT(store(p - 200 * PAGE, 1));
	CHECK_EQ(start_of(p), p - 200 * PAGE);
	CHECK_EQ(resident(p - 200 * PAGE, 200 * PAGE), 1);
	munmap(p - 200 * PAGE, 204 * PAGE);
}

TEST(read_grows, "a read grows too")
{
	char *p = stack_area(600);

	CHECK_NO_FAULT(load(p - 5 * PAGE));
	CHECK_EQ(start_of(p), p - 5 * PAGE);
	munmap(p - 5 * PAGE, 9 * PAGE);
}

TEST(kernel_grows, "so does a kernel access: read() into the page below")
{
	char *p = stack_area(600);
	int fd = open("/dev/zero", O_RDONLY);

	MUST(fd >= 0);
	CHECK_EQ(read(fd, p - 16, 8), 8);
	CHECK_EQ(start_of(p), p - PAGE);
	munmap(p - PAGE, 5 * PAGE);
	close(fd);
}

TEST(gap_exact, "exactly 256 pages above an accessible mapping is allowed, 255 is MAPERR")
{
	char *p = stack_area(600);
	char *below = map_at(p - 400 * PAGE, PAGE, RW); /* ends at p - 399 pages */
	char *lowest = below + PAGE + GAP * PAGE;

	CHECK_FAULT(store(lowest - PAGE, 1), SIGSEGV, SEGV_MAPERR, lowest - PAGE);
	CHECK_EQ(start_of(p), p);
	CHECK_NO_FAULT(store(lowest, 1));
	CHECK_EQ(start_of(p), lowest);
	munmap(below, PAGE);
	munmap(lowest, p + 4 * PAGE - lowest);
}

TEST(gap_none, "a PROT_NONE neighbour imposes no gap")
{
	char *p = stack_area(600);
	char *below = map_at(p - 400 * PAGE, PAGE, PROT_NONE);

	CHECK_NO_FAULT(store(below + PAGE, 1));
	CHECK_EQ(start_of(p), below + PAGE);
	munmap(below, p + 4 * PAGE - below);
}

TEST(not_through, "it does not grow through another mapping")
{
	char *p = stack_area(600);
	char *below = map_at(p - 300 * PAGE, PAGE, PROT_NONE);

	CHECK_FAULT(store(below - 1, 1), SIGSEGV, SEGV_MAPERR, below - 1);
	CHECK_EQ(start_of(p), p);
	munmap(below, PAGE);
	munmap(p, 4 * PAGE);
}

TEST(placement, "mmap keeps the gap below a GROWSDOWN area")
{
	/* A hole just under the stack area, too small for the request plus the gap. */
	char *at = free_area(1200);
	char *p = mmap(at + 1000 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0);

	MUST(p == at + 1000 * PAGE);
	char *q = mmap(p - 100 * PAGE, PAGE, RW, ANON, -1, 0);

	CHECK(q != MAP_FAILED);
	CHECK(q >= p || q + PAGE + GAP * PAGE <= p);
	munmap(q, PAGE);
	q = mmap(p - 100 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	CHECK_EQ(q, p - 100 * PAGE);
	munmap(q, PAGE);
	munmap(p, 4 * PAGE);
}

FORKED_TEST(rlimit, "RLIMIT_STACK bounds a GROWSDOWN area")
{
	char *p = stack_area(600);
	struct rlimit rl = { 64 * PAGE, RLIM_INFINITY };

	MUST(!setrlimit(RLIMIT_STACK, &rl));
	CHECK_NO_FAULT(store(p - 60 * PAGE, 1));
	CHECK_FAULT(store(p - 61 * PAGE, 1), SIGSEGV, SEGV_MAPERR, p - 61 * PAGE);
}

FORKED_TEST(rlimit_as, "so does RLIMIT_AS")
{
	char *p = stack_area(600);
	long vm = proc_value("/proc/self/statm", "");
	struct rlimit rl = { (vm + 10) * PAGE, RLIM_INFINITY };

	MUST(!setrlimit(RLIMIT_AS, &rl));
	CHECK_FAULT(store(p - 50 * PAGE, 1), SIGSEGV, SEGV_MAPERR, p - 50 * PAGE);
	CHECK_NO_FAULT(store(p - 5 * PAGE, 1));
}

__attribute__((noinline)) static int recurse(int depth)
{
	volatile char frame[8192];

	memset((char *)frame, depth, sizeof(frame));
	return depth ? recurse(depth - 1) + frame[5] * 0 : 0;
}

FORKED_TEST(process_stack, "the process stack grows by 4 MiB of recursion")
{
	long before = proc_value("/proc/self/status", "VmStk:");

	CHECK_EQ(recurse(512), 0);
	CHECK(proc_value("/proc/self/status", "VmStk:") >= before + 4096 - 300);
}

static volatile int depth_limit = -1;

__attribute__((noinline)) static int endless(int depth)
{
	volatile char frame[4096];

	frame[0] = depth;
	return depth == depth_limit ? 0 : endless(depth + 1) + frame[0];
}

FORKED_TEST(overflow,
	    "endless recursion ends in SIGSEGV at the limit, handled on the alternate stack")
{
	char here;
	struct rlimit rl = { 1 * MIB, RLIM_INFINITY };

	MUST(!setrlimit(RLIMIT_STACK, &rl));
	CATCH(endless(0));
	CHECK_EQ(fault_seen.sig, SIGSEGV);
	CHECK_EQ(fault_seen.code, SEGV_MAPERR);
	CHECK_RANGE((unsigned long)&here - fault_seen.addr, MIB / 2, MIB + 64 * PAGE);
}

/* With this handler of SIGSEGV, which finds no stack to run on. */
static void check_overflow_kills(void (*handler)(int sig))
{
	pid_t pid = fork_checked();
	int status;

	if (!pid) {
		struct rlimit rl = { 256 * 1024, 256 * 1024 };

		signal(SIGSEGV, handler);
		setrlimit(RLIMIT_STACK, &rl);
		endless(0);
		_exit(0);
	}
	status = wait_for(pid);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

TEST(overflow_no_altstack, "without an alternate stack the overflow kills with SIGSEGV")
{
	check_overflow_kills(SIG_DFL);
}

static void never_entered(int sig)
{
	_exit(sig);
}

TEST(handler_no_stack, "a handler that cannot be entered for lack of stack kills with SIGSEGV")
{
	check_overflow_kills(never_entered);
}

TEST(name, "maps calls it [stack]")
{
	struct map m;
	int local = 0;

	MUST(map_find(&local, &m));
	CHECK_STR(m.name, "[stack]");
	CHECK_STR(m.perms, "rw-p");
}

TEST_MAIN()
