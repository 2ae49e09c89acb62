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

typedef struct spinlock {
	u32 locked;
} spinlock_t;

#define SPINLOCK_INIT { 0 }

static inline void spin_lock_init(spinlock_t *l)
{
	l->locked = 0;
}

static inline bool spin_trylock(spinlock_t *l)
{
	return __atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE) == 0;
}

static inline void spin_lock(spinlock_t *l)
{
	while (unlikely(!spin_trylock(l)))
		while (__atomic_load_n(&l->locked, __ATOMIC_RELAXED))
			cpu_relax();
}

static inline void spin_unlock(spinlock_t *l)
{
	ASSERT(__atomic_load_n(&l->locked, __ATOMIC_RELAXED));
	__atomic_store_n(&l->locked, 0, __ATOMIC_RELEASE);
}

static inline irqflags_t spin_lock_irqsave(spinlock_t *l)
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
