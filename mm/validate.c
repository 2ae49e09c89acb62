/* SPDX-License-Identifier: MIT
 *
 * Every invariant of an address space, checked from its own data. In debug builds this runs after each operation that
 * changes the layout, around what was changed if the space is large; the host fuzzer runs it after every step.
 */
#include <mm/swap.h>

#include "large.h"
#include "mapcount.h"
#include "mlock_count.h"
#include "vma.h"

#define CHECK(cond, vma)                                                                           \
	do {                                                                                       \
		if (unlikely(!(cond)))                                                             \
			panic("BUG: validate: %s (vma %lx-%lx flags %lx) at %s:%d", #cond,         \
			      (vma)->start, (vma)->end, (vma)->flags, __FILE__, __LINE__);         \
	} while (0)

/* What the vmas and page tables add up to, to be compared with the mm's own totals. */
struct totals {
	int vmas;
	unsigned long total, data, stack, exec, locked;
	long rss[NR_RSS];
	bool lock_walks; /* entries may lag behind their vma's VM_LOCKED */
};

/* The reverse map leads from the anon_vma to the vma. A fault may be adding a link in front. */
static bool is_linked_to(const struct vma *vma, const struct anon_vma *anon_vma)
{
	const struct anon_link *link = __atomic_load_n(&vma->anon_links, __ATOMIC_ACQUIRE);

	while (link && link->anon_vma != anon_vma)
		link = link->next;
	return link;
}

/* Every link knows the vma's page offsets, and the one to its own anon_vma is there. */
static void check_links(const struct vma *vma)
{
	const struct anon_vma *own = __atomic_load_n(&vma->anon_vma, __ATOMIC_ACQUIRE);
	const struct anon_link *first = __atomic_load_n(&vma->anon_links, __ATOMIC_ACQUIRE);

	CHECK(!own || is_linked_to(vma, own), vma);
	CHECK(!vma_in_mapping(vma) || (vma->i_mmap_node.start == vma->pgoff &&
				       vma->i_mmap_node.last == vma_last_index(vma)),
	      vma);
	for (const struct anon_link *link = first; link; link = link->next) {
		CHECK(link->vma == vma, vma);
		CHECK(link->anon_vma->root == first->anon_vma->root, vma);
		CHECK(link->node.start == vma->pgoff, vma);
		CHECK(link->node.last == vma_last_index(vma), vma);
	}
}

static void check_vma(const struct vma *vma, const struct vma *prev)
{
	CHECK(vma->start < vma->end && vma->end <= TASK_SIZE, vma);
	CHECK(IS_ALIGNED(vma->start | vma->end, PAGE_SIZE), vma);
	CHECK(!prev || prev->end <= vma->start, vma);
	CHECK(!(vma->flags & VM_LOCKONFAULT) || (vma->flags & VM_LOCKED), vma);
	CHECK(vma->page_prot == vm_page_prot(vma->flags, vma->mapping), vma);
	CHECK(!vma->mapping || vma->file, vma);
	check_links(vma);
}

static void check_entry(const struct vma *vma, unsigned long va, pte_t e, struct totals *t)
{
	const struct folio *folio;
	struct page *page;
	unsigned long index;

	if (pte_has_slot(e)) {
		CHECK(!vma_is_shared(vma) && swap_slot_count(pte_to_swp(e)) > 0, vma);
		t->rss[RSS_SWAP]++;
		return;
	}
	if (pte_is_migration(e)) {
		CHECK(folio_test(pfn_folio(pte_pfn(e)), PG_locked), vma);
		t->rss[folio_rss_kind(pfn_folio(pte_pfn(e)))]++;
		return;
	}
	if (e == PTE_GUARD) {
		CHECK(vma_has_anon(vma) && !(vma->flags & VM_SPECIAL), vma);
		return;
	}
	CHECK(pte_present(e), vma);
	CHECK(!pte_write(e) || (vma->flags & VM_WRITE), vma);
	CHECK(!(e & PTE_P) || (vma->flags & VM_ACCESS), vma);
	if (pte_special(e)) {
		CHECK(!pte_mlocked(e), vma);
		CHECK(!pte_write(e), vma);
		CHECK(pte_pfn(e) == page_to_pfn(zero_page_frame) ||
			      (vma->mm->huge_zero && folio_is_huge_zero(pfn_folio(pte_pfn(e)))),
		      vma);
		return;
	}
	folio = pfn_folio(pte_pfn(e));
	page = pfn_to_page(pte_pfn(e));
	CHECK(page_mapcount(page) > 0, vma);
	CHECK(atomic_read(&folio->refcount) > 0,
	      vma); /* this entry's; others come and go meanwhile */
	CHECK(!pte_mlocked(e) || mlock_by_rmap() || atomic_read(page_mlocks(page)) > 0, vma);
	CHECK(t->lock_walks || pte_mlocked(e) == !!(vma->flags & VM_LOCKED), vma);
	t->rss[folio_rss_kind(folio)]++;
	index = folio->index + folio_page_idx(folio, page);
	if (folio_test(folio, PG_anon)) {
		CHECK(!vma_is_shared(vma) && is_linked_to(vma, folio->anon_vma), vma);
		CHECK(index == vma_index(vma, va), vma);
		CHECK(!pte_write(e) || page_mapcount(page) == 1, vma);
		CHECK(!pte_write(e) || !folio_test(folio, PG_swapcache) ||
			      swap_slot_count(READ_ONCE(folio->swap)) == 0,
		      vma);
	} else {
		/* Truncation may be about to take the page: then it has no mapping any more. */
		const struct mapping *m = READ_ONCE(folio->mapping);

		CHECK(!m || (m == vma->mapping && index == vma_index(vma, va)), vma);
		CHECK(!pte_write(e) || vma_is_shared(vma), vma);
		/* Writeback would not know. */
		CHECK(!pte_write(e) || !(vma->mapping->flags & MAPPING_WRITEBACK) ||
			      folio_test(folio, PG_dirty) || !READ_ONCE(folio->mapping),
		      vma);
	}
}

/* *vma goes on from one that is not above va to the one that contains it: nothing may be mapped between vmas. */
static const struct vma *go_on_to(struct vma **vma, unsigned long va)
{
	while (*vma && (*vma)->end <= va)
		*vma = vma_next(*vma);
	if (!*vma || (*vma)->start > va)
		panic("BUG: validate: an entry at %lx, where no vma is", va);
	return *vma;
}

static void check_promoted(const struct vma *vma, const pte_t *table, unsigned long va)
{
	CHECK(va + PMD_SIZE <= vma->end && huge_is_whole(table), vma);
}

/* A last-level table from va to stop. One that is looked at as a whole knows how many of its entries are used. */
static void check_table(struct vma **vma, pte_t *pte, unsigned long va, unsigned long stop,
			struct totals *t)
{
	bool whole = IS_ALIGNED(va, PMD_SIZE) && (stop == TASK_SIZE || IS_ALIGNED(stop, PMD_SIZE));
	struct page *table = pte_table(pte);
	const u32 *counted = pte_used(pte);
	u32 used = 0;

	if (whole && pte_is_promoted(pte))
		check_promoted(go_on_to(vma, va), pte, va);
	for (; va < stop; va += PAGE_SIZE, pte++) {
		pte_t e = pte_read(pte);

		if (pte_none(e))
			continue;
		check_entry(go_on_to(vma, va), va, e, t);
		BUG_ON(!(table->pt_groups >> pte_group(pte) & 1));
		used++;
	}
	BUG_ON(whole ? used != *counted : used > *counted);
}

static void check_entries(struct mm *mm, unsigned long from, unsigned long to, struct totals *t)
{
	struct vma *vma = vma_find(mm, from);
	unsigned long va = from, stop;
	pte_t *pte;

	while ((pte = pgtable_next_table(&mm->pgt, &va, to, &stop))) {
		spinlock_t *ptl = pte_lockptr(pte);

		spin_lock(ptl);
		check_table(&vma, pte, va, stop, t);
		spin_unlock(ptl);
		va = stop;
	}
}

static void add_totals(const struct vma *vma, struct totals *t)
{
	unsigned long pages = vma_pages(vma), f = vma->flags;

	t->vmas++;
	t->total += pages;
	if ((f & (VM_EXEC | VM_WRITE | VM_GROWSDOWN)) == VM_EXEC)
		t->exec += pages;
	else if (f & VM_GROWSDOWN)
		t->stack += pages;
	else if ((f & (VM_WRITE | VM_SHARED)) == VM_WRITE)
		t->data += pages;
	if (f & VM_LOCKED)
		t->locked += pages;
}

void mm_validate(struct mm *mm)
{
	struct totals t = { .lock_walks = atomic_read(&mm->lock_walks) };
	struct vma *vma, *prev = NULL;
	long rss[NR_RSS];

	mmap_assert_locked(mm);
	/* Truncation takes pages without mmap_lock, so only what was counted before the walk bounds what it finds. */
	for (unsigned int i = 0; i < NR_RSS; i++)
		rss[i] = atomic_read(&mm->rss[i]);
	vma_index_validate(mm);
	for_each_vma(mm, vma) {
		check_vma(vma, prev);
		add_totals(vma, &t);
		prev = vma;
	}
	check_entries(mm, 0, TASK_SIZE, &t);
	BUG_ON(t.vmas != mm->map_count);
	BUG_ON(t.total != mm->total_vm);
	BUG_ON(t.data != mm->data_vm);
	BUG_ON(t.stack != mm->stack_vm);
	BUG_ON(t.exec != mm->exec_vm);
	BUG_ON(t.locked != mm->locked_vm);
	for (unsigned int i = 0; i < NR_RSS; i++)
		BUG_ON(i != RSS_ANON && i != RSS_SWAP && t.rss[i] > rss[i]);
	/* Reclaim turns the one into the other: RSS_SWAP is raised first, and was read last. */
	BUG_ON(t.rss[RSS_ANON] + t.rss[RSS_SWAP] > rss[RSS_ANON] + rss[RSS_SWAP]);
}

#ifdef CONFIG_DEBUG
/* Vmas and pages: an address space of so many is checked as a whole after each change, */
#define VALIDATE_ALWAYS 512
/* and a larger one so often that this many are, on the average. */
#define VALIDATE_WORK 32
/* Around both ends of what was changed it is checked each time: so many bytes to either side. */
#define VALIDATE_AROUND (8 * PAGE_SIZE)

static bool is_turn_of_whole(const struct mm *mm)
{
	static atomic_long_t changes;
	unsigned long work = (unsigned long)mm->map_count + mm_rss(mm) +
			     (unsigned long)atomic_read(&mm->rss[RSS_SWAP]);

	return work <= VALIDATE_ALWAYS ||
	       (unsigned long)atomic_add_return(&changes, 1) % (work / VALIDATE_WORK | 1) == 0;
}

static void validate_whole(struct mm *mm)
{
	struct vma *vma;

	for_each_vma(mm, vma)
		vma_start_write(vma);
	mm_validate(mm);
}

static void validate_around(struct mm *mm, unsigned long addr)
{
	struct totals t = { .lock_walks = atomic_read(&mm->lock_walks) };
	unsigned long from = addr > VALIDATE_AROUND ? addr - VALIDATE_AROUND : 0;
	unsigned long to = min(addr + VALIDATE_AROUND, TASK_SIZE);

	if (from >= to) /* a call that was refused */
		return;
	for (struct vma *vma = vma_find(mm, from); vma && vma->start < to; vma = vma_next(vma)) {
		vma_start_write(vma);
		vma_index_validate_at(mm, vma);
		check_vma(vma, vma_prev(vma));
	}
	check_entries(mm, from, to, &t);
}

void validate_mm(struct mm *mm, unsigned long start, unsigned long end)
{
	if (!knob_debug_validate)
		return;
	if (is_turn_of_whole(mm)) {
		validate_whole(mm);
		return;
	}
	validate_around(mm, start);
	if (end - start > VALIDATE_AROUND)
		validate_around(mm, end);
}
#endif
