/* SPDX-License-Identifier: MIT
 *
 * Sleeping, as sync/ and mm/ see it: one primitive, implemented by kernel/sched.c on the machine and
 * by a futex on the host, so that everything built on it runs under TSan unchanged.
 */
#ifndef KERN_PARK_H
#define KERN_PARK_H

#include <kern/types.h>

struct task;

enum park_mode {
	PARK_UNINTERRUPTIBLE,
	PARK_KILLABLE,	    /* a fatal signal ends the wait */
	PARK_INTERRUPTIBLE, /* any deliverable signal ends the wait */
};

/* The calling task, as a name to give to whoever will wake it. */
struct task *park_self(void);
/*
 * Sleeps until unpark() of this task; returns at once when one came since the last park(). May return
 * early or for no reason: callers loop on their own condition. No spinlock may be held.
 */
void park(enum park_mode mode);
/* Wakes the task. Any context. The task must stay referenced by the caller's protocol. */
void unpark(struct task *task);
/* True when the task runs on some CPU right now; it must not go away meanwhile. A hint: spinning's. */
bool park_on_cpu(const struct task *task);
/* True when a signal of the kind that ends a wait in this mode is pending for the caller. */
bool park_interrupted(enum park_mode mode);
/* Gives the CPU away when another task should run. Must hold no spinlock. */
void cond_resched(void);

#endif
