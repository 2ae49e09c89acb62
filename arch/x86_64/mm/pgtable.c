/* SPDX-License-Identifier: MIT
 *
 * x86_64 four-level page tables as memory: find, add, iterate, free. No privileged instruction, so
 * that the host runs this very file under its simulated MMU.
 *
 * An upper-level entry goes from none to a table under pgtable.lock and back to none only with
 * mmap_lock held for writing; readers under mmap_lock therefore walk without a lock.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/pgtable.h>
#include <arch/smp.h>
#include <kern/err.h>
#include <kern/failpoint.h>
#include <kern/string.h>
#include <mm/page.h>
#include <mm/page_alloc.h>
#include <mm/stats.h>

/* Rights are decided in the last level alone. */
#define TABLE_BITS (PTE_P | PTE_W | PTE_U | PTE_A)
#define USER_ENTRIES (PTRS_PER_TABLE / 2)

static inline unsigned long table_index(unsigned long va, unsigned int shift)
{
	return (va >> shift) & (PTRS_PER_TABLE - 1);
}

static inline pte_t *entry_table(pte_t e)
{
	return phys_to_virt(e & PTE_ADDR_MASK);
}

/*
 * A table that is given back is all zeroes again: its entries were cleared one by one. A few are kept
 * as they are for the next address space or fault, which spares zeroing them. Interrupts are off while a CPU
 * uses its own: a drain comes as one.
 */
#define TABLE_CACHE_MAX 32
#define ROOT_CACHE_MAX 4

struct table_cache {
	struct page *tables; /* through pt_next */
	unsigned int nr;
};

/* Roots keep the kernel's half, which is the same in all of them. */
enum table_kind { PLAIN_TABLE, ROOT_TABLE, NR_TABLE_KINDS };

static struct {
	struct table_cache of[NR_TABLE_KINDS];
} __aligned(64) table_caches[MAX_CPUS];

static struct page *cache_take(enum table_kind kind)
{
	irqflags_t flags = irq_save();
	struct table_cache *cache = &table_caches[cpu_id()].of[kind];
	struct page *page = cache->tables;

	if (likely(page)) {
		cache->tables = page->pt_next;
		cache->nr--;
	}
	irq_restore(flags);
	return page;
}

/* False when there are enough. */
static bool cache_give(struct page *page, enum table_kind kind)
{
	irqflags_t flags = irq_save();
	struct table_cache *cache = &table_caches[cpu_id()].of[kind];
	bool room = cache->nr < (kind == ROOT_TABLE ? ROOT_CACHE_MAX : TABLE_CACHE_MAX);

	if (likely(room)) {
		page->pt_next = cache->tables;
		cache->tables = page;
		cache->nr++;
	}
	irq_restore(flags);
	return room;
}

static struct page *table_alloc(enum table_kind kind)
{
	struct page *page;

	if (fail_point(FAIL_PAGETABLE))
		return NULL;
	page = cache_take(kind);
	if (unlikely(!page)) {
		page = alloc_pages(GFP_KERNEL | __GFP_ZERO, 0);
		if (!page)
			return NULL;
		RACY_WRITE(page->flags, 1UL << PG_pgtable);
		spin_lock_init(&page->ptl);
		page->pt_used = 0;
		if (kind == ROOT_TABLE)
			memcpy((pte_t *)page_address(page) + USER_ENTRIES,
			       kernel_root + USER_ENTRIES, USER_ENTRIES * sizeof(pte_t));
	}
	page->pt_groups = 0;
	page->pt_next = NULL;
	page->pt_huge = NULL;
	stat_inc(NR_PAGETABLE);
	return page;
}

static __maybe_unused bool table_is_empty(struct page *page, enum table_kind kind)
{
	const pte_t *table = page_address(page);
	unsigned int n = kind == ROOT_TABLE ? USER_ENTRIES : PTRS_PER_TABLE, i = 0;

	while (i < n && pte_none(table[i]))
		i++;
	return i == n;
}

/* The entries of a table that goes are none. */
static void table_free(struct page *page, enum table_kind kind)
{
	stat_add(NR_PAGETABLE, -1);
	ASSERT(page->pt_used == 0 && !page->pt_huge && table_is_empty(page, kind));
	if (likely(cache_give(page, kind)))
		return;
	RACY_WRITE(page->flags, 0);
	free_pages(page, 0);
}

void pgtable_drain_cpu(void *unused __maybe_unused)
{
	struct page *page;

	while ((page = cache_take(PLAIN_TABLE)) || (page = cache_take(ROOT_TABLE))) {
		RACY_WRITE(page->flags, 0);
		free_pages(page, 0);
	}
}

void pgtable_drain(void)
{
	on_each_cpu(pgtable_drain_cpu, NULL);
}

void pgtable_free_page(struct page *table)
{
	table_free(table, PLAIN_TABLE);
}

int pgtable_init(struct pgtable *pt)
{
	struct page *page = table_alloc(ROOT_TABLE);

	if (!page)
		return -ENOMEM;
	pt->root = page_address(page);
	spin_lock_init(&pt->lock);
	atomic_set(&pt->nr_tables, 0);
	atomic_set(&pt->nr_promoted, 0);
	return 0;
}

void pgtable_destroy(struct pgtable *pt)
{
	ASSERT(atomic_read(&pt->nr_tables) == 0 && atomic_read(&pt->nr_promoted) == 0);
	table_free(virt_to_page(pt->root), ROOT_TABLE);
	pt->root = NULL;
}

/* The last-level table that a promoted entry stands for. Tables stay as long as the one above them. */
static __noinline pte_t *table_of_huge(const pte_t *upper, unsigned long va)
{
	pte_t *const *below = __atomic_load_n(&virt_to_page(upper)->pt_below, __ATOMIC_ACQUIRE);

	return __atomic_load_n(&below[table_index(va, PMD_SHIFT)], __ATOMIC_RELAXED);
}

static __always_inline pte_t entry_of(const pte_t *table, unsigned long va, unsigned int shift)
{
	return __atomic_load_n(&table[table_index(va, shift)], __ATOMIC_ACQUIRE);
}

/* The table above the last-level table for va, if there is one. */
static __always_inline bool find_upper(const struct pgtable *pt, unsigned long va,
				       const pte_t **upper)
{
	pte_t e = entry_of(pt->root, va, PGD_SHIFT);

	if (unlikely(!(e & PTE_P)))
		return false;
	e = entry_of(entry_table(e), va, PUD_SHIFT);
	*upper = entry_table(e);
	return e & PTE_P;
}

/* The last-level table for va, if there is one. */
static __always_inline bool find_last(const struct pgtable *pt, unsigned long va, pte_t **last)
{
	const pte_t *upper;
	pte_t e;

	if (unlikely(!find_upper(pt, va, &upper)))
		return false;
	e = entry_of(upper, va, PMD_SHIFT);
	if (unlikely(!(e & PTE_P)))
		return false;
	*last = likely(!(e & PTE_PS)) ? entry_table(e) : table_of_huge(upper, va);
	return true;
}

pte_t *pgtable_find(const struct pgtable *pt, unsigned long va)
{
	pte_t *table;

	return find_last(pt, va, &table) ? &table[table_index(va, PAGE_SHIFT)] : NULL;
}

/* Puts a new table behind *entry unless someone was faster. */
static bool table_add(struct pgtable *pt, pte_t *entry)
{
	struct page *page = table_alloc(PLAIN_TABLE);

	if (!page)
		return false;
	spin_lock(&pt->lock);
	/* Who was faster may be promoting it, which does not take this lock. */
	if (pte_none(pte_read(entry))) {
		__atomic_store_n(entry, page_to_phys(page) | TABLE_BITS, __ATOMIC_RELEASE);
		atomic_inc(&pt->nr_tables);
		page = NULL;
	}
	spin_unlock(&pt->lock);
	if (page)
		table_free(page, PLAIN_TABLE);
	return true;
}

/* Behind an entry that is there; whoever was faster with the last-level table may have promoted it already. */
static pte_t *table_below(const pte_t *table, unsigned long va, unsigned int shift)
{
	pte_t e = entry_of(table, va, shift);

	return e & PTE_PS ? table_of_huge(table, va) : entry_table(e);
}

static __noinline pte_t *alloc_tables(struct pgtable *pt, unsigned long va)
{
	pte_t *table = pt->root;

	for (unsigned int shift = PGD_SHIFT; shift > PAGE_SHIFT; shift -= 9) {
		pte_t *entry = &table[table_index(va, shift)];

		if (!(__atomic_load_n(entry, __ATOMIC_ACQUIRE) & PTE_P) && !table_add(pt, entry))
			return NULL;
		table = table_below(table, va, shift);
	}
	return &table[table_index(va, PAGE_SHIFT)];
}

pte_t *pgtable_alloc(struct pgtable *pt, unsigned long va)
{
	pte_t *table;

	if (likely(find_last(pt, va, &table)))
		return &table[table_index(va, PAGE_SHIFT)];
	return alloc_tables(pt, va);
}

/* Acquire: who sees that a table was emptied sees what its emptier did before. */
static inline bool is_used(const pte_t *table)
{
	return __atomic_load_n(&virt_to_page(table)->pt_used, __ATOMIC_ACQUIRE);
}

/* An upper entry leads to a table: to a last-level one in use, or any when empty_too. */
static __always_inline bool leads_on(pte_t e, unsigned int shift, bool empty_too)
{
	return (e & PTE_P) &&
	       (shift > PMD_SHIFT || empty_too || (e & PTE_PS) || is_used(entry_table(e)));
}

/* The entry for *va does not: the next one of its table that does, or 0. Moves *va there, or past the end or this table. */
static __always_inline pte_t next_leading_on(const pte_t *table, unsigned long *va,
					     unsigned long end, unsigned int shift, bool empty_too)
{
	unsigned long first = table_index(*va, shift), i = first;
	unsigned long stop = min(PTRS_PER_TABLE, i + ((end - 1) >> shift) - (*va >> shift) + 1);
	pte_t e = 0;

	for (i++; i < stop; i++) {
		if (i + PTE_GROUP <= stop && pte_group_is_none(&table[i])) {
			i += PTE_GROUP - 1;
			continue;
		}
		e = __atomic_load_n(&table[i], __ATOMIC_ACQUIRE);
		if (leads_on(e, shift, empty_too))
			break;
		e = 0;
	}
	*va = ((*va >> shift) + i - first) << shift;
	return e;
}

static __always_inline pte_t next_in_table(const pte_t *table, unsigned long *va, unsigned long end,
					   unsigned int shift, bool empty_too)
{
	pte_t e = entry_of(table, *va, shift);

	return likely(leads_on(e, shift, empty_too))
		       ? e
		       : next_leading_on(table, va, end, shift, empty_too);
}

/* The last-level table behind e, the entry for va of an upper table: from va on, up to *stop. */
static __always_inline pte_t *enter_table(const pte_t *upper, pte_t e, unsigned long va,
					  unsigned long end, unsigned long *stop)
{
	pte_t *table = likely(!(e & PTE_PS)) ? entry_table(e) : table_of_huge(upper, va);

	*stop = min((va | (PMD_SIZE - 1)) + 1, end);
	return &table[table_index(va, PAGE_SHIFT)];
}

static __always_inline pte_t *next_table(const struct pgtable *pt, unsigned long *va,
					 unsigned long end, unsigned long *stop, bool empty_too)
{
	while (*va < end) {
		pte_t e = next_in_table(pt->root, va, end, PGD_SHIFT, empty_too);
		const pte_t *upper;

		if (likely(e))
			e = next_in_table(entry_table(e), va, end, PUD_SHIFT, empty_too);
		if (unlikely(!e))
			continue;
		upper = entry_table(e);
		e = next_in_table(upper, va, end, PMD_SHIFT, empty_too);
		if (likely(e))
			return enter_table(upper, e, *va, end, stop);
	}
	return NULL;
}

static __noinline pte_t *search_next(const struct pgtable *pt, unsigned long *va, unsigned long end,
				     unsigned long *stop)
{
	return next_table(pt, va, end, stop, false);
}

/* The entry of upper for *va leads to nothing in use. Mostly another one does, if any. */
static __noinline pte_t *search_below(const struct pgtable *pt, const pte_t *upper,
				      unsigned long *va, unsigned long end, unsigned long *stop)
{
	pte_t e = next_leading_on(upper, va, end, PMD_SHIFT, false);

	return likely(e) ? enter_table(upper, e, *va, end, stop) : search_next(pt, va, end, stop);
}

/* Mostly the table at *va itself is there. */
pte_t *pgtable_search(const struct pgtable *pt, unsigned long *va, unsigned long end,
		      unsigned long *stop)
{
	unsigned long a = *va;
	bool more = end > (a | (PMD_SIZE - 1)) + 1;
	const pte_t *upper;
	pte_t e;

	if (unlikely(!find_upper(pt, a, &upper)))
		return more ? search_next(pt, va, end, stop) : NULL;
	e = entry_of(upper, a, PMD_SHIFT);
	if (unlikely(!leads_on(e, PMD_SHIFT, false)))
		return more ? search_below(pt, upper, va, end, stop) : NULL;
	return enter_table(upper, e, a, end, stop);
}

static __always_inline bool all_none(const pte_t *p, const pte_t *end)
{
	const pte_t *last = end - PTE_GROUP;

	if (p > last) {
		while (p < end && !RACY_READ(*p))
			p++;
		return p >= end;
	}
	/* Groups need not be aligned: the last one looks at some entries again. */
	for (; p < last; p += PTE_GROUP)
		if (!pte_group_is_none(p))
			return false;
	return pte_group_is_none(last);
}

/*
 * The table behind an upper entry at an edge of a range, where it begins with (low) or ends with entry i: nothing of the
 * range is in use there. One line may be, for the neighbour alone; false when it is more, since that takes long to see.
 */
static __always_inline bool edge_is_untouched(const pte_t *upper, unsigned long i, bool low)
{
	pte_t e = __atomic_load_n(upper, __ATOMIC_ACQUIRE);
	const pte_t *table = entry_table(e), *line = table + ALIGN_DOWN(i, PTE_GROUP);
	u64 lines;

	if (!(e & PTE_P))
		return true;
	if (e & PTE_PS)
		return false;
	lines = RACY_READ(virt_to_page(table)->pt_groups);
	lines = low ? lines >> i / PTE_GROUP : lines << (63 - i / PTE_GROUP);
	if (lines & ~(low ? 1UL : 1UL << 63))
		return false;
	return !lines || all_none(low ? table + i : line, low ? line + PTE_GROUP : table + i + 1);
}

bool pgtable_is_untouched(const struct pgtable *pt, unsigned long start, unsigned long end)
{
	const pte_t *upper, *low, *high;

	if (start >> PUD_SHIFT != (end - 1) >> PUD_SHIFT)
		return false;
	if (!find_upper(pt, start, &upper))
		return true;
	low = &upper[table_index(start, PMD_SHIFT)];
	high = &upper[table_index(end - 1, PMD_SHIFT)];
	return low < high && all_none(low + 1, high) &&
	       edge_is_untouched(low, table_index(start, PAGE_SHIFT), true) &&
	       edge_is_untouched(high, table_index(end - 1, PAGE_SHIFT), false);
}

pte_t *pgtable_next_table(const struct pgtable *pt, unsigned long *va, unsigned long end,
			  unsigned long *stop)
{
	return next_table(pt, va, end, stop, true);
}

/* Tables are often empty but for an entry here and there. A group that is found empty is not looked at again. */
pte_t *pte_next_in_use(pte_t *pte, pte_t *end)
{
	pte_t *group = (pte_t *)ALIGN_DOWN((unsigned long)pte, PTE_GROUP * sizeof(pte_t));
	struct page *table = pte_table(pte);
	u64 left = table->pt_groups >> pte_group(pte);

	pte++;
	if (pte + PTE_GROUP > end || !pte_group_is_none(pte)) {
		while (pte < end && !RACY_READ(*pte))
			pte++;
		return pte;
	}
	while ((left &= ~1UL)) {
		group += PTE_GROUP * (unsigned long)__builtin_ctzll(left);
		left >>= __builtin_ctzll(left);
		for (pte = group; pte < group + PTE_GROUP; pte++)
			if (RACY_READ(*pte))
				return min(pte, end);
		RACY_WRITE(table->pt_groups, table->pt_groups & ~(1UL << pte_group(group)));
	}
	return end;
}

/* ---- promotion ---- */

/* The upper entry for va, whose table exists. */
static pte_t *upper_entry(const struct pgtable *pt, unsigned long va)
{
	const pte_t *table = entry_table(entry_of(pt->root, va, PGD_SHIFT));

	return &entry_table(entry_of(table, va, PUD_SHIFT))[table_index(va, PMD_SHIFT)];
}

bool pgtable_is_prepared(const struct pgtable *pt, unsigned long va)
{
	return __atomic_load_n(&pte_table(upper_entry(pt, va))->pt_below, __ATOMIC_ACQUIRE);
}

int pgtable_prepare_promotion(struct pgtable *pt, unsigned long va)
{
	struct page *upper = pte_table(upper_entry(pt, va)), *page;

	if (pgtable_is_prepared(pt, va))
		return 0;
	page = table_alloc(PLAIN_TABLE);
	if (!page)
		return -ENOMEM;
	spin_lock(&pt->lock);
	if (!upper->pt_below) {
		__atomic_store_n(&upper->pt_below, (pte_t **)page_address(page), __ATOMIC_RELEASE);
		atomic_inc(&pt->nr_tables);
		page = NULL;
	}
	spin_unlock(&pt->lock);
	if (page)
		table_free(page, PLAIN_TABLE);
	return 0;
}

void pgtable_promote(struct pgtable *pt, unsigned long va, const pte_t *pte)
{
	pte_t *entry = upper_entry(pt, va), *table = page_address(pte_table(pte));
	pte_t huge = (pte_read(table) & ~(PTE_SPECIAL | PTE_MLOCKED)) | PTE_PS;

	ASSERT(IS_ALIGNED(huge & PTE_ADDR_MASK, PMD_SIZE) && (huge & PTE_P));
	__atomic_store_n(&pte_table(entry)->pt_below[table_index(va, PMD_SHIFT)], table,
			 __ATOMIC_RELAXED);
	RACY_WRITE(pte_table(pte)->pt_huge, entry);
	pte_table(pte)->pt_owner = pt;
	atomic_inc(&pt->nr_promoted);
	__atomic_store_n(entry, huge, __ATOMIC_RELEASE);
}

void pgtable_demote(pte_t *pte)
{
	struct page *page = pte_table(pte);
	pte_t old, *table = page_address(page);

	old = __atomic_exchange_n(page->pt_huge, page_to_phys(page) | TABLE_BITS, __ATOMIC_ACQ_REL);
	RACY_WRITE(page->pt_huge, NULL);
	atomic_dec(&page->pt_owner->nr_promoted);
	if (!(old & PTE_A))
		for (unsigned int i = 0; i < PTRS_PER_TABLE; i++)
			pte_clear_bits(&table[i], PTE_A);
}

bool pgtable_huge_clear_young(const pte_t *pte)
{
	return __atomic_fetch_and(pte_table(pte)->pt_huge, ~PTE_A, __ATOMIC_ACQ_REL) & PTE_A;
}

/* What one pgtable_free_range() call carries down the levels. */
struct free_range {
	struct pgtable *pt;
	unsigned long floor, ceiling;
	void (*release)(void *arg, struct page *table);
	void *arg;
};

static void unlink_table(const struct free_range *fr, struct page *table)
{
	atomic_dec(&fr->pt->nr_tables);
	stat_inc(PGTABLE_FREED);
	fr->release(fr->arg, table);
}

/* What pgtable_prepare_promotion() added to an upper table goes with it. */
static void free_below(const struct free_range *fr, struct page *upper)
{
	memset(upper->pt_below, 0, PAGE_SIZE);
	unlink_table(fr, virt_to_page(upper->pt_below));
	upper->pt_below = NULL;
}

/* table's entries span 1 << shift bytes each; children are visited before they are unlinked. */
static void free_level(const struct free_range *fr, pte_t *table, unsigned int shift,
		       unsigned long start, unsigned long end)
{
	unsigned long span = 1UL << shift, next;

	for (unsigned long va = start; va < end; va = next) {
		pte_t *entry = &table[table_index(va, shift)];
		unsigned long base = ALIGN_DOWN(va, span);
		/* A fault in a neighbour may just be putting a table there, which stays. */
		pte_t e = pte_read(entry);

		next = min(base + span, end);
		if (pte_none(e))
			continue;
		if (shift > PMD_SHIFT)
			free_level(fr, entry_table(e), shift - 9, va, next);
		if (base >= fr->floor && base + span <= fr->ceiling) {
			struct page *child = virt_to_page(entry_table(e));

			ASSERT(!(e & PTE_PS));
			if (shift == PUD_SHIFT && child->pt_below)
				free_below(fr, child);
			__atomic_store_n(entry, 0, __ATOMIC_RELEASE);
			unlink_table(fr, child);
		}
	}
}

void pgtable_free_range(struct pgtable *pt, unsigned long start, unsigned long end,
			unsigned long floor, unsigned long ceiling,
			void (*release)(void *arg, struct page *table), void *arg)
{
	/* A table that serves a neighbour, too, stays, and so do those above it: often nothing is left to look at. */
	if (ALIGN_DOWN(start, PMD_SIZE) < floor)
		start = ALIGN_UP(start, PMD_SIZE);
	if (ALIGN_UP(end, PMD_SIZE) > ceiling)
		end = ALIGN_DOWN(end, PMD_SIZE);
	if (start < end)
		free_level(&(const struct free_range){ pt, floor, ceiling, release, arg }, pt->root,
			   PGD_SHIFT, start, end);
}
