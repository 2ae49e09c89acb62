/* SPDX-License-Identifier: MIT
 *
 * User namespaces as files: what /proc/PID/ns/user leads to, and setns(). Two links lead to the same namespace when
 * their files have the same number. An open file keeps its namespace.
 */
#include <fs/internal.h>
#include <kern/printf.h>
#include <kernel/syscall.h>
#include <kernel/user_namespace.h>
#include <uapi/sched.h>

static u64 nsfs_dev;

static void ns_release(struct inode *i)
{
	user_ns_put(i->private);
}

static const struct inode_ops ns_iops = { .release = ns_release };
static const struct file_ops ns_fops = { .read = NULL };

struct dentry *user_ns_dentry(struct user_namespace *ns)
{
	struct inode *i = inode_alloc(S_IFREG | 0444, &ns_iops, &ns_fops);
	struct dentry *d;
	char name[24];
	int len;

	if (!i) {
		user_ns_put(ns);
		return ERR_PTR(-ENOMEM);
	}
	i->uid = i->gid = 0;
	i->ino = ns->ino;
	i->dev = nsfs_dev;
	i->private = ns;
	len = scnprintf(name, sizeof(name), "user:[%llu]", (unsigned long long)ns->ino);
	d = dentry_alloc(name, (size_t)len, i);
	if (!d)
		return ERR_PTR(-ENOMEM);
	d->anonymous = true;
	return d;
}

SYSCALL_DEFINE2(setns, int, fd, int, type)
{
	struct file *f = fd_get(fd);
	int err;

	if (!f)
		return -EBADF;
	if (f->inode->fops != &ns_fops || (type && type != (int)CLONE_NEWUSER))
		err = -EINVAL;
	else
		err = user_ns_enter(f->inode->private);
	file_put(f);
	return err;
}

void nsfs_init(void)
{
	nsfs_dev = new_anon_dev();
}
