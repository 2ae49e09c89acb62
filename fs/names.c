/* SPDX-License-Identifier: MIT */
#include <fs/names.h>
#include <uapi/capability.h>

int may_change_names(const struct dentry *dir)
{
	if (!S_ISDIR(dir->inode->mode))
		return -ENOTDIR;
	if (dentry_readonly(dir))
		return -EROFS;
	return inode_permission(dir->inode, MAY_WRITE | MAY_EXEC);
}

int may_delete_name(const struct dentry *dir, const struct dentry *d)
{
	u32 uid = current->cred.fsuid;
	int err = may_change_names(dir);

	if (err)
		return err;
	if ((dir->inode->mode & S_ISVTX) && uid != d->inode->uid && uid != dir->inode->uid &&
	    !inode_capable(d->inode, CAP_FOWNER))
		return -EPERM;
	return 0;
}

int may_create_name(struct walk *w, bool is_dir)
{
	struct dentry *d;

	if (w->type != LAST_NORM)
		return -EEXIST;
	d = walk_child(w);
	if (!IS_ERR(d))
		return -EEXIST;
	if (PTR_ERR(d) != -ENOENT)
		return (int)PTR_ERR(d);
	if (w->at->unlinked || (w->slash && !is_dir))
		return -ENOENT;
	return may_change_names(w->at);
}

int may_remove_dir(const struct dentry *d)
{
	if (!S_ISDIR(d->inode->mode))
		return -ENOTDIR;
	if (d->covered_by || dentry_is_mount_root(d))
		return -EBUSY;
	return dir_has_dentries(d->inode) && d->inode->dir.count ? -ENOTEMPTY : 0;
}

int add_name(struct walk *w, struct dentry *d)
{
	struct inode *dir = w->at->inode;
	int err = dentry_link(w->at, d);

	if (err)
		return err;
	if (S_ISDIR(d->inode->mode))
		dir->nlink++;
	inode_modified(dir);
	return 0;
}

void drop_name(struct dentry *d)
{
	struct inode *inode = d->inode, *dir = d->parent->inode;

	dentry_unlink(d);
	if (S_ISDIR(inode->mode)) {
		inode->nlink = 0;
		dir->nlink--;
	} else {
		inode->nlink--;
	}
	inode_changed(inode);
}
