/* SPDX-License-Identifier: MIT
 *
 * A file with a store, for tests of the page cache: page i of the device is filled with i + 1.
 */
#ifndef TESTS_HOST_STORE_H
#define TESTS_HOST_STORE_H

#include "t.h"
#include <mm/writeback.h>

#define B 0xb0000000UL
#define AT(page) (B + (page)*PG)
#define PAGES 256UL

static struct block_device *dev;
static struct file *file;
static struct mapping *m;

static inline u8 *stored(unsigned long page)
{
	return (u8 *)sim_block_data(dev) + page * PG;
}

static inline void open_device(unsigned long bytes)
{
	dev = sim_block_create(bytes);
	for (unsigned long i = 0; i * PG < bytes; i++)
		memset(stored(i), (int)(i + 1), min(PG, bytes - i * PG));
	file = sim_block_file(dev);
	m = sim_file_mapping(file);
	(void)sim_block_counts(dev);
}

static inline void close_device(void)
{
	file_put(file);
	sim_block_destroy(dev);
}

/* What was asked of the device since the last look. */
static inline void expect_io(enum bio_op op, unsigned long requests, unsigned long pages)
{
	struct sim_block_counts c = sim_block_counts(dev);

	assert_int_equal(c.requests[op], requests);
	assert_int_equal(c.pages[op], pages);
}

/* The first byte of the page, or -errno. */
static inline int read_byte(struct file_ra *ra, unsigned long page, unsigned long want)
{
	struct folio *folio = filemap_read_folio(m, ra, page, want);
	int value;

	if (IS_ERR(folio))
		return (int)PTR_ERR(folio);
	value = *(u8 *)folio_byte(folio, page * PG);
	folio_put(folio);
	return value;
}

/* What write(2) of a whole page does. */
static inline void overwrite(unsigned long page, int value, int expect)
{
	struct folio *folio = folio_alloc(GFP_KERNEL, 0);

	memset(folio_address(folio), value, PG);
	assert_int_equal(filemap_overwrite(m, folio, page), expect);
	folio_put(folio);
}

static inline bool is_cached(unsigned long page)
{
	struct folio *folio = filemap_get_folio(m, page);

	if (folio)
		folio_put(folio);
	return folio;
}

static inline bool page_is(unsigned long page, enum page_flag flag)
{
	struct folio *folio = filemap_get_folio(m, page);
	bool set = folio_test(folio, flag);

	folio_put(folio);
	return set;
}

#endif
