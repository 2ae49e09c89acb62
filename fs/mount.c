/* SPDX-License-Identifier: MIT
 *
 * Mounts: trees of dentries on top of directories of other trees.
 *
 * A mount is used by open files and working directories inside it; umount() refuses while there are
 * any, and a detached mount is taken apart when the last one goes. Its memory belongs to its root
 * dentry. There are no bind mounts, so a dentry is in exactly one mount.
 */
#include <arch/uaccess.h>
#include <fs/internal.h>
#include <kern/printf.h>
#include <kern/string.h>
#include <kernel/syscall.h>
#include <mm/slab.h>
#include <uapi/mount.h>
#include <uapi/statfs.h>

struct dentry *vfs_root;

static LIST_HEAD(mounts); /* [d] */

/* The flags that are kept and honoured; the ones below change nothing here. */
#define KEPT_FLAGS (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
#define HARMLESS_FLAGS                                                                             \
	(MS_SYNCHRONOUS | MS_NOATIME | MS_NODIRATIME | MS_SILENT | MS_RELATIME | MS_STRICTATIME)

struct mount *mount_create(struct inode *root, const char *fstype, const char *source,
			   unsigned long flags)
{
	struct mount *m = kzalloc(sizeof(*m), GFP_KERNEL);

	if (!m) {
		inode_put(root);
		return NULL;
	}
	m->root = dentry_alloc("", 0, root);
	if (!m->root) {
		kfree(m);
		return NULL;
	}
	m->root->mount = m;
	m->fstype = fstype;
	m->flags = flags;
	refcount_set(&m->users, 1);
	strscpy(m->source, source, sizeof(m->source));
	if (!vfs_root) {
		vfs_root = m->root;
		list_add_tail(&m->node, &mounts);
	}
	return m;
}

/* Nobody can reach the tree any more: gives back each entry's reference, the deepest first. */
static void mount_destroy(struct mount *m)
{
	struct dentry *root = m->root, *d, *child;

	for (;;) {
		spin_lock(&dcache_lock);
		for (d = root; dir_has_dentries(d->inode); d = child) {
			child = dentry_first(d, 0);
			if (!child)
				break;
		}
		if (d == root)
			break;
		dentry_unlink(d);
		spin_unlock(&dcache_lock);
		dentry_put(d);
		cond_resched();
	}
	root->unlinked = true; /* nothing can be created in it any more */
	spin_unlock(&dcache_lock);
	dentry_put(root);
}

int mount_use(struct dentry *d)
{
	return !d->mount || refcount_inc_not_zero(&d->mount->users) ? 0 : -ENOENT;
}

void mount_unuse(struct dentry *d)
{
	if (d->mount && refcount_dec_and_test(&d->mount->users))
		mount_destroy(d->mount);
}

/* Puts m over the directory d; takes over both references. */
static int mount_attach(struct mount *m, struct dentry *d)
{
	int err;

	if (!S_ISDIR(d->inode->mode))
		err = -ENOTDIR;
	else
		err = mount_use(d);
	if (!err) {
		spin_lock(&dcache_lock);
		while (d->covered_by) { /* someone was faster: on top of that one */
			struct dentry *top = d->covered_by->root;

			dentry_get(top);
			refcount_inc(&top->mount->users);
			spin_unlock(&dcache_lock);
			mount_unuse(d);
			dentry_put(d);
			d = top;
			spin_lock(&dcache_lock);
		}
		if (d->unlinked || !d->mount) {
			err = -ENOENT;
		} else {
			d->covered_by = m;
			m->on = d;
			list_add_tail(&m->node, &mounts);
		}
		spin_unlock(&dcache_lock);
		if (err)
			mount_unuse(d);
	}
	if (err) {
		dentry_put(d);
		mount_unuse(m->root);
	}
	return err;
}

/*
 * Takes a mount out of the tree. dcache_lock held. The caller drops its place and its first user.
 */
static struct dentry *mount_detach(struct mount *m)
{
	struct dentry *on = m->on;

	on->covered_by = NULL;
	m->on = NULL;
	list_del(&m->node);
	return on;
}

struct dentry *mount_point_of(const struct inode *inode)
{
	struct mount *m;

	list_for_each_entry(m, &mounts, node)
		if (m->on && m->on->inode->ino == inode->ino && m->on->inode->dev == inode->dev)
			return m->on;
	return NULL;
}

static bool has_mounts_on_top(const struct mount *m)
{
	struct mount *other;

	list_for_each_entry(other, &mounts, node)
		if (other->on && other->on->mount == m)
			return true;
	return false;
}

int vfs_mount(const char *path, struct inode *root, const char *fstype)
{
	struct mount *m = mount_create(root, fstype, fstype, 0);
	struct dentry *d;

	if (!m)
		return -ENOMEM;
	d = path_lookup(AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
	if (IS_ERR(d)) {
		mount_unuse(m->root);
		return (int)PTR_ERR(d);
	}
	return mount_attach(m, d);
}

bool dentry_noexec(const struct dentry *d)
{
	return d->mount && (d->mount->flags & MS_NOEXEC);
}

/* The nth mount with its mount point, a reference, or NULL. */
static struct dentry *nth_mount(unsigned int n)
{
	struct mount *m;

	list_for_each_entry(m, &mounts, node)
		if (n-- == 0) {
			dentry_get(m->root);
			return m->root;
		}
	return NULL;
}

void mount_for_each(void (*fn)(void *arg, const char *source, const char *path, const char *fstype,
			       const char *options),
		    void *arg)
{
	char *page = kmalloc(PATH_MAX, GFP_KERNEL);

	if (!page)
		return;
	for (unsigned int n = 0;; n++) {
		struct dentry *root;
		unsigned long flags;
		char options[48], *path;

		spin_lock(&dcache_lock);
		root = nth_mount(n);
		spin_unlock(&dcache_lock);
		if (!root)
			break;
		flags = root->mount->flags;
		scnprintf(options, sizeof(options), "%s%s%s%s,relatime",
			  flags & MS_RDONLY ? "ro" : "rw", flags & MS_NOSUID ? ",nosuid" : "",
			  flags & MS_NODEV ? ",nodev" : "", flags & MS_NOEXEC ? ",noexec" : "");
		path = dentry_path(root, page, PATH_MAX);
		if (!IS_ERR(path))
			fn(arg, root->mount->source, path, root->mount->fstype, options);
		dentry_put(root);
	}
	kfree(page);
}

/* ---- mount(2) ---- */

static int parse_size(const char *s, unsigned long *pages)
{
	unsigned long v = 0, unit = 1;

	for (; *s >= '0' && *s <= '9'; s++) {
		if (v > (1UL << 50))
			return -EINVAL;
		v = v * 10 + (unsigned long)(*s - '0');
	}
	switch (*s) {
	case '%':
		*pages = totalram_pages() * v / 100;
		return s[1] ? -EINVAL : 0;
	case 'g':
	case 'G':
		unit <<= 10;
		/* fall through */
	case 'm':
	case 'M':
		unit <<= 10;
		/* fall through */
	case 'k':
	case 'K':
		unit <<= 10;
		s++;
		break;
	default:
		break;
	}
	*pages = (v * unit + PAGE_SIZE - 1) >> PAGE_SHIFT;
	return *s ? -EINVAL : 0;
}

static int parse_huge(const char *s, enum shmem_huge *huge)
{
	static const char *const words[] = {
		[SHMEM_HUGE_ALWAYS] = "always",
		[SHMEM_HUGE_WITHIN_SIZE] = "within_size",
		[SHMEM_HUGE_ADVISE] = "advise",
		[SHMEM_HUGE_NEVER] = "never",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(s, words[i])) {
			*huge = (enum shmem_huge)i;
			return 0;
		}
	return -EINVAL;
}

/* What is not mentioned stays. */
static int parse_tmpfs_options(char *s, struct tmpfs_options *o)
{
	while (s && *s) {
		char *next = strchr(s, ',');
		unsigned long v;

		if (next)
			*next++ = 0;
		if (!strncmp(s, "size=", 5)) {
			if (parse_size(s + 5, &o->pages))
				return -EINVAL;
			if (!o->pages)
				o->pages = TMPFS_NO_LIMIT;
		} else if (!strncmp(s, "mode=", 5)) {
			if (kstrtoul(s + 5, 8, &v) || v > 07777)
				return -EINVAL;
			o->mode = (u32)v;
		} else if (!strncmp(s, "huge=", 5)) {
			if (parse_huge(s + 5, &o->huge))
				return -EINVAL;
		} else if (*s) {
			return -EINVAL;
		}
		s = next;
	}
	return 0;
}

/* The root inode of the filesystem of which there is only one: proc, devtmpfs. */
static struct inode *find_single(const char *type, const char **fstype)
{
	struct inode *root = NULL;
	struct mount *m;

	spin_lock(&dcache_lock);
	list_for_each_entry(m, &mounts, node)
		if (!strcmp(m->fstype, type) && !dir_has_dentries(m->root->inode)) {
			root = m->root->inode;
			inode_get(root);
			*fstype = m->fstype;
			break;
		}
	spin_unlock(&dcache_lock);
	return root;
}

static int do_mount(const char *source, const char *target, const char *type, unsigned long flags,
		    char *data)
{
	struct tmpfs_options o = { totalram_pages() / 2, 01777, SHMEM_HUGE_NEVER };
	const char *fstype = "tmpfs";
	struct inode *root;
	struct mount *m;
	struct dentry *d;
	int err;

	if (!strcmp(type, "tmpfs")) {
		err = parse_tmpfs_options(data, &o);
		if (err)
			return err;
		root = tmpfs_new_root(&o);
		if (!root)
			return -ENOMEM;
	} else {
		root = find_single(type, &fstype);
		if (!root)
			return -ENODEV;
	}
	m = mount_create(root, fstype, source, flags & KEPT_FLAGS);
	if (!m)
		return -ENOMEM;
	d = path_lookup(AT_FDCWD, target, LOOKUP_FOLLOW);
	if (IS_ERR(d)) {
		mount_unuse(m->root);
		return (int)PTR_ERR(d);
	}
	return mount_attach(m, d);
}

/* Other options for a mounted filesystem: of tmpfs, size= and huge=. */
static int change_options(struct inode *root, char *data)
{
	struct tmpfs_options o;
	int err;

	if (!is_tmpfs_inode(root))
		return 0;
	o = tmpfs_get_options(root);
	err = parse_tmpfs_options(data, &o);
	return err ?: tmpfs_change_options(root, &o);
}

static int do_remount(const char *target, unsigned long flags, char *data)
{
	struct dentry *d = path_lookup(AT_FDCWD, target, LOOKUP_FOLLOW);
	int err;

	if (IS_ERR(d))
		return (int)PTR_ERR(d);
	err = dentry_is_mount_root(d) ? change_options(d->inode, data) : -EINVAL;
	if (!err)
		WRITE_ONCE(d->mount->flags, flags & KEPT_FLAGS);
	dentry_put(d);
	return err;
}

/* A short string that may be missing: "" then. */
static int copy_name(char *buf, size_t size, const char __user *s)
{
	ssize_t n = 0;

	buf[0] = 0;
	if (s)
		n = strncpy_from_user(buf, s, size);
	if (n < 0)
		return (int)n;
	return (size_t)n >= size ? -EINVAL : 0;
}

SYSCALL_DEFINE5(mount, const char __user *, source, const char __user *, target,
		const char __user *, type, unsigned long, flags, const char __user *, data)
{
	char src[32], fstype[16], options[128];
	char *path;
	int err;

	if (copy_name(fstype, sizeof(fstype), type))
		return -ENODEV;
	err = copy_name(src, sizeof(src), source);
	if (!err)
		err = copy_name(options, sizeof(options), data);
	if (err)
		return err;
	path = path_get_user(target, false);
	if (IS_ERR(path))
		return PTR_ERR(path);
	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~MS_MGC_MSK;
	if (!cred_has_cap(CAP_SYS_ADMIN))
		err = -EPERM;
	else if (flags & ~(KEPT_FLAGS | HARMLESS_FLAGS | MS_REMOUNT))
		err = -EINVAL; /* no bind mounts, moves or propagation */
	else if (flags & MS_REMOUNT)
		err = do_remount(path, flags, options);
	else
		err = do_mount(src, path, fstype, flags, options);
	path_put_user(path);
	return err;
}

static int do_umount(struct dentry *d, int flags)
{
	struct mount *m = d->mount;
	struct dentry *on = NULL;
	int err = 0;

	if (!dentry_is_mount_root(d))
		return -EINVAL;
	spin_lock(&dcache_lock);
	if (!m->on)
		err = -EINVAL;
	else if (has_mounts_on_top(m) || (!(flags & MNT_DETACH) && refcount_read(&m->users) > 1))
		err = -EBUSY;
	else
		on = mount_detach(m);
	spin_unlock(&dcache_lock);
	if (err)
		return err;
	mount_unuse(on);
	dentry_put(on);
	mount_unuse(m->root);
	return 0;
}

SYSCALL_DEFINE2(umount2, const char __user *, target, int, flags)
{
	struct dentry *d;
	int err;

	if (flags & ~(MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW))
		return -EINVAL;
	if (!cred_has_cap(CAP_SYS_ADMIN))
		return -EPERM;
	d = user_path_at(AT_FDCWD, target, flags & UMOUNT_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0,
			 AT_SYMLINK_NOFOLLOW);
	if (IS_ERR(d))
		return PTR_ERR(d);
	err = do_umount(d, flags);
	dentry_put(d);
	return err;
}

/* ---- statfs ---- */

static int do_statfs(const struct dentry *d, struct statfs __user *ubuf)
{
	struct statfs buf;
	unsigned long flags = d->mount ? d->mount->flags : 0;

	memset(&buf, 0, sizeof(buf));
	buf.f_bsize = buf.f_frsize = PAGE_SIZE;
	buf.f_namelen = NAME_MAX;
	if (is_tmpfs_inode(d->inode)) {
		buf.f_type = TMPFS_MAGIC;
		tmpfs_statfs(d->inode, &buf);
	} else if (d->mount) {
		buf.f_type = !strcmp(d->mount->fstype, "proc")	    ? PROC_SUPER_MAGIC
			     : !strcmp(d->mount->fstype, "tracefs") ? TRACEFS_MAGIC
								    : SYSFS_MAGIC;
	} else {
		buf.f_type = S_ISFIFO(d->inode->mode) ? PIPEFS_MAGIC : ANON_INODE_FS_MAGIC;
	}
	buf.f_fsid[0] = (int32_t)d->inode->dev;
	buf.f_flags = ST_VALID | ST_RELATIME | (int64_t)(flags & KEPT_FLAGS);
	return copy_to_user(ubuf, &buf, sizeof(buf)) ? -EFAULT : 0;
}

SYSCALL_DEFINE2(statfs, const char __user *, path, struct statfs __user *, buf)
{
	struct dentry *d = user_path_at(AT_FDCWD, path, 0, 0);
	int err;

	if (IS_ERR(d))
		return PTR_ERR(d);
	err = do_statfs(d, buf);
	dentry_put(d);
	return err;
}

SYSCALL_DEFINE2(fstatfs, int, fd, struct statfs __user *, buf)
{
	struct file *f = fd_get_path(fd);
	int err;

	if (!f)
		return -EBADF;
	err = do_statfs(f->dentry, buf);
	file_put(f);
	return err;
}
