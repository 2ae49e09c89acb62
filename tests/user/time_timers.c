/* SPDX-License-Identifier: MIT
 *
 * alarm and the three interval timers.
 */
#include "crew.h"
#include <sys/time.h>

static volatile int count;

static void handler(int sig UNUSED)
{
	count++;
}

static void wait_count(int n)
{
	for (int i = 0; i < 1000 && count < n; i++)
		sleep_ms(2);
	CHECK(count >= n);
}

TEST(oneshot, "ITIMER_REAL fires once, not early")
{
	struct itimerval it = { { 0, 0 }, { 0, 30000 } };
	int64_t start = now_ns(CLOCK_MONOTONIC);

	signal(SIGALRM, handler);
	count = 0;
	CHECK_OK(setitimer(ITIMER_REAL, &it, NULL));
	pause();
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 30000000);
	sleep_ms(50);
	CHECK_EQ(count, 1);
	CHECK_OK(getitimer(ITIMER_REAL, &it));
	CHECK(!it.it_value.tv_sec && !it.it_value.tv_usec);
}

TEST(periodic, "an interval fires again and again until it is stopped")
{
	struct itimerval it = { { 0, 10000 }, { 0, 10000 } }, old;

	count = 0;
	CHECK_OK(setitimer(ITIMER_REAL, &it, NULL));
	wait_count(5);
	memset(&it, 0, sizeof(it));
	CHECK_OK(setitimer(ITIMER_REAL, &it, &old));
	CHECK_EQ(old.it_interval.tv_usec, 10000);
	int was = count;

	sleep_ms(40);
	CHECK_EQ(count, was);
}

TEST(stopped_elsewhere,
     "no SIGALRM comes after setitimer() stopped the timer, armed on another CPU")
{
	const struct itimerval off = { { 0, 0 }, { 0, 0 } };
	int late = 0;

	for (int i = 0; i < 300; i++) {
		struct itimerval it = { { 0, 0 }, { 0, 20 + i * 37 % 400 } };
		int was;

		MUST(!pin(0, nth_cpu(i)));
		MUST(!setitimer(ITIMER_REAL, &it, NULL));
		MUST(!pin(0, nth_cpu(i + 1)));
		MUST(!setitimer(ITIMER_REAL, &off, NULL));
		was = count;
		for (int64_t end = now_ns(CLOCK_MONOTONIC) + 100000; now_ns(CLOCK_MONOTONIC) < end;)
			spin_pause();
		late += count != was;
	}
	unpin();
	CHECK_EQ(late, 0);
}

TEST(alarm_, "alarm returns the seconds left, 0 cancels")
{
	CHECK_EQ(alarm(100), 0);
	CHECK_RANGE(alarm(50), 99, 100);
	CHECK_RANGE(alarm(0), 49, 50);
	CHECK_EQ(alarm(0), 0);
}

TEST(virtual, "ITIMER_VIRTUAL and ITIMER_PROF count CPU time: they fire in a loop, not in sleep")
{
	static const int which[] = { ITIMER_VIRTUAL, ITIMER_PROF }, sig[] = { SIGVTALRM, SIGPROF };

	for (int k = 0; k < 2; k++) {
		struct itimerval it = { { 0, 0 }, { 0, 20000 } };
		int64_t start;

		signal(sig[k], handler);
		count = 0;
		CHECK_OK(setitimer(which[k], &it, NULL));
		int64_t cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);

		sleep_ms(60);
		/* An emulator that is held up may count that as work. */
		if (now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu < 15000000)
			CHECK_EQ(count, 0);
		start = now_ns(CLOCK_MONOTONIC);
		while (!count && now_ns(CLOCK_MONOTONIC) - start < 3000000000)
			;
		CHECK_EQ(count, 1);
	}
}

TEST(errors, "bad timer, bad microseconds: EINVAL")
{
	struct itimerval it = { { 0, 0 }, { 0, 1000000 } };

	CHECK_ERR(setitimer(3, &it, NULL), EINVAL);
	CHECK_ERR(getitimer(3, &it), EINVAL);
	CHECK_ERR(setitimer(ITIMER_REAL, &it, NULL), EINVAL);
	it.it_value = (struct timeval){ -1, 0 };
	CHECK_ERR(setitimer(ITIMER_REAL, &it, NULL), EINVAL);
}

TEST_MAIN()
