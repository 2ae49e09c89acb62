/* SPDX-License-Identifier: MIT
 *
 * Migration to folios from the allocator, for tests.
 */
#ifndef MIGRATE_NOW_H
#define MIGRATE_NOW_H

#include "t.h"

#include <mm/migrate.h>

static inline struct folio *migrate_get(const struct folio *old, void *arg __maybe_unused)
{
	return folio_alloc(GFP_KERNEL, old->order);
}

static inline void migrate_put(struct folio *new, void *arg __maybe_unused)
{
	folio_put(new);
}

static const struct migrate_target migrate_anywhere = { .get = migrate_get, .put = migrate_put };

/* A folio that the caller has a hold on. True: it moved, and the hold may be all that is left of it. */
static inline bool migrate_now(struct folio *folio, enum migrate_mode mode)
{
	LIST_HEAD(folios);

	if (!lru_isolate_page(&folio->page, true))
		return false;
	list_add(&folio->lru, &folios);
	return migrate_folios(&folios, &migrate_anywhere, mode) == 0;
}

#endif
