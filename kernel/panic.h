/* SPDX-License-Identifier: MIT
 *
 * What panic() and the machine's trap handlers share. panic() itself is in kern/assert.h.
 */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

#include <arch/trap_frame.h>
#include <kern/types.h>

/* panic() for a trap in the kernel: the registers and the backtrace are those of tf. */
void panic_trap(const struct trap_frame *tf, const char *fmt, ...) __printf(2, 3) __noreturn __cold;
/* Some CPU panics: the others are to stop. Any context. */
bool panic_in_progress(void);
/* Straight to the console, past the log and its locks. Any context; lines end with \n. */
void emergency_printf(const char *fmt, ...) __printf(1, 2) __cold;

#endif
