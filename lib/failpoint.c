/* SPDX-License-Identifier: MIT
 *
 * Failure on demand: one site is armed at a time, with a count that its calls run down.
 */
#include <kern/atomic.h>
#include <kern/err.h>
#include <kern/failpoint.h>
#include <kern/string.h>

bool fail_armed;
static enum fail_site armed_site;
static atomic_long_t calls_left;

static const char *const site_names[NR_FAIL_SITES] = {
	[FAIL_ALLOC_PAGES] = "alloc_pages", [FAIL_KMALLOC] = "kmalloc",
	[FAIL_VMA_ALLOC] = "vma_alloc",	    [FAIL_PAGETABLE] = "pagetable",
	[FAIL_XARRAY] = "xarray",
};

void fail_at(enum fail_site site, unsigned long nth)
{
	WRITE_ONCE(fail_armed, false);
	armed_site = site;
	atomic_set(&calls_left, (long)nth);
	WRITE_ONCE(fail_armed, nth != 0);
}

bool fail_point_slow(enum fail_site site)
{
	if (site != READ_ONCE(armed_site) || atomic_sub_return(&calls_left, 1) != 0)
		return false;
	WRITE_ONCE(fail_armed, false);
	return true;
}

int fail_parse(const char *text)
{
	const char *colon = strchr(text, ':');
	unsigned long nth;

	if (!colon || kstrtoul(colon + 1, 0, &nth))
		return -EINVAL;
	for (unsigned int site = 0; site < NR_FAIL_SITES; site++) {
		size_t len = strlen(site_names[site]);

		if ((size_t)(colon - text) == len && strncmp(text, site_names[site], len) == 0) {
			fail_at((enum fail_site)site, nth);
			return 0;
		}
	}
	return -EINVAL;
}
