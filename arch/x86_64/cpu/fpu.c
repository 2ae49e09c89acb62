// SPDX-License-Identifier: MIT
/*
 * Saving and loading the x87, SSE and AVX registers: XSAVE where the CPU has it (XSAVEOPT on a task
 * switch, which skips what did not change since it was loaded), FXSAVE otherwise. SDM vol. 1,
 * chapters 10.5 and 13.
 */
#include <arch/cpufeature.h>
#include <arch/fpu.h>
#include <arch/io.h>
#include <kern/assert.h>
#include <kern/string.h>
#include <mm/slab.h>
#include "fpu_format.h"

/* The initial state of every component: an empty header says so, FXRSTOR reads the values. */
static const struct fpu_state init_state __aligned(64) = {
	.fcw = 0x37f,
	.mxcsr = 0x1f80,
};

struct fpu_format fpu_format = { .size = sizeof(struct fpu_legacy) };
static struct kmem_cache *fpu_cache;

#define XCR0_AVX512 (XFEATURE_OPMASK | XFEATURE_ZMM_HI256 | XFEATURE_HI16_ZMM)

static u64 usable_features(void)
{
	struct cpuid_regs r = cpuid(13, 0);
	u64 f = (u64)r.edx << 32 | r.eax;

	f &= XFEATURE_X87 | XFEATURE_SSE | XFEATURE_AVX | XCR0_AVX512;
	if (!(f & XFEATURE_AVX) || (f & XCR0_AVX512) != XCR0_AVX512)
		f &= ~(u64)XCR0_AVX512;
	return f;
}

void fpu_cpu_init(void)
{
	u32 mxcsr = 0x1f80;

	if (cpu_features.xsave)
		__asm__ volatile("xsetbv"
				 :
				 : "c"(0), "a"((u32)fpu_format.features),
				   "d"((u32)(fpu_format.features >> 32)));
	__asm__ volatile("fninit\n\tldmxcsr %0" : : "m"(mxcsr));
}

void fpu_init(void)
{
	if (cpu_features.xsave)
		fpu_format.features = usable_features();
	fpu_cpu_init();
	if (!cpu_features.xsave)
		return;
	fpu_format.size = cpuid(13, 0).ebx; /* for the features just enabled */
	BUG_ON(fpu_format.size < sizeof(struct fpu_state) || fpu_format.size > PAGE_SIZE);
}

void fpu_cache_init(void)
{
	fpu_cache = kmem_cache_create("fpu_state", fpu_format.size, 64);
}

struct fpu_state *fpu_alloc(void)
{
	struct fpu_state *f = kmem_cache_alloc(fpu_cache, GFP_KERNEL);

	if (f)
		memcpy(f, &init_state, min((size_t)fpu_format.size, sizeof(init_state)));
	return f;
}

void fpu_free(struct fpu_state *f)
{
	if (f)
		kmem_cache_free(fpu_cache, f);
}

void fpu_save(struct fpu_state *f)
{
	if (cpu_features.xsaveopt)
		__asm__ volatile("xsaveopt64 %0" : "+m"(*f) : "a"(-1), "d"(-1) : "memory");
	else
		fpu_snapshot(f);
}

void fpu_snapshot(struct fpu_state *f)
{
	if (cpu_features.xsave)
		__asm__ volatile("xsave64 %0" : "+m"(*f) : "a"(-1), "d"(-1) : "memory");
	else
		__asm__ volatile("fxsave64 %0" : "+m"(*f)::"memory");
}

void fpu_load(const struct fpu_state *f)
{
	if (cpu_features.xsave)
		__asm__ volatile("xrstor64 %0" : : "m"(*f), "a"(-1), "d"(-1) : "memory");
	else
		__asm__ volatile("fxrstor64 %0" : : "m"(*f) : "memory");
}

void fpu_load_initial(u64 features)
{
	if (cpu_features.xsave)
		__asm__ volatile("xrstor64 %0"
				 :
				 : "m"(init_state), "a"((u32)features), "d"((u32)(features >> 32))
				 : "memory");
	else
		__asm__ volatile("fxrstor64 %0" : : "m"(init_state) : "memory");
}

void fpu_reset(struct fpu_state *f)
{
	memcpy(f, &init_state, min((size_t)fpu_format.size, sizeof(init_state)));
	fpu_load_initial(~0ULL);
}
