/* SPDX-License-Identifier: MIT
 *
 * The system calls about signals: arguments, permissions and errors; signal.c does the work.
 */
#include <arch/uaccess.h>
#include <kern/err.h>
#include <kernel/signal.h>
#include <kernel/syscall.h>
#include <kernel/time.h>
#include <kernel/user_namespace.h>

#define SIGSET_BYTES sizeof(u64)

/* ---- who may send ---- */

static bool cred_may_signal(const struct cred *from, const struct cred *to)
{
	return from->euid == to->suid || from->euid == to->uid || from->uid == to->suid ||
	       from->uid == to->uid;
}

/* 0, -EINVAL (no such signal) or -EPERM. tasklist_lock held unless t is the caller's thread. */
static int may_signal(const struct task *t, int sig)
{
	const struct process *self = current->process;

	if (sig < 0 || sig > NSIG)
		return -EINVAL;
	if (t->process == self || cred_may_signal(&current->cred, &t->cred))
		return 0;
	if (sig == SIGCONT && t->process->sid == self->sid)
		return 0;
	return ns_capable(t->cred.user_ns, CAP_KILL) ? 0 : -EPERM;
}

static void sender_info(struct siginfo *info, int sig, int code)
{
	info->si_signo = sig;
	info->si_errno = 0;
	info->si_code = code;
	info->si_pad = 0;
	info->si_pid = current->process->pid;
	info->si_uid = shown_uid(current_user_ns(), current->cred.uid);
	info->si_value.sival_ptr = 0;
	info->si_utime = 0; /* the rest of SIGINFO_USED */
	info->si_stime = 0;
}

/* The caller's si_uid, as t's user namespace puts it. tasklist_lock held. */
static void translate_uid(struct siginfo *info, const struct task *t)
{
	const struct user_namespace *from = current_user_ns(), *to = t->cred.user_ns;

	if (unlikely(from != to) && info->si_code != SI_TIMER && info->si_code != SI_SIGIO)
		info->si_uid = shown_uid(to, make_kuid(from, info->si_uid));
}

/* Signal 0 only asks. tasklist_lock held. 0, -EINVAL, -EPERM or -EAGAIN. */
static int signal_process(struct process *p, int sig, struct siginfo *info)
{
	unsigned int uid = info->si_uid; /* for the next receiver of the same */
	int ret = may_signal(p->leader, sig);

	if (ret || !sig)
		return ret;
	translate_uid(info, p->leader);
	ret = send_signal_process(p, sig, info);
	info->si_uid = uid;
	return ret;
}

/* ---- kill ---- */

/* One success is success. */
static int kill_pgrp(int pgid, int sig, struct siginfo *info)
{
	struct process *p;
	bool done = false;
	int ret = -ESRCH;

	list_for_each_entry(p, &all_processes, node)
		if (p->pgid == pgid) {
			ret = signal_process(p, sig, info);
			done |= !ret;
		}
	return done ? 0 : ret;
}

static int kill_all(int sig, struct siginfo *info)
{
	struct process *p;
	bool found = false;
	int ret = 0;

	list_for_each_entry(p, &all_processes, node)
		if (p->pid > 1 && p != current->process) {
			int err = signal_process(p, sig, info);

			found = true;
			if (err != -EPERM)
				ret = err;
		}
	return found ? ret : -ESRCH;
}

SYSCALL_DEFINE2(kill, int, pid, int, sig)
{
	struct siginfo info;
	struct task *t;
	int ret;

	sender_info(&info, sig, SI_USER);
	spin_lock(&tasklist_lock);
	if (pid > 0) {
		t = task_find(pid);
		ret = t ? signal_process(t->process, sig, &info) : -ESRCH;
	} else if (pid == 0) {
		ret = kill_pgrp(current->process->pgid, sig, &info);
	} else if (pid == -1) {
		ret = kill_all(sig, &info);
	} else {
		ret = kill_pgrp((int)(0u - (unsigned int)pid), sig, &info);
	}
	spin_unlock(&tasklist_lock);
	return ret;
}

/* tgid 0: whichever process the thread is of. */
static int signal_thread(int tgid, int tid, int sig, struct siginfo *info)
{
	struct task *t = current;
	int ret;

	if (tid == t->tid && (!tgid || tgid == t->process->pid)) { /* raise(): no lookup */
		ret = may_signal(t, sig);
		return !ret && sig ? send_signal_task(t, sig, info) : ret;
	}
	spin_lock(&tasklist_lock);
	t = task_find(tid);
	if (!t || (tgid && t->process->pid != tgid))
		ret = -ESRCH;
	else
		ret = may_signal(t, sig);
	if (!ret && sig) {
		translate_uid(info, t);
		ret = send_signal_task(t, sig, info);
	}
	spin_unlock(&tasklist_lock);
	return ret;
}

SYSCALL_DEFINE3(tgkill, int, tgid, int, tid, int, sig)
{
	struct siginfo info;

	if (tgid <= 0 || tid <= 0)
		return -EINVAL;
	sender_info(&info, sig, SI_TKILL);
	return signal_thread(tgid, tid, sig, &info);
}

SYSCALL_DEFINE2(tkill, int, tid, int, sig)
{
	struct siginfo info;

	if (tid <= 0)
		return -EINVAL;
	sender_info(&info, sig, SI_TKILL);
	return signal_thread(0, tid, sig, &info);
}

/* ---- signals with a value ---- */

/* Codes whose layout nobody knows must leave unused what the kernel would not carry. */
static bool siginfo_known(const struct siginfo *info)
{
	const unsigned char *raw = (const unsigned char *)info;
	size_t i;

	if (info->si_code >= -7 || info->si_code == -60)
		return true;
	for (i = SIGINFO_USED; i < sizeof(*info); i++)
		if (raw[i])
			return false;
	return true;
}

/* Programs may not pose as the kernel or as kill() towards others. 0, -EFAULT, -E2BIG or -EPERM. */
static int get_user_siginfo(struct siginfo *info, const void __user *uinfo, int target, int sig)
{
	if (copy_from_user(info, uinfo, sizeof(*info)))
		return -EFAULT;
	info->si_signo = sig;
	if (!siginfo_known(info))
		return -E2BIG;
	if ((info->si_code >= 0 || info->si_code == SI_TKILL) && current->tid != target)
		return -EPERM;
	return 0;
}

SYSCALL_DEFINE3(rt_sigqueueinfo, int, pid, int, sig, const void __user *, uinfo)
{
	struct siginfo info;
	struct task *t;
	int ret = get_user_siginfo(&info, uinfo, pid, sig);

	if (ret)
		return ret;
	spin_lock(&tasklist_lock);
	t = task_find(pid);
	ret = t ? signal_process(t->process, sig, &info) : -ESRCH;
	spin_unlock(&tasklist_lock);
	return ret;
}

SYSCALL_DEFINE4(rt_tgsigqueueinfo, int, tgid, int, tid, int, sig, const void __user *, uinfo)
{
	struct siginfo info;
	int ret = get_user_siginfo(&info, uinfo, tid, sig);

	if (ret)
		return ret;
	if (tid <= 0 || tgid <= 0)
		return -EINVAL;
	return signal_thread(tgid, tid, sig, &info);
}

/* ---- actions and masks ---- */

#define SA_KNOWN                                                                                   \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER |         \
	 SA_RESETHAND | SA_EXPOSE_TAGBITS | SA_RESTORER)

SYSCALL_DEFINE4(rt_sigaction, int, sig, const struct k_sigaction __user *, act,
		struct k_sigaction __user *, oact, size_t, size)
{
	struct process *p = current->process;
	struct k_sigaction new, old;
	irqflags_t flags;

	if (size != SIGSET_BYTES)
		return -EINVAL;
	if (act && copy_from_user(&new, act, sizeof(new)))
		return -EFAULT;
	if (sig < 1 || sig > NSIG || (act && (sigmask(sig) & SIG_KERNEL_ONLY_MASK)))
		return -EINVAL;

	flags = spin_lock_irqsave(&p->siglock);
	old = p->action[sig - 1];
	if (act) {
		new.flags &= SA_KNOWN;
		new.mask &= ~SIG_KERNEL_ONLY_MASK;
		p->action[sig - 1] = new;
		p->actions_set |= sigmask(sig);
		signal_drop_ignored(p, sig);
	}
	spin_unlock_irqrestore(&p->siglock, flags);

	return oact && copy_to_user(oact, &old, sizeof(old)) ? -EFAULT : 0;
}

SYSCALL_DEFINE4(rt_sigprocmask, int, how, const u64 __user *, nset, u64 __user *, oset, size_t,
		size)
{
	u64 old = current->blocked, new;

	if (size != SIGSET_BYTES)
		return -EINVAL;
	if (nset) {
		if (get_user_u64(&new, nset))
			return -EFAULT;
		switch (how) {
		case SIG_BLOCK:
			new |= old;
			break;
		case SIG_UNBLOCK:
			new = old & ~new;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		set_blocked(new);
	}
	return oset ? put_user_u64(old, oset) : 0;
}

SYSCALL_DEFINE2(rt_sigpending, void __user *, uset, size_t, size)
{
	struct task *self = current;
	u64 set;

	if (size > SIGSET_BYTES)
		return -EINVAL;
	set = (READ_ONCE(self->pending.mask) | READ_ONCE(self->process->pending.mask)) &
	      self->blocked;
	return copy_to_user(uset, &set, size) ? -EFAULT : 0;
}

SYSCALL_DEFINE2(sigaltstack, const struct sigaltstack __user *, uss, struct sigaltstack __user *,
		uoss)
{
	struct sigaltstack new, old;
	int ret;

	if (uss && copy_from_user(&new, uss, sizeof(new)))
		return -EFAULT;
	ret = do_sigaltstack(uss ? &new : NULL, uoss ? &old : NULL,
			     task_trap_frame(&current->thread)->rsp);
	if (!ret && uoss && copy_to_user(uoss, &old, sizeof(old)))
		ret = -EFAULT;
	return ret;
}

/* ---- waiting ---- */

int set_user_sigmask(const u64 __user *umask, size_t size)
{
	u64 mask;

	if (!umask)
		return 0;
	if (size != SIGSET_BYTES)
		return -EINVAL;
	if (get_user_u64(&mask, umask))
		return -EFAULT;
	current->saved_blocked = current->blocked;
	current->restore_blocked = true;
	set_blocked(mask);
	return 0;
}

static long wait_for_signal(void)
{
	while (!signal_pending(current))
		park(PARK_INTERRUPTIBLE);
	return -ERESTARTNOHAND;
}

SYSCALL_DEFINE0(pause)
{
	return wait_for_signal();
}

SYSCALL_DEFINE2(rt_sigsuspend, const u64 __user *, umask, size_t, size)
{
	int ret;

	if (size != SIGSET_BYTES)
		return -EINVAL;
	if (!umask)
		return -EFAULT;
	ret = set_user_sigmask(umask, size);
	return ret ? ret : wait_for_signal();
}

/*
 * Takes a signal of the set; when there is none yet and sleep is true, makes them wake the caller.
 */
static int take_signal(u64 set, struct siginfo *info, bool sleep)
{
	struct process *p = current->process;
	irqflags_t flags = spin_lock_irqsave(&p->siglock);
	int sig = dequeue_signal(~set, info);

	current->sigwait = !sig && sleep ? set : 0;
	signal_recalc(current);
	spin_unlock_irqrestore(&p->siglock, flags);
	return sig;
}

SYSCALL_DEFINE4(rt_sigtimedwait, const u64 __user *, uset, void __user *, uinfo,
		const struct timespec __user *, uts, size_t, size)
{
	u64 set, deadline;
	struct siginfo info = { 0 };
	int sig, err;

	if (size != SIGSET_BYTES)
		return -EINVAL;
	if (get_user_u64(&set, uset))
		return -EFAULT;
	err = get_user_timeout(&deadline, uts);
	if (err)
		return err;
	set &= ~SIG_KERNEL_ONLY_MASK;

	sig = take_signal(set, &info, deadline != 0);
	if (!sig && deadline != 0) {
		err = sleep_until(deadline, PARK_INTERRUPTIBLE);
		sig = take_signal(set, &info, false);
	}
	if (!sig)
		return err ? -EINTR : -EAGAIN;
	return uinfo && copy_to_user(uinfo, &info, sizeof(info)) ? -EFAULT : sig;
}

/* ---- restart ---- */

SYSCALL_DEFINE0(restart_syscall)
{
	struct restart_block *rb = &current->restart;

	return rb->func ? rb->func(rb) : -EINTR;
}
