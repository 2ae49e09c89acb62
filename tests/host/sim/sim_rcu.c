/* SPDX-License-Identifier: MIT
 *
 * RCU on the host: no thread makes the calls, so a test that wants them calls rcu_barrier().
 */
#include <sync/rcu.h>

#include "sim_host.h"

unsigned long sim_rcu_counts[MAX_CPUS];
__thread unsigned int sim_rcu_depth;

void rcu_wake_later(void)
{
}

void rcu_wait_for_work(void)
{
}

void rcu_hurry(unsigned int cpu)
{
	(void)cpu;
}

void rcu_pause(void)
{
	host_yield();
}
