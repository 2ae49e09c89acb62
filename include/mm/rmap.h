/* SPDX-License-Identifier: MIT
 *
 * The reverse map: from a folio to every page-table entry that maps it.
 */
#ifndef MM_RMAP_H
#define MM_RMAP_H

#include <mm/page.h>

/*
 * How many vmas had the folio accessed since the last call: clears accessed bits on the way. *vm_flags: those of
 * the vmas, or'ed. -1 when a lock of the reverse map is busy. Folio locked, referenced.
 */
int folio_referenced(struct folio *folio, unsigned long *vm_flags);

/*
 * Takes every entry that maps the folio out of its page table, dirty bits into PG_dirty, TLBs flushed. An anonymous
 * one must be in the swap cache: its entries become swap entries; or one of MADV_FREE (not PG_swapbacked): they
 * become none, and when it was written to since, it stays and is PG_swapbacked again. True when no mapping is left.
 * Gives up at an entry with PTE_MLOCKED and when a lock of the reverse map is busy. Folio locked, referenced, isolated.
 */
bool try_to_unmap(struct folio *folio);

/*
 * Write-protects a shared file folio everywhere, so that the next write faults and is noticed; dirty bits go into
 * PG_dirty. How many entries it changed. Folio locked, referenced.
 */
int folio_mkclean(struct folio *folio);

#endif
