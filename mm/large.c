/* SPDX-License-Identifier: MIT
 *
 * The counts of large folios. Beside what every folio counts, they know of each page how many entries map it and how
 * many of these are PTE_MLOCKED, and how many of their pages are mapped, and locked, at all. So the counters of
 * /proc are exact for parts of a folio, too, and so is what docs/folios.md says of each:
 *
 *   all pages locked     unevictable, like a locked folio of one page
 *   some pages locked    on an evictable list, where reclaim finds it; it splits it and takes the others
 *   some pages mapped    waits to be split: mm/split.c
 *
 * Locking: the page-table lock of the entries, which is all that keeps a page's counts from changing. Counts of the folio
 * are changed under several such locks at once: all are atomic, and who changes one between two states tells the LRU,
 * which looks at it again under its own lock (mm/lru.c).
 */
#include "internal.h"

static inline struct page *first_tail(struct folio *folio)
{
	return folio_page(folio, 1);
}

static inline atomic_t *maps_of(struct folio *folio, struct page *page)
{
	return likely(page != &folio->page) ? &page->page_maps : &first_tail(folio)->head_maps;
}

static inline atomic_t *mlocks_of(struct folio *folio, struct page *page)
{
	return likely(page != &folio->page) ? &page->page_mlocks : &first_tail(folio)->head_mlocks;
}

void large_init(struct folio *folio)
{
	struct page *page = first_tail(folio);
	unsigned long n = folio_nr_pages(folio);

	page->head_maps = (atomic_t)ATOMIC_INIT(0);
	page->head_mlocks = (atomic_t)ATOMIC_INIT(0);
	page->nr_mapped = (atomic_t)ATOMIC_INIT(0);
	page->nr_mlocked = (atomic_t)ATOMIC_INIT(0);
	page->huge_maps = (atomic_t)ATOMIC_INIT(0);
	INIT_LIST_HEAD(&page->deferred);
	for (; page < folio_page(folio, n); page++) {
		page->page_maps = (atomic_t)ATOMIC_INIT(0);
		page->page_mlocks = (atomic_t)ATOMIC_INIT(0);
	}
}

void large_map_new(struct folio *folio, bool mlocked)
{
	struct page *page = first_tail(folio);
	int n = (int)folio_nr_pages(folio);

	folio_ref_add(folio, n - 1);
	atomic_set(&folio->mapcount, n);
	atomic_set(&page->nr_mapped, n);
	atomic_set(&page->head_maps, 1);
	stat_add(NR_ANON_PAGES, n);
	if (mlocked) {
		atomic_set(&folio->mlock_count, n);
		atomic_set(&page->nr_mlocked, n);
		atomic_set(&page->head_mlocks, 1);
		stat_add(NR_MLOCK, n);
		stat_add(UNEVICTABLE_PGS_MLOCKED, n);
	}
	for (; page < folio_page(folio, (unsigned long)n); page++) {
		atomic_set(&page->page_maps, 1);
		atomic_set(&page->page_mlocks, mlocked);
	}
}

void large_map(struct folio *folio, struct page *page, unsigned int n)
{
	int first = 0;

	atomic_add(&folio->mapcount, (int)n);
	for (unsigned int i = 0; i < n; i++)
		first += atomic_add_return(maps_of(folio, page + i), 1) == 1;
	if (!first)
		return;
	atomic_add(&first_tail(folio)->nr_mapped, first);
	stat_add(folio_test(folio, PG_anon) ? NR_ANON_PAGES : NR_FILE_MAPPED, first);
}

bool large_unmap(struct folio *folio, struct page *page, unsigned int n)
{
	bool anon = folio_test(folio, PG_anon);
	int last = 0, left;

	for (unsigned int i = 0; i < n; i++)
		last += atomic_dec_and_test(maps_of(folio, page + i));
	left = atomic_sub_return(&first_tail(folio)->nr_mapped, last);
	(void)atomic_sub_return(&folio->mapcount, (int)n);
	if (last)
		stat_add(anon ? NR_ANON_PAGES : NR_FILE_MAPPED, -last);
	return last && left && anon;
}

void large_mlock(struct folio *folio, struct page *page, unsigned int n)
{
	int first = 0;

	atomic_add(&folio->mlock_count, (int)n);
	for (unsigned int i = 0; i < n; i++)
		first += atomic_add_return(mlocks_of(folio, page + i), 1) == 1;
	if (!first)
		return;
	stat_add(NR_MLOCK, first);
	stat_add(UNEVICTABLE_PGS_MLOCKED, first);
	if (atomic_add_return(&first_tail(folio)->nr_mlocked, first) == (int)folio_nr_pages(folio))
		lru_mlock(&folio, 1);
}

void large_munlock(struct folio *folio, struct page *page, unsigned int n)
{
	int last = 0, left;

	for (unsigned int i = 0; i < n; i++)
		last += atomic_dec_and_test(mlocks_of(folio, page + i));
	atomic_sub(&folio->mlock_count, (int)n);
	if (!last)
		return;
	stat_add(NR_MLOCK, -last);
	stat_add(UNEVICTABLE_PGS_MUNLOCKED, last);
	left = atomic_sub_return(&first_tail(folio)->nr_mlocked, last);
	if (left + last == (int)folio_nr_pages(folio))
		lru_munlock(&folio, 1);
}

unsigned int large_run(const pte_t *pte, unsigned int max)
{
	pte_t first = pte_read(pte), bits = ~(PTE_ADDR_MASK | PTE_A | PTE_D);
	const struct folio *folio = pfn_folio(pte_pfn(first));
	unsigned int n = 1;

	max = (unsigned int)min((unsigned long)max,
				folio_pfn(folio) + folio_nr_pages(folio) - pte_pfn(first));
	while (n < max && ((pte_read(pte + n) ^ first) & bits) == 0 &&
	       pte_pfn(pte_read(pte + n)) == pte_pfn(first) + n)
		n++;
	return n;
}
