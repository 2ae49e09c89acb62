/* SPDX-License-Identifier: MIT
 *
 * The seam on the host: nothing is ever traced.
 */
#ifndef ARCH_STATIC_BRANCH_H
#define ARCH_STATIC_BRANCH_H

#include <kern/types.h>

static inline bool static_branch(unsigned int key)
{
	(void)key;
	return false;
}

static inline void static_branch_trace(u64 event, u64 a, u64 b, u64 c, u64 d, u64 e)
{
	(void)event, (void)a, (void)b, (void)c, (void)d, (void)e;
}

#endif
