/* SPDX-License-Identifier: MIT
 *
 * A block device as a file: the backing store of its page cache is the device, byte for byte. Runs of folios become
 * requests of up to BIO_MAX_PAGES pages.
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
	for (unsigned int i = 0; i < bio->nr_pages; i++)
		end_folio(bio->op, page_folio(bio->pages[i]), bio->error);
	bio_free(bio);
}

/* How many bytes of the run the device has now. */
static unsigned int bytes_there(const struct block_device *dev, u64 pos, unsigned int n)
{
	u64 size = block_device_size(dev);

	return pos < size ? (unsigned int)min((u64)n * PAGE_SIZE, size - pos) : 0;
}

static void submit(struct mapping *m, struct folio **folios, unsigned int n, enum bio_op op)
{
	u64 pos = (u64)folios[0]->index << PAGE_SHIFT;
	unsigned int len = bytes_there(m->store, pos, n), pages = PAGE_ALIGN(len) >> PAGE_SHIFT;
	struct bio *bio;

	for (unsigned int i = pages; i < n; i++)
		end_folio(op, folios[i], -EIO);
	if (!pages)
		return;
	if (op == BIO_READ && len % PAGE_SIZE)
		memset((char *)folio_address(folios[pages - 1]) + len % PAGE_SIZE, 0,
		       PAGE_SIZE - len % PAGE_SIZE);
	bio = bio_alloc();
	bio->dev = m->store;
	bio->op = op;
	bio->pos = pos;
	bio->len = len;
	bio->nr_pages = pages;
	for (unsigned int i = 0; i < pages; i++)
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
	lost = xa_find_tagged(&m->folios, &i, LAST_INDEX, TAG_DIRTY);
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
