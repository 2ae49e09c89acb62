/* SPDX-License-Identifier: MIT
 *
 * swapon: mkswap's header is read and believed as far as it makes sense, then memory for the slots is allocated, then
 * the area gives slots out.
 *
 * The header is the first page: an old boot block, a version, the last page, how many pages are bad and which, and at
 * the very end ten letters (Linux's include/linux/swap.h, mkswap(8)).
 */
#include <kern/printk.h>
#include <mm/writeback.h>

#include "swap_internal.h"

#define HEADER_INFO 1024 /* the boot block's size */
#define HEADER_MAGIC "SWAPSPACE2"
#define HEADER_MAGIC_LEN 10

struct swap_header {
	char boot_block[HEADER_INFO];
	u32 version;
	u32 last_page;
	u32 nr_badpages;
	u8 uuid[16], label[16];
	u32 padding[117];
	u32 badpages[637];
	u8 unused[2];
	char magic[HEADER_MAGIC_LEN];
} __packed;

_Static_assert(sizeof(struct swap_header) == PAGE_SIZE, "the header is one page");

/* What one kmalloc() of chunks describes: 256 GiB. */
#define MAX_CHUNKS ((4UL << 20) / sizeof(struct swap_chunk))

struct mutex swapon_mutex = MUTEX_INIT(swapon_mutex);

static int check_header(const struct swap_header *h, const struct block_device *dev)
{
	if (memcmp(h->magic, HEADER_MAGIC, HEADER_MAGIC_LEN) != 0) {
		pr_err("swap: unable to find swap-space signature");
		return -EINVAL;
	}
	if (h->version != 1) {
		pr_warn("swap: unable to handle swap header version %u", h->version);
		return -EINVAL;
	}
	if (h->last_page == 0 || h->nr_badpages >= h->last_page) {
		pr_warn("swap: empty swap-file");
		return -EINVAL;
	}
	if (h->last_page >= block_device_size(dev) >> PAGE_SHIFT) {
		pr_warn("swap: area shorter than signature indicates");
		return -EINVAL;
	}
	if (h->nr_badpages > ARRAY_SIZE(h->badpages))
		return -EINVAL;
	for (u32 i = 0; i < h->nr_badpages; i++)
		if (h->badpages[i] == 0 || h->badpages[i] > h->last_page)
			return -EINVAL;
	return 0;
}

static int read_header(struct block_device *dev, struct page *page)
{
	struct bio *bio = bio_alloc();
	int err;

	bio->dev = dev;
	bio->op = BIO_READ;
	bio->len = PAGE_SIZE;
	bio->nr_pages = 1;
	bio->pages[0] = page;
	err = bio_submit_wait(bio);
	bio_free(bio);
	return err ? err : check_header(page_address(page), dev);
}

void swap_chunks_free(struct swap_chunk *chunks, unsigned long nr_slots)
{
	for (unsigned long i = 0; i * CHUNK_SLOTS < nr_slots; i++)
		if (chunks[i].slots)
			free_pages(virt_to_page(chunks[i].slots), 0);
	kfree(chunks);
}

static struct swap_chunk *alloc_chunks(unsigned long nr_slots)
{
	unsigned long n = (nr_slots + CHUNK_SLOTS - 1) / CHUNK_SLOTS;
	struct swap_chunk *chunks = kzalloc(n * sizeof(*chunks), GFP_KERNEL);

	for (unsigned long i = 0; chunks && i < n; i++) {
		/* Nobody is killed for an area that is too large for this machine. */
		struct page *page = alloc_pages(GFP_KERNEL | __GFP_ZERO | __GFP_NORETRY, 0);

		if (!page) {
			swap_chunks_free(chunks, nr_slots);
			return NULL;
		}
		chunks[i].slots = page_address(page);
		INIT_LIST_HEAD(&chunks[i].node);
		cond_resched();
	}
	return chunks;
}

static void mark_bad(struct swap_chunk *chunks, unsigned long offset)
{
	chunks[offset / CHUNK_SLOTS].slots[offset % CHUNK_SLOTS].count = SLOT_BAD;
}

/* Nobody knows the chunks yet. */
static void init_slots(struct swap_area *area, struct swap_chunk *chunks,
		       const struct swap_header *h)
{
	unsigned long n = (area->nr_slots + CHUNK_SLOTS - 1) / CHUNK_SLOTS;

	INIT_LIST_HEAD(&area->empty);
	INIT_LIST_HEAD(&area->partial);
	memset(area->cursors, 0, sizeof(area->cursors));
	area->pages = area->used = 0;
	mark_bad(chunks, 0);
	for (u32 i = 0; i < h->nr_badpages; i++)
		if (h->badpages[i] < area->nr_slots)
			mark_bad(chunks, h->badpages[i]);
	for (unsigned long i = area->nr_slots; i < n * CHUNK_SLOTS; i++)
		mark_bad(chunks, i);
	for (unsigned long i = 0; i < n; i++) {
		struct swap_chunk *chunk = &chunks[i];

		for (unsigned int s = 0; s < CHUNK_SLOTS; s++)
			chunk->usable += chunk->slots[s].count != SLOT_BAD;
		chunk->free = chunk->usable;
		area->pages += chunk->usable;
		if (chunk->usable)
			list_add_tail(&chunk->node, &area->empty);
		cond_resched();
	}
}

/* An area that is not in use; ERR_PTR. swapon_mutex held. */
static struct swap_area *find_unused(const struct block_device *dev)
{
	struct swap_area *unused = ERR_PTR(-EPERM);

	for (unsigned int i = SWAP_MAX_AREAS; i--;) {
		if (!swap_areas[i].chunks)
			unused = &swap_areas[i];
		else if (swap_areas[i].dev == dev)
			return ERR_PTR(-EBUSY);
	}
	return unused;
}

static int area_start(struct swap_area *area, struct file *file, struct block_device *dev, int prio,
		      const struct swap_header *h)
{
	unsigned long nr_slots = min((unsigned long)h->last_page + 1, MAX_CHUNKS * CHUNK_SLOTS);
	struct swap_chunk *chunks = alloc_chunks(nr_slots);

	if (!chunks)
		return -ENOMEM;
	area->nr_slots = nr_slots;
	area->dev = dev;
	area->file = file;
	file_get(file);
	init_slots(area, chunks, h);
	spin_lock(&area->lock);
	area->chunks = chunks;
	spin_unlock(&area->lock);
	swap_area_enlist(area, prio);
	pr_info("Adding %luk swap. Priority:%d", area->pages << (PAGE_SHIFT - 10), area->prio);
	return 0;
}

/* What was written to the device file, by mkswap as like as not, reaches the device. */
static int write_cached(struct file *file)
{
	struct file_mmap info;

	if (file_mmap_info(file, &info) || !info.mapping || !info.mapping->ops)
		return 0;
	return filemap_sync(info.mapping, 0, ~0ULL, NULL);
}

int swap_area_on(struct file *file, struct block_device *dev, int prio)
{
	struct page *page = alloc_pages(GFP_KERNEL, 0);
	struct swap_area *area;
	int err;

	if (!page)
		return -ENOMEM;
	mutex_lock(&swapon_mutex);
	area = find_unused(dev);
	err = IS_ERR(area) ? (int)PTR_ERR(area) : write_cached(file);
	if (!err)
		err = read_header(dev, page);
	if (!err)
		err = area_start(area, file, dev, prio, page_address(page));
	mutex_unlock(&swapon_mutex);
	free_pages(page, 0);
	return err;
}
