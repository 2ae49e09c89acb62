/* SPDX-License-Identifier: MIT
 *
 * /proc/lock_stat: who waited for an mmap_lock, and how long; with knob lock_stat.hold also who held it for writing.
 * Not Linux's text, which needs a debug build there.
 */
#include <arch/setup.h>
#include <fs/procfs/internal.h>
#include <mm/lock_stat.h>

static void show_site(struct seq *s, const char *what, const struct lock_site *site)
{
	unsigned long offset = 0;
	const char *name = arch_symbol(site->ip - 1, &offset);

	seq_printf(s, "%-5s %8lu %12lu %10lu |", what, site->times, (unsigned long)site->total_ns,
		   (unsigned long)site->max_ns);
	for (unsigned int i = 0; i < LOCK_TIME_BUCKETS; i++)
		seq_printf(s, " %lu", site->histogram[i]);
	seq_printf(s, " | %s+0x%lx\n", name ? name : "?", offset + 1);
}

int lock_stat_show(struct seq *s)
{
	struct lock_site site;

	seq_puts(
		s,
		"# mmap_lock: read, write: waits; held: for writing | times total_ns max_ns | shorter than 1, 2, 4 ... us, the last: any | site\n");
	for (unsigned int n = 0; lock_site_get(LOCK_WAITS, n, &site); n++)
		show_site(s, site.write ? "write" : "read", &site);
	for (unsigned int n = 0; lock_site_get(LOCK_HOLDS, n, &site); n++)
		show_site(s, "held", &site);
	return 0;
}
