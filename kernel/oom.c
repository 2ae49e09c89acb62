/* SPDX-License-Identifier: MIT
 *
 * When memory has run out: who is killed.
 *
 * The process with the most memory is (oom_badness()), and whoever shares its address space; before all others one that
 * calls swapoff. Never init, kernel threads, or a process with oom_score_adj -1000. The victim may sleep on something that the caller holds, so nobody waits for it:
 * its private pages are taken at once (mm_oom_reap()), whatever it is doing, for it will not use them again.
 *
 * Called by any allocation that may sleep, with whatever sleeping locks it holds.
 */
#include <kern/printk.h>
#include <kernel/oom.h>
#include <kernel/pid.h>
#include <kernel/signal.h>
#include <kernel/task.h>
#include <mm/caller.h>
#include <mm/mm.h>
#include <mm/page_alloc.h>
#include <mm/stats.h>
#include <mm/swap.h>

#define KB_PER_PAGE (PAGE_SIZE / 1024)

long oom_badness(const struct mm *mm, int adj)
{
	long total = (long)(totalram_pages() + swap_total_pages());

	return (long)mm_rss(mm) + atomic_read(&mm->rss[RSS_SWAP]) +
	       atomic_read(&mm->pgt.nr_tables) + adj * (total / 1000);
}

/* ---- who: tasklist_lock held ---- */

static struct mm *process_mm(const struct process *p)
{
	const struct task *t;

	list_for_each_entry(t, &p->threads, thread_node)
		if (t->mm)
			return t->mm;
	return NULL;
}

/* It runs in its parent's memory for a moment: that would have to go, too. */
static bool is_in_vfork(const struct process *p)
{
	return p->leader && p->leader->vfork_done && p->parent &&
	       process_mm(p->parent) == process_mm(p);
}

static bool may_be_killed(const struct process *p)
{
	return p != init_process && READ_ONCE(p->oom_score_adj) != OOM_SCORE_ADJ_MIN &&
	       !is_in_vfork(p);
}

static long points_of(const struct process *p, const struct mm *mm)
{
	if (READ_ONCE(p->oom_origin))
		return (long)(~0UL >> 1);
	return oom_badness(mm, READ_ONCE(p->oom_score_adj));
}

/* A child of vfork ends, and its parent goes on in the same memory. */
static bool nobody_goes_on_in(const struct mm *mm)
{
	const struct process *p;

	list_for_each_entry(p, &all_processes, node)
		if (process_mm(p) == mm && !READ_ONCE(p->group_exiting))
			return false;
	return true;
}

/*
 * The process to kill, or NULL. *memory: its address space; or that of one that was killed already and still has
 * memory to take; or NULL.
 */
static struct process *choose_victim(struct mm **memory)
{
	struct process *p, *victim = NULL;
	long most = 0;

	list_for_each_entry(p, &all_processes, node) {
		struct mm *mm = process_mm(p);
		long points;

		if (!mm || READ_ONCE(mm->oom_reaped))
			continue;
		if (READ_ONCE(p->group_exiting)) {
			if (!nobody_goes_on_in(mm))
				continue;
			*memory = mm;
			return NULL;
		}
		if (!may_be_killed(p))
			continue;
		points = points_of(p, mm);
		if (!victim || points > most) {
			victim = p;
			*memory = mm;
			most = points;
		}
	}
	return victim;
}

static void say_killed(const struct process *p, const struct mm *mm)
{
	pr_err("Out of memory: Killed process %d (%s) total-vm:%lukB, anon-rss:%lukB, file-rss:%lukB, "
	       "shmem-rss:%lukB, UID:%u pgtables:%lukB oom_score_adj:%d",
	       p->pid, p->leader->comm, mm->total_vm * KB_PER_PAGE,
	       (unsigned long)atomic_read(&mm->rss[RSS_ANON]) * KB_PER_PAGE,
	       (unsigned long)atomic_read(&mm->rss[RSS_FILE]) * KB_PER_PAGE,
	       (unsigned long)atomic_read(&mm->rss[RSS_SHMEM]) * KB_PER_PAGE, p->leader->cred.uid,
	       (unsigned long)atomic_read(&mm->pgt.nr_tables) * KB_PER_PAGE, p->oom_score_adj);
}

static void kill_all_in(const struct mm *mm)
{
	struct process *p;

	list_for_each_entry(p, &all_processes, node)
		if (p != init_process && process_mm(p) == mm)
			(void)send_signal_process(p, SIGKILL, NULL);
}

/* ---- */

bool caller_out_of_memory(void)
{
	struct mm *mm = NULL;
	struct process *victim;

	spin_lock(&tasklist_lock);
	victim = choose_victim(&mm);
	if (victim) {
		say_killed(victim, mm);
		stat_inc(OOM_KILL);
		kill_all_in(mm);
	}
	if (mm)
		mm_hold(mm);
	spin_unlock(&tasklist_lock);
	if (!mm)
		return false;
	mm_oom_reap(mm);
	mm_drop(mm);
	return true;
}
