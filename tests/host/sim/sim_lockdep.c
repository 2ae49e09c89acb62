/* SPDX-License-Identifier: MIT
 *
 * The lock-order checker on the host: a thread is a CPU and a task.
 */
#include <arch/cpu.h>
#include <sync/lockdep.h>

#include <execinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static __thread struct lockdep_stack cpu_stack, task_stack;

struct lockdep_stack *lockdep_cpu_stack(void)
{
	return &cpu_stack;
}

struct lockdep_stack *lockdep_task_stack(void)
{
	return &task_stack;
}

bool lockdep_cpu_is_awaited(void)
{
	return true;
}

void lockdep_callers(unsigned long *ips, unsigned int n)
{
	int got = backtrace((void **)ips, (int)n);

	for (unsigned int i = (unsigned int)got; i < n; i++)
		ips[i] = 0;
}

void lockdep_print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
}

void lockdep_print_address(unsigned long ip)
{
	fflush(stderr);
	backtrace_symbols_fd((void *[]){ (void *)ip }, 1, STDERR_FILENO);
}
