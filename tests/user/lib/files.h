/* SPDX-License-Identifier: MIT
 *
 * Files on tmpfs that do not outlive the program.
 */
#ifndef TESTS_USER_LIB_FILES_H
#define TESTS_USER_LIB_FILES_H

#include <stddef.h>
#include <sys/types.h>

/* A directory of this program's own on tmpfs, removed at the end. */
const char *scratch_dir(void);

/* "scratch directory/name" in one of 32 static buffers. */
char *scratch(const char *name);

/* Removes the directory, when it was this process that made it. */
void scratch_remove(void);

/* A new file on tmpfs without a name; byte i is (i / PAGE + 1) in the first `len` bytes. */
int tmp_file(size_t len);

/* Creates the named file with this content. */
void write_file(const char *path, const void *data, size_t len, mode_t mode);

/* An open file's length in bytes. */
long size_of(int fd);

#endif
