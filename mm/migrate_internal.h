/* SPDX-License-Identifier: MIT
 *
 * Migration from inside: shared by mm/migrate.c and mm/migration_entry.c.
 */
#ifndef MM_MIGRATE_INTERNAL_H
#define MM_MIGRATE_INTERNAL_H

#include <mm/migrate.h>
#include <mm/rmap.h>

#include "internal.h"

/* One folio on its way. Its vmas stay where they are while one of the two is set: its lock is held for reading. */
struct move {
	struct folio *old, *new;
	struct anon_vma *anon_vma; /* with a reference */
	struct mapping *mapping;
	unsigned long nr;    /* pages of old */
	unsigned long first; /* the page of the folio that replaces it where its own begin */
	bool wait; /* for that lock, if a file's: the caller holds nothing that its holders wait for */
	bool held; /* that lock is the caller's, and mapping is set, all the time */
	bool drop; /* of shared memory: no entries come back, but where the vma is locked */
};

/*
 * Puts migration entries in the place of all entries that map m->old; dirty bits go into PG_dirty. The flush is owed,
 * in *u. False, and nothing done: a lock of the reverse map is busy. True: migration_entries_remove() is due. Folio
 * locked, referenced, isolated.
 */
bool migration_entries_make(struct move *m, struct unflushed *u);
/*
 * Whatever migration entries there are now (fork copies them, unmapping drops them) become entries that map to: m->old
 * again, or m->new, or a larger folio that it joins, or NULL: the frames that they name, which are folios of their own now.
 * Drops the lock, unless it is the caller's.
 */
void migration_entries_remove(struct move *m, struct folio *to);

#endif
