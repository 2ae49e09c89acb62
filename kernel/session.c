/* SPDX-License-Identifier: MIT
 *
 * Sessions and process groups (POSIX.1-2017, 2.4.3 and 11.1). A group or session is no object: it is the
 * set of processes with the same pgid or sid, found by walking the list of processes. All of
 * it, the terminal's idea of its session and foreground group included, is under tasklist_lock.
 */
#include <drivers/tty.h>
#include <kern/err.h>
#include <kernel/session.h>
#include <kernel/signal.h>
#include <kernel/syscall.h>

bool pgrp_is_orphaned(int pgid, const struct process *ignored)
{
	struct process *p;

	assert_spin_locked(&tasklist_lock);
	list_for_each_entry(p, &all_processes, node) {
		const struct process *parent = p->parent;

		if (p->pgid != pgid || p == ignored || p->zombie || !parent || parent->pid == 1)
			continue;
		if (parent->pgid != pgid && parent->sid == p->sid)
			return false;
	}
	return true;
}

bool pgrp_has_stopped(int pgid)
{
	struct process *p;

	assert_spin_locked(&tasklist_lock);
	list_for_each_entry(p, &all_processes, node)
		if (p->pgid == pgid && READ_ONCE(p->stopped))
			return true;
	return false;
}

bool pgrp_in_session(int pgid, int sid)
{
	struct process *p;

	assert_spin_locked(&tasklist_lock);
	list_for_each_entry(p, &all_processes, node)
		if (p->pgid == pgid && p->sid == sid)
			return true;
	return false;
}

static bool pgrp_exists(int pgid)
{
	struct process *p;

	list_for_each_entry(p, &all_processes, node)
		if (p->pgid == pgid)
			return true;
	return false;
}

void disassociate_ctty(void)
{
	struct process *self = current->process, *p;
	struct tty *tty;

	spin_lock(&tasklist_lock);
	tty = self->ctty;
	if (tty && self->sid != self->pid) {
		self->ctty = NULL;
	} else if (tty) {
		if (tty->pgrp) {
			(void)send_signal_pgrp(tty->pgrp, SIGHUP, NULL);
			(void)send_signal_pgrp(tty->pgrp, SIGCONT, NULL);
		}
		tty->session = 0;
		tty->pgrp = 0;
		list_for_each_entry(p, &all_processes, node)
			if (p->sid == self->sid)
				p->ctty = NULL;
	}
	spin_unlock(&tasklist_lock);
}

/* The rules of setpgid(2) for moving p, in the order in which Linux checks them. tasklist_lock held. */
static int setpgid_allowed(const struct process *p, int pid, int pgid)
{
	const struct process *self = current->process;

	if (p->parent == self) {
		if (p->sid != self->sid)
			return -EPERM;
		if (p->did_exec)
			return -EACCES;
	} else if (p != self) {
		return -ESRCH;
	}
	if (p->sid == p->pid)
		return -EPERM;
	if (pgid != pid && !pgrp_in_session(pgid, self->sid))
		return -EPERM;
	return 0;
}

SYSCALL_DEFINE2(setpgid, int, pid, int, pgid)
{
	struct process *p;
	int ret;

	if (!pid)
		pid = current->process->pid;
	if (!pgid)
		pgid = pid;
	if (pgid < 0)
		return -EINVAL;

	spin_lock(&tasklist_lock);
	p = process_find(pid);
	if (p)
		ret = setpgid_allowed(p, pid, pgid);
	else
		ret = task_find(pid) ? -EINVAL : -ESRCH;
	if (!ret)
		p->pgid = pgid;
	spin_unlock(&tasklist_lock);
	return ret;
}

/* The process that the thread pid belongs to, 0 meaning the caller's; NULL: none. tasklist_lock held. */
static struct process *process_of(int pid)
{
	struct process *p;
	struct task *t;

	if (!pid)
		return current->process;
	p = process_find(pid);
	if (p)
		return p;
	t = task_find(pid);
	return t ? t->process : NULL;
}

SYSCALL_DEFINE1(getpgid, int, pid)
{
	struct process *p;
	int ret;

	spin_lock(&tasklist_lock);
	p = process_of(pid);
	ret = p ? p->pgid : -ESRCH;
	spin_unlock(&tasklist_lock);
	return ret;
}

SYSCALL_DEFINE1(getsid, int, pid)
{
	struct process *p;
	int ret;

	spin_lock(&tasklist_lock);
	p = process_of(pid);
	ret = p ? p->sid : -ESRCH;
	spin_unlock(&tasklist_lock);
	return ret;
}

SYSCALL_DEFINE0(getpgrp)
{
	return READ_ONCE(current->process->pgid);
}

SYSCALL_DEFINE0(setsid)
{
	struct process *self = current->process;
	int ret = -EPERM;

	spin_lock(&tasklist_lock);
	if (self->sid != self->pid && !pgrp_exists(self->pid)) {
		self->sid = self->pid;
		self->pgid = self->pid;
		self->ctty = NULL;
		ret = self->sid;
	}
	spin_unlock(&tasklist_lock);
	return ret;
}
