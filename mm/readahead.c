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
 *
 * With knob readahead.order a window consists of large folios: of 4 pages at first, four times as many from marker to
 * marker, each where its size says it may begin. What is cached already, the file's end, and want of memory make them
 * smaller. The window then ends where the last of them does, so that the next one can begin with a whole one.
 */
#include "filemap_large.h"
#include "folio.h"
#include "internal.h"
#include "writeback.h"

static unsigned long max_window(const struct file_ra *ra)
{
	unsigned long pages = READ_ONCE(knob_readahead_kb) * 1024 / PAGE_SIZE;

	return RACY_READ(ra->how) == RA_SEQUENTIAL ? 2 * pages : pages;
}

/* ---- starting to read ---- */

/* Folios being gathered for one request: locked, in the cache, of one size, one behind the other. */
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

/* Pages from index on that the cache does not have, at most n. */
static unsigned long count_missing(struct mapping *m, unsigned long index, unsigned long n)
{
	unsigned long missing = 0;

	spin_lock(&m->lock);
	while (missing < n && !xa_load(&m->folios, index + missing))
		missing++;
	spin_unlock(&m->lock);
	return missing;
}

/* Its lock is the I/O's from the start. NULL: no memory. */
static struct folio *alloc_unread(unsigned int order, unsigned long flags)
{
	struct folio *folio = folio_alloc(order ? GFP_LIGHT : GFP_KERNEL, order);

	if (!folio)
		return NULL;
	if (order) {
		large_init(folio);
		flags |= 1UL << PG_large;
	}
	RACY_WRITE(folio->flags, flags | 1UL << PG_locked);
	return folio;
}

/* Adds a folio to the run that begins at index, where the cache has nothing. 0, -ENOMEM, -EEXIST. */
static int run_add(struct read_run *run, unsigned long index, unsigned int order,
		   unsigned long marker)
{
	bool marked = marker - index < 1UL << order;
	struct folio *folio = alloc_unread(order, marked ? 1UL << PG_readahead : 0);
	int err;

	if (!folio)
		return -ENOMEM;
	if (run->n == BIO_MAX_PAGES || (run->n && run->folios[0]->order != order))
		run_submit(run);
	err = filemap_insert(run->mapping, folio, index);
	if (err)
		folio_clear(folio, PG_locked);
	else
		run->folios[run->n++] = folio;
	folio_put(folio); /* the cache has one, and nobody takes it out before it is unlocked */
	return err;
}

/* The largest order, up to max, of a folio that begins at index and has no more than n pages. */
static unsigned int order_at(unsigned long index, unsigned long n, unsigned int max)
{
	unsigned int order = max;

	while (order && (!IS_ALIGNED(index, 1UL << order) || 1UL << order > n))
		order--;
	return order < THP_MIN_ORDER ? 0 : order;
}

/* Starts reading the pages of [first, first + n) that are in the file and not in the cache, in folios of up to max. */
static void read_range(struct mapping *m, unsigned long first, unsigned long n,
		       unsigned long marker, unsigned int max)
{
	struct read_run run = { .mapping = m };
	unsigned long pages = mapping_pages(m);
	unsigned long end = first < pages ? first + min(n, pages - first) : first;

	while (first < end) {
		unsigned long missing = count_missing(m, first, min(end - first, 1UL << max));
		unsigned int order = order_at(first, missing, max);
		int err = 0;

		if (missing)
			err = run_add(&run, first, order, marker);
		else
			run_submit(&run);
		if (!err)
			first += 1UL << order;
		else if (err == -ENOMEM && order)
			max = order - 1;
		else if (err == -ENOMEM)
			break;
	}
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
		folio = alloc_unread(0, 0);
		if (!folio)
			return NULL;
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
#define WILLNEED_STEP (1UL << PMD_ORDER)

void filemap_willneed(struct mapping *m, unsigned long first, unsigned long n)
{
	unsigned long room = nr_free_pages() / 2;

	if (!m->ops)
		return;
	for (n = min(n, room); n && first < mapping_pages(m); first += WILLNEED_STEP) {
		unsigned long step = min(n, WILLNEED_STEP);

		if (park_interrupted(PARK_KILLABLE))
			break;
		read_range(m, first, step, NO_MARKER, READ_ONCE(knob_readahead_order));
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

/*
 * A window of size pages. order: of the folio that led here, 0: none did. The order grows by two, and the window to where a
 * folio of it ends.
 */
static void read_window(struct mapping *m, struct file_ra *ra, unsigned long start,
			unsigned long size, unsigned long async, unsigned int order)
{
	unsigned long marker = async ? start + size - async : NO_MARKER, more;

	order = order_at(0, size, min(order + 2, (unsigned int)READ_ONCE(knob_readahead_order)));
	more = ALIGN_UP(start + size, 1UL << order) - (start + size);
	RACY_WRITE(ra->start, start);
	RACY_WRITE(ra->size, (unsigned int)(size + more));
	RACY_WRITE(ra->async, (unsigned int)(async ? async + more : 0));
	read_range(m, start, size + more, marker, order);
}

/* The page is not there, and want pages from it are going to be read. */
static void miss(struct mapping *m, struct file_ra *ra, unsigned long index, unsigned long want)
{
	unsigned long max = max_window(ra), start = RACY_READ(ra->start);
	unsigned long size = RACY_READ(ra->size), prev = RACY_READ(ra->prev);
	bool follows = index == prev || index + 1 == prev;

	want = max(want, 1UL);
	if (RACY_READ(ra->how) == RA_RANDOM || max == 0) {
		read_range(m, index, want, NO_MARKER, 0);
	} else if (size && index == start + size) {
		size = next_window(size, max);
		read_window(m, ra, index, size, size, 0);
	} else if (index == 0 || follows || want > max) {
		size = first_window(want, max);
		read_window(m, ra, index, size, size > want ? size - want : size, 0);
	} else {
		read_range(m, index, want, NO_MARKER, 0);
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

/* The reader has come to the page at index, which is in the marker. */
static void marker_reached(struct mapping *m, struct file_ra *ra, const struct folio *marker,
			   unsigned long index)
{
	unsigned long max = max_window(ra), start = RACY_READ(ra->start);
	unsigned long size = RACY_READ(ra->size);

	if (RACY_READ(ra->how) == RA_RANDOM || max == 0)
		return;
	if (size && start + size - RACY_READ(ra->async) - marker->index < folio_nr_pages(marker)) {
		start += size;
	} else {
		/* Another reader's window, or one of before a seek: this reader follows it from here. */
		start = end_of_cached(m, index, max);
		size = start - index;
	}
	size = next_window(size, max);
	read_window(m, ra, start, size, size, marker->order);
}

static bool take_marker(struct folio *folio)
{
	return folio_test(folio, PG_readahead) && test_and_clear_bit(PG_readahead, &folio->flags);
}

/* ---- waiting ---- */

/* A large folio could not be read, perhaps because of one of its pages: small ones take its place, as far as there is memory. */
static void read_apart(struct mapping *m, struct folio *folio)
{
	unsigned long first = folio->index, n = folio_nr_pages(folio);

	filemap_drop_unread(m, folio);
	folio_unlock(folio);
	read_range(m, first, n, NO_MARKER, 0);
}

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
		if (folio_is_large(folio)) {
			read_apart(m, folio);
			return -EAGAIN;
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
			marker_reached(m, ra, folio, index);
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
		RACY_WRITE(ra->prev, min(index + want, folio->index + folio_nr_pages(folio)));
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
		read_window(m, ra, start, max, max / 4, 0);
	}
	folio = filemap_get_folio(m, index);
	return folio ? folio : read_one(m, index);
}

void fault_readahead_marker(struct vma *vma, struct folio *folio, unsigned long index)
{
	if (!(vma->flags & VM_RAND_READ) && take_marker(folio))
		marker_reached(vma->mapping, file_readahead_state(vma->file), folio, index);
}
