/* SPDX-License-Identifier: MIT
 *
 * Virtio disks (Virtual I/O Device 1.1, 5.2): one queue with as many requests on the way as it has room for.
 *
 * A submitter puts its request into the queue and rings; without room it sleeps, and the ones behind it queue
 * up for start_lock, so that a large request is not overtaken for ever by small ones. The interrupt only wakes
 * the block layer's thread, which takes finished requests out.
 *
 * The device may be hostile. Numbers it returns are checked by the virtqueue; when they are wrong, or it asks for
 * it, the device is reset and everything ends with -EIO from then on. A request that the device just keeps is
 * reported once after 30 seconds and waited for all the same: its pages are the device's to write.
 */
#include <arch/mmio.h>
#include <drivers/block.h>
#include <drivers/virtio_blk.h>
#include <drivers/virtio_pci.h>
#include <kern/printf.h>
#include <kern/printk.h>
#include <kernel/timer.h>
#include <kernel/wait.h>
#include <mm/slab.h>
#include <sync/mutex.h>
#include <uapi/errno.h>

#define VENDOR_VIRTIO 0x1af4
#define DEVICE_BLOCK 0x1042
#define DEVICE_BLOCK_TRANSITIONAL 0x1001

#define F_SIZE_MAX (1ULL << 1)
#define F_SEG_MAX (1ULL << 2)
#define F_RO (1ULL << 5)
#define F_BLK_SIZE (1ULL << 6)
#define F_FLUSH (1ULL << 9)

/* struct virtio_blk_config */
#define CONFIG_CAPACITY 0
#define CONFIG_SIZE_MAX 8
#define CONFIG_SEG_MAX 12
#define CONFIG_BLK_SIZE 20

enum { TYPE_IN = 0, TYPE_OUT = 1, TYPE_FLUSH = 4 };
enum { STATUS_OK = 0, STATUS_NOT_YET = 0xff };

#define MAX_CAPACITY (1ULL << 53) /* sectors: bytes fit in an off_t */
#define MAX_REQUESTS 128u	  /* two or three descriptors each */
#define OVERDUE_NS (30 * NSEC_PER_SEC)

/* What the device reads first. */
struct request_header {
	u32 type;
	u32 reserved;
	u64 sector;
};

/* Header and status are in memory of ours for as long as the device has the request. */
struct request {
	struct list_head node; /* free, or in flight in order of time */
	struct request_header header;
	u8 status;
	bool reported; /* as overdue */
	struct bio *bio;
	u64 started_ns;
};

/* Lock letters: [I] fixed once registered, [s] start_lock, [l] lock, [t] the block layer's thread only, [A] atomic. */
struct virtio_blk {
	struct block_device block;
	struct virtio_device virtio;
	struct mutex start_lock;
	spinlock_t lock;
	struct virtqueue queue; /* [l] */
	char irq_names[2][20];	/* [I] of the interrupts */
	void *doorbell;		/* [I] */
	struct request *requests;
	struct list_head free, in_flight;	      /* [l] */
	unsigned int nr_free;			      /* [l] */
	bool dead;				      /* [l] was reset for good */
	u32 segment_max;			      /* [I] bytes */
	struct virtq_segment segments[VIRTQUEUE_MAX]; /* [s] */
	struct wait_queue room;
	struct timer overdue_timer; /* [l] */
	bool watching;		    /* [l] it is armed, or look_for_overdue */
	bool look_for_overdue;	    /* [A] */
	bool config_changed;	    /* [A] */
};

static unsigned int nr_found; /* at boot */

/* ---- starting requests ---- */

static void add_segment(struct virtio_blk *v, unsigned int *n, phys_t pa, unsigned int len,
			bool device_writes)
{
	struct virtq_segment *last = *n > 1 ? &v->segments[*n - 1] : NULL;

	if (last && last->addr + last->len == pa && last->len + len <= v->segment_max) {
		last->len += len;
		return;
	}
	v->segments[(*n)++] = (struct virtq_segment){ pa, len, device_writes };
}

/* Of the bio's nth page. */
static phys_t page_phys(const struct bio *bio, unsigned int n)
{
	unsigned int in_run = n & ((1U << bio->order) - 1);

	return page_to_phys(bio->pages[n >> bio->order]) + in_run * PAGE_SIZE;
}

/* Header, data, status. Returns how many segments. start_lock held. */
static unsigned int make_segments(struct virtio_blk *v, struct request *r, const struct bio_part *p)
{
	bool read = p->bio->op == BIO_READ;
	unsigned int n = 1, left = p->len;

	v->segments[0] =
		(struct virtq_segment){ virt_to_phys(&r->header), sizeof(r->header), false };
	for (unsigned int i = p->first; left; i++) {
		phys_t pa = page_phys(p->bio, i);
		unsigned int in_page = min(left, (unsigned int)PAGE_SIZE);

		left -= in_page;
		while (in_page) {
			unsigned int len = min(in_page, v->segment_max);

			add_segment(v, &n, pa, len, read);
			pa += len;
			in_page -= len;
		}
	}
	v->segments[n++] = (struct virtq_segment){ virt_to_phys(&r->status), 1, true };
	return n;
}

static u32 request_type(enum bio_op op)
{
	return op == BIO_READ ? TYPE_IN : op == BIO_WRITE ? TYPE_OUT : TYPE_FLUSH;
}

/* Lock and start_lock held. False: no room now. */
static bool queue_request(struct virtio_blk *v, const struct bio_part *p)
{
	struct request *r;

	if (!v->nr_free)
		return false;
	r = list_first_entry(&v->free, struct request, node);
	r->header = (struct request_header){ .type = request_type(p->bio->op),
					     .sector = p->pos / SECTOR_SIZE };
	r->status = STATUS_NOT_YET;
	r->reported = false;
	r->bio = p->bio;
	r->started_ns = clock_ns();
	if (!virtqueue_add(&v->queue, v->segments, make_segments(v, r, p), r))
		return false;
	if (!v->watching) {
		v->watching = true;
		timer_set(&v->overdue_timer, r->started_ns + OVERDUE_NS);
	}
	list_del(&r->node);
	list_add_tail(&r->node, &v->in_flight);
	v->nr_free--;
	return true;
}

enum start_result { STARTED, NO_ROOM, DEAD };

static enum start_result try_start(struct virtio_blk *v, const struct bio_part *p)
{
	enum start_result ret = DEAD;

	spin_lock(&v->lock);
	if (!v->dead)
		ret = queue_request(v, p) ? STARTED : NO_ROOM;
	if (ret == STARTED && virtqueue_publish(&v->queue))
		mmio_write16(v->doorbell, 0);
	spin_unlock(&v->lock);
	return ret;
}

static void virtio_blk_start(struct block_device *dev, const struct bio_part *p)
{
	struct virtio_blk *v = dev->driver;
	enum start_result r;

	mutex_lock(&v->start_lock);
	wait_event(&v->room, (r = try_start(v, p)) != NO_ROOM);
	mutex_unlock(&v->start_lock);
	if (r == DEAD)
		bio_part_fail(p->bio, -EIO);
}

/* ---- what comes back: the block layer's thread ---- */

/* The next finished request, and whether it went well. Its bio has to be ended by the caller. */
static struct bio *take_finished(struct virtio_blk *v, int *error)
{
	struct bio *bio = NULL;
	struct request *r;
	u32 len;

	spin_lock(&v->lock);
	r = virtqueue_take(&v->queue, &len);
	if (!r && v->dead)
		r = virtqueue_take_unfinished(&v->queue);
	if (r) {
		*error = !v->dead && READ_ONCE(r->status) == STATUS_OK ? 0 : -EIO;
		bio = r->bio;
		list_del(&r->node);
		list_add(&r->node, &v->free);
		v->nr_free++;
	}
	spin_unlock(&v->lock);
	return bio;
}

/* The device is not used any more; what it had ends with -EIO, after it can write to memory no longer. */
static void give_up(struct virtio_blk *v, const char *why)
{
	pr_err("%s: %s; giving it up", v->block.name, why);
	if (virtio_reset(&v->virtio))
		pr_err("%s: does not answer to a reset", v->block.name);
	spin_lock(&v->lock);
	v->dead = true;
	spin_unlock(&v->lock);
}

static void report_overdue(struct virtio_blk *v)
{
	u64 now = clock_ns();
	unsigned int n = 0;
	struct request *r;

	spin_lock(&v->lock);
	list_for_each_entry(r, &v->in_flight, node) {
		if (now - r->started_ns < OVERDUE_NS)
			break;
		n += !r->reported;
		r->reported = true;
	}
	/* As long as there is something to watch. What began meanwhile is looked at up to twice as late. */
	v->watching = !list_empty(&v->in_flight);
	if (v->watching)
		timer_set(&v->overdue_timer, now + OVERDUE_NS);
	spin_unlock(&v->lock);
	if (n)
		pr_warn("%s: %u requests have not come back for 30 s", v->block.name, n);
}

/* The size in bytes; what is not a whole number of blocks at the end is not used. */
static u64 read_size(struct virtio_blk *v)
{
	u64 sectors = min(virtio_config_read64(&v->virtio, CONFIG_CAPACITY), MAX_CAPACITY - 1);

	return ALIGN_DOWN(sectors * SECTOR_SIZE, (u64)v->block.block_size);
}

static void virtio_blk_reap(struct block_device *dev)
{
	struct virtio_blk *v = dev->driver;
	struct bio *bio;
	int error;

	if (__atomic_exchange_n(&v->config_changed, false, __ATOMIC_ACQ_REL) && !v->dead) {
		if (virtio_status(&v->virtio) & VIRTIO_NEEDS_RESET)
			give_up(v, "the device has failed");
		else
			block_set_size(dev, read_size(v));
	}
	while ((bio = take_finished(v, &error)))
		bio_part_end(bio, error);
	if (v->queue.broken && !v->dead) {
		give_up(v, "the device returns requests it does not have");
		while ((bio = take_finished(v, &error)))
			bio_part_end(bio, error);
	}
	wake_up(&v->room);
	if (__atomic_exchange_n(&v->look_for_overdue, false, __ATOMIC_ACQ_REL))
		report_overdue(v);
}

/* ---- interrupts ---- */

static void on_queue(void *arg)
{
	struct virtio_blk *v = arg;

	block_kick(&v->block);
}

static void on_config(void *arg)
{
	struct virtio_blk *v = arg;

	__atomic_store_n(&v->config_changed, true, __ATOMIC_RELEASE);
	block_kick(&v->block);
}

static void on_overdue(struct timer *t)
{
	struct virtio_blk *v = container_of(t, struct virtio_blk, overdue_timer);

	__atomic_store_n(&v->look_for_overdue, true, __ATOMIC_RELEASE);
	block_kick(&v->block);
}

/* ---- set-up ---- */

static const struct block_ops virtio_blk_ops = {
	.start = virtio_blk_start,
	.reap = virtio_blk_reap,
};

static int allocate_requests(struct virtio_blk *v)
{
	unsigned int n = min(v->queue.size, MAX_REQUESTS);

	v->requests = kzalloc(n * sizeof(*v->requests), GFP_KERNEL);
	if (!v->requests)
		return -ENOMEM;
	for (unsigned int i = 0; i < n; i++)
		list_add_tail(&v->requests[i].node, &v->free);
	v->nr_free = n;
	return 0;
}

/* The device's limits: as pages of a request, two segments of which are header and status. -EIO: there is no way. */
static int read_limits(struct virtio_blk *v)
{
	u64 features = v->virtio.features;
	u32 segments = v->queue.size, pages_segments, size;

	segments = segments > 2 ? segments - 2 : 0;
	if (features & F_SEG_MAX)
		segments = min(segments, virtio_config_read32(&v->virtio, CONFIG_SEG_MAX));
	v->segment_max = ~0u;
	if (features & F_SIZE_MAX)
		v->segment_max = virtio_config_read32(&v->virtio, CONFIG_SIZE_MAX);
	if (!v->segment_max)
		return -EIO;
	pages_segments = ((u32)PAGE_SIZE - 1) / v->segment_max + 1;
	v->block.max_pages = segments / pages_segments;

	size = features & F_BLK_SIZE ? virtio_config_read32(&v->virtio, CONFIG_BLK_SIZE)
				     : (u32)SECTOR_SIZE;
	if (size < SECTOR_SIZE || size > PAGE_SIZE || (size & (size - 1)))
		return -EIO;
	v->block.block_size = size;
	return v->block.max_pages ? 0 : -EIO;
}

static int set_up_device(struct virtio_blk *v, const struct pci_dev *pci)
{
	int err = virtio_init(&v->virtio, pci);

	if (!err)
		err = virtio_reset(&v->virtio);
	if (err)
		return err;
	virtio_set_status(&v->virtio, VIRTIO_ACKNOWLEDGE);
	virtio_set_status(&v->virtio, VIRTIO_DRIVER);
	(void)scnprintf(v->irq_names[0], sizeof(v->irq_names[0]), "virtio%u-config", nr_found);
	(void)scnprintf(v->irq_names[1], sizeof(v->irq_names[1]), "virtio%u-req.0", nr_found);
	nr_found++;
	err = virtio_negotiate(&v->virtio, F_SIZE_MAX | F_SEG_MAX | F_RO | F_BLK_SIZE | F_FLUSH);
	if (!err)
		err = virtio_config_interrupt(&v->virtio, v->irq_names[0], on_config, v);
	if (!err)
		err = virtio_queue_init(&v->virtio, 0, &v->queue, v->irq_names[1], on_queue, v,
					&v->doorbell);
	if (!err)
		err = read_limits(v);
	if (!err)
		err = allocate_requests(v);
	return err;
}

static int register_device(struct virtio_blk *v)
{
	v->block.ops = &virtio_blk_ops;
	v->block.driver = v;
	v->block.read_only = v->virtio.features & F_RO;
	v->block.flushes = v->virtio.features & F_FLUSH;
	v->block.size = read_size(v);
	virtio_set_status(&v->virtio, VIRTIO_DRIVER_OK);
	return block_register(&v->block);
}

static void probe(const struct pci_dev *pci)
{
	struct virtio_blk *v;
	int err = -ENOMEM;

	if (pci->vendor != VENDOR_VIRTIO ||
	    (pci->device != DEVICE_BLOCK && pci->device != DEVICE_BLOCK_TRANSITIONAL))
		return;
	v = kzalloc(sizeof(*v), GFP_KERNEL);
	if (v) {
		mutex_init(&v->start_lock);
		spin_lock_init(&v->lock);
		INIT_LIST_HEAD(&v->free);
		INIT_LIST_HEAD(&v->in_flight);
		wait_queue_init(&v->room);
		v->overdue_timer.func = on_overdue;
		err = set_up_device(v, pci);
		if (!err)
			err = register_device(v);
	}
	if (!err)
		return;
	/* Its memory is not given back: the device may know the address. */
	pr_err("virtio-blk: cannot use the disk at %02x:%02x.%u: error %d", pci->bus, pci->slot,
	       pci->function, -err);
	if (v && v->virtio.common)
		virtio_set_status(&v->virtio, VIRTIO_FAILED);
}

void virtio_blk_init(void)
{
	pci_for_each(probe);
}
