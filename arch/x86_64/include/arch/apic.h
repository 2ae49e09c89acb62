/* SPDX-License-Identifier: MIT
 *
 * Interrupt controllers: the CPU's local APIC for the timer, the pair of 8259s for ISA lines.
 */
#ifndef ARCH_APIC_H
#define ARCH_APIC_H

#include <kern/types.h>

#define LAPIC_PHYS 0xfee00000UL

/* This CPU's, timer masked; the boot CPU's lets 8259 interrupts through. */
void lapic_init(void);
unsigned int lapic_id(void);
void lapic_eoi(void);

/* A message to another CPU: a vector, or one of these. SDM vol. 3A, 11.6.1. Any context. */
#define IPI_NMI 0x4400u
#define IPI_INIT 0x4500u
#define IPI_STARTUP 0x4600u /* | page number of the code, below 1 MiB */
void lapic_send(unsigned int apic_id, u32 command);
void lapic_send_others(u32 command);

/* The timer counts down from ticks (0 stops it) and interrupts once. */
void lapic_timer_start(u32 ticks);
u32 lapic_timer_remaining(void);
/* The same without the interrupt, for calibration. */
void lapic_timer_start_masked(u32 ticks);

void pic_init(void); /* every line masked, vectors from VECTOR_PIC */
/* Runs the handler of an ISA line; interrupts off. */
void pic_interrupt(unsigned int line);

/* Measures TSC and LAPIC timer against the 8254; a few milliseconds. */
void clock_init(void);
/* The LAPIC timer interrupt. */
void clock_interrupt(bool from_user);

#endif
