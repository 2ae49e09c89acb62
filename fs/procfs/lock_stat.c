/* SPDX-License-Identifier: MIT
 *
 * /proc/lock_stat: who waited for an mmap_lock, and how long. Not Linux's text, which needs a debug build there.
 */
#include <arch/setup.h>
#include <fs/procfs/internal.h>
#include <mm/lock_stat.h>

int lock_stat_show(struct seq *s)
{
	struct lock_site site;

	seq_puts(
		s,
		"# mmap_lock: mode waits total_ns max_ns | waits shorter than 1, 2, 4 ... us, the last: any | site\n");
	for (unsigned int n = 0; lock_site_get(n, &site); n++) {
		unsigned long offset = 0;
		const char *name = arch_symbol(site.ip - 1, &offset);

		seq_printf(s, "%-5s %8lu %12lu %10lu |", site.write ? "write" : "read", site.waits,
			   (unsigned long)site.total_ns, (unsigned long)site.max_ns);
		for (unsigned int i = 0; i < LOCK_WAIT_BUCKETS; i++)
			seq_printf(s, " %lu", site.histogram[i]);
		seq_printf(s, " | %s+0x%lx\n", name ? name : "?", offset + 1);
	}
	return 0;
}
