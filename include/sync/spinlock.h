/* SPDX-License-Identifier: MIT
 *
 * A lock for short sections that never sleep. A lock that an interrupt handler also takes is taken
 * with the irqsave forms everywhere else.
 *
 * A ticket lock: who wants it draws the next number and waits until that is served, so CPUs get it in the order
 * in which they came (Reed, Kanodia 1979). Both numbers are one word: drawing is one atomic addition. Only the
 * holder changes `serving`, so serving the next one needs no atomic operation.
 */
#ifndef SYNC_SPINLOCK_H
#define SYNC_SPINLOCK_H

#include <arch/cpu.h>
#include <arch/irq.h>
#include <kern/assert.h>
#include <kern/types.h>
#include <sync/lockdep.h>

typedef struct spinlock {
	union {
		u32 tickets;
		struct {
			u16 serving; /* the number that holds the lock, or will be the first to */
			u16 next; /* the number to draw; equal to serving when the lock is free */
		};
	};
#ifdef CONFIG_DEBUG
	u32 class; /* lockdep's */
	u32 owner; /* the CPU that holds it, plus 1 */
#endif
} spinlock_t;

#define SPIN_TICKET (1u << 16) /* one more in next */

#define SPINLOCK_INIT                                                                              \
	{                                                                                          \
		.tickets = 0                                                                       \
	}

static inline void spin_lock_init(spinlock_t *l)
{
	l->tickets = 0;
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

/* Both halves are equal: so is the word with its halves exchanged. */
static __always_inline bool spin_is_free(u32 tickets)
{
	return tickets == (tickets << 16 | tickets >> 16);
}

static __always_inline void spin_acquire(spinlock_t *l)
{
	u32 old = __atomic_fetch_add(&l->tickets, SPIN_TICKET, __ATOMIC_ACQUIRE);

	if (unlikely(!spin_is_free(old))) {
		spin_check_recursion(l);
		do
			cpu_relax();
		while (__atomic_load_n(&l->serving, __ATOMIC_ACQUIRE) != old >> 16);
	}
	spin_set_owner(l);
}

static inline void spin_release(spinlock_t *l)
{
	spin_clear_owner(l);
#ifdef __SANITIZE_THREAD__
	__atomic_store_n(&l->serving, (u16)(READ_ONCE(l->serving) + 1), __ATOMIC_RELEASE);
#else
	/* The same store, as one instruction: to x86 every store is a release. */
	barrier();
	l->serving++;
	barrier();
#endif
}

static __always_inline bool spin_trylock(spinlock_t *l)
{
	u32 old = __atomic_load_n(&l->tickets, __ATOMIC_RELAXED);

	if (!spin_is_free(old) ||
	    !__atomic_compare_exchange_n(&l->tickets, &old, old + SPIN_TICKET, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	spin_set_owner(l);
	lockdep_acquire(&l->class, l, LOCKDEP_SPIN | LOCKDEP_TRY);
	return true;
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
	spin_release(l);
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
