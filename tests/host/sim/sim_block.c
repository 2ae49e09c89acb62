/* SPDX-License-Identifier: MIT
 *
 * A block device in the host's memory: requests are done at once, in the caller's thread, or by a thread of the test's
 * that serves the device.
 */
#include "sim.h"
#include "sim_host.h"

struct block_device {
	u64 size;
	bool fails_reads, fails_writes;
	u64 bad_page; /* in which reading fails; 0: none */
	unsigned char *data;
	struct sim_block_counts counts; /* [lock] */
	spinlock_t lock;
	struct list_head queue; /* [lock] of the server */
	struct task *server;	/* [lock] NULL: requests are done at once */
	bool stop;		/* [lock] the server is to go */
	unsigned int taken;	/* [lock] requests that the server took */
};

struct block_device *sim_block_create(u64 size)
{
	struct block_device *dev = host_alloc(sizeof(*dev));

	*dev = (struct block_device){ .size = size, .data = host_alloc(size) };
	spin_lock_init(&dev->lock);
	INIT_LIST_HEAD(&dev->queue);
	return dev;
}

void sim_block_destroy(struct block_device *dev)
{
	host_free(dev->data);
	host_free(dev);
}

void *sim_block_data(struct block_device *dev)
{
	return dev->data;
}

void sim_block_fail(struct block_device *dev, bool reads, bool writes)
{
	dev->fails_reads = reads;
	dev->fails_writes = writes;
}

void sim_block_fail_page(struct block_device *dev, u64 page)
{
	dev->bad_page = page;
}

void sim_block_resize(struct block_device *dev, u64 size)
{
	WRITE_ONCE(dev->size, size);
}

struct sim_block_counts sim_block_counts(struct block_device *dev)
{
	struct sim_block_counts counts;

	spin_lock(&dev->lock);
	counts = dev->counts;
	dev->counts = (struct sim_block_counts){ 0 };
	spin_unlock(&dev->lock);
	return counts;
}

u64 block_device_size(const struct block_device *dev)
{
	return READ_ONCE(dev->size);
}

struct bio *bio_alloc(void)
{
	struct bio *bio = host_alloc(sizeof(*bio));

	memset(bio, 0, sizeof(*bio));
	return bio;
}

void bio_free(struct bio *bio)
{
	host_free(bio);
}

static bool is_bad(const struct block_device *dev, const struct bio *bio)
{
	u64 bad = dev->bad_page * PAGE_SIZE;

	if (bio->op != BIO_READ)
		return dev->fails_writes;
	return dev->fails_reads || (bad && bio->pos <= bad && bad < bio->pos + bio->len);
}

static int transfer(struct bio *bio)
{
	struct block_device *dev = bio->dev;
	u64 pos = bio->pos;

	if (bio->op == BIO_FLUSH)
		return 0;
	if (pos > block_device_size(dev) || bio->len > block_device_size(dev) - pos)
		return -EIO;
	if (is_bad(dev, bio))
		return -EIO;
	for (unsigned int i = 0, left = bio->len; left; i++) {
		unsigned int n = min(left, (unsigned int)PAGE_SIZE << bio->order);
		void *page = page_address(bio->pages[i]);

		if (bio->op == BIO_READ)
			memcpy(page, dev->data + pos, n);
		else
			memcpy(dev->data + pos, page, n);
		pos += n;
		left -= n;
	}
	return 0;
}

static void count(struct block_device *dev, const struct bio *bio)
{
	dev->counts.requests[bio->op]++;
	dev->counts.pages[bio->op] += bio->nr_pages;
}

static void finish(struct bio *bio)
{
	bio->error = transfer(bio);
	bio->end(bio);
}

void bio_submit(struct bio *bio)
{
	struct block_device *dev = bio->dev;
	bool served;

	spin_lock(&dev->lock);
	count(dev, bio);
	served = dev->server;
	if (served) {
		list_add(&bio->node, &dev->queue);
		unpark(dev->server);
	}
	spin_unlock(&dev->lock);
	if (!served)
		finish(bio);
}

struct wait_for_bio {
	struct task *task;
	bool done;
};

static void end_wait(struct bio *bio)
{
	struct wait_for_bio *w = bio->private;
	struct task *task = w->task;

	__atomic_store_n(&w->done, true, __ATOMIC_RELEASE);
	unpark(task);
}

int bio_submit_wait(struct bio *bio)
{
	struct wait_for_bio w = { .task = park_self() };

	bio->private = &w;
	bio->end = end_wait;
	bio_submit(bio);
	while (!__atomic_load_n(&w.done, __ATOMIC_ACQUIRE))
		park(PARK_UNINTERRUPTIBLE);
	return bio->error;
}

/* Of so many requests one is the oldest: else those who read ahead keep it waiting as long as they run. */
#define OLDEST_EVERY 4

/* The newest request as a rule, or NULL: nobody may count on their order. */
static struct bio *take(struct block_device *dev, bool *stop)
{
	struct bio *bio = NULL;

	spin_lock(&dev->lock);
	*stop = dev->stop;
	if (!list_empty(&dev->queue)) {
		bio = dev->taken++ % OLDEST_EVERY ? list_first_entry(&dev->queue, struct bio, node)
						  : list_last_entry(&dev->queue, struct bio, node);
		list_del(&bio->node);
	} else if (*stop) {
		dev->server = NULL;
		dev->stop = false;
	}
	spin_unlock(&dev->lock);
	return bio;
}

void sim_block_begin_serving(struct block_device *dev)
{
	spin_lock(&dev->lock);
	dev->server = park_self();
	spin_unlock(&dev->lock);
}

/* A request takes its time, so that others come meanwhile. */
#define SERVE_YIELDS 20

void sim_block_serve(struct block_device *dev)
{
	struct bio *bio;
	bool stop;

	do {
		bio = take(dev, &stop);
		for (unsigned int i = 0; bio && i < SERVE_YIELDS; i++)
			host_yield();
		if (bio)
			finish(bio);
		else if (!stop)
			park(PARK_UNINTERRUPTIBLE);
	} while (bio || !stop);
}

void sim_block_stop_serving(struct block_device *dev)
{
	spin_lock(&dev->lock);
	dev->stop = true;
	unpark(dev->server);
	spin_unlock(&dev->lock);
}
