/* SPDX-License-Identifier: MIT
 *
 * The reverse map against the page tables: whatever forks, splits, merges, moves and goes, a folio leads to all entries
 * that map it. folio_referenced() counts entries whose accessed bit is set, so the test sets them all, counts what
 * it finds in the tables of all address spaces, and asks. Pages that are unmapped for swap come back with their contents.
 */
#include "../../../mm/lru.h"
#include "../../../mm/vma.h"
#include "t.h"
#include "swap_device.h"

#include <mm/rmap.h>
#include <mm/swap.h>

#define B 0x70000000UL
#define AT(page) (B + (page)*PG)
#define PAGES 40UL
#define MAX_MMS 9U
#define UNMAPPED (-1)

/* An address space and what its program must find at each page. */
static struct space {
	struct mm *mm;
	int value[PAGES];
} spaces[MAX_MMS];
static unsigned int nr;

/* Calls fn for the entry of every page of every address space that maps a folio. */
static void for_each_entry(void (*fn)(pte_t *pte, struct folio *folio))
{
	for (unsigned int i = 0; i < nr; i++)
		for (unsigned long p = 0; p < PAGES; p++) {
			pte_t *pte = pgtable_find(&spaces[i].mm->pgt, AT(p));

			if (pte && pte_present(pte_read(pte)) && !pte_special(pte_read(pte)))
				fn(pte, pfn_folio(pte_pfn(pte_read(pte))));
		}
}

static struct folio *wanted;
static int entries;

static void make_young(pte_t *pte, struct folio *folio __maybe_unused)
{
	pte_set_bits(pte, PTE_A);
}

static void count_wanted(pte_t *pte __maybe_unused, struct folio *folio)
{
	entries += folio == wanted;
}

static int referenced(struct folio *folio)
{
	unsigned long flags;
	int n;

	folio_get(folio);
	folio_lock(folio);
	n = folio_referenced(folio, &flags);
	folio_unlock(folio);
	folio_put(folio);
	return n;
}

/* The first entry of a folio asks for all; the others find the bits cleared. */
static void check_folio(pte_t *pte, struct folio *folio)
{
	if (!pte_young(pte_read(pte)))
		return;
	wanted = folio;
	entries = 0;
	for_each_entry(count_wanted);
	assert_int_equal(atomic_read(&folio->mapcount), entries);
	assert_int_equal(referenced(folio), entries);
	assert_false(pte_young(pte_read(pte)));
	assert_int_equal(referenced(folio), 0);
}

static void check_all(void)
{
	for_each_entry(make_young);
	for_each_entry(check_folio);
	for (unsigned int i = 0; i < nr; i++)
		t_validate(spaces[i].mm);
}

static void check_contents(const struct space *s)
{
	for (unsigned long p = 0; p < PAGES; p++) {
		u8 byte;
		enum fault_result r = sim_read(s->mm, AT(p), &byte, 1);

		if (s->value[p] == UNMAPPED)
			assert_int_equal(r, FAULT_MAPERR);
		else if (r == FAULT_DONE)
			assert_int_equal(byte, s->value[p]);
	}
}

/* ---- what programs do ---- */

struct pages {
	unsigned long first, n;
};

static struct pages some_pages(void)
{
	unsigned long first = t_below(PAGES);

	return (struct pages){ first, 1 + t_below(min(8UL, PAGES - first)) };
}

static bool all_mapped(const struct space *s, struct pages r)
{
	for (unsigned long p = r.first; p < r.first + r.n; p++)
		if (s->value[p] == UNMAPPED)
			return false;
	return true;
}

static void set_values(struct space *s, struct pages r, int value)
{
	for (unsigned long p = r.first; p < r.first + r.n; p++)
		s->value[p] = value;
}

static void do_fork(struct space *s)
{
	if (nr == MAX_MMS)
		return;
	spaces[nr] = *s;
	spaces[nr].mm = mm_fork(s->mm);
	assert_false(IS_ERR(spaces[nr].mm));
	nr++;
}

static void do_exit(struct space *s)
{
	if (nr == 1)
		return;
	sim_mm_put(s->mm);
	*s = spaces[--nr];
}

static void do_write(struct space *s)
{
	unsigned long p = t_below(PAGES);
	u8 byte = (u8)(1 + t_below(255));

	if (sim_write(s->mm, AT(p), &byte, 1) == FAULT_DONE)
		s->value[p] = byte;
}

static void do_map(struct space *s)
{
	struct pages r = some_pages();

	t_map(s->mm, AT(r.first), r.n, RW);
	set_values(s, r, 0);
}

static void do_unmap(struct space *s)
{
	struct pages r = some_pages();

	assert_int_equal(mm_munmap(s->mm, AT(r.first), r.n * PG), 0);
	set_values(s, r, UNMAPPED);
}

static void do_protect(struct space *s)
{
	struct pages r = some_pages();
	int err = mm_mprotect(s->mm, AT(r.first), r.n * PG, t_below(3) ? RW : PROT_READ);

	assert_true(err == 0 || err == -ENOMEM);
}

static void do_move(struct space *s)
{
	struct pages r = some_pages();
	unsigned long to = t_below(PAGES - r.n + 1);
	int moved[PAGES];

	if (!all_mapped(s, r) || (to < r.first + r.n && r.first < to + r.n))
		return;
	if (mm_mremap(s->mm, AT(r.first), r.n * PG, r.n * PG, MREMAP_MAYMOVE | MREMAP_FIXED,
		      AT(to)) < 0) {
		set_values(s, (struct pages){ to, r.n }, UNMAPPED); /* more than one vma */
		return;
	}
	memcpy(moved, &s->value[r.first], r.n * sizeof(int));
	set_values(s, r, UNMAPPED);
	memcpy(&s->value[to], moved, r.n * sizeof(int));
}

/* As reclaim does it, with or without writing it to the device. */
static void do_swap_out(struct space *s)
{
	pte_t e = sim_pte(s->mm, AT(t_below(PAGES)));
	struct swap_plug plug = { NULL };
	struct folio *folio;

	if (!pte_present(e) || pte_special(e))
		return;
	folio = pfn_folio(pte_pfn(e));
	folio_get(folio);
	folio_lock(folio);
	assert_true(folio_test(folio, PG_swapcache) || swap_cache_add(folio));
	assert_true(unmap_now(folio));
	assert_int_equal(atomic_read(&folio->mapcount), 0);
	wanted = folio;
	entries = 0;
	for_each_entry(count_wanted);
	assert_int_equal(entries, 0);
	for (unsigned int i = 0; i < nr; i++)
		sim_tlb_check(spaces[i].mm);
	if (folio_test(folio, PG_dirty) && t_below(2)) {
		swap_writeout(folio, &plug);
		swap_plug_flush(&plug);
		folio_lock(folio);
		folio_wait_writeback(folio);
	}
	/* The cache's reference and this one: it is gone for good, or whoever faults next finds it. */
	if (t_below(2) && !folio_test(folio, PG_dirty) && swap_cache_remove_frozen(folio)) {
		folio_unlock(folio);
		folio_free(folio);
		return;
	}
	folio_unlock(folio);
	folio_put(folio);
}

static void test_random(void **state)
{
	static void (*const ops[])(struct space * s) = {
		do_fork,  do_fork,  do_exit,	 do_write,    do_write,
		do_write, do_write, do_write,	 do_protect,  do_map,
		do_move,  do_move,  do_swap_out, do_swap_out, do_unmap,
	};
	struct block_device *dev = swap_device_on(4096);

	spaces[0].mm = *state;
	nr = 1;
	set_values(&spaces[0], (struct pages){ 0, PAGES }, 0);
	t_map(spaces[0].mm, AT(0), PAGES, RW);
	for (unsigned int step = 0; step < 4000; step++) {
		struct space *s = &spaces[t_below(nr)];

		ops[t_below(ARRAY_SIZE(ops))](s);
		if (t_below(8) == 0)
			check_contents(&spaces[t_below(nr)]);
		if (step % 4 == 0)
			check_all();
	}
	for (unsigned int i = 0; i < nr; i++)
		check_contents(&spaces[i]);
	*state = spaces[0].mm;
	while (nr > 1)
		sim_mm_put(spaces[--nr].mm);
	sim_tlb_check(spaces[0].mm);
	assert_int_equal(mm_munmap(spaces[0].mm, B, PAGES * PG), 0);
	swap_device_off(dev);
}

/* ---- a page of a file, and what only some of those who map it did ---- */

static void test_file(void **state)
{
	struct mm *mm = *state, *child;
	struct file *f = sim_file(8 * PG, true);
	struct folio *folio;
	unsigned long flags;

	t_map_file(mm, AT(0), 4, RW, MAP_SHARED, f, 2);
	t_map_file(mm, AT(10), 8, PROT_READ, MAP_PRIVATE, f, 0);
	sim_poke(mm, AT(1), 5);
	sim_peek(mm, AT(13));
	child = mm_fork(mm);
	sim_peek(child, AT(13));
	folio = filemap_get_folio(sim_file_mapping(f), 3);
	assert_int_equal(atomic_read(&folio->mapcount), 3);
	folio_lock(folio);
	(void)folio_referenced(folio, &flags);
	assert_true((flags & VM_SHARED) && (flags & VM_WRITE));
	folio_unlock(folio);
	sim_mm_leave(mm);
	sim_peek(mm, AT(13));
	assert_int_equal(referenced(folio), 1);
	folio_lock(folio);
	folio_clear(folio, PG_dirty);
	assert_true(unmap_now(folio));
	assert_true(folio_test(folio, PG_dirty)); /* what the entry knew */
	assert_int_equal(atomic_read(&folio->mapcount), 0);
	assert_int_equal(sim_pte(mm, AT(1)) | sim_pte(mm, AT(13)) | sim_pte(child, AT(13)), 0);
	folio_unlock(folio);
	folio_put(folio);
	t_validate(mm);
	t_validate(child);
	assert_int_equal(sim_peek(child, AT(13)), 5);
	sim_mm_put(child);
	file_put(f);
}

/* A locked page stays, and a busy lock is an answer, not a wait. */
static void test_gives_up(void **state)
{
	struct mm *mm = *state;
	struct block_device *dev = swap_device_on(64);
	struct folio *folio;
	struct vma *vma;
	unsigned long flags;

	t_map(mm, AT(0), 2, RW);
	sim_poke(mm, AT(0), 1);
	folio = pfn_folio(pte_pfn(sim_pte(mm, AT(0))));
	folio_get(folio);
	folio_lock(folio);
	assert_true(swap_cache_add(folio));
	folio_unlock(folio);
	assert_int_equal(mm_mlock(mm, AT(0), PG, false), 0);
	folio_lock(folio);
	assert_false(unmap_now(folio));
	folio_unlock(folio);
	assert_true(pte_present(sim_pte(mm, AT(0))));
	assert_int_equal(mm_munlock(mm, AT(0), PG), 0);

	mmap_write_lock(mm);
	folio_lock(folio);
	vma = vma_lookup(mm, AT(0));
	vma_rmap_lock(vma);
	assert_false(unmap_now(folio));
	assert_int_equal(folio_referenced(folio, &flags), -1);
	vma_rmap_unlock(vma);
	mmap_write_unlock(mm);

	assert_true(unmap_now(folio));
	assert_int_equal(atomic_read(&mm->rss[RSS_SWAP]), 1);
	assert_int_equal(atomic_read(&mm->rss[RSS_ANON]), 0);
	folio_unlock(folio);
	folio_put(folio);
	assert_int_equal(sim_peek(mm, AT(0)), 1);
	assert_int_equal(mm_munmap(mm, AT(0), 2 * PG), 0);
	swap_device_off(dev);
}

/* MADV_FREE: dropped when clean, kept when it was written to since. */
static void test_lazyfree(void **state)
{
	struct mm *mm = *state;

	t_map(mm, AT(0), 2, RW);
	for (unsigned long p = 0; p < 2; p++) {
		LIST_HEAD(isolated);
		struct folio *folio;
		pte_t *pte;

		sim_poke(mm, AT(p), 7);
		pte = pgtable_find(&mm->pgt, AT(p));
		folio = pfn_folio(pte_pfn(pte_read(pte)));
		pte_clear_bits(pte, PTE_D);
		tlb_flush_page(&mm->tlb, AT(p));
		lru_mark_lazyfree(folio);
		if (p)
			sim_poke(mm, AT(p), 8);
		assert_true(lru_isolate_folio(folio));
		folio_lock(folio);
		assert_int_equal(unmap_now(folio), p == 0);
		assert_int_equal(folio_test(folio, PG_swapbacked), p);
		folio_unlock(folio);
		list_add(&folio->lru, &isolated);
		lru_putback(&isolated);
	}
	assert_int_equal(sim_peek(mm, AT(0)), 0);
	assert_int_equal(sim_peek(mm, AT(1)), 8);
}

/* ---- trees of anon_vmas stay small ---- */

static unsigned int links_of(struct mm *mm, unsigned long va)
{
	unsigned int n = 0;

	mmap_read_lock(mm);
	for (const struct anon_link *l = vma_lookup(mm, va)->anon_links; l; l = l->next)
		n++;
	mmap_read_unlock(mm);
	return n;
}

/* The child forks, the parent exits, a thousand times; the child has a new page before or after that. */
static void test_long_chain(void **state)
{
	struct mm *mm = *state;

	t_map(mm, AT(0), 4, RW);
	sim_poke(mm, AT(0), 1);
	for (unsigned int i = 0; i < 1000; i++) {
		struct mm *child = mm_fork(mm);
		bool early = i % 3 != 0;

		if (early)
			sim_poke(child, AT(1), (u8)i);
		sim_mm_put(mm);
		mm = child;
		if (!early)
			sim_poke(mm, AT(1), (u8)i);
		assert_true(links_of(mm, AT(0)) <= 3);
		assert_int_equal(sim_peek(mm, AT(0)), 1);
		assert_int_equal(sim_peek(mm, AT(1)), (u8)i);
	}
	t_validate(mm);
	*state = mm;
}

/* A child that has no new page has no anon_vma of its own. */
static void test_lazy_child(void **state)
{
	struct mm *mm = *state, *child, *grandchild;

	t_map(mm, AT(0), 4, RW);
	sim_poke(mm, AT(0), 1);
	assert_int_equal(links_of(mm, AT(0)), 1);
	child = mm_fork(mm);
	sim_peek(child, AT(0));
	assert_int_equal(links_of(child, AT(0)), 1);
	grandchild = mm_fork(child);
	assert_int_equal(links_of(grandchild, AT(0)), 1);
	sim_poke(grandchild, AT(0), 2);
	assert_int_equal(links_of(grandchild, AT(0)), 2);
	sim_poke(child, AT(0), 3);
	assert_int_equal(links_of(child, AT(0)), 2);
	sim_mm_put(child);
	assert_int_equal(sim_peek(grandchild, AT(0)), 2);
	sim_mm_put(grandchild);
}

/* Many children of one parent, and each of them with children: all are found, and what goes leaves nothing. */
static void test_breadth(void **state)
{
	static struct mm *all[40];
	struct mm *mm = *state;
	struct folio *folio;

	t_map(mm, AT(0), 4, RW);
	for (unsigned long p = 0; p < 4; p++)
		sim_poke(mm, AT(p), (u8)(p + 1));
	for (unsigned int i = 0; i < ARRAY_SIZE(all); i++) {
		all[i] = mm_fork(i < 6 ? mm : all[i / 6 - 1]);
		assert_false(IS_ERR(all[i]));
		sim_poke(all[i], AT(i % 3), (u8)i);
	}
	folio = pfn_folio(pte_pfn(sim_pte(mm, AT(3))));
	assert_int_equal(atomic_read(&folio->mapcount), 41);
	sim_peek(all[39], AT(3));
	(void)referenced(folio);
	for (unsigned int i = 0; i < ARRAY_SIZE(all); i++)
		sim_mm_leave(all[i]), sim_peek(all[i], AT(3));
	assert_int_equal(referenced(folio), 40);
	for (unsigned int i = 0; i < ARRAY_SIZE(all); i++)
		sim_mm_put(all[(i * 7) % ARRAY_SIZE(all)]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_file),       T_MM(test_gives_up), T_MM(test_lazyfree),
		T_MM(test_lazy_child), T_MM(test_breadth),  T_MM(test_long_chain),
		T_MM(test_random),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
