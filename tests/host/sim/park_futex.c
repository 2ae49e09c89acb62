/* SPDX-License-Identifier: MIT
 *
 * Sleeping on the host: a thread is a task, and its wake-up token is a futex word.
 */
#include "sim.h"
#include "sim_host.h"

struct task {
	unsigned int token; /* 1: a wake-up that park() has not consumed */
	bool asleep;
	bool ended;		/* nobody may wake it any more */
	enum sim_signal signal; /* pending */
};

static __thread struct task self;

struct task *park_self(void)
{
	return &self;
}

void park(enum park_mode mode)
{
	BUG_ON(irqs_disabled());
	lockdep_may_sleep();
	if (__atomic_exchange_n(&self.token, 0, __ATOMIC_ACQUIRE) || park_interrupted(mode))
		return;
	__atomic_store_n(&self.asleep, true, __ATOMIC_RELAXED);
	host_futex_wait(&self.token, 0);
	__atomic_store_n(&self.asleep, false, __ATOMIC_RELAXED);
	__atomic_exchange_n(&self.token, 0, __ATOMIC_ACQUIRE);
}

void sim_wake_for_nothing(struct task *task)
{
	if (__atomic_exchange_n(&task->token, 1, __ATOMIC_RELEASE) == 0)
		host_futex_wake(&task->token);
}

unsigned int sim_unpark_yields;

void unpark(struct task *task)
{
	for (unsigned int i = 0; i < sim_unpark_yields; i++)
		host_yield();
	BUG_ON(__atomic_load_n(&task->ended, __ATOMIC_RELAXED));
	sim_wake_for_nothing(task);
}

void sim_task_ended(bool ended)
{
	__atomic_store_n(&self.ended, ended, __ATOMIC_RELAXED);
}

bool park_on_cpu(const struct task *task)
{
	return !__atomic_load_n(&task->asleep, __ATOMIC_RELAXED);
}

void sim_signal(struct task *task, enum sim_signal signal)
{
	__atomic_store_n(&task->signal, signal, __ATOMIC_RELAXED);
	unpark(task);
}

bool park_interrupted(enum park_mode mode)
{
	enum sim_signal pending = __atomic_load_n(&self.signal, __ATOMIC_RELAXED);

	if (mode == PARK_UNINTERRUPTIBLE)
		return false;
	return sim_caller.fatal_signal || pending == SIM_SIGNAL_FATAL ||
	       (mode == PARK_INTERRUPTIBLE && pending == SIM_SIGNAL_ANY);
}

void cond_resched(void)
{
	BUG_ON(irqs_disabled());
	lockdep_may_sleep();
}
