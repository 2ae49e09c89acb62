/* SPDX-License-Identifier: MIT
 *
 * Resource usage: getrusage(), times(), and what wait4() reports of a child.
 */
#include <arch/uaccess.h>
#include <kern/string.h>
#include <kernel/rusage.h>
#include <kernel/syscall.h>
#include <mm/mm.h>

struct tms {
	s64 tms_utime, tms_stime, tms_cutime, tms_cstime; /* USER_HZ ticks */
};

void process_cputime(struct process *p, u64 *utime_ns, u64 *stime_ns)
{
	u64 utime = p->utime_ns, stime = p->stime_ns, ut, st;
	struct task *t;

	list_for_each_entry(t, &p->threads, thread_node) {
		task_cputime(t, &ut, &st);
		utime += ut;
		stime += st;
	}
	*utime_ns = utime;
	*stime_ns = stime;
}

static struct rusage_timeval to_timeval(u64 ns)
{
	return (struct rusage_timeval){ (s64)(ns / NSEC_PER_SEC),
					(s64)(ns % NSEC_PER_SEC / NSEC_PER_USEC) };
}

static void set_times(struct rusage *ru, u64 utime_ns, u64 stime_ns)
{
	ru->ru_utime = to_timeval(utime_ns);
	ru->ru_stime = to_timeval(stime_ns);
}

static unsigned long task_rss_peak(const struct task *t)
{
	return t->mm ? max(READ_ONCE(t->mm->hiwater_rss), mm_rss(t->mm)) : 0;
}

void rusage_process(struct process *p, struct rusage *ru, bool with_children)
{
	unsigned long maxrss = p->maxrss_pages;
	struct task *t;
	u64 ut, st;

	assert_spin_locked(&tasklist_lock);
	memset(ru, 0, sizeof(*ru));
	process_cputime(p, &ut, &st);
	ru->ru_minflt = (s64)p->min_flt;
	ru->ru_majflt = (s64)p->maj_flt;
	ru->ru_nvcsw = (s64)p->nvcsw;
	ru->ru_nivcsw = (s64)p->nivcsw;
	list_for_each_entry(t, &p->threads, thread_node) {
		ru->ru_minflt += (s64)t->min_flt;
		ru->ru_majflt += (s64)t->maj_flt;
		ru->ru_nvcsw += (s64)t->nvcsw;
		ru->ru_nivcsw += (s64)t->nivcsw;
		maxrss = max(maxrss, task_rss_peak(t));
	}
	if (with_children) {
		ut += p->cutime_ns;
		st += p->cstime_ns;
		ru->ru_minflt += (s64)p->cmin_flt;
		ru->ru_majflt += (s64)p->cmaj_flt;
		ru->ru_nvcsw += (s64)p->cnvcsw;
		ru->ru_nivcsw += (s64)p->cnivcsw;
		maxrss = max(maxrss, p->cmaxrss_pages);
	}
	set_times(ru, ut, st);
	ru->ru_maxrss = (s64)(maxrss * (PAGE_SIZE / 1024));
}

void rusage_add_child(struct process *parent, struct process *child)
{
	struct task *t = child->leader;
	u64 ut, st;

	assert_spin_locked(&tasklist_lock);
	process_cputime(child, &ut, &st);
	parent->cutime_ns += ut + child->cutime_ns;
	parent->cstime_ns += st + child->cstime_ns;
	parent->cmin_flt += child->min_flt + t->min_flt + child->cmin_flt;
	parent->cmaj_flt += child->maj_flt + t->maj_flt + child->cmaj_flt;
	parent->cnvcsw += child->nvcsw + t->nvcsw + child->cnvcsw;
	parent->cnivcsw += child->nivcsw + t->nivcsw + child->cnivcsw;
	parent->cmaxrss_pages =
		max(parent->cmaxrss_pages, max(child->maxrss_pages, child->cmaxrss_pages));
}

static void rusage_children(struct process *p, struct rusage *ru)
{
	memset(ru, 0, sizeof(*ru));
	set_times(ru, p->cutime_ns, p->cstime_ns);
	ru->ru_minflt = (s64)p->cmin_flt;
	ru->ru_majflt = (s64)p->cmaj_flt;
	ru->ru_nvcsw = (s64)p->cnvcsw;
	ru->ru_nivcsw = (s64)p->cnivcsw;
	ru->ru_maxrss = (s64)(p->cmaxrss_pages * (PAGE_SIZE / 1024));
}

static void rusage_thread(struct task *t, struct rusage *ru)
{
	unsigned long maxrss = max(t->process->maxrss_pages, task_rss_peak(t));
	u64 ut, st;

	memset(ru, 0, sizeof(*ru));
	task_cputime(t, &ut, &st);
	set_times(ru, ut, st);
	ru->ru_minflt = (s64)t->min_flt;
	ru->ru_majflt = (s64)t->maj_flt;
	ru->ru_nvcsw = (s64)t->nvcsw;
	ru->ru_nivcsw = (s64)t->nivcsw;
	ru->ru_maxrss = (s64)(maxrss * (PAGE_SIZE / 1024));
}

SYSCALL_DEFINE2(getrusage, int, who, struct rusage __user *, uru)
{
	struct rusage ru;

	spin_lock(&tasklist_lock);
	switch (who) {
	case RUSAGE_SELF:
		rusage_process(current->process, &ru, false);
		break;
	case RUSAGE_CHILDREN:
		rusage_children(current->process, &ru);
		break;
	case RUSAGE_THREAD:
		rusage_thread(current, &ru);
		break;
	default:
		spin_unlock(&tasklist_lock);
		return -EINVAL;
	}
	spin_unlock(&tasklist_lock);
	return copy_to_user(uru, &ru, sizeof(ru)) ? -EFAULT : 0;
}

SYSCALL_DEFINE1(times, struct tms __user *, utms)
{
	struct process *p = current->process;
	struct tms tms;
	u64 ut, st;

	if (utms) {
		spin_lock(&tasklist_lock);
		process_cputime(p, &ut, &st);
		tms = (struct tms){ (s64)(ut / TICK_NS), (s64)(st / TICK_NS),
				    (s64)(p->cutime_ns / TICK_NS), (s64)(p->cstime_ns / TICK_NS) };
		spin_unlock(&tasklist_lock);
		if (copy_to_user(utms, &tms, sizeof(tms)))
			return -EFAULT;
	}
	return (long)(clock_ns() / TICK_NS);
}
