/* SPDX-License-Identifier: MIT
 *
 * Thread-local storage: __thread variables, thread-specific data with destructors, many threads, and that
 * the FS and GS bases stay with their thread wherever it runs.
 */
#include "crew.h"
#include <limits.h>

#define ARCH_SET_GS 0x1001
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004

static __thread int number = 7;
static __thread long zero[1000];
static __thread __attribute__((aligned(256))) char aligned[3] = "ab";

static void *addresses[16];

static long fresh_copy(int me)
{
	long bad = number != 7 || memcmp(aligned, "ab", 3) || (unsigned long)aligned % 256;

	for (size_t i = 0; i < 1000; i++)
		bad += zero[i] != 0;
	number = me;
	memset(zero, me, sizeof(zero));
	addresses[me] = &number;
	for (int i = 0; i < 20; i++) {
		sched_yield();
		bad += number != me || *(unsigned char *)&zero[i] != me;
	}
	return bad;
}

TEST(variables,
     "each of 16 threads has its own __thread variables with their first values and alignment")
{
	number = 7;
	CHECK_EQ(crew(16, fresh_copy), 0);
	CHECK_EQ(number, 7);
	for (int i = 0; i < 16; i++)
		for (int j = 0; j < i; j++)
			CHECK(addresses[i] != addresses[j] && addresses[i] != &number);
}

static void *one_of_many(void *arg)
{
	long bad = number != 7;

	number = (int)(long)arg;
	sched_yield();
	return (void *)(bad + (number != (long)arg));
}

TEST(many, "600 short threads, 30 at a time")
{
	pthread_t t[30];

	for (long round = 0; round < 20; round++) {
		for (int i = 0; i < 30; i++)
			t[i] = start(one_of_many, (void *)(round * 30 + i));
		for (int i = 0; i < 30; i++)
			CHECK_EQ(finish(t[i]), 0);
	}
}

/* ---- registers ---- */

static long watch_bases(int me)
{
	unsigned long mine = 0xabc000 + me, fs = 0, gs = 0, value;
	long bad = 0;

	raw_syscall(SYS_arch_prctl, ARCH_SET_GS, (long)&mine, 0, 0, 0, 0);
	raw_syscall(SYS_arch_prctl, ARCH_GET_FS, (long)&fs, 0, 0, 0, 0);
	for (int i = 0; i < 20000; i++) {
		unsigned long self;

		__asm__ volatile("mov %%gs:0, %0" : "=r"(value));
		__asm__ volatile("mov %%fs:0, %0" : "=r"(self));
		bad += value != mine || self != fs;
		if (i % 64 == 0)
			sched_yield();
		if (i % 1024 == 0)
			pin(0, nth_cpu(i / 1024 + me)); /* on to the next CPU */
	}
	raw_syscall(SYS_arch_prctl, ARCH_GET_GS, (long)&gs, 0, 0, 0, 0);
	bad += gs != (unsigned long)&mine;
	raw_syscall(SYS_arch_prctl, ARCH_SET_GS, 0, 0, 0, 0, 0);
	return bad;
}

TEST(bases, "FS and GS bases stay with each of six threads through switches and moves between CPUs")
{
	CHECK_EQ(crew(6, watch_bases), 0);
}

static volatile sig_atomic_t seen_in_handler;

static void look(int sig UNUSED)
{
	seen_in_handler = number;
}

static void *with_signal(void *arg UNUSED)
{
	number = 99;
	pthread_kill(pthread_self(), SIGUSR1);
	return (void *)(long)seen_in_handler;
}

TEST(handler, "a signal handler sees the variables of the thread it interrupts")
{
	signal(SIGUSR1, look);
	CHECK_EQ(finish(start(with_signal, NULL)), 99);
	signal(SIGUSR1, SIG_DFL);
}

static void *fork_in_thread(void *arg UNUSED)
{
	number = 55;
	pid_t pid = fork_checked();

	if (!pid) {
		CHECK_EQ(number, 55);
		number = 56;
		child_exit();
	}
	reap_checked(pid);
	return (void *)(long)number;
}

TEST(fork, "the child of a thread goes on with that thread's variables")
{
	CHECK_EQ(finish(start(fork_in_thread, NULL)), 55);
}

/* ---- thread-specific data ---- */

static pthread_key_t key;
static atomic_int destroyed, rounds;

static void destroy(void *value)
{
	destroyed += (long)value == number;
}

static void *with_data(void *arg)
{
	number = (int)(long)arg;
	pthread_setspecific(key, arg);
	sched_yield();
	return (void *)(long)(pthread_getspecific(key) != arg);
}

TEST(destructors, "a destructor runs once for each of 40 threads, in that thread, with its value")
{
	pthread_t t[40];

	destroyed = 0;
	MUST(!pthread_key_create(&key, destroy));
	for (long i = 0; i < 40; i++)
		t[i] = start(with_data, (void *)(i + 1));
	for (int i = 0; i < 40; i++)
		CHECK_EQ(finish(t[i]), 0);
	CHECK_EQ(destroyed, 40);
	CHECK_EQ(pthread_getspecific(key), NULL);
	pthread_key_delete(key);
}

static void set_again(void *value)
{
	rounds++;
	pthread_setspecific(key, value);
}

TEST(again, "a destructor that sets the value again is called PTHREAD_DESTRUCTOR_ITERATIONS times")
{
	rounds = 0;
	MUST(!pthread_key_create(&key, set_again));
	CHECK_EQ(finish(start(with_data, (void *)1)), 0);
	CHECK_EQ(rounds, PTHREAD_DESTRUCTOR_ITERATIONS);
	pthread_key_delete(key);
}

TEST_MAIN()
