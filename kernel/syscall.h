/* SPDX-License-Identifier: MIT
 *
 * System calls: SYSCALL_DEFINEn(name, type, arg, ...) defines sys_name(), whose six long parameters
 * arrive in registers; syscalls.def lists number and name.
 */
#ifndef KERNEL_SYSCALL_H
#define KERNEL_SYSCALL_H

#include <kern/types.h>

typedef long (*syscall_fn)(long, long, long, long, long, long);

#define NR_SYSCALLS 512
extern const syscall_fn syscall_table[NR_SYSCALLS];

#define SYSCALL(nr, name) long sys_##name(long, long, long, long, long, long);
#include <kernel/syscalls.def>
#undef SYSCALL
long sys_ni_syscall(long, long, long, long, long, long);

#define SYSCALL_DEFINE0(name)                                                                      \
	static inline long do_sys_##name(void);                                                    \
	long sys_##name(long a __maybe_unused, long b __maybe_unused, long c __maybe_unused,       \
			long d __maybe_unused, long e __maybe_unused, long f __maybe_unused)       \
	{                                                                                          \
		return do_sys_##name();                                                            \
	}                                                                                          \
	static inline long do_sys_##name(void)
#define SYSCALL_DEFINE1(name, t1, a1)                                                              \
	static inline long do_sys_##name(t1 a1);                                                   \
	long sys_##name(long a, long b __maybe_unused, long c __maybe_unused,                      \
			long d __maybe_unused, long e __maybe_unused, long f __maybe_unused)       \
	{                                                                                          \
		return do_sys_##name((t1)a);                                                       \
	}                                                                                          \
	static inline long do_sys_##name(t1 a1)
#define SYSCALL_DEFINE2(name, t1, a1, t2, a2)                                                      \
	static inline long do_sys_##name(t1 a1, t2 a2);                                            \
	long sys_##name(long a, long b, long c __maybe_unused, long d __maybe_unused,              \
			long e __maybe_unused, long f __maybe_unused)                              \
	{                                                                                          \
		return do_sys_##name((t1)a, (t2)b);                                                \
	}                                                                                          \
	static inline long do_sys_##name(t1 a1, t2 a2)
#define SYSCALL_DEFINE3(name, t1, a1, t2, a2, t3, a3)                                              \
	static inline long do_sys_##name(t1 a1, t2 a2, t3 a3);                                     \
	long sys_##name(long a, long b, long c, long d __maybe_unused, long e __maybe_unused,      \
			long f __maybe_unused)                                                     \
	{                                                                                          \
		return do_sys_##name((t1)a, (t2)b, (t3)c);                                         \
	}                                                                                          \
	static inline long do_sys_##name(t1 a1, t2 a2, t3 a3)
#define SYSCALL_DEFINE4(name, t1, a1, t2, a2, t3, a3, t4, a4)                                      \
	static inline long do_sys_##name(t1 a1, t2 a2, t3 a3, t4 a4);                              \
	long sys_##name(long a, long b, long c, long d, long e __maybe_unused,                     \
			long f __maybe_unused)                                                     \
	{                                                                                          \
		return do_sys_##name((t1)a, (t2)b, (t3)c, (t4)d);                                  \
	}                                                                                          \
	static inline long do_sys_##name(t1 a1, t2 a2, t3 a3, t4 a4)
#define SYSCALL_DEFINE5(name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5)                              \
	static inline long do_sys_##name(t1 a1, t2 a2, t3 a3, t4 a4, t5 a5);                       \
	long sys_##name(long a, long b, long c, long d, long e, long f __maybe_unused)             \
	{                                                                                          \
		return do_sys_##name((t1)a, (t2)b, (t3)c, (t4)d, (t5)e);                           \
	}                                                                                          \
	static inline long do_sys_##name(t1 a1, t2 a2, t3 a3, t4 a4, t5 a5)
#define SYSCALL_DEFINE6(name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6)                      \
	static inline long do_sys_##name(t1 a1, t2 a2, t3 a3, t4 a4, t5 a5, t6 a6);                \
	long sys_##name(long a, long b, long c, long d, long e, long f)                            \
	{                                                                                          \
		return do_sys_##name((t1)a, (t2)b, (t3)c, (t4)d, (t5)e, (t6)f);                    \
	}                                                                                          \
	static inline long do_sys_##name(t1 a1, t2 a2, t3 a3, t4 a4, t5 a5, t6 a6)

#endif
