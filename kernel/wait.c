/* SPDX-License-Identifier: MIT
 *
 * Wait queues and completions. A waiter is unparked under the queue's lock and leaves the queue
 * under the same lock, so whoever wakes it is done with its stack and its task before it can go
 * away.
 */
#include <kernel/wait.h>

void wait_queue_init(struct wait_queue *q)
{
	spin_lock_init(&q->lock);
	INIT_LIST_HEAD(&q->waiters);
}

void wait_add(struct wait_queue *q, struct wait_entry *e)
{
	irqflags_t flags = spin_lock_irqsave(&q->lock);

	list_add_tail(&e->node, &q->waiters);
	spin_unlock_irqrestore(&q->lock, flags);
}

void wait_remove(struct wait_queue *q, struct wait_entry *e)
{
	irqflags_t flags = spin_lock_irqsave(&q->lock);

	list_del(&e->node);
	spin_unlock_irqrestore(&q->lock, flags);
}

static void wake_all_locked(struct wait_queue *q)
{
	struct wait_entry *e;

	list_for_each_entry(e, &q->waiters, node) {
		if (e->func)
			e->func(e);
		else
			unpark(e->task);
	}
}

void wake_up(struct wait_queue *q)
{
	irqflags_t flags = spin_lock_irqsave(&q->lock);

	wake_all_locked(q);
	spin_unlock_irqrestore(&q->lock, flags);
}

void completion_init(struct completion *c)
{
	wait_queue_init(&c->wait);
	c->done = false;
}

void complete(struct completion *c)
{
	irqflags_t flags = spin_lock_irqsave(&c->wait.lock);

	c->done = true;
	wake_all_locked(&c->wait);
	spin_unlock_irqrestore(&c->wait.lock, flags);
}

int wait_for_completion(struct completion *c, enum park_mode mode)
{
	int ret = wait_event_mode(&c->wait, READ_ONCE(c->done), mode);
	irqflags_t flags = spin_lock_irqsave(&c->wait.lock);

	/* complete() may still hold the lock: c may vanish only after it let go. */
	if (c->done)
		ret = 0;
	spin_unlock_irqrestore(&c->wait.lock, flags);
	return ret;
}
