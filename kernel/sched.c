/* SPDX-License-Identifier: MIT
 *
 * The scheduler: a run queue a CPU, round robin with time slices, and sleeping (<kern/park.h>).
 * Which CPU a task goes to is decided in balance.c.
 *
 * A queue has two lists. A task with time left in its slice waits on `ready`: tasks that were
 * woken, preempted or just created. A task that used its slice up gets a new one and waits on
 * `expired`, from which tasks are taken only while `ready` is empty. So who sleeps a lot runs at
 * once when woken, and who computes gets its turn once every ready task has slept or used its
 * slice: nobody starves.
 *
 * The kernel is not preempted: a switch happens in schedule() and park() only, with the queue's
 * lock held from the decision until the next task runs and lets go of it (finish_switch). A task
 * that another CPU sees asleep under that lock has therefore really left its stack.
 *
 * A task without address space runs in the one that is loaded already, so going idle and coming back
 * costs no CR3 write. It holds no user of it: when the last one goes, tlb_context_release() makes the
 * CPUs let it go (arch/x86_64/mm/tlb.c).
 */
#include <arch/irq.h>
#include <arch/rcu.h>
#include <arch/smp.h>
#include <arch/thread.h>
#include <arch/timer.h>
#include <arch/uaccess.h>
#include <kern/assert.h>
#include <kern/park.h>
#include <kern/trace.h>
#include <kernel/rlimit.h>
#include <kernel/run_queue.h>
#include <kernel/signal.h>
#include <kernel/timer.h>
#include <mm/mm.h>
#include <mm/stats.h>

#define NO_TICK (~0ULL)

struct run_queue run_queues[MAX_CPUS];

static bool is_sleeping(enum task_state s)
{
	return s > TASK_RUNNING && s < TASK_ZOMBIE;
}

/* A nicer task gets a shorter slice; ticks measure it, so it is not shorter than one of them. */
static s64 full_slice(const struct task *t)
{
	return (20 - t->nice) * (s64)(TICK_NS / 20);
}

/* Time since the task or the idle CPU was last charged. The clocks of two CPUs may differ a little. */
static u64 take_time(struct task *t, u64 now)
{
	s64 ran = (s64)(now - t->accounted_ns);

	t->accounted_ns = now;
	return ran > 0 ? (u64)ran : 0;
}

/*
 * Charges t, which runs on rq's CPU, for the time since the last charge. Ticks know which mode they
 * interrupted; what lies between ticks goes where the latest one went.
 */
static void charge(struct run_queue *rq, struct task *t, u64 now, bool user)
{
	u64 ran = take_time(t, now);

	t->slice_ns -= (s64)ran;
	if (user) {
		t->utime_ns += ran;
		rq->user_ns += ran;
	} else {
		t->stime_ns += ran;
		rq->system_ns += ran;
	}
}

/* Puts a task that was running back. */
static void requeue(struct run_queue *rq, struct task *t)
{
	t->queued = true;
	WRITE_ONCE(rq->nr_queued, rq->nr_queued + 1);
	if (t->slice_ns > 0) {
		list_add(&t->run_node, &rq->ready);
	} else {
		t->slice_ns = full_slice(t);
		list_add_tail(&t->run_node, &rq->expired);
	}
}

/* Takes the next task off the queue, or NULL. */
static struct task *dequeue(struct run_queue *rq)
{
	struct list_head *from = list_empty(&rq->ready) ? &rq->expired : &rq->ready;
	struct task *t;

	if (!rq->nr_queued)
		return NULL;
	t = list_first_entry(from, struct task, run_node);
	dequeue_task(rq, t);
	return t;
}

/* prev has left its stack and may run on other CPUs only. */
static void send_on(struct task *prev)
{
	irqflags_t flags;
	struct run_queue *rq = lock_rq_of(prev, &flags);

	WRITE_ONCE(prev->cpu, select_cpu(prev));
	spin_unlock_irqrestore(&rq->lock, flags);
	enqueue_elsewhere(prev);
}

/* In next's context, lock still held by prev's schedule(): ends the switch. */
static void finish_switch(irqflags_t flags)
{
	struct run_queue *rq = this_rq();
	struct task *prev = rq->prev;
	bool dead = prev->state >= TASK_ZOMBIE, moves = rq->prev_moves;

	rq->prev_moves = false;
	spin_unlock_irqrestore(&rq->lock, flags);
	if (unlikely(dead)) {
		arch_thread_free(&prev->thread);
		task_put(prev);
	}
	if (unlikely(moves))
		send_on(prev);
}

/* Who runs next. prev is queued if it is to go on here later. rq's lock held. */
static struct task *pick_next(struct run_queue *rq, struct task *prev)
{
	struct task *next = dequeue(rq);

	if (prev->state == TASK_RUNNING && prev != rq->idle) {
		if (unlikely(!may_run_on(prev, rq->cpu))) {
			rq->prev_moves = true;
		} else if (next) {
			requeue(rq, prev);
		} else {
			if (prev->slice_ns <= 0)
				prev->slice_ns = full_slice(prev);
			return prev;
		}
	}
	if (!next)
		next = pull_task(rq);
	return next ? next : rq->idle;
}

/* The running task gives the CPU to the next one. rq's lock held, interrupts off; drops both. */
static void switch_away(struct run_queue *rq, irqflags_t flags)
{
	struct task *prev = rq->curr, *next;
	u64 now = clock_ns();

	this_cpu()->need_resched = 0;
	rq->clock_ns = now;
	if (unlikely(prev == rq->idle))
		rq->idle_ns += take_time(prev, now);
	else
		charge(rq, prev, now, prev->tick_in_user);

	next = pick_next(rq, prev);
	if (unlikely(next == rq->idle))
		__atomic_or_fetch(&idle_cpus, cpu_bit(rq->cpu), __ATOMIC_RELAXED);
	if (next == prev) {
		spin_unlock_irqrestore(&rq->lock, flags);
		return;
	}
	if (unlikely(prev == rq->idle))
		__atomic_and_fetch(&idle_cpus, ~cpu_bit(rq->cpu), __ATOMIC_RELAXED);

	if (prev->state == TASK_RUNNING)
		prev->nivcsw++;
	else
		prev->nvcsw++;
	next->accounted_ns = now;
	rq->curr = next;
	rq->prev = prev;
	rq->nr_switches++;
	stat_inc(CTXT);
	if (trace_enabled(sched_switch))
		trace_sched_switch(prev, next);
	if (next->mm)
		arch_switch_mm(next->mm);
	else
		arch_leave_mm_lazy();
	if (unlikely(rq->tick_ns == NO_TICK) && next != rq->idle) {
		rq->tick_ns = now + TICK_NS;
		timer_reprogram();
	}
	arch_switch_to(prev, &prev->thread, next, &next->thread);
	finish_switch(flags);
}

void schedule(void)
{
	irqflags_t flags = irq_save();
	struct run_queue *rq = this_rq();

	lockdep_may_sleep();
	rcu_note_switch();
	spin_lock(&rq->lock);
	switch_away(rq, flags);
}

void schedule_tail(void)
{
	struct task *t = current;

	finish_switch(RFLAGS_IF);
	if (t->set_child_tid && put_user_u32((u32)t->tid, t->set_child_tid))
		t->set_child_tid = NULL;
}

void cond_resched(void)
{
	lockdep_may_sleep();
	if (unlikely(READ_ONCE(this_cpu()->need_resched)))
		schedule();
}

/* ---- sleeping: <kern/park.h> ---- */

struct task *park_self(void)
{
	return current;
}

void park_as(enum task_state state)
{
	irqflags_t flags = irq_save();
	struct run_queue *rq = this_rq();
	struct task *t = current;

	ASSERT(t != rq->idle);
	lockdep_may_sleep();
	rcu_note_switch();
	spin_lock(&rq->lock);
	if (t->unparked) {
		t->unparked = false;
		spin_unlock_irqrestore(&rq->lock, flags);
		return;
	}
	t->state = state;
	switch_away(rq, flags);
}

void park(enum park_mode mode)
{
	static const enum task_state state_of[] = {
		[PARK_UNINTERRUPTIBLE] = TASK_UNINTERRUPTIBLE,
		[PARK_KILLABLE] = TASK_KILLABLE,
		[PARK_INTERRUPTIBLE] = TASK_INTERRUPTIBLE,
	};

	park_as(state_of[mode]);
}

void unpark(struct task *t)
{
	irqflags_t flags;
	struct run_queue *rq = lock_rq_of(t, &flags);
	bool send = false, moves = false;

	if (!is_sleeping(t->state)) {
		t->unparked = true;
	} else {
		unsigned int cpu = select_cpu(t);

		t->state = TASK_RUNNING;
		/* Who slept for a slice's length starts a new one. */
		if ((s64)(this_rq()->clock_ns - t->accounted_ns) >= (s64)TICK_NS ||
		    t->slice_ns <= 0)
			t->slice_ns = full_slice(t);
		moves = cpu != rq->cpu;
		if (likely(!moves)) {
			enqueue_ready(rq, t);
			send = resched(rq);
		} else {
			WRITE_ONCE(t->cpu, cpu);
		}
	}
	spin_unlock_irqrestore(&rq->lock, flags);
	if (send)
		send_resched(rq);
	if (moves)
		enqueue_elsewhere(t);
}

bool park_interrupted(enum park_mode mode)
{
	if (mode == PARK_INTERRUPTIBLE)
		return signal_pending(current);
	return mode == PARK_KILLABLE && fatal_signal_pending(current);
}

/* ---- life of a task in the scheduler ---- */

void sched_init(void)
{
	unsigned int i;

	for (i = 0; i < MAX_CPUS; i++) {
		struct run_queue *rq = &run_queues[i];

		spin_lock_init(&rq->lock);
		rq->cpu = i;
		INIT_LIST_HEAD(&rq->ready);
		INIT_LIST_HEAD(&rq->expired);
		rq->tick_ns = NO_TICK;
	}
}

void sched_init_idle(struct task *idle)
{
	struct run_queue *rq = this_rq();

	idle->state = TASK_RUNNING;
	idle->cpu = cpu_id();
	idle->accounted_ns = clock_ns();
	rq->idle = idle;
	rq->curr = idle;
	this_cpu()->current_task = idle;
}

void sched_add(struct task *t)
{
	irqflags_t flags = irq_save();
	struct run_queue *rq = this_rq();
	struct task *parent = current;

	spin_lock(&rq->lock);
	t->cpu = rq->cpu;
	/* Half of the parent's slice: who forks a lot gets no more time than others. */
	if (parent == rq->idle) {
		t->slice_ns = full_slice(t);
	} else {
		t->slice_ns = parent->slice_ns / 2;
		parent->slice_ns -= t->slice_ns;
	}
	t->accounted_ns = rq->clock_ns;
	/* The parent of a vfork() is about to sleep. */
	if (!t->vfork_done)
		t->cpu = select_cpu_new(t);
	if (likely(t->cpu == rq->cpu && may_run_on(t, rq->cpu))) {
		enqueue_ready(rq, t);
		spin_unlock_irqrestore(&rq->lock, flags);
	} else {
		spin_unlock_irqrestore(&rq->lock, flags);
		enqueue_elsewhere(t);
	}
}

void sched_start(void)
{
	rcu_start_reading();
	for (;;) {
		irq_enable();
		schedule();
		irq_disable();
		rcu_stop_reading();
		while (!cpu_need_resched())
			arch_idle();
		rcu_start_reading();
	}
}

void sched_yield_cpu(void)
{
	current->slice_ns = 0;
	schedule();
}

/* The caller's locked change of t->work comes before the look at who runs. */
void sched_kick(struct task *t)
{
	unsigned int cpu = READ_ONCE(t->cpu);

	if (cpu != cpu_id() && READ_ONCE(cpus[cpu].current_task) == t)
		smp_send_reschedule(cpu);
}

/* ---- time: called from the timer interrupt, and what /proc asks ---- */

void sched_tick(bool from_user)
{
	struct run_queue *rq = this_rq();
	struct task *t = rq->curr;
	u64 now = clock_ns();

	if (now < rq->tick_ns)
		return;
	spin_lock(&rq->lock);
	rq->clock_ns = now;
	if (t == rq->idle) {
		rq->tick_ns = NO_TICK;
	} else {
		rq->tick_ns = now + TICK_NS;
		t->tick_in_user = from_user;
		charge(rq, t, now, from_user);
		balance_tick(rq, now);
		if (t->slice_ns < (s64)TICK_NS / 2) {
			t->slice_ns = 0;
			if (rq->nr_queued)
				this_cpu()->need_resched = 1;
		}
	}
	spin_unlock(&rq->lock);
	if (t != rq->idle)
		rlimit_cpu_tick(t->process);
}

u64 sched_next_tick(void)
{
	return this_rq()->tick_ns;
}

void task_cputime(struct task *t, u64 *utime_ns, u64 *stime_ns)
{
	irqflags_t flags;
	struct run_queue *rq = lock_rq_of(t, &flags);

	/* Charged for good, so that neither figure ever goes back. */
	if (t == rq->curr)
		charge(rq, t, clock_ns(), t->tick_in_user);
	*utime_ns = t->utime_ns;
	*stime_ns = t->stime_ns;
	spin_unlock_irqrestore(&rq->lock, flags);
}

unsigned int sched_nr_running(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < MAX_CPUS; i++) {
		const struct run_queue *rq = &run_queues[i];

		n += READ_ONCE(rq->nr_queued) + (READ_ONCE(rq->curr) != rq->idle);
	}
	return n;
}

u64 sched_online_cpus(void)
{
	return READ_ONCE(cpus_online);
}

void sched_cpu_times(unsigned int cpu, u64 *user_ns, u64 *system_ns, u64 *idle_ns)
{
	struct run_queue *rq = &run_queues[cpu];
	irqflags_t flags = spin_lock_irqsave(&rq->lock);

	if (rq->idle && rq->curr == rq->idle)
		rq->idle_ns += take_time(rq->idle, clock_ns());
	*user_ns = rq->user_ns;
	*system_ns = rq->system_ns;
	*idle_ns = rq->idle_ns;
	spin_unlock_irqrestore(&rq->lock, flags);
}

u64 sched_nr_switches(void)
{
	unsigned int i;
	u64 n = 0;

	for (i = 0; i < MAX_CPUS; i++)
		n += READ_ONCE(run_queues[i].nr_switches);
	return n;
}

/* ---- address spaces ---- */

struct mm *sched_use_mm(struct mm *mm)
{
	struct task *t = current;
	struct mm *old = t->mm;
	irqflags_t flags;

	ASSERT(mm);
	spin_lock(&tasklist_lock);
	t->mm = mm;
	spin_unlock(&tasklist_lock);
	flags = irq_save();
	arch_switch_mm(mm);
	irq_restore(flags);
	return old;
}

void sched_drop_mm(void)
{
	struct task *t = current;
	struct mm *mm = t->mm;
	irqflags_t flags;

	if (!mm)
		return;
	spin_lock(&tasklist_lock);
	t->mm = NULL;
	spin_unlock(&tasklist_lock);
	flags = irq_save();
	if (atomic_read(&mm->users) == 1)
		arch_switch_mm(NULL);
	else
		arch_leave_mm_lazy();
	irq_restore(flags);
	mm_put(mm);
}
