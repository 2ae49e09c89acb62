/* SPDX-License-Identifier: MIT
 *
 * The reverse map: from a folio to every page-table entry that maps it.
 */
#ifndef MM_RMAP_H
#define MM_RMAP_H

#include <mm/page.h>

struct mm;

/*
 * How many vmas had the folio accessed since the last call: clears accessed bits on the way. *vm_flags: those of
 * the vmas, or'ed. -1 when a lock of the reverse map is busy. Folio locked, referenced.
 */
int folio_referenced(struct folio *folio, unsigned long *vm_flags);

/* Whether a locked vma maps the folio; false, too, when it or a lock of the reverse map is busy. Folio not locked, referenced. */
bool folio_mapped_locked(struct folio *folio);

/*
 * What the functions below owe to TLBs: the address spaces whose entries they changed, and where. Flushed once for many
 * folios: before any is written, and before one that was unmapped is unlocked or freed. Meanwhile mm->unflushed is not 0, and whoever changes or drops entries
 * of such an address space without the folio locks flushes all of it. Zero-initialised; no sleeping until flushed.
 */
#define UNFLUSHED_MAX 8

struct unflushed_range {
	struct mm *mm;
	unsigned long start, end; /* bytes */
};

struct unflushed {
	unsigned int nr;
	struct unflushed_range range[UNFLUSHED_MAX];
};

void unflushed_flush(struct unflushed *u);

/*
 * Takes every entry that maps the folio out of its page table, dirty bits into PG_dirty. The flush is owed, in *u. An anonymous
 * one must be in the swap cache: its entries become swap entries; or one of MADV_FREE (not PG_swapbacked): they
 * become none, and when it was written to since, it stays and is PG_swapbacked again. True when no mapping is left.
 * Gives up at an entry with PTE_MLOCKED and when a lock of the reverse map is busy. Folio locked, referenced, isolated.
 */
bool try_to_unmap(struct folio *folio, struct unflushed *u);

/*
 * Write-protects a shared file folio everywhere, so that the next write faults and is noticed; dirty bits go into
 * PG_dirty. The flush is owed: until then, writes may still come. How many entries it changed. Folio locked, referenced.
 */
int folio_mkclean(struct folio *folio, struct unflushed *u);

#endif
