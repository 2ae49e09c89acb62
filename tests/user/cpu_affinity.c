/* SPDX-License-Identifier: MIT
 *
 * sched_setaffinity, sched_getaffinity and getcpu: lengths, errors, and that a task runs where it may.
 */
#include "test.h"
#include <pthread.h>
#include <sched.h>

#define MASK_WORDS 1024 /* more than any kernel has CPUs for */
#define MASK_BYTES (MASK_WORDS * sizeof(unsigned long))
#define NOBODY 65534

static unsigned long allowed[MASK_WORDS]; /* when the program started */
static long mask_size;			  /* what the kernel copies */

static bool has(const unsigned long *mask, int cpu)
{
	return mask[cpu / 64] >> cpu % 64 & 1;
}

static int next_cpu(const unsigned long *mask, int from)
{
	for (; from < MASK_WORDS * 64; from++)
		if (has(mask, from))
			return from;
	return -1;
}

static int count(const unsigned long *mask)
{
	int n = 0;

	for (int i = next_cpu(mask, 0); i >= 0; i = next_cpu(mask, i + 1))
		n++;
	return n;
}

static void one_cpu(unsigned long *mask, int cpu)
{
	memset(mask, 0, MASK_BYTES);
	mask[cpu / 64] = 1UL << cpu % 64;
}

static long set_one(pid_t pid, int cpu)
{
	static unsigned long mask[MASK_WORDS];

	one_cpu(mask, cpu);
	return SYS(sched_setaffinity, pid, MASK_BYTES, mask);
}

static void restore(void)
{
	MUST(!SYS(sched_setaffinity, 0, MASK_BYTES, allowed));
}

static int here(void)
{
	unsigned int cpu = ~0u;

	MUST(!SYS(getcpu, &cpu, NULL, NULL));
	return (int)cpu;
}

/* Field 39 of /proc/self/stat. */
static int cpu_in_stat(void)
{
	char *p = strrchr(slurp("/proc/thread-self/stat"), ')');

	for (int field = 2; field < 39; field++)
		p = strchr(p + 1, ' ');
	return atoi(p);
}

TEST(get, "the raw call returns the size of the kernel's mask and touches nothing behind it")
{
	memset(allowed, 0, sizeof(allowed));
	mask_size = SYS(sched_getaffinity, 0, MASK_BYTES, allowed);
	MUST(mask_size > 0);
	CHECK_EQ(mask_size % 8, 0);
	MUST(count(allowed) > 0);

	unsigned long mask[MASK_WORDS];

	memset(mask, 0xaa, sizeof(mask));
	CHECK_EQ(SYS(sched_getaffinity, getpid(), MASK_BYTES, mask), mask_size);
	CHECK(!memcmp(mask, allowed, mask_size));
	CHECK_EQ(mask[mask_size / 8], 0xaaaaaaaaaaaaaaaa);
	CHECK_EQ(SYS(sched_getaffinity, 0, mask_size, mask), mask_size);
	CHECK_EQ(SYS(sched_getaffinity, 0, mask_size + 8, mask), mask_size);
}

TEST(get_length, "the length is a multiple of 8 that holds all CPUs, else EINVAL")
{
	static const unsigned int bad[] = { 0, 1, 4, 7, 9, 12, 1023, 1025, ~0u };
	unsigned long mask[MASK_WORDS];

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_EQ(SYS(sched_getaffinity, 0, bad[i], mask), -EINVAL);
	/* The length is looked at first, then the task, then the address. */
	CHECK_EQ(SYS(sched_getaffinity, -1, 7, KERNEL_ADDRESS), -EINVAL);
	CHECK_EQ(SYS(sched_getaffinity, -1, MASK_BYTES, KERNEL_ADDRESS), -ESRCH);
	CHECK_EQ(SYS(sched_getaffinity, 0, MASK_BYTES, KERNEL_ADDRESS), -EFAULT);
	CHECK_EQ(SYS(sched_getaffinity, 0, MASK_BYTES, NULL), -EFAULT);
}

TEST(set_length, "a short mask has zeros behind it, a long one's excess is not read")
{
	char *end = free_area(1), *mask;
	int cpu = next_cpu(allowed, 0);

	map_at(end - PAGE, PAGE, RW);
	/* Just what the kernel wants, before the end of what is mapped. */
	mask = end - mask_size;
	memcpy(mask, allowed, mask_size);
	CHECK_EQ(SYS(sched_setaffinity, 0, MASK_BYTES, mask), 0);
	CHECK_EQ(SYS(sched_setaffinity, 0, mask_size, mask + 1), -EFAULT);
	if (cpu < 8) {
		mask = end - 1;
		*mask = (char)(1 << cpu);
		CHECK_EQ(SYS(sched_setaffinity, 0, 1, mask), 0);
		CHECK_EQ(here(), cpu);
	}
	CHECK_EQ(SYS(sched_setaffinity, 0, 0, mask), -EINVAL);
	restore();
	munmap(end - PAGE, PAGE);
}

TEST(set_errors, "setaffinity: address, then task, then mask")
{
	unsigned long mask[MASK_WORDS] = { 0 };
	pid_t gone = fork();

	if (!gone)
		_exit(0);
	MUST(gone > 0);
	wait_for(gone);
	CHECK_EQ(SYS(sched_setaffinity, -1, MASK_BYTES, NULL), -EFAULT);
	CHECK_EQ(SYS(sched_setaffinity, -1, MASK_BYTES, mask), -ESRCH);
	CHECK_EQ(SYS(sched_setaffinity, gone, MASK_BYTES, allowed), -ESRCH);
	CHECK_EQ(SYS(sched_getaffinity, gone, MASK_BYTES, mask), -ESRCH);
	CHECK_EQ(SYS(sched_setaffinity, 0, MASK_BYTES, mask), -EINVAL);
	/* A CPU that does not exist. */
	mask[MASK_WORDS - 1] = 1UL << 63;
	CHECK_EQ(SYS(sched_setaffinity, 0, MASK_BYTES, mask), -EINVAL);
}

TEST(absent, "CPUs that do not exist are left out of the mask")
{
	unsigned long mask[MASK_WORDS];

	memset(mask, 0xff, sizeof(mask));
	CHECK_EQ(SYS(sched_setaffinity, 0, MASK_BYTES, mask), 0);
	memset(mask, 0, sizeof(mask));
	CHECK_EQ(SYS(sched_getaffinity, 0, MASK_BYTES, mask), mask_size);
	CHECK(!memcmp(mask, allowed, sizeof(mask)));
	restore();
}

TEST(runs_there, "setaffinity returns on a CPU of the mask; getcpu and /proc/self/stat agree")
{
	unsigned long mask[MASK_WORDS];

	for (int cpu = next_cpu(allowed, 0); cpu >= 0; cpu = next_cpu(allowed, cpu + 1)) {
		char want[32];

		CHECK_EQ(set_one(0, cpu), 0);
		CHECK_EQ(here(), cpu);
		CHECK_EQ(cpu_in_stat(), cpu);
		sched_yield();
		sleep_ms(1);
		CHECK_EQ(here(), cpu);
		memset(mask, 0, sizeof(mask));
		SYS(sched_getaffinity, 0, MASK_BYTES, mask);
		CHECK(has(mask, cpu) && count(mask) == 1);
		snprintf(want, sizeof(want), "\nCpus_allowed_list:\t%d\n", cpu);
		CHECK(strstr(slurp("/proc/self/status"), want));
	}
	restore();
}

static void *report_mask(void *mask)
{
	memset(mask, 0, MASK_BYTES);
	SYS(sched_getaffinity, 0, MASK_BYTES, mask);
	return NULL;
}

TEST(inherited, "children and threads inherit the mask")
{
	static unsigned long mask[MASK_WORDS];
	int last = 0;
	pthread_t t;

	for (int cpu = next_cpu(allowed, 0); cpu >= 0; cpu = next_cpu(allowed, cpu + 1))
		last = cpu;
	MUST(!set_one(0, last));
	IN_CHILD
	{
		report_mask(mask);
		CHECK(has(mask, last) && count(mask) == 1);
		CHECK_EQ(here(), last);
	}
	MUST(!pthread_create(&t, NULL, report_mask, mask));
	MUST(!pthread_join(t, NULL));
	CHECK(has(mask, last) && count(mask) == 1);
	restore();
}

static volatile int running;

static void *spin(void *arg)
{
	*(volatile int *)arg = (int)SYS(gettid);
	while (running)
		;
	return (void *)(long)here();
}

TEST(moves_others, "a thread that computes, and one that sleeps, move where they are told")
{
	for (int cpu = next_cpu(allowed, 0); cpu >= 0; cpu = next_cpu(allowed, cpu + 1)) {
		volatile int tid = 0;
		int fds[2], status;
		pthread_t t;
		void *ran;
		pid_t pid;

		running = 1;
		MUST(!pthread_create(&t, NULL, spin, (void *)&tid));
		while (!tid)
			sched_yield();
		CHECK_EQ(set_one(tid, cpu), 0);
		running = 0;
		MUST(!pthread_join(t, &ran));
		CHECK_EQ(ran, cpu);

		MUST(!pipe(fds));
		pid = fork_checked();
		if (!pid) {
			char c;

			_exit(read(fds[0], &c, 1) == 1 && here() == cpu ? 0 : 1);
		}
		sleep_ms(2);
		CHECK_EQ(set_one(pid, cpu), 0);
		MUST(write(fds[1], "", 1) == 1);
		status = wait_for(pid);
		CHECK_EQ(status, 0);
		close(fds[0]);
		close(fds[1]);
	}
}

FORKED_TEST(permission, "another user's task: EPERM to change, free to look at")
{
	unsigned long mask[MASK_WORDS];
	pid_t parent = getppid(), pid;

	pid = fork_checked();
	if (!pid) {
		MUST(!setresuid(NOBODY, NOBODY, NOBODY));
		CHECK_EQ(SYS(sched_setaffinity, parent, MASK_BYTES, allowed), -EPERM);
		/* That comes before the mask is looked at. */
		memset(mask, 0, sizeof(mask));
		CHECK_EQ(SYS(sched_setaffinity, parent, MASK_BYTES, mask), -EPERM);
		CHECK_EQ(SYS(sched_getaffinity, parent, MASK_BYTES, mask), mask_size);
		CHECK_EQ(SYS(sched_setaffinity, 0, MASK_BYTES, allowed), 0);
		child_exit();
	}
	reap_checked(pid);
}

TEST(getcpu, "getcpu: every pointer may be NULL; EFAULT")
{
	unsigned int cpu = ~0u, node = ~0u;

	CHECK_EQ(SYS(getcpu, NULL, NULL, NULL), 0);
	CHECK_EQ(SYS(getcpu, &cpu, &node, (void *)KERNEL_ADDRESS), 0);
	CHECK(has(allowed, (int)cpu));
	CHECK(node < 1024);
	CHECK_EQ(SYS(getcpu, KERNEL_ADDRESS, NULL, NULL), -EFAULT);
	CHECK_EQ(SYS(getcpu, NULL, KERNEL_ADDRESS, NULL), -EFAULT);
}

TEST_MAIN()
