/* SPDX-License-Identifier: MIT
 *
 * Taking pages out of an address space. The order is the point: entries are cleared, the TLBs that
 * may hold them are flushed, and only then are the frames and the page-table pages freed. The batch
 * object carries what waits for the flush, so that one flush serves many pages.
 *
 * Locking: the page-table lock while entries of one table are cleared; nothing is freed and no TLB is
 * flushed under it.
 */
#include <mm/swap.h>

#include "folio.h"
#include "large.h"
#include "mapcount.h"
#include "mlock_count.h"
#include "unmap.h"

#define BATCH_ORDER 3
#define BATCH_LARGE ((PAGE_SIZE << BATCH_ORDER) / sizeof(struct folio *))

void unmap_batch_init(struct unmap_batch *b, struct mm *mm)
{
	b->mm = mm;
	b->start = ~0UL;
	b->end = 0;
	b->tables_freed = false;
	b->swapcache = false;
	b->flush_first = false;
	b->how = 0;
	b->nr = 0;
	b->capacity = UNMAP_BATCH_INLINE;
	b->folios = b->inline_folios;
	b->block = NULL;
	b->tables = NULL;
}

static void free_tables(struct unmap_batch *b)
{
	while (b->tables) {
		struct page *table = b->tables;

		b->tables = table->pt_next;
		pgtable_free_page(table);
	}
	b->tables_freed = false;
}

/* Folios that nothing maps any more, and no swap entry names, have no business in the swap cache. */
static __noinline void free_swap_cache(struct unmap_batch *b)
{
	for (unsigned int i = 0; i < b->nr; i++)
		if (folio_test(b->folios[i], PG_swapcache))
			swap_free_if_unused(b->folios[i]);
	b->swapcache = false;
}

/* Flushes and frees all that was gathered; the batch may be used on. */
static __always_inline void batch_flush(struct unmap_batch *b)
{
	if (unlikely(atomic_read(&b->mm->unflushed))) {
		b->start = 0;
		b->end = TASK_SIZE;
	}
	if (b->start < b->end)
		tlb_flush_range(&b->mm->tlb, b->start, b->end, b->tables_freed);
	b->start = ~0UL;
	b->end = 0;
	if (unlikely(b->swapcache))
		free_swap_cache(b);
	folios_put(b->folios, b->nr);
	b->nr = 0;
	free_tables(b);
}

void unmap_batch_finish(struct unmap_batch *b)
{
	batch_flush(b);
	if (b->block)
		free_pages(b->block, BATCH_ORDER);
}

/* The inline array is full: a large unmap gets a larger one when memory allows, otherwise it flushes. */
static __noinline void batch_make_room(struct unmap_batch *b)
{
	struct page *block = b->block ? NULL : alloc_pages(GFP_ATOMIC, BATCH_ORDER);

	if (!block) {
		batch_flush(b);
		return;
	}
	b->block = block;
	b->folios = page_address(block);
	b->capacity = BATCH_LARGE;
	memcpy(b->folios, b->inline_folios, sizeof(b->inline_folios));
}

/* What the zapping of one table's entries comes to; applied once. */
struct zapped {
	int rss[NR_RSS];
	int anon_shared;	/* of rss[RSS_ANON]: others map them still */
	int file_unmapped;	/* nobody does */
	int others;		/* folios that were counted one by one */
	unsigned int munlocked; /* folios whose last locked mapping went */
	u32 left;		/* entries of the table in use */
	bool kept;		/* an entry that was looked at stays */
	pte_t *last;		/* the last one that was present, NULL: none yet */
};

static void apply_counts(struct mm *mm, const struct zapped *z)
{
#pragma GCC unroll 4
	for (unsigned int i = 0; i < NR_RSS; i++)
		if (z->rss[i])
			atomic_sub(&mm->rss[i], z->rss[i]);
	if (z->rss[RSS_ANON] != z->anon_shared)
		stat_add(NR_ANON_PAGES, z->anon_shared - z->rss[RSS_ANON]);
	if (z->file_unmapped)
		stat_add(NR_FILE_MAPPED, -z->file_unmapped);
}

/*
 * A CPU may go on writing until the flush. For a file with a store that comes before the page-table lock is dropped:
 * folio_mkclean() waits for the lock, so that writeback does not call the page clean too early.
 */
static __noinline void zap_dirty(struct unmap_batch *b, struct folio *folio)
{
	folio_mark_dirty(folio);
	if (!folio_test(folio, PG_swapbacked))
		b->flush_first = true;
}

/* Undoes one present entry of a single page, which is cleared; its reference is the batch's. */
static __always_inline void zap_folio(struct unmap_batch *b, struct folio *folio, pte_t e,
				      struct zapped *z)
{
	bool last;

	if (unlikely(pte_mlocked(e)))
		z->munlocked += mlock_count_down(folio);
	last = atomic_dec_and_test(&folio->mapcount);
	if (folio_test(folio, PG_anon)) {
		z->rss[RSS_ANON]++;
		z->anon_shared += !last;
		b->swapcache = true;
		return;
	}
	z->rss[folio_rss_kind(folio)]++;
	z->file_unmapped += last;
	if (pte_dirty(e))
		zap_dirty(b, folio);
	if (pte_young(e) && !folio_test(folio, PG_referenced))
		folio_set(folio, PG_referenced);
}

/* The page is moving, and its mover counts entries when it has arrived: this one is only counted here. */
static void zap_migration_entry(const struct unmap_batch *b, pte_t *pte, pte_t e, struct zapped *z)
{
	enum rss_kind kind = folio_rss_kind(pfn_folio(pte_pfn(e)));

	if (kind == RSS_ANON && (b->how & ZAP_KEEP_PRIVATE)) {
		z->kept = true;
		return;
	}
	pte_set(pte, 0);
	z->left--;
	z->rss[kind]++;
	z->anon_shared += kind == RSS_ANON;
}

/* Clears a swap entry, which is a private page's, or one of a page that is moving, unless it is to stay. */
static __noinline void zap_swap_entry(struct unmap_batch *b, pte_t *pte, pte_t e, struct zapped *z)
{
	if (pte_is_migration(e)) {
		zap_migration_entry(b, pte, e, z);
		return;
	}
	if (b->how & (e == PTE_GUARD ? ZAP_KEEP_GUARDS : ZAP_KEEP_PRIVATE)) {
		z->kept = true;
		return;
	}
	pte_set(pte, 0);
	z->left--;
	if (pte_has_slot(e)) {
		z->rss[RSS_SWAP]++;
		swap_slot_put(pte_to_swp(e));
	}
}

/*
 * The entries from pte, of which the first maps a page of a large folio, as far as they go on in order, at most max: how
 * many. All but one of their references are dropped at once; the last is the batch's.
 */
static __noinline unsigned int zap_large(struct unmap_batch *b, pte_t *pte, unsigned int max,
					 struct folio *folio)
{
	struct page *page = pte_page(pte_read(pte));
	bool mlocked = pte_mlocked(pte_read(pte)), whole = false, partial;
	unsigned int n;
	pte_t seen;

	if (pte_is_promoted(pte) && max == PTRS_PER_TABLE) {
		(void)huge_suspend(pte);
		seen = pte_read(pte); /* they are all like this one */
		pte_clear_table(pte);
		n = max;
		whole = true;
	} else {
		huge_demote(pte);
		n = large_run(pte, max);
		seen = 0;
		for (unsigned int i = 0; i < n; i++)
			seen |= pte_get_and_clear(pte + i);
	}
	if (mlocked)
		large_munlock(folio, page, n);
	if (!folio_test(folio, PG_anon)) {
		if (pte_dirty(seen))
			zap_dirty(b, folio);
		if (pte_young(seen) && !folio_test(folio, PG_referenced))
			folio_set(folio, PG_referenced);
	}
	partial = whole ? large_unmap_whole(folio) : large_unmap(folio, page, n);
	if (partial)
		split_later(folio);
	atomic_sub(&b->mm->rss[folio_rss_kind(folio)], (int)n);
	if (n > 1)
		folio_ref_sub(folio, (int)n - 1);
	return n;
}

/* The entry of a zero page, at most max with it. How many were cleared. */
static unsigned int zap_zeroes(pte_t *pte, unsigned int max)
{
	if (max == PTRS_PER_TABLE && huge_suspend(pte)) {
		pte_clear_table(pte);
		return max;
	}
	huge_demote(pte);
	pte_set(pte, 0);
	return 1;
}

/* A present entry that is not of the common kind, and what belongs to it, if any may go. How many entries it was. */
static __noinline unsigned int zap_other(struct unmap_batch *b, pte_t *pte, unsigned int max,
					 struct zapped *z)
{
	pte_t e = pte_read(pte);
	struct folio *folio = NULL;
	unsigned int n = 1;

	if (!pte_special(e)) {
		folio = page_folio(pte_page(e));
		if (unlikely(b->how & ZAP_KEEP_PRIVATE) && folio_test(folio, PG_anon)) {
			z->kept = true;
			return 1;
		}
		b->folios[b->nr++] = folio;
		z->others++;
	}
	if (!folio)
		n = zap_zeroes(pte, max);
	else if (unlikely(folio_is_large(folio)))
		n = zap_large(b, pte, max, folio);
	else
		zap_folio(b, folio, pte_get_and_clear(pte), z);
	z->left -= n;
	z->last = pte + n - 1;
	return n;
}

#define FOLIO_KIND (1UL << PG_anon | 1UL << PG_swapcache | 1UL << PG_tail | 1UL << PG_large)

/*
 * Clears entries up to end until no more fit into the batch; returns the first that was not looked at. The common kind
 * is that of single anonymous pages without a copy in swap. Page-table lock held.
 */
static pte_t *zap_entries(struct unmap_batch *b, pte_t *pte, pte_t *end, struct zapped *z)
{
	unsigned long common = b->how & ZAP_KEEP_PRIVATE ? ~0UL : 1UL << PG_anon;
	struct folio **before = b->folios + b->nr, **out = before;
	struct folio *const *full = b->folios + b->capacity;

	for (; pte < end; pte++) {
		pte_t e = pte_read(pte);
		struct folio *folio;

		if (!(e & PTE_P)) {
			if (pte_none(e)) {
				if (!z->left)
					break;
				pte = pte_next_in_use(pte, end) - 1;
				continue;
			}
			if (pte_is_swap(e)) {
				zap_swap_entry(b, pte, e, z);
				continue;
			}
		}
		if (unlikely(out == full))
			break;
		folio = (struct folio *)pte_page(e);
		if (unlikely(pte_special(e)) ||
		    unlikely((RACY_READ(folio->flags) & FOLIO_KIND) != common)) {
			b->nr = (unsigned int)(out - b->folios);
			pte += zap_other(b, pte, (unsigned int)(end - pte), z) - 1;
			out = b->folios + b->nr;
			continue;
		}
		/* Whether the CPU notes an access at this moment makes no difference: a plain store. */
		pte_set(pte, 0);
		z->left--;
		z->last = pte;
		*out++ = folio;
		if (unlikely(pte_mlocked(e)))
			z->munlocked += mlock_count_down(folio);
		if (!atomic_dec_and_test(&folio->mapcount))
			z->anon_shared++;
	}
	b->nr = (unsigned int)(out - b->folios);
	z->rss[RSS_ANON] += (int)(out - before) - z->others;
	return pte;
}

/* The address of an entry of the table in which pte is that of va. */
static inline unsigned long va_of(const pte_t *pte, unsigned long va, const pte_t *other)
{
	return va + ((unsigned long)(other - pte) << PAGE_SHIFT);
}

/* Clears the entries of [va, stop), all in one table; returns where it stopped for want of room. */
static unsigned long zap_table(struct unmap_batch *b, pte_t *pte, unsigned long va,
			       unsigned long stop)
{
	pte_t *end = pte + ((stop - va) >> PAGE_SHIFT), *first = pte;
	spinlock_t *ptl = pte_lockptr(pte);
	unsigned int before = b->nr;
	struct zapped z = { 0 };
	u32 *used = pte_used(pte);

	/* Acquire: who sees that another thread emptied the table sees it in mm->zaps, too. */
	if (__atomic_load_n(used, __ATOMIC_ACQUIRE) == 0)
		return stop;
	spin_lock(ptl);
	z.left = *used;
	if (pte_none(pte_read(first)))
		first = pte_next_in_use(first, end);
	end = zap_entries(b, first, end, &z);
	if (end - first >= PTE_GROUP && !z.kept)
		pte_lines_unused(first, end);
	__atomic_store_n(used, z.left, __ATOMIC_RELEASE);
	if (unlikely(b->flush_first)) {
		tlb_flush_range(&b->mm->tlb, va_of(pte, va, first), va_of(pte, va, z.last + 1),
				false);
		b->flush_first = false;
	}
	spin_unlock(ptl);
	apply_counts(b->mm, &z);
	if (z.last) {
		b->start = min(b->start, va_of(pte, va, first));
		b->end = max(b->end, va_of(pte, va, z.last + 1));
	}
	if (unlikely(z.munlocked))
		folios_munlocked(b->folios + before, b->nr - before);
	return z.left ? va_of(pte, va, end) : stop;
}

void mm_update_hiwater(struct mm *mm)
{
	unsigned long rss = mm_rss(mm), seen = __atomic_load_n(&mm->hiwater_rss, __ATOMIC_RELAXED);

	while (unlikely(rss > seen) &&
	       !__atomic_compare_exchange_n(&mm->hiwater_rss, &seen, rss, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED))
		;
}

void unmap_vma_range(struct unmap_batch *b, struct vma *vma, unsigned long start, unsigned long end)
{
	struct mm *mm = vma->mm;
	unsigned long stop;
	pte_t *pte;

	ASSERT(rwsem_is_locked(&mm->mmap_lock) ||
	       (vma->mapping && rwsem_is_locked(&vma->mapping->i_mmap_lock)));
	mm_update_hiwater(mm);
	while ((pte = pgtable_next(&mm->pgt, &start, end, &stop))) {
		start = zap_table(b, pte, start, stop);
		if (start < stop)
			batch_make_room(b);
		else if (start < end && !(b->how & ZAP_NO_YIELD))
			cond_resched();
	}
}

/*
 * An entry that is absent already may have been cleared by another thread that has not flushed it yet, so that
 * a CPU still uses it after this function returned: when someone else is at it, the whole range is flushed.
 */
void zap_range(struct vma *vma, unsigned long start, unsigned long end, unsigned int how)
{
	struct mm *mm = vma->mm;
	struct unmap_batch b;

	unmap_batch_init(&b, mm);
	b.how = how | ZAP_KEEP_GUARDS;
	atomic_inc(&mm->zaps);
	unmap_vma_range(&b, vma, start, end);
	if (unlikely(atomic_read(&mm->zaps) > 1)) {
		b.start = min(b.start, start);
		b.end = max(b.end, end);
	}
	unmap_batch_finish(&b);
	atomic_dec(&mm->zaps);
}

static void release_table(void *arg, struct page *table)
{
	struct unmap_batch *b = arg;

	table->pt_next = b->tables;
	b->tables = table;
	b->tables_freed = true;
}

void unmap_free_tables(struct unmap_batch *b, unsigned long start, unsigned long end,
		       unsigned long floor, unsigned long ceiling)
{
	bool before = b->tables_freed;

	b->tables_freed = false;
	pgtable_free_range(&b->mm->pgt, start, end, floor, ceiling, release_table, b);
	if (b->tables_freed) {
		b->start = min(b->start, start);
		b->end = max(b->end, end);
	}
	b->tables_freed |= before;
}

void unmap_free_vma_tables(struct unmap_batch *b, const struct vma *vma, unsigned long floor,
			   unsigned long ceiling)
{
	while (vma) {
		const struct vma *next = vma_next(vma);
		unsigned long start = vma->start, end = vma->end;

		for (; next && next->start <= end + PMD_SIZE; next = vma_next(next))
			end = next->end;
		unmap_free_tables(b, start, end, floor, next ? next->start : ceiling);
		vma = next;
	}
}
