/* SPDX-License-Identifier: MIT
 *
 * Signals (POSIX.1-2017, 2.4): from the sender's queue entry to the handler's frame.
 *
 * 1. Sending: prepare_signal() settles what stop and continue signals undo and whether the signal
 *    is ignored; the signal joins the thread's or the process's pending set; complete_signal()
 *    chooses a thread that does not block it, sets its TASK_WORK_SIGNAL and wakes it. A signal that
 *    is going to kill the process turns into SIGKILL for each thread at once, so that every
 *    killable wait ends.
 * 2. Delivery (sigdeliver.c): on its way to user mode the thread takes the lowest pending signal,
 *    faults first, and meets its action: ignore, stop, die, or a frame on the user stack
 *    (sigframe.c).
 * 3. Job control: a stop signal marks every thread stop_pending; the last one to stop makes the
 *    process `stopped` and tells the parent. SIGCONT undoes it when it is sent, whatever its
 *    action.
 *
 * Locking: all of a process's signal state is under its siglock, taken with interrupts off since
 * timers and terminals send from interrupts. tasklist_lock, where needed, comes before it.
 */
#include <kern/err.h>
#include <kern/string.h>
#include <kernel/signal.h>
#include <mm/slab.h>

#define SIG_SYNC_MASK                                                                              \
	(sigmask(SIGSEGV) | sigmask(SIGBUS) | sigmask(SIGILL) | sigmask(SIGTRAP) |                 \
	 sigmask(SIGFPE) | sigmask(SIGSYS))

static struct kmem_cache *sigqueue_cache;

void signal_init(void)
{
	sigqueue_cache = kmem_cache_create("sigqueue", sizeof(struct sigqueue), 0);
}

/* ---- the pending sets ---- */

void sigpending_init(struct sigpending *p)
{
	p->mask = 0;
	p->nr_queued = 0;
	p->slot_used = false;
	INIT_LIST_HEAD(&p->queue);
}

static struct siginfo *sigqueue_info(struct sigqueue *q)
{
	return (struct siginfo *)q->info;
}

static void sigqueue_remove(struct sigpending *p, struct sigqueue *q)
{
	list_del(&q->node);
	p->nr_queued--;
	if (likely(q == &p->slot))
		p->slot_used = false;
	else
		kmem_cache_free(sigqueue_cache, q);
}

/* Drops the pending signals of the mask. */
static void sigpending_drop(struct sigpending *p, u64 mask)
{
	struct sigqueue *q, *n;

	if (!(p->mask & mask))
		return;
	p->mask &= ~mask;
	list_for_each_entry_safe(q, n, &p->queue, node)
		if (sigmask(sigqueue_info(q)->si_signo) & mask)
			sigqueue_remove(p, q);
}

void sigpending_flush(struct sigpending *p)
{
	sigpending_drop(p, ~0UL);
}

/* Takes one signal that is not blocked out of the set. Returns its number, 0 when there is none. */
static int sigpending_take(struct sigpending *p, u64 blocked, struct siginfo *info)
{
	struct sigqueue *q, *found = NULL;
	u64 ready = p->mask & ~blocked;
	int sig;

	if (!ready)
		return 0;
	if (ready & SIG_SYNC_MASK)
		ready &= SIG_SYNC_MASK;
	sig = __builtin_ctzl(ready) + 1;

	/* The usual one is alone, in the slot. */
	if (likely(p->nr_queued == 1 && p->slot_used && sigqueue_info(&p->slot)->si_signo == sig)) {
		__builtin_memcpy(info, p->slot.info, SIGINFO_USED);
		p->mask &= ~sigmask(sig);
		p->nr_queued = 0;
		p->slot_used = false;
		INIT_LIST_HEAD(&p->queue);
		return sig;
	}
	list_for_each_entry(q, &p->queue, node) {
		if (sigqueue_info(q)->si_signo != sig)
			continue;
		if (found)
			goto more; /* the signal stays pending */
		found = q;
		if (sig < SIGRTMIN)
			break;
	}
	p->mask &= ~sigmask(sig);
more:
	if (likely(found)) {
		__builtin_memcpy(info, found->info, SIGINFO_USED);
		sigqueue_remove(p, found);
	} else { /* its info found no room */
		__builtin_memset(info, 0, SIGINFO_USED);
		info->si_signo = sig;
	}
	return sig;
}

int dequeue_signal(u64 blocked, struct siginfo *info)
{
	struct task *self = current;
	int sig;

	assert_spin_locked(&self->process->siglock);
	sig = sigpending_take(&self->pending, blocked, info);
	if (!sig) {
		sig = sigpending_take(&self->process->pending, blocked, info);
		if (sig == SIGALRM)
			itimer_real_rearm(self->process);
	}
	return sig;
}

/* ---- who is told ---- */

static u64 effective_blocked(const struct task *t)
{
	return t->blocked & ~t->sigwait;
}

void signal_recalc(struct task *t)
{
	struct process *p = t->process;

	assert_spin_locked(&p->siglock);
	if (((t->pending.mask | p->pending.mask) & ~effective_blocked(t)) || t->stop_pending ||
	    p->cld_report)
		task_set_work(t, TASK_WORK_SIGNAL);
	else
		task_clear_work(t, TASK_WORK_SIGNAL);
}

/*
 * A caller in process context is awake. Work that is set already was announced by whoever set it: only
 * the thread itself takes it back, with the siglock, on its way to user mode.
 */
void signal_wake(struct task *t)
{
	bool told = READ_ONCE(t->work) & TASK_WORK_SIGNAL;

	assert_spin_locked(&t->process->siglock);
	if (!told)
		task_set_work(t, TASK_WORK_SIGNAL);
	if (t == current && !this_cpu()->irq_depth)
		return;
	if (!told)
		sched_kick(t);
	unpark(t);
}

static inline bool wants_signal(const struct task *t, int sig)
{
	if ((effective_blocked(t) & sigmask(sig)) || t->exiting)
		return false;
	if (sig == SIGKILL)
		return true;
	return !t->stopped && (t == current || !signal_pending(t));
}

/* As init, a kernel thread: what it does would be cut short (park_interrupted()), and it does not go away. */
bool is_immortal(const struct process *p)
{
	return p->kernel_thread || (p->pid == 1 && !p->mortal);
}

static bool sig_ignored(const struct process *p, const struct task *t, int sig)
{
	unsigned long handler = p->action[sig - 1].handler;

	if (likely(handler > SIG_IGN) || (t->blocked & sigmask(sig)))
		return false;
	return handler == SIG_IGN || (sigmask(sig) & SIG_IGNORE_MASK) || is_immortal(p);
}

static bool sig_fatal(const struct process *p, int sig)
{
	return p->action[sig - 1].handler == SIG_DFL &&
	       !(sigmask(sig) & (SIG_IGNORE_MASK | SIG_STOP_MASK));
}

static void kill_thread(struct task *t)
{
	t->stop_pending = false;
	t->pending.mask |= sigmask(SIGKILL);
	signal_wake(t);
}

void zap_other_threads(struct process *p)
{
	struct task *t;

	assert_spin_locked(&p->siglock);
	p->stop_count = 0;
	p->stop_by = 0;
	list_for_each_entry(t, &p->threads, thread_node)
		if (t != current && !t->exiting)
			kill_thread(t);
}

/* The whole process begins to die of sig, before any of its threads has run. */
static void kill_process(struct process *p, int sig)
{
	struct task *t;

	p->group_exiting = true;
	p->group_exit_code = sig;
	p->stopped = false;
	p->stop_signal = 0;
	p->stop_count = 0;
	p->stop_by = 0;
	list_for_each_entry(t, &p->threads, thread_node)
		kill_thread(t);
}

/*
 * A signal is pending: finds a thread to take it. t is asked first, and alone when it is t's own.
 */
static void complete_signal(struct process *p, struct task *t, int sig, bool group)
{
	struct task *first = t;

	if (!wants_signal(t, sig)) {
		if (!group)
			return;
		list_for_each_entry(t, &p->threads, thread_node)
			if (t != first && wants_signal(t, sig))
				goto found;
		return; /* whoever unblocks it, or is busy with another one, will see it */
	}
found:
	if (sig_fatal(p, sig) && !p->group_exiting && !(t->blocked & sigmask(sig)))
		kill_process(p, sig);
	else
		signal_wake(t);
}

/* ---- sending ---- */

static void drop_everywhere(struct process *p, u64 mask)
{
	struct task *t;

	sigpending_drop(&p->pending, mask);
	list_for_each_entry(t, &p->threads, thread_node)
		sigpending_drop(&t->pending, mask);
}

void signal_drop_ignored(struct process *p, int sig)
{
	unsigned long handler = p->action[sig - 1].handler;

	assert_spin_locked(&p->siglock);
	if (handler == SIG_IGN || (handler == SIG_DFL && (sigmask(sig) & SIG_IGNORE_MASK)))
		drop_everywhere(p, sigmask(sig));
}

/*
 * SIGCONT is sent: what was stopped runs on, a stop under way is off, and the parent will hear of
 * it.
 */
static void continue_process(struct process *p)
{
	struct task *t;
	int report = 0;

	drop_everywhere(p, SIG_STOP_MASK);
	if (p->stopped)
		report = CLD_CONTINUED;
	else if (p->stop_count)
		report = CLD_STOPPED;
	p->stop_by = 0;
	p->stop_count = 0;
	if (report) {
		p->stopped = false;
		p->stop_signal = 0;
		p->continued = true;
		p->cld_report = report;
	}
	list_for_each_entry(t, &p->threads, thread_node) {
		t->stop_pending = false;
		if (t->stopped) {
			t->stopped = false;
			signal_wake(t);
		}
	}
}

/* Side effects that happen even to a blocked or ignored signal. False: it need not be queued. */
static bool prepare_signal(struct process *p, struct task *t, int sig)
{
	if (p->group_exiting)
		return false;
	if (sigmask(sig) & SIG_STOP_MASK)
		drop_everywhere(p, sigmask(SIGCONT));
	else if (sig == SIGCONT)
		continue_process(p);
	return !sig_ignored(p, t, sig);
}

/*
 * RLIMIT_SIGPENDING, which stops only what programs queue: the kernel's standard signals always
 * fit.
 */
static bool may_queue(const struct process *p, const struct task *t, int sig,
		      const struct siginfo *info)
{
	if (sig < SIGRTMIN && (!info || info->si_code >= 0))
		return true;
	return p->pending.nr_queued + t->pending.nr_queued < p->rlimits[RLIMIT_SIGPENDING].rlim_cur;
}

/*
 * Records the signal in the set. *spare is memory for it, used when the slot is taken. Without
 * either, the number alone is remembered, which is an error only for a signal that carries a value.
 */
static int enqueue(struct sigpending *pending, int sig, const struct siginfo *info,
		   struct sigqueue **spare, bool room)
{
	struct sigqueue *q = NULL;

	if (likely(room)) {
		if (likely(!pending->slot_used)) {
			pending->slot_used = true;
			q = &pending->slot;
		} else {
			q = *spare;
			*spare = NULL;
		}
	}
	if (likely(q)) {
		if (likely(info)) {
			__builtin_memcpy(q->info, info, SIGINFO_USED);
		} else {
			__builtin_memset(q->info, 0, SIGINFO_USED);
			sigqueue_info(q)->si_code = SI_KERNEL;
		}
		sigqueue_info(q)->si_signo = sig;
		list_add_tail(&q->node, &pending->queue);
		pending->nr_queued++;
	} else if (sig >= SIGRTMIN && info && info->si_code != SI_USER) {
		return -EAGAIN;
	}
	__atomic_or_fetch(&pending->mask, sigmask(sig), __ATOMIC_SEQ_CST); /* see set_blocked() */
	return 0;
}

/* t NULL: to the process. */
static int send_signal(struct process *p, struct task *t, int sig, const struct siginfo *info)
{
	struct sigpending *pending = t ? &t->pending : &p->pending;
	bool need_memory = READ_ONCE(pending->slot_used), group = !t;
	struct sigqueue *spare = NULL;
	irqflags_t flags;
	int ret = 0;

again:
	if (unlikely(need_memory)) /* asked for before the lock is taken */
		spare = kmem_cache_alloc(sigqueue_cache, GFP_ATOMIC);
	flags = spin_lock_irqsave(&p->siglock);
	if (group && !list_empty(&p->threads))
		t = list_first_entry(&p->threads, struct task, thread_node);
	if (!t || !prepare_signal(p, t, sig))
		goto out;
	if (sig < SIGRTMIN && (pending->mask & sigmask(sig)))
		goto out; /* once is enough */
	if (unlikely(pending->slot_used && !need_memory)) {
		spin_unlock_irqrestore(&p->siglock, flags);
		need_memory = true;
		goto again;
	}
	ret = enqueue(pending, sig, info, &spare, may_queue(p, t, sig, info));
	if (likely(!ret))
		complete_signal(p, t, sig, group);
out:
	spin_unlock_irqrestore(&p->siglock, flags);
	if (unlikely(spare))
		kmem_cache_free(sigqueue_cache, spare);
	return ret;
}

int send_signal_task(struct task *t, int sig, const struct siginfo *info)
{
	return send_signal(t->process, t, sig, info);
}

int send_signal_process(struct process *p, int sig, const struct siginfo *info)
{
	return send_signal(p, NULL, sig, info);
}

int send_signal_pgrp(int pgid, int sig, const struct siginfo *info)
{
	struct process *p;
	int ret = -ESRCH;

	assert_spin_locked(&tasklist_lock);
	list_for_each_entry(p, &all_processes, node)
		if (p->pgid == pgid) {
			(void)send_signal_process(p, sig, info);
			ret = 0;
		}
	return ret;
}

/*
 * A signal that the running task cannot refuse: blocked or ignored, it kills. Should another thread
 * choose to ignore it just after we looked, the fault comes again.
 */
static void force_info(const struct siginfo *info, bool fatal)
{
	struct process *p = current->process;
	int sig = info->si_signo;
	struct k_sigaction *action = &p->action[sig - 1];
	bool blocked = current->blocked & sigmask(sig);
	irqflags_t flags;

	if (unlikely(fatal || blocked || READ_ONCE(action->handler) <= SIG_IGN)) {
		flags = spin_lock_irqsave(&p->siglock);
		if (fatal || blocked || action->handler == SIG_IGN) {
			action->handler = SIG_DFL;
			current->blocked &= ~sigmask(sig);
		}
		if (action->handler == SIG_DFL)
			p->mortal = true;
		spin_unlock_irqrestore(&p->siglock, flags);
	}
	(void)send_signal(p, current, sig, info);
}

void force_signal_fault(int sig, int code, unsigned long addr, unsigned long trapno,
			unsigned long err)
{
	struct siginfo info;

	__builtin_memset(&info, 0, SIGINFO_USED);
	info.si_signo = sig;
	info.si_code = code;
	info.si_addr = addr;
	current->trap_nr = trapno;
	current->trap_err = err;
	if (trapno == TRAP_NR_PAGE_FAULT)
		current->trap_cr2 = addr;
	force_info(&info, false);
}

void force_signal(int sig, bool fatal)
{
	struct siginfo info = { .si_signo = sig, .si_code = SI_KERNEL };

	force_info(&info, fatal);
}

/* ---- masks ---- */

void signal_retarget(struct process *p, u64 lost)
{
	u64 left = p->pending.mask & lost;
	struct task *t;

	if (likely(!left))
		return;
	list_for_each_entry(t, &p->threads, thread_node) {
		if (t == current || t->exiting || !(left & ~effective_blocked(t)))
			continue;
		left &= effective_blocked(t);
		signal_wake(t);
		if (!left)
			return;
	}
}

void set_blocked_locked(u64 mask)
{
	struct task *self = current;

	signal_retarget(self->process, mask & ~self->blocked);
	self->blocked = mask;
	signal_recalc(self);
}

void set_blocked(u64 mask)
{
	struct task *self = current;
	struct process *p = self->process;
	irqflags_t flags;

	mask &= ~SIG_KERNEL_ONLY_MASK;
	if (mask == self->blocked)
		return;
	if (!(mask & ~self->blocked)) {
		/*
		 * Only unblocking: without a pending signal there is nothing to tell. The exchange here
		 * and the one in enqueue() are full barriers: either we see the signal, or its sender
		 * sees the new mask.
		 */
		__atomic_exchange_n(&self->blocked, mask, __ATOMIC_SEQ_CST);
		if (!((READ_ONCE(self->pending.mask) | READ_ONCE(p->pending.mask)) & ~mask))
			return;
	}
	flags = spin_lock_irqsave(&p->siglock);
	set_blocked_locked(mask);
	spin_unlock_irqrestore(&p->siglock, flags);
}

void restore_user_sigmask(bool interrupted)
{
	if (!current->restore_blocked || interrupted)
		return;
	current->restore_blocked = false;
	set_blocked(current->saved_blocked);
}

/* ---- fork and exec ---- */

void signal_actions(const struct process *p, u64 *ignored, u64 *caught)
{
	*ignored = *caught = 0;
	for (int sig = 1; sig <= NSIG; sig++) {
		unsigned long handler = p->action[sig - 1].handler;

		if (handler == SIG_IGN)
			*ignored |= sigmask(sig);
		else if (handler != SIG_DFL)
			*caught |= sigmask(sig);
	}
}

void signal_fork(struct process *child, struct process *parent)
{
	irqflags_t flags = spin_lock_irqsave(&parent->siglock);

	child->actions_set = parent->actions_set;
	memcpy(child->action, parent->action, sizeof(child->action));
	memcpy(child->rlimits, parent->rlimits, sizeof(child->rlimits));
	spin_unlock_irqrestore(&parent->siglock, flags);
	sigpending_init(&child->pending);
}

void signal_exec(struct process *p)
{
	irqflags_t flags = spin_lock_irqsave(&p->siglock);
	u64 left, ignored = 0;

	for (left = p->actions_set; left; left &= left - 1) {
		struct k_sigaction *action = &p->action[__builtin_ctzl(left)];

		if (action->handler == SIG_IGN)
			ignored |= left & -left;
		*action = (struct k_sigaction){
			.handler = action->handler == SIG_IGN ? SIG_IGN : SIG_DFL,
		};
	}
	p->actions_set = ignored;
	spin_unlock_irqrestore(&p->siglock, flags);
	if (p == current->process)
		current->altstack = (struct sigaltstack){ .ss_flags = SS_DISABLE };
}
