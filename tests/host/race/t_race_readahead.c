/* SPDX-License-Identifier: MIT
 *
 * Reading ahead beside all that takes pages away or puts others in their place: a device that gets smaller and larger
 * again, migration, splitting, the dropping of clean pages, and one page that cannot be read. Page n contains n + 1,
 * whoever reads or writes it, or zeroes where the end of the device was before it.
 */
#include "../../../mm/large.h"
#include "mover.h"
#include <mm/writeback.h>

#define B 0xb0000000UL
#define PAGES 1024UL
#define BAD 333UL
#define ROUNDS 30

static struct mm *mm;
static struct block_device *dev;
static struct file *file;
static struct mapping *m;
static struct file_ra shared_ra; /* of an open file that two threads read through */

static void check(unsigned long page, u8 byte)
{
	if (byte && byte != (u8)(page + 1))
		panic("page %lu contains %x", page, byte);
	BUG_ON(page == BAD && byte);
}

/* Zeroes are written over what is behind the end: that is what is tested, and no defect. */
__attribute__((no_sanitize("thread"))) static u8 load_byte(struct folio *folio, unsigned long page)
{
	return *(volatile u8 *)folio_byte(folio, page * PG);
}

static void read_one(struct file_ra *ra, unsigned long page, unsigned long want)
{
	struct folio *folio = filemap_read_folio(m, ra, page, want);

	if (IS_ERR(folio)) {
		BUG_ON(PTR_ERR(folio) != -EIO);
		return;
	}
	BUG_ON(page - folio->index >= folio_nr_pages(folio));
	check(page, load_byte(folio, page));
	folio_put(folio);
}

/* In order for a while, then elsewhere. */
static void reader(u64 *x)
{
	while (!is_done()) {
		unsigned long page = next_random(x) % PAGES, n = 1 + next_random(x) % 64;

		for (unsigned long i = page; i < min(page + n, PAGES); i++)
			read_one(&shared_ra, i, 1 + next_random(x) % 8);
		WRITE_ONCE(shared_ra.how, (unsigned int)(next_random(x) % 3));
	}
}

static void toucher(u64 *x)
{
	while (!is_done()) {
		unsigned long page = next_random(x) % PAGES;
		enum fault_access access = next_random(x) % 4 ? FAULT_READ : FAULT_WRITE;
		u8 byte = (u8)(page + 1);
		enum fault_result r = sim_access(mm, B + page * PG, access, &byte);

		BUG_ON(r != FAULT_DONE && r != FAULT_BUS);
		if (r == FAULT_DONE)
			check(page, byte);
	}
}

static void adviser(u64 *x)
{
	while (!is_done()) {
		unsigned long page = next_random(x) % PAGES,
			      n = 1 + next_random(x) % (PAGES - page);

		switch (next_random(x) % 6) {
		case 0:
			WRITE_ONCE(knob_readahead_order, next_random(x) % (PMD_ORDER + 1));
			break;
		case 1:
			(void)mm_madvise(mm, B + page * PG, n * PG, MADV_DONTNEED);
			break;
		case 2:
			filemap_split_folios(m, page, page + n);
			break;
		case 3:
			(void)filemap_drop_clean(m, page, page + n);
			break;
		default:
			(void)mm_madvise(mm, B + page * PG, min(n, 64UL) * PG, MADV_WILLNEED);
		}
		host_yield();
	}
}

/* The device has another size now and then. */
static void flusher(u64 *x)
{
	for (unsigned long i = 0; goes_on(i, ROUNDS); i++) {
		sim_block_resize(dev, (1 + next_random(x) % PAGES) * PG);
		writeback_wake(1);
		writeback_once();
		host_yield();
		sim_block_resize(dev, PAGES * PG);
		writeback_wake(1);
		writeback_once();
		for (unsigned int k = 0; k < 20; k++)
			read_one(NULL, next_random(x) % PAGES, 1);
	}
}

static void begin(void **state)
{
	mm = *state;
	dev = sim_block_create(PAGES * PG);
	for (unsigned long i = 0; i < PAGES; i++)
		memset((u8 *)sim_block_data(dev) + i * PG, (int)(i + 1), PG);
	sim_block_fail_page(dev, BAD);
	file = sim_block_file(dev);
	m = sim_file_mapping(file);
	knob_readahead_kb = 512;
	shared_ra = (struct file_ra){ 0 };
	t_map_file(mm, B, PAGES, RW, MAP_SHARED, file, 0);
}

static void end(void)
{
	(void)filemap_sync(m, 0, PAGES * PG, NULL);
	assert_int_equal(mm_munmap(mm, B, PAGES * PG), 0);
	assert_int_equal(m->nr_dirty + m->nr_writeback, 0);
	file_put(file);
	sim_block_destroy(dev);
	knob_readahead_order = 0;
	knob_readahead_kb = 128;
	assert_int_equal(stat_read(NR_FILE_PAGES), 0);
	assert_int_equal(stat_read(NR_FILE_DIRTY), 0);
	assert_int_equal(stat_read(NR_FILE_THPS), 0);
	assert_int_equal(stat_read(NR_FILE_PMDMAPPED), 0);
}

static void test_resize(void **state)
{
	begin(state);
	RUN(mm, flusher, reader, reader, toucher, adviser);
	end();
}

static void test_migration(void **state)
{
	begin(state);
	RUN(mm, flusher, reader, toucher, adviser, mover);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = { T_MM(test_resize), T_MM(test_migration) };

	(void)host_seed();
	sim_boot(8192);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
