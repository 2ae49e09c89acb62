/* SPDX-License-Identifier: MIT
 *
 * Counters: kept per CPU so that counting never shares a cache line, summed when someone asks.
 */
#include <mm/page_alloc.h>
#include <mm/stats.h>

static const char *const stat_names[NR_STATS] = {
#define STAT(id, name, text) [id] = name,
#include <mm/stats.def>
#undef STAT
};

unsigned long stat_read(enum stat_item i)
{
	long sum = 0;

	if (i == PGALLOC)
		return pages_ever_allocated();
	if (i == PGFREE)
		return pages_ever_freed();
	for (unsigned int cpu = 0; cpu < cpu_limit(); cpu++)
		sum += cpu_stat_read(cpu, i);
	/*
	 * A gauge goes up on one CPU and down on another: read in between, the sum may dip below
	 * zero.
	 */
	return sum > 0 ? (unsigned long)sum : 0;
}

const char *stat_name(enum stat_item i)
{
	return stat_names[i];
}
