/* SPDX-License-Identifier: MIT
 *
 * Migration, which holds no mmap_lock, against programs that fork, exit, unmap, lock, protect and touch their memory, and
 * against reclaim and truncation. Movers take whatever frame has a folio on a list. Whatever moves is the same in its new
 * place: OWN(n) in page n of the first program and of the file, OTHER(n) if one of its children wrote there.
 */
#include "mover.h"
#include "owner.h"
#include "../unit/swap_device.h"

#define B 0xd0000000UL
#define WINDOW 24UL
#define AT(page) (B + (page)*PG)
#define SHARED(page) (B + (64 + (page)) * PG)
#define ROUNDS 220UL

static struct mm *mm;
static struct file *file;

static void reclaimer(u64 *x)
{
	reclaim_until_done(8, x);
}

/* ---- programs ---- */

static void access_once(struct mm *of, u64 *x, bool child)
{
	unsigned long n = next_random(x) % WINDOW;

	if (next_random(x) % 3)
		access_page(of, AT(n), n, x, child);
	else
		access_page(of, SHARED(n), n, x, false);
}

static void toucher(u64 *x)
{
	while (!is_done())
		access_once(mm, x, false);
}

static void change_something(struct mm *of, u64 *x)
{
	unsigned long n = next_random(x) % WINDOW, len = (1 + next_random(x) % (WINDOW - n)) * PG;

	switch (next_random(x) % 7) {
	case 0:
		(void)mm_munlock(of, B, SHARED(WINDOW) - B);
		break;
	case 1:
		(void)mm_mlock(of, SHARED(n), len, true);
		break;
	case 2:
		for (unsigned int i = 0; i < 10; i++)
			access_once(of, x, of != mm);
		break;
	default:
		change_range(of, AT(n), len, x);
	}
}

static void changer(u64 *x)
{
	for (unsigned long i = 0; goes_on(i, ROUNDS); i++)
		change_something(mm, x);
}

static void forker(u64 *x)
{
	for (unsigned long i = 0; goes_on(i, ROUNDS / 4); i++) {
		struct mm *child = mm_fork(mm), *grandchild;

		BUG_ON(IS_ERR(child));
		for (unsigned int k = 0; k < 3; k++)
			change_something(child, x);
		grandchild = mm_fork(child);
		BUG_ON(IS_ERR(grandchild));
		change_something(child, x);
		child_leave(child);
		for (unsigned int k = 0; k < 3; k++)
			change_something(grandchild, x);
		child_leave(grandchild);
	}
}

/* write(2) and ftruncate(2). */
static void writer(u64 *x)
{
	struct mapping *m = sim_file_mapping(file);

	for (unsigned long i = 0; goes_on(i, ROUNDS); i++) {
		unsigned long n = next_random(x) % WINDOW;
		struct folio *folio;

		if (next_random(x) % 8 == 0) {
			filemap_truncate(m, n * PG);
			filemap_truncate(m, WINDOW * PG);
			continue;
		}
		folio = filemap_grab_folio(m, n);
		BUG_ON(IS_ERR(folio));
		__atomic_store_n((u8 *)folio_address(folio), OWN(n), __ATOMIC_RELAXED);
		host_yield();
		folio_mark_dirty(folio);
		if (READ_ONCE(folio->mapping) == m)
			BUG_ON(__atomic_load_n((u8 *)folio_address(folio), __ATOMIC_RELAXED) !=
			       OWN(n));
		folio_put(folio);
	}
}

/* ---- the races ---- */

static struct block_device *dev;

static void begin(void **state)
{
	mm = *state;
	sim_caller.ipc_lock = true;
	dev = swap_device_on(8192);
	file = sim_file(WINDOW * PG, true);
	t_map(mm, AT(0), WINDOW, RW);
	t_map_file(mm, SHARED(0), WINDOW, RW, MAP_SHARED, file, 0);
}

static void end(unsigned long moved)
{
	knob_thp = THP_NEVER;
	assert_true(stat_read(PGMIGRATE_SUCCESS) > moved);
	assert_int_equal(mm_munmap(mm, B, SHARED(WINDOW) - B), 0);
	file_put(file);
	swap_device_off(dev);
}

static void test_faults(void **state)
{
	unsigned long moved = stat_read(PGMIGRATE_SUCCESS);

	begin(state);
	RUN(mm, changer, toucher, toucher, mover, mover);
	end(moved);
}

static void test_forks(void **state)
{
	unsigned long moved = stat_read(PGMIGRATE_SUCCESS);

	begin(state);
	RUN(mm, forker, forker, toucher, mover, mover);
	end(moved);
}

/* Folios of 4, 8 and 16 pages, too. */
static void test_large(void **state)
{
	unsigned long moved = stat_read(PGMIGRATE_SUCCESS);

	knob_thp = THP_ALWAYS;
	knob_mthp_orders = 1UL << 2 | 1UL << 3 | 1UL << 4;
	begin(state);
	RUN(mm, forker, changer, toucher, toucher, mover, mover);
	end(moved);
}

static void test_files(void **state)
{
	unsigned long moved = stat_read(PGMIGRATE_SUCCESS);

	begin(state);
	RUN(mm, writer, toucher, toucher, mover, mover);
	end(moved);
}

static void test_reclaim(void **state)
{
	unsigned long moved = stat_read(PGMIGRATE_SUCCESS);

	begin(state);
	RUN(mm, forker, changer, toucher, reclaimer, mover, mover);
	end(moved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_faults), T_MM(test_forks),   T_MM(test_large),
		T_MM(test_files),  T_MM(test_reclaim),
	};

	(void)host_seed();
	sim_boot(2048);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
