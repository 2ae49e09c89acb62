/* SPDX-License-Identifier: MIT
 *
 * Files and time without stdio, which would allocate.
 */
#ifndef USER_INIT_UTIL_H
#define USER_INIT_UTIL_H

#include <stddef.h>

/* Writes all of it, however often it is interrupted or told to come again; gives up at any other error. */
void write_all(int fd, const char *data, size_t n);

/* Reads up to size - 1 bytes and ends them with a NUL; how many there are, 0 when it cannot be opened. */
size_t read_file(const char *path, char *buf, size_t size);

/* Milliseconds of a clock that nobody sets. */
long now_ms(void);

#endif
