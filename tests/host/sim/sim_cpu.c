/* SPDX-License-Identifier: MIT
 *
 * The CPU's own state, and what the kernel's printk.c and panic.c do on the machine.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/timer.h>
#include <kern/assert.h>
#include <kern/printk.h>

#include "sim_host.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

__thread struct cpu sim_cpu;
long sim_stats[MAX_CPUS][CPU_NR_STATS];
__thread irqflags_t sim_irqflags = RFLAGS_IF;

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
