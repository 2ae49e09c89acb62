/* SPDX-License-Identifier: MIT
 *
 * System calls without libc in between, for tests and measuring programs: musl and glibc check some arguments
 * themselves, and their wrappers cost instructions.
 */
#ifndef USER_RAW_SYSCALL_H
#define USER_RAW_SYSCALL_H

#include <sys/syscall.h>

/* The result, or -errno. */
static inline long raw_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#define SYS_(nr, a, b, c, d, e, f, ...)                                                            \
	raw_syscall(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
/* SYS(name, up to six arguments): the result, or -errno */
#define SYS(name, ...) SYS_(SYS_##name, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)

#endif
