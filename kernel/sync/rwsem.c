/* SPDX-License-Identifier: MIT
 *
 * The slow half of the reader-writer lock: waiters in order of arrival, to whom the lock is handed.
 *
 * While RWSEM_WAITERS is set the fast paths of <sync/rwsem.h> acquire nothing, so the only way in
 * is a grant, made here under wait_lock, and the only other change of count is a release. From this
 * follows:
 *
 *   - RWSEM_WAITERS is set if and only if there is a waiter (both change under wait_lock).
 *   - A release that leaves a waiter who could run sees the bit and calls rwsem_wake(); a release
 *     that came before the bit was set left a free lock, which the new waiter's own grant pass finds.
 *   - A grant is a hand-over: the waiter owns its hold when granted is set, and it acts on granted
 *     under wait_lock only. So a fatal signal and a grant cannot both win, and whoever granted has
 *     finished with the waiter's stack and task before the waiter can go away.
 *
 * Policies (knob rwsem), all in writer_is_next():
 *
 *   fifo     Whoever waits longest; with a reader come all readers that are queued at that moment, as in
 *            Linux. Readers that come later queue behind the writers. Nobody starves: each writer waits
 *            for one batch of readers at most, each reader for the writers in front of it.
 *   writer   Writers overtake queued readers: a stream of writers starves readers.
 *   reader   Readers overtake queued writers and join readers inside: a stream of readers starves writers.
 *
 * Spinning (knob rwsem.spin): who is queued behind a writer that runs on another CPU watches for its
 * grant instead of sleeping. It stays in the queue, so the order is the same. The owner is looked at
 * under wait_lock: with a waiter queued, a writer takes that lock when it releases, so it still exists.
 */
#include <arch/cpu.h>
#include <kern/knobs.h>
#include <sync/rwsem.h>
#include <uapi/errno.h>

/* Readers granted under one hold of wait_lock. */
#define GRANT_BATCH 256
/* Pauses between two looks at the owner. */
#define SPIN_PAUSES 64

enum { READERS, WRITERS };
enum { POLICY_FIFO, POLICY_WRITER, POLICY_READER };

struct rwsem_waiter {
	struct list_head node; /* [wait_lock] */
	struct task *task;
	u32 ticket; /* the order of arrival */
	bool writer;
	bool granted; /* [wait_lock], read without it while spinning */
};

void(rwsem_init)(struct rwsem *sem)
{
	sem->count = 0;
	sem->owner = NULL;
	sem->next_ticket = 0;
	spin_lock_init(&sem->wait_lock);
	INIT_LIST_HEAD(&sem->waiters[READERS]);
	INIT_LIST_HEAD(&sem->waiters[WRITERS]);
}

/* Hands the lock to w. wait_lock held; count says that w may have it. */
static void grant(struct rwsem *sem, struct rwsem_waiter *w)
{
	__atomic_add_fetch(&sem->count, w->writer ? RWSEM_WRITER : RWSEM_READER, __ATOMIC_ACQ_REL);
	if (w->writer)
		__atomic_store_n(&sem->owner, w->task, __ATOMIC_RELEASE);
	list_del(&w->node);
	WRITE_ONCE(w->granted, true);
	unpark(w->task);
}

static struct rwsem_waiter *first_waiter(struct rwsem *sem, unsigned int kind)
{
	return list_first_entry(&sem->waiters[kind], struct rwsem_waiter, node);
}

static bool arrived_before(u32 a, u32 b)
{
	return (s32)(a - b) < 0;
}

/* The policy: is the next to get the lock a writer, or the queued readers? wait_lock held, someone waits. */
static bool writer_is_next(struct rwsem *sem)
{
	if (list_empty(&sem->waiters[READERS]) || list_empty(&sem->waiters[WRITERS]))
		return list_empty(&sem->waiters[READERS]);
	switch (READ_ONCE(knob_rwsem)) {
	case POLICY_WRITER:
		return true;
	case POLICY_READER:
		return false;
	default:
		return arrived_before(first_waiter(sem, WRITERS)->ticket,
				      first_waiter(sem, READERS)->ticket);
	}
}

/*
 * Grants the readers that are queued now; those that come meanwhile wait their turn. wait_lock held; it
 * is dropped and retaken between batches, and when a writer got in there, its release grants the rest.
 */
static void grant_readers(struct rwsem *sem)
{
	u32 horizon = sem->next_ticket;
	unsigned int n = 0;

	while (!list_empty(&sem->waiters[READERS]) &&
	       arrived_before(first_waiter(sem, READERS)->ticket, horizon)) {
		if (n++ == GRANT_BATCH) {
			n = 0;
			spin_unlock(&sem->wait_lock);
			cpu_relax();
			spin_lock(&sem->wait_lock);
			if (__atomic_load_n(&sem->count, __ATOMIC_ACQUIRE) & RWSEM_WRITER)
				return;
			continue;
		}
		grant(sem, first_waiter(sem, READERS));
	}
}

static bool has_waiters(const struct rwsem *sem)
{
	return !list_empty(&sem->waiters[READERS]) || !list_empty(&sem->waiters[WRITERS]);
}

/* Gives the lock to whoever is next, if it can be had now. wait_lock held; see grant_readers(). */
static void grant_waiters(struct rwsem *sem)
{
	long count = __atomic_load_n(&sem->count, __ATOMIC_ACQUIRE);

	if (has_waiters(sem) && !(count & RWSEM_WRITER)) {
		if (!writer_is_next(sem))
			grant_readers(sem);
		else if (count < RWSEM_READER)
			grant(sem, first_waiter(sem, WRITERS));
	}
	if (!has_waiters(sem))
		__atomic_and_fetch(&sem->count, ~RWSEM_WAITERS, __ATOMIC_ACQ_REL);
}

void rwsem_wake(struct rwsem *sem)
{
	spin_lock(&sem->wait_lock);
	grant_waiters(sem);
	spin_unlock(&sem->wait_lock);
}

/* Is it worth watching for the grant? wait_lock held. */
static bool should_spin(const struct rwsem *sem)
{
	const struct task *owner = __atomic_load_n(&sem->owner, __ATOMIC_ACQUIRE);

	return READ_ONCE(knob_rwsem_spin) && owner && park_on_cpu(owner) &&
	       !READ_ONCE(this_cpu()->need_resched);
}

static void spin_for_grant(const struct rwsem_waiter *w)
{
	for (unsigned int i = 0; i < SPIN_PAUSES && !READ_ONCE(w->granted); i++)
		cpu_relax();
}

static int down_slow(struct rwsem *sem, bool writer, enum park_mode mode)
{
	struct rwsem_waiter w = { .task = park_self(), .writer = writer };
	int ret = 0;

	spin_lock(&sem->wait_lock);
	__atomic_or_fetch(&sem->count, RWSEM_WAITERS, __ATOMIC_ACQ_REL);
	w.ticket = sem->next_ticket++;
	list_add_tail(&w.node, &sem->waiters[writer ? WRITERS : READERS]);
	grant_waiters(sem);
	while (!w.granted) {
		bool spin;

		if (park_interrupted(mode)) {
			/* Leaving may let those behind in: readers behind a writer, say. */
			list_del(&w.node);
			grant_waiters(sem);
			ret = -EINTR;
			break;
		}
		spin = should_spin(sem);
		spin_unlock(&sem->wait_lock);
		if (spin)
			spin_for_grant(&w);
		else
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
