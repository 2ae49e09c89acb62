/* SPDX-License-Identifier: MIT
 *
 * Small system-wide files: stat, uptime, version, filesystems, cmdline, knobs, swaps.
 */
#include <fs/procfs/internal.h>
#include <kern/knobs.h>
#include <kernel/timer.h>
#include <kernel/utsname.h>
#include <mm/stats.h>
#include <mm/swap.h>

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

static void put_knob(void *arg, const char *name, const char *value,
		     const char *text __maybe_unused)
{
	seq_printf(arg, "%s=%s\n", name, value);
}

int knobs_show(struct seq *s)
{
	knob_for_each(put_knob, s);
	return 0;
}

/* Two tabs behind a short number. */
static void put_swap_kb(struct seq *s, unsigned long pages)
{
	unsigned long kb = pages << (PAGE_SHIFT - 10);

	seq_printf(s, "%lu\t%s", kb, kb < 10000000 ? "\t" : "");
}

static void put_swap_area(struct seq *s, const struct swap_area_info *area)
{
	size_t line = s->len;

	seq_path(s, area->file->dentry, " \t\n\\");
	seq_putc(s, ' ');
	seq_pad(s, line, 40);
	seq_puts(s, "partition\t");
	put_swap_kb(s, area->pages);
	put_swap_kb(s, area->used);
	seq_printf(s, "%d\n", area->prio);
}

int swaps_show(struct seq *s)
{
	struct swap_area_info area;

	seq_puts(s, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	for (unsigned int i = 0; i < SWAP_MAX_AREAS; i++) {
		if (!swap_area_info(i, &area))
			continue;
		put_swap_area(s, &area);
		file_put(area.file);
	}
	return 0;
}
