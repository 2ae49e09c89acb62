/* SPDX-License-Identifier: MIT
 *
 * Large folios of tmpfs and shared memory: who gets them, what a fault maps, what truncation, holes, splitting, locks,
 * forks and reclaim do to them.
 */
#include "../../../mm/large.h"
#include "swap_device.h"

#define B 0xb0000000UL
#define AT(page) (B + (page)*PG)

static u8 mark(unsigned long i)
{
	return (u8)(i * 5 + 1);
}

static struct file *large_file(unsigned long pages, unsigned long orders)
{
	struct file *f = sim_file(pages * PG, true);

	knob_thp_shmem = SHMEM_HUGE_ALWAYS;
	knob_thp_shmem_orders = orders;
	sim_caller.ipc_lock = true;
	return f;
}

static void end(struct file *f)
{
	file_put(f);
	knob_thp_shmem = SHMEM_HUGE_NEVER;
	assert_int_equal(stat_read(NR_SHMEM), 0);
	assert_int_equal(stat_read(NR_FILE_PAGES), 0);
	assert_int_equal(stat_read(NR_SHMEM_THPS), 0);
	assert_int_equal(stat_read(NR_SHMEM_PMDMAPPED), 0);
	assert_int_equal(stat_read(NR_FILE_MAPPED), 0);
	assert_int_equal(stat_read(NR_MLOCK), 0);
}

static struct folio *cached(struct file *f, unsigned long index)
{
	struct folio *folio = filemap_get_folio(sim_file_mapping(f), index);

	assert_false(IS_ERR(folio));
	if (folio)
		folio_put(folio);
	return folio;
}

/* What read(2) would see; -1: a hole. */
static int byte_at(struct file *f, unsigned long index)
{
	struct folio *folio = filemap_get_folio(sim_file_mapping(f), index);
	int value;

	if (!folio)
		return -1;
	value = *(u8 *)page_address(folio_page(folio, index - folio->index));
	folio_put(folio);
	return value;
}

/* A file of one folio, mapped shared at B and marked. */
static struct file *map_marked(struct mm *mm, unsigned int order)
{
	unsigned long n = 1UL << order;
	struct file *f = large_file(n, n);

	t_map_file(mm, B, n, RW, MAP_SHARED, f, 0);
	for (unsigned long i = 0; i < n; i++)
		sim_poke(mm, AT(i), mark(i));
	assert_int_equal(cached(f, 0)->order, order);
	return f;
}

static bool is_promoted(struct mm *mm, unsigned long va)
{
	pte_t *pte = pgtable_find(&mm->pgt, va);

	return pte && pte_is_promoted(pte);
}

static void each_order(void **state, void (*fn)(struct mm *mm, unsigned int order))
{
	for (unsigned int order = THP_MIN_ORDER; order <= PMD_ORDER; order++)
		fn(*state, order);
}

/* ---- where it is mapped ---- */

static unsigned long map_anywhere(struct mm *mm, struct file *f, unsigned long len,
				  unsigned long pgoff, unsigned long flags)
{
	long addr = mm_mmap(mm, 0, len, RW, MAP_SHARED | flags, f, pgoff);

	assert_true(addr > 0);
	return (unsigned long)addr;
}

/* Address and offset agree modulo the size of the largest folio that there may be, and the next lower place is taken. */
static void placed(struct mm *mm, unsigned int order)
{
	unsigned long size = PG << order, n = 1UL << order;
	struct file *f = large_file(4 * n, n);

	for (unsigned long pgoff = 0; pgoff < n; pgoff += n / 4) {
		unsigned long first = map_anywhere(mm, f, 2 * size + PG, pgoff, 0);
		unsigned long second = map_anywhere(mm, f, 2 * size + PG, pgoff, 0);

		assert_int_equal(first & (size - 1), pgoff * PG);
		assert_int_equal(first - second, 3 * size);
		t_validate(mm);
		assert_int_equal(mm_munmap(mm, second, first - second + 2 * size + PG), 0);
	}
	/* Too short for one. */
	if (order > THP_MIN_ORDER) {
		unsigned long first = map_anywhere(mm, f, size - PG, 0, 0);
		unsigned long second = map_anywhere(mm, f, size + PG, 1, 0);

		assert_int_equal(first - second, size + PG);
		assert_int_equal(mm_munmap(mm, second, 2 * size), 0);
	}
	end(f);
}

static void test_placed(void **state)
{
	each_order(state, placed);
}

/* Where there is room for the mapping, but not for another 2 MiB, it goes there as ever. */
static void test_no_room_to_align(void **state)
{
	struct file *f = large_file(2 * PTRS_PER_TABLE, 1UL << PMD_ORDER);
	const unsigned long low = 0x40000000UL, high = 0x80000000UL, hole = 0x50001000UL;
	struct mm *mm = *state;

	t_map(mm, low, (hole - low) / PG, PROT_NONE);
	t_map(mm, hole + PMD_SIZE, (high - hole - PMD_SIZE) / PG, PROT_NONE);
	assert_int_equal(map_anywhere(mm, f, PMD_SIZE, 0, MAP_32BIT), hole);
	assert_int_equal(mm_munmap(mm, low, high - low), 0);
	end(f);
}

/* ---- faults ---- */

static void one_fault(struct mm *mm, unsigned int order)
{
	unsigned long n = 1UL << order, faults = sim_caller.faults;
	bool huge = order == PMD_ORDER;
	struct file *f = map_marked(mm, order);
	struct folio *folio = cached(f, n - 1);

	assert_int_equal(sim_caller.faults - faults, 1);
	assert_ptr_equal(folio, cached(f, 0));
	assert_int_equal(mapping_nr_pages(sim_file_mapping(f)), n);
	assert_int_equal(atomic_read(&folio->mapcount), n);
	assert_int_equal(atomic_read(&folio->refcount), n + 1);
	assert_int_equal(stat_read(NR_SHMEM), n);
	assert_int_equal(stat_read(NR_FILE_MAPPED), n);
	assert_int_equal(stat_read(NR_SHMEM_THPS), huge);
	assert_int_equal(stat_read(NR_SHMEM_PMDMAPPED), huge);
	assert_int_equal(is_promoted(mm, B), huge);
	assert_int_equal(mm_rss(mm), n);
	for (unsigned long i = 0; i < n; i++)
		assert_int_equal(byte_at(f, i), mark(i));
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, B, n * PG), 0);
	assert_int_equal(atomic_read(&folio->refcount), 1);
	assert_int_equal(stat_read(NR_FILE_MAPPED), 0);
	/* Read again, by a private mapping that does not begin with the folio. */
	t_map_file(mm, AT(1), n - 1, RW, MAP_PRIVATE, f, 1);
	assert_int_equal(sim_peek(mm, AT(1)), mark(1));
	assert_int_equal(stat_read(NR_FILE_MAPPED), n - 1);
	sim_poke(mm, AT(2), 200);
	assert_int_equal(byte_at(f, 2), mark(2));
	assert_int_equal(stat_read(NR_FILE_MAPPED), n - 2);
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, B, n * PG), 0);
	end(f);
}

static void test_fault(void **state)
{
	each_order(state, one_fault);
}

/* A second mapping, and one of an address space that came by fork, are promoted as well. */
static void test_mapped_twice(void **state)
{
	struct mm *mm = *state, *child;
	struct file *f = map_marked(mm, PMD_ORDER);
	unsigned long second = B + 4 * PMD_SIZE, n = PTRS_PER_TABLE;

	t_map_file(mm, second, n, PROT_READ, MAP_SHARED, f, 0);
	assert_int_equal(sim_peek(mm, second + 7 * PG), mark(7));
	assert_true(is_promoted(mm, second));
	child = mm_fork(mm);
	sim_poke(child, AT(9), 77);
	assert_true(is_promoted(child, B));
	assert_int_equal(sim_peek(mm, second + 9 * PG), 77);
	assert_int_equal(atomic_read(&cached(f, 0)->mapcount), 3 * n);
	assert_int_equal(stat_read(NR_SHMEM_PMDMAPPED), 1);
	assert_int_equal(stat_read(NR_FILE_MAPPED), n);
	assert_int_equal(mm_mprotect(child, B, PG, PROT_READ), 0);
	assert_false(is_promoted(child, B));
	assert_true(is_promoted(mm, B));
	t_validate(child);
	sim_mm_put(child);
	assert_int_equal(mm_munmap(mm, B, PMD_SIZE), 0);
	assert_int_equal(mm_munmap(mm, second, PMD_SIZE), 0);
	end(f);
}

/* A private copy of a page of 2 MiB. */
static void test_private_copy(void **state)
{
	struct mm *mm = *state;
	struct file *f = map_marked(mm, PMD_ORDER);
	unsigned long second = B + 4 * PMD_SIZE, n = PTRS_PER_TABLE;

	t_map_file(mm, second, n, RW, MAP_PRIVATE, f, 0);
	sim_poke(mm, second + 3 * PG, 99);
	assert_false(is_promoted(mm, second));
	assert_int_equal(sim_peek(mm, second), mark(0));
	assert_int_equal(sim_peek(mm, second + PG + 1), 0);
	assert_int_equal(sim_peek(mm, AT(3)), mark(3));
	assert_int_equal(stat_read(NR_ANON_PAGES), 1);
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, B, PMD_SIZE), 0);
	assert_int_equal(mm_munmap(mm, second, PMD_SIZE), 0);
	end(f);
}

/* ---- who gets one ---- */

static unsigned int order_at(struct file *f, struct mm *mm, unsigned long page)
{
	assert_int_equal(sim_touch(mm, AT(page), FAULT_WRITE), FAULT_DONE);
	return cached(f, page)->order;
}

static void test_policy(void **state)
{
	static const struct {
		enum shmem_huge policy;
		bool advised;
		unsigned int inside, at_end;
	} cases[] = {
		{ SHMEM_HUGE_NEVER, true, 0, 0 },	 { SHMEM_HUGE_DENY, true, 0, 0 },
		{ SHMEM_HUGE_ALWAYS, false, 4, 4 },	 { SHMEM_HUGE_FORCE, false, 4, 4 },
		{ SHMEM_HUGE_ADVISE, false, 0, 0 },	 { SHMEM_HUGE_ADVISE, true, 4, 4 },
		{ SHMEM_HUGE_WITHIN_SIZE, false, 4, 2 }, { SHMEM_HUGE_WITHIN_SIZE, true, 4, 4 },
	};
	struct mm *mm = *state;

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		struct file *f = large_file(21, 1UL << 4 | 1UL << 2);
		const struct vma *vma;

		knob_thp_shmem = cases[i].policy;
		t_map_file(mm, B, 32, RW, MAP_SHARED, f, 0);
		if (cases[i].advised)
			assert_int_equal(mm_madvise(mm, B, 32 * PG, MADV_HUGEPAGE), 0);
		assert_int_equal(order_at(f, mm, 3), cases[i].inside);
		assert_int_equal(order_at(f, mm, 17), cases[i].at_end);
		mmap_read_lock(mm);
		vma = vma_find(mm, B);
		assert_int_equal(thp_eligible(vma),
				 cases[i].inside != 0); /* as far as the policy goes */
		mmap_read_unlock(mm);
		assert_int_equal(sim_touch(mm, AT(21), FAULT_READ), FAULT_BUS);
		t_validate(mm);
		assert_int_equal(mm_munmap(mm, B, 32 * PG), 0);
		end(f);
	}
}

/* Of the mount; shmem_enabled has no say but for deny and force. */
static void test_mount(void **state)
{
	unsigned long mount = SHMEM_HUGE_ALWAYS;
	struct file *f = large_file(64, 1UL << 4);
	struct mapping *m = sim_file_mapping(f);
	struct folio *folio;

	(void)state;
	m->huge = &mount;
	knob_thp_shmem = SHMEM_HUGE_NEVER;
	folio = filemap_new_large(m, 17, 0);
	assert_int_equal(folio->index, 16);
	assert_int_equal(folio->order, 4);
	folio_put(folio);
	assert_null(filemap_new_large(m, 20, 0));
	knob_thp_shmem = SHMEM_HUGE_DENY;
	assert_null(filemap_new_large(m, 0, 0));
	mount = SHMEM_HUGE_NEVER;
	knob_thp_shmem = SHMEM_HUGE_FORCE;
	folio = filemap_new_large(m, 0, 0);
	assert_non_null(folio);
	folio_put(folio);
	end(f);
}

/* What is there already, the vma, and its alignment leave room for smaller ones only. */
static void test_what_fits(void **state)
{
	struct mm *mm = *state;
	struct file *f = large_file(64, 1UL << 4 | 1UL << 3 | 1UL << 2);

	t_map_file(mm, AT(4), 28, RW, MAP_SHARED, f, 4);
	assert_int_equal(order_at(f, mm, 30), 4);
	assert_int_equal(order_at(f, mm, 5), 2); /* 0 to 3 are not in the vma */
	assert_int_equal(order_at(f, mm, 9), 3);
	assert_int_equal(mm_munmap(mm, B, 32 * PG), 0);
	/* Index 33 at an address of index 32. */
	t_map_file(mm, B, 31, RW, MAP_SHARED, f, 33);
	assert_int_equal(sim_touch(mm, AT(8), FAULT_WRITE), FAULT_DONE);
	assert_int_equal(cached(f, 41)->order, 0);
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, B, 32 * PG), 0);
	end(f);
}

static void test_quota(void **state)
{
	struct page_quota quota = { .max = 20 };
	struct file *f = large_file(64, 1UL << 4 | 1UL << 2);
	struct mapping *m = sim_file_mapping(f);
	struct mm *mm = *state;

	m->quota = &quota;
	t_map_file(mm, B, 64, RW, MAP_SHARED, f, 0);
	assert_int_equal(order_at(f, mm, 0), 4);
	assert_int_equal(order_at(f, mm, 16), 2);
	assert_int_equal(sim_touch(mm, AT(32), FAULT_WRITE), FAULT_BUS);
	assert_int_equal(atomic_read(&quota.used), 20);
	filemap_punch_hole(m, PG, 2 * PG);
	assert_int_equal(atomic_read(&quota.used), 19);
	assert_int_equal(order_at(f, mm, 32), 0);
	assert_int_equal(mm_munmap(mm, B, 64 * PG), 0);
	end(f);
	assert_int_equal(atomic_read(&quota.used), 0);
}

static void test_out_of_memory(void **state)
{
	struct file *f = large_file(1024, 1UL << 9);
	struct folio *folio;

	(void)state;
	for (unsigned long nth = 1;; nth++) {
		fail_at(FAIL_XARRAY, nth);
		folio = filemap_new_large(sim_file_mapping(f), 600, 0);
		fail_at(FAIL_XARRAY, 0);
		if (folio)
			break;
		assert_int_equal(mapping_nr_pages(sim_file_mapping(f)), 0);
	}
	assert_int_equal(folio->index, 512);
	folio_put(folio);
	fail_at(FAIL_ALLOC_PAGES, 1);
	assert_null(filemap_new_large(sim_file_mapping(f), 0, 0));
	fail_at(FAIL_ALLOC_PAGES, 0);
	end(f);
}

/* ---- parts go ---- */

static void check_file(struct file *f, unsigned long n, unsigned long first, unsigned long after,
		       int gone)
{
	for (unsigned long i = 0; i < n; i++)
		assert_int_equal(byte_at(f, i), i >= first && i < after ? gone : mark(i));
}

static void one_truncation(struct mm *mm, unsigned int order, unsigned long to)
{
	unsigned long n = 1UL << order;
	struct file *f = map_marked(mm, order);
	struct mapping *m = sim_file_mapping(f);

	filemap_truncate(m, to * PG + 10);
	assert_int_equal(mapping_nr_pages(m), to + 1);
	check_file(f, n, to + 1, n, -1);
	assert_int_equal(mm_rss(mm), to + 1);
	t_validate(mm);
	if (to + 1 < n) {
		assert_int_equal(sim_touch(mm, AT(to + 1), FAULT_READ), FAULT_BUS);
		assert_int_equal(cached(f, 0)->order, 0);
		assert_int_equal(stat_read(NR_SHMEM_THPS), 0);
	}
	knob_thp_shmem = SHMEM_HUGE_NEVER;
	filemap_truncate(m, n * PG);
	for (unsigned long i = 0; i < n; i++)
		assert_int_equal(sim_peek(mm, AT(i)), i > to ? 0 : mark(i));
	assert_int_equal(mm_munmap(mm, B, n * PG), 0);
	end(f);
}

static void test_truncate(void **state)
{
	for (unsigned int order = 2; order <= 4; order++)
		for (unsigned long to = 0; to < 1UL << order; to++)
			one_truncation(*state, order, to);
	for (unsigned long to = 0; to < PTRS_PER_TABLE; to += to % 3 ? 61 : 62)
		one_truncation(*state, PMD_ORDER, to);
	one_truncation(*state, PMD_ORDER, PTRS_PER_TABLE - 1);
}

static void one_hole(struct mm *mm, unsigned int order, unsigned long first, unsigned long after)
{
	unsigned long n = 1UL << order;
	struct file *f = map_marked(mm, order);
	struct mapping *m = sim_file_mapping(f);

	filemap_punch_hole(m, first * PG, after * PG);
	check_file(f, n, first, after, -1);
	assert_int_equal(mapping_nr_pages(m), n - (after - first));
	t_validate(mm);
	knob_thp_shmem = SHMEM_HUGE_NEVER;
	assert_int_equal(sim_peek(mm, AT(first)), 0);
	assert_int_equal(mm_munmap(mm, B, n * PG), 0);
	end(f);
}

static void test_punch_hole(void **state)
{
	for (unsigned long first = 0; first < 8; first++)
		for (unsigned long after = first + 1; after <= 8; after++)
			one_hole(*state, 3, first, after);
	one_hole(*state, PMD_ORDER, 0, PTRS_PER_TABLE);
	one_hole(*state, PMD_ORDER, 100, 101);
	one_hole(*state, PMD_ORDER, 1, PTRS_PER_TABLE);
}

/* Several folios, and the edges inside two of them. */
static void test_range_of_folios(void **state)
{
	struct mm *mm = *state;
	struct file *f = large_file(64, 1UL << 4);
	struct mapping *m = sim_file_mapping(f);

	t_map_file(mm, B, 64, RW, MAP_SHARED, f, 0);
	for (unsigned long i = 0; i < 64; i++)
		sim_poke(mm, AT(i), mark(i));
	filemap_punch_hole(m, 10 * PG, 50 * PG);
	check_file(f, 64, 10, 50, -1);
	assert_int_equal(cached(f, 0)->order, 0);
	assert_int_equal(cached(f, 63)->order, 0);
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, B, 64 * PG), 0);
	end(f);
}

/* Who has a reference keeps the folio whole: what was to go is zeroes. */
static void test_held(void **state)
{
	struct mm *mm = *state;
	struct file *f = map_marked(mm, 4);
	struct mapping *m = sim_file_mapping(f);
	struct folio *folio = filemap_get_folio(m, 5);

	filemap_punch_hole(m, 3 * PG, 6 * PG);
	assert_ptr_equal(cached(f, 4), folio);
	check_file(f, 16, 3, 6, 0);
	assert_int_equal(sim_peek(mm, AT(4)), 0);
	filemap_truncate(m, 10 * PG);
	assert_int_equal(sim_touch(mm, AT(10), FAULT_READ), FAULT_BUS);
	t_validate(mm);
	filemap_truncate(m, 16 * PG);
	assert_int_equal(sim_peek(mm, AT(12)), 0);
	assert_int_equal(sim_peek(mm, AT(9)), mark(9));
	t_validate(mm);
	folio_put(folio);
	filemap_truncate(m, PG);
	assert_int_equal(mapping_nr_pages(m), 1);
	assert_int_equal(mm_munmap(mm, B, 16 * PG), 0);
	end(f);
}

/* ---- splitting ---- */

static bool split_now(struct folio *folio)
{
	bool done;

	folio_get(folio);
	done = split_mapped_folio(folio);
	folio_put(folio);
	return done;
}

static void one_split(struct mm *mm, unsigned int order)
{
	unsigned long n = 1UL << order;
	struct file *f = map_marked(mm, order);
	struct folio *folio = cached(f, 0), *held;
	struct mm *child = mm_fork(mm);

	sim_poke(child, AT(1), 123);
	held = filemap_get_folio(sim_file_mapping(f), n - 1);
	assert_false(split_now(folio));
	folio_put(held);
	t_validate(mm);
	assert_true(split_now(folio));
	for (unsigned long i = 0; i < n; i++) {
		struct folio *piece = cached(f, i);

		assert_ptr_equal(piece, folio_page(folio, i));
		assert_int_equal(piece->order, 0);
		assert_false(folio_is_large(piece));
		assert_int_equal(piece->index, i);
		assert_int_equal(atomic_read(&piece->mapcount), 2);
		assert_int_equal(atomic_read(&piece->refcount), 3);
		assert_true(folio_test(piece, PG_lru) && folio_test(piece, PG_dirty));
		assert_int_equal(sim_peek(child, AT(i)), i == 1 ? 123 : mark(i));
	}
	assert_int_equal(stat_read(NR_SHMEM), n);
	assert_int_equal(stat_read(NR_SHMEM_THPS), 0);
	t_validate(mm);
	t_validate(child);
	sim_mm_put(child);
	assert_int_equal(mm_munmap(mm, B, n * PG), 0);
	end(f);
}

static void test_split(void **state)
{
	each_order(state, one_split);
}

/* ---- locks ---- */

static void one_lock(struct mm *mm, unsigned int order)
{
	unsigned long n = 1UL << order;
	struct file *f = map_marked(mm, order);
	struct folio *folio = cached(f, 0);

	assert_int_equal(mm_mlock(mm, B, n * PG, false), 0);
	assert_true(folio_is_mlocked(folio));
	assert_true(folio_test(folio, PG_unevictable));
	assert_int_equal(stat_read(NR_MLOCK), n);
	assert_int_equal(mm_munlock(mm, AT(1), PG), 0);
	assert_false(folio_test(folio, PG_unevictable));
	assert_int_equal(stat_read(NR_MLOCK), n - 1);
	t_validate(mm);
	assert_true(split_now(folio));
	assert_int_equal(stat_read(NR_MLOCK), n - 1);
	assert_true(folio_test(cached(f, 0), PG_unevictable));
	assert_false(folio_test(cached(f, 1), PG_unevictable));
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, B, n * PG), 0);
	end(f);
}

static void test_lock(void **state)
{
	each_order(state, one_lock);
}

/* Faulted in while the vma is locked. */
static void test_fault_locked(void **state)
{
	struct mm *mm = *state;
	struct file *f = large_file(PTRS_PER_TABLE, 1UL << PMD_ORDER);

	t_map_file(mm, B, PTRS_PER_TABLE, RW, MAP_SHARED, f, 0);
	assert_int_equal(mm_mlock(mm, B, PMD_SIZE, false), 0);
	assert_true(is_promoted(mm, B));
	assert_true(folio_test(cached(f, 0), PG_unevictable));
	assert_int_equal(stat_read(NR_MLOCK), PTRS_PER_TABLE);
	t_validate(mm);
	/* A hole takes locked pages, too. */
	filemap_punch_hole(sim_file_mapping(f), 0, 2 * PG);
	assert_int_equal(stat_read(NR_MLOCK), PTRS_PER_TABLE - 2);
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, B, PMD_SIZE), 0);
	end(f);
}

/* ---- out to swap ---- */

static void test_reclaim(void **state)
{
	struct block_device *dev = swap_device_on(1024);
	struct mm *mm = *state;
	struct file *f = map_marked(mm, 5);
	unsigned long n = 32;

	assert_int_equal(mm_mlock(mm, AT(4), PG, false), 0);
	assert_int_equal(mm_munlock(mm, AT(4), PG), 0);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(mm_madvise(mm, B, n * PG, MADV_PAGEOUT), 0);
	assert_int_equal(mm_rss(mm), 0);
	assert_int_equal(sim_file_mapping(f)->nr_swapped, n);
	/* It is not in the way of a large one that its pages are in swap. */
	for (unsigned long i = 0; i < n; i++)
		assert_int_equal(sim_peek(mm, AT(i)), mark(i));
	assert_int_equal(cached(f, 0)->order, 0);
	t_validate(mm);
	assert_int_equal(mm_munmap(mm, B, n * PG), 0);
	file_put(f);
	swap_device_off(dev);
	knob_thp_shmem = SHMEM_HUGE_NEVER;
}

/* ---- seen from outside ---- */

static void test_mincore(void **state)
{
	struct file *f = large_file(32, 1UL << 3);
	struct mm *mm = *state;
	unsigned char vec[32];

	t_map_file(mm, B, 32, RW, MAP_SHARED, f, 0);
	folio_put(filemap_new_large(sim_file_mapping(f), 9, 0));
	assert_int_equal(mm_mincore(mm, B, 32, vec), 0);
	for (unsigned int i = 0; i < 32; i++)
		assert_int_equal(vec[i], i >= 8 && i < 16);
	assert_true(folio_is_hole(cached(f, 9)));
	assert_int_equal(sim_touch(mm, AT(9), FAULT_READ), FAULT_DONE);
	assert_false(folio_is_hole(cached(f, 9)));
	assert_int_equal(mm_munmap(mm, B, 32 * PG), 0);
	end(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_MM(test_placed),
		T_MM(test_no_room_to_align),
		T_MM(test_fault),
		T_MM(test_mapped_twice),
		T_MM(test_private_copy),
		T_MM(test_policy),
		T(test_mount),
		T_MM(test_what_fits),
		T_MM(test_quota),
		T(test_out_of_memory),
		T_MM(test_truncate),
		T_MM(test_punch_hole),
		T_MM(test_range_of_folios),
		T_MM(test_held),
		T_MM(test_split),
		T_MM(test_lock),
		T_MM(test_fault_locked),
		T_MM(test_reclaim),
		T_MM(test_mincore),
	};

	sim_boot(T_FRAMES);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
