/* SPDX-License-Identifier: MIT
 *
 * What the machine offers that nobody outside can foresee.
 */
#ifndef ARCH_RANDOM_H
#define ARCH_RANDOM_H

#include <arch/io.h>
#include <kern/types.h>

/* The time-stamp counter: its low bits are the jitter of everything that ran before. */
static inline u64 arch_cycles(void)
{
	return rdtsc();
}

static inline bool arch_has_rdrand(void)
{
	return cpuid(1, 0).ecx & (1u << 30);
}

/* False when the CPU has no number ready. Only where arch_has_rdrand(). */
static inline bool arch_rdrand(u64 *val)
{
	bool ok;

	__asm__ volatile("rdrand %0; setc %1" : "=r"(*val), "=qm"(ok)::"cc");
	return ok;
}

#endif
