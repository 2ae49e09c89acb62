/* SPDX-License-Identifier: MIT
 *
 * /proc/partitions and /proc/diskstats (Linux's Documentation/admin-guide/iostats.rst).
 */
#include <drivers/block.h>
#include <fs/procfs/internal.h>

#define NSEC_PER_MSEC 1000000UL

int partitions_show(struct seq *s)
{
	struct block_device *dev;

	for (unsigned int n = 0; (dev = block_nth(n)); n++) {
		if (n == 0)
			seq_puts(s, "major minor  #blocks  name\n\n");
		seq_printf(s, "%4u  %7u %10lu %s\n", MAJOR(dev->rdev), MINOR(dev->rdev),
			   block_device_size(dev) / 1024, dev->name);
	}
	return 0;
}

static void put_device(struct seq *s, struct block_device *dev)
{
	struct block_usage u;
	const struct block_stat *r = &u.stats[BIO_READ], *w = &u.stats[BIO_WRITE],
				*f = &u.stats[BIO_FLUSH];

	block_usage(dev, &u);
	seq_printf(s, "%4u %7u %s", MAJOR(dev->rdev), MINOR(dev->rdev), dev->name);
	/* The second figure of each kind: requests that were merged with others, which none is. */
	seq_printf(s, " %lu 0 %lu %lu", r->requests, r->sectors, r->ns / NSEC_PER_MSEC);
	seq_printf(s, " %lu 0 %lu %lu", w->requests, w->sectors, w->ns / NSEC_PER_MSEC);
	seq_printf(s, " %u %lu %lu", u.in_flight, u.busy_ns / NSEC_PER_MSEC,
		   (r->ns + w->ns + f->ns) / NSEC_PER_MSEC);
	/* Nothing is discarded. */
	seq_printf(s, " 0 0 0 0 %lu %lu\n", f->requests, f->ns / NSEC_PER_MSEC);
}

int diskstats_show(struct seq *s)
{
	struct block_device *dev;

	for (unsigned int n = 0; (dev = block_nth(n)); n++)
		put_device(s, dev);
	return 0;
}
