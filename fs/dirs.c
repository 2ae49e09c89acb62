/* SPDX-License-Identifier: MIT
 *
 * Changes of the tree: mkdir, mknod, symlink, link, unlink, rmdir, rename.
 *
 * What a new name needs is allocated first; then one section under dcache_lock looks at the names
 * as they are and changes them. So two tasks that do the same thing at once see one success and one
 * -EEXIST or -ENOENT, and directories need no locks of their own.
 */
#include <arch/uaccess.h>
#include <fs/internal.h>
#include <kern/string.h>
#include <kernel/syscall.h>

#define CAP_DAC_READ_SEARCH 2
#define CAP_FOWNER 3
#define CAP_MKNOD 27

#define LINK_MAX 65000

/* The caller may add names to or take names from this directory. Lock held. */
static int may_change(const struct dentry *dir)
{
	if (!S_ISDIR(dir->inode->mode))
		return -ENOTDIR;
	if (dentry_readonly(dir))
		return -EROFS;
	return inode_permission(dir->inode, MAY_WRITE | MAY_EXEC);
}

/*
 * The caller may take this name away: not in a sticky directory, unless it or the directory is
 * theirs.
 */
static int may_delete(const struct dentry *dir, const struct dentry *d)
{
	u32 uid = current->cred.fsuid;
	int err = may_change(dir);

	if (err)
		return err;
	if ((dir->inode->mode & S_ISVTX) && uid != d->inode->uid && uid != dir->inode->uid &&
	    !inode_capable(d->inode, CAP_FOWNER))
		return -EPERM;
	return 0;
}

/* ---- new names ---- */

/* 0 when the last component is a free name that may be made into a (non-)directory. */
static int may_create(struct walk *w, bool dir)
{
	struct dentry *d;

	if (w->type != LAST_NORM)
		return -EEXIST;
	d = walk_child(w);
	if (!IS_ERR(d))
		return -EEXIST;
	if (PTR_ERR(d) != -ENOENT)
		return (int)PTR_ERR(d);
	if (w->at->unlinked || (w->slash && !dir))
		return -ENOENT;
	return may_change(w->at);
}

static int link_new(struct walk *w, struct dentry *d)
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

static int create_last(struct walk *w, u32 mode, u64 rdev, const char *symlink, struct dentry **out)
{
	struct inode *dir, *inode;
	struct dentry *d;
	int err;

	err = walk_to_last(w);
	if (!err)
		err = may_create(w, S_ISDIR(mode));
	if (err)
		return err;
	if ((S_ISCHR(mode) || S_ISBLK(mode)) && !cred_has_cap(CAP_MKNOD))
		return -EPERM;
	dir = w->at->inode;
	if (!dir->ops->new_inode)
		return -EPERM;
	walk_unlock(w);
	inode = dir->ops->new_inode(dir, mode, rdev, symlink);
	d = IS_ERR(inode) ? NULL : dentry_alloc(w->name, w->len, inode);
	walk_lock(w);
	if (!d)
		return IS_ERR(inode) ? (int)PTR_ERR(inode) : -ENOMEM;
	err = link_new(w, d);
	*out = d;
	return err;
}

/*
 * *out != NULL on return is a reference, also after an error: it must be dropped without the lock.
 */
struct dentry *vfs_create(int dirfd, const char *path, u32 mode, u64 rdev, const char *symlink)
{
	struct dentry *d = NULL;
	struct walk w;
	int err;

	if (!*path)
		return ERR_PTR(-ENOENT);
	err = walk_start(&w, dirfd, path);
	if (err)
		return ERR_PTR(err);
	err = create_last(&w, mode, rdev, symlink, &d);
	walk_end(&w);
	if (err && d)
		dentry_put(d);
	return err ? ERR_PTR(err) : d;
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

/* ---- link ---- */

static int link_last(struct walk *w, struct dentry *old, struct dentry **out)
{
	struct inode *inode = old->inode;
	struct dentry *d;
	int err;

	err = walk_to_last(w);
	if (!err)
		err = may_create(w, false);
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
	*out = d;
	if (inode->nlink == 0 && !inode->linkable)
		return -ENOENT;
	if (inode->nlink >= LINK_MAX)
		return -EMLINK;
	err = link_new(w, d);
	if (err)
		return err;
	inode->nlink++;
	inode->linkable = false;
	inode_changed(inode);
	return 0;
}

static int link_dentry(struct dentry *old, int dirfd, const char *path)
{
	struct dentry *d = NULL;
	struct walk w;
	int err;

	if (!*path)
		return -ENOENT;
	err = walk_start(&w, dirfd, path);
	if (err)
		return err;
	err = link_last(&w, old, &d);
	walk_end(&w);
	if (d)
		dentry_put(d);
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

/* ---- unlink, rmdir ---- */

/* The name of d goes away; for a directory also its own "." and "..". Lock held. */
static void drop_name(struct dentry *d)
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

static int may_rmdir(const struct dentry *d)
{
	if (!S_ISDIR(d->inode->mode))
		return -ENOTDIR;
	if (d->covered_by || dentry_is_mount_root(d))
		return -EBUSY;
	return dir_has_dentries(d->inode) && d->inode->dir.count ? -ENOTEMPTY : 0;
}

static int may_unlink(const struct walk *w, const struct dentry *d)
{
	if (S_ISDIR(d->inode->mode))
		return -EISDIR;
	return w->slash ? -ENOTDIR : 0;
}

static int unlink_last(struct walk *w, bool rmdir, struct dentry **out)
{
	struct dentry *d;
	int err;

	err = walk_to_last(w);
	if (err)
		return err;
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
	err = may_delete(w->at, d);
	if (!err)
		err = rmdir ? may_rmdir(d) : may_unlink(w, d);
	if (!err && !d->linked)
		err = -EPERM; /* names of procfs */
	if (err)
		return err;
	drop_name(d);
	inode_modified(w->at->inode);
	*out = d;
	return 0;
}

int vfs_unlink(int dirfd, const char *path, bool rmdir)
{
	struct dentry *d = NULL;
	struct walk w;
	int err;

	if (!*path)
		return -ENOENT;
	err = walk_start(&w, dirfd, path);
	if (err)
		return err;
	err = unlink_last(&w, rmdir, &d);
	walk_end(&w);
	if (d)
		dentry_put(d); /* the directory's reference */
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

/* ---- rename ---- */

struct rename_end {
	struct dentry *dir; /* a reference */
	const char *name;
	size_t len;
	u32 hash;
	enum last_type type;
	bool slash;
};

/* A rename's two ends, its new names, and what must be dropped when dcache_lock is free again. */
struct rename {
	struct rename_end old, new;
	unsigned int flags;
	struct dentry_name to;	 /* the new name, to be given to the old entry */
	struct dentry_name from; /* RENAME_EXCHANGE: the other way */
	struct dentry *drop[3];	 /* references to put without the lock */
	unsigned int ndrop;
};

static bool is_dir(const struct dentry *d)
{
	return S_ISDIR(d->inode->mode);
}

/* The types must agree, and a directory that is replaced must be empty. */
static int may_replace(const struct dentry *old, const struct dentry *victim)
{
	if (is_dir(old) && !is_dir(victim))
		return -ENOTDIR;
	if (!is_dir(old) && is_dir(victim))
		return -EISDIR;
	return is_dir(victim) ? may_rmdir(victim) : 0;
}

static int may_rename(const struct rename *r, struct dentry *old, struct dentry *victim)
{
	bool exchange = r->flags & RENAME_EXCHANGE;
	int err;

	if (exchange && r->new.slash && !is_dir(victim))
		return -ENOTDIR;
	if (!is_dir(old) && (r->old.slash || (!exchange && r->new.slash)))
		return -ENOTDIR;
	if (dentry_is_below(r->new.dir, old))
		return -EINVAL;
	if (victim && dentry_is_below(r->old.dir, victim))
		return exchange ? -EINVAL : -ENOTEMPTY;
	if (old == victim)
		return 0;
	err = may_delete(r->old.dir, old);
	if (!err)
		err = victim ? may_delete(r->new.dir, victim) : may_change(r->new.dir);
	if (err)
		return err;
	if (old->covered_by || (victim && victim->covered_by))
		return -EBUSY;
	if (r->new.dir->unlinked)
		return -ENOENT;
	/* A directory's ".." is rewritten when it changes its parent. */
	if (r->old.dir != r->new.dir && is_dir(old))
		err = inode_permission(old->inode, MAY_WRITE);
	if (!err && r->old.dir != r->new.dir &&exchange &&is_dir(victim))
		err = inode_permission(victim->inode, MAY_WRITE);
	if (!err && victim && !exchange)
		err = may_replace(old, victim);
	return err;
}

/* Moves d and keeps the link counts of the directories. */
static void move_entry(struct rename *r, struct dentry *d, struct dentry *dir,
		       struct dentry_name *n)
{
	struct dentry *old_parent = d->parent;

	dentry_move(d, dir, n);
	inode_changed(d->inode);
	if (old_parent == dir)
		return;
	r->drop[r->ndrop++] = old_parent;
	if (is_dir(d)) {
		old_parent->inode->nlink--;
		dir->inode->nlink++;
	}
}

static void exchange_entries(struct rename *r, struct dentry *old, struct dentry *other)
{
	struct dentry_name aside;

	/*
	 * Names must be free when they are taken: the first goes aside under one no path can have.
	 */
	(void)dentry_name_init(&aside, "/", 1);
	move_entry(r, other, r->new.dir, &aside);
	move_entry(r, old, r->new.dir, &r->to);
	/*
	 * What the last dentry_move() left in `to` and `aside` are the old texts, freed by the
	 * caller.
	 */
	move_entry(r, other, r->old.dir, &r->from);
	dentry_name_free(&aside);
}

/* Lock held throughout. */
static int rename_locked(struct rename *r)
{
	struct dentry *old, *victim;
	int err;

	old = dentry_find(r->old.dir, r->old.name, r->old.len, r->old.hash);
	if (!old)
		return -ENOENT;
	victim = dentry_find(r->new.dir, r->new.name, r->new.len, r->new.hash);
	if (victim && (r->flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (!victim && (r->flags & RENAME_EXCHANGE))
		return -ENOENT;
	err = may_rename(r, old, victim);
	if (err)
		return err;
	if (victim && victim->inode == old->inode)
		return 0; /* two names of one file: both stay */
	if (r->flags & RENAME_EXCHANGE) {
		exchange_entries(r, old, victim);
	} else {
		if (victim) {
			drop_name(victim);
			r->drop[r->ndrop++] = victim;
		}
		move_entry(r, old, r->new.dir, &r->to);
	}
	inode_modified(r->old.dir->inode);
	inode_modified(r->new.dir->inode);
	return 0;
}

/*
 * Walks to one end: the directory, with a reference, and the last name, which lies in path's own
 * text.
 */
static int rename_end(int dirfd, const char *path, struct rename_end *end)
{
	struct walk w;
	int err;

	if (!*path)
		return -ENOENT;
	err = walk_start(&w, dirfd, path);
	if (err)
		return err;
	err = walk_to_last(&w);
	if (!err && !S_ISDIR(w.at->inode->mode))
		err = -ENOTDIR;
	if (!err) {
		end->dir = w.at;
		end->name = w.name;
		end->len = w.len;
		end->hash = w.hash;
		end->type = w.type;
		end->slash = w.slash;
		dentry_get(w.at);
	}
	walk_end(&w);
	return err;
}

static int rename_ends(struct rename *r)
{
	int err;

	if (r->old.dir->mount != r->new.dir->mount)
		return -EXDEV;
	if (r->old.type != LAST_NORM)
		return -EBUSY;
	if (r->new.type != LAST_NORM)
		return r->flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	if (!dir_has_dentries(r->old.dir->inode) || !dir_has_dentries(r->new.dir->inode))
		return -EPERM;
	err = dentry_name_init(&r->to, r->new.name, r->new.len);
	if (err)
		return err;
	err = dentry_name_init(&r->from, r->old.name, r->old.len);
	if (!err) {
		spin_lock(&dcache_lock);
		err = rename_locked(r);
		spin_unlock(&dcache_lock);
		dentry_name_free(&r->from);
	}
	dentry_name_free(&r->to);
	while (r->ndrop)
		dentry_put(r->drop[--r->ndrop]);
	return err;
}

static int do_rename_paths(int old_fd, const char *old, int new_fd, const char *new,
			   unsigned int flags)
{
	struct rename r = { .flags = flags };
	int err;

	err = rename_end(old_fd, old, &r.old);
	if (err)
		return err;
	err = rename_end(new_fd, new, &r.new);
	if (!err) {
		err = rename_ends(&r);
		dentry_put(r.new.dir);
	}
	dentry_put(r.old.dir);
	return err;
}

static long do_rename(int old_fd, const char __user *uold, int new_fd, const char __user *unew,
		      unsigned int flags)
{
	char *old, *new;
	int err;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	if ((flags & RENAME_NOREPLACE) && (flags & RENAME_EXCHANGE))
		return -EINVAL;
	old = path_get_user(uold, true);
	if (IS_ERR(old))
		return PTR_ERR(old);
	new = path_get_user(unew, true);
	if (IS_ERR(new)) {
		err = (int)PTR_ERR(new);
	} else {
		err = do_rename_paths(old_fd, old, new_fd, new, flags);
		path_put_user(new);
	}
	path_put_user(old);
	return err;
}

SYSCALL_DEFINE2(rename, const char __user *, old, const char __user *, new)
{
	return do_rename(AT_FDCWD, old, AT_FDCWD, new, 0);
}

SYSCALL_DEFINE4(renameat, int, old_fd, const char __user *, old, int, new_fd, const char __user *,
		new)
{
	return do_rename(old_fd, old, new_fd, new, 0);
}

SYSCALL_DEFINE5(renameat2, int, old_fd, const char __user *, old, int, new_fd, const char __user *,
		new, unsigned int, flags)
{
	return do_rename(old_fd, old, new_fd, new, flags);
}
