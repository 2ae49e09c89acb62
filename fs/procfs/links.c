/* SPDX-License-Identifier: MIT
 *
 * /proc/PID/exe, cwd, root and ns/user: links that lead to the object itself, whatever has become of its name.
 */
#include <fs/internal.h>
#include <fs/procfs/internal.h>
#include <kern/err.h>
#include <kern/string.h>
#include <kernel/user_namespace.h>
#include <mm/mm.h>
#include <mm/slab.h>

static struct dentry *exe_of(const struct proc_node *node)
{
	struct dentry *d = ERR_PTR(-ENOENT);
	struct mm *mm = proc_get_mm(node);

	if (!mm)
		return d;
	mmap_read_lock(mm);
	if (mm->exe_file) {
		d = mm->exe_file->dentry;
		dentry_get(d);
	}
	mmap_read_unlock(mm);
	mm_put(mm);
	return d;
}

static struct dentry *dir_of(const struct proc_node *node, bool root)
{
	struct fs_context *fs = task_get_fs(node->task);
	struct dentry *d;

	if (!fs)
		return ERR_PTR(-ENOENT);
	d = root ? fs_context_root(fs) : fs_context_cwd(fs);
	fs_context_put(fs);
	return d;
}

static struct dentry *guarded(const struct inode *inode,
			      struct dentry *(*get)(const struct proc_node *node))
{
	const struct proc_node *node = proc_node(inode);

	return proc_may_inspect(node->task) ? get(node) : ERR_PTR(-EACCES);
}

static ssize_t readlink_of(struct dentry *d, char *buf, size_t size)
{
	char *page, *path;
	ssize_t n;

	if (IS_ERR(d))
		return PTR_ERR(d);
	page = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!page) {
		dentry_put(d);
		return -ENOMEM;
	}
	path = dentry_path(d, page, PATH_MAX);
	if (IS_ERR(path)) {
		n = PTR_ERR(path);
	} else {
		n = (ssize_t)min(strlen(path), size);
		memcpy(buf, path, (size_t)n);
	}
	kfree(page);
	dentry_put(d);
	return n;
}

static struct dentry *cwd_of(const struct proc_node *node)
{
	return dir_of(node, false);
}

static struct dentry *root_of(const struct proc_node *node)
{
	return dir_of(node, true);
}

static struct dentry *ns_user_of(const struct proc_node *node)
{
	return user_ns_dentry(task_get_user_ns(node->task));
}

#define LINK_OPS(name)                                                                             \
	static struct dentry *name##_follow(struct inode *inode)                                   \
	{                                                                                          \
		return guarded(inode, name##_of);                                                  \
	}                                                                                          \
	static ssize_t name##_readlink(struct inode *inode, char *buf, size_t size)                \
	{                                                                                          \
		return readlink_of(name##_follow(inode), buf, size);                               \
	}                                                                                          \
	const struct inode_ops name##_iops = { .follow = name##_follow,                            \
					       .readlink = name##_readlink,                        \
					       .release = proc_release_inode }

LINK_OPS(exe);
LINK_OPS(cwd);
LINK_OPS(root);
LINK_OPS(ns_user);

/* ---- fd/N: the same, but for an open file ---- */

static struct dentry *fd_of(const struct proc_node *node)
{
	struct file *f = task_get_file(node->task, node->number);
	struct dentry *d;

	if (!f)
		return ERR_PTR(-ENOENT);
	d = f->dentry;
	dentry_get(d);
	file_put(f);
	return d;
}

LINK_OPS(fd);
