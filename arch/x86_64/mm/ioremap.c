/* SPDX-License-Identifier: MIT
 *
 * A window of the kernel's address space for registers of devices, handed out from below and never taken
 * back. Its top-level entry is that of the kernel stacks, so every address space has it; the tables below
 * come when the first device does.
 */
#include <arch/mmio.h>
#include <arch/pgtable.h>
#include <mm/page_alloc.h>
#include <sync/mutex.h>

#define WINDOW_SIZE PUD_SIZE
#define REGISTERS (PTE_P | PTE_W | PTE_A | PTE_D | PTE_G | PTE_NX | PTE_PCD | PTE_PWT)

_Static_assert(IOREMAP_BASE / PGD_SIZE == KSTACK_BASE / PGD_SIZE, "one top-level entry for both");

static struct mutex lock = MUTEX_INIT(lock);
static unsigned long next = IOREMAP_BASE; /* [lock] */

/* The table below an entry, made when there is none. NULL: no memory. Lock held. */
static pte_t *table_below(pte_t *e)
{
	struct page *p;

	if (pte_none(*e)) {
		p = alloc_pages(GFP_KERNEL | __GFP_ZERO, 0);
		if (!p)
			return NULL;
		pte_set(e, page_to_phys(p) | PTE_P | PTE_W | PTE_A);
	}
	return phys_to_virt(*e & PTE_ADDR_MASK);
}

static bool map_register_page(unsigned long va, phys_t pa)
{
	pte_t *pud = phys_to_virt(kernel_root[va / PGD_SIZE % PTRS_PER_TABLE] & PTE_ADDR_MASK);
	pte_t *pmd = table_below(&pud[va / PUD_SIZE % PTRS_PER_TABLE]);
	pte_t *pte = pmd ? table_below(&pmd[va / PMD_SIZE % PTRS_PER_TABLE]) : NULL;

	if (!pte)
		return false;
	pte_set(&pte[va / PAGE_SIZE % PTRS_PER_TABLE], pa | REGISTERS);
	return true;
}

void *ioremap(phys_t pa, size_t size)
{
	phys_t page = ALIGN_DOWN(pa, PAGE_SIZE);
	unsigned long bytes, at;
	void *ret = NULL;

	if (!size || size > WINDOW_SIZE || pa > PTE_ADDR_MASK - size)
		return NULL;
	bytes = ALIGN_UP(pa + size, PAGE_SIZE) - page;
	mutex_lock(&lock);
	if (bytes > IOREMAP_BASE + WINDOW_SIZE - next)
		goto out;
	for (at = 0; at < bytes; at += PAGE_SIZE)
		if (!map_register_page(next + at, page + at))
			goto out;
	ret = (void *)(next + (pa - page));
	next += bytes;
out:
	mutex_unlock(&lock);
	return ret;
}
