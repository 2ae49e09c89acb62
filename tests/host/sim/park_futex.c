/* SPDX-License-Identifier: MIT
 *
 * Sleeping on the host: a thread is a task, and its wake-up token is a futex word.
 */
#include "sim.h"
#include "sim_host.h"

struct task {
	unsigned int token; /* 1: a wake-up that park() has not consumed */
};

static __thread struct task self;

struct task *park_self(void)
{
	return &self;
}

void park(enum park_mode mode)
{
	BUG_ON(irqs_disabled());
	if (__atomic_exchange_n(&self.token, 0, __ATOMIC_ACQUIRE) || park_interrupted(mode))
		return;
	host_futex_wait(&self.token, 0);
	__atomic_exchange_n(&self.token, 0, __ATOMIC_ACQUIRE);
}

void unpark(struct task *task)
{
	if (__atomic_exchange_n(&task->token, 1, __ATOMIC_RELEASE) == 0)
		host_futex_wake(&task->token);
}

bool park_interrupted(enum park_mode mode)
{
	return mode != PARK_UNINTERRUPTIBLE && sim_caller.fatal_signal;
}

void cond_resched(void)
{
	BUG_ON(irqs_disabled());
}
