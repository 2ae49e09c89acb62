/* SPDX-License-Identifier: MIT
 *
 * Debug builds fill freed pages with a pattern and check it when they are allocated again. The mark that says so lies in
 * the free page's descriptor, so memory never used yet needs no filling at boot.
 */
#ifndef MM_PAGE_POISON_H
#define MM_PAGE_POISON_H

#include <mm/page.h>

#ifdef CONFIG_DEBUG
/* 2^order pages are about to be free: none of them is in use or free already, or panic. */
void poison_freed(struct page *page, unsigned int order);
/* They were free until now, and nobody wrote to them, or panic. */
void poison_check(struct page *page, unsigned int order);
#else
static inline void poison_freed(struct page *page, unsigned int order)
{
	(void)page;
	(void)order;
}

static inline void poison_check(struct page *page, unsigned int order)
{
	(void)page;
	(void)order;
}
#endif

#endif
