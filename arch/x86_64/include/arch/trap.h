/* SPDX-License-Identifier: MIT
 *
 * Exceptions and interrupts: vectors and the C side of the entry stubs.
 */
#ifndef ARCH_TRAP_H
#define ARCH_TRAP_H

#include <arch/trap_frame.h>

/* Intel SDM vol. 3A, table 6-1. */
enum trap {
	TRAP_DE = 0,
	TRAP_DB = 1,
	TRAP_NMI = 2,
	TRAP_BP = 3,
	TRAP_OF = 4,
	TRAP_BR = 5,
	TRAP_UD = 6,
	TRAP_NM = 7,
	TRAP_DF = 8,
	TRAP_TS = 10,
	TRAP_NP = 11,
	TRAP_SS = 12,
	TRAP_GP = 13,
	TRAP_PF = 14,
	TRAP_MF = 16,
	TRAP_AC = 17,
	TRAP_MC = 18,
	TRAP_XM = 19,
};

#define VECTOR_PIC 0x20 /* 16 ISA lines */
#define VECTOR_MSI 0x30 /* NR_MSI messages */
#define VECTOR_TIMER 0xf0
#define VECTOR_CALL 0xf1       /* smp_call_interrupt() */
#define VECTOR_RESCHEDULE 0xf2 /* nothing but a look at the work on the way out */
#define VECTOR_SPURIOUS 0xff

/* Page-fault error code, SDM vol. 3A, 4.7. */
#define PF_PRESENT 0x1UL
#define PF_WRITE 0x2UL
#define PF_USER 0x4UL
#define PF_RSVD 0x8UL
#define PF_INSN 0x10UL

void idt_init(void); /* fills the table, which all CPUs share, and loads it */
void idt_load(void);

/* From entry.asm. Interrupts off; may be on when they return. */
void trap_dispatch(unsigned long vector, struct trap_frame *tf);
void page_fault_user(struct trap_frame *tf);
void page_fault_kernel(struct trap_frame *tf);
/*
 * The slow way out: reschedules, delivers signals, and leaves tf fit for IRETQ. Interrupts off when
 * it returns. Needed when task->work or need_resched is not 0.
 */
void exit_to_user_work(struct trap_frame *tf);

/*
 * Where a kernel instruction that faulted goes on: changes tf->rip. False: it had no business
 * faulting.
 */
bool extable_fixup(struct trap_frame *tf);
bool extable_covers(unsigned long rip);
void extable_init(void);

#endif
