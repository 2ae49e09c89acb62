/* SPDX-License-Identifier: MIT
 *
 * Who waited for an mmap_lock and for how long, a line of the source each. Acquisitions that need not wait are not
 * counted: they cost nothing. With knob lock_stat.hold also who held it for writing, each time. /proc/lock_stat shows it.
 */
#ifndef MM_LOCK_STAT_H
#define MM_LOCK_STAT_H

#include <kern/park.h>
#include <kern/types.h>

#define LOCK_SITES 64
#define LOCK_TIME_BUCKETS 16 /* bucket n: less than 2^n microseconds; the last: any more */

enum lock_stat { LOCK_WAITS, LOCK_HOLDS, NR_LOCK_STATS };

struct lock_site {
	unsigned long ip;			    /* [A] behind the call; 0: unused */
	unsigned long write;			    /* [I] for writing */
	unsigned long times;			    /* [A] */
	u64 total_ns, max_ns;			    /* [A] */
	unsigned long histogram[LOCK_TIME_BUCKETS]; /* [A] */
};

struct rwsem;
struct mm;
/* The slow path of mmap_lock for who calls it: 0, or -EINTR in a killable mode. */
int mmap_lock_wait(struct rwsem *sem, bool write, enum park_mode mode);
/* Knob lock_stat.hold, the caller holds mmap_lock for writing: it was just taken; it is about to be given up. */
void mmap_hold_begin(struct mm *mm);
void mmap_hold_end(struct mm *mm);
/* The latter and up_write(), so that nothing outlives the call where the knob is off. */
void mmap_write_unlock_measured(struct mm *mm);
/* The nth site as it is now; false when there are not as many. */
bool lock_site_get(enum lock_stat what, unsigned int n, struct lock_site *out);

#endif
