/* SPDX-License-Identifier: MIT
 *
 * Files whose pages stay in memory: segments under SHM_LOCK, memfd_secret().
 *
 * The mark is the file's (mapping->unevictable), not its pages'. Setting it costs the same for a file of any size: what
 * is on an evictable list stays there until reclaim meets it, and only pages that come later are unevictable at
 * once. Taking it away looks at all pages, because nobody else ever looks at what is unevictable.
 */
#include "folio.h"
#include "lru.h"

#define RESCUE_BATCH 32

/* Up to RESCUE_BATCH pages from *index on, with references; *index is behind them then. */
static unsigned int gather(struct mapping *m, unsigned long *index, struct folio **folios)
{
	struct folio *folio;
	unsigned int n = 0;

	spin_lock(&m->lock);
	for (; n < RESCUE_BATCH && (folio = xa_find(&m->folios, index, ~0UL >> PAGE_SHIFT));
	     ++*index) {
		if (xa_is_value(folio))
			continue;
		folio_get(folio);
		folios[n++] = folio;
		*index = folio->index + folio_nr_pages(folio) - 1;
	}
	spin_unlock(&m->lock);
	return n;
}

void mapping_rescue(struct mapping *m)
{
	struct folio *folios[RESCUE_BATCH];
	unsigned long index = 0;
	unsigned int n;

	while ((n = gather(m, &index, folios))) {
		unsigned long pages = 0;

		for (unsigned int i = 0; i < n; i++)
			pages += folio_nr_pages(folios[i]);
		stat_add(UNEVICTABLE_PGS_SCANNED, (long)pages);
		(void)lru_rescue(folios, n);
		folios_put(folios, n);
		cond_resched();
	}
}

void folio_leave_lru(struct folio *folio)
{
	if (lru_isolate_page(&folio->page, true))
		folio_put(folio); /* the caller has another */
}
