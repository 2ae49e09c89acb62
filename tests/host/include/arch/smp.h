/* SPDX-License-Identifier: MIT
 *
 * The seam on the host: a thread is a CPU, and nobody can make another thread run something; what
 * belongs to a CPU is drained by its own thread.
 */
#ifndef ARCH_SMP_H
#define ARCH_SMP_H

#include <kern/types.h>

static inline void on_each_cpu(void (*fn)(void *arg), void *arg)
{
	fn(arg);
}

#endif
