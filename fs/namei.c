/* SPDX-License-Identifier: MIT
 *
 * From a path to a dentry.
 *
 * A walk holds dcache_lock from component to component, so a path through tmpfs costs one lock and
 * one reference whatever its depth. It lets go of the lock only for what can sleep: procfs's
 * lookup, link texts that have to be made, dropping references. Links are not expanded into a new
 * string: their texts are walked in place, with a stack of what remains to be walked afterwards.
 */
#include <arch/uaccess.h>
#include <fs/internal.h>
#include <kern/string.h>
#include <mm/slab.h>

void walk_unlock(struct walk *w)
{
	struct dentry *old = w->held;

	dentry_get(w->at);
	w->held = w->at;
	if (!w->root_held)
		dentry_get(w->root);
	w->root_held = true;
	spin_unlock(&dcache_lock);
	if (old)
		dentry_put(old);
}

void walk_lock(struct walk *w)
{
	(void)w;
	spin_lock(&dcache_lock);
}

static void drop_links(struct walk *w, unsigned int depth)
{
	while (w->depth > depth) {
		struct walk_link *l = &w->links[--w->depth];

		if (l->inode)
			inode_put(l->inode);
		kfree(l->text);
	}
}

void walk_end(struct walk *w)
{
	spin_unlock(&dcache_lock);
	drop_links(w, 0);
	if (w->held)
		dentry_put(w->held);
	if (w->fresh)
		dentry_put(w->fresh);
	if (w->drop)
		dentry_put(w->drop);
	if (w->start)
		dentry_put(w->start);
	if (w->root_held)
		dentry_put(w->root);
}

int walk_start(struct walk *w, int dirfd, const char *path)
{
	struct fs_context *fs = current->fs;
	struct dentry *start = NULL;

	if (dirfd != AT_FDCWD && *path != '/') {
		struct file *f = fd_get_path(dirfd);

		if (!f)
			return -EBADF;
		start = f->dentry;
		dentry_get(start);
		file_put(f);
		if (*path && !S_ISDIR(start->inode->mode)) {
			dentry_put(start);
			return -ENOTDIR;
		}
	}
	w->start = start;
	w->held = w->fresh = w->drop = NULL;
	w->nlinks = w->depth = 0;
	w->slash = w->jumped = w->root_held = false;
	w->rest = path;
	spin_lock(&dcache_lock);
	w->root = fs ? fs->root : vfs_root;
	if (start)
		w->at = start;
	else
		w->at = *path == '/' || !fs ? w->root : fs->cwd;
	return 0;
}

/* Replaces the fresh dentry. The lock is not held. */
static void set_fresh(struct walk *w, struct dentry *d)
{
	struct dentry *old = w->fresh;

	w->fresh = d;
	if (old)
		dentry_put(old);
}

void walk_enter(struct walk *w, struct dentry *child)
{
	while (unlikely(child->covered_by))
		child = child->covered_by->root;
	w->at = child;
}

static void walk_up(struct walk *w)
{
	struct dentry *d = w->at;

	while (d != w->root && dentry_is_mount_root(d) && d->mount->on)
		d = d->mount->on;
	walk_enter(w, d == w->root ? d : d->parent);
}

/* A directory without entries as dentries: asks the filesystem. */
static struct dentry *lookup_fresh(struct walk *w)
{
	char name[NAME_MAX + 1];
	struct dentry *dir = w->at, *d;
	struct inode *inode;

	memcpy(name, w->name, w->len);
	name[w->len] = 0;
	walk_unlock(w);
	inode = dir->inode->ops->lookup(dir->inode, name);
	if (IS_ERR(inode)) {
		d = ERR_PTR(PTR_ERR(inode));
	} else {
		d = dentry_alloc(name, w->len, inode);
		if (d) {
			dentry_set_parent(d, dir);
			set_fresh(w, d);
		} else {
			d = ERR_PTR(-ENOMEM);
		}
	}
	walk_lock(w);
	/* A mount on it sits on the dentry of the lookup that mounted it. */
	return IS_ERR(d) ? d : mount_point_of(d->inode) ?: d;
}

struct dentry *walk_child(struct walk *w)
{
	struct dentry *d;

	if (unlikely(w->at->inode->ops->lookup))
		return lookup_fresh(w);
	d = dentry_find(w->at, w->name, w->len, w->hash);
	return d ? d : ERR_PTR(-ENOENT);
}

/* Puts a link's text in front of what is left to walk. */
static int push_text(struct walk *w, const char *text, struct inode *inode, char *copy)
{
	struct walk_link *l = &w->links[w->depth++];

	l->rest = w->rest;
	l->inode = inode;
	l->text = copy;
	w->rest = text;
	if (!*text)
		return -ENOENT;
	if (*text == '/')
		w->at = w->root;
	return 0;
}

/* procfs: the text is made now, or the link leads straight to an object. */
static int follow_slow(struct walk *w, struct inode *inode)
{
	struct dentry *target = NULL;
	char *text = NULL;
	ssize_t n = 0;

	inode_get(inode);
	walk_unlock(w);
	if (inode->ops->follow) {
		target = inode->ops->follow(inode);
		n = !target ? -ENOENT : IS_ERR(target) ? PTR_ERR(target) : 0;
	} else {
		text = kmalloc(PATH_MAX, GFP_KERNEL);
		n = text ? inode->ops->readlink(inode, text, PATH_MAX - 1) : -ENOMEM;
	}
	inode_put(inode);
	if (target && n >= 0)
		set_fresh(w, target);
	walk_lock(w);
	if (n < 0) {
		kfree(text);
		return (int)n;
	}
	if (target) {
		w->jumped = true;
		walk_enter(w, target);
		return 0;
	}
	text[n] = 0;
	return push_text(w, text, NULL, text);
}

int walk_follow(struct walk *w, struct dentry *link)
{
	struct inode *inode = link->inode;

	if (w->nlinks++ >= MAX_SYMLINKS)
		return -ELOOP;
	if (inode->ops->readlink || inode->ops->follow)
		return follow_slow(w, inode);
	inode_get(inode);
	return push_text(w, inode->link, inode, NULL);
}

/* Nothing but slashes is left, in this text and in those around it. */
static bool at_end(struct walk *w)
{
	const char *p = w->rest;
	unsigned int depth = w->depth;

	for (;;) {
		while (*p == '/') {
			w->slash = true;
			p++;
		}
		if (*p || depth == 0)
			return !*p;
		p = w->links[--depth].rest;
	}
}

/* Cuts the next component off. False: there is none. */
static bool next_component(struct walk *w)
{
	const char *p = w->rest;
	u32 h = 2166136261u;

	for (;;) {
		while (*p == '/')
			p++;
		if (*p || w->depth == 0)
			break;
		/*
		 * The text of this link is used up; its inode must not be dropped under the lock.
		 */
		p = w->links[w->depth - 1].rest;
		w->rest = p;
		walk_unlock(w);
		drop_links(w, w->depth - 1);
		walk_lock(w);
	}
	w->name = p;
	while (*p && *p != '/')
		h = (h ^ (u8)*p++) * 16777619u;
	w->len = (size_t)(p - w->name);
	w->hash = h;
	w->rest = p;
	return w->len != 0;
}

static enum last_type name_type(const struct walk *w)
{
	if (likely(w->name[0] != '.') || w->len > 2)
		return LAST_NORM;
	if (w->len == 1)
		return LAST_DOT;
	return w->name[1] == '.' ? LAST_DOTDOT : LAST_NORM;
}

/* One component that is not the last. */
static int step(struct walk *w)
{
	struct dentry *d;

	if (w->type == LAST_DOT)
		return 0;
	if (w->type == LAST_DOTDOT) {
		walk_up(w);
		return 0;
	}
	d = walk_child(w);
	if (IS_ERR(d))
		return (int)PTR_ERR(d);
	if (unlikely(S_ISLNK(d->inode->mode)))
		return walk_follow(w, d);
	walk_enter(w, d);
	return 0;
}

int walk_to_last(struct walk *w)
{
	int err;

	for (;;) {
		if (!next_component(w)) {
			w->type = LAST_NONE;
			return 0;
		}
		w->jumped = false;
		if (unlikely(!S_ISDIR(w->at->inode->mode)))
			return -ENOTDIR;
		err = inode_permission(w->at->inode, MAY_EXEC);
		if (err)
			return err;
		if (unlikely(w->len > NAME_MAX))
			return -ENAMETOOLONG;
		w->type = name_type(w);
		w->slash = false;
		if (at_end(w))
			return 0;
		err = step(w);
		if (err)
			return err;
	}
}

int walk_start_last(struct walk *w, int dirfd, const char *path)
{
	int err;

	if (!*path)
		return -ENOENT;
	err = walk_start(w, dirfd, path);
	if (err)
		return err;
	err = walk_to_last(w);
	if (err)
		walk_end(w);
	return err;
}

void walk_dots(struct walk *w)
{
	if (w->type == LAST_DOTDOT)
		walk_up(w);
}

int walk_all(struct walk *w, bool follow)
{
	struct dentry *d;
	int err;

	for (;;) {
		err = walk_to_last(w);
		if (err)
			return err;
		if (w->type != LAST_NORM) {
			walk_dots(w);
			break;
		}
		d = walk_child(w);
		if (IS_ERR(d))
			return (int)PTR_ERR(d);
		if (!S_ISLNK(d->inode->mode) || !(follow || w->slash)) {
			walk_enter(w, d);
			break;
		}
		err = walk_follow(w, d);
		if (err)
			return err;
		if (w->jumped)
			break;
	}
	return w->slash && !S_ISDIR(w->at->inode->mode) ? -ENOTDIR : 0;
}

struct dentry *path_lookup(int dirfd, const char *path, unsigned int flags)
{
	struct walk w;
	struct dentry *d;
	int err;

	if (!*path && !(flags & LOOKUP_EMPTY))
		return ERR_PTR(-ENOENT);
	err = walk_start(&w, dirfd, path);
	if (err)
		return ERR_PTR(err);
	err = walk_all(&w, flags & LOOKUP_FOLLOW);
	if (!err && (flags & LOOKUP_DIRECTORY) && !S_ISDIR(w.at->inode->mode))
		err = -ENOTDIR;
	d = w.at;
	if (!err)
		dentry_get(d);
	walk_end(&w);
	return err ? ERR_PTR(err) : d;
}

char *path_get_user(const char __user *path, bool empty_ok)
{
	char *buf = kmalloc(PATH_MAX, GFP_KERNEL);
	ssize_t n;

	if (!buf)
		return ERR_PTR(-ENOMEM);
	n = strncpy_from_user(buf, path, PATH_MAX);
	if (likely(n > 0 && n < PATH_MAX))
		return buf;
	if (n == 0 && empty_ok)
		return buf;
	kfree(buf);
	if (n >= PATH_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	return ERR_PTR(n < 0 ? n : -ENOENT);
}

void path_put_user(char *path)
{
	kfree(path);
}

struct dentry *user_path_at(int dirfd, const char __user *upath, int flags, int allowed)
{
	unsigned int lookup = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
	struct dentry *d;
	char *path;

	if (flags & ~allowed)
		return ERR_PTR(-EINVAL);
	if (flags & AT_EMPTY_PATH)
		lookup |= LOOKUP_EMPTY;
	path = path_get_user(upath, flags & AT_EMPTY_PATH);
	if (IS_ERR(path))
		return ERR_PTR(PTR_ERR(path));
	d = path_lookup(dirfd, path, lookup);
	path_put_user(path);
	return d;
}
