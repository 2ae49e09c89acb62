/* SPDX-License-Identifier: MIT
 *
 * Fast user-space mutexes, as exit.c needs them.
 */
#ifndef KERNEL_FUTEX_H
#define KERNEL_FUTEX_H

#include <kernel/task.h>

void futex_init(void);
/*
 * The running task leaves its address space: hands over robust futexes, clears and wakes
 * clear_child_tid.
 */
void futex_exit(struct task *t);

#endif
