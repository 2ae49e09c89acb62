/* SPDX-License-Identifier: MIT
 *
 * Block devices, as the page cache and swap see them: requests of whole pages, or whole folios, go in, and come back later,
 * in any order. drivers/block.c answers in the kernel, tests/host/sim on the host.
 */
#ifndef KERN_BLOCK_H
#define KERN_BLOCK_H

#include <kern/atomic.h>
#include <kern/list.h>
#include <kern/types.h>

#define SECTOR_SIZE 512UL
#define BIO_MAX_PAGES 32u

struct page;
struct block_device;

enum bio_op { BIO_READ, BIO_WRITE, BIO_FLUSH };

/* One request: pages that are consecutive on the device, anywhere in memory. */
struct bio {
	struct list_head node;	  /* whoever has it at the moment */
	struct block_device *dev; /* its users keep it open */
	enum bio_op op;
	u64 pos;	  /* bytes, a multiple of SECTOR_SIZE */
	unsigned int len; /* bytes; all pages are full but, at the device's end, the last */
	unsigned int nr_pages;
	u8 order; /* each of pages[] is the first of 2^order frames in a row; nr_pages counts all */
	struct page *pages[BIO_MAX_PAGES];
	int error; /* at the end: 0 or -errno */
	/*
	 * Called once when all is done, by a thread of the block layer: may take sleeping locks for short and wake,
	 * must not allocate or wait for other I/O. Frees the bio.
	 */
	void (*end)(struct bio *bio);
	void *private; /* end's */

	/* ---- the block layer's ---- */
	u64 started_ns;
	atomic_t parts; /* of a bio beyond the device's limits; those still under way */
};

/*
 * A zeroed bio. Never fails: waits for one of a reserve to come back when memory has run out, so hold no
 * more than one that is not submitted. May sleep, does not reclaim.
 */
struct bio *bio_alloc(void);
void bio_free(struct bio *bio);
/* Starts it; may sleep while the device's queue is full. Beyond the device's end: -EIO, by end(). */
void bio_submit(struct bio *bio);
/* The same, and waits: bio->error. end and private are this function's; the caller frees. */
int bio_submit_wait(struct bio *bio);

/* Bytes. May shrink while one looks. */
u64 block_device_size(const struct block_device *dev);

#endif
