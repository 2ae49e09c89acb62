/* SPDX-License-Identifier: MIT
 *
 * What ACPI's MADT says about the machine's interrupt controllers, one local APIC for each CPU.
 * The parser takes untrusted bytes, checks every length, and is fuzzed on the host.
 */
#ifndef ARCH_MADT_H
#define ARCH_MADT_H

#include <arch/cpu.h>

#define MAX_IOAPICS 8
#define NR_ISA_LINES 16

struct madt {
	unsigned int nr_cpus;	/* usable ones found; 0: no MADT, so one CPU and the 8259 pair */
	u32 apic_ids[MAX_CPUS]; /* in the order of the table; those above MAX_CPUS are ignored */
	phys_t lapic;		/* registers; 0: at their usual place */
	unsigned int nr_ioapics;
	struct {
		phys_t base;
		u32 gsi_base; /* its first line's number in the whole machine */
	} ioapics[MAX_IOAPICS];
	struct {
		u32 gsi; /* where the ISA line arrives; usually its own number */
		bool active_low, level;
	} isa[NR_ISA_LINES];
};

/*
 * Reads RSDP (rsdp 0: searched for in the BIOS areas), RSDT or XSDT, and MADT. map() returns an
 * address for physical bytes or NULL. 0; -ENODEV when there is no table, -EINVAL when it is damaged: *m
 * then describes a machine without MADT.
 */
int madt_parse(phys_t rsdp, const void *(*map)(phys_t pa, size_t len), struct madt *m);
/* A machine without MADT. */
void madt_none(struct madt *m);

#endif
