// SPDX-License-Identifier: MIT
/*
 * Kernel stacks: 16 KiB each in a window of virtual memory, with 16 KiB of nothing below, so that
 * running over the end faults instead of destroying a neighbour.
 *
 * The window is an array of 32 KiB slots. A word of the bitmap stands for 64 slots, which is what
 * one page table maps: the table lives exactly as long as its word is not 0. Freed stacks stay
 * mapped in a short cache, linked through their own memory, because a process that ends is usually
 * followed by another.
 *
 * A slot that is taken apart stays in use until every CPU has forgotten its pages. The last one of a
 * table takes all the others with it meanwhile, so that nobody can put a new table in the old one's
 * place while some CPU still remembers that.
 */
#include <arch/kernel_map.h>
#include <arch/memory.h>
#include <arch/thread.h>
#include <kern/assert.h>
#include <mm/page_alloc.h>
#include <mm/stats.h>
#include <sync/spinlock.h>

#define SLOT_SIZE (2 * KSTACK_SIZE)
#define SLOTS_PER_TABLE (PMD_SIZE / SLOT_SIZE)
#define NR_SLOTS 32768UL /* 1 GiB of window: one table of tables */
#define NR_WORDS (NR_SLOTS / SLOTS_PER_TABLE)
#define STACK_PAGES (KSTACK_SIZE / PAGE_SIZE)
#define CACHE_MAX 32u
#define STACK_PROT (PTE_P | PTE_W | PTE_A | PTE_D | PTE_G | PTE_NX)

_Static_assert(SLOTS_PER_TABLE == 64, "a word of the bitmap is a page table");

struct cached_stack {
	struct cached_stack *next;
};

static struct {
	spinlock_t lock;
	struct cached_stack *cache; /* [lock] lowest address of a mapped, unused stack */
	unsigned int nr_cached;	    /* [lock] */
	unsigned long first_word;   /* [lock] words below it are full */
	u64 used[NR_WORDS];	    /* [lock] slots taken, cached ones included */
} stacks;

/* Everything one new stack needs, got before the lock is taken. */
struct stack_memory {
	struct page *pages[STACK_PAGES];
	struct page *table;
};

static unsigned long slot_base(unsigned long slot)
{
	return KSTACK_BASE + slot * SLOT_SIZE + (SLOT_SIZE - KSTACK_SIZE);
}

bool kstack_is_guard(unsigned long va)
{
	unsigned long boot_guard = (unsigned long)boot_stack_guard;

	if (va >= boot_guard && va < boot_guard + PAGE_SIZE)
		return true;
	return va >= KSTACK_BASE && va < KSTACK_BASE + NR_SLOTS * SLOT_SIZE &&
	       va % SLOT_SIZE < SLOT_SIZE - KSTACK_SIZE;
}

static void stack_memory_free(struct stack_memory *m)
{
	for (unsigned int i = 0; i < STACK_PAGES; i++)
		if (m->pages[i])
			free_pages(m->pages[i], 0);
	if (m->table)
		free_pages(m->table, 0);
}

static bool stack_memory_alloc(struct stack_memory *m)
{
	*m = (struct stack_memory){ .table = NULL };
	for (unsigned int i = 0; i < STACK_PAGES; i++) {
		m->pages[i] = alloc_pages(GFP_KERNEL, 0);
		if (!m->pages[i])
			goto fail;
	}
	m->table = alloc_pages(GFP_KERNEL | __GFP_ZERO, 0);
	if (m->table)
		return true;
fail:
	stack_memory_free(m);
	return false;
}

/* Lock held. */
static bool slot_take(unsigned long *slot)
{
	for (unsigned long w = stacks.first_word; w < NR_WORDS; w++) {
		if (stacks.used[w] != ~0ULL) {
			unsigned int bit = (unsigned int)__builtin_ctzll(~stacks.used[w]);

			stacks.used[w] |= 1ULL << bit;
			stacks.first_word = w;
			*slot = w * SLOTS_PER_TABLE + bit;
			return true;
		}
	}
	stacks.first_word = NR_WORDS;
	return false;
}

/* Lock held. Uses up m's pages, and its table when that part of the window has none. */
static void stack_map(unsigned long base, struct stack_memory *m)
{
	pte_t *pmd = kernel_pmd(base);
	pte_t *pte;

	if (pte_none(*pmd)) {
		pte_set(pmd, page_to_phys(m->table) | PTE_P | PTE_W | PTE_A);
		m->table = NULL;
	}
	pte = kernel_pte(base);
	for (unsigned int i = 0; i < STACK_PAGES; i++) {
		pte_set(pte + i, pte_make(page_to_pfn(m->pages[i]), STACK_PROT));
		m->pages[i] = NULL;
	}
}

static u64 *slot_word(unsigned long base)
{
	return &stacks.used[(base - KSTACK_BASE) / SLOT_SIZE / SLOTS_PER_TABLE];
}

/* Takes a stack's pages out of the window; its slot stays taken. */
static void stack_unmap(unsigned long base, struct stack_memory *m)
{
	pte_t *pte;

	spin_lock(&stacks.lock);
	pte = kernel_pte(base);
	for (unsigned int i = 0; i < STACK_PAGES; i++)
		m->pages[i] = pfn_to_page(pte_pfn(pte_get_and_clear(pte + i)));
	spin_unlock(&stacks.lock);
	tlb_flush_kernel_range(base, base + KSTACK_SIZE);
}

/* Gives back bits of the word: slots that no CPU remembers. Lock held. */
static void slots_release(u64 *word, u64 bits)
{
	*word &= ~bits;
	stacks.first_word = min(stacks.first_word, (unsigned long)(word - stacks.used));
}

/*
 * Gives an unmapped stack's slot back, and takes the table when nothing is left there. Only whoever
 * clears the last bit can tell: of two that end together, neither is the last while it unmaps.
 */
static void slot_free(unsigned long base, struct stack_memory *m)
{
	u64 bit = 1ULL << (base - KSTACK_BASE) / SLOT_SIZE % SLOTS_PER_TABLE;
	u64 *word = slot_word(base);

	m->table = NULL;
	spin_lock(&stacks.lock);
	if (*word == bit) {
		*word = ~0ULL;
		m->table = pfn_to_page(pte_pfn(pte_get_and_clear(kernel_pmd(base))));
	} else {
		slots_release(word, bit);
	}
	spin_unlock(&stacks.lock);
	if (!m->table)
		return;

	tlb_flush_kernel_range(base, base + PAGE_SIZE);
	spin_lock(&stacks.lock);
	slots_release(word, ~0ULL);
	spin_unlock(&stacks.lock);
}

static void stack_destroy(unsigned long base)
{
	struct stack_memory m;

	stack_unmap(base, &m);
	slot_free(base, &m);
	stack_memory_free(&m);
}

static unsigned long stack_create(void)
{
	struct stack_memory m;
	unsigned long slot, base = 0;

	if (!stack_memory_alloc(&m))
		return 0;
	spin_lock(&stacks.lock);
	if (slot_take(&slot)) {
		base = slot_base(slot);
		stack_map(base, &m);
	}
	spin_unlock(&stacks.lock);
	stack_memory_free(&m);
	return base;
}

/* A spare stack; NULL: there is none. */
static __always_inline struct cached_stack *take_cached(void)
{
	struct cached_stack *s;

	spin_lock(&stacks.lock);
	s = stacks.cache;
	if (s) {
		stacks.cache = s->next;
		stacks.nr_cached--;
	}
	spin_unlock(&stacks.lock);
	return s;
}

unsigned long kstack_alloc(void)
{
	struct cached_stack *s = take_cached();
	unsigned long base = s ? (unsigned long)s : stack_create();

	if (!base)
		return 0;
	stat_add(NR_KERNEL_STACK_KB, KSTACK_SIZE / 1024);
	return base + KSTACK_SIZE;
}

void kstack_free(unsigned long top)
{
	struct cached_stack *s = (struct cached_stack *)(top - KSTACK_SIZE);
	bool keep;

	stat_add(NR_KERNEL_STACK_KB, -(long)(KSTACK_SIZE / 1024));
	spin_lock(&stacks.lock);
	keep = stacks.nr_cached < CACHE_MAX;
	if (keep) {
		s->next = stacks.cache;
		stacks.cache = s;
		stacks.nr_cached++;
	}
	spin_unlock(&stacks.lock);
	if (!keep)
		stack_destroy((unsigned long)s);
}

void kstack_drain(void)
{
	for (;;) {
		struct cached_stack *s = take_cached();

		if (!s)
			return;
		stack_destroy((unsigned long)s);
	}
}

/* The two levels above the page tables are made once, so that all address spaces share them. */
void kstack_window_init(void)
{
	pte_t *pgd = &kernel_root[KSTACK_BASE / PGD_SIZE % PTRS_PER_TABLE];
	pte_t *pud = early_alloc_page();
	pte_t *pmd = early_alloc_page();

	*pgd = virt_to_phys(pud) | PTE_P | PTE_W | PTE_A;
	pud[KSTACK_BASE / PUD_SIZE % PTRS_PER_TABLE] = virt_to_phys(pmd) | PTE_P | PTE_W | PTE_A;
}
