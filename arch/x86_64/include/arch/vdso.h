/* SPDX-License-Identifier: MIT
 *
 * What the kernel tells programs without a system call: a page of data, [vvar], and behind it in every address space the
 * code that reads it, [vdso], a shared object.
 */
#ifndef ARCH_VDSO_H
#define ARCH_VDSO_H

#include <kern/types.h>

/* The clock, as clock_ns() computes it. Only the offset ever changes, in one store, so a reader needs no lock. */
struct vdso_data {
	u64 tsc_base;
	u64 ns_per_tsc;		/* 32 fraction bits */
	s64 realtime_offset_ns; /* CLOCK_REALTIME is this much ahead */
};

static inline u64 tsc_to_ns(u64 tsc, u64 base, u64 ns_per_tsc)
{
	return (u64)((unsigned __int128)(tsc - base) * ns_per_tsc >> 32);
}

/* The shared object, as the build made it. */
extern const char vdso_image[], vdso_image_end[];
/* Fills in the clock; the offset is the caller's. */
void arch_vdso_clock(struct vdso_data *d);

#endif
