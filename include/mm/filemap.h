/* SPDX-License-Identifier: MIT
 *
 * The page cache of one file: folios by page offset, and the vmas that map them.
 *
 * Lock letters: [M] mapping->lock, [R] i_mmap_lock, [I] fixed.
 */
#ifndef MM_FILEMAP_H
#define MM_FILEMAP_H

#include <kern/list.h>
#include <kern/rbtree.h>
#include <kern/xarray.h>
#include <mm/page.h>
#include <sync/rwsem.h>
#include <sync/spinlock.h>

struct file;
struct mapping;
struct vma;

/*
 * The backing store of a file, in runs of at most BIO_MAX_PAGES folios of one size, one behind the other. I/O is started,
 * may end before the call returns, and is never waited for; no spinlock is held. NULL ops: there is no store (tmpfs), and
 * a new folio is zeroes.
 */
struct mapping_ops {
	/* Fills locked folios that are not up to date. Each ends with filemap_end_read(). */
	void (*read)(struct mapping *m, struct folio **folios, unsigned int n);
	/* Writes folios under writeback. Each ends with filemap_end_write(). NULL: read-only. */
	void (*write)(struct mapping *m, struct folio **folios, unsigned int n);
	/* What was written is safe when this returns 0: the device's cache is flushed. -EIO. Sleeps. May be NULL. */
	int (*flush)(struct mapping *m);
	/* The flusher asks now and then, and when woken: the store's size may have changed. Sleeps. May be NULL. */
	void (*revalidate)(struct mapping *m);
};

/*
 * Who wants to know how many vmas map a file: told of each that does from now on, and of each that no longer does, with
 * the open file it goes through. None of them goes by merging. mmap_lock is held, or nobody else is in the address
 * space; may sleep.
 */
struct vma_watch {
	void (*opened)(struct file *f);
	void (*closed)(struct file *f);
};

/*
 * A bound on the pages that the mappings of one filesystem hold together. Adding a folio to a mapping
 * charges its quota and fails with -ENOSPC (a fault: SIGBUS) beyond it; removing one gives back.
 */
struct page_quota {
	atomic_long_t used; /* [A] pages */
	long max;	    /* [A] pages */
};

/*
 * Which files without a store get large folios. Knob thp.shmem says so for memory that no mount shows, option huge= of the
 * mount (the first four) for tmpfs; deny and force are knob values that overrule both. Linux's words, in its order.
 */
enum shmem_huge {
	SHMEM_HUGE_ALWAYS,
	SHMEM_HUGE_WITHIN_SIZE, /* folios that lie within the file, and those of MADV_HUGEPAGE */
	SHMEM_HUGE_ADVISE,	/* faults in areas of MADV_HUGEPAGE */
	SHMEM_HUGE_NEVER,
	SHMEM_HUGE_DENY,
	SHMEM_HUGE_FORCE,
};

/* mapping->flags */
enum {
	MAPPING_SHMEM = 1,	 /* tmpfs, memfd and shared anonymous memory */
	MAPPING_SEALABLE = 2,	 /* seals may come: a memfd that allows them */
	MAPPING_WRITEBACK = 4,	 /* has a store that dirty folios are written to: mm/writeback.h */
	MAPPING_UNEVICTABLE = 8, /* at first; later mapping_set_unevictable() says so */
	MAPPING_SECRET =
		16, /* memfd_secret(): only page tables reach its pages; with UNEVICTABLE */
	MAPPING_PERMANENT =
		32, /* every process maps it, and its pages stay for ever: nobody asks who maps them */
};

struct mapping {
	struct xarray folios; /* [M] */
	spinlock_t lock;
	unsigned int flags; /* [I] MAPPING_* */
	bool unevictable;   /* [A] its pages stay in memory: SHM_LOCK, memfd_secret() */
	u64 size; /* i_size in bytes; written under the inode's lock, read with READ_ONCE */
	const struct mapping_ops *ops; /* [I] may be NULL */
	const struct vma_watch *watch; /* [I] set before the first vma; may be NULL */
	unsigned long committed;       /* [I] pages promised for a shared anonymous object */
	unsigned long
		nr_writable; /* [R] shared vmas that are or may become writable, mmaps under way too */
	bool seal_write; /* [R] F_SEAL_WRITE or F_SEAL_FUTURE_WRITE: no new writable shared vma */
	struct rwsem i_mmap_lock; /* held for writing to add or remove a vma, for reading to walk */
	struct rb_root i_mmap;	  /* [R] vma->i_mmap_node, intervals of page offsets */
	void *host;		  /* [I] the owner: an inode, or NULL */
	void *store;		  /* [I] what ops read from */
	struct page_quota
		*quota; /* [I] set after mapping_init(), before the first folio; NULL: no bound */
	/* MAPPING_SHMEM only: */
	const unsigned long *huge; /* [I] enum shmem_huge of its mount; NULL: one page a folio */
	unsigned long
		nr_swapped; /* [M; READ_ONCE] pages in swap: values in folios are their slots */
	struct list_head swap_node; /* in the list of those that may have such: mm/shmem.c */
	bool swap_listed;	    /* [M] it is in that list */
	/* MAPPING_WRITEBACK only: */
	struct list_head
		wb_node; /* [B] in the list of all such mappings; B is mm/writeback.c's lock */
	unsigned int
		wb_users; /* [B] those who walk the list are at work here: it must not go away */
	unsigned long nr_dirty;	    /* [M] pages of folios tagged dirty */
	unsigned long nr_writeback; /* [M] pages of folios tagged as being written */
	u64 dirtied_ns;		    /* [M] clock_ns() when it had been clean, or was last written */
	u32 write_error;	    /* [A] mm/writeback.h: mapping_check_error() */
};

void mapping_init(struct mapping *m, unsigned int flags, const struct mapping_ops *ops, void *host);
/* Drops all folios; no vma maps it any more. */
void mapping_destroy(struct mapping *m);

/* What a store says at the end, once for each folio; 0 or -errno. From any thread, not from interrupts. */
void filemap_end_read(struct folio *folio, int err);
void filemap_end_write(struct folio *folio, int err);

/*
 * The folio that covers this page offset, with a reference, or NULL. The page is the one at index - folio->index of it.
 * Up to date, unless the file has a store. Takes the mapping's lock; of tmpfs: may sleep, and
 * brings back a page that is in swap; ERR_PTR(-ENOMEM, -EIO) when it cannot be.
 */
struct folio *filemap_get_folio(struct mapping *m, unsigned long index);
/* The byte of the file at pos, which a folio of its has. */
static inline char *folio_byte(const struct folio *folio, u64 pos)
{
	return (char *)folio_address(folio) + (pos - ((u64)folio->index << PAGE_SHIFT));
}
/* Bytes of the folio from there on. */
static inline u64 folio_bytes_from(const struct folio *folio, u64 pos)
{
	return ((u64)(folio->index + folio_nr_pages(folio)) << PAGE_SHIFT) - pos;
}
/*
 * A large folio of zeroes that covers the page, if the file may have such and nothing is there yet: added to the cache,
 * and returned with a reference. NULL: it is to be one page. end: what the file's size will be at least when the caller
 * is done, in bytes. May sleep.
 */
struct folio *filemap_new_large(struct mapping *m, unsigned long index, u64 end);
/*
 * Finds or creates it, as one page; up to date on return, with a reference, not locked. ERR_PTR: -ENOMEM, -EIO,
 * -ENOSPC (quota). Does not look at the size: callers check. May sleep.
 */
struct folio *filemap_grab_folio(struct mapping *m, unsigned long index);
/*
 * Makes a folio the caller allocated and filled (order 0, refcount 1, in no cache) the one at index: up to
 * date, dirty, on the LRU; the cache takes its own reference. A write of a whole page needs no zeroing
 * and no lock that way. 0, -EEXIST (someone was faster), -ENOMEM, -ENOSPC (quota).
 */
int filemap_add_folio(struct mapping *m, struct folio *f, unsigned long index);
/*
 * A tmpfs page that was only allocated: zeroes which nobody wrote or mapped. SEEK_DATA passes over it, and a
 * read fault nearby leaves it alone, so that it stays one.
 */
static inline bool folio_is_hole(const struct folio *f)
{
	const unsigned long data = 1UL << PG_dirty | 1UL << PG_data, shmem = 1UL << PG_swapbacked;

	return (READ_ONCE(f->flags) & (data | shmem)) == shmem;
}
/*
 * Marks a folio written to, after it was. One of a file with a store is written back sooner or later: the caller has
 * its folio lock, or the page-table lock of an entry that maps it writable.
 */
void folio_mark_dirty(struct folio *f);
/*
 * The same for who has only a reference; takes the folio lock. write(2) copies into a folio that is neither locked nor
 * mapped for it, and says so here afterwards.
 */
void folio_mark_dirty_lock(struct folio *f);
/*
 * The last step of reclaim, for files with a store: takes a locked, clean, unmapped folio with exactly the cache's
 * reference and the caller's out of the cache. On true its refcount is 0 and it is the caller's to free.
 */
bool filemap_remove_frozen(struct folio *folio);
/*
 * Migration: new, which is locked, takes the place of old, which is locked, not being written, unmapped and referenced
 * by nobody but the cache and the caller. set_flags() has given it the flags; the caller copies the contents, and says then
 * that it is up to date. False: somebody else has a reference to old.
 */
bool filemap_replace_folio(struct folio *old, struct folio *new,
			   void (*set_flags)(struct folio *new, const struct folio *old));

/*
 * The file becomes newsize bytes long: sets size, unmaps and drops what lies beyond (private copies
 * too), zeroes the tail of the last page. The inode's lock is held. Growing only sets size.
 */
void filemap_truncate(struct mapping *m, u64 newsize);
/* Makes [start, end) bytes a hole: whole pages are unmapped and dropped, edges zeroed. Inode's lock held. */
void filemap_punch_hole(struct mapping *m, u64 start, u64 end);
/* Drops the folios of page offsets [first, last] that are holes: folio_is_hole(). Inode's lock held. May sleep. */
void filemap_drop_holes(struct mapping *m, unsigned long first, unsigned long last);
/*
 * Its pages are to stay in memory from now on, or no longer. Those that are on an evictable list stay there until
 * reclaim meets them. Where they may go again, mapping_rescue() brings back those that had been taken off.
 */
static inline void mapping_set_unevictable(struct mapping *m, bool unevictable)
{
	WRITE_ONCE(m->unevictable, unevictable);
}
static inline bool mapping_unevictable(const struct mapping *m)
{
	return READ_ONCE(m->unevictable);
}
/*
 * The kernel keeps the page for ever, with a reference: from now on reclaim never looks at it, and /proc does not count it
 * among those that it might.
 */
void folio_leave_lru(struct folio *folio);
/* Looks at all its pages, and puts those that are unevictable for no reason any more on their lists. May sleep. */
void mapping_rescue(struct mapping *m);
/* Promises memory for all pages of the object, as long as it lives. Once, before others see it. 0 or -ENOMEM. */
int mapping_commit(struct mapping *m, unsigned long pages);
/* Pages cached, for stat's st_blocks and the like. */
unsigned long mapping_nr_pages(struct mapping *m);

/*
 * A mapping for a MAP_SHARED|MAP_ANONYMOUS area, wrapped in a file so that /proc shows
 * "/dev/zero (deleted)". Provided by fs/tmpfs.c. ERR_PTR on failure.
 */
struct file *shmem_file_setup(const char *name, u64 size);
/* What a file lets a mapping do. */
struct file_mmap {
	struct mapping *mapping; /* NULL: private mappings are anonymous (/dev/zero) */
	bool readable, writable; /* how the file was opened */
	bool noexec;		 /* its mount allows no execution */
};
/*
 * Answered by fs/. 0, or -ENODEV when the file cannot be mapped: out says all but the mapping even so.
 * Takes no reference.
 */
int file_mmap_info(struct file *f, struct file_mmap *out);
/* fsync() of bytes [start, end) for msync(). Answered by fs/. 0 or -errno. No mm lock held. */
int file_sync_range(struct file *f, u64 start, u64 end);
/* fallocate(PUNCH_HOLE | KEEP_SIZE) for MADV_REMOVE. Answered by fs/. 0 or -errno. No mm lock held. */
int file_punch_hole(struct file *f, u64 start, u64 len);

#endif
