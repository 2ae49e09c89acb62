/* SPDX-License-Identifier: MIT
 *
 * The block layer: between those who have pages to read and write, and the drivers.
 *
 * A bio is checked, cut into parts when it is larger than the device takes, and given to the driver in its
 * submitter's context. What comes back is handled by one thread for all devices, which the interrupts wake:
 * ends of bios run there, where they may take sleeping locks. So nothing that a bio's end waits for may wait
 * for I/O.
 *
 * Reclaim writes pages to have memory, so I/O must not need memory: drivers have all they need from the start,
 * and of bios there is a reserve. Who waits for one of it waits for I/O that is under way, since nobody holds
 * more than one that is not.
 */
#include <arch/timer.h>
#include <drivers/block.h>
#include <fs/blkdev.h>
#include <kern/printf.h>
#include <kern/printk.h>
#include <kern/string.h>
#include <kernel/task.h>
#include <kernel/wait.h>
#include <mm/slab.h>
#include <uapi/errno.h>

#define BLOCK_MAJOR 254 /* Linux's first dynamic number, which its virtio disks get */
#define MINORS_PER_DISK 16
#define MAX_DISKS 16
#define NR_RESERVED 32

static struct kmem_cache *bio_cache; /* [I] once there is a device */

static spinlock_t lock = SPINLOCK_INIT;
static struct list_head devices = LIST_HEAD_INIT(devices); /* [lock] to add; none is ever removed */
static unsigned int nr_devices;				   /* [lock] */
static struct list_head failed = LIST_HEAD_INIT(failed);   /* [lock] bios for the thread to end */
static struct wait_queue thread_wait = WAIT_QUEUE_INIT(thread_wait);

static struct {
	spinlock_t lock;
	struct list_head bios; /* [lock] */
	unsigned int nr;       /* [lock] */
	struct wait_queue wait;
} reserve = { SPINLOCK_INIT, LIST_HEAD_INIT(reserve.bios), 0, WAIT_QUEUE_INIT(reserve.wait) };

/* ---- bios ---- */

static struct bio *take_reserved(void)
{
	struct bio *bio = NULL;

	spin_lock(&reserve.lock);
	if (!list_empty(&reserve.bios)) {
		bio = list_first_entry(&reserve.bios, struct bio, node);
		list_del(&bio->node);
		WRITE_ONCE(reserve.nr, reserve.nr - 1);
	}
	spin_unlock(&reserve.lock);
	return bio;
}

struct bio *bio_alloc(void)
{
	/* Not GFP_KERNEL, which may come back here for reclaim. */
	struct bio *bio = kmem_cache_alloc(bio_cache, GFP_ATOMIC);

	while (unlikely(!bio)) {
		wait_event(&reserve.wait, READ_ONCE(reserve.nr) > 0);
		bio = take_reserved();
	}
	memset(bio, 0, sizeof(*bio));
	return bio;
}

void bio_free(struct bio *bio)
{
	bool kept;

	spin_lock(&reserve.lock);
	kept = reserve.nr < NR_RESERVED;
	if (unlikely(kept)) {
		list_add(&bio->node, &reserve.bios);
		WRITE_ONCE(reserve.nr, reserve.nr + 1);
	}
	spin_unlock(&reserve.lock);
	if (unlikely(kept))
		wake_up(&reserve.wait);
	else
		kmem_cache_free(bio_cache, bio);
}

/* ---- statistics ---- */

static void account_start(struct block_device *dev, struct bio *bio)
{
	bio->started_ns = clock_ns();
	spin_lock(&dev->lock);
	if (dev->usage.in_flight++ == 0)
		dev->busy_since_ns = bio->started_ns;
	spin_unlock(&dev->lock);
}

static void account_end(struct block_device *dev, const struct bio *bio)
{
	struct block_stat *s = &dev->usage.stats[bio->op];
	u64 now = clock_ns();

	spin_lock(&dev->lock);
	s->requests++;
	s->sectors += bio->len / SECTOR_SIZE;
	s->ns += now - bio->started_ns;
	if (--dev->usage.in_flight == 0)
		dev->usage.busy_ns += now - dev->busy_since_ns;
	spin_unlock(&dev->lock);
}

void block_usage(struct block_device *dev, struct block_usage *u)
{
	spin_lock(&dev->lock);
	*u = dev->usage;
	if (u->in_flight)
		u->busy_ns += clock_ns() - dev->busy_since_ns;
	spin_unlock(&dev->lock);
}

/* ---- submitting ---- */

u64 block_device_size(const struct block_device *dev)
{
	return READ_ONCE(dev->size);
}

static int check(const struct block_device *dev, const struct bio *bio)
{
	u64 size = block_device_size(dev);

	if (bio->op == BIO_FLUSH)
		return 0;
	if (bio->op == BIO_WRITE && dev->read_only)
		return -EIO;
	if (!bio->len || !IS_ALIGNED(bio->pos | bio->len, (u64)dev->block_size))
		return -EIO;
	if (bio->nr_pages > BIO_MAX_PAGES << bio->order ||
	    bio->nr_pages != ALIGN_UP(bio->len, (unsigned int)PAGE_SIZE) / PAGE_SIZE)
		return -EIO;
	return bio->pos > size || bio->len > size - bio->pos ? -EIO : 0;
}

static void end_bio(struct bio *bio)
{
	account_end(bio->dev, bio);
	bio->end(bio);
}

/* The last part to end ends the bio; the first error is the bio's. True: this was the last. */
static bool part_done(struct bio *bio, int error)
{
	int none = 0;

	if (error)
		(void)__atomic_compare_exchange_n(&bio->error, &none, error, false,
						  __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	return atomic_dec_and_test(&bio->parts);
}

void bio_part_end(struct bio *bio, int error)
{
	if (part_done(bio, error))
		end_bio(bio);
}

void bio_part_fail(struct bio *bio, int error)
{
	if (!part_done(bio, error))
		return;
	spin_lock(&lock);
	list_add_tail(&bio->node, &failed);
	spin_unlock(&lock);
	wake_up(&thread_wait);
}

static void start_parts(struct block_device *dev, struct bio *bio)
{
	struct bio_part p = { .bio = bio, .pos = bio->pos };
	unsigned int left = bio->len, pages = bio->nr_pages;

	/* The bio may be gone as soon as its last part has been started. */
	for (; pages; pages -= p.nr) {
		p.nr = min(pages, dev->max_pages);
		p.len = min(left, p.nr * (unsigned int)PAGE_SIZE);
		dev->ops->start(dev, &p);
		p.first += p.nr;
		p.pos += p.len;
		left -= p.len;
	}
}

void bio_submit(struct bio *bio)
{
	struct block_device *dev = bio->dev;
	bool nothing_to_do = bio->op == BIO_FLUSH && !dev->flushes;
	struct bio_part flush = { .bio = bio };
	int err = check(dev, bio);

	bio->error = 0;
	account_start(dev, bio);
	if (err || nothing_to_do || bio->op == BIO_FLUSH) {
		atomic_set(&bio->parts, 1);
		if (err || nothing_to_do)
			bio_part_fail(bio, err);
		else
			dev->ops->start(dev, &flush);
		return;
	}
	atomic_set(&bio->parts, (int)((bio->nr_pages + dev->max_pages - 1) / dev->max_pages));
	start_parts(dev, bio);
}

static void wake_submitter(struct bio *bio)
{
	complete(bio->private);
}

int bio_submit_wait(struct bio *bio)
{
	struct completion done;

	completion_init(&done);
	bio->end = wake_submitter;
	bio->private = &done;
	bio_submit(bio);
	(void)wait_for_completion(&done, PARK_UNINTERRUPTIBLE);
	return bio->error;
}

/* ---- the thread ---- */

void block_kick(struct block_device *dev)
{
	__atomic_store_n(&dev->kicked, true, __ATOMIC_RELEASE);
	wake_up(&thread_wait);
}

static bool any_work(void)
{
	struct block_device *dev;

	list_for_each_entry(dev, &devices, node)
		if (__atomic_load_n(&dev->kicked, __ATOMIC_ACQUIRE))
			return true;
	return !list_empty(&failed);
}

static struct bio *next_failed(void)
{
	struct bio *bio = NULL;

	spin_lock(&lock);
	if (!list_empty(&failed)) {
		bio = list_first_entry(&failed, struct bio, node);
		list_del(&bio->node);
	}
	spin_unlock(&lock);
	return bio;
}

static void block_thread(void *arg)
{
	struct block_device *dev;
	struct bio *bio;

	(void)arg;
	for (;;) {
		wait_event(&thread_wait, any_work());
		list_for_each_entry(dev, &devices, node)
			if (__atomic_exchange_n(&dev->kicked, false, __ATOMIC_ACQ_REL))
				dev->ops->reap(dev);
		while ((bio = next_failed()))
			end_bio(bio);
	}
}

/* ---- devices ---- */

/* What the first device needs. 0 or -ENOMEM. */
static int set_up(void)
{
	struct task *t;

	bio_cache = kmem_cache_create("bio", sizeof(struct bio), 0);
	for (unsigned int i = 0; i < NR_RESERVED; i++) {
		struct bio *bio = kmem_cache_alloc(bio_cache, GFP_KERNEL);

		if (!bio)
			return -ENOMEM;
		bio_free(bio);
	}
	t = kernel_thread(block_thread, NULL, "kblockd");
	return IS_ERR(t) ? -ENOMEM : 0;
}

int block_register(struct block_device *dev)
{
	unsigned int n = nr_devices;
	int err = n == 0 ? set_up() : 0;

	if (err)
		return err;
	if (n == MAX_DISKS)
		return -ENOSPC;
	(void)scnprintf(dev->name, sizeof(dev->name), "vd%c", 'a' + n);
	dev->rdev = MKDEV(BLOCK_MAJOR, MINORS_PER_DISK * n);
	spin_lock_init(&dev->lock);
	err = blkdev_create(dev);
	if (err)
		return err;
	spin_lock(&lock);
	list_add_tail(&dev->node, &devices);
	WRITE_ONCE(nr_devices, n + 1);
	spin_unlock(&lock);
	pr_info("%s: %lu MiB%s", dev->name, block_device_size(dev) >> 20,
		dev->read_only ? ", read-only" : "");
	return 0;
}

void block_set_size(struct block_device *dev, u64 size)
{
	u64 old = block_device_size(dev);

	if (size == old)
		return;
	pr_warn("%s: size changes from %lu to %lu bytes", dev->name, old, size);
	WRITE_ONCE(dev->size, size);
	blkdev_resized(dev);
}

struct block_device *block_nth(unsigned int n)
{
	struct block_device *dev;

	if (n >= READ_ONCE(nr_devices))
		return NULL;
	list_for_each_entry(dev, &devices, node)
		if (n-- == 0)
			return dev;
	return NULL;
}

struct block_device *block_find(u64 rdev)
{
	struct block_device *dev;

	for (unsigned int n = 0; (dev = block_nth(n)); n++)
		if (dev->rdev == rdev)
			return dev;
	return NULL;
}
