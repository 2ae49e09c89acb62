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

/*
 * Many words in a row. Between user_access_begin() and user_access_end(), user_read(x, ptr, fail) and
 * user_write(x, ptr, fail) are one instruction each; a fault that cannot be helped goes to the label
 * fail, still in between. access_ok() first; call nothing else in between. x is of *ptr's size.
 */
void user_access_begin(void);
void user_access_end(void);

#define USER_ACCESS_INSN(insn, fail)                                                               \
	"1:\t" insn "\n\t.pushsection __ex_table, \"a\"\n\t.quad 1b, %l[" #fail "]\n\t.popsection"
#define user_read(x, ptr, fail)                                                                    \
	do {                                                                                       \
		__typeof__(x) word_; /* after a fault it is garbage, and x is as it was */         \
		_Static_assert(sizeof(x) == sizeof(*(ptr)), "user_read: sizes differ");            \
		__asm__ volatile goto(USER_ACCESS_INSN("mov %1, %0", fail)                         \
				      : "=r"(word_)                                                \
				      : "m"(*(ptr))                                                \
				      :                                                            \
				      : fail);                                                     \
		(x) = word_;                                                                       \
	} while (0)
#define user_write(x, ptr, fail)                                                                   \
	__asm__ volatile goto(USER_ACCESS_INSN("mov %0, %1", fail)                                 \
			      :                                                                    \
			      : "r"((__typeof__(*(ptr)))(x)), "m"(*(ptr))                          \
			      : "memory"                                                           \
			      : fail)
/* Eight words. */
#define user_zero8(ptr, fail)                                                                      \
	do {                                                                                       \
		user_write(0, &(ptr)[0], fail);                                                    \
		user_write(0, &(ptr)[1], fail);                                                    \
		user_write(0, &(ptr)[2], fail);                                                    \
		user_write(0, &(ptr)[3], fail);                                                    \
		user_write(0, &(ptr)[4], fail);                                                    \
		user_write(0, &(ptr)[5], fail);                                                    \
		user_write(0, &(ptr)[6], fail);                                                    \
		user_write(0, &(ptr)[7], fail);                                                    \
	} while (0)

#endif
