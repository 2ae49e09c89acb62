/* SPDX-License-Identifier: MIT
 *
 * Small files of a process: comm, limits, oom_score, oom_score_adj, personality, wchan, mounts.
 */
#include <fs/procfs/internal.h>
#include <kern/err.h>
#include <kern/string.h>
#include <kernel/oom.h>
#include <mm/mm.h>
#include <mm/page_alloc.h>
#include <mm/swap.h>

/* ---- comm ---- */

int comm_show(struct seq *s)
{
	char comm[sizeof(s->node->task->comm)];

	task_get_comm(s->node->task, comm);
	seq_puts(s, comm);
	seq_putc(s, '\n');
	return 0;
}

int comm_write(const struct proc_node *node, char *text)
{
	if (node->task->process != current->process)
		return -EINVAL;
	task_set_comm(node->task, text);
	return 0;
}

/* ---- limits ---- */

static const struct {
	const char *name, *unit;
} limit_names[RLIM_NLIMITS] = {
	[RLIMIT_CPU] = { "Max cpu time", "seconds" },
	[RLIMIT_FSIZE] = { "Max file size", "bytes" },
	[RLIMIT_DATA] = { "Max data size", "bytes" },
	[RLIMIT_STACK] = { "Max stack size", "bytes" },
	[RLIMIT_CORE] = { "Max core file size", "bytes" },
	[RLIMIT_RSS] = { "Max resident set", "bytes" },
	[RLIMIT_NPROC] = { "Max processes", "processes" },
	[RLIMIT_NOFILE] = { "Max open files", "files" },
	[RLIMIT_MEMLOCK] = { "Max locked memory", "bytes" },
	[RLIMIT_AS] = { "Max address space", "bytes" },
	[RLIMIT_LOCKS] = { "Max file locks", "locks" },
	[RLIMIT_SIGPENDING] = { "Max pending signals", "signals" },
	[RLIMIT_MSGQUEUE] = { "Max msgqueue size", "bytes" },
	[RLIMIT_NICE] = { "Max nice priority", NULL },
	[RLIMIT_RTPRIO] = { "Max realtime priority", NULL },
	[RLIMIT_RTTIME] = { "Max realtime timeout", "us" },
};

static void put_limit(struct seq *s, u64 v)
{
	if (v == RLIM_INFINITY)
		seq_printf(s, "%-20s ", "unlimited");
	else
		seq_printf(s, "%-20lu ", (unsigned long)v);
}

int limits_show(struct seq *s)
{
	struct process *p = s->node->task->process;
	struct rlimit limits[RLIM_NLIMITS];
	irqflags_t flags = spin_lock_irqsave(&p->siglock);

	memcpy(limits, p->rlimits, sizeof(limits));
	spin_unlock_irqrestore(&p->siglock, flags);

	seq_printf(s, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (unsigned int i = 0; i < RLIM_NLIMITS; i++) {
		seq_printf(s, "%-25s ", limit_names[i].name);
		put_limit(s, limits[i].rlim_cur);
		put_limit(s, limits[i].rlim_max);
		if (limit_names[i].unit)
			seq_printf(s, "%-10s", limit_names[i].unit);
		seq_putc(s, '\n');
	}
	return 0;
}

/* ---- the OOM killer's view ---- */

/* As in Linux: thousandths of all memory, shifted by the adjustment, scaled to 0..2000. */
int oom_score_show(struct seq *s)
{
	long total = (long)max(totalram_pages() + swap_total_pages(), 1UL), points, score = 0;
	struct mm *mm = proc_get_mm(s->node);
	int adj = READ_ONCE(s->node->task->process->oom_score_adj);

	if (mm) {
		points = oom_badness(mm, adj);
		mm_put(mm);
		if (adj != -1000)
			score = max((1000 + points * 1000 / total) * 2 / 3, 0L);
	}
	seq_printf(s, "%ld\n", score);
	return 0;
}

int oom_score_adj_show(struct seq *s)
{
	seq_printf(s, "%d\n", READ_ONCE(s->node->task->process->oom_score_adj));
	return 0;
}

/* A decimal integer, perhaps negative, between blanks. 0, -EINVAL or -ERANGE. */
static int parse_int(char *text, int *out)
{
	unsigned long v;
	bool negative;
	size_t len;
	int ret;

	while (*text == ' ' || *text == '\t' || *text == '\n')
		text++;
	len = strlen(text);
	while (len && (text[len - 1] == ' ' || text[len - 1] == '\t' || text[len - 1] == '\n'))
		text[--len] = 0;
	negative = *text == '-';
	if (negative || *text == '+')
		text++;
	ret = kstrtoul(text, 0, &v);
	if (ret)
		return ret;
	if (v > 0x7fffffff)
		return -ERANGE;
	*out = negative ? -(int)v : (int)v;
	return 0;
}

int oom_score_adj_write(const struct proc_node *node, char *text)
{
	struct process *p = node->task->process;
	int adj, ret = parse_int(text, &adj);

	if (ret)
		return ret;
	if (adj < -1000 || adj > 1000)
		return -EINVAL;
	if (!proc_task_exists(node->task))
		return -ESRCH;
	/* Below what somebody with the privilege last set takes the privilege. */
	if (adj < READ_ONCE(p->oom_score_adj_min) && !capable(CAP_SYS_RESOURCE))
		return -EACCES;
	WRITE_ONCE(p->oom_score_adj, adj);
	if (capable(CAP_SYS_RESOURCE))
		WRITE_ONCE(p->oom_score_adj_min, adj);
	return 0;
}

/* ---- others ---- */

int personality_show(struct seq *s)
{
	seq_printf(s, "%08x\n", READ_ONCE(s->node->task->personality));
	return 0;
}

int wchan_show(struct seq *s)
{
	seq_putc(s, '0');
	return 0;
}

static void put_mount(void *arg, const char *source, const char *path, const char *fstype,
		      const char *options)
{
	struct seq *s = arg;

	seq_escaped(s, source, " \t\n\\#");
	seq_putc(s, ' ');
	seq_escaped(s, path, " \t\n\\#");
	seq_printf(s, " %s %s 0 0\n", fstype, options);
}

int mounts_show(struct seq *s)
{
	mount_for_each(put_mount, s);
	return 0;
}
