/* SPDX-License-Identifier: MIT
 *
 * The seam on the host: interrupts off is a lock of the CPU, which whoever interrupts it takes (arch/smp.h), so
 * that ThreadSanitizer sees what is not protected from interrupts and a CPU that is waited for in vain hangs.
 */
#ifndef ARCH_IRQ_H
#define ARCH_IRQ_H

#include <kern/types.h>

typedef unsigned long irqflags_t;

#define RFLAGS_IF 0x200UL

extern __thread irqflags_t sim_irqflags;

/* sim_cpu.c: the CPU's lock. */
void sim_interrupts_on(void);
void sim_interrupts_off(void);

static inline void irq_enable(void)
{
	if (!sim_irqflags)
		sim_interrupts_on();
}

static inline void irq_disable(void)
{
	if (sim_irqflags)
		sim_interrupts_off();
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

	irq_disable();
	return f;
}

static inline void irq_restore(irqflags_t f)
{
	if (f)
		irq_enable();
}

#endif
