/* SPDX-License-Identifier: MIT
 *
 * What programs may ask of the scheduler. There is one policy, SCHED_OTHER, round robin with slices
 * that nice values make longer or shorter; real-time policies are refused.
 */
#include <arch/uaccess.h>
#include <kernel/syscall.h>
#include <kernel/user_namespace.h>
#include <kernel/task.h>
#include <kernel/time.h>
#include <uapi/sched.h>

#define MIN_NICE (-20)
#define MAX_NICE 19

SYSCALL_DEFINE0(sched_yield)
{
	sched_yield_cpu();
	return 0;
}

/* The caller may change t: the same user, or CAP_SYS_NICE. */
static bool may_change(const struct task *t)
{
	const struct cred *c = &current->cred;

	return c->euid == t->cred.euid || c->euid == t->cred.uid ||
	       ns_capable(t->cred.user_ns, CAP_SYS_NICE);
}

/* tasklist_lock held. */
static struct task *find(int pid)
{
	return pid ? task_find(pid) : current;
}

/* ---- CPUs ---- */

SYSCALL_DEFINE3(sched_setaffinity, int, pid, unsigned int, len, const u64 __user *, umask)
{
	struct task *t;
	u64 mask = 0;
	int ret = -ESRCH;

	if (copy_from_user(&mask, umask, min((size_t)len, sizeof(mask))))
		return -EFAULT;
	spin_lock(&tasklist_lock);
	t = find(pid);
	if (t && !may_change(t))
		ret = -EPERM;
	else if (t)
		ret = mask & sched_online_cpus() ? 0 : -EINVAL;
	if (!ret)
		sched_set_allowed(t, mask & sched_online_cpus());
	spin_unlock(&tasklist_lock);
	cond_resched();
	return ret;
}

SYSCALL_DEFINE3(sched_getaffinity, int, pid, unsigned int, len, u64 __user *, umask)
{
	struct task *t;
	u64 mask = 0;

	if (len < sizeof(mask) || len % sizeof(u64))
		return -EINVAL;
	spin_lock(&tasklist_lock);
	t = find(pid);
	if (t)
		mask = t->cpus_allowed & sched_online_cpus();
	spin_unlock(&tasklist_lock);
	if (!t)
		return -ESRCH;
	return put_user_u64(mask, umask) ? -EFAULT : (long)sizeof(mask);
}

SYSCALL_DEFINE3(getcpu, u32 __user *, ucpu, u32 __user *, unode, void __user *, cache)
{
	(void)cache;
	if (ucpu && put_user_u32(cpu_id(), ucpu))
		return -EFAULT;
	return unode && put_user_u32(0, unode) ? -EFAULT : 0;
}

/* ---- policies ---- */

static int priority_range(int policy, int *min_prio, int *max_prio)
{
	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR:
		*min_prio = 1;
		*max_prio = 99;
		return 0;
	case SCHED_OTHER:
	case SCHED_BATCH:
	case SCHED_IDLE:
	case SCHED_DEADLINE:
		*min_prio = 0;
		*max_prio = 0;
		return 0;
	default:
		return -EINVAL;
	}
}

SYSCALL_DEFINE1(sched_get_priority_max, int, policy)
{
	int lo, hi;

	return priority_range(policy, &lo, &hi) ? -EINVAL : hi;
}

SYSCALL_DEFINE1(sched_get_priority_min, int, policy)
{
	int lo, hi;

	return priority_range(policy, &lo, &hi) ? -EINVAL : lo;
}

/* policy < 0: keep it. */
static int set_scheduler(int pid, int policy, const u32 __user *uparam)
{
	struct task *t;
	u32 priority;
	int ret;

	if (pid < 0 || !uparam)
		return -EINVAL;
	if (get_user_u32(&priority, uparam))
		return -EFAULT;
	spin_lock(&tasklist_lock);
	t = find(pid);
	if (!t)
		ret = -ESRCH;
	else if (policy > SCHED_OTHER || priority)
		ret = -EINVAL;
	else
		ret = may_change(t) ? 0 : -EPERM;
	spin_unlock(&tasklist_lock);
	return ret;
}

SYSCALL_DEFINE3(sched_setscheduler, int, pid, int, policy, const u32 __user *, param)
{
	if (policy < 0)
		return -EINVAL;
	return set_scheduler(pid, policy, param);
}

SYSCALL_DEFINE2(sched_setparam, int, pid, const u32 __user *, param)
{
	return set_scheduler(pid, -1, param);
}

/* 0 when there is such a task. */
static int look_up(int pid)
{
	struct task *t;

	if (pid < 0)
		return -EINVAL;
	spin_lock(&tasklist_lock);
	t = find(pid);
	spin_unlock(&tasklist_lock);
	return t ? 0 : -ESRCH;
}

SYSCALL_DEFINE1(sched_getscheduler, int, pid)
{
	int err = look_up(pid);

	return err ? err : SCHED_OTHER;
}

SYSCALL_DEFINE2(sched_getparam, int, pid, u32 __user *, param)
{
	int err = param ? look_up(pid) : -EINVAL;

	if (err)
		return err;
	return put_user_u32(0, param) ? -EFAULT : 0;
}

SYSCALL_DEFINE2(sched_rr_get_interval, int, pid, struct timespec __user *, interval)
{
	int err = look_up(pid);

	return err ? err : put_user_timespec(TICK_NS, interval);
}

/* ---- nice ---- */

/*
 * Calls fn for each task that which and who name. 0, -ESRCH, -EINVAL, or what fn returned last but
 * 0.
 */
static int for_each_named(int which, int who, int (*fn)(struct task *t, int *arg), int *arg)
{
	struct process *p, *self = current->process;
	u32 uid = who ? make_kuid(current_user_ns(), (u32)who) : current->cred.uid;
	int ret = -ESRCH, err;
	struct task *t;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	spin_lock(&tasklist_lock);
	if (which == PRIO_PROCESS) {
		t = find(who);
		ret = t ? fn(t, arg) : -ESRCH;
		spin_unlock(&tasklist_lock);
		return ret;
	}
	list_for_each_entry(p, &all_processes, node) {
		if (which == PRIO_PGRP && p->pgid != (who ? who : self->pgid))
			continue;
		list_for_each_entry(t, &p->threads, thread_node) {
			if (which == PRIO_USER && t->cred.uid != uid)
				continue;
			err = fn(t, arg);
			if (err || ret == -ESRCH)
				ret = err;
		}
	}
	spin_unlock(&tasklist_lock);
	return ret;
}

/* *best: the highest priority found, as getpriority() returns it: 20 - nice. */
static int read_nice(struct task *t, int *best)
{
	*best = max(*best, 20 - t->nice);
	return 0;
}

SYSCALL_DEFINE2(getpriority, int, which, int, who)
{
	int best = 0, err = for_each_named(which, who, read_nice, &best);

	return err ? err : best;
}

static int write_nice(struct task *t, int *nice)
{
	u64 limit = t->process->rlimits[RLIMIT_NICE].rlim_cur;

	if (!may_change(t))
		return -EPERM;
	if (*nice < t->nice && (u64)(20 - *nice) > limit && !capable(CAP_SYS_NICE))
		return -EACCES;
	t->nice = *nice;
	return 0;
}

SYSCALL_DEFINE3(setpriority, int, which, int, who, int, nice)
{
	nice = min(max(nice, MIN_NICE), MAX_NICE);
	return for_each_named(which, who, write_nice, &nice);
}
