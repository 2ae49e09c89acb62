// SPDX-License-Identifier: MIT
/*
 * ISA interrupt lines and their handlers. They arrive through I/O APICs where the firmware describes
 * any, else through the pair of 8259s that every PC has. Also how often each CPU was interrupted, by
 * what.
 */
#include <arch/apic.h>
#include <arch/irq_stat.h>
#include <arch/madt.h>
#include <arch/setup.h>
#include <kern/printk.h>
#include <sync/spinlock.h>
#include <uapi/errno.h>

#define CASCADE_LINE 2 /* the second 8259's; no device has it */

struct irq_row irq_rows[MAX_CPUS];

static spinlock_t lock = SPINLOCK_INIT;
/* Written under the lock before the line is unmasked, never again. */
static struct {
	const char *name;
	void (*fn)(void *arg);
	void *arg;
} handlers[NR_ISA_LINES];
static bool by_ioapic; /* [I] */

void irq_init(const struct madt *m)
{
	pic_init();
	by_ioapic = m->nr_ioapics && ioapic_init(m);
	if (m->nr_ioapics && !by_ioapic)
		pr_warn("ACPI: no I/O APIC answers, using the 8259s");
}

bool irq_by_pic(void)
{
	return !by_ioapic;
}

static int unmask(unsigned int line)
{
	if (by_ioapic)
		return ioapic_route(line, cpus[0].apic_id);
	pic_unmask(line);
	return 0;
}

int irq_register(unsigned int line, const char *name, void (*fn)(void *arg), void *arg)
{
	irqflags_t flags;
	int err = -EBUSY;

	if (line >= NR_ISA_LINES || line == CASCADE_LINE)
		return -EINVAL;
	flags = spin_lock_irqsave(&lock);
	if (!handlers[line].fn) {
		handlers[line].arg = arg;
		handlers[line].fn = fn;
		err = unmask(line);
		if (err)
			handlers[line].fn = NULL;
		else
			WRITE_ONCE(handlers[line].name, name);
	}
	spin_unlock_irqrestore(&lock, flags);
	return err;
}

/* A level-triggered line would come again if it were acknowledged before its device is served. */
void irq_interrupt(unsigned int line)
{
	if (!by_ioapic && !pic_acknowledge(line))
		return;
	irq_count(line);
	if (handlers[line].fn)
		handlers[line].fn(handlers[line].arg);
	if (by_ioapic)
		lapic_eoi();
}

bool irq_line_describe(unsigned int line, struct irq_line *l)
{
	*l = (struct irq_line){ .name = READ_ONCE(handlers[line].name), .by_ioapic = by_ioapic };
	if (l->name && by_ioapic)
		ioapic_describe(line, &l->pin, &l->level);
	return l->name;
}
