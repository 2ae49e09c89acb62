// SPDX-License-Identifier: MIT
/*
 * The local APIC (Intel SDM vol. 3A, chapter 11), in its memory-mapped form: the timer in one-shot
 * mode, messages between CPUs, and the 8259 pair behind the boot CPU's LINT0.
 */
#include <arch/apic.h>
#include <arch/cpu.h>
#include <arch/io.h>
#include <arch/irq.h>
#include <arch/page.h>
#include <arch/trap.h>

#define REG_ID 0x020
#define REG_EOI 0x0b0
#define REG_SPURIOUS 0x0f0
#define REG_ICR_LOW 0x300
#define REG_ICR_HIGH 0x310
#define REG_LVT_TIMER 0x320
#define REG_LVT_LINT0 0x350
#define REG_LVT_LINT1 0x360
#define REG_LVT_ERROR 0x370
#define REG_TIMER_INITIAL 0x380
#define REG_TIMER_CURRENT 0x390
#define REG_TIMER_DIVIDE 0x3e0
#define REG_TPR 0x080

#define SPURIOUS_ENABLE 0x100u
#define LVT_MASKED 0x10000u
#define LVT_NMI 0x400u
#define LVT_EXTINT 0x700u
#define DIVIDE_BY_16 0x3u
#define APIC_BASE_ENABLE (1UL << 11)
#define ICR_PENDING 0x1000u
#define ICR_OTHERS 0xc0000u /* to all CPUs but the sender */

phys_t lapic_phys = LAPIC_PHYS;

static volatile u32 *reg(unsigned int offset)
{
	return (volatile u32 *)((unsigned long)phys_to_virt(lapic_phys) + offset);
}

void lapic_init(void)
{
	wrmsr(MSR_APIC_BASE, (rdmsr(MSR_APIC_BASE) & 0xfff) | lapic_phys | APIC_BASE_ENABLE);
	this_cpu()->apic_id = lapic_id();
	*reg(REG_TPR) = 0;
	*reg(REG_LVT_TIMER) = LVT_MASKED;
	*reg(REG_LVT_LINT0) = this_cpu()->id == 0 && irq_by_pic() ? LVT_EXTINT : LVT_MASKED;
	*reg(REG_LVT_LINT1) = LVT_NMI;
	*reg(REG_LVT_ERROR) = LVT_MASKED;
	*reg(REG_TIMER_DIVIDE) = DIVIDE_BY_16;
	*reg(REG_SPURIOUS) = SPURIOUS_ENABLE | VECTOR_SPURIOUS;
	lapic_eoi();
}

unsigned int lapic_id(void)
{
	return *reg(REG_ID) >> 24;
}

/* The two halves of one command must not be torn apart by an interrupt that sends another. */
void lapic_send(unsigned int apic_id, u32 command)
{
	irqflags_t flags = irq_save();

	while (*reg(REG_ICR_LOW) & ICR_PENDING)
		cpu_relax();
	*reg(REG_ICR_HIGH) = apic_id << 24;
	*reg(REG_ICR_LOW) = command;
	irq_restore(flags);
}

void lapic_send_others(u32 command)
{
	lapic_send(0, ICR_OTHERS | command);
}

void lapic_eoi(void)
{
	*reg(REG_EOI) = 0;
}

void lapic_timer_start(u32 ticks)
{
	*reg(REG_LVT_TIMER) = VECTOR_TIMER;
	*reg(REG_TIMER_INITIAL) = ticks;
}

void lapic_timer_start_masked(u32 ticks)
{
	*reg(REG_LVT_TIMER) = LVT_MASKED | VECTOR_TIMER;
	*reg(REG_TIMER_INITIAL) = ticks;
}

u32 lapic_timer_remaining(void)
{
	return *reg(REG_TIMER_CURRENT);
}
