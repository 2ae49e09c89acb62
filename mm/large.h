/* SPDX-License-Identifier: MIT
 *
 * Large folios: which sizes a fault may use, tables that map 2 MiB as one, splitting.
 */
#ifndef MM_LARGE_H
#define MM_LARGE_H

#include "internal.h"

struct fault_ctx;

/* ---- thp.c: which sizes a fault may use ---- */

/* Orders that anonymous memory can have. */
#define THP_ORDERS ((2UL << PMD_ORDER) - (1UL << THP_MIN_ORDER))

/* One more of order; those of PMD_ORDER are in /proc/vmstat, too. */
void thp_count(unsigned int order, enum thp_event event);

extern unsigned long thp_always_orders; /* whatever knob thp says. Bit n: order n */

/* Puts an order into a set that is read without a lock, or takes it out. The lock of the set's writers is held. */
static inline void set_order(unsigned long *orders, unsigned int order, bool on)
{
	unsigned long bit = 1UL << order;

	WRITE_ONCE(*orders, on ? *orders | bit : *orders & ~bit);
}

unsigned long __thp_fault_orders(const struct vma *vma);
/* Bit n: order n. */
static inline unsigned long thp_fault_orders(const struct vma *vma)
{
	if (likely(!(vma->flags & VM_HUGEPAGE) && READ_ONCE(knob_thp) != THP_ALWAYS &&
		   !READ_ONCE(thp_always_orders)))
		return 0;
	return __thp_fault_orders(vma);
}
/*
 * A folio of 2 MiB for a fault in the vma, or (NULL) for a write to a file: contents zeroed, no flags. NULL: there is no
 * such block, and if thp_defrag says so none could be made.
 */
struct folio *thp_alloc_pmd(const struct vma *vma);
/* thp_fault_orders() for a vma of a file: what some page of it may have. mm/shmem_large.c. */
unsigned long shmem_vma_orders(const struct vma *vma);
/* These entries of one table are none, as far as one sees without its lock. */
bool ptes_are_none(const pte_t *pte, unsigned long n);
/*
 * A write fault on a none entry, or population: a large folio of one of these orders, as large as fits and as there is.
 * mm/anon_large.c. False: it does not fit, or there is no such block. mmap_lock held.
 */
bool anon_fault_large(struct fault_ctx *f, unsigned long orders);
/* A large anonymous folio that is nobody's yet, or NULL. */
struct folio *anon_large_alloc(gfp_t gfp, unsigned int order);
/*
 * The entries of [addr, addr + its size), from pte, which are none, map the folio from now on. promote: as one, which is
 * prepared. folio_set_anon() was called, page-table lock held.
 */
void anon_install_large(struct vma *vma, unsigned long addr, pte_t *pte, struct folio *folio,
			bool promote);

/* ---- huge.c: tables that map 2 MiB as one. Page-table lock held ---- */

void __huge_demote(pte_t *pte);
struct folio *__huge_suspend(pte_t *pte);
/* Entries of pte's table are about to change: what they map, or their rights. */
static inline void huge_demote(pte_t *pte)
{
	if (unlikely(pte_is_promoted(pte)))
		__huge_demote(pte);
}
/*
 * All entries of pte's table are about to change in the same way, to move, or to go. The folio if it was promoted, or NULL:
 * its map counts still say so, and huge_resume() or large_unmap_whole() comes before the lock is dropped.
 */
static inline struct folio *huge_suspend(pte_t *pte)
{
	return unlikely(pte_is_promoted(pte)) ? __huge_suspend(pte) : NULL;
}
/* The entries are in the table of va now; promoted again if they are still what that takes. */
void huge_resume(struct mm *mm, unsigned long va, pte_t *pte, struct folio *folio);
/* The table of va may be promoted later, if there is memory for that. mmap_lock held, no spinlock. */
static inline void huge_prepare(struct mm *mm, unsigned long va)
{
	if (pgtable_prepare_promotion(&mm->pgt, va))
		return; /* pgtable_is_prepared() says so */
}
/* The table of va, which is prepared, is what pgtable_promote() wants, and its folio's map counts say that it is promoted. */
void huge_promote(struct mm *mm, unsigned long va, pte_t *pte);
/* All entries of the table, from its first, are as pgtable_promote() wants them, and map a large folio. */
bool huge_is_whole(const pte_t *table);
/* Promotes a table whose entries are counted one by one, if it is prepared and whole. */
void huge_promote_if_whole(struct mm *mm, unsigned long va, pte_t *pte);
/* vma is about to end or to begin at va, in the middle of what may be mapped as one. mmap_lock held for writing. */
void huge_demote_at(struct mm *mm, unsigned long va);

/* ---- split.c ---- */

/* Some pages of the folio are mapped no more: it is split when memory is short. Any spinlock but lru_lock may be held. */
void split_later(struct folio *folio);
/* It dies. */
void split_forget(struct folio *folio);
void split_init(void);
/*
 * The folio becomes its first page; the others are folios of their own, on the lists where they belong, or free when
 * nobody maps them. False: somebody else has a reference, or a lock is busy; all is as it was. Folio locked and isolated,
 * the caller's reference is the only one that is no entry's. No spinlock held.
 */
bool split_folio(struct folio *folio);
/* The same for one that may be on a list; its lock is only tried. The caller has a reference. */
bool split_mapped_folio(struct folio *folio);
/* The same for a locked one of a file, which a truncation cuts; waits for the lock of the reverse map. */
bool split_file_folio(struct folio *folio);
/* Splits up to max folios that wait for it. Pages that are free now. */
unsigned long split_deferred(unsigned long max);

#endif
