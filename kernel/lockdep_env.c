/* SPDX-License-Identifier: MIT
 *
 * What the lock-order checker asks of the kernel: whose locks these are, and how to report.
 */
#ifdef CONFIG_DEBUG

#include <arch/setup.h>
#include <kern/console.h>
#include <kern/printf.h>
#include <kernel/panic.h>
#include <kernel/task.h>
#include <sync/lockdep.h>

static struct lockdep_stack cpu_stacks[MAX_CPUS], boot_stack;

struct lockdep_stack *lockdep_cpu_stack(void)
{
	return &cpu_stacks[cpu_id()];
}

struct lockdep_stack *lockdep_task_stack(void)
{
	return current ? &current->held : &boot_stack;
}

/* What the boot CPU does alone, and a CPU that starts, can hold up nobody. */
bool lockdep_cpu_is_awaited(void)
{
	u64 online = READ_ONCE(cpus_online), self = 1ULL << cpu_id();

	return (online & self) && (online & ~self);
}

void lockdep_callers(unsigned long *ips, unsigned int n)
{
	arch_callers(ips, n);
}

void lockdep_print(const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n > 0)
		console_write(line, min((size_t)n, sizeof(line) - 1));
}

void lockdep_print_address(unsigned long ip)
{
	arch_show_address(ip);
}

#endif
