/* SPDX-License-Identifier: MIT
 *
 * Between the block layer and its drivers. What users of block devices see is kern/block.h.
 */
#ifndef DRIVERS_BLOCK_H
#define DRIVERS_BLOCK_H

#include <kern/block.h>
#include <sync/spinlock.h>

struct inode;

/* A part of a bio that is within the device's limits: whole pages, but at the bio's end. */
struct bio_part {
	struct bio *bio;
	unsigned int first, nr; /* pages */
	u64 pos;		/* bytes on the device */
	unsigned int len;	/* bytes */
};

struct block_ops {
	/* Starts a part, which ends in bio_part_end(). May sleep while there is no room. */
	void (*start)(struct block_device *dev, const struct bio_part *part);
	/* Called by the block layer's thread after block_kick(): looks what has ended. */
	void (*reap)(struct block_device *dev);
};

/* What /proc/diskstats tells of one kind of request. */
struct block_stat {
	u64 requests, sectors, ns;
};

struct block_usage {
	struct block_stat stats[3]; /* by enum bio_op; of those that ended */
	unsigned int in_flight;
	u64 busy_ns; /* with something in flight */
};

/* Lock letters: [I] fixed once registered, [A] atomic, [l] the device's lock, [r] block.c's lock. */
struct block_device {
	char name[8];		     /* [I] */
	u64 rdev;		     /* [I] */
	const struct block_ops *ops; /* [I] */
	unsigned int block_size;     /* [I] bytes; requests start and end at multiples */
	unsigned int max_pages;	     /* [I] of a part */
	bool read_only;		     /* [I] */
	bool flushes;	       /* [I] has a cache that loses its contents: BIO_FLUSH matters */
	u64 size;	       /* [A] bytes */
	struct list_head node; /* [r] in the order of their names */
	struct inode *inode;   /* [I] its page cache: fs/blkdev.c */
	atomic_t openers;      /* [A] open files */
	bool kicked;	       /* [A] block_kick() was called */
	spinlock_t lock;
	struct block_usage usage; /* [l] */
	u64 busy_since_ns;	  /* [l] */
	void *driver;		  /* [I] the driver's */
};

/*
 * Makes a device known: its name, its numbers, its node in /dev. The driver has set ops, block_size, max_pages,
 * read_only, flushes, size and driver; it stays for good. At boot. 0, -ENOMEM, -ENOSPC (16 are enough).
 */
int block_register(struct block_device *dev);
/* The device's size has changed. From reap. */
void block_set_size(struct block_device *dev, u64 size);
/* Any context: calls reap soon. */
void block_kick(struct block_device *dev);
/* A part is done; its bio's end may be called from here. From reap. */
void bio_part_end(struct bio *bio, int error);
/* The same from start: leaves the bio's end to the thread. */
void bio_part_fail(struct bio *bio, int error);

/* A copy of its figures, up to now. */
void block_usage(struct block_device *dev, struct block_usage *u);

/* The device with these numbers, or NULL. */
struct block_device *block_find(u64 rdev);
/* The nth device, or NULL: for lists of all of them. */
struct block_device *block_nth(unsigned int n);

#endif
