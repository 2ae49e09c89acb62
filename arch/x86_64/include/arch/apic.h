/* SPDX-License-Identifier: MIT
 *
 * Interrupt controllers: the CPU's local APIC for the timer and messages between CPUs; for ISA lines I/O
 * APICs, or the pair of 8259s.
 */
#ifndef ARCH_APIC_H
#define ARCH_APIC_H

#include <kern/types.h>

struct madt;

#define LAPIC_PHYS 0xfee00000UL /* unless the MADT says otherwise */

extern phys_t lapic_phys; /* [I] mapped by arch_memory_init() */

/*
 * This CPU's, timer masked; its number goes to this_cpu()->apic_id. The boot CPU's lets 8259 interrupts
 * through when lines come that way.
 */
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

/* ---- ISA lines: cpu/irq.c, which locks what the controllers need locked ---- */
void irq_init(const struct madt *m); /* every line masked, vectors from VECTOR_PIC */
/* Runs the handler of an ISA line; interrupts off. */
void irq_interrupt(unsigned int line);
/* Runs the handler of a message-signalled interrupt; interrupts off. */
void msi_interrupt(unsigned int msi);
/* Lines come through the 8259 pair, and not through I/O APICs. */
bool irq_by_pic(void);

void pic_init(void);
void pic_unmask(unsigned int line);
/* Ends the interrupt at the controllers. False: there was none. */
bool pic_acknowledge(unsigned int line);

/* False when none of them answers. */
bool ioapic_init(const struct madt *m);
/* From now on the line interrupts that CPU. 0; -ENODEV without such a pin; -EBUSY: another has it. */
int ioapic_route(unsigned int line, unsigned int apic_id);
/* How a routed line arrives. */
void ioapic_describe(unsigned int line, u32 *pin, bool *level);

/* Measures TSC and LAPIC timer against the 8254; a few milliseconds. */
void clock_init(void);
unsigned long clock_tsc_khz(void);
/* The LAPIC timer interrupt. */
void clock_interrupt(bool from_user);

#endif
