/* SPDX-License-Identifier: MIT
 *
 * The receiving end of signals: what a thread does on its way to user mode. signal.c tells the
 * whole story.
 */
#include <kern/err.h>
#include <kernel/session.h>
#include <kernel/signal.h>
#include <kernel/user_namespace.h>
#include <uapi/time.h>

#define NR_RESTART_SYSCALL 219
#define SYSCALL_INSN_BYTES 2

/* ---- job control ---- */

/* Tells the parent that the process stopped (by which signal) or continues. Takes tasklist_lock. */
static void report_to_parent(struct process *p, int code, int status)
{
	struct siginfo info = {
		.si_signo = SIGCHLD, .si_code = code, .si_pid = p->pid, .si_status = status
	};
	struct process *parent;
	u64 utime, stime;

	spin_lock(&tasklist_lock);
	parent = p->parent;
	if (parent) {
		const struct k_sigaction *action = &parent->action[SIGCHLD - 1];

		process_cputime(p, &utime, &stime);
		info.si_uid = shown_uid(parent->leader->cred.user_ns, current->cred.uid);
		info.si_utime = (long)(utime / (NSEC_PER_SEC / USER_HZ));
		info.si_stime = (long)(stime / (NSEC_PER_SEC / USER_HZ));
		if (READ_ONCE(action->handler) != SIG_IGN &&
		    !(READ_ONCE(action->flags) & SA_NOCLDSTOP))
			(void)send_signal_process(parent, SIGCHLD, &info);
		wake_up(&parent->child_wait);
	}
	spin_unlock(&tasklist_lock);
}

/* Every running thread has to stop. The caller may have been told so already. */
static void begin_group_stop(struct process *p)
{
	struct task *t;

	if (p->stop_count)
		return;
	list_for_each_entry(t, &p->threads, thread_node) {
		if (t->exiting || t->stopped)
			continue;
		t->stop_pending = true;
		p->stop_count++;
		if (t != current)
			signal_wake(t);
	}
}

/*
 * The caller stops or exits. When it was the last one running, the parent must be told: the signal that
 * stopped the process, else 0.
 */
static int leave_group_stop(struct process *p)
{
	current->stop_pending = false;
	if (!p->stop_count || --p->stop_count)
		return 0;
	p->stopped = true;
	p->continued = false;
	p->stop_signal = p->stop_by;
	p->stop_by = 0;
	return p->stop_signal;
}

/* Stops until SIGCONT or SIGKILL. siglock held, and dropped meanwhile; returns the new flags. */
static irqflags_t stop_self(struct process *p, irqflags_t flags)
{
	struct task *self = current;
	int report = leave_group_stop(p);

	self->stopped = true;
	spin_unlock_irqrestore(&p->siglock, flags);
	if (report)
		report_to_parent(p, CLD_STOPPED, report);
	while (READ_ONCE(self->stopped) && !fatal_signal_pending(self))
		park_as(TASK_STOPPED);
	flags = spin_lock_irqsave(&p->siglock);
	self->stopped = false;
	return flags;
}

/*
 * The default action of a stop signal. A process that no shell could continue does not stop from
 * the keyboard. siglock held, and dropped meanwhile: a SIGCONT that comes then takes stop_by back.
 */
static irqflags_t stop_by_default(struct process *p, int sig, irqflags_t flags)
{
	bool orphaned;

	if (!p->stop_count)
		p->stop_by = sig;
	if (sig != SIGSTOP) {
		spin_unlock_irqrestore(&p->siglock, flags);
		spin_lock(&tasklist_lock);
		orphaned = pgrp_is_orphaned(p->pgid, NULL);
		spin_unlock(&tasklist_lock);
		flags = spin_lock_irqsave(&p->siglock);
		if (orphaned && !p->stop_count)
			p->stop_by = 0;
	}
	if (p->stop_by && !p->group_exiting)
		begin_group_stop(p);
	return flags;
}

void exit_signals(void)
{
	struct task *self = current;
	struct process *p = self->process;
	int report = 0;
	irqflags_t flags = spin_lock_irqsave(&p->siglock);

	self->exiting = true;
	if (!p->group_exiting) {
		signal_retarget(p, ~self->blocked);
		if (self->stop_pending)
			report = leave_group_stop(p);
	}
	spin_unlock_irqrestore(&p->siglock, flags);
	if (report)
		report_to_parent(p, CLD_STOPPED, report);
}

/* ---- taking a signal ---- */

/*
 * What comes before any signal: to die, to speak to the parent, to stop. As stop_self() for the
 * lock.
 */
static irqflags_t do_pending_orders(struct process *p, irqflags_t flags)
{
	int report = p->cld_report, status = report == CLD_CONTINUED ? SIGCONT : p->stop_signal;

	if (fatal_signal_pending(current)) {
		spin_unlock_irqrestore(&p->siglock, flags);
		do_group_exit(SIGKILL); /* or whatever began the group's end */
	}
	if (report) {
		p->cld_report = 0;
		spin_unlock_irqrestore(&p->siglock, flags);
		report_to_parent(p, report, status);
		return spin_lock_irqsave(&p->siglock);
	}
	return stop_self(p, flags);
}

/*
 * Takes pending signals until one has a handler: fills ks and switches to the handler's mask.
 * False: nothing is left to deliver.
 */
static bool get_signal(struct ksignal *ks)
{
	struct task *self = current;
	struct process *p = self->process;
	irqflags_t flags = spin_lock_irqsave(&p->siglock);
	struct k_sigaction *action;
	int sig;

	for (;;) {
		while (unlikely(fatal_signal_pending(self) || p->cld_report || self->stop_pending))
			flags = do_pending_orders(p, flags);

		sig = dequeue_signal(self->blocked, &ks->info);
		if (!sig) {
			signal_recalc(self);
			spin_unlock_irqrestore(&p->siglock, flags);
			return false;
		}
		action = &p->action[sig - 1];
		if (likely(action->handler > SIG_IGN))
			break;
		if (action->handler == SIG_IGN || (sigmask(sig) & SIG_IGNORE_MASK) ||
		    is_immortal(p))
			continue;
		if (sigmask(sig) & SIG_STOP_MASK) {
			flags = stop_by_default(p, sig, flags);
			continue;
		}
		spin_unlock_irqrestore(&p->siglock, flags);
		do_group_exit(sig); /* no core is dumped: the status says so */
	}

	ks->sig = sig;
	ks->action = *action;
	if (action->flags & SA_RESETHAND)
		action->handler = SIG_DFL;
	ks->blocked = self->blocked;
	ks->saved_blocked = self->restore_blocked ? self->saved_blocked : self->blocked;
	set_blocked_locked(self->blocked | ks->action.mask |
			   (ks->action.flags & SA_NODEFER ? 0 : sigmask(sig)));
	spin_unlock_irqrestore(&p->siglock, flags);
	return true;
}

/* ---- delivering it ---- */

static void restart_syscall(struct trap_frame *tf, u64 nr)
{
	tf->rax = nr;
	tf->rip -= SYSCALL_INSN_BYTES;
}

/*
 * A handler will run after an interrupted system call: does the call fail, or start again
 * afterwards?
 */
static void restart_after_handler(const struct k_sigaction *action, struct trap_frame *tf)
{
	long ret = (long)tf->rax;

	if (ret == -ERESTARTNOINTR || (ret == -ERESTARTSYS && (action->flags & SA_RESTART)))
		restart_syscall(tf, tf->orig_rax);
	else if (ret == -ERESTARTSYS || ret == -ERESTARTNOHAND || ret == -ERESTART_RESTARTBLOCK)
		tf->rax = (u64)-EINTR;
}

static void restart_without_handler(struct trap_frame *tf)
{
	long ret = (long)tf->rax;

	if (ret == -ERESTART_RESTARTBLOCK)
		restart_syscall(tf, NR_RESTART_SYSCALL);
	else if (ret == -ERESTARTSYS || ret == -ERESTARTNOINTR || ret == -ERESTARTNOHAND)
		restart_syscall(tf, tf->orig_rax);
}

static void deliver(const struct ksignal *ks, struct trap_frame *tf)
{
	if ((long)tf->orig_rax >= 0)
		restart_after_handler(&ks->action, tf);
	if (likely(!sigframe_setup(ks, tf))) {
		current->restore_blocked = false;
		return;
	}
	/* No stack for the handler: SIGSEGV, whose handler may have a stack of its own. */
	set_blocked(ks->blocked);
	force_signal(SIGSEGV, ks->sig == SIGSEGV);
}

void handle_signals(struct trap_frame *tf)
{
	struct ksignal ks;

	while (READ_ONCE(current->work) & TASK_WORK_SIGNAL) {
		if (get_signal(&ks)) {
			deliver(&ks, tf);
			continue;
		}
		if ((long)tf->orig_rax >= 0)
			restart_without_handler(tf);
		restore_user_sigmask(false);
	}
}
