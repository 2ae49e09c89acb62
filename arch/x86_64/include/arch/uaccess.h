/* SPDX-License-Identifier: MIT
 *
 * The kernel's access to user memory. Every access may fault: the fault runs the ordinary handler,
 * and when that cannot help, the exception table makes the call return short. May sleep.
 */
#ifndef ARCH_UACCESS_H
#define ARCH_UACCESS_H

#include <arch/page.h>
#include <kern/types.h>
#include <uapi/errno.h>

static inline bool access_ok(const void __user *p, size_t n)
{
	return n <= TASK_SIZE && (unsigned long)p <= TASK_SIZE - n;
}

/* All return the number of bytes NOT done (0 is success), as in Linux. */
size_t __must_check copy_from_user(void *dst, const void __user *src, size_t n);
size_t __must_check copy_to_user(void __user *dst, const void *src, size_t n);
size_t __must_check clear_user(void __user *dst, size_t n);

/* Copies a string with its 0. The length without the 0, -EFAULT, or size when it does not end in size bytes. */
ssize_t __must_check strncpy_from_user(char *dst, const char __user *src, size_t size);

/* 0 or -EFAULT. */
int __must_check get_user_u32(u32 *val, const void __user *src);
int __must_check get_user_u64(u64 *val, const void __user *src);
int __must_check put_user_u32(u32 val, void __user *dst);
int __must_check put_user_u64(u64 val, void __user *dst);
/*
 * Atomic compare and exchange on a user word, for futex and robust lists: *old is what was found.
 * 0 or -EFAULT.
 */
int __must_check cmpxchg_user_u32(u32 __user *p, u32 *old, u32 val);

#endif
