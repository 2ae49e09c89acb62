/* SPDX-License-Identifier: MIT
 *
 * Reclaim, which holds no mmap_lock, against programs that fork, exit, unmap, move, protect and touch their memory: threads
 * share one address space and make children of it and of these. Whatever is taken from them comes back with what was
 * written: OWN(n) in page n of the first program, OTHER(n) if one of its children wrote there.
 */
#include "../../../mm/swap_internal.h"
#include "owner.h"
#include "../unit/swap_device.h"

#include <mm/rmap.h>

#define B 0xd0000000UL
#define WINDOW 24UL
#define AT(page) (B + (page)*PG)
#define AWAY (64UL * PG)
#define ROUNDS 220UL
#define GENERATIONS 4U

static struct mm *mm;

/* ---- reclaim ---- */

static unsigned long nr_unmapped;

/* A locked folio without mappings: written, or given up altogether. False: it is no longer the caller's. */
static bool evict(struct folio *folio, u64 *x)
{
	struct swap_plug plug = { NULL };

	if (folio_test(folio, PG_writeback) || next_random(x) % 4 == 0)
		return true;
	if (folio_test(folio, PG_dirty)) {
		swap_writeout(folio, &plug);
		swap_plug_flush(&plug);
		folio_lock(folio);
	}
	if (!folio_test(folio, PG_swapcache) || !swap_cache_remove_frozen(folio))
		return true;
	folio_unlock(folio);
	folio_free(folio);
	return false;
}

/* False: it is gone. */
static bool reclaim_one(struct folio *folio, u64 *x)
{
	unsigned long flags;
	bool kept = true;

	if (!folio_trylock(folio))
		return true;
	if (next_random(x) % 2)
		(void)folio_referenced(folio, &flags);
	else if (folio_test(folio, PG_anon) && atomic_read(&folio->mapcount) > 0 &&
		 (folio_test(folio, PG_swapcache) || swap_cache_add(folio)) && unmap_now(folio)) {
		__atomic_add_fetch(&nr_unmapped, 1, __ATOMIC_RELAXED);
		kept = evict(folio, x);
	}
	if (kept)
		swap_folio_unlock(folio);
	return kept;
}

static void reclaimer(u64 *x)
{
	while (!is_done()) {
		LIST_HEAD(isolated);
		struct folio *folio, *next;
		enum lru_list list = next_random(x) % 2 ? LRU_INACTIVE_ANON : LRU_ACTIVE_ANON;

		if (!lru_isolate(list, 8, &isolated))
			host_yield();
		list_for_each_entry_safe(folio, next, &isolated, lru) {
			list_del(&folio->lru);
			if (reclaim_one(folio, x)) {
				LIST_HEAD(back);

				list_add(&folio->lru, &back);
				lru_putback(&back);
			}
		}
	}
}

/* ---- programs ---- */

static void access_once(struct mm *of, unsigned long base, u64 *x, bool child)
{
	unsigned long n = next_random(x) % WINDOW;

	access_page(of, base + n * PG, n, x, child);
}

static void toucher(u64 *x)
{
	while (!is_done())
		access_once(mm, next_random(x) % 4 ? B : B + AWAY, x, false);
}

static void move_there_and_back(struct mm *of, u64 *x)
{
	unsigned long n = next_random(x) % WINDOW, len = (1 + next_random(x) % (WINDOW - n)) * PG;

	/* Fails where a vma ends. */
	if (mm_mremap(of, AT(n), len, len, MREMAP_MAYMOVE | MREMAP_FIXED, AT(n) + AWAY) < 0)
		return;
	access_once(of, B + AWAY, x, of != mm);
	(void)mm_mremap(of, AT(n) + AWAY, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, AT(n));
}

static void change_something(struct mm *of, u64 *x)
{
	unsigned long n = next_random(x) % WINDOW, len = (1 + next_random(x) % (WINDOW - n)) * PG;

	switch (next_random(x) % 4) {
	case 0:
		protect_range(of, AT(n), len, x);
		break;
	case 1:
		map_anew(of, AT(n), len);
		break;
	case 2:
		move_there_and_back(of, x);
		break;
	default:
		for (unsigned int i = 0; i < 10; i++)
			access_once(of, B, x, of != mm);
	}
}

/* A line of descendants, some of whose parents go before them. */
static void forker(u64 *x)
{
	for (unsigned long i = 0; i < ROUNDS / GENERATIONS; i++) {
		struct mm *line[GENERATIONS];
		unsigned int nr = 0;

		for (; nr < GENERATIONS; nr++) {
			line[nr] = mm_fork(nr && line[nr - 1] ? line[nr - 1] : mm);
			BUG_ON(IS_ERR(line[nr]));
			for (unsigned int k = 0; k < 4; k++)
				change_something(line[nr], x);
			if (nr && next_random(x) % 2) {
				child_leave(line[nr - 1]);
				line[nr - 1] = NULL;
			}
		}
		while (nr--)
			if (line[nr])
				child_leave(line[nr]);
	}
}

static void changer(u64 *x)
{
	for (unsigned long i = 0; i < ROUNDS; i++)
		change_something(mm, x);
}

static struct block_device *dev;

static void begin(void **state)
{
	mm = *state;
	dev = swap_device_on(8192);
	t_map(mm, AT(0), WINDOW, RW);
	nr_unmapped = 0;
}

static void end(void)
{
	assert_true(nr_unmapped > 0);
	assert_int_equal(mm_munmap(mm, B, 2 * AWAY), 0);
	swap_device_off(dev);
}

static void test_forks(void **state)
{
	begin(state);
	RUN(mm, forker, forker, toucher, reclaimer);
	end();
}

static void test_layout(void **state)
{
	begin(state);
	RUN(mm, changer, toucher, reclaimer, reclaimer);
	end();
}

static void test_all(void **state)
{
	begin(state);
	RUN(mm, forker, changer, toucher, reclaimer, reclaimer);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_forks),
		T_MM(test_layout),
		T_MM(test_all),
	};

	(void)host_seed();
	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
