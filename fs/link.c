/* SPDX-License-Identifier: MIT
 *
 * One more name for a file: link.
 */
#include <arch/uaccess.h>
#include <fs/internal.h>
#include <fs/names.h>
#include <kernel/syscall.h>
#include <uapi/capability.h>

#define LINK_MAX 65000

/* The last component becomes a name of what old is a name of. */
static int link_last(struct walk *w, struct dentry *old)
{
	struct inode *inode = old->inode;
	struct dentry *d;
	int err = may_create_name(w, false);

	if (err)
		return err;
	if (old->mount != w->at->mount || !w->at->mount)
		return -EXDEV;
	if (S_ISDIR(inode->mode) || !w->at->inode->ops->new_inode)
		return -EPERM;
	walk_unlock(w);
	inode_get(inode);
	d = dentry_alloc(w->name, w->len, inode);
	walk_lock(w);
	if (!d)
		return -ENOMEM;
	w->drop = d;
	if (inode->nlink == 0 && !inode->linkable)
		return -ENOENT;
	if (inode->nlink >= LINK_MAX)
		return -EMLINK;
	err = add_name(w, d);
	if (err)
		return err;
	inode->nlink++;
	inode->linkable = false;
	inode_changed(inode);
	return 0;
}

static int link_dentry(struct dentry *old, int dirfd, const char *path)
{
	struct walk w;
	int err = walk_start_last(&w, dirfd, path);

	if (err)
		return err;
	err = link_last(&w, old);
	walk_end(&w);
	return err;
}

int vfs_link(const char *old_path, const char *new_path)
{
	struct dentry *old = path_lookup(AT_FDCWD, old_path, 0);
	int err;

	if (IS_ERR(old))
		return (int)PTR_ERR(old);
	err = link_dentry(old, AT_FDCWD, new_path);
	dentry_put(old);
	return err;
}

static long do_link(int old_fd, const char __user *uold, int new_fd, const char __user *unew,
		    int flags)
{
	struct dentry *old;
	char *path;
	int err;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if ((flags & AT_EMPTY_PATH) && !cred_has_cap(CAP_DAC_READ_SEARCH))
		return -ENOENT;
	old = user_path_at(old_fd, uold,
			   (flags & AT_EMPTY_PATH) |
				   (flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW),
			   AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
	if (IS_ERR(old))
		return PTR_ERR(old);
	path = path_get_user(unew, false);
	if (IS_ERR(path)) {
		err = (int)PTR_ERR(path);
	} else {
		err = link_dentry(old, new_fd, path);
		path_put_user(path);
	}
	dentry_put(old);
	return err;
}

SYSCALL_DEFINE2(link, const char __user *, old, const char __user *, new)
{
	return do_link(AT_FDCWD, old, AT_FDCWD, new, 0);
}

SYSCALL_DEFINE5(linkat, int, old_fd, const char __user *, old, int, new_fd, const char __user *,
		new, int, flags)
{
	return do_link(old_fd, old, new_fd, new, flags);
}
