/* SPDX-License-Identifier: MIT
 *
 * stat() in its forms, readlink().
 */
#include <arch/uaccess.h>
#include <fs/internal.h>
#include <kern/string.h>
#include <kernel/syscall.h>
#include <kernel/timer.h>
#include <kernel/user_namespace.h>
#include <mm/slab.h>

#define SECTORS_PER_PAGE (PAGE_SIZE / 512)

static u64 inode_blocks(struct inode *i)
{
	return i->has_mapping ? mapping_nr_pages(&i->mapping) * SECTORS_PER_PAGE : 0;
}

static u32 inode_blksize(const struct inode *i)
{
	return S_ISREG(i->mode) && !i->has_mapping ? 1024 : PAGE_SIZE;
}

static int copy_stat(struct inode *i, struct stat __user *ubuf)
{
	struct stat st;

	if (i->ops && i->ops->getattr)
		i->ops->getattr(i);
	memset(&st, 0, sizeof(st));
	st.st_dev = i->dev;
	st.st_ino = i->ino;
	st.st_nlink = i->nlink;
	st.st_mode = i->mode;
	st.st_uid = shown_uid(current_user_ns(), i->uid);
	st.st_gid = shown_gid(current_user_ns(), i->gid);
	st.st_rdev = i->rdev;
	st.st_size = (s64)inode_size(i);
	st.st_blksize = inode_blksize(i);
	st.st_blocks = (s64)inode_blocks(i);
	st.st_atime_sec = i->atime_ns / NSEC_PER_SEC;
	st.st_atime_nsec = i->atime_ns % NSEC_PER_SEC;
	st.st_mtime_sec = i->mtime_ns / NSEC_PER_SEC;
	st.st_mtime_nsec = i->mtime_ns % NSEC_PER_SEC;
	st.st_ctime_sec = i->ctime_ns / NSEC_PER_SEC;
	st.st_ctime_nsec = i->ctime_ns % NSEC_PER_SEC;
	return copy_to_user(ubuf, &st, sizeof(st)) ? -EFAULT : 0;
}

static long do_stat(int dirfd, const char __user *path, struct stat __user *buf, int flags)
{
	struct dentry *d = user_path_at(dirfd, path, flags & ~AT_NO_AUTOMOUNT,
					AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
	int err;

	if (IS_ERR(d))
		return PTR_ERR(d);
	err = copy_stat(d->inode, buf);
	dentry_put(d);
	return err;
}

SYSCALL_DEFINE2(stat, const char __user *, path, struct stat __user *, buf)
{
	return do_stat(AT_FDCWD, path, buf, 0);
}

SYSCALL_DEFINE2(lstat, const char __user *, path, struct stat __user *, buf)
{
	return do_stat(AT_FDCWD, path, buf, AT_SYMLINK_NOFOLLOW);
}

SYSCALL_DEFINE4(newfstatat, int, dirfd, const char __user *, path, struct stat __user *, buf, int,
		flags)
{
	return do_stat(dirfd, path, buf, flags);
}

SYSCALL_DEFINE2(fstat, int, fd, struct stat __user *, buf)
{
	struct file *f = fd_get_path(fd);
	int err;

	if (!f)
		return -EBADF;
	err = copy_stat(f->inode, buf);
	file_put(f);
	return err;
}

/* ---- statx ---- */

static struct statx_timestamp statx_time(u64 ns)
{
	return (struct statx_timestamp){ (s64)(ns / NSEC_PER_SEC), (u32)(ns % NSEC_PER_SEC), 0 };
}

static void fill_statx(struct inode *i, struct statx *sx)
{
	memset(sx, 0, sizeof(*sx));
	sx->stx_mask = STATX_BASIC_STATS;
	sx->stx_blksize = inode_blksize(i);
	sx->stx_nlink = i->nlink;
	sx->stx_uid = shown_uid(current_user_ns(), i->uid);
	sx->stx_gid = shown_gid(current_user_ns(), i->gid);
	sx->stx_mode = (u16)i->mode;
	sx->stx_ino = i->ino;
	sx->stx_size = inode_size(i);
	sx->stx_blocks = inode_blocks(i);
	sx->stx_atime = statx_time(i->atime_ns);
	sx->stx_mtime = statx_time(i->mtime_ns);
	sx->stx_ctime = statx_time(i->ctime_ns);
	sx->stx_rdev_major = MAJOR(i->rdev);
	sx->stx_rdev_minor = MINOR(i->rdev);
	sx->stx_dev_major = MAJOR(i->dev);
	sx->stx_dev_minor = MINOR(i->dev);
}

SYSCALL_DEFINE5(statx, int, dirfd, const char __user *, path, int, flags, u32, mask,
		struct statx __user *, buf)
{
	struct dentry *d;
	struct statx sx;

	if ((mask & STATX__RESERVED) || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	d = user_path_at(dirfd, path, flags & ~(AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE),
			 AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
	if (IS_ERR(d))
		return PTR_ERR(d);
	if (d->inode->ops && d->inode->ops->getattr)
		d->inode->ops->getattr(d->inode);
	fill_statx(d->inode, &sx);
	dentry_put(d);
	return copy_to_user(buf, &sx, sizeof(sx)) ? -EFAULT : 0;
}

/* ---- readlink ---- */

/* The text behind an object that a magic link leads to. */
static ssize_t object_text(struct inode *inode, char *buf)
{
	struct dentry *target = inode->ops->follow(inode);
	ssize_t n;
	char *p;

	if (IS_ERR(target))
		return PTR_ERR(target);
	p = dentry_path(target, buf, PATH_MAX);
	dentry_put(target);
	if (IS_ERR(p))
		return PTR_ERR(p);
	n = (ssize_t)strlen(p);
	memmove(buf, p, (size_t)n);
	return n;
}

static ssize_t link_text(struct inode *inode, char *buf)
{
	if (!S_ISLNK(inode->mode))
		return -EINVAL;
	if (inode->ops->readlink)
		return inode->ops->readlink(inode, buf, PATH_MAX);
	if (inode->ops->follow)
		return object_text(inode, buf);
	strscpy(buf, inode->link, PATH_MAX);
	return (ssize_t)strlen(buf);
}

static long do_readlink(int dirfd, const char __user *upath, char __user *ubuf, int size)
{
	char *path, *text;
	struct dentry *d;
	ssize_t n;

	if (size <= 0)
		return -EINVAL;
	path = path_get_user(upath, dirfd != AT_FDCWD);
	if (IS_ERR(path))
		return PTR_ERR(path);
	d = path_lookup(dirfd, path, LOOKUP_EMPTY);
	path_put_user(path);
	if (IS_ERR(d))
		return PTR_ERR(d);
	text = kmalloc(PATH_MAX, GFP_KERNEL);
	n = text ? link_text(d->inode, text) : -ENOMEM;
	dentry_put(d);
	if (n > size)
		n = size;
	if (n > 0 && copy_to_user(ubuf, text, (size_t)n))
		n = -EFAULT;
	kfree(text);
	return n;
}

SYSCALL_DEFINE3(readlink, const char __user *, path, char __user *, buf, int, size)
{
	return do_readlink(AT_FDCWD, path, buf, size);
}

SYSCALL_DEFINE4(readlinkat, int, dirfd, const char __user *, path, char __user *, buf, int, size)
{
	return do_readlink(dirfd, path, buf, size);
}
