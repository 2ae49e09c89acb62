/* SPDX-License-Identifier: MIT
 *
 * New files, directories and symbolic links: mkdir, mknod, symlink, and whoever makes one inside the kernel.
 */
#include <arch/uaccess.h>
#include <fs/internal.h>
#include <fs/names.h>
#include <kernel/syscall.h>
#include <uapi/capability.h>

/* At the last component. The new file, kept by the walk. */
static struct dentry *create_last(struct walk *w, u32 mode, u64 rdev, const char *symlink)
{
	struct inode *dir, *inode;
	struct dentry *d;
	int err = may_create_name(w, S_ISDIR(mode));

	if (err)
		return ERR_PTR(err);
	if ((S_ISCHR(mode) || S_ISBLK(mode)) && !cred_has_cap(CAP_MKNOD))
		return ERR_PTR(-EPERM);
	dir = w->at->inode;
	if (!dir->ops->new_inode)
		return ERR_PTR(-EPERM);
	walk_unlock(w);
	inode = dir->ops->new_inode(dir, mode, rdev, symlink);
	d = IS_ERR(inode) ? NULL : dentry_alloc(w->name, w->len, inode);
	walk_lock(w);
	if (!d)
		return ERR_PTR(IS_ERR(inode) ? PTR_ERR(inode) : -ENOMEM);
	w->drop = d;
	err = add_name(w, d);
	return err ? ERR_PTR(err) : d;
}

struct dentry *vfs_create(int dirfd, const char *path, u32 mode, u64 rdev, const char *symlink)
{
	struct dentry *d;
	struct walk w;
	int err = walk_start_last(&w, dirfd, path);

	if (err)
		return ERR_PTR(err);
	d = create_last(&w, mode, rdev, symlink);
	if (!IS_ERR(d))
		dentry_get(d);
	walk_end(&w);
	return d;
}

static int create_and_forget(int dirfd, const char *path, u32 mode, u64 rdev, const char *symlink)
{
	struct dentry *d = vfs_create(dirfd, path, mode, rdev, symlink);

	if (IS_ERR(d))
		return (int)PTR_ERR(d);
	dentry_put(d);
	return 0;
}

int vfs_mkdir(const char *path, u32 mode)
{
	return create_and_forget(AT_FDCWD, path, S_IFDIR | (mode & 07777), 0, NULL);
}

int vfs_mknod(const char *path, u32 mode, u64 rdev)
{
	return create_and_forget(AT_FDCWD, path, mode, rdev, NULL);
}

static long create_user(int dirfd, const char __user *upath, u32 mode, u64 rdev,
			const char *symlink)
{
	char *path = path_get_user(upath, false);
	int err;

	if (IS_ERR(path))
		return PTR_ERR(path);
	if (!S_ISLNK(mode))
		mode &= ~READ_ONCE(current->fs->umask);
	err = create_and_forget(dirfd, path, mode, rdev, symlink);
	path_put_user(path);
	return err;
}

static long do_mkdir(int dirfd, const char __user *path, u32 mode)
{
	return create_user(dirfd, path, S_IFDIR | (mode & 01777), 0, NULL);
}

static long do_mknod(int dirfd, const char __user *path, u32 mode, u32 dev)
{
	switch (mode & S_IFMT) {
	case 0:
		mode |= S_IFREG;
		break;
	case S_IFCHR:
	case S_IFBLK:
		break;
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
		dev = 0;
		break;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	return create_user(dirfd, path, mode & (S_IFMT | 07777), dev, NULL);
}

static long do_symlink(const char __user *utext, int dirfd, const char __user *path)
{
	char *text = path_get_user(utext, false);
	long err;

	if (IS_ERR(text))
		return PTR_ERR(text);
	err = create_user(dirfd, path, S_IFLNK | 0777, 0, text);
	path_put_user(text);
	return err;
}

SYSCALL_DEFINE2(mkdir, const char __user *, path, u32, mode)
{
	return do_mkdir(AT_FDCWD, path, mode);
}

SYSCALL_DEFINE3(mkdirat, int, dirfd, const char __user *, path, u32, mode)
{
	return do_mkdir(dirfd, path, mode);
}

SYSCALL_DEFINE3(mknod, const char __user *, path, u32, mode, u32, dev)
{
	return do_mknod(AT_FDCWD, path, mode, dev);
}

SYSCALL_DEFINE4(mknodat, int, dirfd, const char __user *, path, u32, mode, u32, dev)
{
	return do_mknod(dirfd, path, mode, dev);
}

SYSCALL_DEFINE2(symlink, const char __user *, text, const char __user *, path)
{
	return do_symlink(text, AT_FDCWD, path);
}

SYSCALL_DEFINE3(symlinkat, const char __user *, text, int, dirfd, const char __user *, path)
{
	return do_symlink(text, dirfd, path);
}
