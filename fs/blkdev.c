/* SPDX-License-Identifier: MIT
 *
 * Block devices as files. All nodes with a device's numbers, wherever they lie, open the same inode, which no
 * directory shows: it has the device's page cache, and its size is the device's.
 */
#include <arch/uaccess.h>
#include <drivers/block.h>
#include <fs/blkdev.h>
#include <fs/internal.h>
#include <kern/string.h>
#include <mm/page_alloc.h>
#include <mm/writeback.h>
#include <uapi/capability.h>
#include <uapi/fs.h>

struct block_device *file_block_device(const struct file *f)
{
	return f->ops == &blkdev_fops ? f->private : NULL;
}

int blkdev_create(struct block_device *dev)
{
	struct inode *inode = inode_alloc(S_IFBLK | 0600, NULL, &blkdev_fops);

	if (!inode)
		return -ENOMEM;
	block_mapping_init(&inode->mapping, dev, inode);
	inode->has_mapping = true;
	inode->rdev = dev->rdev;
	dev->inode = inode;
	devfs_add_block(dev->name, dev->rdev);
	return 0;
}

/* Waiting here for what is being written would be waiting for the thread that calls: the flusher does it. */
void blkdev_resized(struct block_device *dev __maybe_unused)
{
	writeback_wake(0);
}

/* ---- opening and closing ---- */

static int blkdev_open(struct inode *inode, struct file *f)
{
	struct block_device *dev = block_find(inode->rdev);

	if (!dev)
		return -ENXIO;
	atomic_inc(&dev->openers);
	f->private = dev;
	f->mapping = &dev->inode->mapping;
	f->write_error = mapping_sample_error(f->mapping);
	return 0;
}

/* Writes everything, and keeps of the cache what is mapped or could not be written. */
static void empty_cache(struct mapping *m)
{
	(void)filemap_writeback(m, 0, ~0UL, true);
	(void)filemap_drop_clean(m, 0, ~0UL);
}

/* With the last one who has it open goes what is cached: another machine may have the disk next. */
static void blkdev_release(struct file *f)
{
	struct block_device *dev = f->private;

	if (atomic_dec_and_test(&dev->openers))
		empty_cache(f->mapping);
}

/* ---- reading ---- */

static ssize_t blkdev_read(struct file *f, char __user *buf, size_t n, u64 *ppos)
{
	struct mapping *m = f->mapping;
	u64 pos = *ppos, size = READ_ONCE(m->size);
	size_t done = 0, left = 0;
	int err = 0;

	if (pos >= size)
		return 0;
	n = min(n, size - pos);
	while (done < n && !left) {
		unsigned long index = pos >> PAGE_SHIFT;
		unsigned long last = (pos + (n - done) - 1) >> PAGE_SHIFT;
		struct folio *folio = filemap_read_folio(m, &f->ra, index, last - index + 1);
		size_t len;

		if (IS_ERR(folio)) {
			err = (int)PTR_ERR(folio);
			break;
		}
		len = min(n - done, folio_bytes_from(folio, pos));
		left = copy_to_user(buf + done, folio_byte(folio, pos), len);
		folio_put(folio);
		done += len - left;
		pos += len - left;
		err = left ? -EFAULT : 0;
		cond_resched();
	}
	*ppos = pos;
	return done ? (ssize_t)done : err;
}

/* ---- writing ---- */

/* Into a page that the cache has. Bytes written (short after a fault), -EFAULT. Drops the reference. */
static ssize_t write_cached(struct folio *folio, const char __user *buf, u64 pos, size_t len)
{
	size_t left = copy_from_user(folio_byte(folio, pos), buf, len);

	if (left < len)
		folio_mark_dirty_lock(folio);
	folio_put(folio);
	return left < len ? (ssize_t)(len - left) : -EFAULT;
}

/* A page that is written from its start to its end, or the device's, need not be read. 0: it does, after a fault. */
static ssize_t write_whole(struct mapping *m, const char __user *buf, u64 pos, size_t len)
{
	struct folio *folio = folio_alloc(GFP_KERNEL, 0);
	int err = 0;
	char *p;

	if (!folio)
		return -ENOMEM;
	p = folio_address(folio);
	if (copy_from_user(p, buf, len)) {
		folio_put(folio);
		return 0;
	}
	memset(p + len, 0, PAGE_SIZE - len);
	err = filemap_overwrite(m, folio, pos >> PAGE_SHIFT);
	folio_put(folio);
	return err ? err : (ssize_t)len;
}

/* At most to the end of the page. Bytes written (short after a fault) or -errno. */
static ssize_t write_page(struct mapping *m, const char __user *buf, u64 pos, size_t len)
{
	bool whole =
		IS_ALIGNED(pos, PAGE_SIZE) && (len == PAGE_SIZE || pos + len == READ_ONCE(m->size));
	struct folio *folio = filemap_get_folio(m, pos >> PAGE_SHIFT);
	ssize_t ret;

	if (folio && folio_test(folio, PG_uptodate))
		return write_cached(folio, buf, pos, len);
	if (folio)
		folio_put(folio);
	if (whole) {
		ret = write_whole(m, buf, pos, len);
		if (ret)
			return ret;
	}
	folio = filemap_read_folio(m, NULL, pos >> PAGE_SHIFT, 1);
	return IS_ERR(folio) ? PTR_ERR(folio) : write_cached(folio, buf, pos, len);
}

static ssize_t blkdev_write(struct file *f, const char __user *buf, size_t n, u64 *ppos)
{
	struct block_device *dev = f->private;
	struct mapping *m = f->mapping;
	u64 start = *ppos, pos = start, size = READ_ONCE(m->size);
	ssize_t ret = 0;
	int err = 0;

	if (dev->read_only)
		return -EPERM;
	if (!n)
		return 0;
	if (pos >= size)
		return -ENOSPC;
	n = min(n, size - pos);
	while (n && !park_interrupted(PARK_KILLABLE)) {
		size_t len = min(n, PAGE_SIZE - (pos & ~PAGE_MASK));

		ret = write_page(m, buf, pos, len);
		if (ret < 0)
			break;
		buf += ret;
		pos += (u64)ret;
		n -= (size_t)ret;
		balance_dirty();
		if ((size_t)ret < len)
			break;
		cond_resched();
	}
	if (pos == start)
		return ret < 0 ? ret : -EINTR;
	if (f->flags & (O_DSYNC | O_DIRECT))
		err = filemap_sync(m, start, pos, &f->write_error);
	if (err)
		return err;
	*ppos = pos;
	return (ssize_t)(pos - start);
}

/* ---- position ---- */

static s64 blkdev_llseek(struct file *f, s64 off, int whence)
{
	s64 size = (s64)READ_ONCE(f->mapping->size);

	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		off += (s64)f->pos;
		break;
	case SEEK_END:
		off += size;
		break;
	default: /* SEEK_DATA, SEEK_HOLE: all is data, followed by a hole */
		if (off < 0 || off >= size)
			return -ENXIO;
		if (whence == SEEK_HOLE)
			off = size;
		break;
	}
	if (off < 0 || off > size)
		return -EINVAL;
	f->pos = (u64)off;
	return off;
}

/* ---- ioctl ---- */

static long put_int(unsigned long arg, int v)
{
	return copy_to_user((void __user *)arg, &v, sizeof(v)) ? -EFAULT : 0;
}

static long put_u64(unsigned long arg, u64 v)
{
	return copy_to_user((void __user *)arg, &v, sizeof(v)) ? -EFAULT : 0;
}

static long blkdev_ioctl(struct file *f, unsigned int cmd, unsigned long arg)
{
	struct block_device *dev = f->private;

	switch (cmd) {
	case BLKGETSIZE64:
		return put_u64(arg, block_device_size(dev));
	case BLKGETSIZE:
		return put_u64(arg, block_device_size(dev) / SECTOR_SIZE);
	case BLKSSZGET:
	case BLKPBSZGET:
		return put_int(arg, (int)dev->block_size);
	case BLKBSZGET:
		return put_int(arg, PAGE_SIZE);
	case BLKROGET:
		return put_int(arg, dev->read_only);
	case BLKFLSBUF:
		if (!capable(CAP_SYS_ADMIN))
			return -EACCES;
		empty_cache(f->mapping);
		return 0;
	default:
		return -ENOTTY;
	}
}

const struct file_ops blkdev_fops = {
	.open = blkdev_open,
	.release = blkdev_release,
	.read = blkdev_read,
	.write = blkdev_write,
	.ioctl = blkdev_ioctl,
	.llseek = blkdev_llseek,
};
