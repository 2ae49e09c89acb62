/* SPDX-License-Identifier: MIT
 *
 * Counters: one line each in stats.def, kept per CPU, summed when read.
 */
#ifndef MM_STATS_H
#define MM_STATS_H

#include <arch/cpu.h>
#include <kern/types.h>

enum stat_item {
#define STAT(id, name, text) id,
#include <mm/stats.def>
#undef STAT
	NR_STATS,
};

struct cpu_stats {
	long v[NR_STATS];
} __aligned(64);

extern struct cpu_stats cpu_stats[MAX_CPUS];

/* One add to this CPU's own counter: a task that migrates in between still hits some CPU's. */
static inline void stat_add(enum stat_item i, long n)
{
	__atomic_fetch_add(&cpu_stats[cpu_id()].v[i], n, __ATOMIC_RELAXED);
}

static inline void stat_inc(enum stat_item i)
{
	stat_add(i, 1);
}

/* The sum over CPUs; gauges never show less than 0. */
unsigned long stat_read(enum stat_item i);
const char *stat_name(enum stat_item i);

#endif
