/* SPDX-License-Identifier: MIT
 *
 * tmpfs: names are dentries, data are the folios of the page cache, and nothing else exists.
 *
 * Reading a hole shows zeroes and allocates nothing. Writing takes inode->lock and copies from the
 * user straight into the folio, which is neither locked nor isolated: a page fault on the source
 * may therefore need any page of the same file. The rule that keeps this free of deadlock: a fault
 * takes mmap_lock, the mapping's locks and folio locks, never inode->lock; so inode->lock may be
 * held over a copy, folio locks and mapping locks may not. Lock order: inode->lock, mmap_lock,
 * i_mmap_lock, folio lock, mapping->lock.
 *
 * A page that does not exist yet is filled before anyone can see it and then put into the cache,
 * which saves zeroing what is written over at once.
 *
 * Each mount has a bound on its pages (default: half of RAM, -ENOSPC) and on its inodes; memory
 * that is shared by mappings alone (shmem_file_setup, memfd) has none.
 */
#include <arch/uaccess.h>
#include <fs/internal.h>
#include <kern/knobs.h>
#include <kern/string.h>
#include <kernel/timer.h>
#include <mm/page_alloc.h>
#include <mm/slab.h>
#include <uapi/statfs.h>
#include <uapi/uio.h>

struct tmpfs_super {
	struct page_quota quota;
	unsigned long huge;   /* [A] enum shmem_huge */
	u64 dev;	      /* [I] */
	atomic_long_t inodes; /* [A] also what keeps this structure alive */
	long max_inodes;      /* [I] */
};

static struct tmpfs_super *internal; /* of files that no mount shows */

static const struct inode_ops tmpfs_link_iops;
static const struct file_ops tmpfs_dir_fops;

bool is_tmpfs_inode(const struct inode *i)
{
	return i->ops == &tmpfs_file_iops || i->ops == &tmpfs_dir_iops ||
	       i->ops == &tmpfs_link_iops;
}

/* ---- inodes ---- */

static struct tmpfs_super *super_alloc(unsigned long max_pages, enum shmem_huge huge)
{
	struct tmpfs_super *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return NULL;
	s->quota.max = (long)max_pages;
	s->huge = huge;
	s->dev = new_anon_dev();
	s->max_inodes = (long)(totalram_pages() / 2);
	return s;
}

static struct inode *super_inode(struct tmpfs_super *s, u32 mode, const struct inode_ops *ops,
				 const struct file_ops *fops)
{
	struct inode *i;

	if (atomic_add_return(&s->inodes, 1) > s->max_inodes) {
		atomic_dec(&s->inodes);
		return ERR_PTR(-ENOSPC);
	}
	i = inode_alloc(mode, ops, fops);
	if (!i) {
		atomic_dec(&s->inodes);
		return ERR_PTR(-ENOMEM);
	}
	i->dev = s->dev;
	i->private = s;
	if (S_ISREG(mode)) {
		mapping_init(&i->mapping, MAPPING_SHMEM, NULL, i);
		i->mapping.quota = s == internal ? NULL : &s->quota;
		i->mapping.huge = s == internal ? &knob_thp_shmem : &s->huge;
		i->has_mapping = true;
		i->shm = true;
		i->seals = F_SEAL_SEAL;
	} else if (S_ISDIR(mode)) {
		i->nlink = 2;
	}
	return i;
}

static void tmpfs_release(struct inode *i)
{
	struct tmpfs_super *s = i->private;

	if (i->has_mapping) {
		mapping_destroy(&i->mapping);
		i->has_mapping = false;
	} else if (S_ISLNK(i->mode)) {
		kfree(i->link);
	}
	if (atomic_dec_and_test(&s->inodes) && s != internal)
		kfree(s);
}

static void inherit_group(struct inode *i, const struct inode *dir)
{
	if (!(dir->mode & S_ISGID))
		return;
	i->gid = dir->gid;
	if (S_ISDIR(i->mode))
		i->mode |= S_ISGID;
}

static struct inode *tmpfs_new_inode(struct inode *dir, u32 mode, u64 rdev, const char *symlink)
{
	struct tmpfs_super *s = dir->private;
	struct inode *i;
	char *text;

	switch (mode & S_IFMT) {
	case S_IFREG:
		i = super_inode(s, mode, &tmpfs_file_iops, &tmpfs_file_fops);
		break;
	case S_IFDIR:
		i = super_inode(s, mode, &tmpfs_dir_iops, &tmpfs_dir_fops);
		break;
	case S_IFLNK:
		text = kmalloc(strlen(symlink) + 1, GFP_KERNEL);
		if (!text)
			return ERR_PTR(-ENOMEM);
		memcpy(text, symlink, strlen(symlink) + 1);
		i = super_inode(s, mode, &tmpfs_link_iops, NULL);
		if (IS_ERR(i))
			kfree(text);
		else
			i->link = text;
		break;
	case S_IFIFO:
		i = super_inode(s, mode, &tmpfs_file_iops, &fifo_fops);
		break;
	default: /* devices: file_open_dentry() finds the driver */
		i = super_inode(s, mode, &tmpfs_file_iops, NULL);
		break;
	}
	if (!IS_ERR(i)) {
		i->rdev = rdev;
		inherit_group(i, dir);
	}
	return i;
}

struct inode *tmpfs_new_root(const struct tmpfs_options *o)
{
	struct tmpfs_super *s = super_alloc(o->pages, o->huge);
	struct inode *i;

	if (!s)
		return NULL;
	i = super_inode(s, S_IFDIR | o->mode, &tmpfs_dir_iops, &tmpfs_dir_fops);
	if (IS_ERR(i)) {
		kfree(s);
		return NULL;
	}
	return i;
}

struct tmpfs_options tmpfs_get_options(const struct inode *root)
{
	const struct tmpfs_super *s = root->private;

	return (struct tmpfs_options){ .pages = (unsigned long)READ_ONCE(s->quota.max),
				       .mode = root->mode,
				       .huge = (enum shmem_huge)READ_ONCE(s->huge) };
}

int tmpfs_change_options(struct inode *root, const struct tmpfs_options *o)
{
	struct tmpfs_super *s = root->private;
	long max = (long)o->pages, old;
	int err = 0;

	mutex_lock(&root->lock);
	old = s->quota.max;
	if (max != old && max != TMPFS_NO_LIMIT &&
	    (old == TMPFS_NO_LIMIT || atomic_read(&s->quota.used) > max)) {
		err = -EINVAL;
	} else {
		WRITE_ONCE(s->quota.max, max);
		WRITE_ONCE(s->huge, o->huge);
	}
	mutex_unlock(&root->lock);
	return err;
}

struct inode *shmem_inode(u64 size)
{
	struct inode *i = super_inode(internal, S_IFREG | 0777, &tmpfs_file_iops, &tmpfs_file_fops);

	if (IS_ERR(i))
		return NULL;
	i->nlink = 0;
	i->mapping.size = size;
	return i;
}

void tmpfs_init(void)
{
	const struct tmpfs_options o = { totalram_pages() / 2, 0755, SHMEM_HUGE_NEVER };
	struct inode *root = tmpfs_new_root(&o);

	internal = super_alloc(TMPFS_NO_LIMIT, SHMEM_HUGE_NEVER);
	if (!internal || !root || !mount_create(root, "rootfs", "rootfs", 0))
		panic("no memory for the root filesystem");
	internal->max_inodes = ~0UL >> 1;
}

void tmpfs_statfs(const struct inode *inode, struct statfs *buf)
{
	const struct tmpfs_super *s = inode->private;
	long used = atomic_read(&s->quota.used), max = READ_ONCE(s->quota.max);

	if (s == internal)
		return;
	/* As in Linux a mount without limit says nothing of blocks. */
	if (max != TMPFS_NO_LIMIT) {
		buf->f_blocks = (u64)max;
		buf->f_bfree = buf->f_bavail = (u64)(used < max ? max - used : 0);
	}
	buf->f_files = (u64)s->max_inodes;
	buf->f_ffree = (u64)(s->max_inodes - atomic_read(&s->inodes));
}

/* ---- reading ---- */

static ssize_t tmpfs_read(struct file *f, char __user *buf, size_t n, u64 *ppos)
{
	struct mapping *m = &f->inode->mapping;
	u64 pos = *ppos, size = READ_ONCE(m->size);
	ssize_t err = -EFAULT;
	size_t done = 0;

	if (unlikely(pos >= size))
		return n > MAX_FILE_SIZE - pos ? -EINVAL : 0;
	n = min(n, size - pos);
	while (n) {
		size_t len = min(n, PAGE_SIZE - (pos & (PAGE_SIZE - 1))), left;
		struct folio *folio = filemap_get_folio(m, pos >> PAGE_SHIFT);

		if (unlikely(IS_ERR(folio))) {
			err = PTR_ERR(folio);
			break;
		}
		if (likely(folio)) {
			left = copy_to_user(buf + done, folio_byte(folio, pos), len);
			folio_put(folio);
		} else {
			left = clear_user(buf + done, len);
		}
		len -= left;
		done += len;
		pos += len;
		n -= len;
		if (unlikely(left))
			break;
		if (n)
			cond_resched();
	}
	*ppos = pos;
	if (!(f->flags & O_NOATIME))
		inode_accessed(f->inode);
	return likely(done) ? (ssize_t)done : (n ? err : 0);
}

/* ---- writing ---- */

/* Where written bytes come from. */
struct source {
	const char __user *user; /* when kernel is NULL; a program may pass any address, 0 too */
	const char *kernel;
};

static size_t source_copy(void *dst, struct source *s, size_t n)
{
	size_t left = 0;

	if (likely(!s->kernel)) {
		left = copy_from_user(dst, s->user, n);
		s->user += n - left;
	} else {
		memcpy(dst, s->kernel, n);
		s->kernel += n;
	}
	return left;
}

/*
 * Writes len bytes at pos into a page that the cache does not have. Bytes written, -EFAULT,
 * -ENOMEM, -ENOSPC, or -EEXIST: it has it now.
 */
static ssize_t write_new_page(struct mapping *m, struct source *s, u64 pos, size_t len)
{
	size_t off = pos & (PAGE_SIZE - 1), left;
	struct folio *folio = folio_alloc(GFP_KERNEL, 0);
	struct source at_start = *s;
	char *p;
	int err;

	if (!folio)
		return -ENOMEM;
	p = folio_address(folio);
	left = source_copy(p + off, s, len);
	len -= left;
	if (!len) {
		folio_put(folio);
		return -EFAULT;
	}
	if (len != PAGE_SIZE) {
		memset(p, 0, off);
		memset(p + off + len, 0, PAGE_SIZE - off - len);
	}
	err = filemap_add_folio(m, folio, pos >> PAGE_SHIFT);
	folio_put(folio);
	if (err) {
		*s = at_start;
		return err;
	}
	return (ssize_t)len;
}

/*
 * Writes at most to the end of the page at pos, where the whole write ends at `end`. Bytes written (short after a fault)
 * or -errno.
 */
static ssize_t write_page(struct mapping *m, struct source *s, u64 pos, size_t len, u64 end)
{
	struct folio *folio;
	ssize_t n;
	size_t left;

	do {
		folio = filemap_get_folio(m, pos >> PAGE_SHIFT);
		if (!folio)
			folio = filemap_new_large(m, pos >> PAGE_SHIFT, end);
		if (unlikely(IS_ERR(folio)))
			return PTR_ERR(folio);
		if (likely(folio)) {
			left = source_copy(folio_byte(folio, pos), s, len);
			if (unlikely(!folio_test(folio, PG_dirty)))
				folio_mark_dirty(folio);
			folio_put(folio);
			return left == len ? -EFAULT : (ssize_t)(len - left);
		}
		n = write_new_page(m, s, pos, len);
	} while (n == -EEXIST);
	return n;
}

static int seals_forbid(const struct inode *i, u64 end)
{
	if (i->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	return (i->seals & F_SEAL_GROW) && end > i->mapping.size ? -EPERM : 0;
}

/*
 * inode->lock held; *ppos and the size move by what was done. Bytes or, when nothing was done,
 * -errno.
 */
static ssize_t write_locked(struct inode *i, struct source *s, size_t n, u64 *ppos)
{
	struct mapping *m = &i->mapping;
	u64 pos = *ppos;
	size_t done = 0;
	ssize_t ret = 0;

	while (n) {
		size_t len = min(n, PAGE_SIZE - (pos & (PAGE_SIZE - 1)));

		if (unlikely(i->seals & ~F_SEAL_SEAL)) {
			ret = seals_forbid(i, pos + len);
			if (ret)
				break;
		}
		ret = write_page(m, s, pos, len, pos + n);
		if (unlikely(ret < 0))
			break;
		done += (size_t)ret;
		pos += (size_t)ret;
		n -= (size_t)ret;
		if (pos > m->size)
			WRITE_ONCE(m->size, pos);
		if (unlikely((size_t)ret < len))
			break;
		if (n) {
			if (park_interrupted(PARK_KILLABLE))
				break;
			cond_resched();
		}
	}
	if (!done)
		return ret;
	*ppos = pos;
	inode_remove_privs(i);
	inode_modified(i);
	return (ssize_t)done;
}

/* Sets *pos to the end when appending, and cuts *n to the limits. */
static int begin_write(struct file *f, u64 *pos, size_t *n)
{
	if (f->flags & O_APPEND)
		*pos = f->inode->mapping.size;
	if (unlikely(*n > MAX_FILE_SIZE - *pos))
		return -EINVAL;
	return write_limit(*pos, n);
}

/*
 * The frequent case: over bytes that the file has, within one page, which is cached, with nothing
 * to check but the size limit. Bytes written, -EFAULT, or 0 when it is another case. inode->lock
 * held.
 */
static inline ssize_t write_over(struct file *f, const char __user *buf, size_t n, u64 *ppos)
{
	struct inode *i = f->inode;
	u64 pos = *ppos, end = pos + n;
	struct folio *folio;
	size_t left;

	if ((f->flags & O_APPEND) || end > i->mapping.size || n > PAGE_SIZE - (pos & ~PAGE_MASK))
		return 0;
	if (unlikely((i->seals & ~F_SEAL_SEAL) || (i->mode & (S_ISUID | S_ISGID)) ||
		     end > rlimit_cur(RLIMIT_FSIZE)))
		return 0;
	folio = filemap_get_folio(&i->mapping, pos >> PAGE_SHIFT);
	if (unlikely(!folio))
		return 0;
	if (unlikely(IS_ERR(folio)))
		return PTR_ERR(folio);
	left = copy_from_user(folio_byte(folio, pos), buf, n);
	if (unlikely(!folio_test(folio, PG_dirty)))
		folio_mark_dirty(folio);
	folio_put(folio);
	if (unlikely(left == n))
		return -EFAULT;
	i->mtime_ns = i->ctime_ns = realtime_ns();
	*ppos = end - left;
	return (ssize_t)(n - left);
}

static ssize_t tmpfs_write(struct file *f, const char __user *buf, size_t n, u64 *pos)
{
	struct source s = { .user = buf };
	ssize_t ret;

	if (unlikely(!n))
		return 0;
	mutex_lock(&f->inode->lock);
	ret = write_over(f, buf, n, pos);
	if (!ret) {
		ret = begin_write(f, pos, &n);
		if (likely(!ret))
			ret = write_locked(f->inode, &s, n, pos);
	}
	mutex_unlock(&f->inode->lock);
	return ret;
}

static ssize_t tmpfs_writev(struct file *f, const struct iovec *iov, unsigned int nr, u64 *pos)
{
	ssize_t done = 0, ret;
	size_t room = 0;

	for (unsigned int i = 0; i < nr; i++)
		room += iov[i].iov_len;
	mutex_lock(&f->inode->lock);
	ret = room ? begin_write(f, pos, &room) : 0;
	for (unsigned int i = 0; i < nr && !ret && room; i++) {
		struct source s = { .user = iov[i].iov_base };
		size_t want = min(iov[i].iov_len, room);

		if (!want)
			continue;
		ret = write_locked(f->inode, &s, want, pos);
		if (ret < 0)
			break;
		done += ret;
		room -= (size_t)ret;
		if ((size_t)ret < iov[i].iov_len)
			break;
		ret = 0;
	}
	mutex_unlock(&f->inode->lock);
	return done ? done : ret;
}

static ssize_t tmpfs_write_kernel_op(struct file *f, const void *buf, size_t n, u64 *pos)
{
	struct source s = { .kernel = buf };
	ssize_t ret;

	mutex_lock(&f->inode->lock);
	ret = begin_write(f, pos, &n);
	if (!ret)
		ret = write_locked(f->inode, &s, n, pos);
	mutex_unlock(&f->inode->lock);
	return ret;
}

ssize_t tmpfs_write_kernel(struct inode *inode, const void *buf, size_t n, u64 pos)
{
	struct source s = { .kernel = buf };
	ssize_t ret;

	mutex_lock(&inode->lock);
	ret = write_locked(inode, &s, n, &pos);
	mutex_unlock(&inode->lock);
	return ret;
}

/* ---- the rest of a file ---- */

static int punch_hole(struct inode *i, u64 off, u64 len)
{
	if (i->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	filemap_punch_hole(&i->mapping, off, off + len);
	return 0;
}

/* The folio that has page i, with a reference; end: of what will be there, in bytes. ERR_PTR. */
static struct folio *allocate_page(struct mapping *m, unsigned long i, u64 end)
{
	struct folio *folio = filemap_get_folio(m, i);

	if (!folio) {
		folio = filemap_new_large(m, i, end);
		return folio ? folio : filemap_grab_folio(m, i);
	}
	/* What an earlier call was given is not taken back when this one fails. As on Linux, it is no hole any more. */
	if (!IS_ERR(folio) && folio_is_hole(folio))
		folio_set(folio, PG_data);
	return folio;
}

/* Allocates what is missing, all or nothing. */
static int allocate_range(struct mapping *m, u64 off, u64 end)
{
	unsigned long first = (unsigned long)(off >> PAGE_SHIFT);
	unsigned long last = (unsigned long)((end - 1) >> PAGE_SHIFT), i;
	const struct page_quota *q = m->quota;
	int err = 0;

	if (q && (long)(last - first) - (long)mapping_nr_pages(m) >
			 READ_ONCE(q->max) - atomic_read(&q->used))
		return -ENOSPC;
	for (i = first; i <= last && !err; i++) {
		struct folio *folio = allocate_page(m, i, end);

		if (IS_ERR(folio)) {
			err = (int)PTR_ERR(folio);
			break;
		}
		i = folio->index + folio_nr_pages(folio) - 1;
		folio_put(folio);
		if (park_interrupted(PARK_INTERRUPTIBLE))
			err = -EINTR;
		cond_resched();
	}
	if (err && i > first)
		filemap_drop_holes(m, first, min(i - 1, last));
	return err;
}

static int tmpfs_fallocate(struct file *f, int mode, u64 off, u64 len)
{
	struct inode *i = f->inode;
	struct mapping *m = &i->mapping;
	u64 end = off + len;
	int err;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	mutex_lock(&i->lock);
	if (mode & FALLOC_FL_PUNCH_HOLE) {
		err = punch_hole(i, off, len);
	} else if ((i->seals & F_SEAL_GROW) && end > m->size) {
		err = -EPERM;
	} else {
		size_t room = len;

		err = end > m->size ? write_limit(end - 1, &room) : 0;
		if (!err)
			err = allocate_range(m, off, end);
		if (!err && !(mode & FALLOC_FL_KEEP_SIZE) && end > m->size)
			WRITE_ONCE(m->size, end);
	}
	if (!err)
		inode_modified(i);
	mutex_unlock(&i->lock);
	return err;
}

/*
 * Is there data at *index? Pages that were only allocated are holes. When there is no
 * page at all and data is looked for, *index moves to just before the next page.
 */
static bool has_data(struct mapping *m, unsigned long *index, unsigned long last, bool skip)
{
	struct folio *folio;
	bool data = false;

	spin_lock(&m->lock);
	if (skip) {
		folio = xa_find(&m->folios, index, last);
		if (!folio)
			*index = last;
	} else {
		folio = xa_load(&m->folios, *index);
	}
	if (folio)
		data = xa_is_value(folio) || !folio_is_hole(folio);
	spin_unlock(&m->lock);
	return data;
}

/* The first offset >= off that is data (or a hole, as if one began at the end of the file). */
static u64 find_extent(struct mapping *m, u64 off, bool data)
{
	unsigned long index = (unsigned long)(off >> PAGE_SHIFT), first = index;
	unsigned long last = (unsigned long)((m->size - 1) >> PAGE_SHIFT);

	for (; index <= last; index++) {
		if (has_data(m, &index, last, data) == data)
			break;
		cond_resched();
	}
	return index == first ? off : min((u64)index << PAGE_SHIFT, m->size);
}

static s64 tmpfs_llseek(struct file *f, s64 off, int whence)
{
	struct mapping *m = &f->inode->mapping;
	s64 base = 0;

	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		base = (s64)f->pos;
		break;
	case SEEK_END:
		base = (s64)READ_ONCE(m->size);
		break;
	default: /* SEEK_DATA, SEEK_HOLE: the size must not change meanwhile */
		mutex_lock(&f->inode->lock);
		if (off < 0 || (u64)off >= m->size) {
			off = -ENXIO;
		} else {
			off = (s64)find_extent(m, (u64)off, whence == SEEK_DATA);
			if (whence == SEEK_DATA && (u64)off >= m->size)
				off = -ENXIO;
		}
		mutex_unlock(&f->inode->lock);
		if (off < 0)
			return off;
		break;
	}
	if (__builtin_add_overflow(base, off, &off) || off < 0)
		return -EINVAL;
	f->pos = (u64)off;
	return off;
}

const struct inode_ops tmpfs_dir_iops = {
	.new_inode = tmpfs_new_inode,
	.release = tmpfs_release,
};

const struct inode_ops tmpfs_file_iops = {
	.release = tmpfs_release,
};

static const struct inode_ops tmpfs_link_iops = {
	.release = tmpfs_release,
};

static const struct file_ops tmpfs_dir_fops = {
	.readdir = dentry_readdir,
};

const struct file_ops tmpfs_file_fops = {
	.read = tmpfs_read,
	.write = tmpfs_write,
	.writev = tmpfs_writev,
	.write_kernel = tmpfs_write_kernel_op,
	.llseek = tmpfs_llseek,
	.fallocate = tmpfs_fallocate,
};
