/* SPDX-License-Identifier: MIT
 *
 * Reclaim: kswapd and its caller, and pages that were reclaimed not long ago (workingset.c).
 */
#ifndef MM_RECLAIM_H
#define MM_RECLAIM_H

#include "internal.h"

/* Wakes kswapd, unless its work has been in vain for a while. Any context. */
void kswapd_wake(void);
/* Somebody else reclaimed something: kswapd may try again. */
void kswapd_encourage(void);
/* Reclaim of files, or of anonymous pages, cost so many page transfers lately. */
void reclaim_note_cost(bool file, unsigned long pages);
unsigned long int_sqrt(unsigned long x);

/* A round of reclaim in the caller's context, for an allocation of this order. Pages reclaimed. */
unsigned long try_to_free_pages(unsigned int order);
/* A large folio of which nothing has to go to swap, for its file has it on its store, and no page is locked: it need not be split. */
static inline bool reclaim_takes_whole(const struct folio *folio)
{
	return !folio_test(folio, PG_swapbacked) && !folio_test(folio, PG_anon) &&
	       atomic_read(&folio->mlock_count) == 0;
}
/* Reclaims isolated folios (MADV_PAGEOUT); the others go back. Pages reclaimed. */
unsigned long reclaim_folios(struct list_head *folios);

/* ---- workingset.c: pages that were reclaimed not long ago ---- */

/* Time, as refault distances count it: pages evicted and activated. */
void workingset_age(unsigned long pages);
/* What a reclaimed page was: key names it until it comes back. */
u64 workingset_file_key(const struct mapping *m, unsigned long index);
u64 workingset_swap_key(swp_entry_t swp);
void workingset_eviction(u64 key, bool was_workingset);
/* A new folio holds the page again. When it comes back soon after it was reclaimed, it starts active. */
void workingset_refault(u64 key, struct folio *folio);

#endif
