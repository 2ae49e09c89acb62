/* SPDX-License-Identifier: MIT
 *
 * Errors are negative errno values; a function that returns a pointer carries one inside it.
 */
#ifndef KERN_ERR_H
#define KERN_ERR_H

#include <kern/types.h>
#include <uapi/errno.h>

#define MAX_ERRNO 4095UL

static inline void *ERR_PTR(long err)
{
	return (void *)err;
}

static inline long PTR_ERR(const void *p)
{
	return (long)p;
}

static inline bool IS_ERR_VALUE(unsigned long v)
{
	return unlikely(v >= -MAX_ERRNO);
}

static inline bool IS_ERR(const void *p)
{
	return IS_ERR_VALUE((unsigned long)p);
}

#endif
