/* SPDX-License-Identifier: MIT
 *
 * The seam on the host: interrupts are a flag of the thread, kept so that misuse is noticed.
 */
#ifndef ARCH_IRQ_H
#define ARCH_IRQ_H

#include <kern/types.h>

typedef unsigned long irqflags_t;

#define RFLAGS_IF 0x200UL

extern __thread irqflags_t sim_irqflags;

static inline void irq_enable(void)
{
	sim_irqflags = RFLAGS_IF;
}

static inline void irq_disable(void)
{
	sim_irqflags = 0;
}

static inline irqflags_t irq_flags(void)
{
	return sim_irqflags;
}

static inline bool irqs_disabled(void)
{
	return sim_irqflags == 0;
}

static inline irqflags_t irq_save(void)
{
	irqflags_t f = sim_irqflags;

	sim_irqflags = 0;
	return f;
}

static inline void irq_restore(irqflags_t f)
{
	sim_irqflags = f;
}

#endif
