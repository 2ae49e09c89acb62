/* SPDX-License-Identifier: MIT
 *
 * Wait queues: sleep until a condition holds, woken by whoever may have made it true.
 */
#ifndef KERNEL_WAIT_H
#define KERNEL_WAIT_H

#include <kern/err.h>
#include <kern/list.h>
#include <kern/park.h>
#include <sync/spinlock.h>

struct wait_queue {
	spinlock_t lock;
	struct list_head waiters; /* [lock] wait_entry->node */
};

struct wait_entry {
	struct list_head node;
	struct task *task;
	/* Called by wake_up() instead of unpark() when set (poll). Runs under the queue's lock. */
	void (*func)(struct wait_entry *e);
};

#define WAIT_QUEUE_INIT(name)                                                                      \
	{                                                                                          \
		SPINLOCK_INIT, LIST_HEAD_INIT((name).waiters)                                      \
	}

void wait_queue_init(struct wait_queue *q);
void wait_add(struct wait_queue *q,
	      struct wait_entry *e); /* e->task and e->func set by the caller */
void wait_remove(struct wait_queue *q, struct wait_entry *e);
/* Any context. Wakes all; each looks at its condition again. */
void wake_up(struct wait_queue *q);

/* Sleeps until cond is true. Evaluates to 0, or -ERESTARTSYS when a signal of the mode came first. */
#define wait_event_mode(q, cond, mode)                                                             \
	({                                                                                         \
		struct wait_entry we_ = { .task = park_self() };                                   \
		int ret_ = 0;                                                                      \
		if (!(cond)) {                                                                     \
			wait_add((q), &we_);                                                       \
			while (!(cond)) {                                                          \
				if (park_interrupted(mode)) {                                      \
					ret_ = -ERESTARTSYS;                                       \
					break;                                                     \
				}                                                                  \
				park(mode);                                                        \
			}                                                                          \
			wait_remove((q), &we_);                                                    \
		}                                                                                  \
		ret_;                                                                              \
	})
#define wait_event(q, cond) ((void)wait_event_mode(q, cond, PARK_UNINTERRUPTIBLE))
#define wait_event_killable(q, cond) wait_event_mode(q, cond, PARK_KILLABLE)
#define wait_event_interruptible(q, cond) wait_event_mode(q, cond, PARK_INTERRUPTIBLE)

/* One task waits for one event. */
struct completion {
	struct wait_queue wait;
	bool done;
};

void completion_init(struct completion *c);
void complete(struct completion *c);
/* 0, or -ERESTARTSYS when a signal of the mode came first; after 0 nobody touches *c any more. */
int wait_for_completion(struct completion *c, enum park_mode mode);

#endif
