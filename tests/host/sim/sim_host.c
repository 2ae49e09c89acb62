/* SPDX-License-Identifier: MIT
 *
 * The operating system under the simulation.
 */
#define _GNU_SOURCE
#include "sim_host.h"

#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void host_map_fixed(unsigned long addr, size_t n)
{
	void *p = mmap((void *)addr, n, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);

	if (p != (void *)addr) {
		perror("host_map_fixed");
		abort();
	}
}

void *host_alloc(size_t n)
{
	void *p = calloc(1, n);

	if (!p)
		abort();
	return p;
}

void host_free(void *p)
{
	free(p);
}

void host_futex_wait(unsigned int *word, unsigned int expected)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

void host_futex_wake(unsigned int *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void host_yield(void)
{
	sched_yield();
}

unsigned long host_seed(void)
{
	static unsigned long seed;
	const char *given = getenv("SEED");

	if (!seed) {
		seed = given ? strtoul(given, NULL, 0)
			     : (unsigned long)time(NULL) * 1000003 + (unsigned long)getpid();
		seed |= 1;
		fprintf(stderr, "SEED=%lu\n", seed);
	}
	return seed;
}

unsigned long host_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned long)now.tv_sec * 1000000000UL + (unsigned long)now.tv_nsec;
}
