/* SPDX-License-Identifier: MIT
 *
 * Collecting dead processes.
 */
#ifndef KERNEL_WAIT_CHILD_H
#define KERNEL_WAIT_CHILD_H

#include <kernel/task.h>

/*
 * A zombie leaves the tree and the table of numbers. tasklist_lock held; the caller puts p->leader,
 * which ends p, after it dropped the lock.
 */
void process_unlink(struct process *p);

#endif
