/* SPDX-License-Identifier: MIT
 *
 * Accesses that cannot be: which signal, si_code, si_addr and page-fault error code.
 */
#include "test.h"

#define GENERAL_PROTECTION 13
#define PAGE_FAULT 14

TEST(unmapped, "unmapped: MAPERR, error code 4, 6, 0x14, the exact byte address")
{
	char *p = free_area(1);

	CHECK_FAULT(load(p + 123), SIGSEGV, SEGV_MAPERR, p + 123);
	CHECK_EQ(fault_seen.err, 4);
	CHECK_EQ(fault_seen.trapno, PAGE_FAULT);
	CHECK_FAULT(store(p + 4095, 1), SIGSEGV, SEGV_MAPERR, p + 4095);
	CHECK_EQ(fault_seen.err, 6);
	CHECK_FAULT(jump_to(p + 7), SIGSEGV, SEGV_MAPERR, p + 7);
	CHECK_EQ(fault_seen.err, 0x14);
	CHECK_EQ(fault_seen.rip, p + 7);
}

TEST(null, "NULL: MAPERR, si_addr 0")
{
	volatile unsigned long zero = 0;

	CHECK_FAULT(load((void *)zero), SIGSEGV, SEGV_MAPERR, 0);
	CHECK_EQ(fault_seen.err, 4);
	CHECK_FAULT(store((void *)zero, 1), SIGSEGV, SEGV_MAPERR, 0);
	CHECK_FAULT(jump_to((void *)zero), SIGSEGV, SEGV_MAPERR, 0);
	CHECK_EQ(fault_seen.rip, 0);
}

TEST(kernel, "a kernel address: MAPERR, error code with bit 0 set whatever is there")
{
	unsigned long where[] = { KERNEL_ADDRESS, 0xffffffff80000000UL, 0xffffffff81000000UL,
				  -PAGE };

	for (int i = 0; i < 4; i++) {
		void *p = (void *)where[i];

		CHECK_FAULT(load(p), SIGSEGV, SEGV_MAPERR, p);
		CHECK_EQ(fault_seen.err, 5);
		CHECK_FAULT(store(p, 1), SIGSEGV, SEGV_MAPERR, p);
		CHECK_EQ(fault_seen.err, 7);
		CHECK_FAULT(jump_to(p), SIGSEGV, SEGV_MAPERR, p);
		CHECK_EQ(fault_seen.err, 0x15);
	}
}

TEST(user_limit, "the page between the user limit and 2^47 is unmapped memory")
{
	void *p = (void *)USER_LIMIT;

	CHECK_FAULT(load(p), SIGSEGV, SEGV_MAPERR, p);
	CHECK_FAULT(jump_to(p), SIGSEGV, SEGV_MAPERR, p);
}

TEST(non_canonical, "a non-canonical address: general protection, SI_KERNEL, si_addr 0")
{
	void *p = (void *)NON_CANONICAL;

	CHECK_FAULT(load(p), SIGSEGV, SI_KERNEL, 0);
	CHECK_EQ(fault_seen.trapno, GENERAL_PROTECTION);
	CHECK_FAULT(store(p, 1), SIGSEGV, SI_KERNEL, 0);
	CHECK_FAULT(jump_to(p), SIGSEGV, SI_KERNEL, 0);
}

TEST(straddle, "an access that straddles a hole reports the first byte in the hole")
{
	char *p = map_at(free_area(2), PAGE, RW);

	CHECK_FAULT(*(volatile unsigned long *)(p + PAGE - 4), SIGSEGV, SEGV_MAPERR, p + PAGE);
	CHECK_FAULT(*(volatile unsigned long *)(p + PAGE - 4) = 1, SIGSEGV, SEGV_MAPERR, p + PAGE);
	CHECK_EQ(load(p + PAGE - 4), 0);
	munmap(p, PAGE);
}

TEST(kills, "without a handler SIGSEGV kills")
{
	char *p = free_area(1);
	pid_t pid = fork_checked();

	if (!pid) {
		load(p);
		_exit(0);
	}
	int status = wait_for(pid);

	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

TEST(ignored, "an ignored or blocked SIGSEGV from a fault kills all the same")
{
	char *p = free_area(1);

	for (int blocked = 0; blocked < 2; blocked++) {
		pid_t pid = fork_checked();

		if (!pid) {
			sigset_t set;

			sigemptyset(&set);
			sigaddset(&set, SIGSEGV);
			if (blocked)
				sigprocmask(SIG_BLOCK, &set, NULL);
			else
				signal(SIGSEGV, SIG_IGN);
			load(p);
			_exit(0);
		}
		int status = wait_for(pid);

		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	}
}

static char *repaired;

static void repair(int sig, siginfo_t *si, void *context UNUSED)
{
	if (sig == SIGSEGV && (char *)si->si_addr >= repaired)
		mprotect(repaired, PAGE, RW);
}

TEST(restarts, "a handler that repairs the mapping: the instruction runs again")
{
	struct sigaction sa = { .sa_sigaction = repair, .sa_flags = SA_SIGINFO }, old;

	repaired = map_anon(PAGE, PROT_NONE);
	MUST(!sigaction(SIGSEGV, &sa, &old));
	store(repaired + 10, 42);
	MUST(!sigaction(SIGSEGV, &old, NULL));
	CHECK_EQ(load(repaired + 10), 42);
	munmap(repaired, PAGE);
}

TEST_MAIN()
