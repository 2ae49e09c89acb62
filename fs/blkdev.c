/* SPDX-License-Identifier: MIT
 *
 * Block devices as files. All nodes with a device's numbers, wherever they lie, open the same inode, which no
 * directory shows: it has the device's page cache, and its size is the device's.
 */
#include <arch/uaccess.h>
#include <drivers/block.h>
#include <fs/blkdev.h>
#include <fs/internal.h>
#include <uapi/capability.h>
#include <uapi/fs.h>

struct block_device *file_block_device(const struct file *f)
{
	return f->ops == &blkdev_fops ? f->private : NULL;
}

/* ---- the page cache ---- */

static void end_read(struct bio *bio)
{
	for (unsigned int i = 0; i < bio->nr_pages; i++)
		filemap_end_read(page_folio(bio->pages[i]), bio->error);
	bio_free(bio);
}

static void blkdev_read_folios(struct mapping *m, struct folio **folios, unsigned int n)
{
	const struct inode *inode = m->host;
	struct bio *bio = bio_alloc();
	u64 size;

	bio->dev = inode->private;
	bio->op = BIO_READ;
	bio->pos = (u64)folios[0]->index << PAGE_SHIFT;
	size = block_device_size(bio->dev);
	bio->len = bio->pos < size ? (unsigned int)min(size - bio->pos, n * PAGE_SIZE) : 0;
	for (unsigned int i = 0; i < n; i++)
		bio->pages[bio->nr_pages++] = folio_page(folios[i], 0);
	bio->end = end_read;
	bio_submit(bio);
}

static const struct mapping_ops blkdev_mapping_ops = { .read = blkdev_read_folios };

int blkdev_create(struct block_device *dev)
{
	struct inode *inode = inode_alloc(S_IFBLK | 0600, NULL, &blkdev_fops);

	if (!inode)
		return -ENOMEM;
	mapping_init(&inode->mapping, 0, &blkdev_mapping_ops, inode);
	inode->mapping.size = block_device_size(dev);
	inode->has_mapping = true;
	inode->rdev = dev->rdev;
	inode->private = dev;
	dev->inode = inode;
	devfs_add_block(dev->name, dev->rdev);
	return 0;
}

void blkdev_resized(struct block_device *dev)
{
	WRITE_ONCE(dev->inode->mapping.size, block_device_size(dev));
}

/* ---- the file ---- */

static int blkdev_open(struct inode *inode, struct file *f)
{
	struct block_device *dev = block_find(inode->rdev);

	if (!dev)
		return -ENXIO;
	f->private = dev;
	f->mapping = &dev->inode->mapping;
	return 0;
}

static ssize_t blkdev_read(struct file *f, char __user *buf, size_t n, u64 *ppos)
{
	struct mapping *m = f->mapping;
	u64 pos = *ppos, size = READ_ONCE(m->size);
	size_t done = 0;
	int err = 0;

	if (pos >= size)
		return 0;
	n = min(n, size - pos);
	while (done < n) {
		size_t off = pos & ~PAGE_MASK, len = min(n - done, PAGE_SIZE - off), left;
		struct folio *folio = filemap_grab_folio(m, pos >> PAGE_SHIFT);

		if (IS_ERR(folio)) {
			err = (int)PTR_ERR(folio);
			break;
		}
		left = copy_to_user(buf + done, (char *)folio_address(folio) + off, len);
		folio_put(folio);
		done += len - left;
		pos += len - left;
		if (left) {
			err = -EFAULT;
			break;
		}
		if (park_interrupted(PARK_KILLABLE))
			break;
		cond_resched();
	}
	*ppos = pos;
	return done ? (ssize_t)done : err;
}

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
	case BLKROGET:
		return put_int(arg, dev->read_only);
	case BLKFLSBUF:
		return capable(CAP_SYS_ADMIN) ? 0 : -EACCES;
	default:
		return -ENOTTY;
	}
}

const struct file_ops blkdev_fops = {
	.open = blkdev_open,
	.read = blkdev_read,
	.ioctl = blkdev_ioctl,
	.llseek = blkdev_llseek,
};
