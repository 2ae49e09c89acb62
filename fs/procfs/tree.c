/* SPDX-License-Identifier: MIT
 *
 * The tree of /proc: tables of entries, inodes made on lookup, directory listings.
 */
#include <fs/internal.h>
#include <fs/procfs/internal.h>
#include <kern/printf.h>
#include <kern/printk.h>
#include <kern/string.h>
#include <mm/slab.h>

#define ROOT_INO 1
#define FIRST_PID_POS 256 /* directory positions from here on are this + pid */

#define TEXT(n, m, s)                                                                              \
	{                                                                                          \
		.name = n, .mode = S_IFREG | (m), .show = s                                        \
	}

static const struct proc_entry root_entries[] = {
	TEXT("buddyinfo", 0444, buddyinfo_show),
	TEXT("cmdline", 0444, kernel_cmdline_show),
	{ .name = "cpuinfo", .mode = S_IFREG | 0444, .source = &cpuinfo_source },
	TEXT("diskstats", 0444, diskstats_show),
	{ .name = "faultstat",
	  .mode = S_IFREG | 0644,
	  .show = faultstat_show,
	  .write = faultstat_write },
	TEXT("filesystems", 0444, filesystems_show),
	TEXT("interrupts", 0444, interrupts_show),
	TEXT("knobs", 0444, knobs_show),
	{ .name = "kpagecount", .mode = S_IFREG | 0400, .fops = &kpagecount_fops },
	{ .name = "kpageflags", .mode = S_IFREG | 0400, .fops = &kpageflags_fops },
	TEXT("loadavg", 0444, loadavg_show),
	TEXT("lock_stat", 0444, lock_stat_show),
	TEXT("meminfo", 0444, meminfo_show),
	{ .name = "mounts",
	  .mode = S_IFLNK | 0777,
	  .iops = &proc_link_iops,
	  .data = "self/mounts" },
	TEXT("partitions", 0444, partitions_show),
	{ .name = "self", .mode = S_IFLNK | 0777, .iops = &self_iops },
	TEXT("slabinfo", 0400, slabinfo_show),
	TEXT("stat", 0444, stat_show),
	TEXT("swaps", 0444, swaps_show),
	{ .name = "sys",
	  .mode = S_IFDIR | 0555,
	  .iops = &proc_dir_iops,
	  .fops = &proc_dir_fops,
	  .children = sysctl_entries },
	{ .name = "sysvipc",
	  .mode = S_IFDIR | 0555,
	  .iops = &proc_dir_iops,
	  .fops = &proc_dir_fops,
	  .children = sysvipc_entries },
	{ .name = "thread-self", .mode = S_IFLNK | 0777, .iops = &thread_self_iops },
	TEXT("uptime", 0444, uptime_show),
#ifdef CONFIG_DEBUG
	TEXT("validate", 0400, validate_show),
#endif
	TEXT("version", 0444, version_show),
	TEXT("vmstat", 0444, vmstat_show),
	TEXT("zoneinfo", 0444, zoneinfo_show),
	{ 0 },
};

static u64 proc_dev;

/* ---- inodes ---- */

u64 proc_ino(const struct task *task, const struct proc_entry *e)
{
	u64 low = ((unsigned long)e / 8) & 0x7fffffff;

	return task ? (u64)(u32)task->tid << 32 | low : low | 0x80000000;
}

u64 proc_numbered_ino(int number, const struct proc_entry *e)
{
	return proc_ino(NULL, e) + ((u64)(u32)number << 32);
}

static u64 child_ino(const struct proc_node *dir, const struct proc_entry *e)
{
	return dir->task ? proc_ino(dir->task, e) : proc_numbered_ino(dir->number, e);
}

/* The files of a process are its user's, unless it holds secrets of another. */
static void set_owner(struct inode *inode, const struct task *task)
{
	bool own = task && (READ_ONCE(task->process->dumpable) || S_ISDIR(inode->mode));

	inode->uid = own ? READ_ONCE(task->cred.euid) : 0;
	inode->gid = own ? READ_ONCE(task->cred.egid) : 0;
}

static const struct inode_ops file_iops = { .release = proc_release_inode };

struct inode *proc_inode(const struct proc_entry *e, struct task *task, int number, u64 ino)
{
	struct proc_node *node = kzalloc(sizeof(*node), GFP_KERNEL);
	struct inode *inode;

	if (!node)
		return ERR_PTR(-ENOMEM);
	inode = inode_alloc(e->mode, e->iops ? e->iops : &file_iops,
			    e->fops ? e->fops : &proc_text_fops);
	if (!inode) {
		kfree(node);
		return ERR_PTR(-ENOMEM);
	}
	node->entry = e;
	node->task = task;
	node->number = number;
	if (task)
		task_get(task);
	inode->private = node;
	inode->ino = ino;
	inode->dev = proc_dev;
	inode->nlink = S_ISDIR(e->mode) ? 2 : 1;
	set_owner(inode, task);
	return inode;
}

void proc_release_inode(struct inode *inode)
{
	struct proc_node *node = proc_node(inode);

	if (node->task)
		task_put(node->task);
	kfree(node);
}

/* ---- tables ---- */

const struct proc_entry *proc_find(const struct proc_entry *table, const char *name)
{
	for (const struct proc_entry *e = table; e->name; e++)
		if (!strcmp(e->name, name))
			return e;
	return NULL;
}

static struct inode *dir_lookup(struct inode *dir, const char *name)
{
	const struct proc_node *node = proc_node(dir);
	const struct proc_entry *e = proc_find(node->entry->children, name);
	struct inode *inode;

	if (!e || (node->task && !proc_task_exists(node->task)))
		return ERR_PTR(-ENOENT);
	inode = proc_inode(e, node->task, node->number, child_ino(node, e));
	if (!IS_ERR(inode))
		proc_node(inode)->thread = node->thread;
	return inode;
}

bool proc_emit_dots(struct file *f, u64 *pos, emit_fn emit, void *arg)
{
	if (*pos == 0) {
		if (!emit(arg, ".", 1, f->inode->ino, 4, 1))
			return false;
		*pos = 1;
	}
	if (*pos == 1) {
		if (!emit(arg, "..", 2, f->dentry->parent->inode->ino, 4, 2))
			return false;
		*pos = 2;
	}
	return true;
}

bool proc_emit_table(struct file *f, const struct proc_entry *table, u64 *pos, emit_fn emit,
		     void *arg)
{
	const struct proc_node *node = proc_node(f->inode);
	u64 n = 2;

	if (!proc_emit_dots(f, pos, emit, arg))
		return false;
	for (const struct proc_entry *e = table; e->name; e++, n++) {
		if (n < *pos)
			continue;
		if (!emit(arg, e->name, strlen(e->name), child_ino(node, e), (u8)(e->mode >> 12),
			  n + 1))
			return false;
		*pos = n + 1;
	}
	return true;
}

static int dir_readdir(struct file *f, u64 *pos, emit_fn emit, void *arg)
{
	const struct proc_node *node = proc_node(f->inode);

	if (node->task && !proc_task_exists(node->task))
		return -ENOENT;
	(void)proc_emit_table(f, node->entry->children, pos, emit, arg);
	return 0;
}

static ssize_t link_readlink(struct inode *inode, char *buf, size_t size)
{
	const char *text = proc_node(inode)->entry->data;
	size_t n = min(strlen(text), size);

	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): what readlink gives has no 0 */
	memcpy(buf, text, n);
	return (ssize_t)n;
}

const struct inode_ops proc_dir_iops = { .lookup = dir_lookup, .release = proc_release_inode };
const struct inode_ops proc_link_iops = { .readlink = link_readlink,
					  .release = proc_release_inode };
const struct file_ops proc_dir_fops = { .readdir = dir_readdir };

int proc_parse_number(const char *name)
{
	unsigned long v = 0;

	if (*name == '0' && name[1])
		return -1;
	if (!*name)
		return -1;
	for (; *name; name++) {
		if (*name < '0' || *name > '9')
			return -1;
		v = v * 10 + (unsigned long)(*name - '0');
		if (v > 0x7fffffff)
			return -1;
	}
	return (int)v;
}

/* ---- /proc itself ---- */

static struct inode *root_lookup(struct inode *dir __maybe_unused, const char *name)
{
	const struct proc_entry *e;

	if (*name >= '0' && *name <= '9')
		return proc_pid_lookup(name);
	e = proc_find(root_entries, name);
	return e ? proc_inode(e, NULL, 0, proc_ino(NULL, e)) : ERR_PTR(-ENOENT);
}

static int root_readdir(struct file *f, u64 *pos, emit_fn emit, void *arg)
{
	if (*pos < FIRST_PID_POS) {
		if (!proc_emit_table(f, root_entries, pos, emit, arg))
			return 0;
		*pos = FIRST_PID_POS;
	}
	return proc_pid_readdir(f, pos, FIRST_PID_POS, emit, arg);
}

static const struct inode_ops root_dir_iops = { .lookup = root_lookup,
						.release = proc_release_inode };
static const struct file_ops root_dir_fops = { .readdir = root_readdir };
static const struct proc_entry root_entry = {
	.name = "/", .mode = S_IFDIR | 0555, .iops = &root_dir_iops, .fops = &root_dir_fops
};

void procfs_init(void)
{
	struct inode *root;
	int err = vfs_mkdir("/proc", 0555);

	proc_dev = new_anon_dev();
	root = proc_inode(&root_entry, NULL, 0, ROOT_INO);
	if (IS_ERR(root))
		panic("no memory for /proc");
	if (err && err != -EEXIST)
		pr_err("procfs: /proc: error %d", err);
	err = vfs_mount("/proc", root, "proc");
	if (err)
		pr_err("procfs: mount: error %d", err);
	loadavg_init();
	sysfs_init();
}
