// SPDX-License-Identifier: MIT
/*
 * Waiting, stopping, switching off, starting again.
 */
#include <arch/apic.h>
#include <arch/cpu.h>
#include <arch/io.h>
#include <arch/irq.h>
#include <arch/setup.h>
#include <arch/timer.h>
#include <kern/console.h>

#define QEMU_DEBUG_EXIT 0xf4  /* isa-debug-exit: QEMU ends with status << 1 | 1 */
#define QEMU_PM_CONTROL 0x604 /* PM1a control of QEMU's machines */
#define PM_SLEEP_S5 0x2000
#define KEYBOARD_COMMAND 0x64
#define KEYBOARD_RESET 0xfe

/* STI holds interrupts back for one instruction, so none is lost between the two. */
void arch_idle(void)
{
	__asm__ volatile("sti\n\thlt\n\tcli" ::: "memory");
}

void arch_halt(void)
{
	for (;;)
		__asm__ volatile("cli\n\thlt");
}

void arch_stop_others(void)
{
	if (cpus_online != 1)
		lapic_send_others(IPI_NMI);
}

void arch_stop(unsigned int status)
{
	outl(QEMU_DEBUG_EXIT, status);
	arch_halt();
}

void arch_power_off(void)
{
	irq_disable();
	console_flush();
	outl(QEMU_DEBUG_EXIT, ARCH_STOP_OFF);
	outw(QEMU_PM_CONTROL, PM_SLEEP_S5);
	arch_halt();
}

/* The keyboard controller's reset line; where there is none, a triple fault. */
void arch_reboot(void)
{
	static const struct {
		u16 limit;
		u64 base;
	} __packed no_idt = { 0, 0 };

	irq_disable();
	console_flush();
	outb(KEYBOARD_COMMAND, KEYBOARD_RESET);
	__asm__ volatile("lidt %0\n\tint3" : : "m"(no_idt));
	arch_halt();
}
