/* SPDX-License-Identifier: MIT
 *
 * A task that continues as the caller: what fork, vfork, clone and clone3 have in common.
 *
 * copy_process() builds the child in private, piece by piece, each failure undoing the pieces
 * before it. Only then, under tasklist_lock, does the child get its number and become visible; from
 * there on nothing can fail.
 */
#include <arch/thread.h>
#include <fs/vfs.h>
#include <kern/err.h>
#include <kernel/cred.h>
#include <kernel/fork.h>
#include <kernel/pid.h>
#include <kernel/signal.h>
#include <kernel/user.h>
#include <kernel/user_namespace.h>
#include <mm/mm.h>
#include <uapi/sched.h>

#define STOP_SIGNALS (sigmask(SIGSTOP) | sigmask(SIGTSTP) | sigmask(SIGTTIN) | sigmask(SIGTTOU))

/* ---- the pieces of a child ---- */

static int copy_creds(struct task *child, u64 flags)
{
	struct user_namespace *parent = child->cred.user_ns;
	int err;

	if (!(flags & CLONE_NEWUSER))
		return 0;
	err = user_ns_create(&child->cred);
	if (!err) {
		child->securebits = 0;
		user_ns_put(parent);
	}
	return err;
}

static int copy_files(struct task *child, u64 flags)
{
	if (flags & CLONE_FILES) {
		files_get(current->files);
		child->files = current->files;
		return 0;
	}
	child->files = files_dup(current->files);
	return child->files ? 0 : -ENOMEM;
}

static int copy_fs(struct task *child, u64 flags)
{
	if (flags & CLONE_FS) {
		fs_context_get(current->fs);
		child->fs = current->fs;
		return 0;
	}
	child->fs = fs_context_dup(current->fs);
	return child->fs ? 0 : -ENOMEM;
}

static int copy_mm(struct task *child, u64 flags)
{
	struct mm *mm = current->mm;

	if (flags & CLONE_VM) {
		mm_get(mm);
	} else {
		mm = mm_fork(mm);
		if (IS_ERR(mm))
			return (int)PTR_ERR(mm);
	}
	child->mm = mm;
	/* A thread with its own stack needs a new alternate one as well. */
	if ((flags & (CLONE_VM | CLONE_VFORK)) != CLONE_VM)
		child->altstack = current->altstack;
	return 0;
}

static int copy_thread(struct task *child, const struct fork_request *req)
{
	struct trap_frame tf = *task_trap_frame(&current->thread);
	int err;

	if ((req->flags & CLONE_SETTLS) && req->tls >= TASK_SIZE)
		return -EPERM;
	if (req->stack)
		tf.rsp = req->stack;
	err = arch_thread_fork(&child->thread, &current->thread, &tf);
	if (!err && (req->flags & CLONE_SETTLS))
		child->thread.fs_base = req->tls;
	return err;
}

static int copy_process_state(struct task *child, u64 flags)
{
	if (flags & CLONE_THREAD) {
		child->process = current->process;
		refcount_inc(&child->process->refs);
		return 0;
	}
	child->process = process_alloc(current->process, child);
	if (!child->process)
		return -ENOMEM;
	if (flags & CLONE_CLEAR_SIGHAND)
		signal_exec(child->process);
	return 0;
}

/* ---- making the child visible ---- */

/* The new process takes its place in the tree. tasklist_lock held. */
static void link_process(struct process *p, const struct fork_request *req)
{
	struct process *self = current->process;

	p->pid = p->leader->tid;
	p->pgid = self->pgid;
	p->sid = self->sid;
	p->ctty = self->ctty;
	if (req->flags & CLONE_PARENT) {
		p->parent = self->parent;
		p->exit_signal = self->exit_signal;
	} else {
		p->parent = self;
		p->exit_signal = req->exit_signal;
	}
	list_add_tail(&p->sibling, &p->parent->children);
	list_add_tail(&p->node, &all_processes);
}

/*
 * A stop signal came while the child was made. If a group got it, the child should stop as well.
 * siglock held.
 */
static bool stop_is_coming(const struct task *t)
{
	return t->stop_pending || ((t->pending.mask | t->process->pending.mask) & STOP_SIGNALS);
}

/*
 * 0 or -errno. No child while the caller is being killed or stopped (so group signals reach parent
 * and child alike); no thread while any signal waits. Whoever ends or stops the process walks its threads
 * under the siglock: it sees the new one, or the new one sees here what it did.
 */
static int publish(struct task *child, const struct fork_request *req)
{
	struct process *self = current->process;
	bool thread = req->flags & CLONE_THREAD;
	irqflags_t flags;
	int err = 0;

	spin_lock(&tasklist_lock);
	child->tid = pid_alloc();
	if (child->tid < 0) {
		spin_unlock(&tasklist_lock);
		return child->tid;
	}
	flags = spin_lock_irqsave(&self->siglock);
	if (fatal_signal_pending(current))
		err = -EINTR;
	else if (thread ? signal_pending(current) : stop_is_coming(current))
		err = -ERESTARTNOINTR;
	else
		thread_link(child);
	spin_unlock_irqrestore(&self->siglock, flags);
	if (!err) {
		pid_attach(child);
		if (!thread)
			link_process(child->process, req);
	}
	spin_unlock(&tasklist_lock);
	return err;
}

struct task *copy_process(const struct fork_request *req)
{
	struct task *child;
	int err;

	/*
	 * What is pending comes first: a child shall not escape a signal that its group got before.
	 */
	if (signal_pending(current))
		return ERR_PTR(-ERESTARTNOINTR);
	child = task_alloc(current);
	if (!child)
		return ERR_PTR(-ENOMEM);
	err = copy_creds(child, req->flags);
	if (err)
		goto free_task;
	err = -EAGAIN;
	if (user_over_nproc())
		goto free_task;
	err = copy_process_state(child, req->flags);
	if (err)
		goto free_task;
	err = copy_files(child, req->flags);
	if (err)
		goto put_process;
	err = copy_fs(child, req->flags);
	if (err)
		goto put_files;
	err = copy_mm(child, req->flags);
	if (err)
		goto put_fs;
	err = copy_thread(child, req);
	if (err)
		goto put_mm;
	if (req->flags & CLONE_CHILD_SETTID)
		child->set_child_tid = req->child_tid;
	if (req->flags & CLONE_CHILD_CLEARTID)
		child->clear_child_tid = req->child_tid;
	err = publish(child, req);
	if (!err)
		return child;

put_mm:
	mm_put(child->mm);
put_fs:
	fs_context_put(child->fs);
put_files:
	files_put(child->files);
put_process:
	process_put(child->process);
free_task:
	task_discard(child);
	return ERR_PTR(err);
}
