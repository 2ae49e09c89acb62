/* SPDX-License-Identifier: MIT
 *
 * Large folios of anonymous memory as /sys/kernel/mm/transparent_hugepage shows and changes them.
 */
#ifndef MM_THP_H
#define MM_THP_H

#define THP_MIN_ORDER 2u /* up to PMD_ORDER */

/* Which areas get folios of a size; INHERIT: what knob thp says. Knob mthp.orders: the sizes that inherit at boot. */
enum thp_size_policy {
	THP_SIZE_ALWAYS,
	THP_SIZE_INHERIT,
	THP_SIZE_MADVISE,
	THP_SIZE_NEVER,
};

enum thp_size_policy thp_size_policy(unsigned int order);
void thp_set_size_policy(unsigned int order, enum thp_size_policy policy);

/* What a fault does that finds no free block of 2 MiB: DEFER and NEVER take smaller ones, the others compact. */
enum thp_defrag {
	THP_DEFRAG_ALWAYS,
	THP_DEFRAG_DEFER,
	THP_DEFRAG_DEFER_MADVISE, /* compacts in areas of MADV_HUGEPAGE */
	THP_DEFRAG_MADVISE,	  /* the same */
	THP_DEFRAG_NEVER,
};

extern unsigned long thp_defrag; /* enum thp_defrag */

enum thp_event {
	THP_COUNT_ALLOC,
	THP_COUNT_FALLBACK,
	THP_COUNT_SPLIT,
	THP_COUNT_SPLIT_FAILED,
	THP_COUNT_SPLIT_DEFERRED,
	NR_THP_EVENTS,
};

/* How often it happened to folios of this order. */
unsigned long thp_events(unsigned int order, enum thp_event event);

#endif
