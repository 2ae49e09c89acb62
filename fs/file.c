/* SPDX-License-Identifier: MIT
 *
 * Open files: making them, counting them, letting them go.
 */
#include <fs/blkdev.h>
#include <fs/internal.h>
#include <kern/string.h>
#include <mm/caller.h>
#include <mm/slab.h>

static struct kmem_cache *file_cache;

void file_init(void)
{
	file_cache = kmem_cache_create("file", sizeof(struct file), 0);
}

void file_get(struct file *f)
{
	refcount_inc(&f->refs);
}

static void file_free(struct file *f)
{
	if (f->ops && f->ops->release)
		f->ops->release(f);
	if (unlikely(f->inode->locks))
		locks_release_file(f);
	mount_unuse(f->dentry);
	dentry_put(f->dentry);
	kmem_cache_free(file_cache, f);
}

void file_put(struct file *f)
{
	if (refcount_dec_and_test(&f->refs))
		file_free(f);
}

void file_close(struct file *f, void *owner)
{
	if (unlikely(f->inode->locks) && !(f->mode & FMODE_PATH))
		locks_release_posix(f->inode, owner);
	file_put(f);
}

/* Takes over the reference to d. NULL: no memory. */
static struct file *file_alloc(struct dentry *d, unsigned int flags)
{
	struct file *f = kmem_cache_alloc(file_cache, __GFP_ZERO);

	if (!f) {
		dentry_put(d);
		return NULL;
	}
	refcount_set(&f->refs, 1);
	mutex_init(&f->pos_lock);
	f->flags = flags & ~(unsigned int)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
	f->dentry = d;
	f->inode = d->inode;
	if (flags & O_PATH) {
		f->mode = FMODE_PATH;
		return f;
	}
	/* 0: read, 1: write, 2: both; 3 is for ioctl() only and may do neither. */
	if ((flags & O_ACCMODE) != 3)
		f->mode = ((flags & O_ACCMODE) + 1) & (FMODE_READ | FMODE_WRITE);
	f->ops = f->inode->fops;
	f->mapping = f->inode->has_mapping ? &f->inode->mapping : NULL;
	return f;
}

/* What kind of position the file has, once its operations are known. */
static void set_position_kind(struct file *f)
{
	u32 mode = f->inode->mode;

	if (S_ISREG(mode) || S_ISDIR(mode))
		f->mode |= FMODE_POS;
	else if (!f->ops->llseek)
		f->mode |= FMODE_STREAM;
}

struct file *file_open_dentry(struct dentry *d, unsigned int flags)
{
	struct file *f;
	int err;

	dentry_get(d);
	err = mount_use(d);
	if (err) {
		dentry_put(d);
		return ERR_PTR(err);
	}
	dentry_get(d); /* file_alloc() may drop one, and mount_unuse() below needs the other */
	f = file_alloc(d, flags);
	if (!f) {
		mount_unuse(d);
		dentry_put(d);
		return ERR_PTR(-ENOMEM);
	}
	dentry_put(d);
	if (f->mode & FMODE_PATH)
		return f;
	if (!f->ops && S_ISCHR(f->inode->mode))
		f->ops = chrdev_fops(f->inode->rdev);
	else if (!f->ops && S_ISBLK(f->inode->mode))
		f->ops = &blkdev_fops;
	err = f->ops ? 0 : -ENXIO;
	if (!err && f->ops->open)
		err = f->ops->open(f->inode, f);
	if (err) {
		f->ops = NULL;
		file_put(f);
		return ERR_PTR(err);
	}
	set_position_kind(f);
	return f;
}

struct file *file_alloc_anon(struct inode *inode, const char *name, unsigned int flags)
{
	struct dentry *d = dentry_alloc(name, strnlen(name, NAME_MAX), inode);
	struct file *f;

	if (!d)
		return ERR_PTR(-ENOMEM);
	d->anonymous = true;
	f = file_alloc(d, flags);
	if (!f)
		return ERR_PTR(-ENOMEM);
	set_position_kind(f);
	return f;
}

int file_mmap_info(struct file *f, struct file_mmap *out)
{
	bool anonymous = false;
	int err;

	out->mapping = NULL;
	out->readable = f->mode & FMODE_READ;
	out->writable = f->mode & FMODE_WRITE;
	out->noexec = dentry_noexec(f->dentry);
	if (f->ops->mmap) {
		err = f->ops->mmap(f, &anonymous);
		if (err)
			return err;
	}
	if (!anonymous && !f->mapping)
		return -ENODEV;
	if (!anonymous)
		out->mapping = f->mapping;
	return 0;
}

struct file_ra *file_readahead_state(struct file *f)
{
	return &f->ra;
}

int file_punch_hole(struct file *f, u64 start, u64 len)
{
	return vfs_fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (s64)start, (s64)len);
}

ssize_t kernel_read(struct file *f, void *buf, size_t n, u64 pos)
{
	struct mapping *m = f->inode->has_mapping ? &f->inode->mapping : NULL;
	size_t done = 0;
	u64 size;

	if (!m)
		return -EINVAL;
	size = READ_ONCE(m->size);
	if (pos >= size)
		return 0;
	n = min(n, size - pos);
	while (done < n) {
		size_t off = pos & (PAGE_SIZE - 1), len = min(n - done, PAGE_SIZE - off);
		struct folio *folio = filemap_get_folio(m, pos >> PAGE_SHIFT);

		if (IS_ERR(folio))
			return done ? (ssize_t)done : PTR_ERR(folio);
		if (folio) {
			memcpy((char *)buf + done, folio_byte(folio, pos), len);
			folio_put(folio);
		} else {
			memset((char *)buf + done, 0, len);
		}
		done += len;
		pos += len;
	}
	return (ssize_t)done;
}
