/* SPDX-License-Identifier: MIT
 *
 * Simulated RAM: an arena and the struct pages of its frames, mapped at fixed addresses.
 */
#include <arch/setup.h>
#include "../../../mm/vma.h"
#include "sim.h"
#include "sim_host.h"

#include <kern/printk.h>
#include <sync/rcu.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif

#ifdef HAVE_ASAN
void __asan_poison_memory_region(const volatile void *p, size_t n);
void __asan_unpoison_memory_region(const volatile void *p, size_t n);
void *__asan_region_is_poisoned(void *p, size_t n);

void mem_freed(const void *p, size_t n)
{
	__asan_poison_memory_region(p, n);
}

void mem_allocated(const void *p, size_t n)
{
	__asan_unpoison_memory_region(p, n);
}

bool sim_mem_usable(const void *p, size_t n)
{
	return !__asan_region_is_poisoned((void *)p, n);
}
#else
void mem_freed(const void *p, size_t n)
{
	(void)p;
	(void)n;
}

void mem_allocated(const void *p, size_t n)
{
	(void)p;
	(void)n;
}

bool sim_mem_usable(const void *p, size_t n)
{
	(void)p;
	(void)n;
	return true;
}
#endif

pte_t *kernel_root;

void sim_boot(unsigned long frames)
{
	/* The buddy allocator looks at struct pages up to the end of a 4 MiB block. */
	unsigned long described = ALIGN_UP(frames, 1UL << MAX_ORDER);

	host_map_fixed(SIM_RAM_BASE, frames << PAGE_SHIFT);
	host_map_fixed(SIM_MEM_MAP_BASE, described * sizeof(struct page));
	kernel_root = phys_to_virt(0);
	mem_map[0].flags = 1UL << PG_reserved;
	buddy_add_range(1, frames);
	kmem_cache_init();
	xa_cache_init();
	mm_init();
}

struct sim_resources sim_resources(void)
{
	rcu_barrier();
	slab_shrink();
	huge_zero_shrink();
	pgtable_drain();
	drain_pcps();
	buddy_validate();
	slab_validate();
	return (struct sim_resources){
		.free_pages = nr_free_pages(),
		.slab_objects = slab_objects_in_use(),
		.committed = vm_committed(),
		.page_tables = stat_read(NR_PAGETABLE),
	};
}

static bool differs(const char *what, unsigned long before, unsigned long now)
{
	if (before != now)
		pr_err("leak: %s were %lu, are %lu", what, before, now);
	return before != now;
}

/* Of pages in use, so 0 when nothing is. */
static const enum stat_item gauges[] = {
	NR_ANON_PAGES,	NR_FILE_MAPPED,	  NR_FILE_PAGES,  NR_SHMEM,	  NR_INACTIVE_ANON,
	NR_ACTIVE_ANON, NR_INACTIVE_FILE, NR_ACTIVE_FILE, NR_UNEVICTABLE,
};

bool sim_leaks(const struct sim_resources *before)
{
	struct sim_resources now = sim_resources();
	bool leak = false;

	leak |= differs("slab objects", before->slab_objects, now.slab_objects);
	leak |= differs("page tables", before->page_tables, now.page_tables);
	leak |= differs("free pages", before->free_pages, now.free_pages);
	leak |= differs("committed pages", before->committed, now.committed);
	for (unsigned int i = 0; i < ARRAY_SIZE(gauges); i++)
		leak |= differs(stat_name(gauges[i]), 0, stat_read(gauges[i]));
	return leak;
}

bool arch_pfn_valid(unsigned long pfn)
{
	return pfn < max_pfn();
}
