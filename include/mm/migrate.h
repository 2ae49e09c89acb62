/* SPDX-License-Identifier: MIT
 *
 * Moving folios to other frames under the hands of those who use them, and compaction, which does so to have free
 * memory in large blocks. docs/compaction.md.
 */
#ifndef MM_MIGRATE_H
#define MM_MIGRATE_H

#include <mm/page.h>

enum migrate_mode {
	MIGRATE_ASYNC, /* never waits: the caller may hold folio locks or those of the reverse map */
	MIGRATE_SYNC, /* waits for folio locks and for writes; the caller holds none of those locks */
};

/* Where folios go to. arg is the caller's. */
struct migrate_target {
	/* A new folio of the order of old, with one reference, no flags and any contents; NULL: there is none. */
	struct folio *(*get)(const struct folio *old, void *arg);
	/* Gives one back that was not used. */
	void (*put)(struct folio *new, void *arg);
	void *arg;
};

/*
 * Moves isolated folios; the list is empty afterwards. Those that moved are freed by whoever drops their last
 * reference, the others are back on their LRU lists. How many pages could not be moved. Sleeps; allocates nothing by
 * itself.
 */
unsigned long migrate_folios(struct list_head *folios, const struct migrate_target *target,
			     enum migrate_mode mode);

/*
 * Makes free blocks of the largest order out of what is free, as far as it goes: moves all that can be moved to the
 * upper end of memory. Sleeps; none of the locks of MIGRATE_SYNC held. Ends early for a fatal signal.
 */
void compact_memory(void);

#endif
