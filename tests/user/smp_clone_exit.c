/* SPDX-License-Identifier: MIT
 *
 * Threads that start while their process ends: none of them survives it, or wait() would not return.
 */
#include "crew.h"

#define ROUNDS 60

static void *nothing(void *arg)
{
	return arg;
}

/* At any moment some clone() is under way. */
static void *make_threads(void *arg)
{
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 16384);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (;;)
		if (pthread_create(&t, &attr, nothing, NULL))
			sched_yield();
	return arg;
}

static void wait_us(int us)
{
	for (int64_t end = now_ns(CLOCK_MONOTONIC) + us * 1000; now_ns(CLOCK_MONOTONIC) < end;)
		spin_pause();
}

/* A process with three threads that make threads. It ends by itself with status 7, or never. */
static pid_t breeder(int end_after_us)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (pid)
		return pid;
	for (int i = 0; i < 3; i++)
		start(make_threads, NULL);
	if (end_after_us < 0)
		make_threads(NULL);
	wait_us(end_after_us);
	_exit(7);
}

static int ended(pid_t pid)
{
	int status;

	MUST(waitpid(pid, &status, 0) == pid);
	return status;
}

TEST(exit_group, "exit_group while three threads clone, 60 times")
{
	int wrong = 0;

	watchdog(100, "a process that called exit_group");
	for (int i = 0; i < ROUNDS; i++)
		wrong += ended(breeder(100 + i * 53 % 900)) != 7 << 8;
	CHECK_EQ(wrong, 0);
	watchdog(0, NULL);
}

TEST(killed, "SIGKILL while four threads clone, 60 times")
{
	int wrong = 0;

	watchdog(100, "a process that was killed");
	for (int i = 0; i < ROUNDS; i++) {
		pid_t pid = breeder(-1);

		wait_us(200 + i * 53 % 900);
		MUST(!kill(pid, SIGKILL));
		wrong += ended(pid) != SIGKILL;
	}
	CHECK_EQ(wrong, 0);
	watchdog(0, NULL);
}

TEST_MAIN()
