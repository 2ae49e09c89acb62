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

_Static_assert(NR_STATS <= CPU_NR_STATS, "more counters than struct cpu has room for");

/* This CPU's own part: no lock, no shared cache line. Any context. */
static __always_inline void stat_add(enum stat_item i, long n)
{
	cpu_stat_add(i, n);
}

static __always_inline void stat_inc(enum stat_item i)
{
	stat_add(i, 1);
}

/* The sum over CPUs; gauges never show less than 0. */
unsigned long stat_read(enum stat_item i);
const char *stat_name(enum stat_item i);

#endif
