/* SPDX-License-Identifier: MIT
 *
 * membarrier: what is offered, what is refused, and that the expedited commands are a full barrier on the CPUs where
 * the process's other threads run.
 */
#include "crew.h"

#define CMD_QUERY 0
#define CMD_GLOBAL 1
#define CMD_GLOBAL_EXPEDITED 2
#define CMD_REGISTER_GLOBAL_EXPEDITED 4
#define CMD_PRIVATE_EXPEDITED 8
#define CMD_REGISTER_PRIVATE_EXPEDITED 16

static long membarrier(int cmd, int flags)
{
	return raw_syscall(SYS_membarrier, cmd, flags, 0, 0, 0, 0);
}

TEST(query, "the query names the global and the private expedited commands")
{
	long have = membarrier(CMD_QUERY, 0);

	CHECK_EQ(have & 7, CMD_GLOBAL | CMD_GLOBAL_EXPEDITED | CMD_REGISTER_GLOBAL_EXPEDITED);
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

TEST(global, "the global commands need no registration")
{
	CHECK_EQ(membarrier(CMD_GLOBAL, 0), 0);
	CHECK_EQ(membarrier(CMD_GLOBAL_EXPEDITED, 0), 0);
	CHECK_EQ(membarrier(CMD_REGISTER_GLOBAL_EXPEDITED, 0), 0);
	CHECK_EQ(membarrier(CMD_GLOBAL_EXPEDITED, 0), 0);
	CHECK_EQ(membarrier(CMD_GLOBAL, 1), -EINVAL);
}

/*
 * The fast side stores to x and loads y with nothing in between but a barrier for the compiler; the slow
 * side stores to y, calls membarrier and loads x. That both load 0 is forbidden. Without a barrier on the
 * fast side's CPU its store may still be in the store buffer.
 */
static volatile int x, y;
static int fast_saw, slow_saw, command, rounds;
static atomic_int round_of[2];

static long dekker(int me)
{
	long bad = 0;

	MUST(!pin(0, nth_cpu(me)));
	for (int i = 1; i <= rounds; i++) {
		round_of[me] = 2 * i - 1;
		SPIN_UNTIL(round_of[!me] >= 2 * i - 1);
		if (me) {
			x = 1;
			__asm__ volatile("" ::: "memory");
			fast_saw = y;
		} else {
			y = 1;
			bad += membarrier(command, 0) != 0;
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

static void check_barrier(int cmd, int registration, int times)
{
	if (cpu_count() < 2)
		SKIP("one CPU");
	MUST(!membarrier(registration, 0));
	command = cmd;
	rounds = times;
	round_of[0] = round_of[1] = 0;
	watchdog(100, "membarrier");
	CHECK_EQ(crew(2, dekker), 0);
	watchdog(0, NULL);
}

TEST(barrier, "the private one orders another CPU's accesses, 2000 times")
{
	check_barrier(CMD_PRIVATE_EXPEDITED, CMD_REGISTER_PRIVATE_EXPEDITED, 2000);
}

TEST(global_barrier, "so does the global one, 500 times")
{
	check_barrier(CMD_GLOBAL_EXPEDITED, CMD_REGISTER_GLOBAL_EXPEDITED, 500);
}

TEST_MAIN()
