// SPDX-License-Identifier: MIT
/*
 * The interrupt descriptor table, shared by all CPUs. Only #BP and #OF may be raised by a program's
 * INT instruction; any other number, 0x80 included, ends in #GP as on a Linux without 32-bit
 * support.
 */
#include <arch/gdt.h>
#include <arch/trap.h>
#include <kern/types.h>

#define GATE_INTERRUPT 0x8e00u
#define GATE_DPL3 0x6000u
#define STUB_SIZE 16

struct gate {
	u16 offset_low, selector;
	u16 type; /* and the IST index */
	u16 offset_mid;
	u32 offset_high, reserved;
};

struct idt_pointer {
	u16 limit;
	u64 base;
} __packed;

extern const u8 trap_stubs[256][STUB_SIZE]; /* entry.asm */
void page_fault_entry(void);

static struct gate idt[256] __aligned(16);

static void set_gate(unsigned int vector, const void *handler, unsigned int type)
{
	u64 offset = (u64)handler;

	idt[vector] = (struct gate){
		.offset_low = (u16)offset,
		.selector = KERNEL_CS,
		.type = (u16)type,
		.offset_mid = (u16)(offset >> 16),
		.offset_high = (u32)(offset >> 32),
	};
}

void idt_init(void)
{
	for (unsigned int v = 0; v < ARRAY_SIZE(idt); v++)
		set_gate(v, trap_stubs[v], GATE_INTERRUPT);
	set_gate(TRAP_PF, (const void *)page_fault_entry, GATE_INTERRUPT);
	set_gate(TRAP_BP, trap_stubs[TRAP_BP], GATE_INTERRUPT | GATE_DPL3);
	set_gate(TRAP_OF, trap_stubs[TRAP_OF], GATE_INTERRUPT | GATE_DPL3);
	set_gate(TRAP_DF, trap_stubs[TRAP_DF], GATE_INTERRUPT | IST_DOUBLE_FAULT);
	set_gate(TRAP_MC, trap_stubs[TRAP_MC], GATE_INTERRUPT | IST_DOUBLE_FAULT);
	set_gate(TRAP_NMI, trap_stubs[TRAP_NMI], GATE_INTERRUPT | IST_NMI);
	set_gate(TRAP_DB, trap_stubs[TRAP_DB], GATE_INTERRUPT | IST_DEBUG);
	idt_load();
}

void idt_load(void)
{
	struct idt_pointer p = { sizeof(idt) - 1, (u64)idt };

	__asm__ volatile("lidt %0" : : "m"(p));
}
