/* SPDX-License-Identifier: MIT
 *
 * Part of the seam: page sizes, the address-space layout, and how to reach physical memory.
 * tests/host/include/arch/page.h replaces this file on the host.
 *
 * 0000000000001000 .. 00007fffffffefff  user
 * ffff888000000000 ..                   direct map of all RAM (read, write, no execute)
 * ffffc90000000000 ..                   kernel stacks with guard pages (arch/x86_64/mm/kmap.c)
 * ffffc94000000000 ..                   registers of devices, uncached (arch/x86_64/mm/ioremap.c)
 * ffffc94040000000                      a page of kernel code while it is changed (arch/x86_64/cpu/static_branch.c)
 * ffffea0000000000 ..                   struct page array, only backed where there is RAM
 * ffffffff80000000 ..                   kernel image
 */
#ifndef ARCH_PAGE_H
#define ARCH_PAGE_H

#include <arch/page_types.h>

#define DIRECT_MAP_BASE 0xffff888000000000UL
#define KSTACK_BASE 0xffffc90000000000UL
#define IOREMAP_BASE 0xffffc94000000000UL
#define POKE_BASE 0xffffc94040000000UL
#define VMEMMAP_BASE 0xffffea0000000000UL
#define KERNEL_BASE 0xffffffff80000000UL

#define mem_map ((struct page *)VMEMMAP_BASE)

static inline void *phys_to_virt(phys_t pa)
{
	return (void *)(DIRECT_MAP_BASE + pa);
}

/* va must be an address in the direct map. */
static inline phys_t virt_to_phys(const void *va)
{
	return (unsigned long)va - DIRECT_MAP_BASE;
}

/* n pages, one after the other. */
static inline void zero_pages(void *page, unsigned long n)
{
	n *= PAGE_SIZE / 8;
	__asm__ volatile("rep stosq" : "+D"(page), "+c"(n) : "a"(0) : "memory");
}

static inline void zero_page(void *page)
{
	zero_pages(page, 1);
}

static inline void copy_page(void *dst, const void *src)
{
	unsigned long n = PAGE_SIZE / 8;

	__asm__ volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
}

/* The allocators say which memory is free: the host's sanitizers watch it, the machine does not care. */
static inline void mem_freed(const void *p, size_t n)
{
	(void)p;
	(void)n;
}

static inline void mem_allocated(const void *p, size_t n)
{
	(void)p;
	(void)n;
}

#endif
