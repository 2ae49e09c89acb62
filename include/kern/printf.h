/* SPDX-License-Identifier: MIT
 *
 * Formatted text: flags "-0+ #", width, precision and *, lengths hh h l ll z t, and d i u x X o c s p %.
 */
#ifndef KERN_PRINTF_H
#define KERN_PRINTF_H

#include <kern/types.h>
#include <stdarg.h>

/* Both return the length the whole text needs (like C's); size 0 is allowed. */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap) __printf(3, 0);
int snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
/* Returns what was really written, without the final 0. */
int scnprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

#endif
