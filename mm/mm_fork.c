/* SPDX-License-Identifier: MIT
 *
 * fork's part of memory: the child gets the same vmas, and the same pages, copy-on-write.
 *
 * Only vmas that ever had anonymous pages have their entries copied. All others can be faulted in again
 * from the page cache, so the child starts without entries for them, as in Linux.
 *
 * Locking: the parent's mmap_lock for writing; for each table the parent's and then the child's
 * page-table lock. The child is visible to nobody yet but truncate, through its mappings.
 */
#include <mm/swap.h>

#include "collapse.h"
#include "huge_zero.h"
#include "large.h"
#include "mapcount.h"
#include "vma.h"

/* What the copying of one table's entries comes to; applied once. */
struct copied {
	long rss[NR_RSS];
	u32 entries;
	bool lost_write; /* the parent lost a W */
};

/*
 * The entries from src, of which the first maps a page of a large folio, as far as they go on in order, at most max:
 * how many. Both tables' locks held.
 */
static unsigned int copy_large(pte_t *src, pte_t *dst, unsigned int max, pte_t cow,
			       struct copied *c)
{
	struct page *page = pte_page(pte_read(src));
	struct folio *folio = page_folio(page);
	unsigned int n = large_run(src, max);

	folio_ref_add(folio, (int)n);
	large_map(folio, page, n);
	c->rss[folio_rss_kind(folio)] += n;
	c->lost_write |= (pte_read(src) & cow) != 0;
	for (unsigned int i = 0; i < n; i++) {
		if (pte_read(src + i) & cow)
			pte_clear_bits(src + i, cow);
		pte_set(dst + i, pte_read(src + i) & ~(PTE_A | PTE_MLOCKED));
	}
	return n;
}

/* The mover, who visits the child's vma after the parent's, finds both, and neither may write alone. */
static pte_t copy_migration(pte_t *src, pte_t e, pte_t cow)
{
	if (cow) {
		e = pte_migration_wrprotect(e);
		pte_set(src, e);
	}
	return e;
}

/* A promoted table, to one that is empty and prepared: both are afterwards. True when the parent lost a W. */
static __noinline bool copy_promoted(struct mm *mm, struct mm *old, unsigned long va, pte_t *src,
				     pte_t *dst, pte_t cow)
{
	struct folio *folio = huge_suspend(src);
	bool loses_write = pte_read(src) & cow;

	if (!folio_is_huge_zero(folio)) {
		folio_ref_add(folio, (int)PTRS_PER_TABLE);
		large_map_whole(folio);
		atomic_add(&mm->rss[folio_rss_kind(folio)], (long)PTRS_PER_TABLE);
	}
	for (unsigned long i = 0; i < PTRS_PER_TABLE; i++) {
		/* Reclaim may have asked who uses it; a promoted table is one whose entries are accessed. */
		pte_t e = (pte_read(src + i) | PTE_A) & ~cow;

		pte_set(src + i, e);
		pte_set(dst + i, e & ~PTE_MLOCKED);
	}
	pte_used_add(dst, PTRS_PER_TABLE, PTRS_PER_TABLE);
	huge_promote(old, va, src);
	huge_promote(mm, va, dst);
	return loses_write;
}

/* A swap entry, or one that is just moving, or a marker. */
static __noinline void copy_absent(pte_t *src, pte_t *dst, pte_t cow, struct copied *c)
{
	pte_t e = pte_read(src);

	if (pte_has_slot(e)) {
		swap_slot_dup(pte_to_swp(e));
		c->rss[RSS_SWAP]++;
	} else if (pte_is_migration(e)) {
		e = copy_migration(src, e, cow);
		c->rss[folio_rss_kind(pfn_folio(pte_pfn(e)))]++;
	}
	pte_set(dst, e);
}

/* A present entry that is not of the common kind, and what belongs to it. How many entries it was. */
static __noinline unsigned int copy_other(pte_t *src, pte_t *dst, unsigned int max, pte_t cow,
					  struct copied *c)
{
	pte_t e = pte_read(src);
	struct folio *folio;

	if (pte_special(e)) {
		pte_set(dst, e);
		return 1;
	}
	folio = page_folio(pte_page(e));
	if (folio_is_large(folio))
		return copy_large(src, dst, max, cow, c);
	if (e & cow) {
		pte_clear_bits(src, cow);
		c->lost_write = true;
	}
	folio_get(folio);
	atomic_inc(&folio->mapcount);
	c->rss[folio_rss_kind(folio)]++;
	pte_set(dst, e & ~(cow | PTE_A | PTE_MLOCKED));
	return 1;
}

#define FOLIO_KIND (1UL << PG_anon | 1UL << PG_tail | 1UL << PG_large)

/* The common kind of entries is that of single anonymous pages. Both tables' locks held. */
static void copy_range(pte_t *src, pte_t *dst, pte_t *end, pte_t cow, struct copied *c)
{
	const u32 used = *pte_used(src);
	long others = 0; /* entries that are counted one by one */

	for (; src < end; src++, dst++) {
		pte_t e = pte_read(src);
		struct folio *folio = (struct folio *)pte_page(e);
		unsigned int n;

		if (unlikely(!pte_present(e))) {
			if (pte_none(e)) {
				if (c->entries == used)
					break;
				n = (unsigned int)(pte_next_in_use(src, end) - src);
				src += n - 1;
				dst += n - 1;
				continue;
			}
			copy_absent(src, dst, cow, c);
			c->entries++;
			others++;
			continue;
		}
		if (unlikely(pte_special(e)) ||
		    unlikely((RACY_READ(folio->flags) & FOLIO_KIND) != 1UL << PG_anon)) {
			n = copy_other(src, dst, (unsigned int)(end - src), cow, c);
			c->entries += n;
			others += n;
			src += n - 1;
			dst += n - 1;
			continue;
		}
		if (e & cow) {
			pte_clear_bits(src, cow);
			c->lost_write = true;
		}
		folio_get(folio);
		atomic_inc(&folio->mapcount);
		pte_set(dst, e & ~(cow | PTE_A | PTE_MLOCKED));
		c->entries++;
	}
	c->rss[RSS_ANON] += c->entries - others;
}

/*
 * Copies the entries of one table; both arrays start at the same address. cow: PTE_W, which both lose, or 0. True when
 * the parent lost one. Not inline: the loop over the entries needs the registers.
 */
static __noinline bool copy_table(struct mm *mm, struct mm *old, unsigned long va, pte_t *src,
				  pte_t *dst, unsigned long n, pte_t cow)
{
	spinlock_t *src_ptl = pte_lockptr(src), *dst_ptl = pte_lockptr(dst);
	struct copied c = { 0 };

	spin_lock(src_ptl);
	spin_lock_nested(dst_ptl);
	if (unlikely(pte_is_promoted(src) && n == PTRS_PER_TABLE &&
		     pgtable_is_prepared(&mm->pgt, va))) {
		c.lost_write = copy_promoted(mm, old, va, src, dst, cow);
		spin_unlock(dst_ptl);
		spin_unlock(src_ptl);
		return c.lost_write;
	}
	huge_demote(src);
	copy_range(src, dst, src + n, cow, &c);
	pte_used_add(dst, n, c.entries);
	/* Before truncation can see the entries, and count them off. */
	for (unsigned int i = 0; i < NR_RSS; i++)
		if (c.rss[i])
			atomic_add(&mm->rss[i], c.rss[i]);
	spin_unlock(dst_ptl);
	spin_unlock(src_ptl);
	return c.lost_write;
}

/* 0 or -ENOMEM. *flush: the parent's TLB must forget writable entries. */
static int copy_entries(struct mm *mm, struct mm *old, struct vma *vma, bool *flush)
{
	unsigned long va = vma->start, stop;
	pte_t cow = vma_is_shared(vma) ? 0 : PTE_W;
	pte_t *src, *dst;

	vma_start_write(vma);
	while ((src = pgtable_next(&old->pgt, &va, vma->end, &stop))) {
		dst = pgtable_alloc(&mm->pgt, va);
		if (!dst)
			return -ENOMEM;
		if (unlikely(pte_is_promoted(src)))
			huge_prepare(mm, va);
		*flush |= copy_table(mm, old, va, src, dst, (stop - va) >> PAGE_SHIFT, cow);
		va = stop;
		if (va < vma->end)
			cond_resched();
	}
	return 0;
}

static int copy_vma_to_child(struct mm *mm, struct mm *old, struct vma *vma, bool *flush)
{
	struct vma_desc d = { vma->start, vma->end,	vma->flags & ~VM_LOCK_BITS,
			      vma->file,  vma->mapping, vma->pgoff,
			      NULL };
	struct vma *new;

	if ((d.flags & VM_ACCOUNT) && vm_commit_charge(vma_pages(vma)))
		return -ENOMEM;
	new = vma_alloc(mm, &d);
	if (!new || (!(vma->flags & VM_WIPEONFORK) && anon_vma_fork(new, vma))) {
		if (new)
			vma_free(new);
		if (d.flags & VM_ACCOUNT)
			vm_commit_uncharge(vma_pages(vma));
		return -ENOMEM;
	}
	vma_link_last(mm, new);
	vm_stat_account(mm, d.flags, (long)vma_pages(vma));
	return vma_has_anon(new) ? copy_entries(mm, old, vma, flush) : 0;
}

static void copy_layout(struct mm *mm, const struct mm *old)
{
	mm->def_flags = old->def_flags & ~VM_LOCK_BITS;
	mm->membarrier = READ_ONCE(old->membarrier);
	if (READ_ONCE(old->khugepaged))
		khugepaged_enter(mm);
	mm->mmap_base = old->mmap_base;
	mm->start_code = old->start_code;
	mm->end_code = old->end_code;
	mm->start_data = old->start_data;
	mm->end_data = old->end_data;
	mm->start_brk = old->start_brk;
	mm->brk = old->brk;
	mm->start_stack = old->start_stack;
	mm->arg_start = old->arg_start;
	mm->arg_end = old->arg_end;
	mm->env_start = old->env_start;
	mm->env_end = old->env_end;
	memcpy(mm->saved_auxv, old->saved_auxv, sizeof(mm->saved_auxv));
	mm->exe_file = old->exe_file;
	if (mm->exe_file)
		file_get(mm->exe_file);
}

struct mm *mm_fork(struct mm *old)
{
	struct mm *mm = mm_alloc();
	struct vma *vma;
	bool flush = false;
	int err = 0;

	if (!mm)
		return ERR_PTR(-ENOMEM);
	if (mmap_write_lock_killable(old)) {
		mm_put(mm);
		return ERR_PTR(-EINTR);
	}
	mmap_write_lock_nested(mm);
	copy_layout(mm, old);
	for_each_vma(old, vma) {
		if (vma->flags & VM_DONTCOPY)
			continue;
		err = copy_vma_to_child(mm, old, vma, &flush);
		if (err)
			break;
	}
	if (unlikely(READ_ONCE(old->huge_zero)))
		huge_zero_fork(mm);
	/* Entries that reclaim took are shared as slots: nobody may still write to the pages. */
	if (flush || unlikely(atomic_read(&old->unflushed)))
		tlb_flush_range(&old->tlb, 0, TASK_SIZE, false);
	validate_mm(old, 0, TASK_SIZE);
	if (!err)
		validate_mm(mm, 0, TASK_SIZE);
	mmap_write_unlock(mm);
	mmap_write_unlock(old);
	if (err) {
		mm_put(mm);
		return ERR_PTR(err);
	}
	return mm;
}
