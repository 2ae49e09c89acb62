/* SPDX-License-Identifier: MIT
 *
 * A block device as a file: the backing store of its page cache is the device, byte for byte. Runs of folios of one
 * size become requests of up to BIO_MAX_PAGES folios.
 *
 * A device may have become smaller than its file. Folios that lie beyond its end are not asked of it: they end with
 * -EIO, and so does the part of a run that does. The flusher, and nobody else, then makes the file as small.
 */
#include "internal.h"
#include "writeback.h"

struct block_device *mapping_block_device(const struct mapping *m)
{
	return m->store;
}

static void end_folio(enum bio_op op, struct folio *folio, int err)
{
	if (op == BIO_READ)
		filemap_end_read(folio, err);
	else
		filemap_end_write(folio, err);
}

static void end_bio(struct bio *bio)
{
	unsigned int last = (bio->nr_pages - 1) >> bio->order;

	for (unsigned int i = 0; i <= last; i++)
		end_folio(bio->op, page_folio(bio->pages[i]), bio->error);
	bio_free(bio);
}

/* How many bytes of so many pages the device has now. */
static unsigned int bytes_there(const struct block_device *dev, u64 pos, unsigned int pages)
{
	u64 size = block_device_size(dev);

	return pos < size ? (unsigned int)min((u64)pages * PAGE_SIZE, size - pos) : 0;
}

/*
 * The device has become so small that it ends within the last of n large folios, len bytes from their start. What it still
 * has of that one is written, and the rest lost; it is not read, but its pages are then, one by one. How many folios remain.
 */
static unsigned int cut_last(struct mapping *m, enum bio_op op, unsigned int n, unsigned int order,
			     unsigned int *len)
{
	if (op == BIO_WRITE) {
		mapping_set_error(m, -EIO);
		return n;
	}
	*len = (unsigned int)(((n - 1) << order) * PAGE_SIZE);
	return n - 1;
}

/* Behind the device's end, which is len bytes from the start of the folios, the last page is zeroes. */
static void zero_last(struct folio *last, unsigned int len, unsigned int before)
{
	memset((char *)folio_address(last) + (len - before), 0, PAGE_ALIGN(len) - len);
}

static void submit(struct mapping *m, struct folio **folios, unsigned int n, enum bio_op op)
{
	u64 pos = (u64)folios[0]->index << PAGE_SHIFT;
	unsigned int order = folios[0]->order, size = (unsigned int)PAGE_SIZE << order;
	unsigned int len = bytes_there(m->store, pos, n << order);
	unsigned int there = ALIGN_UP(len, size) / size;
	struct bio *bio;

	if (unlikely(there * size - len >= PAGE_SIZE))
		there = cut_last(m, op, there, order, &len);
	for (unsigned int i = there; i < n; i++)
		end_folio(op, folios[i], -EIO);
	if (!there)
		return;
	if (op == BIO_READ && len % PAGE_SIZE)
		zero_last(folios[there - 1], len, (there - 1) * size);
	bio = bio_alloc();
	bio->dev = m->store;
	bio->op = op;
	bio->pos = pos;
	bio->len = len;
	bio->nr_pages = PAGE_ALIGN(len) >> PAGE_SHIFT;
	bio->order = (u8)order;
	for (unsigned int i = 0; i < there; i++)
		bio->pages[i] = &folios[i]->page;
	bio->end = end_bio;
	bio_submit(bio);
}

static void block_read(struct mapping *m, struct folio **folios, unsigned int n)
{
	submit(m, folios, n, BIO_READ);
}

static void block_write(struct mapping *m, struct folio **folios, unsigned int n)
{
	submit(m, folios, n, BIO_WRITE);
}

static int block_flush(struct mapping *m)
{
	struct bio *bio = bio_alloc();
	int err;

	bio->dev = m->store;
	bio->op = BIO_FLUSH;
	err = bio_submit_wait(bio);
	bio_free(bio);
	return err;
}

/* What is beyond the device's end leaves the cache and all address spaces; what was dirty of it is lost. */
static void block_revalidate(struct mapping *m)
{
	u64 size = block_device_size(m->store);
	unsigned long i = PAGE_ALIGN(size) >> PAGE_SHIFT;
	bool lost;

	if (likely(size == READ_ONCE(m->size)))
		return;
	spin_lock(&m->lock);
	lost = mapping_find_tagged(m, &i, LAST_INDEX, TAG_DIRTY);
	spin_unlock(&m->lock);
	if (lost)
		mapping_set_error(m, -EIO);
	filemap_truncate(m, size);
}

static const struct mapping_ops block_mapping_ops = {
	.read = block_read,
	.write = block_write,
	.flush = block_flush,
	.revalidate = block_revalidate,
};

void block_mapping_init(struct mapping *m, struct block_device *dev, void *host)
{
	mapping_init(m, MAPPING_WRITEBACK, &block_mapping_ops, host);
	m->store = dev;
	m->size = block_device_size(dev);
}
