/* SPDX-License-Identifier: MIT
 *
 * The lock-order checker of debug builds; nothing at all in others. kernel/sync/lockdep.c has the idea.
 *
 * A lock carries the number of its class in a member `class`, 0 until its first acquisition when nobody
 * initialised it. All locks initialised by one line are one class; each static one is a class by itself.
 */
#ifndef SYNC_LOCKDEP_H
#define SYNC_LOCKDEP_H

#include <kern/types.h>

#define LOCKDEP_SPIN 0u
#define LOCKDEP_SLEEPING (1u << 0) /* a lock that sleeps: held by a task, not by a CPU */
#define LOCKDEP_TRY (1u << 1)	   /* does not wait, so it cannot deadlock here */
#define LOCKDEP_NESTED                                                                             \
	(1u << 2) /* the second of two of one class, whose order is defined elsewhere */

#ifdef CONFIG_DEBUG

#define LOCKDEP_MAX_HELD 64 /* reclaim holds the locks of 32 folios at once */

/* A line of the source that initialises locks. */
struct lockdep_key {
	const char *name;
	u32 class;
};

/* What a CPU (spinlocks) or a task (sleeping locks) holds, in the order of acquisition. */
struct lockdep_stack {
	unsigned int nr;
	struct {
		const void *lock;
		unsigned long ip; /* who took it */
		u32 node;
		u32 irq_depth; /* of interrupt handlers when it was taken */
	} held[LOCKDEP_MAX_HELD];
};

u32 lockdep_class(struct lockdep_key *key);
/* Before a lock is taken, or after a trylock succeeded. */
void lockdep_acquire(u32 *class, const void *lock, unsigned int how);
/* Before it is released. */
void lockdep_release(const void *lock, unsigned int how);
/* The caller may sleep: holds no spinlock, is no interrupt handler. */
void lockdep_may_sleep(void);
/*
 * The caller waits until other CPUs have taken an interrupt: has interrupts on, and holds no spinlock that
 * anybody waits for with interrupts off.
 */
void lockdep_ipi_wait(void);

#define LOCKDEP_CLASS(what)                                                                        \
	({                                                                                         \
		static struct lockdep_key key_ = { .name = what };                                 \
		lockdep_class(&key_);                                                              \
	})

/* ---- what the checker needs: kernel/lockdep_env.c, tests/host/sim/sim_lockdep.c ---- */

struct lockdep_stack *lockdep_cpu_stack(void);
struct lockdep_stack *lockdep_task_stack(void);
/* Others may be waiting for this CPU to take an interrupt. */
bool lockdep_cpu_is_awaited(void);
/* Fills in up to n return addresses, innermost first, 0 behind the last. */
void lockdep_callers(unsigned long *ips, unsigned int n);
void lockdep_print(const char *fmt, ...) __printf(1, 2);
/* A code address by name, on a line of its own. */
void lockdep_print_address(unsigned long ip);

#else

#define lockdep_acquire(class, lock, how) ((void)0)
#define lockdep_release(lock, how) ((void)0)
#define lockdep_may_sleep() ((void)0)
#define lockdep_ipi_wait() ((void)0)

#endif
#endif
