// SPDX-License-Identifier: MIT
/*
 * Asking other CPUs to run a function, and waiting for it.
 *
 * A CPU asks one thing at a time, so each has one request slot, and a CPU that is asked needs to know
 * only who asks: a word with a bit for each asker. The asker fills its slot, sets its bit in the
 * words of those it asks, and sends the interrupt where the word was empty before; where it was not,
 * one is on its way already. Who is asked takes the whole word and answers by clearing its own bit in
 * the asker's slot. No lock, no allocation, no queue.
 *
 * The asker waits with interrupts on, so that two that ask each other both get their answer.
 */
#include <arch/apic.h>
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/smp.h>
#include <arch/trap.h>
#include <kern/assert.h>
#include <kern/types.h>
#include <sync/lockdep.h>

static struct request {
	u64 waiting;	       /* atomic: CPUs that have not answered */
	void (*fn)(void *arg); /* written while waiting is 0 */
	void *arg;
} __aligned(64) requests[MAX_CPUS];

static u64 cpu_bit(unsigned int cpu)
{
	return 1ULL << cpu;
}

void smp_call(u64 mask, void (*fn)(void *arg), void *arg)
{
	unsigned int self = cpu_id();
	struct request *r = &requests[self];
	u64 others = mask & READ_ONCE(cpus_online) & ~cpu_bit(self);
	irqflags_t flags;

	lockdep_ipi_wait();
	ASSERT(!irqs_disabled() && !this_cpu()->irq_depth && !r->waiting);
	if (others) {
		r->fn = fn;
		r->arg = arg;
		__atomic_store_n(&r->waiting, others, __ATOMIC_RELAXED);
		for (u64 left = others; left; left &= left - 1) {
			struct cpu *c = &cpus[__builtin_ctzll(left)];

			if (!__atomic_fetch_or(&c->callers, cpu_bit(self), __ATOMIC_SEQ_CST))
				lapic_send(c->apic_id, VECTOR_CALL);
		}
	}
	if (mask & cpu_bit(self)) {
		flags = irq_save();
		fn(arg);
		irq_restore(flags);
	}
	while (__atomic_load_n(&r->waiting, __ATOMIC_ACQUIRE))
		cpu_relax();
}

void smp_send_reschedule(unsigned int cpu)
{
	lapic_send(cpus[cpu].apic_id, VECTOR_RESCHEDULE);
}

void smp_call_interrupt(void)
{
	struct cpu *c = this_cpu();
	u64 callers = __atomic_exchange_n(&c->callers, 0, __ATOMIC_SEQ_CST);

	for (; callers; callers &= callers - 1) {
		struct request *r = &requests[__builtin_ctzll(callers)];

		r->fn(r->arg);
		__atomic_and_fetch(&r->waiting, ~cpu_bit(c->id), __ATOMIC_RELEASE);
	}
}
