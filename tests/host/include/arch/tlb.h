/* SPDX-License-Identifier: MIT
 *
 * The seam on the host: what the machine's arch/tlb.h declares, answered by sim_mmu.c, whose TLB
 * keeps every entry until it is told to forget it.
 */
#ifndef ARCH_TLB_H
#define ARCH_TLB_H

#include <kern/types.h>

struct tlb_context {
	u64 cpus;
	phys_t root;
};

void tlb_context_init(struct tlb_context *ctx, phys_t root);
void tlb_context_release(struct tlb_context *ctx);
bool tlb_is_loaded(const struct tlb_context *ctx);
void tlb_flush_page(struct tlb_context *ctx, unsigned long va);
void tlb_flush_range(struct tlb_context *ctx, unsigned long start, unsigned long end,
		     bool tables_freed);
void tlb_flush_local_page(unsigned long va);

#endif
