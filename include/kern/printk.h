/* SPDX-License-Identifier: MIT
 *
 * The kernel log: a ring that dmesg reads, copied to the console up to the knob console_loglevel.
 */
#ifndef KERN_PRINTK_H
#define KERN_PRINTK_H

#include <kern/types.h>

enum loglevel { LOG_ERR = 3, LOG_WARN = 4, LOG_INFO = 6, LOG_DEBUG = 7 };

/* Any context. One call is one line; the newline is added. */
void printk(enum loglevel level, const char *fmt, ...) __printf(2, 3);

#define pr_err(...) printk(LOG_ERR, __VA_ARGS__)
#define pr_warn(...) printk(LOG_WARN, __VA_ARGS__)
#define pr_info(...) printk(LOG_INFO, __VA_ARGS__)
#define pr_debug(...) printk(LOG_DEBUG, __VA_ARGS__)

#endif
