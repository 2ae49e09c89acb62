/* SPDX-License-Identifier: MIT
 *
 * The seam on the host: every thread is a CPU of its own; the main thread is CPU 0.
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <kern/types.h>

#include "sim_host.h"

#define MAX_CPUS 64
#define CPU_NR_STATS 160

struct cpu {
	unsigned int id;
	unsigned int need_resched;
	unsigned int irq_depth;
};

extern __thread struct cpu sim_cpu;

static inline unsigned int cpu_limit(void)
{
	return MAX_CPUS;
}

static inline unsigned int cpu_id(void)
{
	return sim_cpu.id;
}

static inline struct cpu *this_cpu(void)
{
	return &sim_cpu;
}

extern long sim_stats[MAX_CPUS][CPU_NR_STATS];

static inline void cpu_stat_add(unsigned int i, long n)
{
	__atomic_fetch_add(&sim_stats[cpu_id()][i], n, __ATOMIC_RELAXED);
}

static inline long cpu_stat_read(unsigned int cpu, unsigned int i)
{
	return __atomic_load_n(&sim_stats[cpu][i], __ATOMIC_RELAXED);
}

/* Whoever is waited for may have no CPU: there are more threads than CPUs. */
static inline void cpu_relax(void)
{
	host_yield();
}

#endif
