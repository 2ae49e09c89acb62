/* SPDX-License-Identifier: MIT
 *
 * What threads and processes have used.
 */
#ifndef KERNEL_RUSAGE_H
#define KERNEL_RUSAGE_H

#include <kernel/task.h>
#include <uapi/resource.h>

/*
 * A process with its threads, dead ones included; with_children: and all it has waited for.
 * tasklist_lock held.
 */
void rusage_process(struct process *p, struct rusage *ru, bool with_children);
/* A dead child's figures become part of its parent's children's. tasklist_lock held. */
void rusage_add_child(struct process *parent, struct process *child);

#endif
