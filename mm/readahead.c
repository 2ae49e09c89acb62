/* SPDX-License-Identifier: MIT
 *
 * Reading ahead: a file that is read in order has the next pages coming before anyone asks for them.
 *
 * What is read at once is a window. The first one is a few times as large as what was asked for; each next one is
 * twice the one before, up to knob readahead_kb. One page in the window carries PG_readahead, the marker: whoever
 * comes to it has the next window read, while there is still something left of this one:
 *
 *   |-------------- size --------------|
 *   | . . . . . . . . . |M . . . . . . . | next window
 *   start                |--- async ----|
 *
 * Reads at random places read what was asked for and nothing else. Faults cannot know what comes next: they read
 * half a window before and after the place, unless madvise() says how the mapping is used. The numbers are Linux's.
 */
#include "internal.h"
#include "writeback.h"

static unsigned long max_window(const struct file_ra *ra)
{
	unsigned long pages = READ_ONCE(knob_readahead_kb) * 1024 / PAGE_SIZE;

	return RACY_READ(ra->how) == RA_SEQUENTIAL ? 2 * pages : pages;
}

/* ---- starting to read ---- */

/* Folios being gathered for one request: locked, in the cache, consecutive. */
struct read_run {
	struct mapping *mapping;
	struct folio *folios[BIO_MAX_PAGES];
	unsigned int n;
};

static void run_submit(struct read_run *run)
{
	if (run->n)
		run->mapping->ops->read(run->mapping, run->folios, run->n);
	run->n = 0;
}

static bool is_cached(struct mapping *m, unsigned long index)
{
	bool cached;

	spin_lock(&m->lock);
	cached = xa_load(&m->folios, index);
	spin_unlock(&m->lock);
	return cached;
}

/* Adds the page to the run, unless it is cached. False: no memory. */
static bool run_add(struct read_run *run, unsigned long index, bool marker)
{
	struct folio *folio;
	int err;

	if (is_cached(run->mapping, index)) {
		run_submit(run);
		return true;
	}
	folio = folio_alloc(GFP_KERNEL, 0);
	if (!folio)
		return false;
	/* Its lock is the I/O's from the start. */
	RACY_WRITE(folio->flags, 1UL << PG_locked | (marker ? 1UL << PG_readahead : 0));
	err = filemap_insert(run->mapping, folio, index);
	if (err)
		folio_clear(folio, PG_locked);
	else
		run->folios[run->n++] = folio;
	folio_put(folio); /* the cache has one, and nobody takes it out before it is unlocked */
	if (err || run->n == BIO_MAX_PAGES)
		run_submit(run);
	return !err || err == -EEXIST;
}

/* Starts reading the pages of [first, first + n) that are in the file and not in the cache. */
static void read_range(struct mapping *m, unsigned long first, unsigned long n,
		       unsigned long marker)
{
	struct read_run run = { .mapping = m };
	unsigned long pages = mapping_pages(m);
	unsigned long end = first < pages ? first + min(n, pages - first) : first;

	for (unsigned long i = first; i < end; i++)
		if (!run_add(&run, i, i == marker))
			break;
	run_submit(&run);
}

/*
 * The page at index, with a reference from before its read starts: whoever drops clean pages may otherwise be faster
 * than we. NULL: no memory.
 */
static struct folio *read_one(struct mapping *m, unsigned long index)
{
	struct folio *folio;
	int err;

	do {
		folio = folio_alloc(GFP_KERNEL, 0);
		if (!folio)
			return NULL;
		RACY_WRITE(folio->flags, 1UL << PG_locked);
		err = filemap_insert(m, folio, index);
		if (!err) {
			m->ops->read(m, &folio, 1);
			return folio;
		}
		folio_clear(folio, PG_locked);
		folio_put(folio);
		folio = err == -EEXIST ? filemap_get_folio(m, index) : NULL;
	} while (!folio && err == -EEXIST);
	return folio;
}

#define NO_MARKER (~0UL)

/* Pages between two looks at whether somebody still wants them. */
#define WILLNEED_STEP 256UL

void filemap_willneed(struct mapping *m, unsigned long first, unsigned long n)
{
	unsigned long room = nr_free_pages() / 2;

	if (!m->ops)
		return;
	for (n = min(n, room); n && first < mapping_pages(m); first += WILLNEED_STEP) {
		unsigned long step = min(n, WILLNEED_STEP);

		if (park_interrupted(PARK_KILLABLE))
			break;
		read_range(m, first, step, NO_MARKER);
		n -= step;
		cond_resched();
	}
}

/* ---- windows ---- */

static unsigned long round_up_pow2(unsigned long n)
{
	return n <= 1 ? 1 : 1UL << (64 - __builtin_clzl(n - 1));
}

static unsigned long first_window(unsigned long want, unsigned long max)
{
	unsigned long size = round_up_pow2(want);

	if (size <= max / 32)
		return size * 4;
	return size <= max / 4 ? size * 2 : max;
}

static unsigned long next_window(unsigned long size, unsigned long max)
{
	if (size < max / 16)
		return size * 4;
	return size <= max / 2 ? size * 2 : max;
}

static void read_window(struct mapping *m, struct file_ra *ra, unsigned long start,
			unsigned long size, unsigned long async)
{
	RACY_WRITE(ra->start, start);
	RACY_WRITE(ra->size, (unsigned int)size);
	RACY_WRITE(ra->async, (unsigned int)async);
	read_range(m, start, size, async ? start + size - async : NO_MARKER);
}

/* The page is not there, and want pages from it are going to be read. */
static void miss(struct mapping *m, struct file_ra *ra, unsigned long index, unsigned long want)
{
	unsigned long max = max_window(ra), start = RACY_READ(ra->start);
	unsigned long size = RACY_READ(ra->size), prev = RACY_READ(ra->prev);
	bool follows = index == prev || index + 1 == prev;

	want = max(want, 1UL);
	if (RACY_READ(ra->how) == RA_RANDOM || max == 0) {
		read_range(m, index, want, NO_MARKER);
	} else if (size && index == start + size) {
		size = next_window(size, max);
		read_window(m, ra, index, size, size);
	} else if (index == 0 || follows || want > max) {
		size = first_window(want, max);
		read_window(m, ra, index, size, size > want ? size - want : size);
	} else {
		read_range(m, index, want, NO_MARKER);
	}
}

/* Where the file's cached pages from here on end, at most max pages on. */
static unsigned long end_of_cached(struct mapping *m, unsigned long index, unsigned long max)
{
	unsigned long end = index;

	spin_lock(&m->lock);
	while (end < index + max && xa_load(&m->folios, end))
		end++;
	spin_unlock(&m->lock);
	return end;
}

/* The reader has come to the marker at index. */
static void marker_reached(struct mapping *m, struct file_ra *ra, unsigned long index)
{
	unsigned long max = max_window(ra), start = RACY_READ(ra->start);
	unsigned long size = RACY_READ(ra->size);

	if (RACY_READ(ra->how) == RA_RANDOM || max == 0)
		return;
	if (size && index == start + size - RACY_READ(ra->async)) {
		start += size;
	} else {
		/* Another reader's window, or one of before a seek: this reader follows it from here. */
		start = end_of_cached(m, index, max);
		size = start - index;
	}
	size = next_window(size, max);
	read_window(m, ra, start, size, size);
}

static bool take_marker(struct folio *folio)
{
	return folio_test(folio, PG_readahead) && test_and_clear_bit(PG_readahead, &folio->flags);
}

/* ---- waiting ---- */

int filemap_wait_read(struct mapping *m, struct folio *folio)
{
	for (bool again = false;; again = true) {
		int err = folio_lock_killable(folio);

		if (err)
			return err;
		if (folio->mapping != m)
			err = -EAGAIN;
		else if (!folio_uptodate(folio) && again)
			err = -EIO;
		if (err || folio_uptodate(folio)) {
			folio_unlock(folio);
			return err;
		}
		/* An earlier read failed, perhaps because of its neighbours. */
		folio_lock_to_io(folio);
		m->ops->read(m, &folio, 1);
	}
}

/* ---- read(2) ---- */

/* A reference to the folio at index, which may still have to be read. NULL: no memory. */
static struct folio *find_or_start(struct mapping *m, struct file_ra *ra, unsigned long index,
				   unsigned long want)
{
	struct folio *folio = filemap_get_folio(m, index);

	if (folio) {
		if (ra && unlikely(take_marker(folio)))
			marker_reached(m, ra, index);
		return folio;
	}
	if (ra)
		miss(m, ra, index, want);
	folio = filemap_get_folio(m, index);
	return folio ? folio : read_one(m, index);
}

struct folio *filemap_read_folio(struct mapping *m, struct file_ra *ra, unsigned long index,
				 unsigned long want)
{
	struct folio *folio;
	int err = 0;

	do {
		if (unlikely(index >= mapping_pages(m)))
			return ERR_PTR(-EIO);
		folio = find_or_start(m, ra, index, want);
		if (unlikely(!folio))
			return ERR_PTR(-ENOMEM);
		err = folio_uptodate(folio) ? 0 : filemap_wait_read(m, folio);
		if (unlikely(err))
			folio_put(folio);
	} while (unlikely(err == -EAGAIN));
	if (unlikely(err))
		return ERR_PTR(err);
	if (ra)
		RACY_WRITE(ra->prev, index + 1);
	folio_mark_accessed(folio);
	return folio;
}

/* ---- faults ---- */

struct folio *fault_readahead(struct vma *vma, unsigned long index)
{
	struct file_ra *ra = file_readahead_state(vma->file);
	struct mapping *m = vma->mapping;
	unsigned long max = max_window(ra), start;
	struct folio *folio;

	if (vma->flags & VM_SEQ_READ) {
		miss(m, ra, index, max);
	} else if (!(vma->flags & VM_RAND_READ) && max) {
		start = index > max / 2 ? index - max / 2 : 0;
		read_window(m, ra, start, max, max / 4);
	}
	folio = filemap_get_folio(m, index);
	return folio ? folio : read_one(m, index);
}

void fault_readahead_marker(struct vma *vma, struct folio *folio)
{
	if (!(vma->flags & VM_RAND_READ) && take_marker(folio))
		marker_reached(vma->mapping, file_readahead_state(vma->file), folio->index);
}
