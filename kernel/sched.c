/* SPDX-License-Identifier: MIT
 *
 * The scheduler: a run queue a CPU, round robin with time slices, and sleeping (<kern/park.h>).
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
 * A task without address space runs in the one that is loaded already; the queue holds a user of it
 * meanwhile (loaded_mm while curr->mm is NULL), so going idle and coming back costs no CR3 write.
 */
#include <arch/irq.h>
#include <arch/thread.h>
#include <arch/timer.h>
#include <arch/uaccess.h>
#include <kern/assert.h>
#include <kern/park.h>
#include <kernel/rlimit.h>
#include <kernel/signal.h>
#include <kernel/task.h>
#include <kernel/timer.h>
#include <mm/mm.h>
#include <mm/stats.h>

#define NO_TICK (~0ULL)

struct run_queue {
	spinlock_t lock;	  /* irqsave */
	struct list_head ready;	  /* [lock] runnable, slice left */
	struct list_head expired; /* [lock] runnable, new slice */
	unsigned int nr_queued;	  /* [lock] on both */
	struct task *curr;	  /* [lock] running */
	struct task *idle;	  /* [I] */
	struct task *prev;	  /* [lock] whom the switch in progress leaves */
	struct mm *loaded_mm;	  /* own CPU: what the MMU uses; NULL is the kernel's */
	struct mm *stale_mm;	  /* [lock] to be put after the switch in progress */
	u64 clock_ns;		  /* [lock] at the last switch or tick */
	u64 tick_ns;		  /* own CPU: when sched_tick() is due */
	u64 idle_ns;		  /* [lock] */
	u64 nr_switches;	  /* [lock] */
} __aligned(64);

static struct run_queue run_queues[MAX_CPUS];

static struct run_queue *this_rq(void)
{
	return &run_queues[cpu_id()];
}

static bool is_sleeping(enum task_state s)
{
	return s > TASK_RUNNING && s < TASK_ZOMBIE;
}

/* A nicer task gets a shorter slice; ticks measure it, so it is not shorter than one of them. */
static s64 full_slice(const struct task *t)
{
	return (20 - t->nice) * (s64)(TICK_NS / 20);
}

/* Locks the queue that t belongs to; t may be moved until the lock is held. */
static struct run_queue *lock_rq_of(struct task *t, irqflags_t *flags)
{
	for (;;) {
		struct run_queue *rq = &run_queues[READ_ONCE(t->cpu)];

		*flags = spin_lock_irqsave(&rq->lock);
		if (likely(rq == &run_queues[t->cpu]))
			return rq;
		spin_unlock_irqrestore(&rq->lock, *flags);
	}
}

/*
 * Charges t for the time since the last charge. Ticks know which mode they interrupted; other
 * charges go where most of the task's time went.
 */
static void charge(struct task *t, u64 now, bool user)
{
	u64 ran = now - t->accounted_ns;

	t->accounted_ns = now;
	t->slice_ns -= (s64)ran;
	if (user)
		t->utime_ns += ran;
	else
		t->stime_ns += ran;
}

static void enqueue_ready(struct run_queue *rq, struct task *t)
{
	list_add_tail(&t->run_node, &rq->ready);
	rq->nr_queued++;
}

/* Puts a task that was running back. */
static void requeue(struct run_queue *rq, struct task *t)
{
	rq->nr_queued++;
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
	list_del(&t->run_node);
	rq->nr_queued--;
	return t;
}

/* Loads next's address space. See the file comment for who owns the user of loaded_mm. */
static void switch_mm(struct run_queue *rq, struct mm *prev_mm, struct mm *next_mm)
{
	struct mm *loaded = rq->loaded_mm;

	if (!next_mm) {
		if (prev_mm)
			mm_get(prev_mm);
		return;
	}
	if (!prev_mm)
		rq->stale_mm = loaded;
	if (next_mm != loaded) {
		arch_switch_mm(loaded, next_mm);
		rq->loaded_mm = next_mm;
	}
}

/* In next's context, lock still held by prev's schedule(): ends the switch. */
static void finish_switch(irqflags_t flags)
{
	struct run_queue *rq = this_rq();
	struct task *prev = rq->prev;
	struct mm *stale = rq->stale_mm;
	bool dead = prev->state >= TASK_ZOMBIE;

	rq->stale_mm = NULL;
	spin_unlock_irqrestore(&rq->lock, flags);
	if (unlikely(dead)) {
		arch_thread_free(&prev->thread);
		task_put(prev);
	}
	/*
	 * Never the last user while one CPU runs: a process ends by running, and running again took this
	 * reference back before. The task here may hold locks that the end of an address space needs.
	 */
	if (unlikely(stale))
		mm_put(stale);
}

/* The running task gives the CPU to the next one. rq's lock held, interrupts off; drops both. */
static void switch_away(struct run_queue *rq, irqflags_t flags)
{
	struct task *prev = rq->curr, *next;
	u64 now = clock_ns();

	this_cpu()->need_resched = 0;
	rq->clock_ns = now;
	if (unlikely(prev == rq->idle)) {
		rq->idle_ns += now - prev->accounted_ns;
		prev->accounted_ns = now;
	} else {
		charge(prev, now, prev->utime_ns >= prev->stime_ns);
	}

	next = dequeue(rq);
	if (prev->state == TASK_RUNNING && prev != rq->idle) {
		if (next) {
			requeue(rq, prev);
		} else {
			if (prev->slice_ns <= 0)
				prev->slice_ns = full_slice(prev);
			next = prev;
		}
	}
	if (!next)
		next = rq->idle;
	if (next == prev) {
		spin_unlock_irqrestore(&rq->lock, flags);
		return;
	}

	if (prev->state == TASK_RUNNING)
		prev->nivcsw++;
	else
		prev->nvcsw++;
	next->accounted_ns = now;
	rq->curr = next;
	rq->prev = prev;
	rq->nr_switches++;
	stat_inc(CTXT);
	switch_mm(rq, prev->mm, next->mm);
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
	struct task *t = current;

	lockdep_may_sleep();
	spin_lock(&rq->lock);
	if (is_sleeping(t->state) && t->unparked) {
		t->unparked = false;
		t->state = TASK_RUNNING;
	}
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

	if (!is_sleeping(t->state)) {
		t->unparked = true;
	} else {
		t->state = TASK_RUNNING;
		if (likely(t != rq->curr)) {
			/* Who slept for a slice's length starts a new one. */
			if (rq->clock_ns - t->accounted_ns >= TICK_NS || t->slice_ns <= 0)
				t->slice_ns = full_slice(t);
			enqueue_ready(rq, t);
			if (rq == this_rq())
				this_cpu()->need_resched = 1;
		}
	}
	spin_unlock_irqrestore(&rq->lock, flags);
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
	t->state = TASK_RUNNING;
	t->cpu = cpu_id();
	/* Half of the parent's slice: who forks a lot gets no more time than others. */
	if (parent == rq->idle) {
		t->slice_ns = full_slice(t);
	} else {
		t->slice_ns = parent->slice_ns / 2;
		parent->slice_ns -= t->slice_ns;
	}
	t->accounted_ns = rq->clock_ns;
	enqueue_ready(rq, t);
	spin_unlock_irqrestore(&rq->lock, flags);
}

void sched_start(void)
{
	struct run_queue *rq = this_rq();

	irq_disable();
	for (;;) {
		while (!READ_ONCE(rq->nr_queued))
			arch_idle();
		schedule();
	}
}

void sched_yield_cpu(void)
{
	current->slice_ns = 0;
	schedule();
}

/* One CPU: whoever asks is the one that runs. */
void sched_kick(struct task *t __maybe_unused)
{
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
		charge(t, now, from_user);
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
	if (t == current)
		charge(t, clock_ns(), t->utime_ns >= t->stime_ns);
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
	unsigned int i;
	u64 mask = 0;

	for (i = 0; i < MAX_CPUS; i++)
		if (READ_ONCE(run_queues[i].idle))
			mask |= 1ULL << i;
	return mask;
}

u64 sched_idle_ns(unsigned int cpu)
{
	return READ_ONCE(run_queues[cpu].idle_ns);
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
	irqflags_t flags = irq_save();
	struct run_queue *rq = this_rq();
	struct task *t = current;
	struct mm *old = t->mm, *stale = NULL;

	ASSERT(mm);
	if (!old)
		stale = rq->loaded_mm;
	spin_lock(&tasklist_lock);
	t->mm = mm;
	spin_unlock(&tasklist_lock);
	if (rq->loaded_mm != mm)
		arch_switch_mm(rq->loaded_mm, mm);
	rq->loaded_mm = mm;
	irq_restore(flags);
	if (stale)
		mm_put(stale);
	return old;
}

void sched_drop_mm(void)
{
	irqflags_t flags = irq_save();
	struct run_queue *rq = this_rq();
	struct task *t = current;
	struct mm *mm = t->mm;

	spin_lock(&tasklist_lock);
	t->mm = NULL;
	spin_unlock(&tasklist_lock);
	if (!mm || atomic_read(&mm->users) > 1) {
		/* Somebody else's too: stays loaded, and our user becomes the queue's. */
		irq_restore(flags);
		return;
	}
	arch_switch_mm(mm, NULL);
	rq->loaded_mm = NULL;
	irq_restore(flags);
	mm_put(mm);
}
