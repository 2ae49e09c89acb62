/* SPDX-License-Identifier: MIT
 *
 * The end of a thread, and of a process with its last thread.
 *
 * A thread gives back what it owns, then under tasklist_lock leaves its process (exit_notify). The
 * leader stays on the list of threads, dead, because the process's number is its own. The process
 * is a zombie once nobody but a dead leader is left; its parent hears of it then and collects it
 * (wait_child.c), or it goes at once when the parent does not want to know. The stack goes last,
 * when the next task has taken over the CPU (sched.c).
 */
#include <fs/vfs.h>
#include <kern/assert.h>
#include <kern/err.h>
#include <kernel/fork.h>
#include <kernel/pid.h>
#include <kernel/rusage.h>
#include <kernel/session.h>
#include <kernel/signal.h>
#include <kernel/syscall.h>
#include <kernel/user_namespace.h>
#include <kernel/wait_child.h>
#include <mm/mm.h>
#include <uapi/wait.h>

/* ---- giving back ---- */

void task_note_maxrss(struct task *t)
{
	struct process *p = t->process;
	unsigned long rss;

	if (!t->mm)
		return;
	rss = max(READ_ONCE(t->mm->hiwater_rss), mm_rss(t->mm));
	spin_lock(&tasklist_lock);
	p->maxrss_pages = max(p->maxrss_pages, rss);
	spin_unlock(&tasklist_lock);
}

static void exit_mm(void)
{
	task_leave_mm(current);
	task_note_maxrss(current);
	sched_drop_mm();
}

static void exit_files_and_fs(void)
{
	struct task *self = current;
	struct files *files = self->files;
	struct fs_context *fs = self->fs;

	spin_lock(&tasklist_lock);
	self->files = NULL;
	self->fs = NULL;
	spin_unlock(&tasklist_lock);
	if (files)
		files_put(files);
	if (fs)
		fs_context_put(fs);
}

/* ---- telling the family: everything below has tasklist_lock held ---- */

/* Who adopts the children of p: the nearest living ancestor that asked for it, or init. */
static struct process *find_reaper(const struct process *p)
{
	struct process *reaper = p->parent;

	while (reaper && !(reaper->is_init_reaper && reaper->nr_threads))
		reaper = reaper->parent;
	return reaper ? reaper : init_process;
}

/*
 * p's link to its parent's group goes away, because p or the parent does. When that orphans a group
 * with stopped members, they could never be continued: POSIX sends them SIGHUP and SIGCONT.
 * ignored: a process that counts as gone already.
 */
static void release_orphaned_group(const struct process *p, const struct process *parent,
				   const struct process *ignored)
{
	if (!parent || parent->pgid == p->pgid || parent->sid != p->sid)
		return;
	if (!pgrp_has_stopped(p->pgid) || !pgrp_is_orphaned(p->pgid, ignored))
		return;
	(void)send_signal_pgrp(p->pgid, SIGHUP, NULL);
	(void)send_signal_pgrp(p->pgid, SIGCONT, NULL);
}

static int child_code(int status)
{
	if (!(status & 0x7f))
		return CLD_EXITED;
	return status & WSTATUS_CORE ? CLD_DUMPED : CLD_KILLED;
}

/* Tells the parent of a new zombie. True: it does not want to wait for it. */
static bool notify_parent(struct process *p)
{
	struct process *parent = p->parent;
	const struct k_sigaction *action = &parent->action[SIGCHLD - 1];
	struct siginfo info = { .si_signo = p->exit_signal, .si_code = child_code(p->exit_code) };
	int sig = p->exit_signal;
	bool unwanted = false;
	u64 utime, stime;

	process_cputime(p, &utime, &stime);
	info.si_pid = p->pid;
	info.si_uid = shown_uid(parent->leader->cred.user_ns, p->leader->cred.uid);
	info.si_status = p->exit_code & 0x7f ? p->exit_code & 0x7f : p->exit_code >> 8;
	info.si_utime = (long)(utime / TICK_NS);
	info.si_stime = (long)(stime / TICK_NS);

	if (sig == SIGCHLD) {
		bool ignored = READ_ONCE(action->handler) == SIG_IGN;

		unwanted = ignored || (READ_ONCE(action->flags) & SA_NOCLDWAIT);
		if (ignored)
			sig = 0;
	}
	if (sig > 0 && sig <= NSIG)
		(void)send_signal_process(parent, sig, &info);
	wake_up(&parent->child_wait);
	return unwanted;
}

/*
 * p, whose threads are all dead, becomes a zombie; without a parent that wants it, it joins the
 * list of the dead instead, for the caller to bury when the lock is gone.
 */
static void become_zombie(struct process *p, struct list_head *dead)
{
	p->zombie = true;
	if (!p->parent || notify_parent(p)) {
		process_unlink(p);
		list_add_tail(&p->sibling, dead);
	}
}

/* A child changes parents. pdeath: its threads hear of it when they asked for that. */
static void reparent(struct process *child, struct process *reaper, struct list_head *dead)
{
	struct process *old = child->parent;
	struct task *t;

	list_del(&child->sibling);
	child->parent = reaper;
	list_add_tail(&child->sibling, &reaper->children);
	child->exit_signal = SIGCHLD;
	list_for_each_entry(t, &child->threads, thread_node)
		if (t->pdeath_signal)
			(void)send_signal_task(t, t->pdeath_signal, NULL);
	release_orphaned_group(child, old, NULL);
	if (child->zombie && notify_parent(child)) {
		process_unlink(child);
		list_add_tail(&child->sibling, dead);
	}
}

static void forget_children(struct process *p, struct list_head *dead)
{
	struct process *child, *next, *reaper;

	if (list_empty(&p->children))
		return;
	reaper = find_reaper(p);
	list_for_each_entry_safe(child, next, &p->children, sibling)
		reparent(child, reaper, dead);
}

/* The thread leaves its process. last: no other thread was alive when it began to exit. */
static void exit_notify(struct task *t, bool last, int code)
{
	struct process *p = t->process, *next;
	LIST_HEAD(dead);
	irqflags_t flags;
	bool leader, alone;

	spin_lock(&tasklist_lock);
	leader = p->leader == t;
	if (last) {
		forget_children(p, &dead);
		release_orphaned_group(p, p->parent, p);
	}
	flags = spin_lock_irqsave(&p->siglock);
	t->exited = true;
	if (leader)
		p->exit_code = code;
	else
		thread_unlink(t);
	if (p->group_exiting)
		p->exit_code = p->group_exit_code;
	if (p->exec_task)
		unpark(p->exec_task);
	alone = p->leader->exited && p->threads.next == p->threads.prev;
	spin_unlock_irqrestore(&p->siglock, flags);
	if (alone)
		become_zombie(p, &dead);
	spin_unlock(&tasklist_lock);

	if (!leader)
		task_put(t);
	list_for_each_entry_safe(p, next, &dead, sibling)
		task_put(p->leader);
}

void process_unlink(struct process *p)
{
	irqflags_t flags;

	assert_spin_locked(&tasklist_lock);
	list_del(&p->sibling);
	list_del(&p->node);
	flags = spin_lock_irqsave(&p->siglock);
	thread_unlink(p->leader);
	spin_unlock_irqrestore(&p->siglock, flags);
}

/* ---- the calls ---- */

/* True when no other thread of the process is left that has not begun to exit. */
static bool leave_threads(struct process *p)
{
	bool last;

	spin_lock(&tasklist_lock);
	last = --p->nr_threads == 0;
	spin_unlock(&tasklist_lock);
	return last;
}

void do_exit(int code)
{
	struct task *self = current;
	struct process *p = self->process;
	bool last;

	BUG_ON(this_cpu()->irq_depth || !self->tid);
	exit_signals();
	last = leave_threads(p);
	if (last && p == init_process)
		panic("Attempted to kill init! exitcode=0x%08x",
		      (unsigned int)(p->group_exiting ? p->group_exit_code : code));
	exit_mm();
	exit_files_and_fs();
	if (last) {
		itimer_exit(p);
		if (p->sid == p->pid)
			disassociate_ctty();
	}
	exit_notify(self, last, code);

	/* The scheduler drops its reference and the stack after the switch. */
	irq_disable();
	self->state = TASK_ZOMBIE;
	schedule();
	panic("a dead task runs");
}

void do_group_exit(int code)
{
	struct process *p = current->process;
	irqflags_t flags = spin_lock_irqsave(&p->siglock);

	if (p->group_exiting) {
		code = p->group_exit_code;
	} else if (p->exec_task && p->exec_task != current) {
		code = 0; /* execve in another thread: only this one goes */
	} else {
		p->group_exiting = true;
		p->group_exit_code = code;
		zap_other_threads(p);
	}
	spin_unlock_irqrestore(&p->siglock, flags);
	do_exit(code);
}

SYSCALL_DEFINE1(exit, int, code)
{
	do_exit(WSTATUS_EXITED(code));
}

SYSCALL_DEFINE1(exit_group, int, code)
{
	do_group_exit(WSTATUS_EXITED(code));
}
