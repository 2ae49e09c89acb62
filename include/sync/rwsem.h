/* SPDX-License-Identifier: MIT
 *
 * A sleeping reader-writer lock. A released lock is handed to a waiter; to whom, the knob rwsem says: in
 * arrival order (fifo), writers first or readers first. Not recursive, no upgrade. The fast paths are one
 * atomic operation; kernel/sync/rwsem.c has the rest.
 */
#ifndef SYNC_RWSEM_H
#define SYNC_RWSEM_H

#include <kern/atomic.h>
#include <kern/list.h>
#include <kern/park.h>
#include <sync/spinlock.h>

struct rwsem {
	long count;		     /* RWSEM_WRITER | RWSEM_WAITERS | readers * RWSEM_READER */
	struct task *owner;	     /* the writer, as far as known: for spinning and assertions */
	spinlock_t wait_lock;	     /* guards waiters and tickets */
	u32 next_ticket;	     /* [wait_lock] */
	struct list_head waiters[2]; /* [wait_lock] readers, writers; each in arrival order */
#ifdef CONFIG_DEBUG
	u32 class; /* lockdep's */
#endif
};

#define RWSEM_WRITER 1L
#define RWSEM_WAITERS 2L
#define RWSEM_READER 256L

#define RWSEM_INIT(name)                                                                           \
	{                                                                                          \
		.wait_lock = SPINLOCK_INIT,                                                        \
		.waiters = { LIST_HEAD_INIT((name).waiters[0]),                                    \
			     LIST_HEAD_INIT((name).waiters[1]) },                                  \
	}

void rwsem_init(struct rwsem *sem);

#ifdef CONFIG_DEBUG
#define rwsem_init_class(sem, name) ((rwsem_init)(sem), (void)((sem)->class = LOCKDEP_CLASS(name)))
#define rwsem_init(sem) rwsem_init_class(sem, #sem)
#endif

/* Slow paths, kernel/sync/rwsem.c. 0, or -EINTR in a killable or interruptible mode. */
int rwsem_down_read_slow(struct rwsem *sem, enum park_mode mode);
int rwsem_down_write_slow(struct rwsem *sem, enum park_mode mode);
void rwsem_wake(struct rwsem *sem);

static inline bool rwsem_read_fast(struct rwsem *sem)
{
	long old = __atomic_load_n(&sem->count, __ATOMIC_RELAXED);

	while (likely(!(old & (RWSEM_WRITER | RWSEM_WAITERS))))
		if (likely(__atomic_compare_exchange_n(&sem->count, &old, old + RWSEM_READER, false,
						       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)))
			return true;
	return false;
}

static inline bool rwsem_write_fast(struct rwsem *sem)
{
	long old = 0;

	if (unlikely(!__atomic_compare_exchange_n(&sem->count, &old, RWSEM_WRITER, false,
						  __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)))
		return false;
	/* Release: who sees the owner, to ask whether it runs, sees a task. */
	__atomic_store_n(&sem->owner, park_self(), __ATOMIC_RELEASE);
	return true;
}

static __always_inline bool down_read_trylock(struct rwsem *sem)
{
	if (unlikely(!rwsem_read_fast(sem)))
		return false;
	lockdep_acquire(&sem->class, sem, LOCKDEP_SLEEPING | LOCKDEP_TRY);
	return true;
}

static __always_inline void down_read(struct rwsem *sem)
{
	lockdep_acquire(&sem->class, sem, LOCKDEP_SLEEPING);
	if (unlikely(!rwsem_read_fast(sem)))
		(void)rwsem_down_read_slow(sem, PARK_UNINTERRUPTIBLE);
}

static __always_inline int __must_check down_read_mode(struct rwsem *sem, enum park_mode mode)
{
	int err;

	lockdep_acquire(&sem->class, sem, LOCKDEP_SLEEPING);
	if (likely(rwsem_read_fast(sem)))
		return 0;
	err = rwsem_down_read_slow(sem, mode);
	if (err)
		lockdep_release(sem, LOCKDEP_SLEEPING);
	return err;
}

static __always_inline int __must_check down_read_killable(struct rwsem *sem)
{
	return down_read_mode(sem, PARK_KILLABLE);
}

static __always_inline int __must_check down_read_interruptible(struct rwsem *sem)
{
	return down_read_mode(sem, PARK_INTERRUPTIBLE);
}

static __always_inline bool down_write_trylock(struct rwsem *sem)
{
	if (unlikely(!rwsem_write_fast(sem)))
		return false;
	lockdep_acquire(&sem->class, sem, LOCKDEP_SLEEPING | LOCKDEP_TRY);
	return true;
}

static __always_inline void down_write(struct rwsem *sem)
{
	lockdep_acquire(&sem->class, sem, LOCKDEP_SLEEPING);
	if (unlikely(!rwsem_write_fast(sem)))
		(void)rwsem_down_write_slow(sem, PARK_UNINTERRUPTIBLE);
}

/* The second of two locks of one class, whose order the caller defines. */
static __always_inline void down_write_nested(struct rwsem *sem)
{
	lockdep_acquire(&sem->class, sem, LOCKDEP_SLEEPING | LOCKDEP_NESTED);
	if (unlikely(!rwsem_write_fast(sem)))
		(void)rwsem_down_write_slow(sem, PARK_UNINTERRUPTIBLE);
}

static __always_inline int __must_check down_write_mode(struct rwsem *sem, enum park_mode mode)
{
	int err;

	lockdep_acquire(&sem->class, sem, LOCKDEP_SLEEPING);
	if (likely(rwsem_write_fast(sem)))
		return 0;
	err = rwsem_down_write_slow(sem, mode);
	if (err)
		lockdep_release(sem, LOCKDEP_SLEEPING);
	return err;
}

static __always_inline int __must_check down_write_killable(struct rwsem *sem)
{
	return down_write_mode(sem, PARK_KILLABLE);
}

static __always_inline int __must_check down_write_interruptible(struct rwsem *sem)
{
	return down_write_mode(sem, PARK_INTERRUPTIBLE);
}

static inline void up_read(struct rwsem *sem)
{
	long now;

	lockdep_release(sem, LOCKDEP_SLEEPING);
	now = __atomic_sub_fetch(&sem->count, RWSEM_READER, __ATOMIC_RELEASE);
	if (unlikely(now == RWSEM_WAITERS))
		rwsem_wake(sem);
}

static inline void up_write(struct rwsem *sem)
{
	lockdep_release(sem, LOCKDEP_SLEEPING);
	WRITE_ONCE(sem->owner, NULL);
	if (unlikely(__atomic_sub_fetch(&sem->count, RWSEM_WRITER, __ATOMIC_RELEASE) &
		     RWSEM_WAITERS))
		rwsem_wake(sem);
}

/* Turns the caller's write hold into a read hold; no writer gets in between. */
void downgrade_write(struct rwsem *sem);

static inline bool rwsem_is_locked(const struct rwsem *sem)
{
	return __atomic_load_n(&sem->count, __ATOMIC_RELAXED) & ~RWSEM_WAITERS;
}

static inline bool rwsem_is_write_locked(const struct rwsem *sem)
{
	return __atomic_load_n(&sem->count, __ATOMIC_RELAXED) & RWSEM_WRITER;
}

/* Someone is queued behind the current holders. */
static inline bool rwsem_is_contended(const struct rwsem *sem)
{
	return __atomic_load_n(&sem->count, __ATOMIC_RELAXED) & RWSEM_WAITERS;
}

#endif
