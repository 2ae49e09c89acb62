/* SPDX-License-Identifier: MIT
 *
 * Threads that fault in, unmap, protect, lock, share by fork, split and reclaim the pages of two times 2 MiB. Whatever
 * becomes of a folio, page n contains OWN(n), or OTHER(n) if a child wrote there.
 */
#ifndef LARGE_CREW_H
#define LARGE_CREW_H

#include "../../../mm/large.h"
#include "../../../mm/lru.h"
#include "../../../mm/reclaim.h"
#include "crew.h"
#include "../unit/swap_device.h"

#define B 0xe0000000UL
#define WINDOW 1024UL /* pages: two blocks of 2 MiB */
#define AT(page) (B + (page)*PG)
#define ROUNDS 60UL

#define OWN(page) ((u8)((page)*4 + 1))
#define OTHER(page) ((u8)((page)*4 + 2))

static struct mm *mm;

static inline void access_once(struct mm *of, u64 *x)
{
	unsigned long n = next_random(x) % WINDOW;
	enum fault_access access = next_random(x) % 2 ? FAULT_WRITE : FAULT_READ;
	bool child = of != mm;
	u8 byte = child ? OTHER(n) : OWN(n);
	enum fault_result r = sim_access(of, AT(n) + next_random(x) % PG, access, &byte);

	BUG_ON(r != FAULT_DONE && r != FAULT_MAPERR && r != FAULT_ACCERR);
	if (r == FAULT_DONE && byte != 0 && byte != OWN(n) && !(child && byte == OTHER(n)))
		panic("page %lu contains %x", n, byte);
}

static inline void toucher(u64 *x)
{
	while (!is_done())
		access_once(mm, x);
}

/* Ranges often begin and end where folios of 2 MiB do. */
static inline void change_something(struct mm *of, u64 *x)
{
	unsigned long n = next_random(x) % 3 ? next_random(x) % WINDOW : next_random(x) % 2 * 512;
	unsigned long most = WINDOW - n;
	unsigned long len =
		(next_random(x) % 3 ? 1 + next_random(x) % most : min(512UL, most)) * PG;

	switch (next_random(x) % 7) {
	case 0:
		(void)mm_mprotect(of, AT(n), len, next_random(x) % 3 ? RW : PROT_READ);
		break;
	case 1:
		BUG_ON(mm_mmap(of, AT(n), len, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL,
			       0) < 0);
		break;
	case 2:
		(void)mm_madvise(of, AT(n), len, MADV_DONTNEED);
		break;
	case 3:
		(void)mm_mlock(of, AT(n), len, true);
		break;
	case 4:
		(void)mm_munlock(of, B, WINDOW * PG);
		break;
	case 5:
		(void)mm_madvise(of, AT(n), len, next_random(x) % 2 ? MADV_PAGEOUT : MADV_COLD);
		break;
	default:
		for (unsigned int i = 0; i < 10; i++)
			access_once(of, x);
	}
}

static inline void changer(u64 *x)
{
	for (unsigned long i = 0; i < ROUNDS; i++)
		change_something(mm, x);
}

static inline void forker(u64 *x)
{
	for (unsigned long i = 0; i < ROUNDS / 4; i++) {
		struct mm *child = mm_fork(mm);

		BUG_ON(IS_ERR(child));
		for (unsigned int k = 0; k < 3; k++)
			change_something(child, x);
		sim_mm_leave(child);
		mm_put(child);
	}
}

static inline void reclaimer(u64 *x)
{
	while (!is_done()) {
		LIST_HEAD(folios);

		if (lru_isolate(next_random(x) % 2 ? LRU_INACTIVE_ANON : LRU_ACTIVE_ANON, 2,
				&folios))
			(void)reclaim_folios(&folios);
		host_yield();
	}
}

static inline void splitter(u64 *x)
{
	while (!is_done()) {
		(void)split_deferred(1 + next_random(x) % 4);
		host_yield();
	}
}

static struct block_device *dev;

/* Large folios of these orders from now on. */
static inline void begin(void **state, unsigned long orders)
{
	mm = *state;
	sim_caller.ipc_lock = true;
	knob_thp = THP_ALWAYS;
	knob_mthp_orders = orders;
	dev = swap_device_on(16384);
	t_map(mm, B, WINDOW, RW);
}

static inline void end(void)
{
	knob_thp = THP_NEVER;
	assert_int_equal(mm_munmap(mm, B, WINDOW * PG), 0);
	assert_int_equal(stat_read(NR_MLOCK), 0);
	assert_int_equal(stat_read(NR_ANON_THPS), 0);
	swap_device_off(dev);
}

#endif
