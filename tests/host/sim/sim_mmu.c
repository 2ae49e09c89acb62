/* SPDX-License-Identifier: MIT
 *
 * The MMU: walks the real page tables through a TLB that remembers.
 *
 * 1. Each address space is taken to be loaded on a CPU of its own at all times, so nothing but a
 *    flush makes the TLB forget: neither room nor a context switch. A forgotten flush therefore
 *    shows, either as an access through the stale entry or in sim_tlb_check(), which compares
 *    every entry with the tables.
 *
 * 2. As in the real machine there are two kinds of memory: translations of pages, and the
 *    paging-structure cache (Intel SDM vol. 3A, 4.10.3), here the pointers to last-level tables.
 *    Flushing a page drops its translation and its table pointer; flushing a range drops the
 *    table pointers only if the caller says that tables are freed, or when the range is large
 *    enough to drop everything.
 *
 * 3. Accessed and dirty bits are set as the CPU does it: A when an entry is loaded, D at the
 *    first write through an entry that was loaded without it. A cached dirty entry never looks at
 *    the table again.
 *
 * 4. One access by one thread, walk and all, is one step for the others, as is a flush: the CPUs wait for each
 *    other's flushes. Threads use sim_access(), which lets go before it faults. ThreadSanitizer does not look
 *    at this file: hardware orders nothing between the kernel's own accesses.
 */
#include "sim.h"
#include "sim_host.h"

#define HASH_BITS 10
#define ENTRIES_AT_ONCE 256

struct entry {
	struct entry *next;
	phys_t root;
	unsigned long key; /* va >> PAGE_SHIFT, or va >> PMD_SHIFT */
	pte_t pte;	   /* as loaded; for a table pointer: the upper entry */
};

static struct entry *pages[1 << HASH_BITS], *tables[1 << HASH_BITS];
static struct entry
	*unused; /* entries for load(); never given back, so that only this file touches them */
static unsigned long nr_pages_cached;
static __thread phys_t loaded_root; /* whose program made the thread's latest access */
static bool busy;		    /* an access or a flush is under way */

unsigned int sim_flush_yields;

static void mmu_lock(void)
{
	while (__atomic_exchange_n(&busy, true, __ATOMIC_ACQUIRE))
		host_yield();
}

static void mmu_unlock(void)
{
	__atomic_store_n(&busy, false, __ATOMIC_RELEASE);
}

static unsigned int hash(phys_t root, unsigned long key)
{
	return (unsigned int)(((root >> PAGE_SHIFT) * 31 + key) * 0x9e3779b97f4a7c15UL >>
			      (64 - HASH_BITS));
}

static struct entry **find(struct entry **cache, phys_t root, unsigned long key)
{
	struct entry **e = &cache[hash(root, key)];

	while (*e && ((*e)->root != root || (*e)->key != key))
		e = &(*e)->next;
	return e;
}

static struct entry *new_entry(void)
{
	struct entry *e = unused;

	if (!e) {
		e = host_alloc(ENTRIES_AT_ONCE * sizeof(*e));
		for (unsigned int i = 1; i < ENTRIES_AT_ONCE; i++)
			e[i - 1].next = &e[i];
	}
	unused = e->next;
	e->next = NULL;
	return e;
}

static struct entry *load(struct entry **cache, phys_t root, unsigned long key, pte_t pte)
{
	struct entry **at = find(cache, root, key);

	if (!*at) {
		*at = new_entry();
		(*at)->root = root;
		(*at)->key = key;
		nr_pages_cached += cache == pages;
	}
	(*at)->pte = pte;
	return *at;
}

static void drop(struct entry **cache, struct entry **at)
{
	struct entry *e = *at;

	if (!e)
		return;
	*at = e->next;
	nr_pages_cached -= cache == pages;
	e->next = unused;
	unused = e;
}

/* All entries of root with start <= key < end. */
static void drop_range(struct entry **cache, phys_t root, unsigned long start, unsigned long end)
{
	for (unsigned int i = 0; i < 1U << HASH_BITS; i++)
		for (struct entry **e = &cache[i]; *e;) {
			if ((*e)->root == root && start <= (*e)->key && (*e)->key < end)
				drop(cache, e);
			else
				e = &(*e)->next;
		}
}

/* ---- the seam: arch/tlb.h ---- */

/* On the host a root is only looked up by who holds the address space. */
void tlb_context_release(struct tlb_context *ctx __maybe_unused)
{
}

void tlb_context_init(struct tlb_context *ctx, phys_t root)
{
	ctx->cpus = 1;
	ctx->root = root;
	mmu_lock();
	/* Whoever had this root before must have left it. */
	for (unsigned int i = 0; i < 1U << HASH_BITS; i++)
		for (struct entry *e = pages[i]; e; e = e->next)
			BUG_ON(e->root == root);
	drop_range(tables, root, 0, ~0UL);
	mmu_unlock();
}

void tlb_flush_page(struct tlb_context *ctx, unsigned long va)
{
	stat_inc(TLB_FLUSH_PAGE);
	mmu_lock();
	drop(pages, find(pages, ctx->root, va >> PAGE_SHIFT));
	drop(tables, find(tables, ctx->root, va >> PMD_SHIFT));
	mmu_unlock();
}

bool tlb_is_loaded(const struct tlb_context *ctx)
{
	return ctx->root == loaded_root;
}

void tlb_flush_range(struct tlb_context *ctx, unsigned long start, unsigned long end,
		     bool tables_freed)
{
	unsigned long nr = (end - start) >> PAGE_SHIFT;
	bool all = nr > knob_tlb_full_flush_pages;

	BUG_ON(!IS_ALIGNED(start, PAGE_SIZE) || !IS_ALIGNED(end, PAGE_SIZE) || start >= end);
	stat_inc(all ? TLB_FLUSH_ALL : TLB_FLUSH_RANGE);
	for (unsigned int i = 0; i < sim_flush_yields; i++)
		host_yield();
	mmu_lock();
	if (all)
		drop_range(pages, ctx->root, 0, ~0UL);
	for (unsigned long va = start; va < end && !all; va += PAGE_SIZE)
		drop(pages, find(pages, ctx->root, va >> PAGE_SHIFT));
	if (all || tables_freed)
		drop_range(tables, ctx->root, 0, ~0UL);
	mmu_unlock();
}

void tlb_flush_local_page(unsigned long va)
{
	mmu_lock();
	drop(pages, find(pages, loaded_root, va >> PAGE_SHIFT));
	drop(tables, find(tables, loaded_root, va >> PMD_SHIFT));
	mmu_unlock();
}

/* ---- the walk ---- */

static pte_t *check_table(pte_t upper)
{
	phys_t pa = upper & PTE_ADDR_MASK;

	if (!(pfn_to_page(pa >> PAGE_SHIFT)->flags & (1UL << PG_pgtable)))
		panic("MMU: walk through frame %lx, which is no page table",
		      (unsigned long)(pa >> PAGE_SHIFT));
	return phys_to_virt(pa);
}

/*
 * The upper entry that points to the last-level table of va, or maps 2 MiB by itself, from the tables alone; NULL
 * when there is none.
 */
static pte_t *walk_upper(phys_t root, unsigned long va)
{
	pte_t e = root | PTE_P, *entry = NULL;

	for (unsigned int shift = PGD_SHIFT; shift > PAGE_SHIFT; shift -= 9) {
		entry = &check_table(e)[(va >> shift) & (PTRS_PER_TABLE - 1)];
		e = __atomic_load_n(entry, __ATOMIC_RELAXED);
		if (!(e & PTE_P))
			return NULL;
		if (shift == PMD_SHIFT && (e & PTE_PS))
			return entry;
		if (!(e & PTE_A))
			__atomic_or_fetch(entry, PTE_A, __ATOMIC_RELAXED);
		if ((e & (PTE_W | PTE_U)) != (PTE_W | PTE_U) || (e & (PTE_NX | PTE_PS)))
			panic("MMU: upper entry %lx at level %u of %lx", e, shift, va);
	}
	return entry;
}

/* What an entry of any level says about the page at va. */
static pte_t page_of(pte_t e, unsigned long va)
{
	return e & PTE_PS ? (e & ~PTE_PS) + (va & (PMD_SIZE - 1) & PAGE_MASK) : e;
}

/* The entry that maps va, through the cache of table pointers; NULL: none. huge: it is, or was, one of 2 MiB. */
static pte_t *walk(phys_t root, unsigned long va, bool *huge)
{
	struct entry *t = *find(tables, root, va >> PMD_SHIFT);

	*huge = false;
	if (!t) {
		pte_t *entry = walk_upper(root, va), upper;

		if (!entry)
			return NULL;
		upper = __atomic_load_n(entry, __ATOMIC_RELAXED);
		if (upper & PTE_PS) {
			*huge = true;
			return entry;
		}
		t = load(tables, root, va >> PMD_SHIFT, upper);
	}
	return &check_table(t->pte)[(va >> PAGE_SHIFT) & (PTRS_PER_TABLE - 1)];
}

static bool allows(pte_t e, enum fault_access access)
{
	if (!(e & PTE_P) || !(e & PTE_U))
		return false;
	if (access == FAULT_WRITE)
		return e & PTE_W;
	return access != FAULT_EXEC || !(e & PTE_NX);
}

/* The translation for one access, or NULL and what the CPU would report. */
static struct entry *translate(phys_t root, unsigned long va, enum fault_access access,
			       bool *present)
{
	struct entry **at = find(pages, root, va >> PAGE_SHIFT);
	pte_t set = access == FAULT_WRITE ? PTE_A | PTE_D : PTE_A;
	pte_t *pte, e;
	bool huge;

	*present = false;
	if (*at) {
		if (allows((*at)->pte, access) && (access != FAULT_WRITE || ((*at)->pte & PTE_D)))
			return *at;
		/*
		 * A fault through a cached entry drops it; a first write looks at the table
		 * again.
		 */
		drop(pages, at);
	}
again:
	pte = walk(root, va, &huge);
	if (!pte)
		return NULL;
	/* Checked and marked in one step, as the CPU does it: an entry that is cleared meanwhile stays clear. */
	e = __atomic_load_n(pte, __ATOMIC_RELAXED);
	do {
		/* Demoted since the walk: what was a page of 2 MiB is a table, and not a page to use. */
		if (huge && (e & PTE_P) && !(e & PTE_PS))
			goto again;
		*present = e & PTE_P;
		if (!allows(e, access))
			return NULL;
	} while (!__atomic_compare_exchange_n(pte, &e, e | set, false, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return load(pages, root, va >> PAGE_SHIFT, page_of(e | set, va));
}

/* Panics when the cached translation promises what the tables no longer do. */
static void check_entry(const struct entry *t)
{
	unsigned long va = t->key << PAGE_SHIFT;
	const pte_t *upper = walk_upper(t->root, va);
	pte_t e = upper ? *upper : 0;

	e = e & PTE_PS ? page_of(e, va)
	    : e	       ? check_table(e)[(va >> PAGE_SHIFT) & (PTRS_PER_TABLE - 1)]
		       : 0;
	if (!(e & PTE_P) || pte_pfn(e) != pte_pfn(t->pte) ||
	    (t->pte & ~e & (PTE_W | PTE_D | PTE_U)) || (e & ~t->pte & PTE_NX))
		panic("TLB: stale entry for %lx: cached %lx, page table %lx", va, t->pte, e);
}

/* One access inside one page. The address to use, or NULL and the fault's result. */
static void *access_page(struct mm *mm, unsigned long va, enum fault_access access,
			 enum fault_result *r)
{
	phys_t root = virt_to_phys(mm->pgt.root);

	for (unsigned int tries = 0; tries < 8; tries++) {
		bool present = false;
		struct entry *t;

		loaded_root = root;
		t = va < TASK_SIZE ? translate(root, va, access, &present) : NULL;
		if (t) {
			check_entry(t);
			*r = FAULT_DONE;
			return (char *)phys_to_virt(t->pte & PTE_ADDR_MASK) + (va & ~PAGE_MASK);
		}
		*r = mm_handle_fault(mm, va, access | FAULT_USER | (present ? FAULT_PRESENT : 0));
		if (*r != FAULT_DONE)
			return NULL;
	}
	panic("MMU: access %d at %lx faults for ever", (int)access, va);
}

enum fault_result sim_read(struct mm *mm, unsigned long va, void *buf, size_t n)
{
	while (n) {
		size_t part = min(n, PAGE_SIZE - (va & ~PAGE_MASK));
		enum fault_result r;
		void *p = access_page(mm, va, FAULT_READ, &r);

		if (!p)
			return r;
		memcpy(buf, p, part);
		va += part;
		buf = (char *)buf + part;
		n -= part;
	}
	return FAULT_DONE;
}

enum fault_result sim_write(struct mm *mm, unsigned long va, const void *buf, size_t n)
{
	while (n) {
		size_t part = min(n, PAGE_SIZE - (va & ~PAGE_MASK));
		enum fault_result r;
		void *p = access_page(mm, va, FAULT_WRITE, &r);

		if (!p)
			return r;
		memcpy(p, buf, part);
		va += part;
		buf = (const char *)buf + part;
		n -= part;
	}
	return FAULT_DONE;
}

enum fault_result sim_exec(struct mm *mm, unsigned long va)
{
	enum fault_result r;

	(void)access_page(mm, va, FAULT_EXEC, &r);
	return r;
}

enum fault_result sim_touch(struct mm *mm, unsigned long va, enum fault_access access)
{
	u8 byte;
	enum fault_result r;

	if (access == FAULT_EXEC)
		return sim_exec(mm, va);
	if (access == FAULT_READ)
		return sim_read(mm, va, &byte, 1);
	/* A store of what is there: the page's contents stay. */
	{
		u8 *p = access_page(mm, va, FAULT_WRITE, &r);

		if (p)
			*(volatile u8 *)p = *(volatile u8 *)p;
	}
	return r;
}

enum fault_result sim_access(struct mm *mm, unsigned long va, enum fault_access access, u8 *byte)
{
	phys_t root = virt_to_phys(mm->pgt.root);
	enum fault_result r;

	do {
		bool present = false;
		struct entry *t;

		loaded_root = root;
		mmu_lock();
		t = translate(root, va, access, &present);
		if (t) {
			u8 *p = (u8 *)phys_to_virt(t->pte & PTE_ADDR_MASK) + (va & ~PAGE_MASK);
			struct page *page = pfn_to_page(pte_pfn(t->pte));

			/* Stale until the flush comes is allowed; a frame that was freed before is not. */
			if (!(page->flags & (1UL << PG_reserved)) &&
			    atomic_read(&page_folio(page)->refcount) <= 0)
				panic("MMU: access to %lx reaches a free frame", va);
			if (access == FAULT_WRITE)
				*p = *byte;
			else
				*byte = *p;
		}
		mmu_unlock();
		if (t)
			return FAULT_DONE;
		r = mm_handle_fault(mm, va, access | FAULT_USER | (present ? FAULT_PRESENT : 0));
	} while (r == FAULT_DONE);
	return r;
}

u8 sim_peek(struct mm *mm, unsigned long va)
{
	u8 byte = 0;

	BUG_ON(sim_read(mm, va, &byte, 1) != FAULT_DONE);
	return byte;
}

void sim_poke(struct mm *mm, unsigned long va, u8 value)
{
	BUG_ON(sim_write(mm, va, &value, 1) != FAULT_DONE);
}

/* The upper entry still leads to the table that the pointer remembers, or stands for it. */
static bool points_to(phys_t root, const struct entry *t)
{
	pte_t *upper = walk_upper(root, t->key << PMD_SHIFT);

	if (upper && (*upper & PTE_PS))
		return pfn_to_page(pte_pfn(t->pte))->pt_huge == upper;
	return upper && !((*upper ^ t->pte) & PTE_ADDR_MASK);
}

void sim_tlb_check(struct mm *mm)
{
	phys_t root = virt_to_phys(mm->pgt.root);

	for (unsigned int i = 0; i < 1U << HASH_BITS; i++) {
		for (struct entry *e = pages[i]; e; e = e->next)
			if (e->root == root)
				check_entry(e);
		for (struct entry *e = tables[i]; e; e = e->next)
			if (e->root == root && !points_to(root, e))
				panic("TLB: stale table pointer for %lx", e->key << PMD_SHIFT);
	}
}

pte_t sim_pte(struct mm *mm, unsigned long va)
{
	pte_t *pte = pgtable_find(&mm->pgt, va);

	return pte ? pte_read(pte) : 0;
}

unsigned long sim_tlb_entries(struct mm *mm)
{
	phys_t root = virt_to_phys(mm->pgt.root);
	unsigned long n = 0;

	for (unsigned int i = 0; i < 1U << HASH_BITS; i++)
		for (struct entry *e = pages[i]; e; e = e->next)
			n += e->root == root;
	return n;
}

void sim_mm_leave(struct mm *mm)
{
	phys_t root = virt_to_phys(mm->pgt.root);

	mmu_lock();
	drop_range(pages, root, 0, ~0UL);
	drop_range(tables, root, 0, ~0UL);
	mmu_unlock();
}

void sim_mm_put(struct mm *mm)
{
	sim_tlb_check(mm);
	sim_mm_leave(mm);
	mm->tlb.cpus = 0;
	mm_put(mm);
}
