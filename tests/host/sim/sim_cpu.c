/* SPDX-License-Identifier: MIT
 *
 * The CPU's own state, and what the kernel's printk.c and panic.c do on the machine.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/smp.h>
#include <arch/timer.h>
#include <kern/assert.h>
#include <kern/printk.h>
#include <sync/lockdep.h>

#include "sim_host.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

__thread struct cpu sim_cpu;
long sim_stats[MAX_CPUS][CPU_NR_STATS];
__thread irqflags_t sim_irqflags = RFLAGS_IF;

static bool interrupts_off[MAX_CPUS];
static unsigned int
	nr_cpus; /* that had interrupts off before, so that they may have something of their own */

void sim_interrupts_off(void)
{
	unsigned int seen = __atomic_load_n(&nr_cpus, __ATOMIC_RELAXED);

	while (sim_cpu.id >= seen &&
	       !__atomic_compare_exchange_n(&nr_cpus, &seen, sim_cpu.id + 1, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	while (__atomic_exchange_n(&interrupts_off[sim_cpu.id], true, __ATOMIC_ACQUIRE))
		host_yield();
	sim_irqflags = 0;
}

void sim_interrupts_on(void)
{
	sim_irqflags = RFLAGS_IF;
	__atomic_store_n(&interrupts_off[sim_cpu.id], false, __ATOMIC_RELEASE);
}

unsigned long sim_cross_calls;

void on_each_cpu(void (*fn)(void *arg), void *arg)
{
	unsigned int self = sim_cpu.id;

	__atomic_add_fetch(&sim_cross_calls, 1, __ATOMIC_RELAXED);
	BUG_ON(irqs_disabled());
	lockdep_may_sleep();
	for (unsigned int cpu = 0; cpu < __atomic_load_n(&nr_cpus, __ATOMIC_RELAXED); cpu++) {
		sim_cpu.id = cpu;
		sim_interrupts_off();
		fn(arg);
		sim_interrupts_on();
	}
	sim_cpu.id = self;
}

void printk(enum loglevel level, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "<%d>", (int)level);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void panic(const char *fmt, ...)
{
	va_list ap;

	fputs("panic: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

u64 clock_ns(void)
{
	return host_clock_ns();
}
