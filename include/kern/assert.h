/* SPDX-License-Identifier: MIT
 *
 * panic() is for a broken kernel invariant and nothing else; it says which one.
 * ASSERT is checked in debug builds (make DEBUG=1) and on the host; BUG_ON always.
 */
#ifndef KERN_ASSERT_H
#define KERN_ASSERT_H

#include <kern/types.h>

/* Prints the message, the registers and a backtrace, and stops the machine (host: aborts). */
void panic(const char *fmt, ...) __printf(1, 2) __noreturn __cold;

#define BUG_ON(cond)                                                                               \
	do {                                                                                       \
		if (unlikely(cond))                                                                \
			panic("BUG: %s at %s:%d", #cond, __FILE__, __LINE__);                      \
	} while (0)

#ifdef CONFIG_DEBUG
#define ASSERT(cond)                                                                               \
	do {                                                                                       \
		if (unlikely(!(cond)))                                                             \
			panic("BUG: !(%s) at %s:%d", #cond, __FILE__, __LINE__);                   \
	} while (0)
#else
#define ASSERT(cond) ((void)sizeof(!(cond)))
#endif

#endif
