/* SPDX-License-Identifier: MIT
 *
 * What a folio of a file with a backing store owes to the store: nothing (clean), its contents (dirty), or what
 * an I/O under way is just paying (writeback). docs/pagecache.md has the picture.
 *
 * PG_dirty, PG_writeback, the tags of the xarray and the counts of the mapping change together under the mapping's
 * lock, so that whoever looks for dirty folios by tag misses none, and one that is neither dirty nor being written
 * is on the device as far as the device can be trusted. A large folio is dirty, and written, as a whole, and has its tags
 * at its first page: mapping_find_tagged().
 *
 * An entry maps such a folio writable only while it is dirty: the write fault makes the folio dirty first, under its
 * folio lock, and folio_start_write() takes the write right from all entries first, under the same lock, before it calls
 * the folio clean. Whoever marks one dirty without the folio lock holds the page-table lock of a writable entry, and
 * folio_mkclean() waits for that.
 *
 * Locking: wb.lock guards the list of mappings, inside everything.
 */
#include <arch/timer.h>

#include "internal.h"
#include "writeback.h"

struct writeback wb;

void writeback_init(void)
{
	spin_lock_init(&wb.lock);
	INIT_LIST_HEAD(&wb.mappings);
	INIT_LIST_HEAD(&wb.waiters);
}

/* ---- clean to dirty ---- */

/* The mapping's lock held. */
static void set_dirty(struct mapping *m, struct folio *folio)
{
	unsigned long pages = folio_nr_pages(folio);

	folio_set(folio, PG_dirty);
	xa_set_tag(&m->folios, folio->index, TAG_DIRTY);
	if (m->nr_dirty == 0)
		m->dirtied_ns = clock_ns();
	m->nr_dirty += pages;
	count_dirtied((unsigned int)pages);
	stat_add(NR_FILE_DIRTY, (long)pages);
}

void mapping_clear_dirty(struct mapping *m, struct folio *folio)
{
	if (!folio_test(folio, PG_dirty))
		return;
	folio_clear(folio, PG_dirty);
	xa_clear_tag(&m->folios, folio->index, TAG_DIRTY);
	m->nr_dirty -= folio_nr_pages(folio);
	stat_add(NR_FILE_DIRTY, -(long)folio_nr_pages(folio));
}

void *mapping_find_tagged(struct mapping *m, unsigned long *index, unsigned long last,
			  enum xa_tag tag)
{
	struct folio *here = xa_load(&m->folios, *index);

	if (here)
		*index = here->index;
	return xa_find_tagged(&m->folios, index, last, tag);
}

__noinline void folio_mark_dirty_slow(struct folio *folio)
{
	struct mapping *m = READ_ONCE(folio->mapping);

	if (!m) /* truncated: nobody's any more */
		return;
	if (!(m->flags & MAPPING_WRITEBACK)) {
		folio_set(folio, PG_dirty);
		return;
	}
	spin_lock(&m->lock);
	if (folio->mapping == m && !folio_test(folio, PG_dirty))
		set_dirty(m, folio);
	spin_unlock(&m->lock);
}

void folio_mark_dirty_lock(struct folio *folio)
{
	folio_lock(folio);
	folio_mark_dirty(folio);
	folio_unlock(folio);
}

/* ---- dirty to writeback to clean ---- */

bool folio_start_write(struct mapping *m, struct folio *folio, struct unflushed *u)
{
	if (!folio_test(folio, PG_dirty))
		return false;
	folio_mkclean(folio, u);
	folio_start_writeback(folio);
	spin_lock(&m->lock);
	mapping_clear_dirty(m, folio);
	xa_set_tag(&m->folios, folio->index, TAG_WRITEBACK);
	m->nr_writeback += folio_nr_pages(folio);
	spin_unlock(&m->lock);
	return true;
}

/*
 * The write failed, so the only good copy is here: it stays dirty, and is tried again, as long as there is room for
 * that. Beyond the end, or with a dead device and no room, it goes the way that it goes in Linux at once: clean, the error remembered.
 */
static bool keeps_failed(const struct mapping *m, const struct folio *folio)
{
	return folio->index < mapping_pages(m) &&
	       stat_read(NR_FILE_DIRTY) < writeback_limits().background;
}

void filemap_end_write(struct folio *folio, int err)
{
	struct mapping *m = folio->mapping; /* writeback keeps it */
	bool keep = err && keeps_failed(m, folio);

	if (err) {
		folio_set(folio, PG_error);
		mapping_set_error(m, err);
	} else if (folio_test(folio, PG_error)) {
		folio_clear(folio, PG_error);
	}
	spin_lock(&m->lock);
	if (keep && !folio_test(folio, PG_dirty))
		set_dirty(m, folio);
	xa_clear_tag(&m->folios, folio->index, TAG_WRITEBACK);
	m->nr_writeback -= folio_nr_pages(folio);
	spin_unlock(&m->lock);
	folio_end_writeback(folio);
	writeback_progress();
}

/* ---- errors: a counter and the latest error in one word, as Linux's errseq_t ---- */

#define ERROR_MASK 0xfffu
#define ERROR_SEEN 0x1000u /* somebody has looked since: the next error must change the counter */
#define ERROR_COUNT 0x2000u

void mapping_set_error(struct mapping *m, int err)
{
	u32 old = RACY_READ(m->write_error), new;

	do {
		new = (old & ~(ERROR_MASK | ERROR_SEEN)) | (u32)-err;
		if (old & ERROR_SEEN)
			new += ERROR_COUNT;
	} while (!__atomic_compare_exchange_n(&m->write_error, &old, new, false, __ATOMIC_RELEASE,
					      __ATOMIC_RELAXED));
}

u32 mapping_sample_error(const struct mapping *m)
{
	u32 now = __atomic_load_n(&m->write_error, __ATOMIC_ACQUIRE);

	return now & ERROR_SEEN ? now : 0;
}

int mapping_check_error(struct mapping *m, u32 *since)
{
	u32 now = __atomic_load_n(&m->write_error, __ATOMIC_ACQUIRE);

	if (likely(now == RACY_READ(*since)))
		return 0;
	while (!__atomic_compare_exchange_n(&m->write_error, &now, now | ERROR_SEEN, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
	RACY_WRITE(*since, now | ERROR_SEEN);
	return -(int)(now & ERROR_MASK);
}
