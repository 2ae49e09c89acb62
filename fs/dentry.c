/* SPDX-License-Identifier: MIT
 *
 * The tree of names. A directory keeps its dentries in two red-black trees: by hash and name for
 * lookup, by sequence number for readdir, whose positions are those numbers: an entry that stays is
 * seen exactly once, whatever is created or removed meanwhile.
 *
 * Everything happens under dcache_lock. A dentry in a directory is pinned by the directory's
 * reference, so whoever holds the lock may look at any dentry that it can reach.
 */
#include <fs/internal.h>
#include <kern/string.h>
#include <mm/slab.h>

spinlock_t dcache_lock = SPINLOCK_INIT;

static struct kmem_cache *dentry_cache;

void dentry_init(void)
{
	dentry_cache = kmem_cache_create("dentry", sizeof(struct dentry), 0);
}

/* FNV-1a. */
u32 name_hash(const char *name, size_t len)
{
	u32 h = 2166136261u;

	while (len--)
		h = (h ^ (u8)*name++) * 16777619u;
	return h;
}

static int name_order(u32 hash, const char *name, size_t len, const struct dentry *d)
{
	if (hash != d->hash)
		return hash < d->hash ? -1 : 1;
	if (len != d->name_len)
		return len < d->name_len ? -1 : 1;
	return memcmp(name, d->name, len);
}

int dentry_name_init(struct dentry_name *n, const char *name, size_t len)
{
	char *text = n->inline_text;

	n->text = NULL;
	if (len >= DENTRY_INLINE_NAME) {
		text = kmalloc(len + 1, GFP_KERNEL);
		if (!text)
			return -ENOMEM;
		n->text = text;
	}
	memcpy(text, name, len);
	text[len] = 0;
	n->len = (u8)len;
	n->hash = name_hash(name, len);
	return 0;
}

void dentry_name_free(struct dentry_name *n)
{
	kfree(n->text);
	n->text = NULL;
}

/* Swaps d's name with *n: what is left in *n is for the caller to free. */
static void dentry_set_name(struct dentry *d, struct dentry_name *n)
{
	const char *old = d->name == d->inline_name ? NULL : d->name;

	if (n->text) {
		d->name = n->text;
	} else {
		memcpy(d->inline_name, n->inline_text, n->len + 1UL);
		d->name = d->inline_name;
	}
	d->name_len = n->len;
	d->hash = n->hash;
	n->text = old;
}

struct dentry *dentry_alloc(const char *name, size_t len, struct inode *inode)
{
	struct dentry *d = kmem_cache_alloc(dentry_cache, GFP_KERNEL);
	char *text;

	if (!d)
		goto no_memory;
	memset(d, 0, offsetof(struct dentry, inline_name));
	text = d->inline_name;
	if (len >= DENTRY_INLINE_NAME) {
		text = kmalloc(len + 1, GFP_KERNEL);
		if (!text) {
			kmem_cache_free(dentry_cache, d);
			goto no_memory;
		}
	}
	memcpy(text, name, len);
	text[len] = 0;
	d->name = text;
	d->name_len = (u8)len;
	d->hash = name_hash(name, len);
	d->parent = d;
	d->inode = inode;
	refcount_set(&d->refs, 1);
	return d;

no_memory:
	inode_put(inode);
	return NULL;
}

void dentry_get(struct dentry *d)
{
	refcount_inc(&d->refs);
}

void dentry_put(struct dentry *d)
{
	while (refcount_dec_and_test(&d->refs)) {
		struct dentry *parent = d->parent;

		/* A mount lives as long as any dentry of it: the root goes last. */
		if (dentry_is_mount_root(d))
			kfree(d->mount);
		if (d->name != d->inline_name)
			kfree(d->name);
		inode_put(d->inode);
		kmem_cache_free(dentry_cache, d);
		if (parent == d)
			break;
		d = parent;
	}
}

void dentry_set_parent(struct dentry *d, struct dentry *parent)
{
	dentry_get(parent);
	d->parent = parent;
	d->mount = parent->mount;
}

struct dentry *dentry_find(struct dentry *parent, const char *name, size_t len, u32 hash)
{
	struct rb_node *n = parent->inode->dir.by_name.node;

	while (n) {
		struct dentry *d = rb_entry(n, struct dentry, name_node);
		int order = name_order(hash, name, len, d);

		if (order == 0)
			return d;
		n = order < 0 ? n->left : n->right;
	}
	return NULL;
}

static int insert_by_name(struct dir_entries *dir, struct dentry *d)
{
	struct rb_node **link = &dir->by_name.node, *parent = NULL;

	while (*link) {
		int order = name_order(d->hash, d->name, d->name_len,
				       rb_entry(*link, struct dentry, name_node));

		if (order == 0)
			return -EEXIST;
		parent = *link;
		link = order < 0 ? &parent->left : &parent->right;
	}
	rb_insert(&dir->by_name, &d->name_node, parent, link, NULL);
	return 0;
}

/* The newest entry has the highest number: it goes to the right end. */
static void insert_by_seq(struct dir_entries *dir, struct dentry *d)
{
	struct rb_node *last = rb_last(&dir->by_seq);

	d->seq = dir->next_seq++;
	rb_insert(&dir->by_seq, &d->seq_node, last, last ? &last->right : &dir->by_seq.node, NULL);
}

int dentry_link(struct dentry *parent, struct dentry *d)
{
	struct dir_entries *dir = &parent->inode->dir;
	int err;

	assert_spin_locked(&dcache_lock);
	if (parent->unlinked)
		return -ENOENT;
	err = insert_by_name(dir, d);
	if (err)
		return err;
	insert_by_seq(dir, d);
	dir->count++;
	dentry_set_parent(d, parent);
	d->linked = true;
	dentry_get(d);
	return 0;
}

void dentry_unlink(struct dentry *d)
{
	struct dir_entries *dir = &d->parent->inode->dir;

	assert_spin_locked(&dcache_lock);
	rb_erase(&dir->by_name, &d->name_node, NULL);
	rb_erase(&dir->by_seq, &d->seq_node, NULL);
	dir->count--;
	d->linked = false;
	d->unlinked = true;
}

/* The new name must be free. The reference to the old parent is left to the caller. */
void dentry_move(struct dentry *d, struct dentry *parent, struct dentry_name *n)
{
	struct dir_entries *from = &d->parent->inode->dir, *to = &parent->inode->dir;

	assert_spin_locked(&dcache_lock);
	rb_erase(&from->by_name, &d->name_node, NULL);
	dentry_set_name(d, n);
	if (insert_by_name(to, d))
		panic("dentry_move: the name exists");
	if (d->parent == parent)
		return;
	rb_erase(&from->by_seq, &d->seq_node, NULL);
	insert_by_seq(to, d);
	from->count--;
	to->count++;
	dentry_get(parent);
	d->parent = parent;
}

/* The first entry with a sequence number of at least from_seq, or NULL. */
struct dentry *dentry_first(struct dentry *dir, u64 from_seq)
{
	struct rb_node *n = dir->inode->dir.by_seq.node;
	struct dentry *best = NULL;

	while (n) {
		struct dentry *d = rb_entry(n, struct dentry, seq_node);

		if (d->seq >= from_seq) {
			best = d;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

bool dentry_is_below(struct dentry *d, struct dentry *ancestor)
{
	for (; d != ancestor; d = d->parent)
		if (d->parent == d)
			return false;
	return true;
}

/* The parent as ".." shows it: across the edge of a mount. */
static u64 parent_ino(struct dentry *d)
{
	while (dentry_is_mount_root(d) && d->mount->on)
		d = d->mount->on;
	return d->parent->inode->ino;
}

int dentry_readdir(struct file *f, u64 *pos,
		   bool (*emit)(void *arg, const char *name, size_t len, u64 ino, u8 type,
				u64 next),
		   void *arg)
{
	char name[NAME_MAX + 1];
	struct dentry *d;
	u64 ino;

	if (*pos == 0) {
		if (!emit(arg, ".", 1, f->inode->ino, 4, 1))
			return 0;
		*pos = 1;
	}
	if (*pos == 1) {
		spin_lock(&dcache_lock);
		ino = parent_ino(f->dentry);
		spin_unlock(&dcache_lock);
		if (!emit(arg, "..", 2, ino, 4, 2))
			return 0;
		*pos = 2;
	}
	for (;;) {
		size_t len;
		u64 seq;
		u8 type;

		spin_lock(&dcache_lock);
		d = dentry_first(f->dentry, *pos - 2);
		if (!d) {
			spin_unlock(&dcache_lock);
			return 0;
		}
		len = d->name_len;
		memcpy(name, d->name, len + 1);
		ino = d->inode->ino;
		type = (u8)(d->inode->mode >> 12);
		seq = d->seq;
		spin_unlock(&dcache_lock);
		if (!emit(arg, name, len, ino, type, seq + 3))
			return 0;
		*pos = seq + 3;
	}
}

/* Writes s in front of *p; false when it does not fit. */
static bool prepend(char **p, const char *start, const char *s, size_t len)
{
	if ((size_t)(*p - start) < len)
		return false;
	*p -= len;
	memcpy(*p, s, len);
	return true;
}

char *dentry_path(struct dentry *d, char *buf, size_t size)
{
	struct fs_context *fs = current->fs;
	char *p = buf + size;
	bool fits = prepend(&p, buf, "", 1);
	struct dentry *root;

	spin_lock(&dcache_lock);
	root = fs ? fs->root : vfs_root;
	if (d->unlinked)
		fits = fits && prepend(&p, buf, " (deleted)", 10);
	if (d->anonymous) {
		fits = fits && prepend(&p, buf, d->name, d->name_len) &&
		       (!d->unlinked || prepend(&p, buf, "/", 1));
	} else if (d == root || (d->parent == d && !d->mount->on)) {
		fits = fits && prepend(&p, buf, "/", 1);
	} else {
		while (fits && d != root) {
			if (d->parent != d) {
				fits = prepend(&p, buf, d->name, d->name_len) &&
				       prepend(&p, buf, "/", 1);
				d = d->parent;
			} else if (d->mount && d->mount->on) {
				d = d->mount->on;
			} else {
				break;
			}
		}
	}
	spin_unlock(&dcache_lock);
	return fits ? p : ERR_PTR(-ENAMETOOLONG);
}
