/* SPDX-License-Identifier: MIT
 *
 * What the simulation asks of the operating system it runs on: kept apart, because that system's
 * headers and ours define the same names.
 */
#ifndef SIM_HOST_H
#define SIM_HOST_H

#include <stddef.h>

/* Zeroed memory at exactly this address; aborts when it is taken. */
void host_map_fixed(unsigned long addr, size_t n);
void *host_alloc(size_t n);
void host_free(void *p);
/* Sleeps while *word is expected; wakes one sleeper. */
void host_futex_wait(unsigned int *word, unsigned int expected);
void host_futex_wake(unsigned int *word);
/* Lets another thread run. */
void host_yield(void);
unsigned long host_clock_ns(void);
/* The seed of this run: $SEED, or another one every time; printed by the first caller. */
unsigned long host_seed(void);

#endif
