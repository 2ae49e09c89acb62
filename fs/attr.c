/* SPDX-License-Identifier: MIT
 *
 * Changing what stat shows: mode, owner, times, size.
 */
#include <arch/uaccess.h>
#include <fs/internal.h>
#include <kernel/cred.h>
#include <kernel/signal.h>
#include <kernel/syscall.h>
#include <kernel/timer.h>
#include <kernel/user_namespace.h>
#include <uapi/time.h>

/* ---- mode ---- */

static int change_mode(struct dentry *d, u32 mode)
{
	struct inode *i = d->inode;

	if (dentry_readonly(d))
		return -EROFS;
	if (!inode_owner_or_capable(i))
		return -EPERM;
	if (S_ISLNK(i->mode))
		return -EOPNOTSUPP;
	mode &= 07777;
	if (!current_in_group(i->gid) && !inode_capable(i, CAP_FSETID))
		mode &= ~S_ISGID;
	mutex_lock(&i->lock);
	i->mode = (i->mode & S_IFMT) | mode;
	inode_changed(i);
	mutex_unlock(&i->lock);
	return 0;
}

static long do_chmod(int dirfd, const char __user *path, u32 mode)
{
	struct dentry *d = user_path_at(dirfd, path, 0, 0);
	int err;

	if (IS_ERR(d))
		return PTR_ERR(d);
	err = change_mode(d, mode);
	dentry_put(d);
	return err;
}

SYSCALL_DEFINE2(chmod, const char __user *, path, u32, mode)
{
	return do_chmod(AT_FDCWD, path, mode);
}

SYSCALL_DEFINE3(fchmodat, int, dirfd, const char __user *, path, u32, mode)
{
	return do_chmod(dirfd, path, mode);
}

SYSCALL_DEFINE2(fchmod, int, fd, u32, mode)
{
	struct file *f = fd_get(fd);
	int err;

	if (!f)
		return -EBADF;
	err = change_mode(f->dentry, mode);
	file_put(f);
	return err;
}

/* ---- owner ---- */

static bool may_chown(const struct inode *i, u32 uid, u32 gid)
{
	bool owner = current->cred.fsuid == i->uid;

	if (inode_capable(i, CAP_CHOWN))
		return true;
	if (uid != ID_NONE && (uid != i->uid || !owner))
		return false;
	return gid == ID_NONE || (owner && (gid == i->gid || current_in_group(gid)));
}

/* ID_NONE leaves one as it is. */
static int change_owner(struct dentry *d, u32 user, u32 group)
{
	u32 uid = make_kuid(current_user_ns(), user), gid = make_kgid(current_user_ns(), group);
	struct inode *i = d->inode;

	if ((user != ID_NONE && uid == ID_NONE) || (group != ID_NONE && gid == ID_NONE))
		return -EINVAL;
	if (dentry_readonly(d))
		return -EROFS;
	if (!may_chown(i, uid, gid))
		return -EPERM;
	mutex_lock(&i->lock);
	if (uid != ID_NONE)
		i->uid = uid;
	if (gid != ID_NONE)
		i->gid = gid;
	if (!S_ISDIR(i->mode)) { /* even for root: who gets the file did not ask for the bits */
		i->mode &= ~S_ISUID;
		if (i->mode & S_IXGRP)
			i->mode &= ~S_ISGID;
	}
	inode_changed(i);
	mutex_unlock(&i->lock);
	return 0;
}

static long do_chown(int dirfd, const char __user *path, u32 uid, u32 gid, int flags)
{
	struct dentry *d = user_path_at(dirfd, path, flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
	int err;

	if (IS_ERR(d))
		return PTR_ERR(d);
	err = change_owner(d, uid, gid);
	dentry_put(d);
	return err;
}

SYSCALL_DEFINE3(chown, const char __user *, path, u32, uid, u32, gid)
{
	return do_chown(AT_FDCWD, path, uid, gid, 0);
}

SYSCALL_DEFINE3(lchown, const char __user *, path, u32, uid, u32, gid)
{
	return do_chown(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

SYSCALL_DEFINE5(fchownat, int, dirfd, const char __user *, path, u32, uid, u32, gid, int, flags)
{
	return do_chown(dirfd, path, uid, gid, flags);
}

SYSCALL_DEFINE3(fchown, int, fd, u32, uid, u32, gid)
{
	struct file *f = fd_get(fd);
	int err;

	if (!f)
		return -EBADF;
	err = change_owner(f->dentry, uid, gid);
	file_put(f);
	return err;
}

/* ---- times ---- */

/* Nanoseconds since 1970, or one of these. */
#define TIME_NOW (~0ULL)
#define TIME_OMIT (~0ULL - 1)

static int change_times(struct dentry *d, const u64 t[2])
{
	struct inode *i = d->inode;
	u64 now = realtime_ns();
	int err;

	if (t[0] == TIME_OMIT && t[1] == TIME_OMIT)
		return 0;
	if (dentry_readonly(d))
		return -EROFS;
	if (!inode_owner_or_capable(i)) {
		if (t[0] != TIME_NOW || t[1] != TIME_NOW)
			return -EPERM;
		err = inode_permission(i, MAY_WRITE);
		if (err)
			return err;
	}
	if (t[0] != TIME_OMIT)
		i->atime_ns = t[0] == TIME_NOW ? now : t[0];
	if (t[1] != TIME_OMIT)
		i->mtime_ns = t[1] == TIME_NOW ? now : t[1];
	i->ctime_ns = now;
	return 0;
}

static int times_from_user(u64 t[2], const void __user *uts)
{
	struct timespec ts[2];

	t[0] = t[1] = TIME_NOW;
	if (!uts)
		return 0;
	if (copy_from_user(ts, uts, sizeof(ts)))
		return -EFAULT;
	for (int n = 0; n < 2; n++) {
		long nsec = (long)ts[n].tv_nsec;

		if (nsec == UTIME_NOW)
			t[n] = TIME_NOW;
		else if (nsec == UTIME_OMIT)
			t[n] = TIME_OMIT;
		else if (nsec < 0 || nsec >= (long)NSEC_PER_SEC)
			return -EINVAL;
		else /* like a filesystem whose times begin in 1970 */
			t[n] = ts[n].tv_sec < 0 ? 0 : (u64)ts[n].tv_sec * NSEC_PER_SEC + (u64)nsec;
	}
	return 0;
}

static long do_utimes(int dirfd, const char __user *path, const u64 t[2], int flags)
{
	struct dentry *d;
	struct file *f;
	int err;

	if (!path && dirfd != AT_FDCWD) {
		if (flags)
			return -EINVAL;
		f = fd_get(dirfd);
		if (!f)
			return -EBADF;
		err = change_times(f->dentry, t);
		file_put(f);
		return err;
	}
	d = user_path_at(dirfd, path, flags, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
	if (IS_ERR(d))
		return PTR_ERR(d);
	err = change_times(d, t);
	dentry_put(d);
	return err;
}

SYSCALL_DEFINE4(utimensat, int, dirfd, const char __user *, path, const void __user *, times, int,
		flags)
{
	u64 t[2];
	int err = times_from_user(t, times);

	return err ? err : do_utimes(dirfd, path, t, flags);
}

static long do_futimesat(int dirfd, const char __user *path, const void __user *utv)
{
	struct {
		s64 sec, usec;
	} tv[2];
	u64 t[2] = { TIME_NOW, TIME_NOW };

	if (utv) {
		if (copy_from_user(tv, utv, sizeof(tv)))
			return -EFAULT;
		for (int n = 0; n < 2; n++) {
			if (tv[n].usec < 0 || tv[n].usec >= 1000000)
				return -EINVAL;
			t[n] = tv[n].sec < 0
				       ? 0
				       : (u64)tv[n].sec * NSEC_PER_SEC + (u64)tv[n].usec * 1000;
		}
	}
	return do_utimes(dirfd, path, t, 0);
}

SYSCALL_DEFINE2(utimes, const char __user *, path, const void __user *, tv)
{
	return do_futimesat(AT_FDCWD, path, tv);
}

SYSCALL_DEFINE3(futimesat, int, dirfd, const char __user *, path, const void __user *, tv)
{
	return do_futimesat(dirfd, path, tv);
}

SYSCALL_DEFINE2(utime, const char __user *, path, const void __user *, utb)
{
	u64 t[2] = { TIME_NOW, TIME_NOW };
	s64 sec[2];

	if (utb) {
		if (copy_from_user(sec, utb, sizeof(sec)))
			return -EFAULT;
		for (int n = 0; n < 2; n++)
			t[n] = sec[n] < 0 ? 0 : (u64)sec[n] * NSEC_PER_SEC;
	}
	return do_utimes(AT_FDCWD, path, t, 0);
}

/* ---- size ---- */

int write_limit(u64 pos, size_t *n)
{
	u64 limit = rlimit_cur(RLIMIT_FSIZE);

	if (unlikely(limit < MAX_FILE_SIZE)) {
		if (pos >= limit) {
			(void)send_signal_task(current, SIGXFSZ, NULL);
			return -EFBIG;
		}
		*n = min(*n, limit - pos);
	}
	if (pos >= MAX_FILE_SIZE)
		return -EFBIG;
	*n = min(*n, MAX_FILE_SIZE - pos);
	return 0;
}

/* Also to the same size: pages allocated beyond the end (FALLOC_FL_KEEP_SIZE) go. */
static void set_size(struct mapping *m, u64 size)
{
	u64 end = ALIGN_UP(size, PAGE_SIZE);

	if (size != m->size)
		filemap_truncate(m, size);
	else if (mapping_nr_pages(m) && end < MAX_FILE_SIZE)
		filemap_punch_hole(m, end, MAX_FILE_SIZE & PAGE_MASK);
}

int vfs_truncate(struct inode *i, u64 size)
{
	struct mapping *m = &i->mapping;
	int err = 0;

	if (!i->has_mapping)
		return -EINVAL;
	mutex_lock(&i->lock);
	if (i->ops->may_resize) {
		err = i->ops->may_resize(i, size);
	} else if (size > m->size) {
		if (i->seals & F_SEAL_GROW) {
			err = -EPERM;
		} else if (size > rlimit_cur(RLIMIT_FSIZE)) {
			(void)send_signal_task(current, SIGXFSZ, NULL);
			err = -EFBIG;
		}
	} else if (size < m->size && (i->seals & F_SEAL_SHRINK)) {
		err = -EPERM;
	}
	if (!err) {
		inode_remove_privs(i);
		set_size(m, size);
		inode_modified(i);
	}
	mutex_unlock(&i->lock);
	return err;
}

SYSCALL_DEFINE2(truncate, const char __user *, path, s64, size)
{
	struct dentry *d;
	int err;

	if (size < 0)
		return -EINVAL;
	d = user_path_at(AT_FDCWD, path, 0, 0);
	if (IS_ERR(d))
		return PTR_ERR(d);
	if (S_ISDIR(d->inode->mode))
		err = -EISDIR;
	else if (!S_ISREG(d->inode->mode))
		err = -EINVAL;
	else
		err = inode_permission(d->inode, MAY_WRITE);
	if (!err && dentry_readonly(d))
		err = -EROFS;
	if (!err)
		err = vfs_truncate(d->inode, (u64)size);
	dentry_put(d);
	return err;
}

SYSCALL_DEFINE2(ftruncate, int, fd, s64, size)
{
	struct file *f;
	int err;

	if (size < 0)
		return -EINVAL;
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	if (!S_ISREG(f->inode->mode) || !(f->mode & FMODE_WRITE))
		err = -EINVAL;
	else
		err = vfs_truncate(f->inode, (u64)size);
	file_put(f);
	return err;
}

int vfs_fallocate(struct file *f, int mode, s64 off, s64 len)
{
	if (off < 0 || len <= 0)
		return -EINVAL;
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE |
		     FALLOC_FL_ZERO_RANGE | FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE))
		return -EOPNOTSUPP;
	if ((mode & FALLOC_FL_PUNCH_HOLE) && mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	if (!(f->mode & FMODE_WRITE))
		return -EBADF;
	if (S_ISFIFO(f->inode->mode))
		return -ESPIPE;
	if (S_ISDIR(f->inode->mode))
		return -EISDIR;
	if (!S_ISREG(f->inode->mode))
		return -ENODEV;
	if (off > (s64)MAX_FILE_SIZE - len)
		return -EFBIG;
	return f->ops->fallocate ? f->ops->fallocate(f, mode, (u64)off, (u64)len) : -EOPNOTSUPP;
}

SYSCALL_DEFINE4(fallocate, int, fd, int, mode, s64, off, s64, len)
{
	struct file *f = fd_get(fd);
	int err;

	if (!f)
		return -EBADF;
	err = vfs_fallocate(f, mode, off, len);
	file_put(f);
	return err;
}
