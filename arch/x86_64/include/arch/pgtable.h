/* SPDX-License-Identifier: MIT
 *
 * Part of the seam: page tables as memory. Nothing here executes a privileged instruction, so the
 * host compiles the same file. Entry format: Intel SDM vol. 3A, 4.5, table 4-20.
 *
 * A PTE is in one of three states: none (0); present (a page, perhaps without access for PROT_NONE:
 * hardware P clear, PTE_PROTNONE set); or a swap entry (neither of the two bits, but PTE_SWAP): where the
 * page is, that it is just moving to another frame, or a marker that says why there is none.
 */
#ifndef ARCH_PGTABLE_H
#define ARCH_PGTABLE_H

#include <arch/page.h>
#include <kern/atomic.h>
#include <kern/types.h>
#include <mm/page.h>
#include <sync/spinlock.h>

typedef u64 pte_t;

#define PTE_P (1UL << 0) /* present */
#define PTE_W (1UL << 1) /* writable */
#define PTE_U (1UL << 2) /* user */
#define PTE_PWT (1UL << 3)
#define PTE_PCD (1UL << 4)
#define PTE_A (1UL << 5)	/* accessed */
#define PTE_D (1UL << 6)	/* dirty */
#define PTE_PS (1UL << 7)	/* a 2 MiB or 1 GiB page, in an upper level */
#define PTE_G (1UL << 8)	/* global, when P is set */
#define PTE_PROTNONE (1UL << 8) /* page without access, when P is clear */
#define PTE_SPECIAL (1UL << 9)	/* software: no struct page behind it counts (the zero page) */
#define PTE_MLOCKED (1UL << 10) /* software: counted in its folio's mlock_count */
#define PTE_SWAP (1UL << 1)	/* in an entry that is not present: a swap entry */
#define PTE_NX (1UL << 63)
#define PTE_ADDR_MASK 0x000ffffffffff000UL

/* One address space's tables. The root's upper half is the kernel's and shared by all. */
struct pgtable {
	pte_t *root;		 /* [I] direct-map address of the top table */
	spinlock_t lock;	 /* upper-level entries being added */
	atomic_long_t nr_tables; /* table pages below the root, for VmPTE and the OOM score */
	atomic_t nr_promoted;	 /* [A] tables that are promoted: see below */
};

static inline bool pte_none(pte_t e)
{
	return e == 0;
}

static inline bool pte_present(pte_t e)
{
	return e & (PTE_P | PTE_PROTNONE);
}

static inline bool pte_write(pte_t e)
{
	return e & PTE_W;
}

static inline bool pte_dirty(pte_t e)
{
	return e & PTE_D;
}

static inline bool pte_young(pte_t e)
{
	return e & PTE_A;
}

static inline bool pte_special(pte_t e)
{
	return e & PTE_SPECIAL;
}

static inline bool pte_mlocked(pte_t e)
{
	return e & PTE_MLOCKED;
}

static inline unsigned long pte_pfn(pte_t e)
{
	return (e & PTE_ADDR_MASK) >> PAGE_SHIFT;
}

/* pfn_to_page(pte_pfn(e)), without a shift down to the frame's number and up again. */
static inline struct page *pte_page(pte_t e)
{
	return (struct page *)((char *)mem_map +
			       (e & PTE_ADDR_MASK) / (PAGE_SIZE / sizeof(struct page)));
}

/* ---- swap entries: area in bits 3 to 7, slot in bits 12 to 51 ---- */

#define SWP_AREA_SHIFT 58
#define SWP_OFFSET_MASK ((1UL << 40) - 1)
/* Not areas: */
#define SWP_MIGRATION_READ 29UL	 /* the offset is the frame that the page is just leaving; */
#define SWP_MIGRATION_WRITE 30UL /* the entry was writable */
#define SWP_MARKER 31UL		 /* the offset says which marker */

static inline bool pte_is_swap(pte_t e)
{
	return (e & (PTE_P | PTE_PROTNONE | PTE_SWAP)) == PTE_SWAP;
}

static inline u64 swp_entry(unsigned long area, unsigned long offset)
{
	return (u64)area << SWP_AREA_SHIFT | offset;
}

static inline unsigned long swp_area(u64 swp)
{
	return swp >> SWP_AREA_SHIFT;
}

static inline unsigned long swp_offset(u64 swp)
{
	return swp & SWP_OFFSET_MASK;
}

static inline pte_t swp_to_pte(u64 swp)
{
	return swp_area(swp) << 3 | swp_offset(swp) << PAGE_SHIFT | PTE_SWAP;
}

static inline u64 pte_to_swp(pte_t e)
{
	return swp_entry(e >> 3 & 31, (e & PTE_ADDR_MASK) >> PAGE_SHIFT);
}

/* The marker of a guard page (MADV_GUARD_INSTALL). */
#define PTE_GUARD (SWP_MARKER << 3 | 1UL << PAGE_SHIFT | PTE_SWAP)

/* A slot of an area, that is: no marker, and not migrating. */
static inline bool pte_has_slot(pte_t e)
{
	return pte_is_swap(e) && (e >> 3 & 31) < SWP_MIGRATION_READ;
}

static inline pte_t pte_make(unsigned long pfn, pte_t prot)
{
	return ((pte_t)pfn << PAGE_SHIFT) | prot;
}

/*
 * ---- migration entries: they stand where a page is mapped while it moves to another frame ----
 *
 * As swap entries, with the accessed and dirty bits 47 bits higher than in a present entry. The frame is the old one.
 */

#define MIGRATION_BITS_SHIFT 47

static inline bool pte_is_migration(pte_t e)
{
	return pte_is_swap(e) && !pte_has_slot(e) && (e >> 3 & 31) != SWP_MARKER;
}

static inline bool pte_migration_write(pte_t e)
{
	return (e >> 3 & 31) == SWP_MIGRATION_WRITE;
}

/* From a present entry. */
static inline pte_t pte_to_migration(pte_t e)
{
	unsigned long area = e & PTE_W ? SWP_MIGRATION_WRITE : SWP_MIGRATION_READ;

	return (e & (PTE_A | PTE_D)) << MIGRATION_BITS_SHIFT | (e & PTE_ADDR_MASK) | area << 3 |
	       PTE_SWAP;
}

/* PTE_A and PTE_D as the present entry had them. */
static inline pte_t pte_migration_bits(pte_t e)
{
	return e >> MIGRATION_BITS_SHIFT & (PTE_A | PTE_D);
}

/* The page is shared by fork from now on. */
static inline pte_t pte_migration_wrprotect(pte_t e)
{
	return (e & ~(31UL << 3)) | SWP_MIGRATION_READ << 3;
}

/* New access rights, same page; all else is kept. prot has no PTE_MLOCKED. */
static inline pte_t pte_modify(pte_t e, pte_t prot)
{
	return (e & (PTE_ADDR_MASK | PTE_A | PTE_D | PTE_SPECIAL | PTE_MLOCKED)) | prot;
}

static inline pte_t pte_read(const pte_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

/* Publishes: what was written to the page before is visible to whoever sees the entry. */
static inline void pte_set(pte_t *p, pte_t e)
{
	__atomic_store_n(p, e, __ATOMIC_RELEASE);
}

/* All of a table. zero_page() writes words, so that a fault that looks sees whole entries. */
static inline void pte_clear_table(pte_t *table)
{
	zero_page(table);
}

/* Takes the entry out, together with accessed and dirty bits the CPU sets meanwhile. */
static inline pte_t pte_get_and_clear(pte_t *p)
{
	return __atomic_exchange_n(p, 0, __ATOMIC_ACQ_REL);
}

/* Replaces a live entry. False when it is not *old any more, which becomes what it is: the CPU set A or D. */
static inline bool pte_cmpxchg(pte_t *p, pte_t *old, pte_t new)
{
	return __atomic_compare_exchange_n(p, old, new, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Sets or clears bits, losing no other that the CPU sets meanwhile (A, D). */
static inline void pte_set_bits(pte_t *p, pte_t bits)
{
	__atomic_or_fetch(p, bits, __ATOMIC_ACQ_REL);
}

static inline void pte_clear_bits(pte_t *p, pte_t bits)
{
	__atomic_and_fetch(p, ~bits, __ATOMIC_ACQ_REL);
}

/* The boot address space's top table; its upper half is what every address space shares (mm/kmap.c). */
extern pte_t *kernel_root;

/* 0, or -ENOMEM. Copies the kernel's half from the boot tables. */
int __must_check pgtable_init(struct pgtable *pt);
/* Frees the root; every user table must be gone (pgtable_free_range). */
void pgtable_destroy(struct pgtable *pt);

/* The entry for va, or NULL when a table on the way is absent. mmap_lock held, any mode. */
pte_t *pgtable_find(const struct pgtable *pt, unsigned long va);
/* The same, adding absent tables (zeroed). NULL when memory ran out. mmap_lock held, any mode. */
pte_t *pgtable_alloc(struct pgtable *pt, unsigned long va);
/* pgtable_next()'s work: *va is below end. */
pte_t *pgtable_search(const struct pgtable *pt, unsigned long *va, unsigned long end,
		      unsigned long *stop);
/*
 * Iteration over tables in use: returns the first entry at or after *va and below end whose table has
 * entries that are not none, sets *va to its address and *stop to where this table (or the range) ends. NULL when none.
 * Skips whole absent subtrees, so an empty range costs its page-table pages, not its length.
 */
static inline pte_t *pgtable_next(const struct pgtable *pt, unsigned long *va, unsigned long end,
				  unsigned long *stop)
{
	/* Most ranges lie in one table: after it nothing is left to look for. */
	return *va < end ? pgtable_search(pt, va, end, stop) : NULL;
}

/*
 * No entry for [start, end) is in use, which is more than one table serves, and that was easy to see: only those at the
 * edges are there, if any. mmap_lock held for writing.
 */
bool pgtable_is_untouched(const struct pgtable *pt, unsigned long start, unsigned long end);
/* The same over all tables that exist, for checks. */
pte_t *pgtable_next_table(const struct pgtable *pt, unsigned long *va, unsigned long end,
			  unsigned long *stop);
/* The page that holds this entry. */
static inline struct page *pte_table(const pte_t *pte)
{
	return virt_to_page((const void *)((unsigned long)pte & PAGE_MASK));
}

/* Its lock: guards the entries of the table and the map counts they own. */
static inline spinlock_t *pte_lockptr(const pte_t *pte)
{
	return &pte_table(pte)->ptl;
}

/*
 * How many entries of a last-level table are not none. Whoever makes an entry of a none or the other
 * way round keeps it right, so that walks skip empty tables. Page-table lock held.
 */
static inline u32 *pte_used(const pte_t *pte)
{
	return &pte_table(pte)->pt_used;
}

/* Where they are, as well: a bit for each cache line of entries, clear when none of them is in use. Others may look. */
#define PTE_GROUP 8
#define PTE_GROUP_SHIFT 6

static __always_inline unsigned int pte_group(const pte_t *pte)
{
	return (unsigned long)pte >> PTE_GROUP_SHIFT & (PTRS_PER_TABLE / PTE_GROUP - 1);
}

/* Where the line of an entry ends. */
static __always_inline pte_t *pte_line_end(const pte_t *pte)
{
	return (pte_t *)ALIGN_DOWN((unsigned long)pte, PTE_GROUP * sizeof(pte_t)) + PTE_GROUP;
}

/* The bits of the lines of [pte, end), which is not empty and in one table. */
static __always_inline u64 pte_lines(const pte_t *pte, const pte_t *end)
{
	return ~0UL << pte_group(pte) & ~0UL >> (63 - pte_group(end - 1));
}

/* The entry was none and is in use now. Its table's lock held; others may look. */
static inline void pte_used_inc(const pte_t *pte)
{
	struct page *table = pte_table(pte);

	RACY_WRITE(table->pt_groups, table->pt_groups | 1UL << pte_group(pte));
	RACY_WRITE(table->pt_used, table->pt_used + 1);
}

/* n of the span entries from pte, all in one table, were none and are in use now. */
static inline void pte_used_add(const pte_t *pte, unsigned long span, u32 n)
{
	struct page *table = pte_table(pte);

	RACY_WRITE(table->pt_groups, table->pt_groups | pte_lines(pte, pte + span));
	RACY_WRITE(table->pt_used, table->pt_used + n);
}

/* n entries of pte's table are none now. */
static inline void pte_used_sub(const pte_t *pte, u32 n)
{
	u32 *used = pte_used(pte);

	RACY_WRITE(*used, *used - n);
}

/* Entries [pte, end), of one table, are none: lines with no others are not in use any more. Its lock held. */
static inline void pte_lines_unused(const pte_t *pte, const pte_t *end)
{
	const unsigned long line = PTE_GROUP * sizeof(pte_t);

	pte = (const pte_t *)ALIGN_UP((unsigned long)pte, line);
	end = (const pte_t *)ALIGN_DOWN((unsigned long)end, line);
	if (pte < end) {
		struct page *table = pte_table(pte);

		RACY_WRITE(table->pt_groups, table->pt_groups & ~pte_lines(pte, end));
	}
}

static __always_inline bool pte_group_is_none(const pte_t *pte)
{
	return !(RACY_READ(pte[0]) | RACY_READ(pte[1]) | RACY_READ(pte[2]) | RACY_READ(pte[3]) |
		 RACY_READ(pte[4]) | RACY_READ(pte[5]) | RACY_READ(pte[6]) | RACY_READ(pte[7]));
}

/* The next entry in use after pte, or end; both in one table, whose lock is held. */
pte_t *pte_next_in_use(pte_t *pte, pte_t *end);

/*
 * ---- promotion: 2 MiB as one ----
 *
 * A last-level table whose entries map 512 consecutive frames with the same rights can be promoted: the upper entry
 * maps all of them as one page of 2 MiB, and the CPU no longer looks at the table. The table stays, with the same
 * entries, and is what everybody but the CPU works on; pgtable_find() and its like go on finding it. Who is about to
 * change what an entry maps, or its rights, demotes the table first: the upper entry points to it again. Neither
 * needs a TLB flush, for both say the same. After Navarro et al., "Practical, transparent operating system support
 * for superpages" (2002).
 */
static inline bool pte_is_promoted(const pte_t *pte)
{
	return RACY_READ(pte_table(pte)->pt_huge);
}

/* Whatever promotion of the table of va needs, which exists. 0 or -ENOMEM. mmap_lock held, any mode. */
int __must_check pgtable_prepare_promotion(struct pgtable *pt, unsigned long va);
bool pgtable_is_prepared(const struct pgtable *pt, unsigned long va);
/*
 * All entries of pte's table, which serves va, are present, accessed and, when writable, dirty; they have the same
 * rights and map frames in order, the first of which is aligned to 2 MiB. Prepared; page-table lock held.
 */
void pgtable_promote(struct pgtable *pt, unsigned long va, const pte_t *pte);
/* The table is promoted: not any more. Page-table lock held. */
void pgtable_demote(pte_t *pte);
/* The table is promoted: whether its page was accessed since the last call. Page-table lock held. */
bool pgtable_huge_clear_young(const pte_t *pte);

/*
 * Unlinks tables that only served [start, end). floor and ceiling bound what belongs to nobody
 * else: the end of the mapping before and the start of the one after (0 and TASK_SIZE at the edges).
 * Entries must be clear. Each table page goes to release(), which frees it after the TLB flush.
 * mmap_lock held for writing.
 */
void pgtable_free_range(struct pgtable *pt, unsigned long start, unsigned long end,
			unsigned long floor, unsigned long ceiling,
			void (*release)(void *arg, struct page *table), void *arg);
/* Gives one unlinked, empty table page back; for release(), after the flush. */
void pgtable_free_page(struct page *table);
/*
 * Gives every CPU's spare tables back to the buddy allocator (drop_caches, leak checks, memory has run out).
 * Interrupts on, no spinlock held (on_each_cpu()).
 */
void pgtable_drain(void);
/* For on_each_cpu(): this CPU's. */
void pgtable_drain_cpu(void *unused);

#endif
