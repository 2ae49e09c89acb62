// SPDX-License-Identifier: MIT
/*
 * Translation look-aside buffers. A CPU may hold entries of the one address space in its CR3,
 * because loading another drops all of them but the kernel's global ones (PCIDs are not used). So a
 * flush concerns the CPUs in tlb_context.cpus and no other; the only one so far is the caller's
 * own.
 *
 * INVLPG also drops every cached upper-level entry of the address space (SDM vol. 3A, 4.10.4.1; AMD
 * APM vol. 2, 5.5.1), so freed page tables need no full flush: any page of the range will do.
 */
#include <arch/cpu.h>
#include <arch/io.h>
#include <arch/kernel_map.h>
#include <arch/thread.h>
#include <arch/tlb.h>
#include <kern/atomic.h>
#include <kern/knobs.h>
#include <mm/mm.h>
#include <mm/stats.h>

static inline void invlpg(unsigned long va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

void tlb_context_init(struct tlb_context *ctx, phys_t root)
{
	ctx->cpus = 0;
	ctx->root = root;
}

/* This CPU holds no entry of another address space. */
static inline bool tlb_is_loaded(const struct tlb_context *ctx)
{
	return this_cpu()->tlb == ctx;
}

void tlb_flush_page(struct tlb_context *ctx, unsigned long va)
{
	if (!tlb_is_loaded(ctx))
		return;
	stat_inc(TLB_FLUSH_PAGE);
	invlpg(va);
}

void tlb_flush_range(struct tlb_context *ctx, unsigned long start, unsigned long end,
		     bool tables_freed __maybe_unused)
{
	if (!tlb_is_loaded(ctx) || start >= end)
		return;
	if ((end - start) >> PAGE_SHIFT >= knob_tlb_full_flush_pages) {
		stat_inc(TLB_FLUSH_ALL);
		write_cr3(ctx->root);
		return;
	}
	stat_inc(TLB_FLUSH_RANGE);
	for (unsigned long va = start; va < end; va += PAGE_SIZE)
		invlpg(va);
}

void tlb_flush_local_page(unsigned long va)
{
	invlpg(va);
}

void tlb_flush_kernel_range(unsigned long start, unsigned long end)
{
	for (unsigned long va = start; va < end; va += PAGE_SIZE)
		invlpg(va);
}

/*
 * No address space stays loaded when its last user is gone: with next NULL the kernel's own root is
 * loaded at once, so mm_put() may free the tables. The bit is set before the CPU can cache anything
 * and cleared after it has forgotten everything.
 */
void arch_switch_mm(struct mm *prev __maybe_unused, struct mm *next)
{
	struct cpu *c = this_cpu();
	struct tlb_context *old = c->tlb;
	struct tlb_context *new = next ? &next->tlb : NULL;

	if (old == new)
		return;
	if (new)
		set_bit(c->id, &new->cpus);
	c->tlb = new;
	write_cr3(new ? new->root : kernel_pgd());
	if (old)
		clear_bit(c->id, &old->cpus);
}
