/* SPDX-License-Identifier: MIT
 *
 * The events of /proc/vmstat: how many pages a call locked, unlocked, took off the lists and gave back.
 *
 * Linux counts in per-CPU batches, and other processes run: a count may be off by TOLERANCE. What must not
 * happen is checked with the same tolerance.
 */
#include "lock.h"
#include <sched.h>

#define N 500L
#define TOLERANCE 64

static struct events before;

/* Batches are a CPU's: the whole test stays on one. */
static void count_from_here(void)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	CPU_ZERO(&set);
	CPU_SET(cpu < 0 ? 0 : cpu, &set);
	MUST(!sched_setaffinity(0, sizeof(set), &set));
	drain_batches();
	before = events_now();
}

#define CHECK_COUNT(what, want)                                                                    \
	CHECK_RANGE(now.what - before.what, (want)-TOLERANCE, (want) + TOLERANCE)

#define CHECK_EVENTS(culled_, mlocked_, munlocked_, rescued_)                                      \
	do {                                                                                       \
		drain_batches();                                                                   \
		struct events now = events_now();                                                  \
		CHECK_COUNT(culled, culled_);                                                      \
		CHECK_COUNT(mlocked, mlocked_);                                                    \
		CHECK_COUNT(munlocked, munlocked_);                                                \
		CHECK_COUNT(rescued, rescued_);                                                    \
		CHECK_COUNT(cleared, 0);                                                           \
		CHECK_COUNT(stranded, 0);                                                          \
		before = events_now();                                                             \
	} while (0)

FORKED_TEST(absent, "mlock of absent pages: each is mlocked and culled")
{
	char *p = lonely_anon(N);

	count_from_here();
	MUST(!mlock(p, N * PAGE));
	CHECK_EVENTS(N, N, 0, 0);
}

FORKED_TEST(present, "mlock of present pages: the same; again, or mlock2 over it: nothing")
{
	char *p = lonely_anon(N);

	fill(p, N);
	count_from_here();
	MUST(!mlock(p, N * PAGE));
	CHECK_EVENTS(N, N, 0, 0);
	MUST(!mlock(p, N * PAGE) && !onfault(p, N * PAGE) && !mlock(p, N * PAGE));
	CHECK_EVENTS(0, 0, 0, 0);
}

FORKED_TEST(on_fault, "mlock2(ONFAULT): each page when it comes")
{
	char *p = lonely_anon(N);

	count_from_here();
	MUST(!onfault(p, N * PAGE));
	CHECK_EVENTS(0, 0, 0, 0);
	fill(p, N);
	CHECK_EVENTS(N, N, 0, 0);
}

FORKED_TEST(unlock, "munlock: each is munlocked and rescued")
{
	char *p = lonely_anon(N);

	MUST(!mlock(p, N * PAGE));
	count_from_here();
	MUST(!munlock(p, N * PAGE));
	CHECK_EVENTS(0, 0, N, N);
	MUST(!munlock(p, N * PAGE));
	CHECK_EVENTS(0, 0, 0, 0);
}

FORKED_TEST(unmap, "munmap and DONTNEED_LOCKED of locked pages: the same")
{
	char *p = lonely_anon(N), *q = lonely_anon(N);

	MUST(!mlock(p, N * PAGE) && !mlock(q, N * PAGE));
	count_from_here();
	MUST(!munmap(p, N * PAGE));
	CHECK_EVENTS(0, 0, N, N);
	MUST(!madvise(q, N * PAGE, MADV_DONTNEED_LOCKED));
	CHECK_EVENTS(0, 0, N, N);
}

FORKED_TEST(truncate_, "truncation of a locked file: the same")
{
	int fd = tmp_file(N * PAGE);
	char *p = lonely_file(N, RW, MAP_SHARED, fd);

	MUST(!mlock(p, N * PAGE));
	count_from_here();
	MUST(!ftruncate(fd, 0));
	CHECK_EVENTS(0, 0, N, N);
}

FORKED_TEST(exit_, "the exit of a process with locked pages: the same")
{
	char *p = lonely_anon(N);

	count_from_here();
	IN_CHILD
	{
		MUST(!mlock(p, N * PAGE));
	}
	CHECK_EVENTS(N, N, N, N);
}

FORKED_TEST(
	second_mapping,
	"a second locked mapping of the same pages counts nothing, nor the first munlock; the last does")
{
	int fd = tmp_file(N * PAGE);
	char *p = lonely_file(N, RW, MAP_SHARED, fd), *q = lonely_file(N, RW, MAP_SHARED, fd);

	count_from_here();
	MUST(!mlock(p, N * PAGE));
	CHECK_EVENTS(N, N, 0, 0);
	MUST(!mlock(q, N * PAGE));
	CHECK_EVENTS(0, 0, 0, 0);
	MUST(!munlock(p, N * PAGE));
	CHECK_EVENTS(0, 0, 0, 0);
	CHECK_EQ(kpageflags(q) & KPF_LOCK_BITS, KPF_LOCK_BITS);
	MUST(!munlock(q, N * PAGE));
	CHECK_EVENTS(0, 0, N, N);
}

FORKED_TEST(fork_, "fork counts nothing, nor does a child that reads and exits")
{
	char *p = lonely_anon(N);

	MUST(!mlock(p, N * PAGE));
	count_from_here();
	IN_CHILD
	{
		for (long i = 0; i < N; i++)
			load(p + i * PAGE);
	}
	CHECK_EVENTS(0, 0, 0, 0);
}

FORKED_TEST(
	cow,
	"the parent writes to pages that a child has: the old ones are unlocked, the new ones locked")
{
	char *p = lonely_anon(N), c;
	int fds[2];
	pid_t pid;

	fill(p, N);
	MUST(!mlock(p, N * PAGE) && !pipe(fds));
	pid = fork_checked();
	if (!pid) {
		close(fds[1]);
		MUST(read(fds[0], &c, 1) == 0);
		child_exit();
	}
	count_from_here();
	fill(p, N);
	CHECK_EVENTS(N, N, N, N);
	close(fds[1]);
	reap_checked(pid);
}

FORKED_TEST(move, "mremap that moves counts nothing")
{
	char *p = lonely_anon(N), *to = free_area(N + 2);

	MUST(!mlock(p, N * PAGE));
	count_from_here();
	MUST(mremap(p, N * PAGE, N * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	CHECK_EVENTS(0, 0, 0, 0);
}

FORKED_TEST(zero_page, "the zero page is never counted")
{
	char *p = lonely(N, PROT_READ, ANON);

	count_from_here();
	MUST(!mlock(p, N * PAGE) && !munlock(p, N * PAGE));
	CHECK_EVENTS(0, 0, 0, 0);
}

FORKED_TEST(meminfo, "Mlocked and Unevictable of /proc/meminfo follow, and nr_mlock of vmstat")
{
	char *p = lonely_anon(4 * N);
	long mlocked, unevictable, nr;

	count_from_here();
	mlocked = proc_value("/proc/meminfo", "Mlocked:");
	unevictable = proc_value("/proc/meminfo", "Unevictable:");
	nr = proc_value("/proc/vmstat", "nr_mlock");
	MUST(!mlock(p, 4 * N * PAGE));
	drain_batches();
	CHECK_RANGE(proc_value("/proc/meminfo", "Mlocked:") - mlocked, 16 * N - 1024,
		    16 * N + 1024);
	CHECK_RANGE(proc_value("/proc/meminfo", "Unevictable:") - unevictable, 16 * N - 1024,
		    16 * N + 1024);
	CHECK_RANGE(proc_value("/proc/vmstat", "nr_mlock") - nr, 4 * N - 256, 4 * N + 256);
	MUST(!munlockall());
	drain_batches();
	CHECK_RANGE(proc_value("/proc/meminfo", "Mlocked:") - mlocked, -1024, 1024);
	CHECK_RANGE(proc_value("/proc/meminfo", "Unevictable:") - unevictable, -1024, 1024);
}

TEST_MAIN()
