/* SPDX-License-Identifier: MIT
 *
 * A thread that moves whatever frame has a folio on a list.
 */
#ifndef MOVER_H
#define MOVER_H

#include "../../../mm/lru.h"
#include "crew.h"
#include "../unit/migrate_now.h"

#define MOVED_AT_ONCE 8

/* The frames of all memory, again and again: as compaction does it. */
static inline void mover(u64 *x)
{
	unsigned long pfn = next_random(x) % max_pfn();

	while (!is_done()) {
		LIST_HEAD(folios);
		unsigned int n = 0;

		for (unsigned long i = 0; i < max_pfn() && n < MOVED_AT_ONCE; i++) {
			struct page *page = pfn_to_page(pfn);
			struct folio *folio = NULL;

			pfn = pfn + 1 == max_pfn() ? 1 : pfn + 1;
			if (READ_ONCE(page->flags) & 1UL << PG_lru)
				folio = lru_isolate_page(page, next_random(x) % 4);
			if (!folio)
				continue;
			list_add(&folio->lru, &folios);
			n++;
		}
		if (n)
			(void)migrate_folios(&folios, &migrate_anywhere,
					     next_random(x) % 4 ? MIGRATE_ASYNC : MIGRATE_SYNC);
		else
			host_yield();
	}
}

#endif
