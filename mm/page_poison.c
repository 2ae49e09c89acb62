/* SPDX-License-Identifier: MIT
 *
 * The pattern in free pages: mm/page_poison.h.
 */
#include <arch/memory.h>
#include <kern/assert.h>
#include <kern/string.h>

#include "page_poison.h"

#ifdef CONFIG_DEBUG
#define POISON_BYTE 0xaa
#define POISON_WORD 0xaaaaaaaaaaaaaaaaUL
#define POISON_MARK 0xdead4eadUL /* in words[6]: the page holds the pattern */

void poison_freed(struct page *page, unsigned int order)
{
	const unsigned long bad = 1UL << PG_locked | 1UL << PG_lru | 1UL << PG_reserved |
				  1UL << PG_buddy | 1UL << PG_slab | 1UL << PG_writeback;

	for (struct page *p = page; p < page + (1UL << order); p++) {
		if (p->words[6] == POISON_MARK || (p->flags & bad))
			panic("BUG: page %lx freed twice or in use, flags %lx", page_to_pfn(p),
			      p->flags);
		memset(page_address(p), POISON_BYTE, PAGE_SIZE);
		p->words[6] = POISON_MARK;
	}
	mem_freed(page_address(page), PAGE_SIZE << order);
}

void poison_check(struct page *page, unsigned int order)
{
	mem_allocated(page_address(page), PAGE_SIZE << order);
	for (struct page *p = page; p < page + (1UL << order); p++) {
		const unsigned long *w = page_address(p);

		if (p->words[6] != POISON_MARK)
			continue;
		for (unsigned int i = 0; i < PAGE_SIZE / sizeof(*w); i++)
			if (w[i] != POISON_WORD)
				panic("BUG: free page %lx written to at offset %lx: %lx",
				      page_to_pfn(p), i * sizeof(*w), w[i]);
		p->words[6] = 0;
	}
}
#endif
