/* SPDX-License-Identifier: MIT
 *
 * Unmapping: entries out, TLB flushed, only then frames freed. mm/unmap.c.
 */
#ifndef MM_UNMAP_H
#define MM_UNMAP_H

#include "internal.h"

#define UNMAP_BATCH_INLINE 32

#define ZAP_KEEP_PRIVATE 1u /* leave private copies: only what the file itself shows goes */
#define ZAP_KEEP_GUARDS 4u  /* what zap_range() always does: only unmapping ends a guard */
#define ZAP_NO_YIELD                                                                               \
	2u /* i_mmap_lock is held: whoever runs next may need it to end an address space */

struct unmap_batch {
	struct mm *mm;
	unsigned long start, end; /* what must be flushed; empty when start >= end */
	bool tables_freed;
	bool swapcache;	  /* one of folios is, or was, in the swap cache */
	bool flush_first; /* before the page-table lock is dropped */
	unsigned int how; /* ZAP_* */
	unsigned int nr, capacity;
	struct folio **folios; /* references to drop after the flush */
	struct page *block;    /* backs folios when the inline array was too small */
	struct page *tables;   /* page-table pages to free after the flush */
	struct folio *inline_folios[UNMAP_BATCH_INLINE];
};

void unmap_batch_init(struct unmap_batch *b, struct mm *mm);
/* Flushes and ends the batch. */
void unmap_batch_finish(struct unmap_batch *b);
/* Zaps the pages of [start, end) inside vma. mmap_lock or the mapping's i_mmap_lock held, any mode. */
void unmap_vma_range(struct unmap_batch *b, struct vma *vma, unsigned long start,
		     unsigned long end);
/*
 * Zaps the pages of [start, end) inside vma, of which others may zap the same at the same time: mmap_lock held for
 * reading, or the mapping's i_mmap_lock. On return no CPU can use them, whoever took them out.
 */
void zap_range(struct vma *vma, unsigned long start, unsigned long end, unsigned int how);
/* Pages are about to leave the mm: remembers how many it had at most. */
void mm_update_hiwater(struct mm *mm);
/*
 * Unlinks the page tables of [start, end) that lie inside [floor, ceiling): between the end of the vma that
 * stays below and the start of the next one above. One call a vma, so that the address space between vmas is
 * not walked.
 */
void unmap_free_tables(struct unmap_batch *b, unsigned long start, unsigned long end,
		       unsigned long floor, unsigned long ceiling);
/* The same for vma and those that follow it: such as may share a table go together. Between them no other vma lies. */
void unmap_free_vma_tables(struct unmap_batch *b, const struct vma *vma, unsigned long floor,
			   unsigned long ceiling);
/* The ceiling when no vma is above. */
#define TABLES_CEILING (TASK_SIZE + PAGE_SIZE)

/*
 * rmap.c: the entry at addr is about to lose rights, or to go. Its page-table lock held: who finds it changed sees
 * mm->unflushed.
 */
struct unflushed;
void flush_later(struct unflushed *u, struct mm *mm, unsigned long addr);

#endif
