/* SPDX-License-Identifier: MIT
 *
 * Writing back: dirty folios go to their store in the order of their offsets, gathered into large requests, when
 * somebody waits for it (fsync), when they are old or many (the flusher), or when memory is short.
 *
 * While a run of folios is gathered they are under writeback and not submitted yet; before this thread sleeps for a
 * folio lock, whose holder might wait for one of them, the run is submitted.
 */
#include <arch/timer.h>

#include "internal.h"
#include "writeback.h"

/* ---- the list of all files with a store, and who waits for them ---- */

void mapping_register_writeback(struct mapping *m)
{
	m->wb_users = 0;
	m->nr_dirty = 0;
	m->nr_writeback = 0;
	m->write_error = 0;
	spin_lock(&wb.lock);
	list_add_tail(&m->wb_node, &wb.mappings);
	spin_unlock(&wb.lock);
}

struct progress_waiter {
	struct list_head node;
	struct task *task;
	bool woken;
};

/* What is waited for; asked under wb.lock each time something happened. */
typedef bool (*progress_condition)(void *arg);

/* wb.lock held, dropped for sleeping. */
static void sleep_once(enum park_mode mode)
{
	struct progress_waiter w = { .task = park_self() };

	list_add_tail(&w.node, &wb.waiters);
	spin_unlock(&wb.lock);
	while (!__atomic_load_n(&w.woken, __ATOMIC_ACQUIRE) && !park_interrupted(mode))
		park(mode);
	spin_lock(&wb.lock);
	if (!w.woken)
		list_del(&w.node);
}

/* Returns when the condition holds, or a signal of the mode came. */
static void wait_progress(progress_condition condition, void *arg, enum park_mode mode)
{
	/* Counted before the first look: who changes something later sees the count. */
	atomic_inc(&wb.nr_waiters);
	spin_lock(&wb.lock);
	while (!condition(arg) && !park_interrupted(mode))
		sleep_once(mode);
	spin_unlock(&wb.lock);
	atomic_dec(&wb.nr_waiters);
}

static __noinline void wake_waiters(void)
{
	struct progress_waiter *w, *next;

	spin_lock(&wb.lock);
	list_for_each_entry_safe(w, next, &wb.waiters, node) {
		struct task *task = w->task;

		list_del(&w->node);
		__atomic_store_n(&w->woken, true, __ATOMIC_RELEASE);
		unpark(task);
	}
	spin_unlock(&wb.lock);
}

void writeback_progress(void)
{
	if (unlikely(atomic_read(&wb.nr_waiters)))
		wake_waiters();
}

/* Off the list as soon as nobody who walks it is here: he goes on from here. */
static bool leave_list(void *arg)
{
	struct mapping *m = arg;

	if (m->wb_users)
		return false;
	list_del(&m->wb_node);
	return true;
}

void mapping_unregister_writeback(struct mapping *m)
{
	wait_progress(leave_list, m, PARK_UNINTERRUPTIBLE);
}

/* The mapping after this one (NULL: the first), kept on the list; lets go of this one. */
static struct mapping *next_mapping(struct mapping *m)
{
	struct list_head *node;
	struct mapping *next = NULL;
	bool last_user = false;

	spin_lock(&wb.lock);
	node = m ? m->wb_node.next : wb.mappings.next;
	if (node != &wb.mappings) {
		next = list_entry(node, struct mapping, wb_node);
		next->wb_users++;
	}
	if (m)
		last_user = --m->wb_users == 0;
	spin_unlock(&wb.lock);
	if (last_user)
		writeback_progress();
	return next;
}

#define for_each_store(m) for ((m) = next_mapping(NULL); (m); (m) = next_mapping(m))

/* ---- writing a range ---- */

/* Folios of one size under writeback, one behind the other, not submitted yet. */
struct write_run {
	struct mapping *mapping;
	struct folio *folios[BIO_MAX_PAGES];
	unsigned int n;
	struct unflushed unflushed;
};

static void run_submit(struct write_run *run)
{
	unflushed_flush(&run->unflushed);
	if (run->n)
		run->mapping->ops->write(run->mapping, run->folios, run->n);
	run->n = 0;
}

/* The folio is of the same size as the one that the run ends with, and is the next one. */
static bool goes_on(const struct write_run *run, const struct folio *folio)
{
	const struct folio *last = run->folios[run->n - 1];

	return last->order == folio->order && last->index + folio_nr_pages(last) == folio->index;
}

static void run_add(struct write_run *run, struct folio *folio)
{
	if (run->n == BIO_MAX_PAGES || (run->n && !goes_on(run, folio)))
		run_submit(run);
	run->folios[run->n++] = folio;
}

static struct folio *next_tagged(struct mapping *m, unsigned long *index, unsigned long last,
				 enum xa_tag tag)
{
	struct folio *folio;

	spin_lock(&m->lock);
	folio = mapping_find_tagged(m, index, last, tag);
	if (folio)
		folio_get(folio);
	spin_unlock(&m->lock);
	return folio;
}

/* next_tagged()'s folio is done: to the last of its pages. The reference has kept it from being split. */
static void put_and_skip(struct folio *folio, unsigned long *index)
{
	*index += folio_nr_pages(folio) - 1;
	folio_put(folio);
}

static void write_folio(struct write_run *run, struct folio *folio, bool wait)
{
	struct mapping *m = run->mapping;

	if (!folio_trylock(folio)) {
		run_submit(run);
		folio_lock(folio);
	}
	if (wait && folio_test(folio, PG_writeback)) {
		run_submit(run);
		folio_wait_writeback(folio);
	}
	if (folio->mapping == m && !folio_test(folio, PG_writeback) &&
	    folio_start_write(m, folio, &run->unflushed))
		run_add(run, folio);
	folio_unlock(folio);
}

void filemap_wait_writeback(struct mapping *m, unsigned long first, unsigned long last)
{
	struct folio *folio;

	for (unsigned long i = first; (folio = next_tagged(m, &i, last, TAG_WRITEBACK)); i++) {
		folio_wait_writeback(folio);
		put_and_skip(folio, &i);
		if (i >= last)
			break;
	}
}

unsigned long filemap_writeback(struct mapping *m, unsigned long first, unsigned long last,
				bool wait)
{
	struct write_run run = { .mapping = m };
	unsigned long n = 0;
	struct folio *folio;

	if (!m->ops || !m->ops->write)
		return 0;
	for (unsigned long i = first; (folio = next_tagged(m, &i, last, TAG_DIRTY)); i++) {
		write_folio(&run, folio, wait);
		put_and_skip(folio, &i);
		n++;
		if (i >= last)
			break;
		cond_resched();
	}
	run_submit(&run);
	if (wait)
		filemap_wait_writeback(m, first, last);
	return n;
}

int filemap_sync(struct mapping *m, u64 start, u64 end, u32 *since)
{
	int err = 0, seen = 0;

	if (!(m->flags & MAPPING_WRITEBACK))
		return 0;
	if (start < end)
		filemap_writeback(m, start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT, true);
	if (m->ops->flush)
		err = m->ops->flush(m);
	if (err)
		mapping_set_error(m, err);
	if (since)
		seen = mapping_check_error(m, since);
	return err ? err : seen;
}

void writeback_sync_all(bool wait)
{
	struct mapping *m;

	for_each_store(m)
		filemap_writeback(m, 0, LAST_INDEX, false);
	if (!wait)
		return;
	for_each_store(m)
		(void)filemap_sync(m, 0, ~0ULL, NULL);
}

/* ---- limits ---- */

struct writeback_limits writeback_limits(void)
{
	unsigned long room =
		nr_free_pages() + stat_read(NR_INACTIVE_FILE) + stat_read(NR_ACTIVE_FILE);
	unsigned long hard = room * READ_ONCE(knob_dirty_ratio) / 100;
	unsigned long background = room * READ_ONCE(knob_dirty_background_ratio) / 100;

	return (struct writeback_limits){ min(background, hard / 2), hard };
}

static unsigned long pages_dirty(void)
{
	return stat_read(NR_FILE_DIRTY);
}

static bool below_hard_limit(void *arg __maybe_unused)
{
	return pages_dirty() + stat_read(NR_WRITEBACK) <= writeback_limits().hard;
}

/* Pages that a CPU makes dirty between two looks at the limits. */
#define BALANCE_PAGES 32

static struct {
	unsigned int pages;
} __aligned(64) dirtied[MAX_CPUS];

void count_dirtied(unsigned int pages)
{
	unsigned int *mine = &dirtied[cpu_id()].pages;

	RACY_WRITE(*mine, RACY_READ(*mine) + pages);
}

void balance_dirty(void)
{
	unsigned int *mine = &dirtied[cpu_id()].pages;

	if (likely(RACY_READ(*mine) < BALANCE_PAGES))
		return;
	RACY_WRITE(*mine, 0);
	if (pages_dirty() < writeback_limits().background)
		return;
	writeback_wake(0);
	wait_progress(below_hard_limit, NULL, PARK_KILLABLE);
}

/* ---- the flusher ---- */

void writeback_wake(unsigned long pages)
{
	struct task *task;

	if (pages)
		__atomic_fetch_add(&wb.wanted, pages, __ATOMIC_RELAXED);
	__atomic_store_n(&wb.work, true, __ATOMIC_SEQ_CST);
	task = __atomic_load_n(&wb.flusher, __ATOMIC_SEQ_CST);
	if (task)
		unpark(task);
}

static void wait_for_work(void)
{
	__atomic_store_n(&wb.flusher, park_self(), __ATOMIC_SEQ_CST);
	while (!__atomic_exchange_n(&wb.work, false, __ATOMIC_SEQ_CST))
		park(PARK_UNINTERRUPTIBLE);
	__atomic_store_n(&wb.flusher, NULL, __ATOMIC_SEQ_CST);
}

#define CENTISECOND_NS 10000000ULL

u64 writeback_interval_ns(void)
{
	return READ_ONCE(knob_dirty_writeback_centisecs) * CENTISECOND_NS;
}

/* Is it time for the file's dirty folios? Then they are young again. */
static bool claim_expired(struct mapping *m, bool all)
{
	u64 now = clock_ns(), age = READ_ONCE(knob_dirty_expire_centisecs) * CENTISECOND_NS;
	bool due;

	spin_lock(&m->lock);
	due = m->nr_dirty && (all || now - m->dirtied_ns >= age);
	if (due)
		m->dirtied_ns = now;
	spin_unlock(&m->lock);
	return due;
}

/* Once over all files: those with old folios, or with any. How many folios it came to. */
static unsigned long write_round(bool all)
{
	unsigned long n = 0;
	struct mapping *m;

	for_each_store(m) {
		if (m->ops->revalidate)
			m->ops->revalidate(m);
		if (claim_expired(m, all))
			n += filemap_writeback(m, 0, LAST_INDEX, false);
	}
	return n;
}

void writeback_once(void)
{
	unsigned long wanted, n;

	wait_for_work();
	wanted = __atomic_exchange_n(&wb.wanted, 0, __ATOMIC_RELAXED);
	n = write_round(wanted || pages_dirty() >= writeback_limits().background);
	writeback_progress();
	/* Others made more dirty meanwhile: once more, unless nothing helps. */
	if (n && pages_dirty() >= writeback_limits().background)
		writeback_wake(0);
}

unsigned long writeback_drop_clean(void)
{
	unsigned long n = 0;
	struct mapping *m;

	for_each_store(m)
		n += filemap_drop_clean(m, 0, LAST_INDEX);
	return n;
}
