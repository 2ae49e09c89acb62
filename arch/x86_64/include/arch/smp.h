/* SPDX-License-Identifier: MIT
 *
 * Part of the seam: several CPUs, and asking them to do something.
 * tests/host/include/arch/smp.h replaces this file on the host.
 */
#ifndef ARCH_SMP_H
#define ARCH_SMP_H

#include <kern/types.h>

/*
 * Runs fn(arg) on every CPU in the mask that is online (bit n: CPU n; the caller's own included) and
 * returns when all are done. fn runs with interrupts off and must be short. The caller has interrupts
 * on, and holds no spinlock that anybody takes with interrupts off: that CPU could never answer.
 */
void smp_call(u64 cpus, void (*fn)(void *arg), void *arg);

/* Makes a CPU look whether it has work on the way to user mode, or wakes it from idling. Any context. */
void smp_send_reschedule(unsigned int cpu);
/* The part of those who are asked; interrupts off. */
void smp_call_interrupt(void);

static inline void on_each_cpu(void (*fn)(void *arg), void *arg)
{
	smp_call(~0ULL, fn, arg);
}

#endif
