/* SPDX-License-Identifier: MIT
 *
 * The console: the first serial line, as a terminal.
 */
#ifndef USER_INIT_CONSOLE_H
#define USER_INIT_CONSOLE_H

#include "jobs.h"

/* Descriptors 0 to 2 become the console, whatever the kernel gave us. */
void console_as_streams(void);

/* From now on bytes pass the terminal unchanged in both directions. */
void make_raw(int fd);

/* Runs the job in a session of its own with the console as its terminal; a shell's $?, 124 when it took too long. */
int run_on_console(const struct job *job);

#endif
