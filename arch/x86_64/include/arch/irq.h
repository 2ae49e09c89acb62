/* SPDX-License-Identifier: MIT
 *
 * Part of the seam: interrupts on and off for this CPU.
 * tests/host/include/arch/irq.h replaces this file on the host.
 */
#ifndef ARCH_IRQ_H
#define ARCH_IRQ_H

#include <kern/types.h>

typedef unsigned long irqflags_t;

#define RFLAGS_IF 0x200UL

static inline void irq_enable(void)
{
	__asm__ volatile("sti" ::: "memory");
}

static inline void irq_disable(void)
{
	__asm__ volatile("cli" ::: "memory");
}

static inline irqflags_t irq_flags(void)
{
	irqflags_t f;

	__asm__ volatile("pushfq; popq %0" : "=r"(f)::"memory");
	return f;
}

static inline bool irqs_disabled(void)
{
	return !(irq_flags() & RFLAGS_IF);
}

/* Switches interrupts off and returns what irq_restore() needs. */
static inline irqflags_t irq_save(void)
{
	irqflags_t f = irq_flags();

	irq_disable();
	return f;
}

static inline void irq_restore(irqflags_t f)
{
	if (f & RFLAGS_IF)
		irq_enable();
}

#endif
