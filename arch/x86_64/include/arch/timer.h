/* SPDX-License-Identifier: MIT
 *
 * Time from the machine: a monotonic clock and one programmable event a CPU.
 */
#ifndef ARCH_TIMER_H
#define ARCH_TIMER_H

#include <kern/types.h>

/* Nanoseconds since boot, monotonic. Any context. */
u64 clock_ns(void);
/* Seconds since 1970 at boot (CMOS clock), for CLOCK_REALTIME. */
u64 arch_boot_realtime(void);
/* Asks for one timer interrupt at the given clock_ns() value (now, if past); replaces the previous request. */
void arch_timer_set(u64 deadline_ns);
/* Kernel's part, kernel/timer.c: called from the timer interrupt, interrupts off. */
void timer_interrupt(bool from_user);
/* Sleeps the CPU until an interrupt; called and returns with interrupts off. */
void arch_idle(void);
/* Ends the machine: status goes to QEMU's debug-exit device when there is one. */
void arch_power_off(void) __attribute__((noreturn));
void arch_reboot(void) __attribute__((noreturn));

#endif
