/* SPDX-License-Identifier: MIT
 *
 * x87, SSE and AVX registers of user tasks. The kernel itself never uses them, so they keep the
 * running task's values while it is in the kernel; a switch saves and loads them at once.
 */
#ifndef ARCH_FPU_H
#define ARCH_FPU_H

#include <arch/thread.h>

/* Boot: finds the format and size of the save area, then as fpu_cpu_init(). */
void fpu_init(void);
/* XCR0 of the running CPU; its registers become initial. */
void fpu_cpu_init(void);
/* Boot, once slab caches exist. */
void fpu_cache_init(void);

/* An area in the initial state, or NULL. */
struct fpu_state *fpu_alloc(void);
void fpu_free(struct fpu_state *f); /* NULL is allowed */
/* The registers to the area and back; interrupts off, or the area is the running task's. */
void fpu_save(struct fpu_state *f);
void fpu_load(const struct fpu_state *f);
/* All of the registers, to an area they were never loaded from. */
void fpu_snapshot(struct fpu_state *f);
/* The registers and the area become initial. */
void fpu_reset(struct fpu_state *f);

#endif
