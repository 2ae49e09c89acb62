/* SPDX-License-Identifier: MIT
 *
 * Large folios of which some pages are mapped no more: they are split when memory is short, and the unmapped pages
 * are free then. Until that they wait in a queue, in which a folio has no reference.
 */
#include "internal.h"

static struct {
	spinlock_t lock;	 /* taken inside page-table locks */
	struct list_head folios; /* [lock] by the first tail's deferred */
	unsigned long nr;	 /* [lock] */
} queue;

void split_init(void)
{
	spin_lock_init(&queue.lock);
	INIT_LIST_HEAD(&queue.folios);
}

void split_later(struct folio *folio)
{
	struct list_head *node = &folio_page(folio, 1)->deferred;

	if (RACY_READ(node->next) != node)
		return;
	spin_lock(&queue.lock);
	if (list_empty(node)) {
		list_add_tail(node, &queue.folios);
		queue.nr++;
		stat_inc(THP_DEFERRED_SPLIT_PAGE);
	}
	spin_unlock(&queue.lock);
}

void split_forget(struct folio *folio)
{
	struct list_head *node = &folio_page(folio, 1)->deferred;

	spin_lock(&queue.lock);
	if (!list_empty(node)) {
		list_del_init(node);
		queue.nr--;
	}
	spin_unlock(&queue.lock);
}
