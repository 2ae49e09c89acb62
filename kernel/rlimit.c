/* SPDX-License-Identifier: MIT
 *
 * Resource limits: getrlimit(), setrlimit(), prlimit64(). What a limit means is told where it is
 * enforced.
 */
#include <arch/uaccess.h>
#include <kernel/rlimit.h>
#include <kernel/signal.h>
#include <kernel/syscall.h>

#define NR_OPEN_MAX (1UL << 20) /* Linux's fs.nr_open */

void rlimit_cpu_tick(struct process *p)
{
	struct rlimit *limit = &p->rlimits[RLIMIT_CPU];
	u64 ut, st, seconds;
	int sig = 0;

	if (likely(READ_ONCE(limit->rlim_cur) == RLIM_INFINITY))
		return;
	spin_lock(&p->siglock);
	process_cputime(p, &ut, &st);
	seconds = (ut + st) / NSEC_PER_SEC;
	if (seconds >= limit->rlim_max) {
		sig = SIGKILL;
	} else if (seconds >= limit->rlim_cur) {
		sig = SIGXCPU;
		limit->rlim_cur = seconds + 1;
	}
	spin_unlock(&p->siglock);
	if (sig)
		(void)send_signal_process(p, sig, NULL);
}

/* Reads the old limit and sets the wanted one, either may be NULL. 0, -EINVAL, -EPERM. */
static int do_prlimit(struct process *p, unsigned int which, const struct rlimit *wanted,
		      struct rlimit *old)
{
	struct rlimit *limit = &p->rlimits[which];
	irqflags_t flags;
	int ret = 0;

	if (wanted && wanted->rlim_cur > wanted->rlim_max)
		return -EINVAL;
	if (wanted && which == RLIMIT_NOFILE && wanted->rlim_max > NR_OPEN_MAX)
		return -EPERM;
	flags = spin_lock_irqsave(&p->siglock);
	if (old)
		*old = *limit;
	if (wanted && wanted->rlim_max > limit->rlim_max && !capable(CAP_SYS_RESOURCE))
		ret = -EPERM;
	else if (wanted)
		*limit = *wanted;
	/* Linux: no time at all would leave none for the signal. */
	if (!ret && which == RLIMIT_CPU && !limit->rlim_cur)
		limit->rlim_cur = 1;
	spin_unlock_irqrestore(&p->siglock, flags);
	return ret;
}

SYSCALL_DEFINE2(getrlimit, unsigned int, which, struct rlimit __user *, ulimit)
{
	struct rlimit limit;

	if (which >= RLIM_NLIMITS)
		return -EINVAL;
	(void)do_prlimit(current->process, which, NULL, &limit);
	return copy_to_user(ulimit, &limit, sizeof(limit)) ? -EFAULT : 0;
}

SYSCALL_DEFINE2(setrlimit, unsigned int, which, const struct rlimit __user *, ulimit)
{
	struct rlimit limit;

	if (copy_from_user(&limit, ulimit, sizeof(limit)))
		return -EFAULT;
	if (which >= RLIM_NLIMITS)
		return -EINVAL;
	return do_prlimit(current->process, which, &limit, NULL);
}

/* The caller may look at and change the limits of its own user's processes. */
static bool may_prlimit(const struct task *t)
{
	const struct cred *c = &current->cred, *tc = &t->cred;

	if (t->process == current->process || ns_capable(tc->user_ns, CAP_SYS_RESOURCE))
		return true;
	return c->uid == tc->uid && c->uid == tc->euid && c->uid == tc->suid && c->gid == tc->gid &&
	       c->gid == tc->egid && c->gid == tc->sgid;
}

SYSCALL_DEFINE4(prlimit64, int, pid, unsigned int, which, const struct rlimit __user *, unew,
		struct rlimit __user *, uold)
{
	struct rlimit new, old;
	struct task *t;
	int err = -ESRCH;

	if (which >= RLIM_NLIMITS)
		return -EINVAL;
	if (unew && copy_from_user(&new, unew, sizeof(new)))
		return -EFAULT;
	spin_lock(&tasklist_lock);
	t = pid ? task_find(pid) : current;
	if (t && !may_prlimit(t))
		err = -EPERM;
	else if (t)
		err = do_prlimit(t->process, which, unew ? &new : NULL, &old);
	spin_unlock(&tasklist_lock);
	if (err)
		return err;
	return uold && copy_to_user(uold, &old, sizeof(old)) ? -EFAULT : 0;
}
