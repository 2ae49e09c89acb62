/* SPDX-License-Identifier: MIT
 *
 * struct page: 64 bytes for every frame of RAM. A folio is a power-of-two run of frames handled as one
 * object; its first frame's descriptor is the folio, the others (tails) point to it.
 *
 * Lock letters: [I] fixed while the folio is allocated, [A] atomic, [P] page-table lock of an entry that
 * maps it, [F] folio lock, [L] lru_lock, [M] the mapping's lock, [Z] zone lock (free frames only).
 */
#ifndef MM_PAGE_H
#define MM_PAGE_H

#include <arch/page.h>
#include <kern/atomic.h>
#include <kern/list.h>
#include <kern/types.h>
#include <sync/spinlock.h>

enum page_flag {
	PG_locked,	/* [A] the folio lock */
	PG_uptodate,	/* [A] contents valid */
	PG_dirty,	/* [A] newer than its backing store */
	PG_lru,		/* [L] on an LRU list */
	PG_active,	/* [L] on an active list */
	PG_referenced,	/* [A] second chance */
	PG_swapbacked,	/* [I] anonymous or tmpfs: written to swap, not to a file */
	PG_unevictable, /* [L] on the unevictable list */
	PG_mlocked,	/* [L] mlock_count is not 0, as far as the LRU has heard */
	PG_anon,	/* [I] anonymous: index is an address in pages */
	PG_writeback,	/* [A] being written */
	PG_reserved,	/* [I] not the allocator's: kernel image, zero page, initrd */
	PG_buddy,	/* [Z] free, head of a buddy block; order valid */
	PG_slab,	/* [I] belongs to the slab allocator */
	PG_pgtable,	/* [I] a page-table page */
	PG_tail,	/* [I] not the first frame of its folio */
	PG_waiters,	/* [A] someone sleeps on PG_locked or PG_writeback */
	PG_data,	/* [A] tmpfs: was mapped, so its zeroes are data like written ones */
	PG_swapcache,	/* [F] has a swap slot: swap */
	PG_reclaim,	/* [A] to be reclaimed as soon as it is written */
	PG_workingset,	/* [A] was active once */
	PG_readahead,	/* [A] read ahead of need: whoever comes to it has the next window read */
	PG_error,	/* [A] its latest write to the backing store failed */
	PG_large, /* [I] user data of more than one page: the counts of each page are kept, too */
};

struct mapping;
struct anon_vma;

/*
 * A swap slot: which area in the upper bits, which slot in the lower ones (mm/swap.h). 0: none, for slot 0
 * holds the header. As a page-table entry: arch/pgtable.h.
 */
typedef u64 swp_entry_t;

/* The descriptor of any frame. What follows flags depends on the frame's use. */
struct page {
	unsigned long flags; /* PG_* */
	union {
		struct {			     /* free: PG_buddy, or on a per-CPU list */
			struct list_head buddy_list; /* [Z] */
			unsigned int buddy_order;    /* [Z] */
			unsigned int buddy_mobility; /* [Z] of its list: mm/buddy.c */
		};
		struct {		    /* PG_tail */
			struct folio *head; /* [I] */
			atomic_t
				page_maps; /* [A] PG_large: entries of tables that are not promoted */
			atomic_t page_mlocks; /* [A] those of them with PTE_MLOCKED */
			struct {	      /* the first tail: more about its PG_large folio */
				atomic_t head_maps;   /* page_maps of the head */
				atomic_t head_mlocks; /* page_mlocks of the head */
				atomic_t
					nr_mapped; /* [A] pages with page_maps, and HUGE_MAP for each of huge_maps */
				atomic_t nr_mlocked;	   /* [A] pages that are locked at all */
				struct list_head deferred; /* queue of mm/split.c, or empty */
				atomic_t huge_maps; /* [A] promoted tables: each maps all pages */
			};
		};
		struct {		      /* PG_pgtable */
			spinlock_t ptl;	      /* of this table's entries */
			u32 pt_used;	      /* [ptl] last level: entries that are not none */
			u64 pt_groups;	      /* [ptl] last level: where they are, pte_group() */
			struct page *pt_next; /* chain of tables waiting for a TLB flush */
			union {
				/* last level, promoted: the upper entry that maps its range as one page */
				u64 *pt_huge; /* [ptl] */
				/* the level above: the last-level tables of entries that are, or were, promoted */
				u64 **pt_below; /* [I] once it is there */
			};
			struct pgtable *pt_owner; /* [ptl] while it is promoted */
		};
		unsigned long words[7];
	};
};

struct folio {
	union {
		struct {
			unsigned long flags;  /* PG_* */
			struct list_head lru; /* [L] while PG_lru; else its owner's */
			union {
				struct mapping
					*mapping; /* [M][F] page cache; NULL when truncated */
				struct anon_vma *
					anon_vma; /* [F] PG_anon: who may map it; set when first mapped */
			};
			unsigned long
				index; /* [I] pages: offset in the mapping, or as vma_index() says */
			atomic_t refcount;    /* [A] 0: free */
			atomic_t mapcount;    /* [P] page-table entries that map one of its pages */
			atomic_t mlock_count; /* [P] those of them with PTE_MLOCKED */
			u8 order;	      /* [I] 2^order pages */
			u8 lru_cpu; /* [L] while PG_lru: 0, or 1 + the CPU whose new folios it is among */
			swp_entry_t swap; /* [F] PG_swapcache: its slot */
		};
		struct page page;
	};
};

_Static_assert(sizeof(struct page) == 64, "struct page is 64 bytes");
_Static_assert(sizeof(struct folio) == 64, "a folio is its first page");

#define page_to_pfn(p) ((unsigned long)((const struct page *)(p)-mem_map))
#define pfn_to_page(pfn) (mem_map + (pfn))
#define page_to_phys(p) ((phys_t)page_to_pfn(p) << PAGE_SHIFT)
#define page_address(p) phys_to_virt(page_to_phys(p))
#define virt_to_page(va) pfn_to_page(virt_to_phys(va) >> PAGE_SHIFT)

static inline struct folio *page_folio(struct page *p)
{
	return unlikely(RACY_READ(p->flags) & (1UL << PG_tail)) ? p->head : (struct folio *)p;
}

static inline struct page *folio_page(struct folio *f, unsigned long n)
{
	return &f->page + n;
}

static inline struct folio *pfn_folio(unsigned long pfn)
{
	return page_folio(pfn_to_page(pfn));
}

static inline unsigned long folio_pfn(const struct folio *f)
{
	return page_to_pfn(&f->page);
}

static inline unsigned long folio_nr_pages(const struct folio *f)
{
	return 1UL << f->order;
}

static inline bool folio_is_large(const struct folio *f)
{
	return RACY_READ(f->flags) & (1UL << PG_large);
}

/* Which page of its folio. */
static inline unsigned long folio_page_idx(const struct folio *f, const struct page *p)
{
	return (unsigned long)(p - &f->page);
}

static inline bool folio_contains_pfn(const struct folio *f, unsigned long pfn)
{
	return pfn - folio_pfn(f) < folio_nr_pages(f);
}

/* How many entries map this very page; a promoted table is one. */
static inline int page_mapcount(struct page *p)
{
	struct folio *f = page_folio(p);
	struct page *tail = &f->page + 1;

	if (likely(!folio_is_large(f)))
		return atomic_read(&f->mapcount);
	return atomic_read(p == &f->page ? &tail->head_maps : &p->page_maps) +
	       atomic_read(&tail->huge_maps);
}

/* How many of them are PTE_MLOCKED. */
static inline atomic_t *page_mlocks(struct page *p)
{
	struct folio *f = page_folio(p);

	if (likely(!folio_is_large(f)))
		return &f->mlock_count;
	return p == &f->page ? &p[1].head_mlocks : &p->page_mlocks;
}

/*
 * All of the folio is locked, so it is unevictable. A large one of which only some pages are stays where reclaim finds
 * it, which splits it: docs/folios.md.
 */
static inline bool folio_is_mlocked(const struct folio *f)
{
	if (likely(!folio_is_large(f)))
		return atomic_read(&f->mlock_count) > 0;
	return atomic_read(&(&f->page)[1].nr_mlocked) == (int)folio_nr_pages(f);
}

static inline void *folio_address(const struct folio *f)
{
	return page_address(&f->page);
}

static inline bool folio_test(const struct folio *f, enum page_flag flag)
{
	return test_bit(flag, &f->flags);
}

static inline void folio_set(struct folio *f, enum page_flag flag)
{
	set_bit(flag, &f->flags);
}

static inline void folio_clear(struct folio *f, enum page_flag flag)
{
	clear_bit(flag, &f->flags);
}

/* Frees the folio for good: off the LRU, back to the buddy. Its refcount must be 0. */
void folio_free(struct folio *f);

static inline void folio_get(struct folio *f)
{
	ASSERT(atomic_read(&f->refcount) > 0);
	atomic_inc(&f->refcount);
}

static inline void folio_ref_add(struct folio *f, int n)
{
	ASSERT(atomic_read(&f->refcount) > 0);
	(void)atomic_add_return(&f->refcount, n);
}

/* Drops n references of which none is the last. */
static inline void folio_ref_sub(struct folio *f, int n)
{
	ASSERT(atomic_read(&f->refcount) > n);
	(void)atomic_sub_return(&f->refcount, n);
}

static inline void folio_put(struct folio *f)
{
	ASSERT(atomic_read(&f->refcount) > 0);
	if (atomic_dec_and_test(&f->refcount))
		folio_free(f);
}

/*
 * Somebody used the folio: the first time it is referenced, the second time it becomes active. For accesses that no
 * page-table entry records: read(2), write(2), populate.
 */
void folio_mark_accessed(struct folio *f);

/* The folio lock: sleeping, a bit in flags. Nests inside mmap_lock, outside page-table locks. */
void folio_lock_slow(struct folio *f);
int folio_lock_killable_slow(struct folio *f);
void folio_unlock_slow(struct folio *f);

extern u32 folio_lock_class; /* lockdep's; debug builds */

static inline bool folio_lock_fast(struct folio *f)
{
	return !test_and_set_bit(PG_locked, &f->flags);
}

static __always_inline bool folio_trylock(struct folio *f)
{
	if (!folio_lock_fast(f))
		return false;
	lockdep_acquire(&folio_lock_class, f, LOCKDEP_SLEEPING | LOCKDEP_TRY);
	return true;
}

static __always_inline void folio_lock(struct folio *f)
{
	lockdep_acquire(&folio_lock_class, f, LOCKDEP_SLEEPING);
	if (unlikely(!folio_lock_fast(f)))
		folio_lock_slow(f);
}

/* -EINTR when a fatal signal came first. */
static __always_inline int __must_check folio_lock_killable(struct folio *f)
{
	lockdep_acquire(&folio_lock_class, f, LOCKDEP_SLEEPING);
	return likely(folio_lock_fast(f)) ? 0 : folio_lock_killable_slow(f);
}

/*
 * A folio stays locked while it is read, but no task holds the lock: from here on it is the I/O's, whose end drops it
 * with folio_unlock_io().
 */
static inline void folio_lock_to_io(struct folio *f __maybe_unused)
{
	lockdep_release(f, LOCKDEP_SLEEPING);
}

static inline void folio_unlock_io(struct folio *f)
{
	unsigned long old;

	/* The bit is set: to subtract it is to clear it, and one instruction of the CPU, which to clear bits is not. */
	old = __atomic_fetch_sub(&f->flags, 1UL << PG_locked, __ATOMIC_RELEASE);
	ASSERT(old & (1UL << PG_locked));
	if (unlikely(old & (1UL << PG_waiters)))
		folio_unlock_slow(f);
}

static inline void folio_unlock(struct folio *f)
{
	lockdep_release(f, LOCKDEP_SLEEPING);
	folio_unlock_io(f);
}

/*
 * Written to its backing store: PG_writeback is set from start to end, and a reference held for it. start:
 * folio lock held, not dirty any more. end: from the end function of the bio. wait: reference held; sleeps.
 */
void folio_start_writeback(struct folio *f);
void folio_end_writeback(struct folio *f);
void folio_wait_writeback(struct folio *f);

/* A reference to one that may be about to die: false when it is. Something else keeps the memory a folio. */
static inline bool folio_try_get(struct folio *f)
{
	int old = atomic_read(&f->refcount);

	while (old > 0)
		if (__atomic_compare_exchange_n(&f->refcount.v, &old, old + 1, false,
						__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			return true;
	return false;
}

/*
 * Takes all of exactly n references at once, so that nobody else can find the folio any more. False when there are
 * others. Under the lock of whatever finds it: the mapping's or the swap area's.
 */
static inline bool folio_ref_freeze(struct folio *f, int n)
{
	return __atomic_compare_exchange_n(&f->refcount.v, &n, 0, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

static inline void folio_ref_unfreeze(struct folio *f, int n)
{
	ASSERT(atomic_read(&f->refcount) == 0);
	__atomic_store_n(&f->refcount.v, n, __ATOMIC_RELEASE);
}

/* The page of zeroes that read faults map: reserved, never counted, never on a list. */
extern struct page *zero_page_frame;
/* 2 MiB of the same, or NULL: mm/huge_zero.c. */
extern struct folio *huge_zero_folio;

static inline bool folio_is_huge_zero(const struct folio *f)
{
	return f == READ_ONCE(huge_zero_folio);
}

#endif
