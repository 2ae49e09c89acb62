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

static struct cpu_times times_of(unsigned int cpu)
{
	struct cpu_times c;

	sched_cpu_times(cpu, &c.user_ns, &c.system_ns, &c.idle_ns);
	return c;
}

static struct cpu_times times_of_all(void)
{
	struct cpu_times sum = { 0 };

	for (u64 left = sched_online_cpus(); left; left &= left - 1) {
		struct cpu_times c = times_of((unsigned int)__builtin_ctzll(left));

		sum.user_ns += c.user_ns;
		sum.system_ns += c.system_ns;
		sum.idle_ns += c.idle_ns;
	}
	return sum;
}

/* user nice system idle, and kinds of time that do not exist here. */
static void put_times(struct seq *s, struct cpu_times c)
{
	seq_printf(s, " %llu 0 %llu %llu 0 0 0 0 0 0\n", (unsigned long long)(c.user_ns / TICK_NS),
		   (unsigned long long)(c.system_ns / TICK_NS),
		   (unsigned long long)(c.idle_ns / TICK_NS));
}

int stat_show(struct seq *s)
{
	seq_puts(s, "cpu ");
	put_times(s, times_of_all());
	for (u64 left = sched_online_cpus(); left; left &= left - 1) {
		unsigned int cpu = (unsigned int)__builtin_ctzll(left);

		seq_printf(s, "cpu%u", cpu);
		put_times(s, times_of(cpu));
	}
	put_interrupt_sums(s);
	seq_printf(s, "ctxt %llu\nbtime %llu\nprocesses %lu\n",
		   (unsigned long long)sched_nr_switches(),
		   (unsigned long long)((realtime_ns() - clock_ns()) / NSEC_PER_SEC),
		   stat_read(FORKS));
	seq_printf(s, "procs_running %u\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n",
		   sched_nr_running());
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
	put_seconds(s, times_of_all().idle_ns);
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
