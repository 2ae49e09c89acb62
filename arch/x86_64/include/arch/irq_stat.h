/* SPDX-License-Identifier: MIT
 *
 * How often each CPU was interrupted, and by what; /proc/interrupts shows it.
 */
#ifndef ARCH_IRQ_STAT_H
#define ARCH_IRQ_STAT_H

#include <arch/cpu.h>
#include <arch/madt.h>
#include <arch/setup.h>

enum irq_kind {
	IRQ_ISA,			  /* and the 15 that follow */
	IRQ_MSI = IRQ_ISA + NR_ISA_LINES, /* and the others */
	IRQ_TIMER = IRQ_MSI + NR_MSI,
	IRQ_RESCHEDULE,
	IRQ_CALL,
	IRQ_SPURIOUS,
	NR_IRQ_KINDS,
};

struct irq_row {
	u32 counts[NR_IRQ_KINDS]; /* written by the CPU itself, interrupts off; wraps around */
} __aligned(64);

extern struct irq_row irq_rows[MAX_CPUS]; /* cpu/irq.c */

static inline void irq_count(unsigned int kind)
{
	u32 *n = &irq_rows[cpu_id()].counts[kind];

	WRITE_ONCE(*n, *n + 1);
}

static inline u32 irq_count_read(unsigned int cpu, unsigned int kind)
{
	return READ_ONCE(irq_rows[cpu].counts[kind]);
}

struct irq_line {
	const char *name; /* what irq_register() was told */
	bool by_ioapic;	  /* not by the 8259 pair, and then: */
	bool level;
	u32 pin; /* of its chip */
};

/* What msi_register() was told; NULL for a message nobody has. */
const char *msi_describe(unsigned int msi);
/* False for a line nobody has. */
bool irq_line_describe(unsigned int line, struct irq_line *l);

#endif
