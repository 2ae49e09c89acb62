/* SPDX-License-Identifier: MIT
 *
 * membarrier: what is offered, what is refused, and that the private expedited command is a full barrier on
 * the CPUs where the process's other threads run.
 */
#include "crew.h"

#define CMD_QUERY 0
#define CMD_PRIVATE_EXPEDITED 8
#define CMD_REGISTER_PRIVATE_EXPEDITED 16

static long membarrier(int cmd, int flags)
{
	return raw_syscall(SYS_membarrier, cmd, flags, 0, 0, 0, 0);
}

TEST(query, "the query names the private expedited command and its registration")
{
	long have = membarrier(CMD_QUERY, 0);

	CHECK_EQ(have & CMD_PRIVATE_EXPEDITED, CMD_PRIVATE_EXPEDITED);
	CHECK_EQ(have & CMD_REGISTER_PRIVATE_EXPEDITED, CMD_REGISTER_PRIVATE_EXPEDITED);
}

TEST(refused, "unknown commands and flags: EINVAL")
{
	CHECK_EQ(membarrier(CMD_QUERY, 2), -EINVAL);
	CHECK_EQ(membarrier(1 << 20, 0), -EINVAL);
	CHECK_EQ(membarrier(CMD_PRIVATE_EXPEDITED | CMD_REGISTER_PRIVATE_EXPEDITED, 0), -EINVAL);
	CHECK_EQ(membarrier(-1, 0), -EINVAL);
}

TEST(registration, "EPERM before the registration, which may be repeated")
{
	CHECK_EQ(membarrier(CMD_PRIVATE_EXPEDITED, 0), -EPERM);
	CHECK_EQ(membarrier(CMD_REGISTER_PRIVATE_EXPEDITED, 0), 0);
	CHECK_EQ(membarrier(CMD_REGISTER_PRIVATE_EXPEDITED, 0), 0);
	CHECK_EQ(membarrier(CMD_PRIVATE_EXPEDITED, 0), 0);
	IN_CHILD
	CHECK_EQ(membarrier(CMD_PRIVATE_EXPEDITED, 0), 0);
}

/*
 * The fast side stores to x and loads y with nothing in between but a barrier for the compiler; the slow
 * side stores to y, calls membarrier and loads x. That both load 0 is forbidden. Without a barrier on the
 * fast side's CPU its store may still be in the store buffer.
 */
#define ROUNDS 2000
static volatile int x, y;
static int fast_saw, slow_saw;
static atomic_int round_of[2];

static long dekker(int me)
{
	long bad = 0;

	MUST(!pin(0, nth_cpu(me)));
	for (int i = 1; i <= ROUNDS; i++) {
		round_of[me] = 2 * i - 1;
		SPIN_UNTIL(round_of[!me] >= 2 * i - 1);
		if (me) {
			x = 1;
			__asm__ volatile("" ::: "memory");
			fast_saw = y;
		} else {
			y = 1;
			bad += membarrier(CMD_PRIVATE_EXPEDITED, 0) != 0;
			slow_saw = x;
		}
		round_of[me] = 2 * i;
		SPIN_UNTIL(round_of[!me] >= 2 * i);
		if (!me) {
			bad += !fast_saw && !slow_saw;
			x = y = 0;
		}
	}
	return bad;
}

TEST(barrier, "it orders another CPU's accesses, 2000 times")
{
	if (cpu_count() < 2)
		SKIP("one CPU");
	MUST(!membarrier(CMD_REGISTER_PRIVATE_EXPEDITED, 0));
	watchdog(100, "membarrier");
	CHECK_EQ(crew(2, dekker), 0);
	watchdog(0, NULL);
}

TEST_MAIN()
