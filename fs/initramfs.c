/* SPDX-License-Identifier: MIT
 *
 * The initial root: a cpio archive unpacked into the root filesystem. File data is copied once,
 * from the archive into the pages of the page cache.
 */
#include <fs/cpio.h>
#include <fs/internal.h>
#include <kern/string.h>
#include <mm/slab.h>

/* The first name of a file that has several: later entries become links to it. */
struct linked_file {
	struct list_head node;
	u32 ino, dev_major, dev_minor;
	struct dentry *d; /* a reference */
	const char *name; /* in the archive */
};

struct unpack {
	struct list_head linked;
	unsigned int entries;
};

static struct linked_file *find_linked(struct unpack *u, const struct cpio_entry *e)
{
	struct linked_file *l;

	list_for_each_entry(l, &u->linked, node)
		if (l->ino == e->ino && l->dev_major == e->dev_major &&
		    l->dev_minor == e->dev_minor)
			return l;
	return NULL;
}

static int remember(struct unpack *u, const struct cpio_entry *e, struct dentry *d)
{
	struct linked_file *l = kmalloc(sizeof(*l), GFP_KERNEL);

	if (!l)
		return -ENOMEM;
	l->ino = e->ino;
	l->dev_major = e->dev_major;
	l->dev_minor = e->dev_minor;
	l->name = e->name;
	l->d = d;
	dentry_get(d);
	list_add(&l->node, &u->linked);
	return 0;
}

static void forget_all(struct unpack *u)
{
	struct linked_file *l, *next;

	list_for_each_entry_safe(l, next, &u->linked, node) {
		dentry_put(l->d);
		kfree(l);
	}
}

static void set_attributes(struct inode *i, const struct cpio_entry *e)
{
	i->mode = e->mode;
	i->uid = e->uid;
	i->gid = e->gid;
	i->mtime_ns = e->mtime * 1000000000ULL;
}

static int write_data(struct inode *i, const struct cpio_entry *e)
{
	ssize_t n;

	if (!e->size)
		return 0;
	n = tmpfs_write_kernel(i, e->data, e->size, 0);
	if (n < 0)
		return (int)n;
	return (size_t)n == e->size ? 0 : -ENOSPC;
}

/* Directories on the way that the archive does not list are made. */
static int make_parents(const char *name)
{
	char *path = kmalloc(PATH_MAX, GFP_KERNEL);
	int err = 0;

	if (!path)
		return -ENOMEM;
	strscpy(path, name, PATH_MAX);
	for (char *p = strchr(path, '/'); p && !err; p = strchr(p + 1, '/')) {
		*p = 0;
		err = vfs_mkdir(path, 0755);
		if (err == -EEXIST)
			err = 0;
		*p = '/';
	}
	kfree(path);
	return err;
}

static struct dentry *create(const struct cpio_entry *e, const char *link_text)
{
	struct dentry *d = vfs_create(AT_FDCWD, e->name, e->mode, e->rdev, link_text);
	int err;

	if (!IS_ERR(d))
		return d;
	if (PTR_ERR(d) == -ENOENT) {
		err = make_parents(e->name);
	} else if (PTR_ERR(d) == -EEXIST && !S_ISDIR(e->mode)) {
		/* The later entry wins. */
		err = vfs_unlink(AT_FDCWD, e->name, false);
	} else {
		return d;
	}
	return err ? ERR_PTR(err) : vfs_create(AT_FDCWD, e->name, e->mode, e->rdev, link_text);
}

static struct dentry *create_symlink(const struct cpio_entry *e)
{
	char *text = kmalloc(e->size + 1, GFP_KERNEL);
	struct dentry *d;

	if (!text)
		return ERR_PTR(-ENOMEM);
	memcpy(text, e->data, e->size);
	text[e->size] = 0;
	d = create(e, text);
	kfree(text);
	return d;
}

/* A further name of a file. The data may come with any of the names. */
static int unpack_link(struct linked_file *l, const struct cpio_entry *e)
{
	int err = vfs_link(l->name, e->name);

	if (err == -ENOENT && !make_parents(e->name))
		err = vfs_link(l->name, e->name);
	if (!err && e->size && l->d->inode->has_mapping)
		err = write_data(l->d->inode, e);
	return err;
}

/* A directory that exists only gets the attributes; the root itself is called ".". */
static int unpack_existing_dir(const struct cpio_entry *e)
{
	struct dentry *d = path_lookup(AT_FDCWD, e->name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);

	if (IS_ERR(d))
		return (int)PTR_ERR(d);
	set_attributes(d->inode, e);
	dentry_put(d);
	return 0;
}

static int unpack_entry(void *arg, const struct cpio_entry *e)
{
	bool many = e->nlink > 1 && !S_ISDIR(e->mode);
	struct unpack *u = arg;
	struct linked_file *l;
	struct dentry *d;
	int err = 0;

	u->entries++;
	l = many ? find_linked(u, e) : NULL;
	if (l)
		return unpack_link(l, e);
	d = S_ISLNK(e->mode) ? create_symlink(e) : create(e, NULL);
	if (IS_ERR(d))
		return PTR_ERR(d) == -EEXIST && S_ISDIR(e->mode) ? unpack_existing_dir(e)
								 : (int)PTR_ERR(d);
	if (S_ISREG(e->mode))
		err = write_data(d->inode, e);
	set_attributes(d->inode, e);
	if (!err && many)
		err = remember(u, e, d);
	dentry_put(d);
	return err;
}

int initramfs_unpack(const void *data, size_t len)
{
	static const struct cpio_ops ops = { .entry = unpack_entry };
	struct unpack u = { .entries = 0 };
	int err;

	INIT_LIST_HEAD(&u.linked);
	err = cpio_parse(data, len, &ops, &u);
	forget_all(&u);
	return err;
}
