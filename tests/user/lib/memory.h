/* SPDX-License-Identifier: MIT
 *
 * Sizes, addresses and mappings.
 */
#ifndef TESTS_USER_LIB_MEMORY_H
#define TESTS_USER_LIB_MEMORY_H

#include <stddef.h>
#include <sys/mman.h>

#define PAGE 4096UL
#define MIB (1024UL * 1024)
#define GIB (1024 * MIB)
#define USER_LIMIT 0x7ffffffff000UL /* one page below 2^47 */
#define KERNEL_ADDRESS 0xffff800000000000UL
#define NON_CANONICAL 0x0000900000000000UL

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

/* Private anonymous memory, untouched. */
char *map_anon(size_t len, int prot);

/*
 * An area of `pages` pages that is free and has `pages` free pages on both sides, so that nothing
 * merges with a neighbour and what is mapped below or above can be counted.
 */
char *free_area(size_t pages);

/* Maps at exactly this address, which is free. */
char *map_at(void *at, size_t len, int prot);

/* Pages of the range that mincore reports resident; -1 when part of it is not mapped. */
long resident(void *p, size_t len);

/* Faults of this process without I/O, so far. */
long minor_faults(void);

#endif
