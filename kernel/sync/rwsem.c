/* SPDX-License-Identifier: MIT
 *
 * The slow half of the reader-writer lock: a FIFO of waiters to whom the lock is handed.
 *
 * While RWSEM_WAITERS is set the fast paths of <sync/rwsem.h> acquire nothing, so the only way in
 * is a grant, made here under wait_lock, and the only other change of count is a release. From this
 * follows:
 *
 *   - RWSEM_WAITERS is set if and only if the list has a waiter (both change under wait_lock).
 *   - A release that leaves a waiter who could run sees the bit and calls rwsem_wake(); a release
 *     that came before the bit was set left a free lock, which the new waiter's own grant pass finds.
 *   - A grant is a hand-over: the waiter owns its hold when granted is set, and it looks at granted
 *     under wait_lock only. So a fatal signal and a grant cannot both win, and whoever granted has
 *     finished with the waiter's stack and task before the waiter can go away.
 *
 * A reader at the head takes every queued reader along, as in Linux; readers that come later queue
 * behind the writers, so each writer waits for one batch of readers at most.
 */
#include <sync/rwsem.h>
#include <uapi/errno.h>

/* Readers granted under one hold of wait_lock. */
#define GRANT_BATCH 256

struct rwsem_waiter {
	struct list_head node; /* [wait_lock] */
	struct task *task;
	bool writer;
	bool granted; /* [wait_lock] */
};

void rwsem_init(struct rwsem *sem)
{
	sem->count = 0;
	spin_lock_init(&sem->wait_lock);
	INIT_LIST_HEAD(&sem->waiters);
	sem->owner = NULL;
}

/* Hands the lock to w. wait_lock held; count says that w may have it. */
static void grant(struct rwsem *sem, struct rwsem_waiter *w)
{
	__atomic_add_fetch(&sem->count, w->writer ? RWSEM_WRITER : RWSEM_READER, __ATOMIC_ACQ_REL);
	if (w->writer)
		WRITE_ONCE(sem->owner, w->task);
	list_del(&w->node);
	w->granted = true;
	unpark(w->task);
}

/* Grants queued readers wherever they stand. Returns true when it stopped at the batch limit. */
static bool grant_readers(struct rwsem *sem)
{
	struct rwsem_waiter *w, *next;
	unsigned int n = 0;

	list_for_each_entry_safe(w, next, &sem->waiters, node) {
		if (w->writer)
			continue;
		if (n++ == GRANT_BATCH)
			return true;
		grant(sem, w);
	}
	return false;
}

/*
 * Gives the lock to whoever at the head of the queue can have it now. wait_lock held; it is dropped
 * and retaken between batches of readers.
 */
static void grant_waiters(struct rwsem *sem)
{
	bool more_readers = false;

	while (!list_empty(&sem->waiters)) {
		struct rwsem_waiter *head =
			list_first_entry(&sem->waiters, struct rwsem_waiter, node);
		long count = __atomic_load_n(&sem->count, __ATOMIC_ACQUIRE);

		if (count & RWSEM_WRITER)
			return;
		if (head->writer && !(more_readers && count >= RWSEM_READER)) {
			if (count >= RWSEM_READER)
				return;
			grant(sem, head);
			break;
		}
		more_readers = grant_readers(sem);
		if (!more_readers)
			break;
		spin_unlock(&sem->wait_lock);
		cpu_relax();
		spin_lock(&sem->wait_lock);
	}
	if (list_empty(&sem->waiters))
		__atomic_and_fetch(&sem->count, ~RWSEM_WAITERS, __ATOMIC_ACQ_REL);
}

void rwsem_wake(struct rwsem *sem)
{
	spin_lock(&sem->wait_lock);
	grant_waiters(sem);
	spin_unlock(&sem->wait_lock);
}

static int down_slow(struct rwsem *sem, bool writer, enum park_mode mode)
{
	struct rwsem_waiter w = { .task = park_self(), .writer = writer };
	int ret = 0;

	spin_lock(&sem->wait_lock);
	__atomic_or_fetch(&sem->count, RWSEM_WAITERS, __ATOMIC_ACQ_REL);
	list_add_tail(&w.node, &sem->waiters);
	grant_waiters(sem);
	while (!w.granted) {
		if (park_interrupted(mode)) {
			/* Leaving may let those behind in: readers behind a writer, say. */
			list_del(&w.node);
			grant_waiters(sem);
			ret = -EINTR;
			break;
		}
		spin_unlock(&sem->wait_lock);
		park(mode);
		spin_lock(&sem->wait_lock);
	}
	spin_unlock(&sem->wait_lock);
	return ret;
}

int rwsem_down_read_slow(struct rwsem *sem, enum park_mode mode)
{
	return down_slow(sem, false, mode);
}

int rwsem_down_write_slow(struct rwsem *sem, enum park_mode mode)
{
	return down_slow(sem, true, mode);
}

void downgrade_write(struct rwsem *sem)
{
	long now;

	ASSERT(rwsem_is_write_locked(sem));
	WRITE_ONCE(sem->owner, NULL);
	now = __atomic_add_fetch(&sem->count, RWSEM_READER - RWSEM_WRITER, __ATOMIC_RELEASE);
	if (now & RWSEM_WAITERS)
		rwsem_wake(sem);
}
