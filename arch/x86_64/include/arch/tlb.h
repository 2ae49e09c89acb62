/* SPDX-License-Identifier: MIT
 *
 * Part of the seam: telling the TLBs. mm/ calls these after it changed page-table entries and
 * before it frees what they pointed to.
 * tests/host/include/arch/tlb.h replaces this file on the host, where the TLB remembers.
 */
#ifndef ARCH_TLB_H
#define ARCH_TLB_H

#include <kern/types.h>

/* What the TLB code knows about one address space. */
struct tlb_context {
	u64 cpus;    /* atomic: bit n: CPU n may hold entries (it has this address space loaded) */
	phys_t root; /* CR3 */
};

void tlb_context_init(struct tlb_context *ctx, phys_t root);
/*
 * Nobody uses the address space any more: CPUs that still have it loaded load the kernel's. Afterwards
 * no flush is needed, and the root may be freed. May wait for other CPUs.
 */
void tlb_context_release(struct tlb_context *ctx);
/*
 * False: no CPU holds anything of it, as far as entries are concerned that were changed before, so that flushing them
 * costs nothing.
 */
bool tlb_is_loaded(const struct tlb_context *ctx);
/* Forgets one page on every CPU that may hold it. On return no CPU can use the old entry. */
void tlb_flush_page(struct tlb_context *ctx, unsigned long va);
/*
 * Forgets [start, end). tables_freed: page-table pages of the range are about to be freed, so
 * cached upper levels must go as well. Above the knob tlb.full_flush_pages the whole context is
 * flushed.
 */
void tlb_flush_range(struct tlb_context *ctx, unsigned long start, unsigned long end,
		     bool tables_freed);
/* Only this CPU: after an entry became more permissive, a stale entry costs a spurious fault at worst. */
void tlb_flush_local_page(unsigned long va);

#endif
