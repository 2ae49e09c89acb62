/* SPDX-License-Identifier: MIT
 *
 * The LRU lists, for those who make and free pages and for reclaim: mm/lru.c.
 */
#ifndef MM_LRU_H
#define MM_LRU_H

#include "internal.h"

/*
 * Those of n referenced folios that are unevictable for no reason any more go to the list where they belong. How
 * many pages did.
 */
unsigned int lru_rescue(struct folio **folios, unsigned int n);
void lru_init(void);
/* A folio that is on no list joins the one its flags name. */
void lru_add(struct folio *folio);
/* The same for a new anonymous page, which no other thread can reach yet: no lock that CPUs share is taken. */
void lru_add_new(struct folio *folio);
/* The same for n of them, all locked or none. */
void lru_add_new_run(struct folio **folios, unsigned int n);
/* Takes those of n folios that are on a list off it, and those on the queue of mm/split.c. Their refcounts are 0. */
void lru_del_dead(struct folio **folios, unsigned int n);

/* ---- lru.c, for reclaim ---- */

enum lru_list {
	LRU_INACTIVE_ANON,
	LRU_ACTIVE_ANON,
	LRU_INACTIVE_FILE,
	LRU_ACTIVE_FILE,
	LRU_UNEVICTABLE,
	NR_LRU_LISTS = LRU_UNEVICTABLE,
};

#define LRU_BATCH 32u /* folios handled under one hold of lru_lock: Linux's SWAP_CLUSTER_MAX */

/*
 * Looks at folios from the end of a list until they have max pages, and moves those that live to `to` (by folio->lru, oldest
 * last), each with a reference. How many pages it looked at: one large folio may be more than max. Who counted folios would
 * hide 64 MiB of huge pages from all others who need memory, until it is done with them.
 */
unsigned int lru_isolate(enum lru_list list, unsigned int max, struct list_head *to);
/* The same for one folio, which the caller has a hold on. False: on no list, or unevictable. */
bool lru_isolate_folio(struct folio *folio);
/*
 * The same for any frame: the folio that begins there, if one does and is on a list, evictable or, if that is asked
 * for, not. NULL otherwise. An unevictable one comes back to where it belongs as well.
 */
struct folio *lru_isolate_page(struct page *page, bool unevictable_too);
/* Isolated folios go to the heads of the lists that their flags name now; drops their references. */
void lru_putback(struct list_head *folios);
/*
 * The same for a locked one whose file keeps it in memory: it is unevictable then, and its reference stays the caller's.
 * False: its file does not. The lock keeps the file.
 */
bool lru_putback_file_unevictable(struct folio *folio);
/* Referenced folios: to the active list, to the end of the inactive one (if inactive: rotate). Isolated ones stay so. */
void lru_activate(struct folio *folio);
void lru_deactivate(struct folio *folio);
void lru_rotate(struct folio *folio);
/* MADV_FREE: an anonymous folio whose contents are not needed unless it is written again. */
void lru_mark_lazyfree(struct folio *folio);
/* Debug: what is on a list says so by its flags, or panic. pages: how many are on each list. */
void lru_validate(unsigned long pages[NR_LRU_LISTS]);

/* Nothing keeps it in memory: reclaim may have it. */
static inline bool folio_evictable(const struct folio *folio)
{
	return !folio_is_mlocked(folio);
}

#endif
