/* SPDX-License-Identifier: MIT
 *
 * Knob mlock_count=rmap: no count of a page's locked mappings. Whoever takes one away looks at all that are left, as
 * Linux did before 5.18. Exact without a number that could be wrong, but the time is that of all mappings.
 *
 * Of large folios the pages are counted even so (large.c).
 *
 * mlock_count is only a mark then: the folio is locked by someone. The order makes the mark right. Who locks sets
 * PTE_MLOCKED, then the mark; who unlocks takes away PTE_MLOCKED, then the mark, then looks, and sets it again when he finds
 * a locked vma. So of two at once the one who is later either finds the other's lock or does not touch his mark.
 *
 * The walk takes page-table locks and the locks of the reverse map, so it comes when the caller's own page-table lock is
 * free, which references to the folios make possible.
 */
#include <mm/rmap.h>

#include "folio.h"
#include "mlock_count.h"

#define RUN 32 /* folios under one hold of the page-table lock */

void mlock_recount(struct folio **folios, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (folio_is_large(folios[i]))
			continue;
		if (atomic_read(&folios[i]->mlock_count) &&
		    atomic_xchg(&folios[i]->mlock_count, 0) && folio_mapped_locked(folios[i]))
			(void)mlock_count_up(folios[i]);
	}
	/* Not in a batch: most of them stay locked, or never were, and its references would make writers copy them. */
	lru_munlock_now(folios, n);
}

/* Entries from *pte on are marked; *pte is behind them then. Up to RUN folios, referenced, that mlock_recount() is for. */
static unsigned int mark_run(pte_t **pte, const pte_t *end, bool lock, struct folio **folios)
{
	unsigned int n = 0;

	for (; *pte < end && n < RUN; ++*pte) {
		pte_t e = pte_read(*pte);

		if (!pte_present(e) || pte_special(e) || pte_mlocked(e) == lock)
			continue;
		folios[n] = pfn_folio(pte_pfn(e));
		if (lock) {
			pte_set_bits(*pte, PTE_MLOCKED);
			page_mlock(folios[n], pfn_to_page(pte_pfn(e)));
		} else {
			pte_clear_bits(*pte, PTE_MLOCKED);
			page_munlock(folios[n], pfn_to_page(pte_pfn(e)));
		}
		if (lock || folio_is_large(folios[n]))
			continue;
		folio_get(folios[n++]);
	}
	return n;
}

void mark_by_rmap(pte_t *pte, const pte_t *end, bool lock)
{
	spinlock_t *ptl = pte_lockptr(pte);
	struct folio *folios[RUN];

	while (pte < end) {
		unsigned int n;

		spin_lock(ptl);
		n = mark_run(&pte, end, lock, folios);
		spin_unlock(ptl);
		if (!n)
			continue;
		mlock_recount(folios, n);
		folios_put(folios, n);
	}
}
