/* SPDX-License-Identifier: MIT
 *
 * Failure on demand: fail_at(site, nth) makes the nth call at a site fail (then the sites are quiet
 * again), so that tests walk every error path. Off, a site costs one predictable branch.
 */
#ifndef KERN_FAILPOINT_H
#define KERN_FAILPOINT_H

#include <kern/types.h>

enum fail_site {
	FAIL_ALLOC_PAGES,
	FAIL_KMALLOC,
	FAIL_VMA_ALLOC,
	FAIL_PAGETABLE,
	FAIL_XARRAY,
	NR_FAIL_SITES,
};

extern bool fail_armed;

/* nth counts from 1; 0 disarms. Also the knob fail=SITE:N. */
void fail_at(enum fail_site site, unsigned long nth);
/* Arms from text, "alloc_pages:3". 0 or -EINVAL. */
int fail_parse(const char *text);
bool fail_point_slow(enum fail_site site);

static inline bool fail_point(enum fail_site site)
{
	return unlikely(READ_ONCE(fail_armed)) && fail_point_slow(site);
}

#endif
