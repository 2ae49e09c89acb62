/* SPDX-License-Identifier: MIT
 *
 * Shared inside mm/ only. mm/ works on the address space it is given and never on the running task's:
 * `current` is poisoned here.
 */
#ifndef MM_INTERNAL_H
#define MM_INTERNAL_H

#include <arch/page.h>
#include <arch/pgtable.h>
#include <arch/tlb.h>
#include <kern/atomic.h>
#include <kern/err.h>
#include <kern/failpoint.h>
#include <kern/knobs.h>
#include <kern/park.h>
#include <kern/string.h>
#include <kern/trace.h>
#include <mm/filemap.h>
#include <mm/mm.h>
#include <mm/page_alloc.h>
#include <mm/slab.h>
#include <mm/stats.h>
#include <mm/thp.h>
#include "anon_vma.h"
#include "vma_lock.h"

#pragma GCC poison current

/* ---- vma.c: making, splitting and merging vmas. mmap_lock held for writing ---- */

/* What decides whether two neighbours may be one vma. */
struct vma_desc {
	unsigned long start, end;
	unsigned long flags;
	struct file *file;
	struct mapping *mapping;
	unsigned long pgoff;
	struct vma *anon; /* whose anonymous pages the range has or will have, or NULL */
};

/* The vmas around a free address range; NULL where there is none. */
struct vma_neighbours {
	struct vma *prev, *next;
};

/* Those around addr, which no vma contains (one that does is next). */
struct vma_neighbours vma_neighbours(struct mm *mm, unsigned long addr);

/* ---- vma_index.c: an address space's own. The rest of the index is in mm/mm.h ---- */

void vma_index_init(void); /* once at boot */
/* An empty index of the kind that the knob names. False when out of memory. */
bool vma_index_create(struct mm *mm);
/* Frees what the index is made of, not the vmas, which may be gone already. */
void vma_index_destroy(struct mm *mm);
/* The next vma_insert() will not need memory. False when out of memory. mmap_lock held for writing. */
bool vma_index_reserve(struct mm *mm);
void vma_index_validate(struct mm *mm);

void vma_cache_init(void);
/*
 * Not yet in the index; takes its own file reference. NULL when out of memory. The index of mm has what it takes to
 * insert this one vma, before any other is allocated. mmap_lock held for writing.
 */
struct vma *vma_alloc(struct mm *mm, const struct vma_desc *d);
/* Drops the file reference and frees; the vma is in no index, no mapping and no anon_vma. By RCU: some fault may just have found it. */
void vma_free(struct vma *vma);
/* The same at once: its address space has no task. */
void vma_free_at_exit(struct vma *vma);
/* Frees the one that is kept for the next vma_alloc(). */
void vma_free_spare(struct mm *mm);
/* Puts the vma into the index, between its neighbours, and into its mapping's list. */
void vma_link(struct mm *mm, struct vma *vma, const struct vma_neighbours *nb);
/* Takes the vma off its mapping's list, so that truncate no longer finds it. */
void vma_unlink_mapping(struct vma *vma);
/*
 * Grows a neighbour (or joins two) over d's range, which must be free. Returns the vma that now covers it, or
 * NULL when neither neighbour fits, or when there is no memory for what d->anon needs.
 */
struct vma *vma_merge_new(struct mm *mm, const struct vma_desc *d, const struct vma_neighbours *nb);
/* Cuts vma at addr: vma keeps the lower part, the upper part is returned. ERR_PTR(-ENOMEM). */
struct vma *vma_split(struct mm *mm, struct vma *vma, unsigned long addr);
/*
 * Gives [start, end) of vma new flags, merging with neighbours or splitting off the rest. Returns the
 * vma that covers the range now. ERR_PTR(-ENOMEM) changes nothing but may leave vma split.
 */
struct vma *vma_modify(struct mm *mm, struct vma *vma, unsigned long start, unsigned long end,
		       unsigned long flags);
/* Moves one boundary of a linked vma; the index order must stay. pgoff follows start. */
void vma_set_range(struct mm *mm, struct vma *vma, unsigned long start, unsigned long end);
/*
 * Who finds the vma from a page of its file or an anonymous one waits: its boundaries change, or its entries move.
 * The locks of its mapping and of its anon_vmas; the latter are those of every vma with the same links.
 */
static inline void vma_rmap_lock(const struct vma *vma)
{
	if (vma->mapping)
		down_write(&vma->mapping->i_mmap_lock);
	anon_vma_lock(vma);
}

static inline void vma_rmap_unlock(const struct vma *vma)
{
	anon_vma_unlock(vma);
	if (vma->mapping)
		up_write(&vma->mapping->i_mmap_lock);
}

/*
 * PTE bits for flags. Private writable pages get no PTE_W: the write fault decides; nor do those of files with a
 * backing store, so that the write fault can make them dirty.
 */
pte_t vm_page_prot(unsigned long flags, const struct mapping *m);

static inline bool vma_is_anonymous(const struct vma *vma)
{
	return !vma->mapping;
}

/* Someone counts the vmas of its file: none of them goes by merging. */
static inline bool vma_is_watched(const struct vma *vma)
{
	return vma->mapping && vma->mapping->watch;
}

/* memfd_secret(): nothing but an access through the mapping itself may reach the pages. */
static inline bool vma_is_secret(const struct vma *vma)
{
	return vma->mapping && (RACY_READ(vma->mapping->flags) & MAPPING_SECRET);
}

/* The lowest address that a vma keeps from others. */
static inline unsigned long vma_start_gap(const struct vma *vma)
{
	unsigned long guard = knob_stack_guard_gap << PAGE_SHIFT;

	if (likely(!(vma->flags & VM_GROWSDOWN)))
		return vma->start;
	return vma->start > guard ? vma->start - guard : 0;
}

static inline bool vma_is_shared(const struct vma *vma)
{
	return vma->flags & VM_SHARED;
}

/* The page offset of an address inside the vma. */
static inline unsigned long vma_index(const struct vma *vma, unsigned long addr)
{
	return vma->pgoff + ((addr - vma->start) >> PAGE_SHIFT);
}

/* mm.c: an mm with page tables and nothing else. NULL when out of memory. */
struct mm *mm_alloc(void);

/* ---- account.c: what may be mapped ---- */

/* Adds pages (or takes, when negative) of a vma with these flags to the mm's totals. */
void vm_stat_account(struct mm *mm, unsigned long flags, long pages);
/* RLIMIT_AS and RLIMIT_DATA would allow pages more. */
bool may_expand_vm(struct mm *mm, unsigned long flags, unsigned long pages);
/* Private writable memory is promised in advance. */
bool vm_is_accountable(unsigned long flags);
/* 0 or -ENOMEM. */
int vm_commit_charge(unsigned long pages);
/* Without a check: pages whose promise moves from one vma to another. */
void vm_commit_add(unsigned long pages);
void vm_commit_uncharge(unsigned long pages);
unsigned long vm_committed(void);
/* RLIMIT_MEMLOCK would allow pages more of locked memory. */
bool may_lock_pages(const struct mm *mm, unsigned long pages);
/* The caller may lock memory at all: its limit is not 0 bytes. */
bool may_lock_anything(void);

/* ---- knob values, in the order of knobs.def ---- */

enum { THP_ALWAYS, THP_MADVISE, THP_NEVER };
enum { FAULT_LOCK_MMAP, FAULT_LOCK_VMA };
enum { POPULATE_INCREMENTAL, POPULATE_UNDER_WRITE_LOCK, POPULATE_EAGER };
enum { MUNLOCK_WALK, MUNLOCK_GUP };
enum { LOCKONFAULT_VMA, LOCKONFAULT_MM };
enum { MLOCK_ERROR_KEEP, MLOCK_ERROR_ROLLBACK };
enum { MLOCK_COUNT_PAGE, MLOCK_COUNT_RMAP };

/* ---- mlock.c ---- */

/* The lock bits of a new vma, and whether it is to be filled: what mlockall(MCL_FUTURE) left behind. */
unsigned long future_lock_flags(const struct mm *mm);
bool future_populates(const struct mm *mm);

/* ---- unmap.c: entries out, TLB flushed, only then frames freed ---- */

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
/* Flushes and frees all that was gathered; the batch may be used on. */
void unmap_batch_flush(struct unmap_batch *b);
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
/* The ceiling when no vma is above. */
#define TABLES_CEILING (TASK_SIZE + PAGE_SIZE)

/*
 * Where a mapping of len bytes goes: addr itself when MAP_FIXED or when the hint fits. The address or -errno.
 * mmap_lock held for writing.
 */
unsigned long get_unmapped_area(struct mm *mm, unsigned long addr, unsigned long len,
				unsigned long map_flags);
/* mm_munmap() with mmap_lock held for writing: [start, end) aligned, user space. 0 or -ENOMEM (nothing done). */
int munmap_locked(struct mm *mm, unsigned long start, unsigned long end);

/* ---- fault.c, anon.c, filemap.c: the phases ---- */

#define FAULT_IO_MAJOR 1u   /* I/O was started or waited for */
#define FAULT_IO_DIRTIED 2u /* a page of a file with a store became dirty: balance_dirty() */

/* Everything one pass of the handler learns. Thrown away on FAULT_RETRY. */
struct fault_ctx {
	unsigned long addr; /* page-aligned */
	bool write;
	bool exec;
	bool vma_locked; /* the vma's lock is held, and not mmap_lock */
	bool force;	 /* populate: override a missing VM_READ; ptrace: a missing VM_WRITE */
	u8 io; /* FAULT_IO_*: what is left to do when the fault is over; stays through retries */
	struct vma *vma; /* set by fault_lookup() */
	pte_t *pte;	 /* set by fault_get_folio(), unless the caller knows it (populate) */
	pte_t old;	 /* the entry as fault_get_folio() saw it */
	pte_t new;	 /* the entry to install; 0: nothing to install, all done */
	struct folio *
		folio; /* what new maps, with the reference the entry will own; NULL: the zero page */
	struct folio *old_folio; /* COW source, with a reference to drop */
	struct folio
		*locked;    /* a page-cache page (folio or old_folio), locked against truncation */
	bool new_anon;	    /* folio is fresh and goes to the LRU */
	struct folio *wait; /* FAULT_WAIT: with a reference, fault_wait()'s */
};

/* The vma stays as it is, and so do its page tables. */
static inline void fault_assert_locked(const struct fault_ctx *f)
{
	ASSERT(f->vma_locked ? READ_ONCE(f->vma->readers)
			     : rwsem_is_locked(&f->vma->mm->mmap_lock));
}

/*
 * Before the fault maps a new anonymous page: anon_vma_prepare(). Failure is FAULT_OOM, which a fault with the vma's lock
 * alone answers by taking mmap_lock. 0, -ENOMEM, -EAGAIN.
 */
int fault_make_anon_vma(const struct fault_ctx *f);
static __always_inline int __must_check fault_anon_vma(const struct fault_ctx *f)
{
	if (likely(__atomic_load_n(&f->vma->anon_vma, __ATOMIC_ACQUIRE)))
		return 0;
	return fault_make_anon_vma(f);
}

/*
 * Phases 2 to 4. mmap_lock held for reading; addr, vma, pte (or NULL), write, exec and force set, and the
 * access known to be allowed. FAULT_RETRY: the entry changed meanwhile, look again. FAULT_WAIT: it takes I/O; drop
 * mmap_lock, fault_wait(f->wait), and look again from the start.
 */
enum fault_result fault_once(struct mm *mm, struct fault_ctx *f);
/* Waits for a page being read, drops the reference. FAULT_RETRY, FAULT_BUS (-EIO) or FAULT_KILLED. */
enum fault_result fault_wait(struct folio *folio);
/* A failed fault on behalf of a system call, as an errno; otherwise: what a page that is not to be had is there. */
static inline int fault_errno(enum fault_result r, int otherwise)
{
	return r == FAULT_OOM ? -ENOMEM : r == FAULT_KILLED ? -EINTR : otherwise;
}
/* Phase 2 for an empty entry and for a write to a read-only one. */
enum fault_result anon_get_folio(struct fault_ctx *f);
enum fault_result anon_write_protected(struct fault_ctx *f);
enum fault_result swap_get_folio(struct fault_ctx *f); /* for a swap entry */
enum fault_result filemap_get_fault_folio(struct mm *mm, struct fault_ctx *f);
/* Phase 2 for a migration entry: waits until it is gone, with mmap_lock held; then FAULT_RETRY. */
enum fault_result migration_entry_wait(struct fault_ctx *f);
/* MADV_WILLNEED: starts reading what of [start, end) is in swap. mmap_lock held. */
void swap_willneed(struct mm *mm, unsigned long start, unsigned long end);
/* fault_wait() for a folio of the swap cache. Drops the reference. */
enum fault_result swap_wait(struct folio *folio);
/*
 * Phase 3's part for a swap entry: its place is taken by f->new, which maps f->folio. Page-table lock held, folio
 * locked.
 */
void swap_replace_entry(struct mm *mm, struct fault_ctx *f);
/* fault_once() for an entry that was seen to be this swap entry; FAULT_RETRY when it is not any more. */
enum fault_result fault_swap_entry(struct mm *mm, struct fault_ctx *f, pte_t swapped);
/* The folio of the only entry that maps it leaves the swap cache: true when it is that entry's alone now. PTL held. */
bool swap_make_alone(struct folio *folio);
/* Maps what is cached around a read fault. Page-table lock not held. */
void filemap_fault_around(struct mm *mm, struct fault_ctx *f);
/* A fresh anonymous folio for vma, contents not set unless zero. NULL when out of memory. */
struct folio *anon_folio_alloc(const struct fault_ctx *f, bool zero);
/*
 * Ends a change of the layout that wants [start, end) filled (empty: nothing): drops mmap_lock, held for
 * writing, and populates, in the order that knob populate says. Result as mm_populate().
 */
int mmap_write_unlock_populate(struct mm *mm, unsigned long start, unsigned long end,
			       unsigned int how);
/*
 * munlock=gup: faults in what is locked in [start, end), which is about to be unlocked, as Linux did until 2009.
 * Held for writing.
 */
void munlock_by_gup(struct mm *mm, unsigned long start, unsigned long end);
/* mmap_lock held for reading: lets a waiting writer or another task have its turn, and holds it again. */
void mmap_read_yield(struct mm *mm);
/*
 * Population's short way: new zeroed pages for up to n entries from pte, all in one table and none, of a private
 * anonymous writable vma. How many it filled: fewer when an entry is in use or memory ran out. mmap_lock held.
 */
unsigned int anon_populate(struct mm *mm, struct vma *vma, unsigned long addr, pte_t *pte,
			   unsigned int n);
#define ANON_POPULATE_MAX 16UL
/* Populate writes to a vma when its pages would become private copies anyway, else it reads; never a file dirtied. */
static inline bool populate_writes(const struct vma *vma)
{
	return (vma->flags & (VM_WRITE | VM_SHARED)) == VM_WRITE;
}
/* The bits of an entry that populate leaves as it is. */
static inline pte_t populate_wants(const struct vma *vma)
{
	return populate_writes(vma) ? PTE_P | PTE_W : PTE_P;
}
/* MADV_POPULATE_READ and _WRITE: strict, no override of rights. 0, -ENOMEM, -EINVAL, -EFAULT, -EINTR. */
int populate_advice(struct mm *mm, unsigned long start, unsigned long end, bool write);
/* Grows the GROWSDOWN vma above addr down to it. mmap_lock held for writing. */
enum fault_result stack_grow(struct mm *mm, unsigned long addr);

static inline enum rss_kind folio_rss_kind(const struct folio *folio)
{
	if (folio_test(folio, PG_anon))
		return RSS_ANON;
	return folio_test(folio, PG_swapbacked) ? RSS_SHMEM : RSS_FILE;
}

/*
 * An anonymous folio is about to be mapped at addr for the first time: it can be found from now on. After
 * anon_vma_prepare(). shared: its contents came from swap, and other vmas of the fork tree may come to map it.
 */
static inline void folio_set_anon(struct folio *folio, const struct vma *vma, unsigned long addr,
				  bool shared)
{
	folio->anon_vma = shared ? vma->anon_vma->root : vma->anon_vma;
	folio->index = vma_index(vma, addr);
}

/* A page-table entry now maps the folio. Page-table lock held. */
static inline void folio_add_rmap(struct folio *folio)
{
	if (atomic_add_return(&folio->mapcount, 1) == 1)
		stat_inc(folio_test(folio, PG_anon) ? NR_ANON_PAGES : NR_FILE_MAPPED);
}

/* ---- split.c ---- */

/* Some pages of the folio are mapped no more: it is split when memory is short. Any spinlock but lru_lock may be held. */
void split_later(struct folio *folio);
/* It dies. */
void split_forget(struct folio *folio);
void split_init(void);
/*
 * The folio becomes its first page; the others are folios of their own, on the lists where they belong, or free when
 * nobody maps them. False: somebody else has a reference, or a lock is busy; all is as it was. Folio locked and isolated,
 * the caller's reference is the only one that is no entry's. No spinlock held.
 */
bool split_folio(struct folio *folio);
/* The same for one that may be on a list; its lock is only tried. The caller has a reference. */
bool split_mapped_folio(struct folio *folio);
/* Splits up to max folios that wait for it. Pages that are free now. */
unsigned long split_deferred(unsigned long max);

/* ---- large.c: the counts of large folios. Page-table lock of the entries held ---- */

/* The counts of a new one. */
void large_init(struct folio *folio);
/*
 * One entry for each page of a new anonymous folio, which nobody else has yet, and a reference for each. huge: their table
 * is promoted.
 */
void large_map_new(struct folio *folio, bool mlocked, bool huge);
/* n entries that map n pages from page were made, or cleared. References and rss are the caller's. */
void large_map(struct folio *folio, struct page *page, unsigned int n);
/* True: some pages are mapped no more, and others are; split_later(). */
bool large_unmap(struct folio *folio, struct page *page, unsigned int n);
/* The same for a promoted table. */
void large_map_whole(struct folio *folio);
bool large_unmap_whole(struct folio *folio);
/* A promoted table is not any more, and the other way round: nothing is mapped or unmapped. */
void large_map_apart(struct folio *folio);
void large_map_together(struct folio *folio);
/* Pages that are mapped at all. */
int large_nr_mapped(const struct folio *folio);
/* PTE_MLOCKED was set, or cleared, in them. */
void large_mlock(struct folio *folio, struct page *page, unsigned int n);
void large_munlock(struct folio *folio, struct page *page, unsigned int n);
/*
 * How many entries from pte, which maps a page of a large folio, at most max, map its pages in order, with the same bits
 * but for PTE_A and PTE_D.
 */
unsigned int large_run(const pte_t *pte, unsigned int max);

/* Entries that map one page of any folio: one more, one fewer; PTE_MLOCKED set, cleared. Page-table lock held. */
static inline void page_add_rmap(struct folio *folio, struct page *page)
{
	if (unlikely(folio_is_large(folio)))
		large_map(folio, page, 1);
	else
		folio_add_rmap(folio);
}

static inline void page_remove_rmap(struct folio *folio, struct page *page)
{
	if (unlikely(folio_is_large(folio))) {
		if (large_unmap(folio, page, 1))
			split_later(folio);
	} else if (atomic_dec_and_test(&folio->mapcount))
		stat_add(folio_test(folio, PG_anon) ? NR_ANON_PAGES : NR_FILE_MAPPED, -1);
}

/* ---- huge.c: tables that map 2 MiB as one. Page-table lock held ---- */

void __huge_demote(pte_t *pte);
struct folio *__huge_suspend(pte_t *pte);
/* Entries of pte's table are about to change: what they map, or their rights. */
static inline void huge_demote(pte_t *pte)
{
	if (unlikely(pte_is_promoted(pte)))
		__huge_demote(pte);
}
/*
 * All entries of pte's table are about to change in the same way, to move, or to go. The folio if it was promoted, or NULL:
 * its map counts still say so, and huge_resume() or large_unmap_whole() comes before the lock is dropped.
 */
static inline struct folio *huge_suspend(pte_t *pte)
{
	return unlikely(pte_is_promoted(pte)) ? __huge_suspend(pte) : NULL;
}
/* The entries are in the table of va now; promoted again if they are still what that takes. */
void huge_resume(struct mm *mm, unsigned long va, pte_t *pte, struct folio *folio);
/* The table of va may be promoted later, if there is memory for that. mmap_lock held, no spinlock. */
static inline void huge_prepare(struct mm *mm, unsigned long va)
{
	if (pgtable_prepare_promotion(&mm->pgt, va))
		return; /* pgtable_is_prepared() says so */
}
/* The table of va, which is prepared, is what pgtable_promote() wants, and its folio's map counts say that it is promoted. */
void huge_promote(struct mm *mm, unsigned long va, pte_t *pte);
/* All entries of the table, from its first, are as pgtable_promote() wants them, and map a large folio. */
bool huge_is_whole(const pte_t *table);
/* Promotes a table whose entries are counted one by one, if it is prepared and whole. */
void huge_promote_if_whole(struct mm *mm, unsigned long va, pte_t *pte);
/* vma is about to end or to begin at va, in the middle of what may be mapped as one. mmap_lock held for writing. */
void huge_demote_at(struct mm *mm, unsigned long va);

/* ---- thp.c: which sizes a fault may use ---- */

/* Orders that anonymous memory can have. */
#define THP_ORDERS ((2UL << PMD_ORDER) - (1UL << THP_MIN_ORDER))

/* One more of order; those of PMD_ORDER are in /proc/vmstat, too. */
void thp_count(unsigned int order, enum thp_event event);

/* Bit n: order n. */
unsigned long thp_fault_orders(const struct vma *vma);
/* A fault in the vma that finds no block of 2 MiB tries to make one. */
bool thp_fault_compacts(const struct vma *vma);
/*
 * A write fault on a none entry, or population: a large folio of one of these orders, as large as fits and as there is.
 * mm/anon_large.c. False: it does not fit, or there is no such block. mmap_lock held.
 */
bool anon_fault_large(struct fault_ctx *f, unsigned long orders);
/* A large anonymous folio that is nobody's yet, or NULL. */
struct folio *anon_large_alloc(gfp_t gfp, unsigned int order);
/*
 * The entries of [addr, addr + its size), from pte, which are none, map the folio from now on. promote: as one, which is
 * prepared. folio_set_anon() was called, page-table lock held.
 */
void anon_install_large(struct vma *vma, unsigned long addr, pte_t *pte, struct folio *folio,
			bool promote);

/* ---- collapse.c ---- */

/* Entries that are none, in swap, and map pages that others map, too: more of them, and it is not worth it. */
struct collapse_limits {
	unsigned int none, swapped, shared;
	gfp_t gfp; /* of the folio */
};

#define COLLAPSE_NOTHING_TO_DO 1

/* Some 2 MiB of the vma, anonymous memory that was used already, could be one folio. mmap_lock held. */
bool collapse_suits(const struct vma *vma);
/*
 * [addr, addr + PMD_SIZE) becomes one folio. 0, COLLAPSE_NOTHING_TO_DO when it is one, or -EINVAL: not in one vma that
 * suits, or beyond the limits; -ENOMEM, -EINTR; -EAGAIN: somebody uses a page right now. No lock held.
 */
int mm_collapse(struct mm *mm, unsigned long addr, const struct collapse_limits *limits);
/* MADV_COLLAPSE, errors as madvise(2). */
int collapse_advice(struct mm *mm, unsigned long start, unsigned long end);

/* ---- khugepaged.c ---- */

/* The address space may have something to collapse, until its end. Any lock may be held. */
void __khugepaged_enter(struct mm *mm);
static inline void khugepaged_enter(struct mm *mm)
{
	if (unlikely(!READ_ONCE(mm->khugepaged)))
		__khugepaged_enter(mm);
}
/* It ends. */
void khugepaged_exit(struct mm *mm);

/* ---- folio.c, lru.c ---- */

/* The contents. Both are of the same order. */
static inline void folio_copy(struct folio *to, struct folio *from)
{
	for (unsigned long i = 0; i < folio_nr_pages(from); i++)
		copy_page(page_address(folio_page(to, i)), page_address(folio_page(from, i)));
}

/*
 * Some of these folios became locked as a whole, or no longer are: each goes to the list where it belongs now,
 * whoever else changes it at the same time. They are mapped under a held page-table lock, or referenced.
 */
void lru_mlock_now(struct folio **folios, unsigned int n);
void lru_munlock_now(struct folio **folios, unsigned int n);
/* The same later, with others: mlock_batch.c. Every CPU drains its own batch. */
void mlock_batch_add(struct folio **folios, unsigned int n);
void mlock_batch_empty(void);

static inline bool mlock_batched(void)
{
	return unlikely(knob_mlock_batch > 1);
}
static inline void mlock_batch_drain(void)
{
	if (mlock_batched())
		mlock_batch_empty();
}
static inline void lru_mlock(struct folio **folios, unsigned int n)
{
	if (mlock_batched())
		mlock_batch_add(folios, n);
	else
		lru_mlock_now(folios, n);
}
static inline void lru_munlock(struct folio **folios, unsigned int n)
{
	if (mlock_batched())
		mlock_batch_add(folios, n);
	else
		lru_munlock_now(folios, n);
}
/* New folios in locked mappings, on no list: marked as locked, and bits set, at once; listed when the batch is drained. */
void mlock_batch_add_new(struct folio **folios, unsigned int n, unsigned long bits);
void lru_mark_mlocked(struct folio *folio, unsigned long bits);
void lru_add_marked(struct folio *folio);

/*
 * Knob mlock_count=rmap: mlock_count of a folio of one page is not 0 while it is locked, and after an entry lost
 * PTE_MLOCKED all others are looked at, when no page-table lock is held any more: mlock_rmap.c. Folios referenced.
 */
static inline bool mlock_by_rmap(void)
{
	return unlikely(knob_mlock_count == MLOCK_COUNT_RMAP);
}
void mlock_recount(struct folio **folios, unsigned int n);
/* Entries [pte, end) of one table, as mark_table() in mlock.c. Its lock not held. */
void mark_by_rmap(pte_t *pte, const pte_t *end, bool lock);

/* True: mlock_count became 1, lru_mlock() is to be told. */
static inline bool mlock_count_up(struct folio *folio)
{
	if (mlock_by_rmap())
		return atomic_xchg(&folio->mlock_count, 1) == 0;
	return atomic_add_return(&folio->mlock_count, 1) == 1;
}
/* True: it became 0, or may have: folios_munlocked(). */
static inline bool mlock_count_down(struct folio *folio)
{
	return mlock_by_rmap() || atomic_dec_and_test(&folio->mlock_count);
}
/* mlock_count_down() said so of some of these. Referenced, no page-table lock held. */
static inline void folios_munlocked(struct folio **folios, unsigned int n)
{
	if (mlock_by_rmap())
		mlock_recount(folios, n);
	else
		lru_munlock(folios, n);
}

/*
 * One more, one fewer locked mapping of a folio that the LRU may know: PTE_MLOCKED was just set or
 * cleared in an entry that maps it. The page-table lock is held, or a reference.
 */
static inline void page_mlock(struct folio *folio, struct page *page)
{
	if (unlikely(folio_is_large(folio)))
		large_mlock(folio, page, 1);
	else if (mlock_count_up(folio))
		lru_mlock(&folio, 1);
}

/* folios_munlocked() is owed when mlock_by_rmap(). */
static inline void page_munlock(struct folio *folio, struct page *page)
{
	if (unlikely(folio_is_large(folio)))
		large_munlock(folio, page, 1);
	else if (!mlock_by_rmap() && atomic_dec_and_test(&folio->mlock_count))
		lru_munlock(&folio, 1);
}

/*
 * Those of n referenced folios that are unevictable for no reason any more go to the list where they belong. How
 * many pages did.
 */
unsigned int lru_rescue(struct folio **folios, unsigned int n);
/* Drops one reference to each of n folios; those that die leave the LRU and are freed together. */
void folios_put(struct folio **folios, unsigned int n);
void folio_wait_init(void);
/*
 * Waits until the folio that a migration entry names is unlocked: its mover is done. No reference, which would keep it
 * from moving. The page-table lock of the entry is held, and dropped.
 */
void folio_wait_moved(struct folio *folio, spinlock_t *ptl);
void lru_init(void);
/* A folio that is on no list joins the one its flags name. */
void lru_add(struct folio *folio);
/* The same for a new anonymous page, which no other thread can reach yet: no lock that CPUs share is taken. */
void lru_add_new(struct folio *folio);
/* The same for n of them, all locked or none. */
void lru_add_new_run(struct folio **folios, unsigned int n);
/* Takes those of n folios that are on a list off it. Their refcounts are 0. */
void lru_del_dead(struct folio **folios, unsigned int n);

/*
 * MADV_COLD, MADV_PAGEOUT, MADV_FREE for [start, end) inside vma. mmap_lock held for reading. 0, -EINVAL for memory
 * that the advice is not for.
 */
int advise_reclaim(struct vma *vma, unsigned long start, unsigned long end, int advice);

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
 * Looks at up to max folios from the end of a list and moves those that live to `to` (by folio->lru, oldest last),
 * each with a reference. How many it looked at.
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

/* ---- workingset.c: pages that were reclaimed not long ago ---- */

/* Time, as refault distances count it: pages evicted and activated. */
void workingset_age(unsigned long pages);
/* What a reclaimed page was: key names it until it comes back. */
u64 workingset_file_key(const struct mapping *m, unsigned long index);
u64 workingset_swap_key(swp_entry_t swp);
void workingset_eviction(u64 key, bool was_workingset);
/* A new folio holds the page again. When it comes back soon after it was reclaimed, it starts active. */
void workingset_refault(u64 key, struct folio *folio);

/* ---- reclaim.c, alloc_slow.c ---- */

/* What the zone's lists and this CPU's have, as long as keep pages stay in the zone. Any context. */
struct page *buddy_alloc(gfp_t gfp, unsigned int order, unsigned long keep);
/* The same after collecting what other CPUs and caches keep for later, unless the caller may not sleep. */
struct page *buddy_collect(gfp_t gfp, unsigned int order);
/* The allocation when free pages are below the low watermark. NULL: there is nothing to be done. */
struct page *alloc_when_short(gfp_t gfp, unsigned int order);
/*
 * Compaction for an allocation of this order: true when there is a free block of that size now, or above it. mm/compaction.c.
 * Allocates nothing and waits for no lock that an allocation may be under.
 */
bool compact_for(unsigned int order);
/* For compaction. The free blocks of the pageblock at pfn, allocated and put on free by their order; unless one is as
 * large as the pageblock, or memory is short. How many pages.
 */
unsigned long buddy_take_block(unsigned long pfn, struct list_head *free);
bool buddy_has_block(unsigned int order);
/* A folio as folio_alloc() returns it, of allocated pages. */
struct folio *folio_make(struct page *page, unsigned int order);
/* Gives this CPU's lists back. */
void drain_this_pcp(void);
/* Wakes kswapd, unless its work has been in vain for a while. Any context. */
void kswapd_wake(void);
/* Somebody else reclaimed something: kswapd may try again. */
void kswapd_encourage(void);
/* Reclaim of files, or of anonymous pages, cost so many page transfers lately. */
void reclaim_note_cost(bool file, unsigned long pages);
unsigned long int_sqrt(unsigned long x);

/* Nothing keeps it in memory: reclaim may have it. */
static inline bool folio_evictable(const struct folio *folio)
{
	return !folio_is_mlocked(folio);
}

/* A page of tmpfs or of shared anonymous memory. */
static inline bool folio_is_shmem(const struct folio *folio)
{
	return (READ_ONCE(folio->flags) & (1UL << PG_anon | 1UL << PG_swapbacked |
					   1UL << PG_swapcache)) == 1UL << PG_swapbacked;
}

/* A round of reclaim in the caller's context, for an allocation of this order. Pages reclaimed. */
unsigned long try_to_free_pages(unsigned int order);
/* Reclaims isolated folios (MADV_PAGEOUT); the others go back. Pages reclaimed. */
unsigned long reclaim_folios(struct list_head *folios);

/*
 * rmap.c: the entry at addr is about to lose rights, or to go. Its page-table lock held: who finds it changed sees
 * mm->unflushed.
 */
struct unflushed;
void flush_later(struct unflushed *u, struct mm *mm, unsigned long addr);

/* ---- shmem.c: pages of tmpfs in swap ---- */

/* The slot of such a page, as it stands in mapping->folios. */
static inline void *swp_to_value(swp_entry_t swp)
{
	return (void *)(swp << 1 | 1);
}

static inline swp_entry_t value_to_swp(const void *value)
{
	return (unsigned long)value >> 1;
}

/*
 * The page at index, brought back if it is in swap, with a reference; NULL when there is none. *io: FAULT_IO_MAJOR
 * when reading was started. ERR_PTR: -ENOMEM, -EIO. May sleep.
 */
struct folio *shmem_get_folio(struct mapping *m, unsigned long index, u8 *io);
/* The page at index, whose slot this value is, is no more. False: it is somewhere else now. */
bool shmem_drop_value(struct mapping *m, unsigned long index, void *value);
/* MADV_WILLNEED: starts reading what of [first, last] is in swap. */
void shmem_willneed(struct mapping *m, unsigned long first, unsigned long last);
/* The mapping has no pages any more, and ends. */
void shmem_mapping_gone(struct mapping *m);
/* Debug: visits the slot of every page of every file that is in swap. visit() may not sleep. May sleep itself. */
void shmem_for_each_slot(void (*visit)(void *arg, swp_entry_t swp), void *arg);
/* Pages of [first, last] that are in swap. */
unsigned long shmem_swapped_pages(struct mapping *m, unsigned long first, unsigned long last);
/* swapoff: all pages of all files that are in the area of this number. 0, -ENOMEM, -EIO, -EINTR. */
int shmem_bring_back(unsigned long area);

/* ---- guard.c: mmap_lock held for reading ---- */

/* Drops what is in [start, end) of vma and puts guards there. 0, -EINVAL, -ENOMEM, -EINTR. */
int guard_install(struct vma *vma, unsigned long start, unsigned long end);
/* Takes away the guards, and nothing else. 0 or -EINVAL. */
int guard_remove(struct vma *vma, unsigned long start, unsigned long end);

/* ---- validate.c ---- */

/*
 * mm_validate() after a change, in debug builds with knob validate=on. Its cost grows with the address
 * space, so a large one is checked only every so many changes.
 */
#ifdef CONFIG_DEBUG
void validate_mm(struct mm *mm);
#else
static inline void validate_mm(struct mm *mm)
{
	(void)mm;
}
#endif

#endif
