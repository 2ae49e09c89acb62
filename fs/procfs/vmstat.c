/* SPDX-License-Identifier: MIT
 *
 * /proc/vmstat (every counter of stats.def, gauges first), zoneinfo, buddyinfo and slabinfo: what memory is used for.
 */
#include <fs/procfs/internal.h>
#include <mm/mm.h>
#include <mm/page_alloc.h>
#include <mm/slab.h>
#include <mm/stats.h>

static void put_counter(struct seq *s, const char *name, unsigned long v)
{
	seq_puts(s, name);
	seq_putc(s, ' ');
	seq_dec(s, v, 1);
	seq_putc(s, '\n');
}

int vmstat_show(struct seq *s)
{
	put_counter(s, "nr_free_pages", nr_free_pages());
	for (unsigned int i = 0; i < NR_STATS; i++)
		put_counter(s, stat_name(i), stat_read(i));
	return 0;
}

int buddyinfo_show(struct seq *s)
{
	seq_puts(s, "Node 0, zone   Normal ");
	for (unsigned int order = 0; order <= MAX_ORDER; order++) {
		seq_dec(s, buddy_nr_free(order), 6);
		seq_putc(s, ' ');
	}
	seq_putc(s, '\n');
	return 0;
}

/* What there is one of: a node with a zone. */
int zoneinfo_show(struct seq *s)
{
	unsigned long total = totalram_pages();

	seq_printf(s,
		   "Node 0, zone   Normal\n"
		   "  pages free     %lu\n"
		   "        boost    0\n"
		   "        min      %lu\n"
		   "        low      %lu\n"
		   "        high     %lu\n"
		   "        spanned  %lu\n"
		   "        present  %lu\n"
		   "        managed  %lu\n",
		   nr_free_pages(), watermark_pages(WMARK_MIN), watermark_pages(WMARK_LOW),
		   watermark_pages(WMARK_HIGH), max_pfn(), total, total);
	return 0;
}

static void put_cache(void *arg, const char *name, unsigned long active, unsigned long total,
		      size_t size)
{
	unsigned long per_slab = size < PAGE_SIZE ? PAGE_SIZE / size : 1;
	unsigned long pages = size < PAGE_SIZE ? 1 : PAGE_ALIGN(size) >> PAGE_SHIFT;

	seq_printf(arg, "%-17s %6lu %6lu %6zu %4lu %4lu : tunables %4u %4u %4u", name, active,
		   total, size, per_slab, pages, 0, 0, 0);
	seq_printf(arg, " : slabdata %6lu %6lu %6lu\n", (total + per_slab - 1) / per_slab,
		   (total + per_slab - 1) / per_slab, 0UL);
}

int slabinfo_show(struct seq *s)
{
	seq_puts(s,
		 "slabinfo - version: 2.1\n"
		 "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
		 " : tunables <limit> <batchcount> <sharedfactor>"
		 " : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
	slab_for_each_cache(put_cache, s);
	return 0;
}

#ifdef CONFIG_DEBUG
/* "ok", or what does not hold, or "busy: " and what did not at the last look. Nothing else may use memory meanwhile. */
int validate_show(struct seq *s)
{
	char what[160];
	int err = memory_validate(what, sizeof(what));

	if (err == -ENOMEM)
		return err;
	if (err == -EBUSY)
		seq_puts(s, "busy: ");
	seq_puts(s, err ? what : "ok");
	seq_putc(s, '\n');
	return 0;
}
#endif
