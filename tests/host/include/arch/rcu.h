/* SPDX-License-Identifier: MIT
 *
 * The seam on the host: threads are preempted, so a reader says that it reads. A thread is a CPU.
 */
#ifndef ARCH_RCU_H
#define ARCH_RCU_H

#include <arch/cpu.h>
#include <kern/assert.h>
#include <kern/types.h>

extern unsigned long sim_rcu_counts[MAX_CPUS]; /* [A] */
extern __thread unsigned int sim_rcu_depth;

#define rcu_assert_not_reading() BUG_ON(sim_rcu_depth)

static inline void rcu_read_lock(void)
{
	if (sim_rcu_depth++ == 0)
		__atomic_add_fetch(&sim_rcu_counts[cpu_id()], 1, __ATOMIC_SEQ_CST);
}

static inline void rcu_read_unlock(void)
{
	if (--sim_rcu_depth == 0)
		__atomic_add_fetch(&sim_rcu_counts[cpu_id()], 1, __ATOMIC_SEQ_CST);
}

static inline unsigned long rcu_cpu_count(unsigned int cpu)
{
	return __atomic_load_n(&sim_rcu_counts[cpu], __ATOMIC_SEQ_CST);
}

#endif
