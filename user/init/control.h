/* SPDX-License-Identifier: MIT
 *
 * The control line: the second serial line, over which init and ./run (tools/vm.py) talk. Lines, in brackets
 * those from the host:
 *
 *	begin NAME	end STATUS	(a shell's $?: the exit code, or 128 + the signal's number)
 *	o COUNT, e COUNT	so many bytes of standard output, error follow
 *	in [COUNT]	the job's input pipe has room [so many bytes follow; 0: end of input]
 *	slab WHEN CACHE OBJECTS		(batches only: WHEN is before or after)
 *	mem WHEN LABEL KB		(a line of /proc/meminfo, likewise; "mem WHEN end" follows the last)
 *	books WHEN WHAT	what a debug kernel says is wrong with its books
 *	exit STATUS	the last job's status; the machine powers off
 */
#ifndef USER_INIT_CONTROL_H
#define USER_INIT_CONTROL_H

#include <sys/types.h>

/* Where there is no second serial line, what is sent goes nowhere. */
void control_open(void);

/* The line's descriptor, to wait for what the host sends; -1 without one. */
int control_fd(void);

/* Sends a line of up to 511 bytes. */
__attribute__((format(printf, 1, 2))) void report(const char *fmt, ...);

/* Sends a frame, "LETTER COUNT" and so many bytes. */
void report_data(char letter, const char *data, size_t n);

/* Says exit STATUS and switches the machine off when all of that is out. */
__attribute__((noreturn)) void power_off(int status);

#endif
