/* SPDX-License-Identifier: MIT
 *
 * Clocks and sleeping.
 */
#include "test.h"
#include <sys/time.h>
#include <sys/times.h>

TEST(monotonic, "CLOCK_MONOTONIC never goes back and advances")
{
	int64_t last = now_ns(CLOCK_MONOTONIC), first = last;

	for (int i = 0; i < 20000; i++) {
		int64_t now = now_ns(CLOCK_MONOTONIC);

		if (now < last)
			FAIL("went back by %ld ns", (long)(last - now));
		last = now;
	}
	CHECK(last > first);
}

TEST(raw_call, "the system call and libc's vdso agree")
{
	struct timespec ts;
	int64_t before = now_ns(CLOCK_MONOTONIC);

	CHECK_EQ(SYS(clock_gettime, CLOCK_MONOTONIC, &ts), 0);
	int64_t mid = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;

	CHECK(mid >= before && mid <= now_ns(CLOCK_MONOTONIC));
}

TEST(kinds, "the other clocks, gettimeofday and time")
{
	struct timeval tv;
	struct timespec ts;

	CHECK_OK(clock_gettime(CLOCK_REALTIME, &ts));
	CHECK_OK(gettimeofday(&tv, NULL));
	CHECK_RANGE(tv.tv_sec - ts.tv_sec, 0, 2);
	CHECK_RANGE(time(NULL) - tv.tv_sec, -1, 2);
	CHECK_OK(clock_gettime(CLOCK_BOOTTIME, &ts));
	CHECK_OK(clock_gettime(CLOCK_MONOTONIC_RAW, &ts));
	CHECK_OK(clock_gettime(CLOCK_MONOTONIC_COARSE, &ts));
	CHECK_OK(clock_gettime(CLOCK_REALTIME_COARSE, &ts));
	CHECK_OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts));
	CHECK_OK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts));
	CHECK_EQ(SYS(clock_gettime, 99, &ts), -EINVAL);
	CHECK_OK(clock_getres(CLOCK_MONOTONIC, &ts));
	CHECK(ts.tv_sec == 0 && ts.tv_nsec > 0);
	CHECK_EQ(SYS(clock_getres, CLOCK_MONOTONIC, NULL), 0);
}

TEST(cpu_time, "CPU clocks count work, not sleep")
{
	int64_t cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID), wall = now_ns(CLOCK_MONOTONIC);

	sleep_ms(50);
	CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu < 40000000);
	cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	wall = now_ns(CLOCK_MONOTONIC);
	while (now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu < 20000000 &&
	       now_ns(CLOCK_MONOTONIC) - wall < 3000000000)
		;
	CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu >= 20000000);
	struct tms t;

	CHECK(times(&t) != (clock_t)-1);
}

TEST(sleep_, "nanosleep sleeps at least as long, 0 returns at once, bad values are EINVAL")
{
	struct timespec ts = { 0, 20000000 };
	int64_t start = now_ns(CLOCK_MONOTONIC);

	CHECK_OK(nanosleep(&ts, NULL));
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 20000000);
	ts.tv_nsec = 0;
	CHECK_OK(nanosleep(&ts, NULL));
	ts.tv_nsec = 1000000000;
	CHECK_ERR(nanosleep(&ts, NULL), EINVAL);
	ts.tv_nsec = -1;
	CHECK_ERR(nanosleep(&ts, NULL), EINVAL);
	ts = (struct timespec){ -1, 0 };
	CHECK_ERR(nanosleep(&ts, NULL), EINVAL);
}

TEST(absolute, "clock_nanosleep with TIMER_ABSTIME: until then, not at all when past")
{
	struct timespec ts;

	MUST(!clock_gettime(CLOCK_MONOTONIC, &ts));
	int64_t until = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec + 20000000;

	ts = (struct timespec){ until / 1000000000, until % 1000000000 };
	CHECK_EQ(SYS(clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) >= until);
	ts = (struct timespec){ 1, 0 };
	CHECK_EQ(SYS(clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL), 0);
	CHECK_EQ(SYS(clock_nanosleep, 99, 0, &ts, NULL), -EINVAL);
}

TEST(preempted, "two spinning children both advance: the CPU is shared")
{
	volatile unsigned long *n = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[2];

	MUST(n != MAP_FAILED);
	for (int i = 0; i < 2; i++) {
		pids[i] = fork_checked();
		if (!pids[i])
			for (;;)
				n[i * 64]++;
	}
	sleep_ms(150);
	unsigned long a = n[0], b = n[64];

	sleep_ms(150);
	CHECK(n[0] > a);
	CHECK(n[64] > b);
	for (int i = 0; i < 2; i++) {
		kill(pids[i], SIGKILL);
		wait_for(pids[i]);
	}
	munmap((void *)n, PAGE);
}

TEST_MAIN()
