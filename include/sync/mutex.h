/* SPDX-License-Identifier: MIT
 *
 * A sleeping lock with one holder: the rwsem, used for writing only.
 */
#ifndef SYNC_MUTEX_H
#define SYNC_MUTEX_H

#include <sync/rwsem.h>

struct mutex {
	struct rwsem sem;
};

#define MUTEX_INIT(name)                                                                           \
	{                                                                                          \
		RWSEM_INIT((name).sem)                                                             \
	}

static inline void mutex_init(struct mutex *m)
{
	rwsem_init(&m->sem);
}

#ifdef CONFIG_DEBUG
#define mutex_init(m) rwsem_init_class(&(m)->sem, #m)
#endif

static inline void mutex_lock(struct mutex *m)
{
	down_write(&m->sem);
}

/* The second of two of one class, whose order the caller defines. */
static inline void mutex_lock_nested(struct mutex *m)
{
	down_write_nested(&m->sem);
}

static inline int __must_check mutex_lock_killable(struct mutex *m)
{
	return down_write_killable(&m->sem);
}

static inline int __must_check mutex_lock_interruptible(struct mutex *m)
{
	return down_write_interruptible(&m->sem);
}

static inline void mutex_unlock(struct mutex *m)
{
	up_write(&m->sem);
}

#define assert_mutex_held(m) ASSERT(rwsem_is_write_locked(&(m)->sem))

#endif
