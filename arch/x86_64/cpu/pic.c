// SPDX-License-Identifier: MIT
/*
 * The pair of 8259 interrupt controllers (Intel 8259A data sheet): every PC has them at the same
 * ports, so no firmware table needs to be read for the serial lines. Where I/O APICs take their
 * place, they stay masked.
 */
#include <arch/apic.h>
#include <arch/io.h>
#include <arch/trap.h>

#define MASTER_COMMAND 0x20
#define MASTER_DATA 0x21
#define SLAVE_COMMAND 0xa0
#define SLAVE_DATA 0xa1

#define ICW1_INIT_ICW4 0x11
#define ICW4_8086 0x01
#define OCW2_EOI 0x20
#define OCW3_READ_ISR 0x0b
#define CASCADE_LINE 2

static u16 masked = 0xffff; /* the caller's to lock */

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

void pic_unmask(unsigned int line)
{
	masked &= (u16) ~(1u << line);
	if (line >= 8)
		masked &= (u16) ~(1u << CASCADE_LINE);
	write_masks();
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

bool pic_acknowledge(unsigned int line)
{
	bool spurious = is_spurious(line);

	if (line >= 8 && !spurious)
		outb(SLAVE_COMMAND, OCW2_EOI);
	if (line >= 8 || !spurious)
		outb(MASTER_COMMAND, OCW2_EOI);
	return !spurious;
}
