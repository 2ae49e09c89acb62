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
 * which looks at it again under its own lock (mm/lru_mlock.c).
 */
#include "mapcount.h"
#include "mlock_count.h"

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

	page->head_maps = (atomic_t)ATOMIC_INIT(0);
	page->head_mlocks = (atomic_t)ATOMIC_INIT(0);
	page->nr_mapped = (atomic_t)ATOMIC_INIT(0);
	page->nr_mlocked = (atomic_t)ATOMIC_INIT(0);
	page->huge_maps = (atomic_t)ATOMIC_INIT(0);
	INIT_LIST_HEAD(&page->deferred);
}

static struct folio *make_large(struct folio *folio, unsigned long flags)
{
	if (!folio)
		return NULL;
	/* Nobody else sees the folio yet: a plain store. */
	RACY_WRITE(folio->flags, flags | 1UL << PG_large);
	large_init(folio);
	return folio;
}

struct folio *large_alloc(gfp_t gfp, unsigned int order, unsigned long flags)
{
	return make_large(folio_alloc(gfp, order), flags);
}

struct folio *large_alloc_for_fault(const struct vma *vma, unsigned int order, unsigned long flags)
{
	return make_large(order == PMD_ORDER ? thp_alloc_pmd(vma)
					     : folio_alloc(GFP_LIGHT | __GFP_ZERO, order),
			  flags);
}

/* What a mapping of the whole adds to nr_mapped, as Linux's ENTIRELY_MAPPED: one number says which pages are mapped. */
#define HUGE_MAP 0x10000

static int mapped_pages(const struct folio *folio, int nr_mapped)
{
	return nr_mapped >= HUGE_MAP ? (int)folio_nr_pages(folio) : nr_mapped;
}

int large_nr_mapped(const struct folio *folio)
{
	return mapped_pages(folio, atomic_read(&(&folio->page)[1].nr_mapped));
}

/* Pages that are mapped now. */
static int add_mapped(struct folio *folio, int change)
{
	int now = atomic_add_return(&first_tail(folio)->nr_mapped, change);
	int pages = mapped_pages(folio, now), more = pages - mapped_pages(folio, now - change);

	if (more)
		stat_add(folio_test(folio, PG_anon) ? NR_ANON_PAGES : NR_FILE_MAPPED, more);
	return pages;
}

static enum stat_item huge_gauge(const struct folio *folio)
{
	if (folio_test(folio, PG_anon))
		return NR_ANON_THPS;
	return folio_test(folio, PG_swapbacked) ? NR_SHMEM_PMDMAPPED : NR_FILE_PMDMAPPED;
}

static void add_huge_map(struct folio *folio)
{
	if (atomic_add_return(&first_tail(folio)->huge_maps, 1) == 1)
		stat_inc(huge_gauge(folio));
	(void)add_mapped(folio, HUGE_MAP);
}

static int drop_huge_map(struct folio *folio)
{
	if (atomic_dec_and_test(&first_tail(folio)->huge_maps))
		stat_add(huge_gauge(folio), -1);
	return add_mapped(folio, -HUGE_MAP);
}

/* page_maps of n pages; how many became mapped by entries of their own, or no longer are. */
static int add_page_maps(struct folio *folio, struct page *page, unsigned int n)
{
	int first = 0;

	for (unsigned int i = 0; i < n; i++)
		first += atomic_add_return(maps_of(folio, page + i), 1) == 1;
	return first;
}

static int drop_page_maps(struct folio *folio, struct page *page, unsigned int n)
{
	int last = 0;

	for (unsigned int i = 0; i < n; i++)
		last += atomic_dec_and_test(maps_of(folio, page + i));
	return last;
}

void large_map_new(struct folio *folio, bool mlocked, bool huge)
{
	struct page *tail = first_tail(folio);
	int n = (int)folio_nr_pages(folio);

	folio_ref_add(folio, n - 1);
	if (huge) {
		large_map_whole(folio);
	} else {
		atomic_set(&folio->mapcount, n);
		atomic_set(&tail->head_maps, 1);
		for (int i = 1; i < n; i++)
			atomic_set(&folio_page(folio, (unsigned long)i)->page_maps, 1);
		(void)add_mapped(folio, n);
	}
	if (!mlocked)
		return;
	atomic_set(&folio->mlock_count, n);
	atomic_set(&tail->nr_mlocked, n);
	atomic_set(&tail->head_mlocks, 1);
	for (int i = 1; i < n; i++)
		atomic_set(&folio_page(folio, (unsigned long)i)->page_mlocks, 1);
	stat_add(NR_MLOCK, n);
	stat_add(UNEVICTABLE_PGS_MLOCKED, n);
}

void large_map(struct folio *folio, struct page *page, unsigned int n)
{
	int first;

	atomic_add(&folio->mapcount, (int)n);
	first = add_page_maps(folio, page, n);
	if (first)
		(void)add_mapped(folio, first);
}

bool large_unmap(struct folio *folio, struct page *page, unsigned int n)
{
	int last = drop_page_maps(folio, page, n), left = last ? add_mapped(folio, -last) : 0;

	(void)atomic_sub_return(&folio->mapcount, (int)n);
	return left && left < (int)folio_nr_pages(folio) && folio_test(folio, PG_anon);
}

void large_map_whole(struct folio *folio)
{
	atomic_add(&folio->mapcount, (int)folio_nr_pages(folio));
	add_huge_map(folio);
}

bool large_unmap_whole(struct folio *folio)
{
	int left = drop_huge_map(folio);

	(void)atomic_sub_return(&folio->mapcount, (int)folio_nr_pages(folio));
	return left && left < (int)folio_nr_pages(folio) && folio_test(folio, PG_anon);
}

/* No page is without its mapping in between, and none seems to be somebody's alone. */
void large_map_apart(struct folio *folio)
{
	(void)add_mapped(folio, add_page_maps(folio, &folio->page, PTRS_PER_TABLE));
	(void)drop_huge_map(folio);
}

void large_map_together(struct folio *folio)
{
	add_huge_map(folio);
	(void)add_mapped(folio, -drop_page_maps(folio, &folio->page, PTRS_PER_TABLE));
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
