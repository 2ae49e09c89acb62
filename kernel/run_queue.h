/* SPDX-License-Identifier: MIT
 *
 * A CPU's run queue: what kernel/sched.c, which switches tasks, and kernel/balance.c, which decides
 * where they run, share. What it means is said in sched.c.
 */
#ifndef KERNEL_RUN_QUEUE_H
#define KERNEL_RUN_QUEUE_H

#include <kernel/task.h>

struct run_queue {
	spinlock_t lock;	  /* irqsave */
	unsigned int cpu;	  /* [I] */
	struct list_head ready;	  /* [lock] runnable, slice left */
	struct list_head expired; /* [lock] runnable, new slice */
	unsigned int nr_queued;	  /* [lock] on both; read by anyone */
	bool prev_moves;	  /* [lock] prev may not run here: finish_switch() sends it on */
	struct task *curr;	  /* [lock] running */
	struct task *idle;	  /* [I] */
	struct task *prev;	  /* [lock] whom the switch in progress leaves */
	u64 clock_ns;		  /* [lock] at the last switch or tick */
	u64 tick_ns;		  /* own CPU: when sched_tick() is due */
	u64 balance_ns;		  /* own CPU: when the next look at other queues is due */
	u64 user_ns, system_ns;	  /* [lock] that tasks ran here */
	u64 idle_ns;		  /* [lock] up to idle->accounted_ns */
	u64 nr_switches;	  /* [lock] */
} __aligned(64);

extern struct run_queue run_queues[MAX_CPUS]; /* sched.c */

static inline struct run_queue *this_rq(void)
{
	return &run_queues[cpu_id()];
}

static inline u64 cpu_bit(unsigned int cpu)
{
	return 1ULL << cpu;
}

static inline bool may_run_on(const struct task *t, unsigned int cpu)
{
	return READ_ONCE(t->cpus_allowed) & cpu_bit(cpu);
}

/*
 * Locks the queue that t belongs to. t->cpu changes only with the lock of the queue it leaves held,
 * so while this lock is held t stays.
 */
static inline struct run_queue *lock_rq_of(struct task *t, irqflags_t *flags)
{
	for (;;) {
		struct run_queue *rq = &run_queues[READ_ONCE(t->cpu)];

		*flags = spin_lock_irqsave(&rq->lock);
		if (likely(rq == &run_queues[READ_ONCE(t->cpu)]))
			return rq;
		spin_unlock_irqrestore(&rq->lock, *flags);
	}
}

/* rq's lock held. */
static inline void enqueue_ready(struct run_queue *rq, struct task *t)
{
	t->queued = true;
	list_add_tail(&t->run_node, &rq->ready);
	WRITE_ONCE(rq->nr_queued, rq->nr_queued + 1);
}

/* rq's lock held; t is on one of its lists. */
static inline void dequeue_task(struct run_queue *rq, struct task *t)
{
	t->queued = false;
	list_del(&t->run_node);
	WRITE_ONCE(rq->nr_queued, rq->nr_queued - 1);
}

/* ---- balance.c ---- */

/* Bit n: CPU n has nothing to do and nobody has chosen it yet. Atomic. */
extern u64 idle_cpus;

/*
 * Where a task that wakes, or a new one, is to run; an idle CPU is taken for it. The lock of t's queue
 * is held, or t is new.
 */
unsigned int select_cpu(const struct task *t);
unsigned int select_cpu_new(const struct task *t);
/* Queues a runnable task, on no queue and no CPU, where t->cpu says. No run-queue lock held. */
void enqueue_elsewhere(struct task *t);
/*
 * Something was queued here: the CPU must look, and wake if it is idle. rq's lock held. True: it is
 * another CPU, and send_resched() is to be called, better after unlocking.
 */
bool __must_check resched(struct run_queue *rq);
void send_resched(struct run_queue *rq);
/* A task from another queue, now on none and belonging here; or NULL. rq's lock held, interrupts off. */
struct task *pull_task(struct run_queue *rq);
/* From the tick, rq's lock held: evens queues out, finds work for idle CPUs. */
void balance_tick(struct run_queue *rq, u64 now);

#endif
