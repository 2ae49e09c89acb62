/* SPDX-License-Identifier: MIT
 *
 * open() and its relatives, access().
 */
#include <arch/uaccess.h>
#include <fs/internal.h>
#include <kernel/syscall.h>
#include <kernel/user_namespace.h>
#include <uapi/mount.h>

/* What the flags ask of the inode: MAY_*. O_TRUNC writes, whatever the access mode says. */
static int wanted_access(unsigned int flags)
{
	static const u8 mask[4] = { MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE,
				    MAY_READ | MAY_WRITE };

	return mask[flags & O_ACCMODE] | (flags & O_TRUNC ? MAY_WRITE : 0);
}

/* created: it is the caller's new file, whose mode does not bind this open. */
static int may_open(const struct dentry *d, unsigned int flags, bool created)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): open_walk() without error found one */
	const struct inode *i = d->inode;
	int mask = wanted_access(flags), err;

	if (flags & O_PATH)
		return 0;
	if (S_ISLNK(i->mode))
		return -ELOOP;
	if (S_ISDIR(i->mode) && (mask & MAY_WRITE))
		return -EISDIR;
	if (S_ISSOCK(i->mode))
		return -ENXIO;
	if ((S_ISCHR(i->mode) || S_ISBLK(i->mode)) && d->mount && (d->mount->flags & MS_NODEV))
		return -EACCES;
	err = created ? 0 : inode_permission(i, mask);
	if (err)
		return err;
	if ((mask & MAY_WRITE) && S_ISREG(i->mode) && dentry_readonly(d))
		return -EROFS;
	if ((flags & O_NOATIME) && !inode_owner_or_capable(i))
		return -EPERM;
	return 0;
}

/* Opens the result of a walk. Takes over the reference to d. */
static struct file *open_found(struct dentry *d, unsigned int flags, bool created)
{
	struct file *f;
	int err;

	if ((flags & O_DIRECTORY) && !S_ISDIR(d->inode->mode))
		err = -ENOTDIR;
	else
		err = may_open(d, flags, created);
	if (err) {
		dentry_put(d);
		return ERR_PTR(err);
	}
	f = file_open_dentry(d, flags);
	dentry_put(d);
	if (!IS_ERR(f) && (flags & O_TRUNC) && !created && f->inode->has_mapping) {
		err = vfs_truncate(f->inode, 0);
		if (err) {
			file_put(f);
			return ERR_PTR(err);
		}
	}
	return f;
}

/*
 * The name is free: makes a regular file. The lock is held before and after. 0 or -errno; -EEXIST:
 * look again.
 */
static int create_file(struct walk *w, u32 mode, struct dentry **out)
{
	struct inode *dir = w->at->inode, *inode;
	struct dentry *d;
	int err;

	if (w->at->unlinked)
		return -ENOENT;
	if (!dir->ops->new_inode)
		return -EACCES;
	if (dentry_readonly(w->at))
		return -EROFS;
	err = inode_permission(dir, MAY_WRITE | MAY_EXEC);
	if (err)
		return err;
	walk_unlock(w);
	inode = dir->ops->new_inode(dir, S_IFREG | mode, 0, NULL);
	d = IS_ERR(inode) ? NULL : dentry_alloc(w->name, w->len, inode);
	walk_lock(w);
	if (!d)
		return IS_ERR(inode) ? (int)PTR_ERR(inode) : -ENOMEM;
	err = dentry_link(w->at, d);
	if (!err) {
		inode_modified(dir);
		*out = d; /* with the reference of dentry_alloc() */
		return 0;
	}
	walk_unlock(w);
	dentry_put(d);
	walk_lock(w);
	return err;
}

/*
 * Looks at the last component. *d: found or created, with a reference. 0, -errno, or 1: a link was
 * followed and the walk goes on.
 */
static int open_last(struct walk *w, unsigned int flags, u32 mode, struct dentry **out,
		     bool *created)
{
	bool exclusive = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
	struct dentry *d;
	int err;

	if ((flags & O_CREAT) && w->slash)
		return -EISDIR;
	d = walk_child(w);
	if (IS_ERR(d)) {
		if (PTR_ERR(d) != -ENOENT || !(flags & O_CREAT))
			return (int)PTR_ERR(d);
		*created = true;
		err = create_file(w, mode, out);
		if (err != -EEXIST)
			return err;
		*created = false;
		d = walk_child(w);
		if (IS_ERR(d))
			return (int)PTR_ERR(d);
	}
	if (exclusive)
		return -EEXIST;
	if (S_ISLNK(d->inode->mode)) {
		if (w->slash || !(flags & O_NOFOLLOW)) {
			err = walk_follow(w, d);
			if (err || !w->jumped)
				return err ? err : 1;
			d = w->at;
		} else if (!(flags & O_PATH)) {
			return -ELOOP;
		}
	} else {
		walk_enter(w, d);
		d = w->at;
	}
	if ((flags & O_CREAT) && S_ISDIR(d->inode->mode))
		return -EISDIR;
	if (w->slash && !S_ISDIR(d->inode->mode))
		return -ENOTDIR;
	dentry_get(d);
	*out = d;
	return 0;
}

static int open_walk(struct walk *w, unsigned int flags, u32 mode, struct dentry **out,
		     bool *created)
{
	int err;

	do {
		err = walk_to_last(w);
		if (err)
			return err;
		if (w->type != LAST_NORM) {
			if (flags & O_CREAT)
				return flags & O_EXCL ? -EEXIST : -EISDIR;
			walk_dots(w);
			dentry_get(w->at);
			*out = w->at;
			return 0;
		}
		err = open_last(w, flags, mode, out, created);
	} while (err == 1);
	return err;
}

/* O_TMPFILE: a file in the directory's filesystem without a name. */
static struct file *open_tmpfile(int dirfd, const char *path, unsigned int flags, u32 mode)
{
	struct dentry *dir = path_lookup(dirfd, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY), *d;
	struct inode *inode;
	int err;

	if (IS_ERR(dir))
		return ERR_PTR(PTR_ERR(dir));
	err = inode_permission(dir->inode, MAY_WRITE | MAY_EXEC);
	if (!err && dentry_readonly(dir))
		err = -EROFS;
	if (!err && !dir->inode->ops->new_inode)
		err = -EOPNOTSUPP;
	if (err) {
		dentry_put(dir);
		return ERR_PTR(err);
	}
	inode = dir->inode->ops->new_inode(dir->inode, S_IFREG | mode, 0, NULL);
	if (IS_ERR(inode)) {
		dentry_put(dir);
		return ERR_PTR(PTR_ERR(inode));
	}
	inode->nlink = 0;
	inode->linkable = !(flags & O_EXCL);
	d = dentry_alloc("#tmp", 4, inode);
	if (!d) {
		dentry_put(dir);
		return ERR_PTR(-ENOMEM);
	}
	dentry_set_parent(d, dir);
	d->unlinked = true;
	dentry_put(dir);
	return open_found(d, flags & ~(unsigned int)(O_TMPFILE | O_TRUNC), true);
}

struct file *vfs_open(int dirfd, const char *path, unsigned int flags, u32 mode)
{
	struct fs_context *fs = current->fs;
	struct dentry *d = NULL;
	bool created = false;
	struct walk w;
	int err;

	mode &= 07777 & (fs ? ~READ_ONCE(fs->umask) : ~0U);
	if (flags & O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	if ((flags & O_TMPFILE) == O_TMPFILE) {
		if ((flags & O_CREAT) || !(wanted_access(flags) & MAY_WRITE) ||
		    (flags & O_ACCMODE) == O_RDONLY)
			return ERR_PTR(-EINVAL);
		return open_tmpfile(dirfd, path, flags, mode);
	}
	if (flags & 020000000) /* half of O_TMPFILE */
		return ERR_PTR(-EINVAL);
	if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY))
		return ERR_PTR(-EINVAL);
	if (!*path)
		return ERR_PTR(-ENOENT);
	err = walk_start(&w, dirfd, path);
	if (err)
		return ERR_PTR(err);
	err = open_walk(&w, flags, mode, &d, &created);
	walk_end(&w);
	return err ? ERR_PTR(err) : open_found(d, flags, created);
}

static long do_open(int dirfd, const char __user *upath, unsigned int flags, u32 mode)
{
	char *path = path_get_user(upath, false);
	struct file *f;
	int fd;

	if (IS_ERR(path))
		return PTR_ERR(path);
	fd = fd_reserve(0, flags & O_CLOEXEC);
	if (fd >= 0) {
		f = vfs_open(dirfd, path, flags, mode);
		if (IS_ERR(f)) {
			fd_unreserve(fd);
			fd = (int)PTR_ERR(f);
		} else {
			fd_publish(fd, f);
		}
	}
	path_put_user(path);
	return fd;
}

SYSCALL_DEFINE3(open, const char __user *, path, unsigned int, flags, u32, mode)
{
	return do_open(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

SYSCALL_DEFINE4(openat, int, dirfd, const char __user *, path, unsigned int, flags, u32, mode)
{
	return do_open(dirfd, path, flags | O_LARGEFILE, mode);
}

SYSCALL_DEFINE2(creat, const char __user *, path, u32, mode)
{
	return do_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC | O_LARGEFILE, mode);
}

/* ---- access ---- */

/* access() asks for the real ids: they are put on for the duration of the call. */
static struct cred assume_real_ids(void)
{
	struct cred *c = &current->cred, saved = *c;

	c->fsuid = c->uid;
	c->fsgid = c->gid;
	c->cap_effective = c->uid == make_kuid(c->user_ns, 0) ? c->cap_permitted : 0;
	return saved;
}

static int access_dentry(const struct dentry *d, int mode)
{
	const struct inode *i = d->inode;
	int err;

	if (mode == 0)
		return 0;
	if ((mode & MAY_EXEC) && S_ISREG(i->mode) && dentry_noexec(d))
		return -EACCES;
	err = inode_permission(i, mode);
	if (!err && (mode & MAY_WRITE) && dentry_readonly(d) &&
	    (S_ISREG(i->mode) || S_ISDIR(i->mode) || S_ISLNK(i->mode)))
		err = -EROFS;
	return err;
}

static long do_access(int dirfd, const char __user *path, int mode, int flags)
{
	struct cred saved = current->cred;
	struct dentry *d;
	int err;

	if (mode & ~7)
		return -EINVAL;
	if (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (!(flags & AT_EACCESS))
		saved = assume_real_ids();
	d = user_path_at(dirfd, path, flags & ~AT_EACCESS, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
	if (IS_ERR(d)) {
		err = (int)PTR_ERR(d);
	} else {
		err = access_dentry(d, mode);
		dentry_put(d);
	}
	current->cred.fsuid = saved.fsuid;
	current->cred.fsgid = saved.fsgid;
	current->cred.cap_effective = saved.cap_effective;
	return err;
}

SYSCALL_DEFINE2(access, const char __user *, path, int, mode)
{
	return do_access(AT_FDCWD, path, mode, 0);
}

SYSCALL_DEFINE3(faccessat, int, dirfd, const char __user *, path, int, mode)
{
	return do_access(dirfd, path, mode, 0);
}

SYSCALL_DEFINE4(faccessat2, int, dirfd, const char __user *, path, int, mode, int, flags)
{
	return do_access(dirfd, path, mode, flags);
}
