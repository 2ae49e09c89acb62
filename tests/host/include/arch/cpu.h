/* SPDX-License-Identifier: MIT
 *
 * The seam on the host: every thread is a CPU of its own; the main thread is CPU 0.
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <kern/types.h>

#define MAX_CPUS 64

struct cpu {
	unsigned int id;
	unsigned int need_resched;
};

extern __thread struct cpu sim_cpu;

static inline unsigned int cpu_id(void)
{
	return sim_cpu.id;
}

static inline struct cpu *this_cpu(void)
{
	return &sim_cpu;
}

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

#endif
