/* SPDX-License-Identifier: MIT
 *
 * The integer types and compiler helpers that every layer may use.
 */
#ifndef KERN_TYPES_H
#define KERN_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

typedef u64 phys_t; /* a physical address, bytes */

#ifndef __ssize_t_defined
typedef long ssize_t;
#define __ssize_t_defined
#endif

/* A user pointer: only <arch/uaccess.h> may dereference it. */
#ifdef __CHECKER__
#define __user __attribute__((noderef, address_space(1)))
#else
#define __user
#endif

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define __must_check __attribute__((warn_unused_result))
#define __printf(fmt, args) __attribute__((format(printf, fmt, args)))
#define __noreturn __attribute__((noreturn))
#define __packed __attribute__((packed))
#define __aligned(n) __attribute__((aligned(n)))
#define __section(s) __attribute__((section(s)))
#define __used __attribute__((used))
#define __maybe_unused __attribute__((unused))
#undef __always_inline /* the host's libc has one too */
#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))
#define __cold __attribute__((cold))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#ifndef container_of
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#endif

#undef min
#undef max
/* Fresh names at each use, so that one may stand inside another. */
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define min_(a, b, x, y)                                                                           \
	({                                                                                         \
		__typeof__(a) x = (a);                                                             \
		__typeof__(b) y = (b);                                                             \
		x < y ? x : y;                                                                     \
	})
#define max_(a, b, x, y)                                                                           \
	({                                                                                         \
		__typeof__(a) x = (a);                                                             \
		__typeof__(b) y = (b);                                                             \
		x > y ? x : y;                                                                     \
	})
#define min(a, b) min_(a, b, PASTE(a_, __COUNTER__), PASTE(b_, __COUNTER__))
#define max(a, b) max_(a, b, PASTE(a_, __COUNTER__), PASTE(b_, __COUNTER__))

/* n must be a power of two. */
#define ALIGN_UP(x, n) (((x) + ((__typeof__(x))(n)-1)) & ~((__typeof__(x))(n)-1))
#define ALIGN_DOWN(x, n) ((x) & ~((__typeof__(x))(n)-1))
#define IS_ALIGNED(x, n) (((x) & ((__typeof__(x))(n)-1)) == 0)

/* One access, neither torn nor repeated nor moved out of a loop by the compiler. */
#ifdef __SANITIZE_THREAD__ /* which takes a volatile access for a plain one */
#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#define RACY_READ(x) READ_ONCE(x)
#define RACY_WRITE(x, v) WRITE_ONCE(x, v)
#else
/* Accesses that may race and cannot go wrong: one bit is looked at, which does not change meanwhile, or a guess. */
#define RACY_READ(x) (x)
#define RACY_WRITE(x, v) ((x) = (v))
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#endif

#define barrier() __asm__ volatile("" ::: "memory")

#endif
