/* SPDX-License-Identifier: MIT
 *
 * The system-call table: syscalls.def turned into an array that the entry stub indexes. Numbers
 * that nobody implements are counted, so that /proc/vmstat shows a program that asks for more than
 * we have.
 */
#include <kernel/syscall.h>
#include <mm/stats.h>
#include <uapi/errno.h>

long sys_ni_syscall(long a __maybe_unused, long b __maybe_unused, long c __maybe_unused,
		    long d __maybe_unused, long e __maybe_unused, long f __maybe_unused)
{
	stat_inc(SYSCALL_ENOSYS);
	return -ENOSYS;
}

/* The range comes first and the real entries replace it: an override on purpose. */
#pragma GCC diagnostic push
#ifdef __clang__
#pragma GCC diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif
const syscall_fn syscall_table[NR_SYSCALLS] = {
	[0 ... NR_SYSCALLS - 1] = sys_ni_syscall,
#define SYSCALL(nr, name) [nr] = sys_##name,
#include <kernel/syscalls.def>
#undef SYSCALL
};
#pragma GCC diagnostic pop
