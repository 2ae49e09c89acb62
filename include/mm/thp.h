/* SPDX-License-Identifier: MIT
 *
 * Large folios of anonymous and of shared memory as /sys/kernel/mm/transparent_hugepage shows and changes them.
 */
#ifndef MM_THP_H
#define MM_THP_H

#include <kern/types.h>

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

/* The same for memory that no mount shows; INHERIT: what knob thp.shmem says. Knob thp.shmem_orders: those at boot. */
enum shmem_size_policy {
	SHMEM_SIZE_ALWAYS,
	SHMEM_SIZE_INHERIT,
	SHMEM_SIZE_WITHIN_SIZE,
	SHMEM_SIZE_ADVISE,
	SHMEM_SIZE_NEVER,
};

enum shmem_size_policy shmem_size_policy(unsigned int order);
void shmem_set_size_policy(unsigned int order, enum shmem_size_policy policy);

/* What a fault does that finds no free block of 2 MiB. */
enum thp_defrag {
	THP_DEFRAG_ALWAYS, /* it compacts */
	THP_DEFRAG_DEFER,  /* it takes smaller ones, and kcompactd is asked for the next time */
	THP_DEFRAG_DEFER_MADVISE, /* the former in areas of MADV_HUGEPAGE, the latter elsewhere */
	THP_DEFRAG_MADVISE,	  /* the former there, nothing elsewhere */
	THP_DEFRAG_NEVER,
};

extern unsigned long thp_defrag; /* enum thp_defrag */

enum thp_event {
	THP_COUNT_ALLOC,
	THP_COUNT_FALLBACK,
	THP_COUNT_SPLIT,
	THP_COUNT_SPLIT_FAILED,
	THP_COUNT_SPLIT_DEFERRED,
	THP_COUNT_SHMEM_ALLOC, /* of tmpfs and shared memory */
	THP_COUNT_SHMEM_FALLBACK,
	NR_THP_EVENTS,
};

/* Frees the huge zero page if no address space has read through it. Pages. */
unsigned long huge_zero_shrink(void);

/* How often it happened to folios of this order. */
unsigned long thp_events(unsigned int order, enum thp_event event);

/*
 * Splits the large folios that [start, end) of the address space maps, or that a file has in pages [first, end), but for
 * those that somebody uses. No lock held. mm/split_debug.c.
 */
struct mm;
struct mapping;
void mm_split_folios(struct mm *mm, unsigned long start, unsigned long end);
void filemap_split_folios(struct mapping *m, unsigned long first, unsigned long end);

/* ---- khugepaged: mm/khugepaged.c, in a thread of kernel/khugepaged.c ---- */

struct khugepaged_settings {
	unsigned long scan_sleep_ms;  /* between scans */
	unsigned long alloc_sleep_ms; /* after one for which there was no memory */
	unsigned long pages_to_scan;  /* entries a scan looks at */
	unsigned long max_ptes_none, max_ptes_swap,
		max_ptes_shared; /* of 512 entries, as struct collapse_limits has them */
	unsigned long defrag;	 /* 0: free blocks only, nothing is reclaimed or compacted for it */
};
extern struct khugepaged_settings khugepaged_settings;

struct khugepaged_counts {
	unsigned long pages_collapsed; /* folios of 2 MiB made */
	unsigned long full_scans;      /* of all that there is to scan */
};
extern struct khugepaged_counts khugepaged_counts;

/* The thread is this one. */
void khugepaged_begin(void);
/* Some address space may have something to collapse. */
bool khugepaged_has_work(void);
/* Sleeps until khugepaged_wake(), which any context may call: there is work, settings changed, time is over. */
void khugepaged_wait(void);
void khugepaged_wake(void);
/* Looks at so many entries as settings allow. False: there was no memory. */
bool khugepaged_scan(void);

#endif
