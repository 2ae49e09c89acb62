/* SPDX-License-Identifier: MIT
 *
 * /proc/PID/fd and fdinfo: a process's open files.
 */
#include <fs/internal.h>
#include <fs/procfs/internal.h>
#include <kern/err.h>
#include <kern/printf.h>

static int fdinfo_show(struct seq *s);

/* The permission bits of the link say how the file is open: filled in at lookup. */
static const struct proc_entry fd_entry = { .name = "N", .mode = S_IFLNK, .iops = &fd_iops };
static const struct proc_entry fdinfo_entry = { .name = "N",
						.mode = S_IFREG | 0444,
						.show = fdinfo_show };

static struct inode *lookup(struct inode *dir, const char *name, const struct proc_entry *e)
{
	struct task *t = proc_node(dir)->task;
	int fd = proc_parse_number(name);
	struct inode *inode;
	struct file *f;
	u32 mode = 0;

	f = fd >= 0 ? task_get_file(t, fd) : NULL;
	if (!f)
		return ERR_PTR(-ENOENT);
	if (f->mode & FMODE_READ)
		mode |= S_IRUSR | S_IXUSR;
	if (f->mode & FMODE_WRITE)
		mode |= S_IWUSR | S_IXUSR;
	file_put(f);
	inode = proc_inode(e, t, fd, proc_ino(t, e) + (u64)fd * 8);
	if (!IS_ERR(inode) && S_ISLNK(e->mode))
		inode->mode |= mode;
	return inode;
}

static struct inode *fd_lookup(struct inode *dir, const char *name)
{
	return lookup(dir, name, &fd_entry);
}

static struct inode *fdinfo_lookup(struct inode *dir, const char *name)
{
	return lookup(dir, name, &fdinfo_entry);
}

/* A process may always look at its own files, whatever user it has become. */
static int fd_permission(const struct inode *inode, int mask)
{
	const struct task *t = proc_node(inode)->task;

	if (t->process == current->process || inode_capable(inode, CAP_DAC_OVERRIDE))
		return 0;
	return current->cred.fsuid == inode->uid && !(mask & ~(inode->mode >> 6) & 7) ? 0 : -EACCES;
}

static int fd_readdir(struct file *f, u64 *pos, emit_fn emit, void *arg)
{
	const struct proc_node *node = proc_node(f->inode);
	u8 type = node->entry->iops == &fd_dir_iops ? 10 : 8; /* DT_LNK, DT_REG */
	int max;

	if (!proc_task_exists(node->task))
		return -ENOENT;
	if (!proc_emit_dots(f, pos, emit, arg))
		return 0;
	max = task_files_max(node->task);
	for (int fd = (int)min(*pos - 2, (u64)max); fd < max; fd++) {
		struct file *open = task_get_file(node->task, fd);
		char name[12];

		if (!open)
			continue;
		file_put(open);
		if (!emit(arg, name, (size_t)scnprintf(name, sizeof(name), "%d", fd),
			  proc_ino(node->task, &fd_entry) + (u64)fd * 8, type, (u64)fd + 3))
			break;
		*pos = (u64)fd + 3;
	}
	return 0;
}

const struct inode_ops fd_dir_iops = { .lookup = fd_lookup,
				       .permission = fd_permission,
				       .release = proc_release_inode };
const struct inode_ops fdinfo_dir_iops = { .lookup = fdinfo_lookup,
					   .permission = fd_permission,
					   .release = proc_release_inode };
const struct file_ops fd_dir_fops = { .readdir = fd_readdir };

static int fdinfo_show(struct seq *s)
{
	struct file *f = task_get_file(s->node->task, s->node->number);

	if (!f)
		return -ENOENT;
	seq_printf(s, "pos:\t%llu\nflags:\t0%o\nmnt_id:\t%d\nino:\t%llu\n",
		   (unsigned long long)f->pos, f->flags, f->dentry->mount ? 1 : 0,
		   (unsigned long long)f->inode->ino);
	file_put(f);
	return 0;
}
