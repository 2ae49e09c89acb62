/* SPDX-License-Identifier: MIT
 *
 * A lock for short sections that never sleep. A lock that an interrupt handler also takes is taken
 * with the irqsave forms everywhere else.
 *
 * Whoever is there first gets it, not whoever has waited longest. The CPUs are a virtual machine's, and seldom all
 * of them run: with numbers drawn (a ticket lock) each hand-over waits until the host runs the one whose turn
 * it is, some milliseconds, and nobody else may have the lock meanwhile. Linux's queued lock turns into a
 * lock like this one in a virtual machine, for the same reason. Waiting in order is what rwsem is for.
 */
#ifndef SYNC_SPINLOCK_H
#define SYNC_SPINLOCK_H

#include <arch/cpu.h>
#include <arch/irq.h>
#include <kern/assert.h>
#include <kern/types.h>
#include <sync/lockdep.h>

typedef struct spinlock {
	u32 locked;
#ifdef CONFIG_DEBUG
	u32 class; /* lockdep's */
	u32 owner; /* the CPU that holds it, plus 1 */
#endif
} spinlock_t;

#define SPINLOCK_INIT                                                                              \
	{                                                                                          \
		.locked = 0                                                                        \
	}

static inline void spin_lock_init(spinlock_t *l)
{
	l->locked = 0;
}

#ifdef CONFIG_DEBUG /* all locks that one line initialises are one class */
#define spin_lock_init(l) (*(l) = (spinlock_t){ .class = LOCKDEP_CLASS(#l) })

static inline bool spin_is_mine(const spinlock_t *l)
{
	return READ_ONCE(l->owner) == cpu_id() + 1;
}

static inline void spin_set_owner(spinlock_t *l)
{
	WRITE_ONCE(l->owner, cpu_id() + 1);
}

static inline void spin_clear_owner(spinlock_t *l)
{
	ASSERT(spin_is_mine(l));
	WRITE_ONCE(l->owner, 0);
}

static inline void spin_check_recursion(const spinlock_t *l)
{
	if (spin_is_mine(l))
		panic("BUG: CPU %u waits for a spinlock that it holds", cpu_id());
}
#else
#define spin_set_owner(l) ((void)0)
#define spin_clear_owner(l) ((void)0)
#define spin_check_recursion(l) ((void)0)
#endif

static inline bool spin_try(spinlock_t *l)
{
	return __atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE) == 0;
}

static __always_inline bool spin_trylock(spinlock_t *l)
{
	if (!spin_try(l))
		return false;
	spin_set_owner(l);
	lockdep_acquire(&l->class, l, LOCKDEP_SPIN | LOCKDEP_TRY);
	return true;
}

static __always_inline void spin_acquire(spinlock_t *l)
{
	while (unlikely(!spin_try(l))) {
		spin_check_recursion(l);
		do
			cpu_relax();
		while (__atomic_load_n(&l->locked, __ATOMIC_RELAXED));
	}
	spin_set_owner(l);
}

static __always_inline void spin_lock(spinlock_t *l)
{
	lockdep_acquire(&l->class, l, LOCKDEP_SPIN);
	spin_acquire(l);
}

/* The second of two locks of one class, whose order the caller defines. */
static __always_inline void spin_lock_nested(spinlock_t *l)
{
	lockdep_acquire(&l->class, l, LOCKDEP_SPIN | LOCKDEP_NESTED);
	spin_acquire(l);
}

static inline void spin_unlock(spinlock_t *l)
{
	lockdep_release(l, LOCKDEP_SPIN);
	spin_clear_owner(l);
	__atomic_store_n(&l->locked, 0, __ATOMIC_RELEASE);
}

static __always_inline irqflags_t spin_lock_irqsave(spinlock_t *l)
{
	irqflags_t flags = irq_save();

	spin_lock(l);
	return flags;
}

static inline void spin_unlock_irqrestore(spinlock_t *l, irqflags_t flags)
{
	spin_unlock(l);
	irq_restore(flags);
}

#ifdef CONFIG_DEBUG
/* By this CPU. */
#define assert_spin_locked(l) ASSERT(spin_is_mine(l))
#else
#define assert_spin_locked(l) ((void)(l))
#endif

#endif
