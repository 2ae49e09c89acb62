/* SPDX-License-Identifier: MIT
 *
 * The seam on the host: a thread is a CPU. Nobody can make another thread run something, but anybody can be
 * its CPU while it has interrupts on.
 */
#ifndef ARCH_SMP_H
#define ARCH_SMP_H

#include <kern/types.h>

void on_each_cpu(void (*fn)(void *arg), void *arg);

#endif
