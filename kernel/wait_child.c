/* SPDX-License-Identifier: MIT
 *
 * wait4() and waitid(): a child that ended, stopped or continued is reported once, to one waiter.
 * Children belong to the process, so any thread may wait for them.
 */
#include <arch/uaccess.h>
#include <kern/err.h>
#include <kernel/rusage.h>
#include <kernel/signal.h>
#include <kernel/syscall.h>
#include <kernel/user_namespace.h>
#include <kernel/wait_child.h>
#include <uapi/wait.h>

struct wait_request {
	int type, id;	      /* P_ALL, P_PID, P_PGID */
	unsigned int options; /* W* */
	bool want_rusage;
	/* The answer. */
	int pid, code, status; /* code: CLD_* */
	int wstatus;	       /* the same as wait4() writes it */
	u32 uid;	       /* kernel id */
	struct rusage ru;
	struct task *dead; /* the leader of a collected zombie, to be put */
};

static bool eligible(const struct wait_request *rq, const struct process *p)
{
	bool clone_child = p->exit_signal != SIGCHLD;

	if (rq->type == P_PID && p->pid != rq->id)
		return false;
	if (rq->type == P_PGID && p->pgid != rq->id)
		return false;
	return (rq->options & __WALL) || clone_child == !!(rq->options & __WCLONE);
}

static void fill(struct wait_request *rq, struct process *p, int code, int status, int wstatus)
{
	rq->pid = p->pid;
	rq->uid = p->leader->cred.uid;
	rq->code = code;
	rq->status = status;
	rq->wstatus = wstatus;
	if (rq->want_rusage)
		rusage_process(p, &rq->ru, true);
}

static void report_zombie(struct wait_request *rq, struct process *p)
{
	int sig = p->exit_code & 0x7f;

	fill(rq, p,
	     !sig			   ? CLD_EXITED
	     : p->exit_code & WSTATUS_CORE ? CLD_DUMPED
					   : CLD_KILLED,
	     sig ? sig : (p->exit_code >> 8) & 0xff, p->exit_code);
	if (rq->options & WNOWAIT)
		return;
	rusage_add_child(current->process, p);
	process_unlink(p);
	rq->dead = p->leader;
}

/* True when there was something to report. */
static bool report_stopped(struct wait_request *rq, struct process *p)
{
	irqflags_t flags = spin_lock_irqsave(&p->siglock);
	int sig = p->stop_signal;

	if (sig && !(rq->options & WNOWAIT))
		p->stop_signal = 0;
	spin_unlock_irqrestore(&p->siglock, flags);
	if (sig)
		fill(rq, p, CLD_STOPPED, sig, WSTATUS_STOPPED(sig));
	return sig;
}

static bool report_continued(struct wait_request *rq, struct process *p)
{
	irqflags_t flags = spin_lock_irqsave(&p->siglock);
	bool continued = p->continued;

	if (continued && !(rq->options & WNOWAIT))
		p->continued = false;
	spin_unlock_irqrestore(&p->siglock, flags);
	if (continued)
		fill(rq, p, CLD_CONTINUED, SIGCONT, WSTATUS_CONTINUED);
	return continued;
}

/* 1: the answer is in rq. 0: there are such children, but nothing to report. -ECHILD. */
static int look(struct wait_request *rq)
{
	struct process *p;
	int ret = -ECHILD;

	spin_lock(&tasklist_lock);
	list_for_each_entry(p, &current->process->children, sibling) {
		if (!eligible(rq, p))
			continue;
		ret = 0;
		if (p->zombie) {
			if (!(rq->options & WEXITED))
				continue;
			report_zombie(rq, p);
			ret = 1;
			break;
		}
		if (((rq->options & WSTOPPED) && report_stopped(rq, p)) ||
		    ((rq->options & WCONTINUED) && report_continued(rq, p))) {
			ret = 1;
			break;
		}
	}
	spin_unlock(&tasklist_lock);
	if (rq->dead)
		task_put(rq->dead);
	return ret;
}

/* 1: answered. 0: WNOHANG and nothing to report. -ECHILD, -ERESTARTSYS. */
static int do_wait(struct wait_request *rq)
{
	struct wait_queue *q = &current->process->child_wait;
	struct wait_entry e = { .task = current };
	int ret = look(rq);

	if (ret || (rq->options & WNOHANG))
		return ret;
	wait_add(q, &e);
	for (;;) {
		ret = look(rq);
		if (ret)
			break;
		if (signal_pending(current)) {
			ret = -ERESTARTSYS;
			break;
		}
		park(PARK_INTERRUPTIBLE);
	}
	wait_remove(q, &e);
	return ret;
}

SYSCALL_DEFINE4(wait4, int, pid, u32 __user *, ustatus, unsigned int, options,
		struct rusage __user *, uru)
{
	struct wait_request rq = { .want_rusage = uru };
	int ret;

	if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (pid == -2147483647 - 1)
		return -ESRCH;
	rq.options = options | WEXITED;
	if (pid == -1) {
		rq.type = P_ALL;
	} else if (pid > 0) {
		rq.type = P_PID;
		rq.id = pid;
	} else {
		rq.type = P_PGID;
		rq.id = pid ? -pid : READ_ONCE(current->process->pgid);
	}
	ret = do_wait(&rq);
	if (ret <= 0)
		return ret;
	if (ustatus && put_user_u32((u32)rq.wstatus, ustatus))
		return -EFAULT;
	if (uru && copy_to_user(uru, &rq.ru, sizeof(rq.ru)))
		return -EFAULT;
	return rq.pid;
}

static int check_waitid(int type, int id, unsigned int options)
{
	if (options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD |
			__WCLONE | __WALL))
		return -EINVAL;
	if (!(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	switch (type) {
	case P_ALL:
		return 0;
	case P_PID:
		return id > 0 ? 0 : -EINVAL;
	case P_PGID:
		return id >= 0 ? 0 : -EINVAL;
	default: /* no pidfds here */
		return -EINVAL;
	}
}

SYSCALL_DEFINE5(waitid, int, type, int, id, struct siginfo __user *, uinfo, unsigned int, options,
		struct rusage __user *, uru)
{
	struct wait_request rq = { .type = type, .id = id, .options = options, .want_rusage = uru };
	struct siginfo info = { 0 };
	int ret = check_waitid(type, id, options);

	if (ret)
		return ret;
	if (type == P_PGID && !id)
		rq.id = READ_ONCE(current->process->pgid);
	ret = do_wait(&rq);
	if (ret < 0)
		return ret;
	if (ret) {
		info.si_signo = SIGCHLD;
		info.si_code = rq.code;
		info.si_pid = rq.pid;
		info.si_uid = shown_uid(current_user_ns(), rq.uid);
		info.si_status = rq.status;
		if (uru && copy_to_user(uru, &rq.ru, sizeof(rq.ru)))
			return -EFAULT;
	}
	/* What Linux writes: up to si_status. */
	if (uinfo && copy_to_user(uinfo, &info, offsetof(struct siginfo, si_status) + 4))
		return -EFAULT;
	return 0;
}
