// SPDX-License-Identifier: MIT
/*
 * I/O APICs (Intel 82093AA data sheet): each has pins, and for each pin an entry that says which
 * vector goes to which CPU. The MADT says on which pin of which chip an ISA line arrives; the pins of
 * all chips are numbered through ("global system interrupts").
 */
#include <arch/apic.h>
#include <arch/io.h>
#include <arch/madt.h>
#include <arch/page.h>
#include <arch/trap.h>
#include <uapi/errno.h>

/* Two registers, in memory: which of the chip's registers, and its content. */
#define SELECT 0x00
#define WINDOW 0x10

#define REG_VERSION 0x01
#define REG_ENTRY(pin) (0x10 + 2 * (pin)) /* two words each */
#define VERSION_LAST_PIN(v) ((v) >> 16 & 0xff)
#define MAX_PINS 240 /* where nothing answers, all bits read as ones */

#define ENTRY_ACTIVE_LOW 0x2000u
#define ENTRY_LEVEL 0x8000u
#define ENTRY_MASKED 0x10000u
#define ENTRY_HIGH_CPU(apic_id) ((apic_id) << 24)

struct ioapic {
	phys_t base;
	u32 gsi_base, nr_pins;
};

/* All [I] after ioapic_init(); the chips' registers are the caller's to lock. */
static struct ioapic chips[MAX_IOAPICS];
static unsigned int nr_chips;
static struct {
	u32 gsi;
	u32 mode; /* ENTRY_* */
	bool routed;
} lines[NR_ISA_LINES];

static volatile u32 *reg(const struct ioapic *c, unsigned int offset)
{
	return (volatile u32 *)((unsigned long)phys_to_virt(c->base) + offset);
}

static u32 chip_read(const struct ioapic *c, unsigned int index)
{
	*reg(c, SELECT) = index;
	return *reg(c, WINDOW);
}

static void chip_write(const struct ioapic *c, unsigned int index, u32 v)
{
	*reg(c, SELECT) = index;
	*reg(c, WINDOW) = v;
}

static void add_chip(phys_t base, u32 gsi_base)
{
	struct ioapic c = { .base = base, .gsi_base = gsi_base };

	c.nr_pins = VERSION_LAST_PIN(chip_read(&c, REG_VERSION)) + 1;
	if (c.nr_pins > MAX_PINS)
		return;
	for (u32 pin = 0; pin < c.nr_pins; pin++)
		chip_write(&c, REG_ENTRY(pin), ENTRY_MASKED);
	chips[nr_chips++] = c;
}

bool ioapic_init(const struct madt *m)
{
	for (unsigned int i = 0; i < m->nr_ioapics; i++)
		add_chip(m->ioapics[i].base, m->ioapics[i].gsi_base);
	for (unsigned int i = 0; i < NR_ISA_LINES; i++) {
		lines[i].gsi = m->isa[i].gsi;
		lines[i].mode = (m->isa[i].active_low ? ENTRY_ACTIVE_LOW : 0) |
				(m->isa[i].level ? ENTRY_LEVEL : 0);
	}
	return nr_chips > 0;
}

static const struct ioapic *chip_of(u32 gsi)
{
	for (unsigned int i = 0; i < nr_chips; i++)
		if (gsi >= chips[i].gsi_base && gsi - chips[i].gsi_base < chips[i].nr_pins)
			return &chips[i];
	return NULL;
}

static bool gsi_is_taken(u32 gsi)
{
	for (unsigned int i = 0; i < NR_ISA_LINES; i++)
		if (lines[i].routed && lines[i].gsi == gsi)
			return true;
	return false;
}

int ioapic_route(unsigned int line, unsigned int apic_id)
{
	u32 gsi = lines[line].gsi, entry;
	const struct ioapic *c = chip_of(gsi);

	if (!c)
		return -ENODEV;
	if (gsi_is_taken(gsi))
		return -EBUSY;
	lines[line].routed = true;
	entry = REG_ENTRY(gsi - c->gsi_base);
	chip_write(c, entry + 1, ENTRY_HIGH_CPU(apic_id));
	chip_write(c, entry, lines[line].mode | (VECTOR_PIC + line));
	return 0;
}

void ioapic_describe(unsigned int line, u32 *pin, bool *level)
{
	const struct ioapic *c = chip_of(lines[line].gsi);

	*pin = c ? lines[line].gsi - c->gsi_base : 0;
	*level = lines[line].mode & ENTRY_LEVEL;
}
