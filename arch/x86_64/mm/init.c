// SPDX-License-Identifier: MIT
/*
 * The final address space of the kernel: every page has the rights it needs and no more.
 *
 *   direct map    RAM only, in the largest pages that fit; kernel code and constants read-only
 *   struct pages  64 bytes a frame, in 2 MiB pages, only for the 128 MiB sections that contain RAM
 *   kernel image  code read and execute, constants read, data read and write
 *   APICs         local and I/O, uncached, at their places in the direct map
 *
 * The identity mapping that the boot code needed does not exist here. All top-level entries of the
 * upper half are made now: every user address space copies them once and for all.
 */
#include "early.h"
#include <arch/apic.h>
#include <arch/cpufeature.h>
#include <arch/io.h>
#include <arch/kernel_map.h>
#include <arch/setup.h>
#include <kern/assert.h>
#include <mm/page.h>
#include <mm/page_alloc.h>

#define KERNEL_RW (PTE_P | PTE_W | PTE_A | PTE_D | PTE_G | PTE_NX)
#define KERNEL_RO (PTE_P | PTE_A | PTE_G | PTE_NX)
#define KERNEL_RX (PTE_P | PTE_A | PTE_G)
#define KERNEL_TABLE (PTE_P | PTE_W | PTE_A)

/* One 2 MiB page of struct pages describes so many frames. */
#define SECTION_PAGES (PMD_SIZE / sizeof(struct page))
#define SECTION_SIZE (SECTION_PAGES << PAGE_SHIFT)

static pte_t root_table[PTRS_PER_TABLE] __aligned(PAGE_SIZE);
pte_t *kernel_root;

phys_t kernel_pgd(void)
{
	return image_phys(root_table);
}

/* ---- walking kernel_root ---- */

static pte_t *table_of(pte_t e)
{
	return phys_to_virt(e & PTE_ADDR_MASK);
}

/*
 * The entry of va in the level whose entries cover 1 << shift bytes; NULL when a level above is
 * missing.
 */
static pte_t *walk(unsigned long va, unsigned int shift, bool create)
{
	pte_t *table = kernel_root;

	for (unsigned int s = PGD_SHIFT; s > shift; s -= 9) {
		pte_t *e = &table[(va >> s) % PTRS_PER_TABLE];

		if (pte_none(*e)) {
			if (!create)
				return NULL;
			*e = virt_to_phys(early_alloc_page()) | KERNEL_TABLE;
		}
		table = table_of(*e);
	}
	return &table[(va >> shift) % PTRS_PER_TABLE];
}

pte_t *kernel_pmd(unsigned long va)
{
	return walk(va, PMD_SHIFT, false);
}

pte_t *kernel_pte(unsigned long va)
{
	pte_t *pmd = kernel_pmd(va);

	if (!pmd || pte_none(*pmd))
		return NULL;
	return &table_of(*pmd)[va / PAGE_SIZE % PTRS_PER_TABLE];
}

static bool page_fits(unsigned long va, phys_t pa, phys_t end, unsigned long size)
{
	return IS_ALIGNED(va | pa, size) && end - pa >= size;
}

static void map_range(unsigned long va, phys_t pa, phys_t end, pte_t prot)
{
	while (pa < end) {
		unsigned int shift = PAGE_SHIFT;

		if (cpu_features.pdpe1gb && page_fits(va, pa, end, PUD_SIZE))
			shift = PUD_SHIFT;
		else if (page_fits(va, pa, end, PMD_SIZE))
			shift = PMD_SHIFT;
		*walk(va, shift, true) = pa | prot | (shift > PAGE_SHIFT ? PTE_PS : 0);
		va += 1UL << shift;
		pa += 1UL << shift;
	}
}

/* ---- the parts ---- */

/* [start, end) of RAM, writable but for [ro_start, ro_end). */
static void map_direct(phys_t start, phys_t end, phys_t ro_start, phys_t ro_end)
{
	phys_t a = max(start, ro_start), b = min(end, ro_end);

	if (a >= b) {
		a = end;
		b = end;
	}
	map_range(DIRECT_MAP_BASE + start, start, a, KERNEL_RW);
	map_range(DIRECT_MAP_BASE + a, a, b, KERNEL_RO);
	map_range(DIRECT_MAP_BASE + b, b, end, KERNEL_RW);
}

static void map_ram(const struct boot_info *bi)
{
	phys_t ro_start = image_phys(__text_start), ro_end = image_phys(__rodata_end);

	for (unsigned int i = 0; i < bi->nr_ram; i++)
		map_direct(bi->ram[i].start, bi->ram[i].end, ro_start, ro_end);
}

/* The page of a device's registers. */
static void map_registers(phys_t pa)
{
	phys_t page = ALIGN_DOWN(pa, PAGE_SIZE);

	map_range(DIRECT_MAP_BASE + page, page, page + PAGE_SIZE, KERNEL_RW | PTE_PCD | PTE_PWT);
}

static void map_interrupt_controllers(const struct madt *m)
{
	if (m->lapic)
		lapic_phys = m->lapic;
	map_registers(lapic_phys);
	for (unsigned int i = 0; i < m->nr_ioapics; i++)
		map_registers(m->ioapics[i].base);
}

static void map_image(void)
{
	map_range((unsigned long)__text_start, image_phys(__text_start), image_phys(__text_end),
		  KERNEL_RX);
	map_range((unsigned long)__rodata_start, image_phys(__rodata_start),
		  image_phys(__rodata_end), KERNEL_RO);
	map_range((unsigned long)__data_start, image_phys(__data_start), image_phys(__kernel_end),
		  KERNEL_RW);
	*walk((unsigned long)boot_stack_guard, PAGE_SHIFT, false) = 0;
}

static pte_t *section_entry(unsigned long section, bool create)
{
	return walk(VMEMMAP_BASE + section * PMD_SIZE, PMD_SHIFT, create);
}

/* RAM whose struct pages find no room is given up. */
static void map_struct_pages(const struct boot_info *bi)
{
	for (unsigned int i = 0; i < bi->nr_ram; i++) {
		unsigned long last = (bi->ram[i].end - 1) / SECTION_SIZE;

		for (unsigned long s = bi->ram[i].start / SECTION_SIZE; s <= last; s++) {
			pte_t *pmd = section_entry(s, true);
			phys_t pa;

			if (!pte_none(*pmd))
				continue;
			pa = early_alloc(PMD_SIZE, PMD_SIZE);
			if (pa)
				*pmd = pa | KERNEL_RW | PTE_PS;
			else
				range_remove(&early_free, s * SECTION_SIZE, (s + 1) * SECTION_SIZE);
		}
	}
}

bool arch_pfn_valid(unsigned long pfn)
{
	pte_t *pmd = pfn < BOOT_RAM_LIMIT >> PAGE_SHIFT ? section_entry(pfn / SECTION_PAGES, false)
							: NULL;

	return pmd && !pte_none(*pmd);
}

/* ---- handing over ---- */

static void mark_reserved(unsigned long pfn, unsigned long end)
{
	for (; pfn < end; pfn++)
		pfn_to_page(pfn)->flags = 1UL << PG_reserved;
}

/* What has a struct page and is not free belongs to nobody the allocator knows. */
static void mark_section(unsigned long section)
{
	unsigned long pfn = section * SECTION_PAGES, end = pfn + SECTION_PAGES;

	for (unsigned int i = 0; i < early_free.nr; i++) {
		unsigned long from = early_free.r[i].start >> PAGE_SHIFT;
		unsigned long to = early_free.r[i].end >> PAGE_SHIFT;

		if (to <= pfn || from >= end)
			continue;
		if (from > pfn)
			mark_reserved(pfn, from);
		pfn = min(to, end);
	}
	mark_reserved(pfn, end);
}

static void hand_over(void)
{
	for (unsigned long s = 0; s < BOOT_RAM_LIMIT / SECTION_SIZE; s++)
		if (arch_pfn_valid(s * SECTION_PAGES))
			mark_section(s);
	for (unsigned int i = 0; i < early_free.nr; i++)
		buddy_add_range(early_free.r[i].start >> PAGE_SHIFT,
				early_free.r[i].end >> PAGE_SHIFT);
}

void arch_memory_init(const struct boot_info *bi)
{
	kernel_root = phys_to_virt(image_phys(root_table));
	early_init(bi);
	map_ram(bi);
	map_interrupt_controllers(&bi->madt);
	map_image();
	map_struct_pages(bi);
	kstack_window_init();
	(void)walk(POKE_BASE, PAGE_SHIFT, true);
	write_cr3(kernel_pgd());

	/* Boot code and tables have had their day. */
	range_add(&early_free, (phys_t)__boot_start, (phys_t)__boot_end);
	hand_over();
}

void arch_free_initrd(const struct boot_info *bi)
{
	unsigned long start = ALIGN_DOWN(bi->initrd.start, PAGE_SIZE) >> PAGE_SHIFT;
	unsigned long end = ALIGN_UP(bi->initrd.end, PAGE_SIZE) >> PAGE_SHIFT;

	for (unsigned int i = 0; i < bi->nr_ram; i++) {
		unsigned long a = max(start, bi->ram[i].start >> PAGE_SHIFT);
		unsigned long b = min(end, bi->ram[i].end >> PAGE_SHIFT);

		for (unsigned long pfn = a; pfn < b; pfn++)
			pfn_to_page(pfn)->flags = 0;
		if (a < b)
			buddy_add_range(a, b);
	}
}

unsigned long arch_kernel_image_bytes(void)
{
	return image_phys(__kernel_end) - image_phys(__kernel_start);
}
