/* SPDX-License-Identifier: MIT
 *
 * Segments and the task state segment of each CPU.
 */
#ifndef ARCH_GDT_H
#define ARCH_GDT_H

#include <kern/types.h>

#define KERNEL_CS 0x10
#define KERNEL_DS 0x18
#define USER_DS 0x2b
#define USER_CS 0x33
#define TSS_SELECTOR 0x40

/*
 * Interrupt stacks of a CPU, by IST index - 1. Double fault and machine check are both fatal and
 * share one.
 */
enum ist { IST_DOUBLE_FAULT = 1, IST_NMI, IST_DEBUG, NR_IST = 3 };
#define IST_STACK_SIZE 8192UL

struct tss {
	u32 reserved0;
	u64 rsp[3]; /* rsp[0]: stack for traps from user mode */
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3, iomap_base;
} __packed;

/* Interrupt stacks for a CPU that is about to start; the boot CPU has its own. False: no memory. */
bool __must_check gdt_alloc_stacks(unsigned int cpu);
/* Loads this CPU's own GDT and TSS; GS keeps pointing to its struct cpu. */
void gdt_init(void);

#endif
