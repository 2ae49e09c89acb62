/* SPDX-License-Identifier: MIT
 *
 * The kernel's own way to the serial line: polled, usable from any context, even in a panic.
 * drivers/serial.c implements it; the tty uses interrupts on the same port.
 */
#ifndef KERN_CONSOLE_H
#define KERN_CONSOLE_H

#include <kern/types.h>

void console_early_init(void);
void console_write(const char *s, size_t n);
/* Sends what programs wrote and is still queued, by polling: before the machine is switched off. */
void console_flush(void);

#endif
