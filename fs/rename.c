/* SPDX-License-Identifier: MIT
 *
 * A name that moves, in place of another one if there is one, or both exchanged: rename.
 */
#include <arch/uaccess.h>
#include <fs/internal.h>
#include <fs/names.h>
#include <kernel/syscall.h>

/* Where a name is, or shall be. */
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
	return is_dir(victim) ? may_remove_dir(victim) : 0;
}

static int may_rename(const struct rename *r, struct dentry *old, struct dentry *victim)
{
	bool exchange = r->flags & RENAME_EXCHANGE, moves = r->old.dir != r->new.dir;
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
	err = may_delete_name(r->old.dir, old);
	if (!err)
		err = victim ? may_delete_name(r->new.dir, victim) : may_change_names(r->new.dir);
	if (err)
		return err;
	if (old->covered_by || (victim && victim->covered_by))
		return -EBUSY;
	if (r->new.dir->unlinked)
		return -ENOENT;
	/* A directory's ".." is rewritten when it changes its parent. */
	if (moves && is_dir(old))
		err = inode_permission(old->inode, MAY_WRITE);
	if (!err && moves && exchange && is_dir(victim))
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
	int err = walk_start_last(&w, dirfd, path);

	if (err)
		return err;
	if (!S_ISDIR(w.at->inode->mode)) {
		err = -ENOTDIR;
	} else {
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
