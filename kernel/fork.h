/* SPDX-License-Identifier: MIT
 *
 * Inside of process life: what fork.c, exec.c and exit.c share.
 */
#ifndef KERNEL_FORK_H
#define KERNEL_FORK_H

#include <kernel/task.h>

/*
 * The task stops using its address space (exec replaces it, exit drops it): robust futexes are
 * released, clear_child_tid is cleared and woken, a parent in vfork() goes on.
 */
void task_leave_mm(struct task *t);
/* Keeps the largest resident size for rusage. tasklist_lock not held. */
void task_note_maxrss(struct task *t);
/* Replaces a part of the caller; NULL changes nothing. */
void task_replace_fs(struct fs_context *fs);
void task_replace_files(struct files *files);
void task_caches_init(void);
/* A kernel thread, ready for sched_add(); init: it gets number 1. ERR_PTR(-ENOMEM, -EAGAIN). */
struct task *kernel_thread_create(void (*fn)(void *), void *arg, const char *name, bool init);
/*
 * Takes a finished thread out of its process, which keeps its figures. tasklist_lock and siglock
 * held.
 */
void thread_unlink(struct task *t);

#endif
