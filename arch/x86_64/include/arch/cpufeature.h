/* SPDX-License-Identifier: MIT
 *
 * What the CPU can do and we use, found once by arch_cpu_init().
 */
#ifndef ARCH_CPUFEATURE_H
#define ARCH_CPUFEATURE_H

#include <kern/types.h>

struct cpu_features {
	u32 hwcap; /* CPUID 1 EDX, which is also AT_HWCAP */
	bool smep, smap, umip, fsgsbase, xsave, xsaveopt, pdpe1gb;
};

extern struct cpu_features cpu_features; /* [I] after arch_cpu_init() */

/*
 * Looks, turns STAC and CLAC into NOPs when the CPU has no SMAP; kernel text must still be
 * writable.
 */
void cpu_features_init(void);
/* CR0, CR4 and EFER bits of the running CPU. */
void cpu_control_init(void);

#endif
