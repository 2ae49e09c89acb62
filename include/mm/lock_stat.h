/* SPDX-License-Identifier: MIT
 *
 * Who waited for an mmap_lock and for how long, a line of the source each. Acquisitions that need not wait are not
 * counted: they cost nothing. /proc/lock_stat shows it.
 */
#ifndef MM_LOCK_STAT_H
#define MM_LOCK_STAT_H

#include <kern/park.h>
#include <kern/types.h>

#define LOCK_SITES 64
#define LOCK_WAIT_BUCKETS 16 /* bucket n: less than 2^n microseconds; the last: any more */

struct lock_site {
	unsigned long ip;			    /* [A] behind the call; 0: unused */
	unsigned long write;			    /* [I] for writing */
	unsigned long waits;			    /* [A] */
	u64 total_ns, max_ns;			    /* [A] */
	unsigned long histogram[LOCK_WAIT_BUCKETS]; /* [A] */
};

struct rwsem;
/* The slow path of mmap_lock for who calls it: 0, or -EINTR in a killable mode. */
int mmap_lock_wait(struct rwsem *sem, bool write, enum park_mode mode);
/* The nth site as it is now; false when there are not as many. */
bool lock_site_get(unsigned int n, struct lock_site *out);

#endif
