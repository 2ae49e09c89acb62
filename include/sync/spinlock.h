/* SPDX-License-Identifier: MIT
 *
 * A lock for short sections that never sleep. A lock that an interrupt handler also takes is taken
 * with the irqsave forms everywhere else.
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
#endif

static inline bool spin_acquire(spinlock_t *l)
{
	return __atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE) == 0;
}

static __always_inline bool spin_trylock(spinlock_t *l)
{
	if (!spin_acquire(l))
		return false;
	lockdep_acquire(&l->class, l, LOCKDEP_SPIN | LOCKDEP_TRY);
	return true;
}

static inline void spin_wait(spinlock_t *l)
{
	while (unlikely(!spin_acquire(l)))
		while (__atomic_load_n(&l->locked, __ATOMIC_RELAXED))
			cpu_relax();
}

static __always_inline void spin_lock(spinlock_t *l)
{
	lockdep_acquire(&l->class, l, LOCKDEP_SPIN);
	spin_wait(l);
}

/* The second of two locks of one class, whose order the caller defines. */
static __always_inline void spin_lock_nested(spinlock_t *l)
{
	lockdep_acquire(&l->class, l, LOCKDEP_SPIN | LOCKDEP_NESTED);
	spin_wait(l);
}

static inline void spin_unlock(spinlock_t *l)
{
	lockdep_release(l, LOCKDEP_SPIN);
	ASSERT(__atomic_load_n(&l->locked, __ATOMIC_RELAXED));
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

#define assert_spin_locked(l) ASSERT(READ_ONCE((l)->locked))

#endif
