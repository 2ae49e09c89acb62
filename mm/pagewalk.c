/* SPDX-License-Identifier: MIT
 *
 * What /proc shows of page tables and pages: smaps totals, pagemap words, kpageflags and kpagecount.
 */
#include <mm/swap.h>

#include "huge_zero.h"
#include "mapcount.h"
#include "shmem.h"

/* pss is added up in 2^-12 bytes, so that shares of a page are not lost to rounding. */
#define PSS_SHIFT 12

static void usage_add_page(struct vma_usage *u, struct page *page, pte_t e, bool locked)
{
	struct folio *folio = page_folio(page);
	unsigned long mapcount = max((unsigned long)page_mapcount(page), 1UL);
	unsigned long pss = (PAGE_SIZE << PSS_SHIFT) / mapcount;
	bool dirty = pte_dirty(e) || folio_test(folio, PG_dirty);

	u->rss += PAGE_SIZE;
	u->pss += pss;
	if (dirty)
		u->pss_dirty += pss;
	if (mapcount > 1)
		*(dirty ? &u->shared_dirty : &u->shared_clean) += PAGE_SIZE;
	else
		*(dirty ? &u->private_dirty : &u->private_clean) += PAGE_SIZE;
	if (pte_young(e) || folio_test(folio, PG_referenced))
		u->referenced += PAGE_SIZE;
	if (locked)
		u->locked += pss;
	switch (folio_rss_kind(folio)) {
	case RSS_ANON:
		u->anonymous += PAGE_SIZE;
		if (!dirty && !folio_test(folio, PG_swapbacked))
			u->lazyfree += PAGE_SIZE;
		u->pss_anon += pss;
		break;
	case RSS_SHMEM:
		u->pss_shmem += pss;
		break;
	default:
		u->pss_file += pss;
		break;
	}
}

static void usage_add_huge(struct vma_usage *u, const pte_t *pte)
{
	const struct folio *folio;

	if (likely(!pte_is_promoted(pte)) || huge_zero_is_mapped(pte))
		return;
	folio = pfn_folio(pte_pfn(pte_read(pte)));
	if (folio_test(folio, PG_anon))
		u->anon_huge += PMD_SIZE;
	else if (folio_test(folio, PG_swapbacked))
		u->shmem_huge += PMD_SIZE;
	else
		u->file_huge += PMD_SIZE;
}

static void usage_add_slot(struct vma_usage *u, swp_entry_t swp)
{
	u->swap += PAGE_SIZE;
	u->swap_pss += (PAGE_SIZE << PSS_SHIFT) / max(swap_slot_count(swp), 1U);
}

void vma_usage(struct mm *mm, struct vma *vma, struct vma_usage *u)
{
	struct vma_usage sum = { 0 };
	unsigned long va = vma->start, stop;
	pte_t *pte;

	mmap_assert_locked(mm);
	while ((pte = pgtable_next(&mm->pgt, &va, vma->end, &stop))) {
		spinlock_t *ptl = pte_lockptr(pte);

		spin_lock(ptl);
		usage_add_huge(&sum, pte);
		for (; va < stop; va += PAGE_SIZE, pte++) {
			pte_t e = pte_read(pte);

			if (pte_present(e) && !pte_special(e))
				usage_add_page(&sum, pfn_to_page(pte_pfn(e)), e,
					       vma->flags & VM_LOCKED);
			else if (unlikely(pte_has_slot(e)))
				usage_add_slot(&sum, pte_to_swp(e));
			else if (unlikely(pte_is_migration(e)))
				usage_add_page(&sum, pfn_to_page(pte_pfn(e)), pte_migration_bits(e),
					       vma->flags & VM_LOCKED);
		}
		spin_unlock(ptl);
		if (va < vma->end)
			cond_resched();
	}
	/* What a private copy may hide is not counted. */
	if (vma->mapping && (vma->flags & (VM_SHARED | VM_WRITE)) != VM_WRITE)
		sum.swap += shmem_swapped_pages(vma->mapping, vma->pgoff, vma_last_index(vma))
			    << PAGE_SHIFT;
	u->rss += sum.rss;
	u->pss += sum.pss >> PSS_SHIFT;
	u->pss_dirty += sum.pss_dirty >> PSS_SHIFT;
	u->shared_clean += sum.shared_clean;
	u->shared_dirty += sum.shared_dirty;
	u->private_clean += sum.private_clean;
	u->private_dirty += sum.private_dirty;
	u->referenced += sum.referenced;
	u->anonymous += sum.anonymous;
	u->lazyfree += sum.lazyfree;
	u->swap += sum.swap;
	u->swap_pss += sum.swap_pss >> PSS_SHIFT;
	u->locked += sum.locked >> PSS_SHIFT;
	u->pss_anon += sum.pss_anon >> PSS_SHIFT;
	u->pss_file += sum.pss_file >> PSS_SHIFT;
	u->pss_shmem += sum.pss_shmem >> PSS_SHIFT;
	u->anon_huge += sum.anon_huge;
	u->shmem_huge += sum.shmem_huge;
	u->file_huge += sum.file_huge;
}

/* Bits of a pagemap word: Linux's Documentation/admin-guide/mm/pagemap.rst. */
#define PM_EXCLUSIVE (1ULL << 56)
#define PM_GUARD (1ULL << 58)
#define PM_FILE (1ULL << 61)
#define PM_SWAP (1ULL << 62)
#define PM_PRESENT (1ULL << 63)

/* Of a page that is moving, as in Linux: a type that is no area, and the frame as the offset. */
static u64 pagemap_swapped(pte_t e, bool show_pfn)
{
	swp_entry_t swp = pte_to_swp(e);
	u64 word = PM_SWAP | (show_pfn ? swp_area(swp) | swp_offset(swp) << 5 : 0);

	if (pte_is_migration(e) && !folio_test(pfn_folio(pte_pfn(e)), PG_anon))
		word |= PM_FILE;
	return word;
}

static u64 pagemap_word(pte_t e, bool show_pfn)
{
	u64 word = PM_PRESENT | (show_pfn ? pte_pfn(e) : 0);
	struct page *page = pfn_to_page(pte_pfn(e));

	if (pte_special(e)) /* the huge one seems to be a file's, as in Linux */
		return folio_is_huge_zero(page_folio(page)) ? word | PM_FILE : word;
	if (!folio_test(page_folio(page), PG_anon))
		word |= PM_FILE;
	if (page_mapcount(page) == 1)
		word |= PM_EXCLUSIVE;
	return word;
}

void mm_pagemap(struct mm *mm, unsigned long addr, unsigned long n, u64 *out, bool show_pfn)
{
	unsigned long end = addr + (n << PAGE_SHIFT), stop;
	struct vma *vma;
	pte_t *pte;

	memset(out, 0, n * sizeof(*out));
	mmap_read_lock(mm);
	/* Only inside vmas: tables that serve none may be going, under this very lock (mm/munmap.c). */
	for (vma = vma_find(mm, addr); vma && vma->start < end; vma = vma_next(vma)) {
		unsigned long va = max(addr, vma->start), last = min(end, vma->end);

		while ((pte = pgtable_next(&mm->pgt, &va, last, &stop))) {
			spinlock_t *ptl = pte_lockptr(pte);

			spin_lock(ptl);
			for (; va < stop; va += PAGE_SIZE, pte++) {
				pte_t e = pte_read(pte);

				if (pte_present(e))
					out[(va - addr) >> PAGE_SHIFT] = pagemap_word(e, show_pfn);
				else if (unlikely(e == PTE_GUARD))
					out[(va - addr) >> PAGE_SHIFT] = PM_SWAP | PM_GUARD;
				else if (unlikely(pte_is_swap(e)))
					out[(va - addr) >> PAGE_SHIFT] =
						pagemap_swapped(e, show_pfn);
			}
			spin_unlock(ptl);
		}
	}
	mmap_read_unlock(mm);
}

/* Bits of a kpageflags word: Linux's include/uapi/linux/kernel-page-flags.h. */
enum {
	KPF_LOCKED = 0,
	KPF_ERROR = 1,
	KPF_REFERENCED = 2,
	KPF_UPTODATE = 3,
	KPF_DIRTY = 4,
	KPF_LRU = 5,
	KPF_ACTIVE = 6,
	KPF_SLAB = 7,
	KPF_WRITEBACK = 8,
	KPF_RECLAIM = 9,
	KPF_BUDDY = 10,
	KPF_MMAP = 11,
	KPF_ANON = 12,
	KPF_SWAPCACHE = 13,
	KPF_SWAPBACKED = 14,
	KPF_COMPOUND_HEAD = 15,
	KPF_COMPOUND_TAIL = 16,
	KPF_UNEVICTABLE = 18,
	KPF_THP = 22,
	KPF_ZERO_PAGE = 24,
	KPF_PGTABLE = 26,
	KPF_RESERVED = 32,
	KPF_MLOCKED = 33,
};

static const struct {
	u8 flag, kpf;
} kpageflag_bits[] = {
	{ PG_locked, KPF_LOCKED },
	{ PG_error, KPF_ERROR },
	{ PG_referenced, KPF_REFERENCED },
	{ PG_uptodate, KPF_UPTODATE },
	{ PG_dirty, KPF_DIRTY },
	{ PG_lru, KPF_LRU },
	{ PG_active, KPF_ACTIVE },
	{ PG_slab, KPF_SLAB },
	{ PG_writeback, KPF_WRITEBACK },
	{ PG_buddy, KPF_BUDDY },
	{ PG_anon, KPF_ANON },
	{ PG_swapcache, KPF_SWAPCACHE },
	{ PG_reclaim, KPF_RECLAIM },
	{ PG_swapbacked, KPF_SWAPBACKED },
	{ PG_unevictable, KPF_UNEVICTABLE },
	{ PG_pgtable, KPF_PGTABLE },
	{ PG_reserved, KPF_RESERVED },
	{ PG_mlocked, KPF_MLOCKED },
};

/* Pages of user data: the only ones whose mapcount means something. */
static bool page_is_user(unsigned long flags)
{
	return flags & ((1UL << PG_anon) | (1UL << PG_uptodate));
}

static u64 compound_bits(const struct folio *folio, const struct page *page)
{
	return 1ULL << (page == &folio->page ? KPF_COMPOUND_HEAD : KPF_COMPOUND_TAIL) |
	       (folio->order == PMD_ORDER ? 1ULL << KPF_THP : 0);
}

u64 page_kpageflags(unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn);
	const struct folio *folio = page_folio(page);
	unsigned long flags = READ_ONCE(folio->flags);
	u64 word = 0;

	if (page == zero_page_frame)
		return (1ULL << KPF_ZERO_PAGE) | (1ULL << KPF_RESERVED);
	if (folio_is_huge_zero(folio))
		return 1ULL << KPF_ZERO_PAGE | compound_bits(folio, page);
	for (unsigned int i = 0; i < ARRAY_SIZE(kpageflag_bits); i++)
		if (flags & (1UL << kpageflag_bits[i].flag))
			word |= 1ULL << kpageflag_bits[i].kpf;
	if (page_is_user(flags) && page_mapcount(page) > 0)
		word |= 1ULL << KPF_MMAP;
	if (flags & 1UL << PG_large)
		word |= compound_bits(folio, page);
	return word;
}

u64 page_kpagecount(unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn);

	if (!page_is_user(READ_ONCE(page_folio(page)->flags)))
		return 0;
	return (u64)page_mapcount(page);
}
