/* SPDX-License-Identifier: MIT
 *
 * Part of the seam: what a CPU reads under RCU, and how it says that it does not (kernel/sync/rcu.c).
 * tests/host/include/arch/rcu.h replaces this file on the host.
 */
#ifndef ARCH_RCU_H
#define ARCH_RCU_H

#include <arch/cpu.h>
#include <kern/assert.h>
#include <kern/types.h>

#ifdef CONFIG_DEBUG
#define rcu_read_depth(n) ((void)(this_cpu()->rcu_depth += (n)))
#define rcu_assert_not_reading() ASSERT(this_cpu()->rcu_depth == 0)
#else
#define rcu_read_depth(n) ((void)0)
#define rcu_assert_not_reading() ((void)0)
#endif

/* The compiler keeps what is read inside; a task switch is what ends it for others. They nest. */
static __always_inline void rcu_read_lock(void)
{
	rcu_read_depth(1);
	barrier();
}

static __always_inline void rcu_read_unlock(void)
{
	barrier();
	rcu_read_depth(-1);
}

static inline unsigned long rcu_cpu_count(unsigned int cpu)
{
	return __atomic_load_n(&cpus[cpu].rcu_count, __ATOMIC_ACQUIRE);
}

/* The scheduler is about to choose a task. An atomic operation follows before anything is read. */
static __always_inline void rcu_note_switch(void)
{
	struct cpu *c = this_cpu();

	rcu_assert_not_reading();
	__atomic_store_n(&c->rcu_count, c->rcu_count + 2, __ATOMIC_RELEASE);
}

/* This CPU, which starts or idled, reads from now on; or it does not any more. Interrupts off. */
static inline void rcu_start_reading(void)
{
	__atomic_add_fetch(&this_cpu()->rcu_count, 1, __ATOMIC_SEQ_CST);
}

static inline void rcu_stop_reading(void)
{
	rcu_assert_not_reading();
	__atomic_add_fetch(&this_cpu()->rcu_count, 1, __ATOMIC_SEQ_CST);
}

#endif
