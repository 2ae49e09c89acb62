/* SPDX-License-Identifier: MIT
 *
 * Names that go away: unlink, rmdir.
 */
#include <arch/uaccess.h>
#include <fs/internal.h>
#include <fs/names.h>
#include <kernel/syscall.h>

static int may_unlink(const struct walk *w, const struct dentry *d)
{
	if (S_ISDIR(d->inode->mode))
		return -EISDIR;
	return w->slash ? -ENOTDIR : 0;
}

/* Takes the last component away. */
static int unlink_last(struct walk *w, bool rmdir)
{
	struct dentry *d;
	int err;

	if (w->type != LAST_NORM) {
		if (!rmdir)
			return -EISDIR;
		if (w->type == LAST_NONE)
			return -EBUSY;
		return w->type == LAST_DOT ? -EINVAL : -ENOTEMPTY;
	}
	d = walk_child(w);
	if (IS_ERR(d))
		return (int)PTR_ERR(d);
	err = may_delete_name(w->at, d);
	if (!err)
		err = rmdir ? may_remove_dir(d) : may_unlink(w, d);
	if (!err && !d->linked)
		err = -EPERM; /* names of procfs */
	if (err)
		return err;
	drop_name(d);
	inode_modified(w->at->inode);
	w->drop = d;
	return 0;
}

int vfs_unlink(int dirfd, const char *path, bool rmdir)
{
	struct walk w;
	int err = walk_start_last(&w, dirfd, path);

	if (err)
		return err;
	err = unlink_last(&w, rmdir);
	walk_end(&w);
	return err;
}

static long do_unlink(int dirfd, const char __user *upath, bool rmdir)
{
	char *path = path_get_user(upath, false);
	int err;

	if (IS_ERR(path))
		return PTR_ERR(path);
	err = vfs_unlink(dirfd, path, rmdir);
	path_put_user(path);
	return err;
}

SYSCALL_DEFINE1(unlink, const char __user *, path)
{
	return do_unlink(AT_FDCWD, path, false);
}

SYSCALL_DEFINE1(rmdir, const char __user *, path)
{
	return do_unlink(AT_FDCWD, path, true);
}

SYSCALL_DEFINE3(unlinkat, int, dirfd, const char __user *, path, int, flags)
{
	if (flags & ~AT_REMOVEDIR)
		return -EINVAL;
	return do_unlink(dirfd, path, flags & AT_REMOVEDIR);
}
