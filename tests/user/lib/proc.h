/* SPDX-License-Identifier: MIT
 *
 * What /proc says, and is told: single figures, the mappings, the page map.
 */
#ifndef TESTS_USER_LIB_PROC_H
#define TESTS_USER_LIB_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads a whole file into a static buffer, NUL-terminated. NULL when it cannot be opened. */
char *slurp(const char *path);

/* The number after "label" at the start of a line of a /proc file, or -1. */
long proc_value(const char *path, const char *label);

/* Writes to a file of /proc or /sys. False: there is none, it is not ours to write, or it does not want that. */
bool tell(const char *file, const char *text);

/* Of the words in such a file the one in brackets. False: there is none, or it is longer than word. */
bool chosen(const char *file, char *word, size_t size);

/* One line of /proc/self/maps. */
struct map {
	unsigned long start, end, offset, inode;
	unsigned int major, minor;
	char perms[5];
	char name[256];
};

/* Parses the line at *text and moves on; false at the end. */
bool map_next(char **text, struct map *m);

/* The mapping that contains the address; false when none does. */
bool map_find(const void *addr, struct map *m);

/* How many mappings have a page in the range. Reads in pieces: there may be many thousand lines. */
int maps_in(const void *addr, size_t len);

/* The permissions at an address as in maps ("rw-p"), "" when nothing is mapped. */
const char *perms_at(const void *addr);

/* An entry of /proc/self/pagemap. */
#define PAGEMAP_PRESENT (1UL << 63)
#define PAGEMAP_FILE (1UL << 61)
#define PAGEMAP_EXCLUSIVE (1UL << 56)
#define PAGEMAP_PFN ((1UL << 55) - 1)

/* The page's entry; 0 when absent. */
uint64_t pagemap_entry(const volatile void *p);

/* The frame of a page that is present (root only); 0 when it is not. */
uint64_t pfn_of(const volatile void *p);

#endif
