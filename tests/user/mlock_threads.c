/* SPDX-License-Identifier: MIT
 *
 * Locking while other threads and processes change the same memory: whatever the order, VmLck is the sum
 * of the locked mappings, and nothing stays locked behind those who locked it.
 */
#include "crew.h"
#include "lock.h"

#define PAGES 64L
#define BIG 2048L
#define RUN_MS 700

static char *area;
static atomic_bool over;
static atomic_bool
	all_started; /* before that a new thread's stack could land in a hole of the area */

static unsigned int rnd(unsigned int *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static void run_for(int ms, pthread_t *threads, int n)
{
	sleep_ms(ms);
	over = true;
	for (int i = 0; i < n; i++)
		CHECK_EQ(finish(threads[i]), 0);
	over = false;
}

/* ---- population meets a replacement ---- */

static void *replacer(void *arg UNUSED)
{
	unsigned int state = 1;

	while (!over) {
		char *at = area + rnd(&state) % (BIG - 64) * PAGE;

		if (mmap(at, 64 * PAGE, RW, ANON | MAP_FIXED, -1, 0) != at)
			return (void *)1;
		if (munmap(at + 16 * PAGE, 8 * PAGE))
			return (void *)2;
		sched_yield();
	}
	return NULL;
}

FORKED_TEST(
	replaced,
	"mlock while another thread replaces and unmaps parts: 0 or ENOMEM, and the sums are right")
{
	pthread_t t;
	long result;

	watchdog(100, "mlock beside a thread that maps and unmaps");
	area = lonely_anon(BIG);
	t = start(replacer, NULL);
	for (int i = 0; i < 60; i++) {
		result = i & 1 ? SYS(munlock, area, BIG * PAGE) : SYS(mlock, area, BIG * PAGE);
		CHECK(result == 0 || result == -ENOMEM);
	}
	run_for(1, &t, 1);
	CHECK_EQ(vmlck(), locked_sum());
	MUST(mmap(area, BIG * PAGE, RW, ANON | MAP_FIXED, -1, 0) == area);
	CHECK_EQ(SYS(mlock, area, BIG * PAGE), 0);
	CHECK_EQ(rss(area, BIG), BIG);
	MUST(!munlockall());
	CHECK_EQ(vmlck(), 0);
}

/* ---- everything at once ---- */

static void one_call(unsigned int *state, int zero_fd)
{
	long page = rnd(state) % PAGES, n = 1 + rnd(state) % (PAGES - page);
	char *p = area + page * PAGE;
	size_t len = (size_t)n * PAGE;

	switch (rnd(state) % 11) {
	case 0:
	case 1:
		mlock(p, len);
		break;
	case 2:
		onfault(p, len);
		break;
	case 3:
	case 4:
		munlock(p, len);
		break;
	case 5:
		if (mmap(p, len, RW, ANON | MAP_FIXED | (n & 1 ? MAP_LOCKED : 0), -1, 0) != p)
			abort();
		break;
	case 6:
		mprotect(p, len, n % 3 ? RW : PROT_READ);
		break;
	case 7:
		madvise(p, len, MADV_DONTNEED_LOCKED);
		break;
	case 8:
		/* The kernel touches: what is not writable now is an error, not a signal. */
		if (read(zero_fd, p, len) < 0 && errno != EFAULT)
			abort();
		break;
	case 9:
		mremap(p, len, len, MREMAP_MAYMOVE | MREMAP_FIXED,
		       area + rnd(state) % PAGES * PAGE);
		break;
	case 10:
		munmap(p, len);
	}
}

static void *caller(void *arg)
{
	unsigned int state = (unsigned int)(long)arg;
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	SPIN_UNTIL(all_started);
	while (!over) {
		for (int i = 0; i < 50; i++)
			one_call(&state, fd);
		if (rnd(&state) % 8 == 0) {
			pid_t pid = fork();

			if (!pid) {
				for (int i = 0; i < 20; i++)
					one_call(&state, fd);
				_exit(0);
			}
			if (pid < 0 || waitpid(pid, NULL, 0) != pid)
				return (void *)1;
		}
	}
	close(fd);
	return NULL;
}

FORKED_TEST(all_at_once,
	    "four threads and their children lock, unlock, map, move, protect and drop one area")
{
	pthread_t t[CREW];
	long mlocked = proc_value("/proc/meminfo", "Mlocked:");

	watchdog(100, "threads that lock and map one area");
	area = lonely_anon(2 * PAGES);
	for (long i = 0; i < CREW; i++)
		t[i] = start(caller, (void *)(i + 1));
	all_started = true;
	run_for(RUN_MS, t, CREW);
	CHECK_EQ(vmlck(), locked_sum());
	MUST(mmap(area, PAGES * PAGE, RW, ANON | MAP_FIXED | MAP_LOCKED, -1, 0) == area);
	CHECK_EQ(rss(area, PAGES), PAGES);
	for (long i = 0; i < PAGES; i++) {
		drain_batches();
		CHECK_EQ(kpageflags(area + i * PAGE) & KPF_LOCK_BITS, KPF_LOCK_BITS);
	}
	MUST(!munmap(area, 2 * PAGES * PAGE));
	CHECK_EQ(vmlck(), locked_sum());
	drain_batches();
	CHECK_RANGE(proc_value("/proc/meminfo", "Mlocked:") - mlocked, -1024, 1024);
}

/* ---- a file shrinks under its lockers ---- */

static int file;

static void *locker(void *arg)
{
	char *p = area + (long)arg * (PAGES + 2) * (long)PAGE;

	while (!over) {
		if (mlock(p, PAGES * PAGE) && errno != ENOMEM)
			return (void *)1;
		if (munlock(p, PAGES * PAGE))
			return (void *)2;
	}
	return NULL;
}

static void *truncater(void *arg UNUSED)
{
	unsigned int state = 7;

	while (!over)
		if (ftruncate(file, rnd(&state) % (PAGES + 1) * PAGE))
			return (void *)1;
	return NULL;
}

FORKED_TEST(
	truncated,
	"a file that is cut and extended under two mappings being locked and unlocked: nothing stays locked")
{
	pthread_t t[3];
	struct events before, now;
	long mlocked;

	watchdog(100, "truncation beside mlock and munlock");
	drain_batches();
	mlocked = proc_value("/proc/meminfo", "Mlocked:");
	before = events_now();
	file = tmp_file(PAGES * PAGE);
	area = free_area(2 * (PAGES + 2));
	for (long i = 0; i < 2; i++)
		MUST(mmap(area + i * (PAGES + 2) * (long)PAGE, PAGES * PAGE, RW,
			  MAP_SHARED | MAP_FIXED_NOREPLACE, file, 0) != MAP_FAILED);
	t[0] = start(locker, (void *)0);
	t[1] = start(locker, (void *)1);
	t[2] = start(truncater, NULL);
	run_for(RUN_MS, t, 3);
	CHECK_EQ(vmlck(), 0);
	MUST(!ftruncate(file, 0));
	drain_batches();
	now = events_now();
	/* Whoever was locked was unlocked, or freed while it was. */
	CHECK_RANGE(now.mlocked - before.mlocked - (now.munlocked - before.munlocked) -
			    (now.cleared - before.cleared) - (now.stranded - before.stranded),
		    -256, 256);
	CHECK_RANGE(proc_value("/proc/meminfo", "Mlocked:") - mlocked, -1024, 1024);
}

/* ---- lockers that are killed ---- */

FORKED_TEST(killed, "processes killed while they lock, again and again: all they had comes back")
{
	long mlocked, unevictable;
	unsigned int state = 3;

	watchdog(100, "killing processes that lock");
	drain_batches();
	mlocked = proc_value("/proc/meminfo", "Mlocked:");
	unevictable = proc_value("/proc/meminfo", "Unevictable:");
	for (int i = 0; i < 30; i++) {
		pid_t pid = fork();
		int status;

		MUST(pid >= 0);
		if (!pid) {
			char *p = map_anon(BIG * PAGE, RW);

			for (;;) {
				mlock(p, BIG * PAGE);
				onfault(p, BIG * PAGE / 2);
				munlock(p, BIG * PAGE);
				munmap(p, BIG * PAGE / 4);
				p = mmap(p, BIG * PAGE, RW, ANON | MAP_FIXED | MAP_LOCKED, -1, 0);
			}
		}
		sleep_ms(rnd(&state) % 8);
		MUST(!kill(pid, SIGKILL));
		status = wait_for(pid);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	drain_batches();
	CHECK_RANGE(proc_value("/proc/meminfo", "Mlocked:") - mlocked, -1024, 1024);
	CHECK_RANGE(proc_value("/proc/meminfo", "Unevictable:") - unevictable, -1024, 1024);
}

/* ---- siblings go on ---- */

static void *toucher(void *arg UNUSED)
{
	long n = 0;

	while (!over) {
		char *p = mmap(NULL, 4 * PAGE, RW, ANON, -1, 0);

		if (p == MAP_FAILED)
			return (void *)-1L;
		fill(p, 4);
		if (munmap(p, 4 * PAGE))
			return (void *)-1L;
		n++;
	}
	return n ? NULL : (void *)-2L;
}

FORKED_TEST(siblings, "a sibling maps, touches and unmaps while mlock populates")
{
	pthread_t t;

	watchdog(100, "mapping beside mlock");
	area = lonely_anon(BIG);
	t = start(toucher, NULL);
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(SYS(mlock, area, BIG * PAGE), 0);
		CHECK_EQ(SYS(madvise, area, BIG * PAGE, MADV_DONTNEED_LOCKED), 0);
	}
	run_for(20, &t, 1);
	CHECK_EQ(vmlck(), BIG);
}

TEST_MAIN()
