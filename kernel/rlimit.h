/* SPDX-License-Identifier: MIT
 *
 * The limit that only time can exceed.
 */
#ifndef KERNEL_RLIMIT_H
#define KERNEL_RLIMIT_H

#include <kernel/task.h>

/*
 * The tick: SIGXCPU, each second from the soft RLIMIT_CPU on, and SIGKILL at the hard one.
 * Interrupts off.
 */
void rlimit_cpu_tick(struct process *p);

#endif
