/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "fault.h"

#include <signal.h>
#include <ucontext.h>

sigjmp_buf fault_jump;
volatile struct caught fault_seen;
static char fault_stack[64 * 1024] __attribute__((aligned(16)));

static void fault_handler(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;

	fault_seen.sig = sig;
	fault_seen.code = si->si_code;
	fault_seen.addr = (unsigned long)si->si_addr;
	fault_seen.err = uc->uc_mcontext.gregs[REG_ERR];
	fault_seen.trapno = uc->uc_mcontext.gregs[REG_TRAPNO];
	fault_seen.rip = uc->uc_mcontext.gregs[REG_RIP];
	siglongjmp(fault_jump, 1);
}

static const int fault_signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
#define NR_FAULT_SIGNALS 5
static struct sigaction fault_saved[NR_FAULT_SIGNALS];

void faults_catch(void)
{
	stack_t ss = { .ss_sp = fault_stack, .ss_size = sizeof(fault_stack) };
	struct sigaction sa = { .sa_sigaction = fault_handler,
				.sa_flags = SA_SIGINFO | SA_ONSTACK };

	MUST(!sigaltstack(&ss, NULL));
	for (int i = 0; i < NR_FAULT_SIGNALS; i++)
		MUST(!sigaction(fault_signals[i], &sa, &fault_saved[i]));
	memset((void *)&fault_seen, 0, sizeof(fault_seen));
}

void faults_release(void)
{
	stack_t ss = { .ss_flags = SS_DISABLE };

	for (int i = 0; i < NR_FAULT_SIGNALS; i++)
		MUST(!sigaction(fault_signals[i], &fault_saved[i], NULL));
	MUST(!sigaltstack(&ss, NULL));
}
