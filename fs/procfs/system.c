/* SPDX-License-Identifier: MIT
 *
 * Small system-wide files: stat, uptime, version, filesystems, cmdline, swaps.
 */
#include <fs/procfs/internal.h>
#include <kern/knobs.h>
#include <kernel/timer.h>
#include <kernel/utsname.h>
#include <mm/stats.h>

/* ---- CPU time ---- */

struct cpu_times {
	u64 user_ns, system_ns, idle_ns;
};

/* What exists and what was reaped by init's children: the processes' own sums. */
static void sum_cpu_times(struct cpu_times *c)
{
	struct process *p;

	*c = (struct cpu_times){ .idle_ns = sched_idle_ns(0) };
	spin_lock(&tasklist_lock);
	list_for_each_entry(p, &all_processes, node) {
		u64 user, system;

		process_cputime(p, &user, &system);
		c->user_ns += user + p->cutime_ns;
		c->system_ns += system + p->cstime_ns;
	}
	spin_unlock(&tasklist_lock);
}

static void put_cpu(struct seq *s, const char *name, const struct cpu_times *c)
{
	seq_printf(s, "%s %llu 0 %llu %llu 0 0 0 0 0 0\n", name,
		   (unsigned long long)(c->user_ns / TICK_NS),
		   (unsigned long long)(c->system_ns / TICK_NS),
		   (unsigned long long)(c->idle_ns / TICK_NS));
}

int stat_show(struct seq *s)
{
	struct cpu_times c;

	sum_cpu_times(&c);
	put_cpu(s, "cpu ", &c);
	put_cpu(s, "cpu0", &c);
	seq_printf(s, "intr 0\nctxt %llu\nbtime %llu\nprocesses %lu\n",
		   (unsigned long long)sched_nr_switches(),
		   (unsigned long long)((realtime_ns() - clock_ns()) / NSEC_PER_SEC),
		   stat_read(FORKS));
	seq_printf(s, "procs_running %u\nprocs_blocked 0\n", sched_nr_running());
	return 0;
}

static void put_seconds(struct seq *s, u64 ns)
{
	seq_printf(s, "%llu.%02llu", (unsigned long long)(ns / NSEC_PER_SEC),
		   (unsigned long long)(ns / (NSEC_PER_SEC / 100) % 100));
}

int uptime_show(struct seq *s)
{
	put_seconds(s, clock_ns());
	seq_putc(s, ' ');
	put_seconds(s, sched_idle_ns(0));
	seq_putc(s, '\n');
	return 0;
}

/* ---- constant text ---- */

int version_show(struct seq *s)
{
	seq_printf(s, "%s version %s %s\n", system_utsname.sysname, system_utsname.release,
		   system_utsname.version);
	return 0;
}

int filesystems_show(struct seq *s)
{
	seq_puts(s, "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\n");
	return 0;
}

int kernel_cmdline_show(struct seq *s)
{
	seq_puts(s, kernel_cmdline);
	seq_putc(s, '\n');
	return 0;
}

int swaps_show(struct seq *s)
{
	seq_puts(s, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	return 0;
}
