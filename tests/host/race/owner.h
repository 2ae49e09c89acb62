/* SPDX-License-Identifier: MIT
 *
 * What races do to the memory of a program and its children: accesses whose bytes say who wrote them, changes of the
 * layout, reclaim. Page n contains OWN(n), or OTHER(n) where a child wrote, so a page that turns up in the wrong place
 * or the wrong address space shows.
 */
#ifndef OWNER_H
#define OWNER_H

#include "../../../mm/lru.h"
#include "../../../mm/reclaim.h"
#include "crew.h"

#define OWN(page) ((u8)((page)*4 + 1))
#define OTHER(page) ((u8)((page)*4 + 2))

/* What was read in page n, by a child (of the program that owns it) or by the program. */
static inline void check_byte(unsigned long n, u8 byte, bool child)
{
	if (byte != 0 && byte != OWN(n) && !(child && byte == OTHER(n)))
		panic("page %lu contains %x", n, byte);
}

/* A random access to page n, which is mapped at va or is not, through the simulated MMU. */
static inline void access_page(struct mm *of, unsigned long va, unsigned long n, u64 *x, bool child)
{
	enum fault_access access = next_random(x) % 2 ? FAULT_WRITE : FAULT_READ;
	u8 byte = child ? OTHER(n) : OWN(n);
	enum fault_result r = sim_access(of, va + next_random(x) % PG, access, &byte);

	BUG_ON(r != FAULT_DONE && r != FAULT_MAPERR && r != FAULT_ACCERR && r != FAULT_BUS);
	if (r == FAULT_DONE)
		check_byte(n, byte, child);
}

static inline void protect_range(struct mm *of, unsigned long va, unsigned long len, u64 *x)
{
	(void)mm_mprotect(of, va, len, next_random(x) % 3 ? RW : PROT_READ);
}

/* New memory in place of what was there. */
static inline void map_anew(struct mm *of, unsigned long va, unsigned long len)
{
	BUG_ON(mm_mmap(of, va, len, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0) < 0);
}

/* Something that a program does to a range of its memory. */
static inline void change_range(struct mm *of, unsigned long va, unsigned long len, u64 *x)
{
	switch (next_random(x) % 4) {
	case 0:
		protect_range(of, va, len, x);
		break;
	case 1:
		map_anew(of, va, len);
		break;
	case 2:
		(void)mm_madvise(of, va, len, MADV_DONTNEED);
		break;
	default:
		(void)mm_mlock(of, va, len, next_random(x) % 2);
	}
}

/* A child is gone. */
static inline void child_leave(struct mm *child)
{
	sim_mm_leave(child);
	mm_put(child);
}

/* Reclaims anonymous folios, so many at a time, until the others are done. */
static inline void reclaim_until_done(unsigned int at_once, u64 *x)
{
	while (!is_done()) {
		LIST_HEAD(folios);

		if (lru_isolate(next_random(x) % 2 ? LRU_INACTIVE_ANON : LRU_ACTIVE_ANON, at_once,
				&folios))
			(void)reclaim_folios(&folios);
		host_yield();
	}
}

#endif
