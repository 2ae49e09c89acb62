/* SPDX-License-Identifier: MIT
 *
 * Shared by dirty.c, writeback.c, readahead.c and filemap.c: the insides of files with a backing store.
 */
#ifndef MM_WRITEBACK_INTERNAL_H
#define MM_WRITEBACK_INTERNAL_H

#include <mm/rmap.h>
#include <mm/writeback.h>

#define TAG_DIRTY XA_TAG_0
#define TAG_WRITEBACK XA_TAG_1

#define LAST_INDEX (~0UL >> PAGE_SHIFT)

/* ---- filemap.c ---- */

/* Puts a new folio into the cache; its caller's reference stays the caller's. 0, -EEXIST, -ENOMEM, -ENOSPC. */
int filemap_insert(struct mapping *m, struct folio *folio, unsigned long index);

static inline unsigned long mapping_pages(const struct mapping *m)
{
	return (READ_ONCE(m->size) + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

/* ---- truncate.c ---- */

/* Takes a folio that could not be read, and is locked, out of the cache. */
void filemap_drop_unread(struct mapping *m, struct folio *folio);

/* ---- readahead.c ---- */

/*
 * A fault misses the page, or comes to a marker: starts reading. The first returns the folio, with a reference, which may
 * not be read yet; NULL: no memory. mmap_lock held.
 */
struct folio *fault_readahead(struct vma *vma, unsigned long index);
void fault_readahead_marker(struct vma *vma, struct folio *folio, unsigned long index);
/* Waits until the folio is read, reading it again if that failed before. 0, -EIO, -EINTR; or -EAGAIN: not m's any more. */
int filemap_wait_read(struct mapping *m, struct folio *folio);

/* ---- dirty.c ---- */

extern struct writeback {
	spinlock_t lock;
	struct list_head mappings; /* [lock] mapping->wb_node */
	struct list_head waiters;  /* [lock] for progress of any kind */
	atomic_t nr_waiters;	   /* [A] */
	unsigned long wanted;	   /* [A] pages that reclaim wants clean */
	bool work;		   /* [A] the flusher was woken */
	struct task *flusher;	   /* [A] while it sleeps */
} wb;

/*
 * The first folio with the tag that has a page of [*index, last]; *index becomes the index of its first one. NULL: none.
 * The mapping's lock held.
 */
void *mapping_find_tagged(struct mapping *m, unsigned long *index, unsigned long last,
			  enum xa_tag tag);
/* folio_mark_dirty() of one that is neither dirty nor tmpfs's nor anonymous. */
void folio_mark_dirty_slow(struct folio *folio);
/* Not dirty any more, for whatever reason. The mapping's lock held. */
void mapping_clear_dirty(struct mapping *m, struct folio *folio);
/*
 * From dirty to writeback: entries lose their write right, PG_dirty and the tag go, PG_writeback comes. Folio lock held,
 * not under writeback. The caller unlocks, then hands it to the store. False: there is nothing to write.
 */
bool folio_start_write(struct mapping *m, struct folio *folio, struct unflushed *u);

/* ---- writeback.c ---- */

struct writeback_limits {
	unsigned long background,
		hard; /* dirty pages: from here on the flusher writes, writers wait */
};
struct writeback_limits writeback_limits(void);
/* So many pages were made dirty: balance_dirty() is due all the sooner. */
void count_dirtied(unsigned int pages);
/* Something was written, or is known to be as clean as it will get: waiters look again. */
void writeback_progress(void);
void writeback_init(void);
void mapping_register_writeback(struct mapping *m);
/* Waits for those who walk the list and are at work in it. */
void mapping_unregister_writeback(struct mapping *m);

#endif
