/* SPDX-License-Identifier: MIT
 *
 * /proc/PID/stat and statm: numbers on one line, fields as in proc(5).
 */
#include <drivers/tty.h>
#include <fs/procfs/internal.h>
#include <kern/err.h>
#include <kernel/signal.h>
#include <kernel/timer.h>
#include <mm/mm.h>

#define PF_FORKNOEXEC 0x00000040
#define PF_KTHREAD 0x00200000
#define PF_RANDOMIZE 0x00400000

/* Everything that is read under tasklist_lock or siglock. */
struct stat_snapshot {
	int ppid, pgid, sid, tty_nr, tpgid;
	unsigned long min_flt, cmin_flt, maj_flt, cmaj_flt;
	u64 utime_ns, stime_ns, cutime_ns, cstime_ns;
	unsigned int threads;
	u64 pending, blocked, ignored, caught;
	u64 rss_limit;
	int exit_code, exit_signal;
};

static char state_letter(const struct task *t)
{
	static const char letters[] = {
		[TASK_RUNNING] = 'R',  [TASK_INTERRUPTIBLE] = 'S',
		[TASK_KILLABLE] = 'D', [TASK_UNINTERRUPTIBLE] = 'D',
		[TASK_STOPPED] = 'T',  [TASK_ZOMBIE] = 'Z',
		[TASK_DEAD] = 'X',
	};

	return letters[READ_ONCE(t->state)];
}

/* A process's counters are those of threads that ended plus the live ones'. tasklist_lock held. */
static void count_faults(const struct process *p, struct stat_snapshot *sn)
{
	struct task *t;

	sn->min_flt = p->min_flt;
	sn->maj_flt = p->maj_flt;
	list_for_each_entry(t, &p->threads, thread_node) {
		if (t->exited)
			continue;
		sn->min_flt += READ_ONCE(t->min_flt);
		sn->maj_flt += READ_ONCE(t->maj_flt);
	}
}

static void take_signals(struct task *t, struct stat_snapshot *sn)
{
	struct process *p = t->process;
	irqflags_t flags = spin_lock_irqsave(&p->siglock);

	sn->pending = t->pending.mask | p->pending.mask;
	sn->blocked = t->blocked;
	signal_actions(p, &sn->ignored, &sn->caught);
	sn->rss_limit = p->rlimits[RLIMIT_RSS].rlim_cur;
	spin_unlock_irqrestore(&p->siglock, flags);
}

static bool take_snapshot(struct task *t, bool thread, struct stat_snapshot *sn)
{
	struct process *p = t->process;
	bool exists;

	spin_lock(&tasklist_lock);
	exists = task_find(t->tid) == t;
	sn->ppid = exists && p->parent ? p->parent->pid : 0;
	sn->pgid = p->pgid;
	sn->sid = p->sid;
	sn->tty_nr = p->ctty ? (int)p->ctty->rdev : 0;
	sn->tpgid = p->ctty ? p->ctty->pgrp : -1;
	sn->threads = p->nr_threads;
	if (thread) {
		sn->min_flt = READ_ONCE(t->min_flt);
		sn->maj_flt = READ_ONCE(t->maj_flt);
		task_cputime(t, &sn->utime_ns, &sn->stime_ns);
	} else {
		count_faults(p, sn);
		process_cputime(p, &sn->utime_ns, &sn->stime_ns);
	}
	sn->cmin_flt = p->cmin_flt;
	sn->cmaj_flt = p->cmaj_flt;
	sn->cutime_ns = p->cutime_ns;
	sn->cstime_ns = p->cstime_ns;
	sn->exit_code = p->exit_code;
	sn->exit_signal = p->exit_signal;
	take_signals(t, sn);
	spin_unlock(&tasklist_lock);
	return exists;
}

static void put_long(struct seq *s, long v)
{
	seq_putc(s, ' ');
	if (v < 0)
		seq_putc(s, '-');
	seq_dec(s, v < 0 ? -(unsigned long)v : (unsigned long)v, 1);
}

static void put_all(struct seq *s, const long *fields, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put_long(s, fields[i]);
}

static long ticks(u64 ns)
{
	return (long)(ns / TICK_NS);
}

static long task_flags(const struct task *t)
{
	return (t->process->did_exec ? 0 : PF_FORKNOEXEC) |
	       (t->mm ? (knob_aslr ? PF_RANDOMIZE : 0) : PF_KTHREAD);
}

/* Fields 4 to 22. */
static void put_general(struct seq *s, const struct task *t, const struct stat_snapshot *sn)
{
	const long fields[] = {
		sn->ppid,
		sn->pgid,
		sn->sid,
		sn->tty_nr,
		sn->tpgid,
		task_flags(t),
		(long)sn->min_flt,
		(long)sn->cmin_flt,
		(long)sn->maj_flt,
		(long)sn->cmaj_flt,
		ticks(sn->utime_ns),
		ticks(sn->stime_ns),
		ticks(sn->cutime_ns),
		ticks(sn->cstime_ns),
		20 + t->nice,
		t->nice,
		(long)sn->threads,
		0,
		ticks(t->process->start_ns),
	};

	put_all(s, fields, ARRAY_SIZE(fields));
}

/* Fields 23 to 30; addresses only for who may see them. */
static void put_memory(struct seq *s, const struct mm *mm, const struct stat_snapshot *sn,
		       bool addresses)
{
	put_long(s, mm ? (long)(READ_ONCE(mm->total_vm) << PAGE_SHIFT) : 0);
	put_long(s, mm ? (long)mm_rss(mm) : 0);
	seq_putc(s, ' ');
	seq_dec(s, sn->rss_limit, 1);
	put_long(s, mm ? (addresses ? (long)mm->start_code : 1) : 0);
	put_long(s, mm ? (addresses ? (long)mm->end_code : 1) : 0);
	put_long(s, mm && addresses ? (long)mm->start_stack : 0);
	put_long(s, 0); /* stack pointer and instruction pointer: only of a dumping task */
	put_long(s, 0);
}

/* Fields 31 to 52. */
static void put_rest(struct seq *s, const struct task *t, const struct mm *mm,
		     const struct stat_snapshot *sn, bool addresses)
{
	const u64 std = 0x7fffffff; /* the fields predate real-time signals */
	const long fields[] = {
		(long)(sn->pending & std),
		(long)(sn->blocked & std),
		(long)(sn->ignored & std),
		(long)(sn->caught & std),
		READ_ONCE(t->state) != TASK_RUNNING,
		0,
		0,
		sn->exit_signal,
		(long)READ_ONCE(t->cpu),
		0,
		0,
		0,
		0,
		0,
	};

	put_all(s, fields, ARRAY_SIZE(fields));
	if (mm && addresses) {
		const long areas[] = {
			(long)mm->start_data, (long)mm->end_data, (long)mm->start_brk,
			(long)mm->arg_start,  (long)mm->arg_end,  (long)mm->env_start,
			(long)mm->env_end,
		};

		put_all(s, areas, ARRAY_SIZE(areas));
	} else {
		seq_puts(s, " 0 0 0 0 0 0 0");
	}
	put_long(s, addresses ? sn->exit_code : 0);
	seq_putc(s, '\n');
}

int pid_stat_show(struct seq *s)
{
	struct task *t = s->node->task;
	struct stat_snapshot sn;
	bool addresses = proc_may_inspect(t);
	char comm[sizeof(t->comm)];
	struct mm *mm;

	if (!take_snapshot(t, s->node->thread, &sn))
		return -ESRCH;
	task_get_comm(t, comm);
	mm = proc_get_mm(s->node);
	seq_dec(s, (unsigned long)t->tid, 1);
	seq_puts(s, " (");
	seq_escaped(s, comm, "\n\\");
	seq_puts(s, ") ");
	seq_putc(s, state_letter(t));
	put_general(s, t, &sn);
	put_memory(s, mm, &sn, addresses);
	put_rest(s, t, mm, &sn, addresses);
	if (mm)
		mm_put(mm);
	return 0;
}

int statm_show(struct seq *s)
{
	struct mm *mm = proc_get_mm(s->node);
	unsigned long shared;

	if (!mm) {
		seq_puts(s, "0 0 0 0 0 0 0\n");
		return proc_task_exists(s->node->task) ? 0 : -ESRCH;
	}
	shared = (unsigned long)atomic_read(&mm->rss[RSS_FILE]) +
		 (unsigned long)atomic_read(&mm->rss[RSS_SHMEM]);
	seq_dec(s, READ_ONCE(mm->total_vm), 1);
	put_long(s, (long)mm_rss(mm));
	put_long(s, (long)shared);
	put_long(s,
		 (long)((PAGE_ALIGN(mm->end_code) - (mm->start_code & PAGE_MASK)) >> PAGE_SHIFT));
	put_long(s, 0);
	put_long(s, (long)(READ_ONCE(mm->data_vm) + READ_ONCE(mm->stack_vm)));
	seq_puts(s, " 0\n");
	mm_put(mm);
	return 0;
}
