/* SPDX-License-Identifier: MIT
 *
 * A block device in the host's memory: requests are done at once, in the caller's thread.
 */
#include "sim.h"
#include "sim_host.h"

struct block_device {
	u64 size;
	bool fails_reads, fails_writes;
	unsigned char *data;
};

struct block_device *sim_block_create(u64 size)
{
	struct block_device *dev = host_alloc(sizeof(*dev));

	*dev = (struct block_device){ .size = size, .data = host_alloc(size) };
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

u64 block_device_size(const struct block_device *dev)
{
	return dev->size;
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

static int transfer(struct bio *bio)
{
	struct block_device *dev = bio->dev;
	u64 pos = bio->pos;

	if (bio->op == BIO_FLUSH)
		return 0;
	if (pos > dev->size || bio->len > dev->size - pos)
		return -EIO;
	if (bio->op == BIO_READ ? dev->fails_reads : dev->fails_writes)
		return -EIO;
	for (unsigned int i = 0, left = bio->len; i < bio->nr_pages; i++) {
		unsigned int n = min(left, (unsigned int)PAGE_SIZE);
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

void bio_submit(struct bio *bio)
{
	bio->error = transfer(bio);
	bio->end(bio);
}

int bio_submit_wait(struct bio *bio)
{
	bio->error = transfer(bio);
	return bio->error;
}
