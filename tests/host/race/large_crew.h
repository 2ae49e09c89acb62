/* SPDX-License-Identifier: MIT
 *
 * Threads that fault in, unmap, protect, lock, share by fork, split and reclaim the pages of two times 2 MiB. Whatever
 * becomes of a folio, page n contains OWN(n), or OTHER(n) if a child wrote there.
 */
#ifndef LARGE_CREW_H
#define LARGE_CREW_H

#include "../../../mm/large.h"
#include "owner.h"
#include "../unit/swap_device.h"

#define B 0xe0000000UL
#define WINDOW 1024UL /* pages: two blocks of 2 MiB */
#define AT(page) (B + (page)*PG)
#define ROUNDS 60UL

static struct mm *mm;

static inline void access_once(struct mm *of, u64 *x)
{
	unsigned long n = next_random(x) % WINDOW;

	access_page(of, AT(n), n, x, of != mm);
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
		(void)mm_munlock(of, B, WINDOW * PG);
		break;
	case 1:
		(void)mm_madvise(of, AT(n), len, next_random(x) % 2 ? MADV_PAGEOUT : MADV_COLD);
		break;
	case 2:
		for (unsigned int i = 0; i < 10; i++)
			access_once(of, x);
		break;
	default:
		change_range(of, AT(n), len, x);
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
		child_leave(child);
	}
}

static inline void reclaimer(u64 *x)
{
	reclaim_until_done(2, x);
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
