/* SPDX-License-Identifier: MIT
 *
 * Root, working directory and umask of a task; chdir(), chroot(), getcwd(). The two directories
 * change under dcache_lock, which every walk holds while it reads them.
 */
#include <arch/uaccess.h>
#include <fs/internal.h>
#include <kern/string.h>
#include <kernel/syscall.h>
#include <kernel/user_namespace.h>
#include <mm/slab.h>

static struct fs_context *context_new(struct dentry *root, struct dentry *cwd, u32 umask)
{
	struct fs_context *fs = kmalloc(sizeof(*fs), GFP_KERNEL);

	if (!fs)
		return NULL;
	refcount_set(&fs->refs, 1);
	fs->root = root;
	fs->cwd = cwd;
	fs->umask = umask;
	return fs;
}

/* The caller holds dcache_lock and something else that keeps d's mount in use. */
static void hold(struct dentry *d)
{
	dentry_get(d);
	if (d->mount)
		refcount_inc(&d->mount->users);
}

static void unhold(struct dentry *d)
{
	mount_unuse(d);
	dentry_put(d);
}

struct fs_context *fs_context_alloc(void)
{
	struct fs_context *fs = context_new(vfs_root, vfs_root, 022);

	if (!fs)
		return NULL;
	spin_lock(&dcache_lock);
	hold(vfs_root);
	hold(vfs_root);
	spin_unlock(&dcache_lock);
	return fs;
}

struct fs_context *fs_context_dup(struct fs_context *old)
{
	struct fs_context *fs = context_new(NULL, NULL, READ_ONCE(old->umask));

	if (!fs)
		return NULL;
	spin_lock(&dcache_lock);
	fs->root = old->root;
	fs->cwd = old->cwd;
	hold(fs->root);
	hold(fs->cwd);
	spin_unlock(&dcache_lock);
	return fs;
}

void fs_context_get(struct fs_context *fs)
{
	refcount_inc(&fs->refs);
}

void fs_context_put(struct fs_context *fs)
{
	if (!refcount_dec_and_test(&fs->refs))
		return;
	unhold(fs->cwd);
	unhold(fs->root);
	kfree(fs);
}

static struct dentry *get_locked(struct dentry **where)
{
	struct dentry *d;

	spin_lock(&dcache_lock);
	d = *where;
	dentry_get(d);
	spin_unlock(&dcache_lock);
	return d;
}

bool fs_context_chrooted(const struct fs_context *fs)
{
	return READ_ONCE(fs->root) != vfs_root;
}

struct dentry *fs_context_root(struct fs_context *fs)
{
	return get_locked(&fs->root);
}

struct dentry *fs_context_cwd(struct fs_context *fs)
{
	return get_locked(&fs->cwd);
}

/* Takes over the reference to d. */
static int set_directory(struct dentry **where, struct dentry *d)
{
	struct dentry *old;
	int err = S_ISDIR(d->inode->mode) ? inode_permission(d->inode, MAY_EXEC) : -ENOTDIR;

	if (!err)
		err = mount_use(d);
	if (err) {
		dentry_put(d);
		return err;
	}
	spin_lock(&dcache_lock);
	old = *where;
	*where = d;
	spin_unlock(&dcache_lock);
	unhold(old);
	return 0;
}

SYSCALL_DEFINE1(chdir, const char __user *, path)
{
	struct dentry *d = user_path_at(AT_FDCWD, path, 0, 0);

	return IS_ERR(d) ? PTR_ERR(d) : set_directory(&current->fs->cwd, d);
}

SYSCALL_DEFINE1(fchdir, int, fd)
{
	struct file *f = fd_get_path(fd);
	int err;

	if (!f)
		return -EBADF;
	dentry_get(f->dentry);
	err = set_directory(&current->fs->cwd, f->dentry);
	file_put(f);
	return err;
}

SYSCALL_DEFINE1(chroot, const char __user *, path)
{
	struct dentry *d = user_path_at(AT_FDCWD, path, 0, 0);
	int err = 0;

	if (IS_ERR(d))
		return PTR_ERR(d);
	if (!S_ISDIR(d->inode->mode))
		err = -ENOTDIR;
	else if (!capable_here(CAP_SYS_CHROOT))
		err = -EPERM;
	if (err) {
		dentry_put(d);
		return err;
	}
	return set_directory(&current->fs->root, d);
}

/* Outside the caller's root there is no path; Linux says so in the text. */
static bool is_reachable(struct dentry *d)
{
	struct dentry *root;
	bool found;

	spin_lock(&dcache_lock);
	root = current->fs->root;
	for (;;) {
		found = d == root;
		if (found)
			break;
		if (d->parent != d)
			d = d->parent;
		else if (d->mount && d->mount->on)
			d = d->mount->on;
		else
			break;
	}
	spin_unlock(&dcache_lock);
	return found;
}

SYSCALL_DEFINE2(getcwd, char __user *, ubuf, unsigned long, size)
{
	static const char outside[] = "(unreachable)";
	const size_t extra = sizeof(outside) - 1;
	char *page = kmalloc(PATH_MAX, GFP_KERNEL), *p;
	struct dentry *cwd;
	long ret;

	if (!page)
		return -ENOMEM;
	cwd = fs_context_cwd(current->fs);
	p = dentry_path(cwd, page + extra, PATH_MAX - extra);
	if (IS_ERR(p)) {
		ret = PTR_ERR(p);
	} else if (cwd->unlinked) {
		ret = -ENOENT;
	} else {
		if (!is_reachable(cwd)) {
			p -= extra;
			memcpy(p, outside, extra);
		}
		ret = (long)strlen(p) + 1;
		if ((unsigned long)ret > size)
			ret = -ERANGE;
		else if (copy_to_user(ubuf, p, (size_t)ret))
			ret = -EFAULT;
	}
	dentry_put(cwd);
	kfree(page);
	return ret;
}

SYSCALL_DEFINE1(umask, u32, mask)
{
	return __atomic_exchange_n(&current->fs->umask, mask & 0777, __ATOMIC_RELAXED);
}
