/* SPDX-License-Identifier: MIT
 *
 * /proc/PID/status: labels and order as in proc(5).
 */
#include <fs/procfs/internal.h>
#include <kern/err.h>
#include <kern/string.h>
#include <kernel/signal.h>
#include <kernel/user_namespace.h>
#include <mm/mm.h>

static const char *state_text(const struct task *t)
{
	switch (READ_ONCE(t->state)) {
	case TASK_RUNNING:
		return "R (running)";
	case TASK_INTERRUPTIBLE:
		return "S (sleeping)";
	case TASK_KILLABLE:
	case TASK_UNINTERRUPTIBLE:
		return "D (disk sleep)";
	case TASK_STOPPED:
		return "T (stopped)";
	case TASK_ZOMBIE:
		return "Z (zombie)";
	default:
		return "X (dead)";
	}
}

/* What has to be read under tasklist_lock and siglock. */
struct snapshot {
	int ppid, pgid, sid;
	unsigned int threads;
	u64 pending, shared_pending, blocked, ignored, caught;
	unsigned int queued;
	u64 sigpending_limit;
	struct cred cred;
	char comm[sizeof(current->comm)];
};

static unsigned int queue_length(const struct list_head *queue)
{
	unsigned int n = 0;

	for (const struct list_head *e = queue->next; e != queue; e = e->next)
		n++;
	return n;
}

static bool take_snapshot(struct task *t, struct snapshot *sn)
{
	struct process *p = t->process;
	irqflags_t flags;
	bool exists;

	spin_lock(&tasklist_lock);
	exists = task_find(t->tid) == t;
	sn->ppid = exists && p->parent ? p->parent->pid : 0;
	sn->pgid = p->pgid;
	sn->sid = p->sid;
	sn->threads = p->nr_threads;
	sn->cred = t->cred;
	memcpy(sn->comm, t->comm, sizeof(sn->comm));
	flags = spin_lock_irqsave(&p->siglock);
	sn->pending = t->pending.mask;
	sn->shared_pending = p->pending.mask;
	sn->blocked = t->blocked;
	signal_actions(p, &sn->ignored, &sn->caught);
	sn->queued = queue_length(&t->pending.queue) + queue_length(&p->pending.queue);
	sn->sigpending_limit = p->rlimits[RLIMIT_SIGPENDING].rlim_cur;
	spin_unlock_irqrestore(&p->siglock, flags);
	spin_unlock(&tasklist_lock);
	return exists;
}

static void put_ids(struct seq *s, struct task *t, const struct snapshot *sn)
{
	struct fs_context *fs = task_get_fs(t);
	const struct user_namespace *ns = s->opener.user_ns;
	const struct cred *c = &sn->cred;
	int slots = task_files_max(t);

	seq_puts(s, "Name:\t");
	seq_escaped(s, sn->comm, "\n\\");
	seq_putc(s, '\n');
	if (fs) {
		seq_printf(s, "Umask:\t%#04o\n", fs->umask);
		fs_context_put(fs);
	}
	seq_printf(s, "State:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n",
		   state_text(t), t->process->pid, t->tid, sn->ppid);
	seq_printf(s, "Uid:\t%u\t%u\t%u\t%u\n", shown_uid(ns, c->uid), shown_uid(ns, c->euid),
		   shown_uid(ns, c->suid), shown_uid(ns, c->fsuid));
	seq_printf(s, "Gid:\t%u\t%u\t%u\t%u\n", shown_gid(ns, c->gid), shown_gid(ns, c->egid),
		   shown_gid(ns, c->sgid), shown_gid(ns, c->fsgid));
	seq_printf(s, "FDSize:\t%d\n", ALIGN_UP(slots, 64));
	seq_puts(s, "Groups:\t");
	for (u32 i = 0; i < c->ngroups; i++)
		seq_printf(s, i ? " %u" : "%u", shown_gid(ns, c->groups[i]));
	seq_printf(s, " \nNStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\nKthread:\t%d\n",
		   t->process->pid, t->tid, sn->pgid, sn->sid, !t->mm && !t->process->zombie);
}

static void put_memory(struct seq *s, struct mm *mm)
{
	unsigned long rss = mm_rss(mm);
	unsigned long total = READ_ONCE(mm->total_vm) << 2;
	unsigned long text = (PAGE_ALIGN(mm->end_code) - (mm->start_code & PAGE_MASK)) >> 10;
	unsigned long exec = READ_ONCE(mm->exec_vm) << 2;

	seq_kb(s, "VmPeak:\t", max(READ_ONCE(mm->hiwater_vm) << 2, total));
	seq_kb(s, "VmSize:\t", total);
	seq_kb(s, "VmLck:\t", READ_ONCE(mm->locked_vm) << 2);
	seq_kb(s, "VmPin:\t", 0);
	seq_kb(s, "VmHWM:\t", max(READ_ONCE(mm->hiwater_rss), rss) << 2);
	seq_kb(s, "VmRSS:\t", rss << 2);
	seq_kb(s, "RssAnon:\t", (unsigned long)atomic_read(&mm->rss[RSS_ANON]) << 2);
	seq_kb(s, "RssFile:\t", (unsigned long)atomic_read(&mm->rss[RSS_FILE]) << 2);
	seq_kb(s, "RssShmem:\t", (unsigned long)atomic_read(&mm->rss[RSS_SHMEM]) << 2);
	seq_kb(s, "VmData:\t", READ_ONCE(mm->data_vm) << 2);
	seq_kb(s, "VmStk:\t", READ_ONCE(mm->stack_vm) << 2);
	seq_kb(s, "VmExe:\t", min(text, exec));
	seq_kb(s, "VmLib:\t", exec - min(text, exec));
	seq_kb(s, "VmPTE:\t", (unsigned long)atomic_read(&mm->pgt.nr_tables) << 2);
	seq_kb(s, "VmSwap:\t", (unsigned long)atomic_read(&mm->rss[RSS_SWAP]) << 2);
	seq_kb(s, "HugetlbPages:\t", 0);
	seq_puts(s, "CoreDumping:\t0\nTHP_enabled:\t0\n");
}

static void put_signals(struct seq *s, const struct snapshot *sn)
{
	seq_printf(s, "Threads:\t%u\nSigQ:\t%u/%lu\n", sn->threads, sn->queued,
		   (unsigned long)sn->sigpending_limit);
	seq_printf(s, "SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\n",
		   (unsigned long)sn->pending, (unsigned long)sn->shared_pending,
		   (unsigned long)sn->blocked);
	seq_printf(s, "SigIgn:\t%016lx\nSigCgt:\t%016lx\n", (unsigned long)sn->ignored,
		   (unsigned long)sn->caught);
}

static void put_caps(struct seq *s, const struct task *t, const struct cred *c)
{
	seq_printf(s, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\n",
		   (unsigned long)c->cap_inheritable, (unsigned long)c->cap_permitted,
		   (unsigned long)c->cap_effective);
	seq_printf(s, "CapBnd:\t%016lx\nCapAmb:\t%016lx\n", (unsigned long)c->cap_bounding,
		   (unsigned long)c->cap_ambient);
	seq_printf(s, "NoNewPrivs:\t%d\nSeccomp:\t0\nSeccomp_filters:\t0\n", t->no_new_privs);
}

static void put_cpus(struct seq *s, u64 allowed)
{
	seq_puts(s, "Cpus_allowed:\t");
	seq_cpumask(s, allowed);
	seq_puts(s, "\nCpus_allowed_list:\t");
	seq_cpulist(s, allowed);
	seq_putc(s, '\n');
}

int status_show(struct seq *s)
{
	struct task *t = s->node->task;
	struct snapshot sn;
	struct mm *mm;

	if (!take_snapshot(t, &sn))
		return -ESRCH;
	put_ids(s, t, &sn);
	mm = proc_get_mm(s->node);
	if (mm) {
		put_memory(s, mm);
		mm_put(mm);
	}
	put_signals(s, &sn);
	put_caps(s, t, &sn.cred);
	put_cpus(s, READ_ONCE(t->cpus_allowed) & sched_online_cpus());
	seq_puts(s, "Mems_allowed:\t1\nMems_allowed_list:\t0\n");
	seq_printf(s, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n",
		   READ_ONCE(t->nvcsw), READ_ONCE(t->nivcsw));
	return 0;
}
