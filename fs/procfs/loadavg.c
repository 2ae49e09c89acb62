/* SPDX-License-Identifier: MIT
 *
 * Load averages: the number of runnable tasks, sampled every 5 seconds and averaged with weights that
 * decay over 1, 5 and 15 minutes. Fixed point with 11 fraction bits, as everybody does it since TENEX.
 */
#include <fs/procfs/internal.h>
#include <kernel/pid.h>
#include <kernel/timer.h>

#define SHIFT 11
#define ONE (1UL << SHIFT)
#define INTERVAL_NS (5 * NSEC_PER_SEC)

/* exp(-5 s / 1 min), exp(-5 s / 5 min), exp(-5 s / 15 min) */
static const unsigned long decay[3] = { 1884, 2014, 2037 };
static unsigned long averages[3]; /* written by the timer alone */

static void sample(struct timer *t)
{
	unsigned long active = sched_nr_running() * ONE;

	for (unsigned int i = 0; i < 3; i++) {
		unsigned long sum = averages[i] * decay[i] + active * (ONE - decay[i]);

		/* Rounded towards what it approaches, so that it gets there. */
		if (active >= averages[i])
			sum += ONE - 1;
		WRITE_ONCE(averages[i], sum >> SHIFT);
	}
	timer_set(t, t->expires_ns + INTERVAL_NS);
}

static struct timer sample_timer = { .func = sample };

void loadavg_init(void)
{
	timer_set(&sample_timer, clock_ns() + INTERVAL_NS);
}

u64 loadavg_read(unsigned int i)
{
	return (u64)READ_ONCE(averages[i]) << (16 - SHIFT);
}

static unsigned int count_tasks(void)
{
	unsigned int n = 0;
	struct process *p;

	spin_lock(&tasklist_lock);
	list_for_each_entry(p, &all_processes, node)
		n += p->nr_threads;
	spin_unlock(&tasklist_lock);
	return n;
}

int loadavg_show(struct seq *s)
{
	for (unsigned int i = 0; i < 3; i++) {
		unsigned long v = READ_ONCE(averages[i]) + ONE / 200;

		seq_printf(s, "%lu.%02lu ", v >> SHIFT, ((v & (ONE - 1)) * 100) >> SHIFT);
	}
	seq_printf(s, "%u/%u %d\n", sched_nr_running(), count_tasks(), pid_last());
	return 0;
}
