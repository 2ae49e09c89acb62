// SPDX-License-Identifier: MIT
/*
 * Memory before the buddy allocator: the free ranges of RAM, taken from below. The boot tables map
 * the first 4 GiB, so everything comes from there.
 */
#include "early.h"
#include <kern/assert.h>
#include <kern/string.h>

#define EARLY_LIMIT (1UL << 32)
#define LOW_MEMORY_END 0x100000UL /* firmware tables, start-up code of other CPUs: left alone */

struct range_list early_free;

void early_init(const struct boot_info *bi)
{
	for (unsigned int i = 0; i < bi->nr_ram; i++)
		range_add(&early_free, bi->ram[i].start, bi->ram[i].end);
	range_remove(&early_free, 0, LOW_MEMORY_END);
	range_remove(&early_free, (phys_t)__boot_start, image_phys(__kernel_end));
	range_remove(&early_free, ALIGN_DOWN(bi->initrd.start, PAGE_SIZE),
		     ALIGN_UP(bi->initrd.end, PAGE_SIZE));
}

phys_t early_alloc(size_t size, size_t align)
{
	for (unsigned int i = 0; i < early_free.nr; i++) {
		phys_t start = ALIGN_UP(early_free.r[i].start, align);
		phys_t end = min(early_free.r[i].end, EARLY_LIMIT);

		if (start < end && end - start >= size) {
			range_remove(&early_free, start, start + size);
			for (phys_t pa = start; pa < start + size; pa += PAGE_SIZE)
				zero_page(phys_to_virt(pa));
			return start;
		}
	}
	return 0;
}

void *early_alloc_page(void)
{
	phys_t pa = early_alloc(PAGE_SIZE, PAGE_SIZE);

	if (!pa)
		panic("no memory for the kernel's page tables");
	return phys_to_virt(pa);
}
