/* SPDX-License-Identifier: MIT
 *
 * What RCU asks of the kernel: a thread, a timer that wakes it, and CPUs that come by the scheduler.
 */
#include <arch/smp.h>
#include <kern/err.h>
#include <kernel/rcu.h>
#include <kernel/task.h>
#include <kernel/timer.h>
#include <sync/rcu.h>

static struct task *thread;
static bool due; /* [A] */

static void wake_thread(struct timer *t __maybe_unused)
{
	__atomic_store_n(&due, true, __ATOMIC_RELEASE);
	unpark(thread);
}

/* Before there is a thread nothing is freed; it looks for itself when it begins. */
void rcu_wake_later(void)
{
	static struct timer timer = { .func = wake_thread };

	if (__atomic_load_n(&thread, __ATOMIC_ACQUIRE))
		timer_set(&timer, clock_ns() + TICK_NS);
}

void rcu_wait_for_work(void)
{
	while (!__atomic_exchange_n(&due, false, __ATOMIC_ACQUIRE))
		park(PARK_UNINTERRUPTIBLE);
}

/* It runs a task: the next time that one leaves the kernel, or offers to, another may have its turn. */
void rcu_hurry(unsigned int cpu)
{
	__atomic_store_n(&cpus[cpu].need_resched, 1, __ATOMIC_RELAXED);
	smp_send_reschedule(cpu);
}

void rcu_pause(void)
{
	(void)sleep_until(clock_ns() + TICK_NS / 10, PARK_UNINTERRUPTIBLE);
}

static void thread_main(void *arg __maybe_unused)
{
	due = true;
	__atomic_store_n(&thread, current, __ATOMIC_RELEASE);
	rcu_thread();
}

void rcu_init(void)
{
	if (IS_ERR(kernel_thread(thread_main, NULL, "rcu_sched")))
		panic("no memory for the RCU thread");
}
