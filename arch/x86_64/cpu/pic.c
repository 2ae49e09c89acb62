// SPDX-License-Identifier: MIT
/*
 * ISA interrupt lines through the pair of 8259 controllers (Intel 8259A data sheet): every PC has
 * them at the same ports, so no firmware table needs to be read for the serial lines.
 */
#include <arch/apic.h>
#include <arch/io.h>
#include <arch/irq.h>
#include <arch/setup.h>
#include <arch/trap.h>
#include <sync/spinlock.h>
#include <uapi/errno.h>

#define MASTER_COMMAND 0x20
#define MASTER_DATA 0x21
#define SLAVE_COMMAND 0xa0
#define SLAVE_DATA 0xa1

#define ICW1_INIT_ICW4 0x11
#define ICW4_8086 0x01
#define OCW2_EOI 0x20
#define OCW3_READ_ISR 0x0b
#define CASCADE_LINE 2
#define NR_LINES 16

static spinlock_t lock = SPINLOCK_INIT;
/* Written under the lock before the line is unmasked. */
static struct {
	void (*fn)(void *arg);
	void *arg;
} handlers[NR_LINES];
static u16 masked = 0xffff & ~(1u << CASCADE_LINE); /* [lock] */

static void write_masks(void)
{
	outb(MASTER_DATA, (u8)masked);
	outb(SLAVE_DATA, (u8)(masked >> 8));
}

void pic_init(void)
{
	outb(MASTER_COMMAND, ICW1_INIT_ICW4);
	outb(SLAVE_COMMAND, ICW1_INIT_ICW4);
	outb(MASTER_DATA, VECTOR_PIC);
	outb(SLAVE_DATA, VECTOR_PIC + 8);
	outb(MASTER_DATA, 1u << CASCADE_LINE);
	outb(SLAVE_DATA, CASCADE_LINE);
	outb(MASTER_DATA, ICW4_8086);
	outb(SLAVE_DATA, ICW4_8086);
	write_masks();
}

int irq_register(unsigned int line, void (*fn)(void *arg), void *arg)
{
	irqflags_t flags;
	int err = -EBUSY;

	if (line >= NR_LINES || line == CASCADE_LINE)
		return -EINVAL;
	flags = spin_lock_irqsave(&lock);
	if (!handlers[line].fn) {
		handlers[line].arg = arg;
		handlers[line].fn = fn;
		masked &= (u16) ~(1u << line);
		write_masks();
		err = 0;
	}
	spin_unlock_irqrestore(&lock, flags);
	return err;
}

/* Line 7 of a controller also stands for a request that went away; it is not in service then. */
static bool is_spurious(unsigned int line)
{
	u16 port = line < 8 ? MASTER_COMMAND : SLAVE_COMMAND;

	if (line % 8 != 7)
		return false;
	outb(port, OCW3_READ_ISR);
	return !(inb(port) & 0x80);
}

static void end_of_interrupt(unsigned int line)
{
	if (line >= 8)
		outb(SLAVE_COMMAND, OCW2_EOI);
	outb(MASTER_COMMAND, OCW2_EOI);
}

void pic_interrupt(unsigned int line)
{
	if (is_spurious(line)) {
		if (line >= 8)
			outb(MASTER_COMMAND, OCW2_EOI);
		return;
	}
	end_of_interrupt(line);
	if (handlers[line].fn)
		handlers[line].fn(handlers[line].arg);
}
