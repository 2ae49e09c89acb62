/* SPDX-License-Identifier: MIT
 *
 * The seam on the host: the clock is the host's.
 */
#ifndef ARCH_TIMER_H
#define ARCH_TIMER_H

#include <kern/types.h>

u64 clock_ns(void);

#endif
