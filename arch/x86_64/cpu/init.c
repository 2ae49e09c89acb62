// SPDX-License-Identifier: MIT
/*
 * Bringing up the CPU that boots, in the two steps kernel/main.c asks for. The others: smp.c.
 */
#include <arch/apic.h>
#include <arch/cpufeature.h>
#include <arch/fpu.h>
#include <arch/gdt.h>
#include <arch/io.h>
#include <arch/setup.h>
#include <arch/topology.h>
#include <arch/trap.h>
#include <kern/printk.h>
#include <uapi/errno.h>

/* cpu/syscall.asm */
void syscall_entry(void);
void syscall_entry_compat(void);

#define RFLAGS_TF 0x100UL
#define RFLAGS_IF_DF 0x600UL
#define RFLAGS_IOPL_NT_RF 0x17000UL
#define RFLAGS_AC 0x40000UL

/* SYSRET takes CS from the base + 16 and SS from the base + 8. */
#define STAR_USER_BASE ((u64)(USER_DS - 8))

void syscall_init(void)
{
	wrmsr(MSR_STAR, STAR_USER_BASE << 48 | (u64)KERNEL_CS << 32);
	wrmsr(MSR_LSTAR, (u64)syscall_entry);
	wrmsr(MSR_CSTAR, (u64)syscall_entry_compat);
	wrmsr(MSR_FMASK, RFLAGS_TF | RFLAGS_IF_DF | RFLAGS_IOPL_NT_RF | RFLAGS_AC);
	wrmsr(MSR_SYSENTER_CS, 0);
}

void arch_cpu_init(void)
{
	gdt_init();
	extable_init();
	idt_init();
	cpu_features_init();
	topology_init();
	cpu_control_init();
	fpu_init();
	syscall_init();
}

static void report_madt(const struct boot_info *bi)
{
	const struct madt *m = &bi->madt;

	if (bi->madt_status == -EINVAL)
		pr_warn("ACPI: damaged tables; one CPU, no I/O APIC");
	else if (bi->madt_status)
		pr_info("ACPI: no MADT; one CPU, no I/O APIC");
	else
		pr_info("ACPI: %u CPUs, %u I/O APICs", m->nr_cpus, m->nr_ioapics);
}

void arch_irq_init(const struct boot_info *bi)
{
	report_madt(bi);
	fpu_cache_init();
	irq_init(&bi->madt);
	lapic_init();
	clock_init();
}
