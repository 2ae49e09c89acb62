/* SPDX-License-Identifier: MIT
 *
 * What the calls that change the tree share: who may change which name, and the two changes themselves.
 *
 *	create.c	mkdir, mknod, symlink
 *	link.c		link
 *	remove.c	unlink, rmdir
 *	rename.c	rename, exchange
 *
 * What a new name needs is allocated first; then one section under dcache_lock looks at the names
 * as they are and changes them. So two tasks that do the same thing at once see one success and one
 * -EEXIST or -ENOENT, and directories need no locks of their own.
 *
 * dcache_lock is held for all of these.
 */
#ifndef FS_NAMES_H
#define FS_NAMES_H

#include <fs/internal.h>

/* The caller may add names to or take names from this directory. 0, -ENOTDIR, -EROFS, -EACCES. */
int may_change_names(const struct dentry *dir);

/* 0 when the last component is a free name that may be made into a (non-)directory. Can let go of the lock. */
int may_create_name(struct walk *w, bool is_dir);

/*
 * The caller may take this name away: not in a sticky directory, unless it or the directory is
 * theirs (-EPERM).
 */
int may_delete_name(const struct dentry *dir, const struct dentry *d);

/* A directory that is empty and no mount: 0, -ENOTDIR, -EBUSY, -ENOTEMPTY. */
int may_remove_dir(const struct dentry *d);

/* d, which is new, gets the last component's place and counts in its directory. 0, -ENOENT, -EEXIST. */
int add_name(struct walk *w, struct dentry *d);

/*
 * The name of d goes away; for a directory also its own "." and "..". The directory's reference to d is the
 * caller's now, to be dropped after the lock.
 */
void drop_name(struct dentry *d);

#endif
