/* SPDX-License-Identifier: MIT
 *
 * Read-copy-update: readers take no lock. Who takes an object away from where readers find it frees it after a grace
 * period, when every reader that could have found it is gone. kernel/sync/rcu.c has the idea.
 *
 * Between rcu_read_lock() and rcu_read_unlock(), <arch/rcu.h>, a task does not sleep; an interrupt handler does not
 * read at all. On the machine the two cost nothing.
 */
#ifndef SYNC_RCU_H
#define SYNC_RCU_H

#include <arch/rcu.h>
#include <kern/types.h>

/* Inside the object. Readers do not look at it, so it may share its place with what they do not follow blindly. */
struct rcu_head {
	struct rcu_head *next;
	void (*func)(struct rcu_head *head);
};

/*
 * func(head) is called after a grace period, in a task's context: some 10 ms later. It may free, and take locks,
 * but is not to sleep for long: others wait for their turn. Any context; takes no lock.
 */
void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head));
/* Returns after a grace period. Sleeps; not inside a read section. */
void synchronize_rcu(void);
/* Returns when what was handed to call_rcu() before has been called. Sleeps; not from such a call. */
void rcu_barrier(void);
/* The body of the thread that makes the calls; at boot. Does not return. */
void rcu_thread(void);

/* ---- what RCU needs: kernel/rcu_env.c, tests/host/sim/sim_rcu.c ---- */

/* Wakes rcu_thread() some time later, so that it finds more than one to call. Any context. */
void rcu_wake_later(void);
/* rcu_thread() sleeps until that time has come. */
void rcu_wait_for_work(void);
/* A CPU is waited for: it is to report soon, by changing its count. */
void rcu_hurry(unsigned int cpu);
/* Sleeps until other CPUs may have reported. */
void rcu_pause(void);

#endif
