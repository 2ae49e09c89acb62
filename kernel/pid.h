/* SPDX-License-Identifier: MIT
 *
 * Numbers of threads, and the table that finds a thread by its number.
 */
#ifndef KERNEL_PID_H
#define KERNEL_PID_H

#include <kernel/task.h>

#define PID_MAX 32768 /* one past the largest number */
#define INIT_PID 1    /* never handed out by pid_alloc() */

void pid_init(void);
/*
 * A number that no thread, group or session uses, or -EAGAIN when all are taken. tasklist_lock
 * held; the caller attaches a thread with it before it lets go.
 */
int pid_alloc(void);
/* Makes t findable by its tid, and not any more. tasklist_lock held. */
void pid_attach(struct task *t);
void pid_detach(struct task *t);
/* The number handed out last, for /proc/loadavg. */
int pid_last(void);

#endif
