// SPDX-License-Identifier: MIT
/*
 * Translation look-aside buffers. A CPU may hold entries of the one address space in its CR3,
 * because loading another drops all of them but the kernel's global ones (PCIDs are not used). So a
 * flush concerns the CPUs in tlb_context.cpus and no other.
 *
 * A CPU with nothing to run keeps the address space it had, for it will mostly come back to it. It
 * uses no user address meanwhile, so it is not interrupted for a flush (lazy mode): whoever flushes
 * marks it stale instead, and it drops everything before it uses the address space again. Only when
 * page tables are freed it must be asked, as a CPU may walk tables whenever it likes; it then lets
 * the address space go.
 *
 * The order that makes this right: entries are changed before the CPUs are looked at, and a CPU
 * enters tlb_context.cpus before it loads the tables; a full barrier lies between on both sides (the
 * locked operations do that). So a CPU that is not seen in the set will see the changed entries.
 * Likewise for leaving lazy mode: who flushes marks stale and then looks at tlb_lazy again; who
 * leaves clears tlb_lazy and then looks at the mark. One of the two sees the other.
 *
 * INVLPG also drops every cached upper-level entry of the address space (SDM vol. 3A, 4.10.4.1; AMD
 * APM vol. 2, 5.5.1), so freed page tables need no full flush: any page of the range will do.
 */
#include <arch/cpu.h>
#include <arch/io.h>
#include <arch/irq.h>
#include <arch/kernel_map.h>
#include <arch/smp.h>
#include <arch/thread.h>
#include <arch/tlb.h>
#include <kern/assert.h>
#include <kern/knobs.h>
#include <kern/trace.h>
#include <mm/mm.h>
#include <mm/stats.h>

struct flush {
	struct tlb_context *ctx;
	unsigned long start, end;
};

static inline void invlpg(unsigned long va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static inline u64 cpu_bit(unsigned int cpu)
{
	return 1ULL << cpu;
}

void tlb_context_init(struct tlb_context *ctx, phys_t root)
{
	ctx->cpus = 0;
	ctx->root = root;
}

/* ---- loading an address space: interrupts off ---- */

/*
 * The bit is set before the CPU can cache anything and cleared after it has forgotten everything.
 */
static void load(struct cpu *c, struct tlb_context *new)
{
	struct tlb_context *old = c->tlb;

	if (new)
		__atomic_or_fetch(&new->cpus, cpu_bit(c->id), __ATOMIC_SEQ_CST);
	c->tlb = new;
	write_cr3(new ? new->root : kernel_pgd());
	if (old)
		__atomic_and_fetch(&old->cpus, ~cpu_bit(c->id), __ATOMIC_SEQ_CST);
}

/* A mark that comes too late costs one more reload, the next time. */
static void forget_if_stale(struct cpu *c)
{
	if (!__atomic_load_n(&c->tlb_stale, __ATOMIC_SEQ_CST))
		return;
	__atomic_store_n(&c->tlb_stale, false, __ATOMIC_RELAXED);
	stat_inc(TLB_FLUSH_ALL);
	write_cr3(c->tlb->root);
}

void arch_switch_mm(struct mm *next)
{
	struct cpu *c = this_cpu();
	struct tlb_context *new = next ? &next->tlb : NULL;
	bool was_lazy = c->tlb_lazy;

	if (was_lazy)
		(void)__atomic_exchange_n(&c->tlb_lazy, false, __ATOMIC_SEQ_CST);
	if (c->tlb != new)
		load(c, new);
	else if (was_lazy && new)
		forget_if_stale(c);
}

void arch_leave_mm_lazy(void)
{
	struct cpu *c = this_cpu();

	if (c->tlb)
		__atomic_store_n(&c->tlb_lazy, true, __ATOMIC_RELEASE);
}

/* ---- flushing ---- */

/* Interrupts off, or a context in which the task stays here and handlers change nothing. */
static void flush_local(const struct flush *f, enum trace_tlb_reason reason)
{
	if (f->start >= f->end)
		return;
	trace(tlb_flush, (long)((f->end - f->start) >> PAGE_SHIFT), reason);
	if ((f->end - f->start) >> PAGE_SHIFT >= knob_tlb_full_flush_pages) {
		stat_inc(TLB_FLUSH_ALL);
		write_cr3(f->ctx->root);
		return;
	}
	stat_inc(TLB_FLUSH_RANGE);
	for (unsigned long va = f->start; va < f->end; va += PAGE_SIZE)
		invlpg(va);
}

/* On a CPU that was asked. One that has another address space by now has forgotten this one. */
static void flush_remote(void *arg)
{
	const struct flush *f = arg;
	struct cpu *c = this_cpu();

	stat_inc(TLB_REMOTE_RECEIVED);
	if (c->tlb != f->ctx)
		return;
	if (c->tlb_lazy)
		load(c, NULL);
	else
		flush_local(f, TRACE_TLB_REMOTE_SHOOTDOWN);
}

/* Lazy, and sure to notice that it is stale before it stops being so. */
static bool mark_stale(struct cpu *c)
{
	if (!__atomic_load_n(&c->tlb_lazy, __ATOMIC_SEQ_CST))
		return false;
	(void)__atomic_exchange_n(&c->tlb_stale, true, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&c->tlb_lazy, __ATOMIC_SEQ_CST);
}

static __noinline void flush_others(u64 others, struct flush *f, bool tables_freed)
{
	u64 ask = others;

	if (!tables_freed)
		for (u64 left = others; left; left &= left - 1) {
			unsigned int cpu = (unsigned int)__builtin_ctzll(left);

			if (mark_stale(&cpus[cpu])) {
				stat_inc(TLB_REMOTE_AVOIDED);
				ask &= ~cpu_bit(cpu);
			}
		}
	if (ask) {
		stat_inc(TLB_REMOTE_SENT);
		trace(tlb_flush, (long)((f->end - f->start) >> PAGE_SHIFT),
		      TRACE_TLB_REMOTE_SEND_IPI);
		smp_call(ask, flush_remote, f);
	}
}

/* The caller's change of the tables is visible before it reads who uses them. */
static inline u64 other_users(struct tlb_context *ctx)
{
	if (READ_ONCE(cpus_online) == 1)
		return 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&ctx->cpus, __ATOMIC_RELAXED) & ~cpu_bit(cpu_id());
}

static inline bool is_loaded_here(const struct tlb_context *ctx)
{
	return this_cpu()->tlb == ctx;
}

bool tlb_is_loaded(const struct tlb_context *ctx)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&ctx->cpus, __ATOMIC_RELAXED);
}

void tlb_flush_page(struct tlb_context *ctx, unsigned long va)
{
	struct flush f = { ctx, va, va + PAGE_SIZE };
	u64 others = other_users(ctx);

	if (is_loaded_here(ctx)) {
		stat_inc(TLB_FLUSH_PAGE);
		trace(tlb_flush, 1, TRACE_TLB_LOCAL_SHOOTDOWN);
		invlpg(va);
	}
	if (unlikely(others))
		flush_others(others, &f, false);
}

void tlb_flush_range(struct tlb_context *ctx, unsigned long start, unsigned long end,
		     bool tables_freed)
{
	struct flush f = { ctx, start, end };
	u64 others = other_users(ctx);

	if (start >= end)
		return;
	if (is_loaded_here(ctx))
		flush_local(&f, TRACE_TLB_LOCAL_MM_SHOOTDOWN);
	if (unlikely(others))
		flush_others(others, &f, tables_freed);
}

void tlb_flush_local_page(unsigned long va)
{
	invlpg(va);
}

static void release_here(void *arg)
{
	struct cpu *c = this_cpu();

	if (c->tlb == arg)
		load(c, NULL);
}

void tlb_context_release(struct tlb_context *ctx)
{
	u64 users = __atomic_load_n(&ctx->cpus, __ATOMIC_SEQ_CST);

	if (users)
		smp_call(users, release_here, ctx);
	BUG_ON(__atomic_load_n(&ctx->cpus, __ATOMIC_RELAXED));
}

/* ---- the kernel's half: every CPU may hold entries of it ---- */

static void flush_kernel_here(void *arg)
{
	const struct flush *f = arg;

	for (unsigned long va = f->start; va < f->end; va += PAGE_SIZE)
		invlpg(va);
}

void tlb_flush_kernel_range(unsigned long start, unsigned long end)
{
	struct flush f = { NULL, start, end };

	on_each_cpu(flush_kernel_here, &f);
}
