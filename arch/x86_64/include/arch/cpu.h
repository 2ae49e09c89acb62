/* SPDX-License-Identifier: MIT
 *
 * Part of the seam: which CPU this is.
 * tests/host/include/arch/cpu.h replaces this file on the host.
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <kern/types.h>

#define MAX_CPUS 64
#define CPU_NR_STATS 160 /* room for mm/stats.def */

/* What GS points to in the kernel. Offsets are pinned by static_assert in cpu/percpu.c for NASM. */
struct cpu {
	struct cpu *self;	   /* 0 */
	unsigned long user_rsp;	   /* 8: syscall entry's scratch */
	unsigned long kstack_top;  /* 16: top of the running task's kernel stack */
	struct task *current_task; /* 24 */
	unsigned int id;	   /* 32 */
	unsigned int need_resched; /* 36: set from interrupts, read on the way back to user mode */
	unsigned int irq_depth;	   /* 40: interrupt handlers active on this CPU */
	unsigned int apic_id;	   /* 44 */
	struct tlb_context *tlb;   /* the address space in CR3; NULL: the kernel's own */
	u64 callers;		   /* atomic: bit n: CPU n waits for smp_call_interrupt() here */
	bool tlb_lazy;		   /* atomic: tlb is loaded and nobody uses it (mm/tlb.c) */
	bool tlb_stale;		   /* atomic: a flush was skipped because of that */
	struct tss *tss;	   /* [I] */
	unsigned long rcu_count;   /* own CPU's to write: kernel/sync/rcu.c */
#ifdef CONFIG_DEBUG
	unsigned int rcu_depth; /* read sections */
#endif
	long stats[CPU_NR_STATS]; /* this CPU's part of each counter */
} __aligned(64);

extern struct cpu cpus[MAX_CPUS]; /* cpu/percpu.c */
extern u64 cpus_online;		  /* atomic: bit n: CPU n runs and takes interrupts (cpu/smp.c) */

static inline bool cpu_is_online(unsigned int cpu)
{
	return __atomic_load_n(&cpus_online, __ATOMIC_ACQUIRE) >> cpu & 1;
}

/* Above all CPUs that have ever been online: where loops over what each CPU has may end. */
static inline unsigned int cpu_limit(void)
{
	return 64 - (unsigned int)__builtin_clzll(__atomic_load_n(&cpus_online, __ATOMIC_ACQUIRE));
}

/*
 * Asked anew each time: a task that sleeps goes on elsewhere, so the number holds until it sleeps, or until
 * interrupts are on again for what interrupts use too.
 */
static inline unsigned int cpu_id(void)
{
	unsigned int id;

	__asm__ volatile("movl %%gs:32, %0" : "=r"(id));
	return id;
}

/* Read anew each time, on whatever CPU this is. */
static inline bool cpu_need_resched(void)
{
	unsigned int set;

	__asm__ volatile("movl %%gs:36, %0" : "=r"(set));
	return set;
}

static inline struct cpu *this_cpu(void)
{
	struct cpu *c;

	__asm__ volatile("movq %%gs:0, %0" : "=r"(c));
	return c;
}

/* One instruction, so that neither an interrupt nor a migration comes in between. */
static __always_inline void cpu_stat_add(unsigned int i, long n)
{
	if (__builtin_constant_p(i))
		__asm__ volatile("addq %1, %%gs:%c0"
				 :
				 : "i"(offsetof(struct cpu, stats) + i * sizeof(long)), "er"(n)
				 : "cc");
	else
		__asm__ volatile("addq %2, %%gs:%c1(,%0,8)"
				 :
				 : "r"((unsigned long)i), "i"(offsetof(struct cpu, stats)), "er"(n)
				 : "cc");
}

static inline long cpu_stat_read(unsigned int cpu, unsigned int i)
{
	return READ_ONCE(cpus[cpu].stats[i]);
}

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

#endif
