/* SPDX-License-Identifier: MIT
 *
 * Kernel timers: callbacks at a clock_ns() time, in interrupt context, ordered in a red-black tree.
 */
#ifndef KERNEL_TIMER_H
#define KERNEL_TIMER_H

#include <arch/timer.h>
#include <kern/park.h>
#include <kern/rbtree.h>
#include <kern/types.h>

struct timer_base;

/* Zeroes are a timer that was never armed. [B]: the base's lock, see timer.c. */
struct timer {
	struct rb_node node;	       /* [B] */
	struct timer_base *base;       /* [B] of the CPU it belongs to; NULL: never armed */
	u64 expires_ns;		       /* [B] */
	void (*func)(struct timer *t); /* interrupts off, no lock held; may rearm its timer */
	bool armed;		       /* [B] */
};

void timers_init(void); /* and the clocks; after arch_irq_init() */
/*
 * (Re)arms on this CPU; func must be set. Any context. Two that arm one timer at the same time, the first
 * time at least, need a lock of their own; so does who must not be overtaken by a running callback.
 */
void timer_set(struct timer *t, u64 expires_ns);
/* After it returns the callback neither runs nor will run. True when it had been armed. */
bool timer_cancel(struct timer *t);
/*
 * The same without waiting, for who holds a lock that the callback takes. False when the callback is at
 * work on another CPU: nothing was done, try again without the lock.
 */
bool timer_try_cancel(struct timer *t);
/* This CPU's next event may have become earlier (sched_next_tick()). Interrupts off. */
void timer_reprogram(void);

/* setitimer's state, one a kind. */
struct itimer_state {
	struct timer timer; /* ITIMER_REAL */
	u64 interval_ns;
	u64 value_ns; /* VIRTUAL, PROF: CPU time at which it fires; 0 is off */
};

/* ---- itimer.c ---- */
struct process;
/* SIGALRM was taken from the queue: an interval timer runs on. siglock held. */
void itimer_real_rearm(struct process *p);
/*
 * The tick: ITIMER_VIRTUAL and ITIMER_PROF of p (may be NULL) against its CPU time. Interrupts off.
 */
void itimer_tick(struct process *p);
/* The process ends: its timers stop. No lock held. */
void itimer_exit(struct process *p);

#define NSEC_PER_SEC 1000000000ULL
#define NSEC_PER_USEC 1000ULL
#define TICK_NS 10000000ULL /* the scheduler's tick while a task runs: 100 Hz, USER_HZ */

/* Sleeps until the deadline. 0, or -ERESTARTSYS when a signal came. */
int sleep_until(u64 deadline_ns, enum park_mode mode);
/* CLOCK_REALTIME in ns. */
u64 realtime_ns(void);

#endif
