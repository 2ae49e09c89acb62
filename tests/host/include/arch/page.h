/* SPDX-License-Identifier: MIT
 *
 * The seam on the host: RAM is an arena at a fixed address, struct pages are an array beside it.
 */
#ifndef ARCH_PAGE_H
#define ARCH_PAGE_H

#include <arch/page_types.h>
#include <kern/string.h>

/* ThreadSanitizer follows accesses to certain address ranges only. */
#ifdef __SANITIZE_THREAD__
#define SIM_RAM_BASE 0x1000000000UL
#define SIM_MEM_MAP_BASE 0x2000000000UL
#else
#define SIM_RAM_BASE 0x200000000000UL
#define SIM_MEM_MAP_BASE 0x210000000000UL
#endif
#define KERNEL_BASE 0xffffffff80000000UL /* only compared with: there is no kernel image here */

#define mem_map ((struct page *)SIM_MEM_MAP_BASE)

/* sim_phys.c: under AddressSanitizer an access to free memory is a report. */
void mem_freed(const void *p, size_t n);
void mem_allocated(const void *p, size_t n);

static inline void *phys_to_virt(phys_t pa)
{
	return (void *)(SIM_RAM_BASE + pa);
}

static inline phys_t virt_to_phys(const void *va)
{
	return (unsigned long)va - SIM_RAM_BASE;
}

/* Word by word, as the machine does it: a page table may be looked at meanwhile. */
static inline void zero_pages(void *page, unsigned long n)
{
	unsigned long *words = page;

	for (unsigned long i = 0; i < n * PAGE_SIZE / sizeof(*words); i++)
		RACY_WRITE(words[i], 0);
}

static inline void zero_page(void *page)
{
	zero_pages(page, 1);
}

/* What a program or truncate writes to the page meanwhile may be in the copy or not: no race between the kernel's own. */
#ifdef __SANITIZE_THREAD__
__attribute__((no_sanitize("thread")))
#endif
static inline void
copy_page(void *dst, const void *src)
{
	volatile unsigned long *to = dst;
	const volatile unsigned long *from = src;

	for (unsigned int i = 0; i < PAGE_SIZE / sizeof(*to); i++)
		to[i] = from[i];
}

#endif
