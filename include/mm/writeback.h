/* SPDX-License-Identifier: MIT
 *
 * Files with a backing store (MAPPING_WRITEBACK): read ahead of need, written back behind the writers' backs.
 * docs/pagecache.md has the picture.
 */
#ifndef MM_WRITEBACK_H
#define MM_WRITEBACK_H

#include <kern/block.h>
#include <mm/filemap.h>

/* ---- a block device as a file: mm/block_mapping.c ---- */

/*
 * A mapping whose byte 0 is byte 0 of the device, which stays open as long as the mapping exists. host as
 * mapping_init(). When the device changes its size, writeback_wake(0): the flusher takes the new one over. What lies
 * beyond a new end leaves the cache and all address spaces; what was dirty of it is lost, and remembered as -EIO.
 */
void block_mapping_init(struct mapping *m, struct block_device *dev, void *host);
struct block_device *mapping_block_device(const struct mapping *m);

/* ---- reading: mm/readahead.c ---- */

/*
 * Where an open file is read, to guess what comes next. Zeroes are a new file's. Threads that share the file may
 * overwrite each other's guesses; no harm comes of it.
 */
struct file_ra {
	unsigned long start; /* pages: the window that was read last */
	unsigned int size;   /* of it, pages; 0: none */
	unsigned int async;  /* reaching the last so many pages of it starts the next window */
	unsigned long prev;  /* the page read last, + 1 */
	unsigned int how;    /* [A] RA_* */
};

enum { RA_NORMAL, RA_RANDOM, RA_SEQUENTIAL }; /* posix_fadvise() */

/* The state of an open file. Answered by fs/. */
struct file_ra *file_readahead_state(struct file *f);
/*
 * The folio at index, up to date, with a reference, not locked; want pages from there are going to be read. Reads
 * ahead. ERR_PTR: -EIO, -ENOMEM, -EINTR (killed while it waited). Does not look at the size: callers check. ra NULL:
 * that page alone.
 */
struct folio *filemap_read_folio(struct mapping *m, struct file_ra *ra, unsigned long index,
				 unsigned long want);
/*
 * Starts reading [first, first + n) as far as the cache lacks it and the file goes, and in all no more than half of the
 * free memory: WILLNEED, readahead(2).
 */
void filemap_willneed(struct mapping *m, unsigned long first, unsigned long n);

/* ---- writing: mm/writeback.c ---- */

/*
 * Makes all of a folio that the caller allocated and filled (order 0, refcount 1, in no cache) the contents at index:
 * it joins the cache, or is copied over the one that is there. Dirty; nothing is read. 0, -ENOMEM.
 */
int filemap_overwrite(struct mapping *m, struct folio *folio, unsigned long index);

/*
 * Starts writing what is dirty in [first, last] (page offsets), in order. wait: also what is being written already is
 * written again if it is dirty, and the call returns when all is written. How many dirty folios it came to. Errors of
 * the store: mapping_check_error().
 */
unsigned long filemap_writeback(struct mapping *m, unsigned long first, unsigned long last,
				bool wait);
/* Waits for what is being written. */
void filemap_wait_writeback(struct mapping *m, unsigned long first, unsigned long last);
/*
 * Bytes [start, end) are safe when it returns 0: written, the device flushed. *since: an error that came after it
 * is returned, once (fsync, msync). NULL: only errors of the flush.
 */
int filemap_sync(struct mapping *m, u64 start, u64 end, u32 *since);
/* Every file with a store: sync(2). wait: and the devices flushed. */
void writeback_sync_all(bool wait);

/*
 * Errors of writing are remembered by the mapping and told once to each open file that was open when they came.
 * sample: what a new file starts with: an error that nobody has seen yet is told to it, too. check: 0, or the latest
 * error after *since, which moves on.
 */
void mapping_set_error(struct mapping *m, int err);
u32 mapping_sample_error(const struct mapping *m);
int mapping_check_error(struct mapping *m, u32 *since);

/* Drops clean folios that nothing maps from [first, last]: how many. DONTNEED, drop_caches, BLKFLSBUF. */
unsigned long filemap_drop_clean(struct mapping *m, unsigned long first, unsigned long last);
/* The same for every file with a store. */
unsigned long writeback_drop_clean(void);

/*
 * A writer made pages dirty: wakes the flusher above vm.dirty_background_ratio, waits for it above vm.dirty_ratio. No lock
 * held but an inode's. Returns early when the caller is killed.
 */
void balance_dirty(void);

/*
 * The flusher. wake: any context; pages: at least so many are wanted clean (reclaim), 0: what is due. once: the body
 * of its thread's loop: sleeps until woken, writes, returns. interval: ns between the wakes that a timer makes; 0: none.
 */
void writeback_wake(unsigned long pages);
void writeback_once(void);
u64 writeback_interval_ns(void);

#endif
