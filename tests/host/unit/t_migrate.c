/* SPDX-License-Identifier: MIT
 *
 * Migration: a page is the same page in another frame, for everyone who has it, and for whoever comes by on the way.
 */
#include "../../../mm/lru.h"
#include "../../../mm/mapcount.h"
#include "../../../mm/migrate_internal.h"
#include "../../../mm/swap_internal.h"
#include "../../../mm/writeback.h"
#include "migrate_now.h"
#include "swap_device.h"

#include <pthread.h>

#define B 0x90000000UL
#define AT(page) (B + (page)*PG)

static struct folio *folio_at(struct mm *mm, unsigned long va)
{
	pte_t e = sim_pte(mm, va);

	assert_true(pte_present(e) && !pte_special(e));
	return pfn_folio(pte_pfn(e));
}

/* Moves the page and sees that it moved, and what must not change with that. */
static struct folio *move_page(struct mm *mm, unsigned long va)
{
	struct folio *old = folio_at(mm, va), *new;
	const unsigned long transient = 1UL << PG_active | 1UL << PG_dirty;
	unsigned long flags = old->flags;
	int refs = atomic_read(&old->refcount), maps = atomic_read(&old->mapcount);
	int locks = atomic_read(&old->mlock_count);
	long rss = atomic_read(&mm->rss[folio_rss_kind(old)]);
	unsigned long anon = stat_read(NR_ANON_PAGES), mapped = stat_read(NR_FILE_MAPPED);
	unsigned long cached = stat_read(NR_FILE_PAGES), mlocked = stat_read(NR_MLOCK);
	unsigned long unevictable = stat_read(NR_UNEVICTABLE);

	assert_true(migrate_now(old, MIGRATE_ASYNC));
	new = folio_at(mm, va);
	assert_ptr_not_equal(new, old);
	assert_int_equal(new->flags & ~transient, flags & ~transient);
	assert_int_equal(atomic_read(&new->refcount), refs);
	assert_int_equal(atomic_read(&new->mapcount), maps);
	assert_int_equal(atomic_read(&new->mlock_count), locks);
	assert_int_equal(atomic_read(&mm->rss[folio_rss_kind(new)]), rss);
	assert_int_equal(stat_read(NR_ANON_PAGES), anon);
	assert_int_equal(stat_read(NR_FILE_MAPPED), mapped);
	assert_int_equal(stat_read(NR_FILE_PAGES), cached);
	assert_int_equal(stat_read(NR_MLOCK), mlocked);
	assert_int_equal(stat_read(NR_UNEVICTABLE), unevictable);
	t_validate(mm);
	return new;
}

/* ---- moved ---- */

static void test_anonymous(void **state)
{
	struct mm *mm = *state;
	pte_t before;

	t_map(mm, B, 4, RW);
	sim_poke(mm, AT(0), 7);
	sim_poke(mm, AT(1), 8);
	before = sim_pte(mm, AT(0));
	move_page(mm, AT(0));
	assert_int_equal(sim_pte(mm, AT(0)) & ~PTE_ADDR_MASK, before & ~PTE_ADDR_MASK);
	assert_int_equal(sim_peek(mm, AT(0)), 7);
	assert_int_equal(sim_peek(mm, AT(1)), 8);
	sim_poke(mm, AT(0), 9);
	assert_int_equal(sim_peek(mm, AT(0)), 9);
	assert_int_equal(mm_mprotect(mm, AT(0), PG, PROT_READ), 0);
	move_page(mm, AT(0));
	assert_int_equal(sim_touch(mm, AT(0), FAULT_WRITE), FAULT_ACCERR);
	assert_int_equal(mm_mprotect(mm, AT(0), PG, PROT_NONE), 0);
	move_page(mm, AT(0));
	assert_int_equal(sim_touch(mm, AT(0), FAULT_READ), FAULT_ACCERR);
	assert_int_equal(mm_mprotect(mm, AT(0), PG, RW), 0);
	assert_int_equal(sim_peek(mm, AT(0)), 9);
}

static void test_shared_by_fork(void **state)
{
	struct mm *mm = *state, *child, *grandchild;

	t_map(mm, B, 4, RW);
	sim_poke(mm, AT(0), 7);
	child = mm_fork(mm);
	grandchild = mm_fork(child);
	move_page(mm, AT(0));
	assert_ptr_equal(folio_at(mm, AT(0)), folio_at(grandchild, AT(0)));
	sim_poke(child, AT(0), 8);
	move_page(child, AT(0));
	move_page(mm, AT(0));
	assert_int_equal(sim_peek(mm, AT(0)), 7);
	assert_int_equal(sim_peek(child, AT(0)), 8);
	assert_int_equal(sim_peek(grandchild, AT(0)), 7);
	sim_mm_put(child);
	sim_mm_put(grandchild);
}

static void test_locked(void **state)
{
	struct mm *mm = *state, *child;

	sim_caller.ipc_lock = true;
	t_map(mm, B, 4, RW);
	assert_int_equal(mm_mlock(mm, B, 2 * PG, false), 0);
	sim_poke(mm, AT(0), 7);
	child = mm_fork(mm);
	assert_int_equal(mm_mlock(child, B, PG, true), 0);
	assert_int_equal(atomic_read(&folio_at(mm, AT(0))->mlock_count), 2);
	move_page(mm, AT(0));
	move_page(mm, AT(1));
	assert_int_equal(mm_munlock(mm, B, 4 * PG), 0);
	assert_true(folio_test(move_page(mm, AT(0)), PG_mlocked));
	assert_int_equal(mm_munlock(child, B, 4 * PG), 0);
	assert_false(folio_test(move_page(mm, AT(0)), PG_mlocked));
	assert_int_equal(sim_peek(child, AT(0)), 7);
	sim_mm_put(child);
}

static void test_tmpfs(void **state)
{
	struct file *file = sim_file(4 * PG, true);
	struct mm *mm = *state;
	struct folio *new;

	t_map_file(mm, B, 4, RW, MAP_SHARED, file, 0);
	t_map_file(mm, AT(8), 4, RW, MAP_PRIVATE, file, 0);
	sim_poke(mm, AT(1), 7);
	assert_int_equal(sim_peek(mm, AT(9)), 7);
	new = move_page(mm, AT(1));
	assert_ptr_equal(folio_at(mm, AT(9)), new);
	assert_ptr_equal(xa_load(&sim_file_mapping(file)->folios, 1), new);
	sim_poke(mm, AT(9), 8);
	move_page(mm, AT(9));
	move_page(mm, AT(1));
	assert_int_equal(sim_peek(mm, AT(1)), 7);
	assert_int_equal(sim_peek(mm, AT(9)), 8);
	mapping_set_unevictable(sim_file_mapping(file), true);
	assert_true(migrate_now(folio_at(mm, AT(1)), MIGRATE_ASYNC));
	assert_true(folio_test(move_page(mm, AT(1)), PG_unevictable));
	mapping_set_unevictable(sim_file_mapping(file), false);
	filemap_truncate(sim_file_mapping(file), 0);
	assert_int_equal(mm_munmap(mm, B, 16 * PG), 0);
	file_put(file);
}

static void test_dirty_file(void **state)
{
	struct block_device *dev = sim_block_create(8 * PG);
	struct file *file = sim_block_file(dev);
	struct mapping *m = sim_file_mapping(file);
	struct mm *mm = *state;

	t_map_file(mm, B, 8, RW, MAP_SHARED, file, 0);
	sim_poke(mm, AT(2), 7);
	assert_int_equal(sim_peek(mm, AT(3)), 0);
	assert_int_equal(m->nr_dirty, 1);
	move_page(mm, AT(3));
	assert_true(folio_test(move_page(mm, AT(2)), PG_dirty));
	assert_int_equal(m->nr_dirty, 1);
	assert_true(xa_has_tag(&m->folios, 2, TAG_DIRTY) && !xa_has_tag(&m->folios, 3, TAG_DIRTY));
	assert_int_equal(mm_msync(mm, B, 8 * PG, MS_SYNC), 0);
	assert_int_equal(((u8 *)sim_block_data(dev))[2 * PG], 7);
	assert_int_equal(m->nr_dirty, 0);
	assert_false(pte_write(sim_pte(mm, AT(2))));
	assert_int_equal(mm_munmap(mm, B, 8 * PG), 0);
	file_put(file);
	sim_block_destroy(dev);
}

static void test_swap_cache(void **state)
{
	struct block_device *dev = swap_device_on(64);
	struct mm *mm = *state, *child;
	struct folio *folio;
	swp_entry_t swp;

	t_map(mm, B, 4, RW);
	sim_poke(mm, AT(0), 7);
	child = mm_fork(mm);
	/* In the swap cache; the child's entry names the slot. */
	folio = folio_at(mm, AT(0));
	folio_get(folio);
	folio_lock(folio);
	assert_true(swap_cache_add(folio));
	swp = folio->swap;
	assert_true(unmap_now(folio));
	folio_unlock(folio);
	folio_put(folio);
	assert_int_equal(sim_peek(mm, AT(0)), 7);
	assert_true(pte_has_slot(sim_pte(child, AT(0))));
	folio = move_page(mm, AT(0));
	assert_true(folio_test(folio, PG_swapcache) && folio->swap == swp);
	assert_int_equal(sim_peek(child, AT(0)), 7);
	assert_ptr_equal(folio_at(child, AT(0)), folio);
	sim_mm_put(child);
	assert_int_equal(mm_munmap(mm, B, 4 * PG), 0);
	swap_device_off(dev);
}

/* Every page of a large folio, mapped, locked and shared in parts. */
static void move_large(struct mm *mm, unsigned int order)
{
	unsigned long n = 1UL << order, base = ALIGN_UP(B, n * PG), va;
	struct folio *folio;
	struct mm *child;

	knob_thp = THP_ALWAYS;
	knob_mthp_orders = n;
	sim_caller.ipc_lock = true;
	t_map(mm, base, n, RW);
	for (unsigned long i = 0; i < n; i++)
		sim_poke(mm, base + i * PG, (u8)(i + 1));
	assert_int_equal(folio_at(mm, base)->order, order);
	folio = move_page(mm, base);
	assert_int_equal(folio->order, order);
	assert_true(order < PMD_ORDER || pte_is_promoted(pgtable_find(&mm->pgt, base)));
	child = mm_fork(mm);
	assert_int_equal(mm_mlock(mm, base, 2 * PG, true), 0);
	assert_int_equal(mm_munmap(child, base + 2 * PG, PG), 0);
	sim_poke(mm, base + 3 * PG, 99);
	folio = move_page(mm, base);
	assert_ptr_equal(folio_at(child, base + 3 * PG), folio);
	assert_ptr_not_equal(folio_at(mm, base + 3 * PG), folio);
	assert_int_equal(page_mapcount(folio_page(folio, 1)), 2);
	assert_int_equal(page_mapcount(folio_page(folio, 2)), 1);
	assert_int_equal(atomic_read(page_mlocks(folio_page(folio, 1))), 1);
	assert_int_equal(atomic_read(page_mlocks(folio_page(folio, 2))), 0);
	for (unsigned long i = 0; i < n; i++) {
		va = base + i * PG;
		assert_int_equal(sim_peek(mm, va), i == 3 ? 99 : (u8)(i + 1));
		if (i != 2)
			assert_int_equal(sim_peek(child, va), (u8)(i + 1));
	}
	assert_int_equal(mm_mlock(mm, base, n * PG, true), 0);
	move_page(mm, base);
	assert_int_equal(mm_munlock(mm, base, n * PG), 0);
	sim_mm_put(child);
	assert_int_equal(mm_munmap(mm, base, n * PG), 0);
	knob_thp = THP_NEVER;
}

static void test_large(void **state)
{
	move_large(*state, 2);
	move_large(*state, 4);
	move_large(*state, PMD_ORDER);
}

/* ---- not moved ---- */

static void test_somebody_has_it(void **state)
{
	struct mm *mm = *state;
	struct page *page;
	unsigned long failed = stat_read(PGMIGRATE_FAIL);

	t_map(mm, B, 4, RW);
	sim_poke(mm, AT(0), 7);
	page = mm_get_page(mm, AT(0), true, false);
	assert_false(migrate_now(page_folio(page), MIGRATE_SYNC));
	assert_int_equal(stat_read(PGMIGRATE_FAIL), failed + 1);
	assert_ptr_equal(folio_at(mm, AT(0)), page_folio(page));
	assert_true(folio_test(page_folio(page), PG_lru));
	assert_false(folio_test(page_folio(page), PG_locked));
	assert_true(pte_write(sim_pte(mm, AT(0))));
	mm_put_page(page);
	move_page(mm, AT(0));
	assert_int_equal(sim_peek(mm, AT(0)), 7);
}

static void test_busy_or_full(void **state)
{
	struct mm *mm = *state;
	struct folio *folio;

	t_map(mm, B, 4, RW);
	sim_poke(mm, AT(0), 7);
	folio = folio_at(mm, AT(0));
	folio_lock(folio);
	assert_false(migrate_now(folio, MIGRATE_ASYNC));
	folio_unlock(folio);
	down_write(&folio->anon_vma->root->lock);
	assert_false(migrate_now(folio, MIGRATE_ASYNC));
	up_write(&folio->anon_vma->root->lock);
	fail_at(FAIL_ALLOC_PAGES, 1);
	assert_false(migrate_now(folio, MIGRATE_ASYNC));
	fail_at(FAIL_ALLOC_PAGES, 0);
	t_validate(mm);
	move_page(mm, AT(0));
}

/* ---- on the way ---- */

static struct move moving[8];
static unsigned int nr_moving;

static void begin_moving(struct mm *mm, unsigned long va)
{
	struct folio *old = folio_at(mm, va), *new = folio_alloc(GFP_KERNEL, 0);
	struct unflushed u = { 0 };

	assert_ptr_equal(lru_isolate_page(&old->page, true), old);
	assert_true(folio_trylock(old) && folio_trylock(new));
	moving[nr_moving] = (struct move){ .old = old, .new = new };
	assert_true(migration_entries_make(&moving[nr_moving++], &u));
	unflushed_flush(&u);
	assert_true(pte_is_migration(sim_pte(mm, va)));
}

/* They go back to where they were. */
static void end_moving(void)
{
	while (nr_moving) {
		struct move *m = &moving[--nr_moving];
		LIST_HEAD(back);

		migration_entries_remove(m, m->old);
		folio_unlock(m->new);
		folio_put(m->new);
		folio_unlock(m->old);
		list_add(&m->old->lru, &back);
		lru_putback(&back);
	}
}

/* Another thread of the program, while this one, as the mover, has the locks. */
struct passer_by {
	pthread_t thread;
	void (*fn)(struct mm *mm);
	struct mm *mm;
};

static void *passer_main(void *arg)
{
	struct passer_by *p = arg;

	sim_cpu.id = 1;
	p->fn(p->mm);
	slab_shrink();
	pgtable_drain();
	drain_pcps();
	return NULL;
}

static void set_out(struct passer_by *p, struct mm *mm, void (*fn)(struct mm *mm))
{
	p->mm = mm;
	p->fn = fn;
	assert_int_equal(pthread_create(&p->thread, NULL, passer_main, p), 0);
}

static void pass_by(struct mm *mm, void (*fn)(struct mm *mm))
{
	struct passer_by p;

	set_out(&p, mm, fn);
	pthread_join(p.thread, NULL);
}

static void looker(struct mm *mm)
{
	const u64 swapped = 1ULL << 62;
	struct vma_usage usage = { 0 };
	unsigned char vec[4];
	u64 words[4];

	BUG_ON(mm_rss(mm) != 4);
	BUG_ON(mm_mincore(mm, B, 4, vec) || !vec[1]);
	mm_pagemap(mm, B, 4, words, true);
	BUG_ON(words[1] != (swapped | SWP_MIGRATION_WRITE | folio_pfn(moving[0].old) << 5));
	mmap_read_lock(mm);
	vma_usage(mm, vma_find(mm, B), &usage);
	mmap_read_unlock(mm);
	BUG_ON(usage.rss != 4 * PG || usage.private_dirty != 4 * PG);
	BUG_ON(mm_madvise(mm, AT(2), PG, MADV_DONTNEED));
	BUG_ON(mm_rss(mm) != 3);
	t_validate(mm);
}

static void test_looked_at(void **state)
{
	struct mm *mm = *state;

	t_map(mm, B, 4, RW);
	for (unsigned int i = 0; i < 4; i++)
		sim_poke(mm, AT(i), (u8)(i + 1));
	begin_moving(mm, AT(1));
	begin_moving(mm, AT(2));
	pass_by(mm, looker);
	end_moving();
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(sim_peek(mm, AT(i)), i == 2 ? 0 : i + 1);
}

/* The vma is as large as what is changed: nothing is split, for which the mover would be waited. */
static void changer(struct mm *mm)
{
	BUG_ON(mm_mprotect(mm, B, 4 * PG, PROT_READ));
	BUG_ON(mm_mlock(mm, B, 4 * PG, true));
	BUG_ON(mm_munlock(mm, AT(8), 4 * PG));
}

static void test_changed(void **state)
{
	struct mm *mm = *state;

	sim_caller.ipc_lock = true;
	t_map(mm, B, 4, RW);
	t_map(mm, AT(8), 4, RW);
	assert_int_equal(mm_mlock(mm, AT(8), 4 * PG, false), 0);
	sim_poke(mm, AT(1), 7);
	begin_moving(mm, AT(1));
	begin_moving(mm, AT(9));
	pass_by(mm, changer);
	end_moving();
	assert_int_equal(atomic_read(&folio_at(mm, AT(1))->mlock_count), 1);
	assert_int_equal(atomic_read(&folio_at(mm, AT(9))->mlock_count), 0);
	assert_true(folio_test(folio_at(mm, AT(1)), PG_unevictable));
	assert_false(folio_test(folio_at(mm, AT(9)), PG_unevictable));
	assert_int_equal(sim_touch(mm, AT(1), FAULT_WRITE), FAULT_ACCERR);
	assert_int_equal(mm_mprotect(mm, B, 4 * PG, RW), 0);
	sim_poke(mm, AT(1), 8);
}

static bool writer_done;

static void writer(struct mm *mm)
{
	u8 byte = 8;

	BUG_ON(sim_access(mm, AT(1), FAULT_WRITE, &byte) != FAULT_DONE);
	__atomic_store_n(&writer_done, true, __ATOMIC_RELEASE);
}

static void test_waited_for(void **state)
{
	struct mm *mm = *state;
	struct passer_by p;

	t_map(mm, B, 4, RW);
	sim_poke(mm, AT(1), 7);
	begin_moving(mm, AT(1));
	set_out(&p, mm, writer);
	while (!folio_test(moving[0].old, PG_waiters))
		host_yield();
	assert_false(__atomic_load_n(&writer_done, __ATOMIC_ACQUIRE));
	/* It waits without a reference: the folio can still be moved. */
	assert_int_equal(atomic_read(&moving[0].old->refcount), 1);
	end_moving();
	pthread_join(p.thread, NULL);
	assert_int_equal(sim_peek(mm, AT(1)), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_anonymous), T_MM(test_shared_by_fork),  T_MM(test_locked),
		T_MM(test_tmpfs),     T_MM(test_dirty_file),	  T_MM(test_swap_cache),
		T_MM(test_large),     T_MM(test_somebody_has_it), T_MM(test_busy_or_full),
		T_MM(test_looked_at), T_MM(test_changed),	  T_MM(test_waited_for),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
