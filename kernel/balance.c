/* SPDX-License-Identifier: MIT
 *
 * Which CPU a task runs on.
 *
 * A task that wakes goes back to its CPU if that is idle, else to an idle one, else it queues on its
 * own. A new task does the same, starting from the CPU of its parent, but queues on the shortest
 * queue. A CPU that runs out of work takes a task from another queue before it goes idle. What these
 * miss the tick finds: a CPU with tasks waiting wakes an idle one, which will pull; and now and then
 * a busy CPU takes a task from a longer queue, so that three computing tasks on two CPUs all get
 * their share.
 *
 * Locking: one run-queue lock at a time, but for pulling, which only tries for the second.
 */
#include <arch/smp.h>
#include <arch/timer.h>
#include <kern/atomic.h>
#include <kernel/run_queue.h>
#include <kernel/time.h>

#define BALANCE_NS (10 * TICK_NS)

u64 idle_cpus;

/* Nobody else will choose this CPU as idle until it says so again. */
static bool claim_idle(unsigned int cpu)
{
	u64 bit = cpu_bit(cpu);

	return __atomic_fetch_and(&idle_cpus, ~bit, __ATOMIC_ACQ_REL) & bit;
}

static bool find_idle(u64 allowed, unsigned int *cpu)
{
	u64 idle;

	while ((idle = __atomic_load_n(&idle_cpus, __ATOMIC_RELAXED) & allowed)) {
		*cpu = (unsigned int)__builtin_ctzll(idle);
		if (claim_idle(*cpu))
			return true;
	}
	return false;
}

static unsigned int load_of(unsigned int cpu)
{
	const struct run_queue *rq = &run_queues[cpu];

	return READ_ONCE(rq->nr_queued) + (READ_ONCE(rq->curr) != rq->idle);
}

/* The present CPU wins a tie. */
static unsigned int least_loaded(u64 allowed, unsigned int best)
{
	unsigned int least = allowed & cpu_bit(best) ? load_of(best) : ~0U;

	for (u64 left = allowed; left; left &= left - 1) {
		unsigned int cpu = (unsigned int)__builtin_ctzll(left);

		if (load_of(cpu) < least) {
			least = load_of(cpu);
			best = cpu;
		}
	}
	return best;
}

/* The task's own CPU if it is idle, or another. */
static bool select_idle(const struct task *t, u64 allowed, unsigned int *cpu)
{
	*cpu = t->cpu;
	if ((allowed & READ_ONCE(idle_cpus) & cpu_bit(*cpu)) && claim_idle(*cpu))
		return true;
	return find_idle(allowed, cpu);
}

unsigned int select_cpu(const struct task *t)
{
	u64 online = READ_ONCE(cpus_online), allowed = READ_ONCE(t->cpus_allowed) & online;
	unsigned int cpu;

	if (online == 1)
		return 0;
	if (select_idle(t, allowed, &cpu))
		return cpu;
	return likely(allowed & cpu_bit(t->cpu)) ? t->cpu : least_loaded(allowed, t->cpu);
}

unsigned int select_cpu_new(const struct task *t)
{
	u64 online = READ_ONCE(cpus_online), allowed = READ_ONCE(t->cpus_allowed) & online;
	unsigned int cpu;

	if (online == 1)
		return 0;
	return select_idle(t, allowed, &cpu) ? cpu : least_loaded(allowed, t->cpu);
}

bool resched(struct run_queue *rq)
{
	WRITE_ONCE(cpus[rq->cpu].need_resched, 1);
	return rq != this_rq();
}

void send_resched(struct run_queue *rq)
{
	smp_send_reschedule(rq->cpu);
}

void enqueue_elsewhere(struct task *t)
{
	struct run_queue *rq;
	irqflags_t flags;
	bool send;

	for (;;) {
		rq = lock_rq_of(t, &flags);
		if (likely(may_run_on(t, rq->cpu)))
			break;
		t->cpu = select_cpu(t);
		spin_unlock_irqrestore(&rq->lock, flags);
	}
	enqueue_ready(rq, t);
	send = resched(rq);
	spin_unlock_irqrestore(&rq->lock, flags);
	if (send)
		send_resched(rq);
}

/* ---- pulling ---- */

static struct task *first_allowed(struct list_head *list, unsigned int cpu)
{
	struct task *t;

	list_for_each_entry(t, list, run_node)
		if (may_run_on(t, cpu))
			return t;
	return NULL;
}

static struct task *take_from(struct run_queue *from, struct run_queue *to)
{
	struct task *t;

	if (!spin_trylock(&from->lock))
		return NULL;
	t = first_allowed(&from->ready, to->cpu);
	if (!t)
		t = first_allowed(&from->expired, to->cpu);
	if (t) {
		dequeue_task(from, t);
		WRITE_ONCE(t->cpu, to->cpu);
	}
	spin_unlock(&from->lock);
	return t;
}

static struct task *pull_from_longer(struct run_queue *rq, unsigned int than)
{
	u64 others = READ_ONCE(cpus_online) & ~cpu_bit(rq->cpu);
	struct task *t = NULL;

	for (u64 left = others; left && !t; left &= left - 1) {
		struct run_queue *from = &run_queues[__builtin_ctzll(left)];

		if (READ_ONCE(from->nr_queued) > than)
			t = take_from(from, rq);
	}
	return t;
}

struct task *pull_task(struct run_queue *rq)
{
	if (READ_ONCE(cpus_online) == 1)
		return NULL;
	return pull_from_longer(rq, 0);
}

void balance_tick(struct run_queue *rq, u64 now)
{
	struct task *t;
	unsigned int cpu;

	if (READ_ONCE(cpus_online) == 1)
		return;
	if (rq->nr_queued && find_idle(READ_ONCE(cpus_online), &cpu)) {
		if (resched(&run_queues[cpu]))
			send_resched(&run_queues[cpu]);
	} else if (now >= rq->balance_ns) {
		rq->balance_ns = now + BALANCE_NS;
		t = pull_from_longer(rq, rq->nr_queued);
		if (t)
			enqueue_ready(rq, t);
	}
}

/* ---- affinity ---- */

void sched_set_allowed(struct task *t, u64 mask)
{
	irqflags_t flags;
	struct run_queue *rq = lock_rq_of(t, &flags);
	bool moves = false, send = false;

	WRITE_ONCE(t->cpus_allowed, mask);
	if (!may_run_on(t, rq->cpu)) {
		if (t == rq->curr) {
			send = resched(rq);
		} else if (t->queued) {
			dequeue_task(rq, t);
			WRITE_ONCE(t->cpu, select_cpu(t));
			moves = true;
		}
	}
	spin_unlock_irqrestore(&rq->lock, flags);
	if (send)
		send_resched(rq);
	if (moves)
		enqueue_elsewhere(t);
}
