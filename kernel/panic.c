// SPDX-License-Identifier: MIT
/*
 * The end: says on the console what is broken, shows registers and a backtrace, and stops the
 * machine with a status that ./run recognises. It trusts nothing: no locks, no allocation, no log;
 * a panic inside a panic stops at once.
 */
#include <arch/irq.h>
#include <arch/setup.h>
#include <kern/assert.h>
#include <kern/console.h>
#include <kern/printf.h>
#include <kernel/panic.h>
#include <kernel/task.h>

static int panic_cpu = -1; /* who panics */

static void emergency_vprintf(const char *fmt, va_list ap)
{
	char line[256];
	int n = vsnprintf(line, sizeof(line), fmt, ap);

	if (n > 0)
		console_write(line, min((size_t)n, sizeof(line) - 1));
}

void emergency_printf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emergency_vprintf(fmt, ap);
	va_end(ap);
}

bool panic_in_progress(void)
{
	return __atomic_load_n(&panic_cpu, __ATOMIC_RELAXED) >= 0;
}

/* The first CPU to come goes on; others stop here, and so does a panic inside a panic. */
static void panic_enter(void)
{
	int self = (int)cpu_id();
	int first = -1;

	if (__atomic_compare_exchange_n(&panic_cpu, &first, self, false, __ATOMIC_ACQ_REL,
					__ATOMIC_RELAXED)) {
		arch_stop_others();
		return;
	}
	if (first != self)
		arch_halt();
	emergency_printf("panic inside a panic\n");
	arch_stop(ARCH_STOP_PANIC);
}

static void __noreturn do_panic(const struct trap_frame *tf, const char *fmt, va_list ap)
{
	const struct task *t;
	va_list again;

	irq_disable();
	panic_enter();
	console_flush();
	va_copy(again, ap);
	emergency_printf("\nKernel panic - not syncing: ");
	emergency_vprintf(fmt, ap);
	t = current;
	if (t)
		emergency_printf("\nCPU %u, task %d (%.16s)\n", cpu_id(), t->tid, t->comm);
	else
		emergency_printf("\nCPU %u, booting\n", cpu_id());
	arch_show_registers(tf);
	arch_backtrace(tf);
	emergency_printf("---[ end Kernel panic - not syncing: ");
	emergency_vprintf(fmt, again);
	emergency_printf(" ]---\n");
	va_end(again);
	arch_stop(ARCH_STOP_PANIC);
}

void panic_trap(const struct trap_frame *tf, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	do_panic(tf, fmt, ap);
}

void panic(const char *fmt, ...)
{
	struct trap_frame here;
	va_list ap;

	arch_capture_registers(&here);
	va_start(ap, fmt);
	do_panic(&here, fmt, ap);
}
