/* SPDX-License-Identifier: MIT
 *
 * /dev: a tmpfs of its own, in which each registered device has a node; and the character devices that are
 * nothing but memory: null, zero, full, random, urandom, kmsg.
 */
#include <arch/uaccess.h>
#include <fs/internal.h>
#include <kern/printf.h>
#include <kern/printk.h>
#include <kern/string.h>
#include <kernel/random.h>
#include <kernel/signal.h>
#include <mm/page_alloc.h>
#include <uapi/poll.h>

#define MAX_CHRDEVS 32
#define ZERO_CHUNK 65536UL /* cleared between two looks at signals and the scheduler */
#define KMSG_LINE_MAX 960

struct chrdev {
	u64 rdev;
	const char *name;
	u32 mode;
	const struct file_ops *ops;
};

/* Filled at boot only, by one task: no lock. */
static struct chrdev chrdevs[MAX_CHRDEVS];
static unsigned int nr_chrdevs;
static bool dev_mounted;

static void make_node(const char *name, u32 mode, u64 rdev)
{
	char path[32];
	int err;

	(void)scnprintf(path, sizeof(path), "/dev/%s", name);
	err = vfs_mknod(path, mode, rdev);
	if (err)
		pr_err("devfs: %s: error %d", path, err);
}

void devfs_add_block(const char *name, u64 rdev)
{
	make_node(name, S_IFBLK | 0600, rdev);
}

void chrdev_register(u64 rdev, const char *name, u32 mode, const struct file_ops *ops)
{
	struct chrdev *c = &chrdevs[nr_chrdevs];

	BUG_ON(nr_chrdevs == MAX_CHRDEVS);
	*c = (struct chrdev){ rdev, name, mode, ops };
	nr_chrdevs++;
	if (dev_mounted)
		make_node(name, S_IFCHR | mode, rdev);
}

const struct file_ops *chrdev_fops(u64 rdev)
{
	for (unsigned int i = 0; i < nr_chrdevs; i++)
		if (chrdevs[i].rdev == rdev)
			return chrdevs[i].ops;
	return NULL;
}

/* ---- null, zero, full ---- */

static s64 seek_nowhere(struct file *f, s64 off __maybe_unused, int whence __maybe_unused)
{
	f->pos = 0;
	return 0;
}

static unsigned int poll_always(struct file *f __maybe_unused, struct poll_table *pt __maybe_unused)
{
	return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
}

static ssize_t null_read(struct file *f __maybe_unused, char __user *buf __maybe_unused,
			 size_t n __maybe_unused, u64 *pos __maybe_unused)
{
	return 0;
}

static ssize_t null_write(struct file *f __maybe_unused, const char __user *buf __maybe_unused,
			  size_t n, u64 *pos __maybe_unused)
{
	return (ssize_t)n;
}

static ssize_t null_write_kernel(struct file *f __maybe_unused, const void *buf __maybe_unused,
				 size_t n, u64 *pos __maybe_unused)
{
	return (ssize_t)n;
}

static ssize_t zero_read(struct file *f __maybe_unused, char __user *buf, size_t n,
			 u64 *pos __maybe_unused)
{
	size_t done = 0;

	while (done < n) {
		size_t chunk = min(n - done, ZERO_CHUNK);
		size_t left = clear_user(buf + done, chunk);

		done += chunk - left;
		if (left)
			return done ? (ssize_t)done : -EFAULT;
		if (done < n && signal_pending(current))
			break;
		cond_resched();
	}
	return (ssize_t)done;
}

static ssize_t full_write(struct file *f __maybe_unused, const char __user *buf __maybe_unused,
			  size_t n __maybe_unused, u64 *pos __maybe_unused)
{
	return -ENOSPC;
}

static int mmap_zero(struct file *f __maybe_unused, bool *anonymous)
{
	*anonymous = true;
	return 0;
}

static int mmap_refused(struct file *f __maybe_unused, bool *anonymous __maybe_unused)
{
	return -ENODEV;
}

static const struct file_ops null_fops = {
	.read = null_read,
	.write = null_write,
	.write_kernel = null_write_kernel,
	.poll = poll_always,
	.llseek = seek_nowhere,
	.mmap = mmap_refused,
};

static const struct file_ops zero_fops = {
	.read = zero_read,
	.write = null_write,
	.write_kernel = null_write_kernel,
	.poll = poll_always,
	.llseek = seek_nowhere,
	.mmap = mmap_zero,
};

static const struct file_ops full_fops = {
	.read = zero_read,
	.write = full_write,
	.poll = poll_always,
	.llseek = seek_nowhere,
	.mmap = mmap_refused,
};

/* ---- random, urandom: one generator, always ready ---- */

static ssize_t random_read(struct file *f __maybe_unused, char __user *buf, size_t n,
			   u64 *pos __maybe_unused)
{
	return random_bytes_user(buf, n);
}

static ssize_t random_write(struct file *f __maybe_unused, const char __user *buf, size_t n,
			    u64 *pos __maybe_unused)
{
	size_t done = 0;

	while (done < n) {
		u8 chunk[64];
		size_t part = min(n - done, sizeof(chunk));

		if (copy_from_user(chunk, buf + done, part))
			return done ? (ssize_t)done : -EFAULT;
		random_stir(chunk, part);
		done += part;
		if (done < n && signal_pending(current))
			break;
		cond_resched();
	}
	return (ssize_t)done;
}

static const struct file_ops random_fops = {
	.read = random_read,
	.write = random_write,
	.poll = poll_always,
	.llseek = seek_nowhere,
	.mmap = mmap_refused,
};

/* ---- kmsg: each write is a line of the kernel log, perhaps with "<level>" in front ---- */

static ssize_t kmsg_write(struct file *f __maybe_unused, const char __user *buf, size_t n,
			  u64 *pos __maybe_unused)
{
	char line[KMSG_LINE_MAX + 1];
	const char *text = line;
	unsigned long priority;
	char *end;

	if (n > KMSG_LINE_MAX)
		return -EINVAL;
	if (copy_from_user(line, buf, n))
		return -EFAULT;
	line[n] = 0;
	if (n && line[n - 1] == '\n')
		line[n - 1] = 0;

	priority = LOG_WARN;
	end = line[0] == '<' ? strchr(line, '>') : NULL;
	if (end) {
		*end = 0;
		if (kstrtoul(line + 1, 10, &priority) == 0)
			text = end + 1;
		else
			*end = '>';
	}
	printk((enum loglevel)(priority & 7), "%s", text);
	return (ssize_t)n;
}

static const struct file_ops kmsg_fops = { .write = kmsg_write };

/* ---- boot ---- */

static void make_link(const char *path, const char *target)
{
	struct dentry *d = vfs_create(AT_FDCWD, path, S_IFLNK | 0777, 0, target);

	if (IS_ERR(d))
		pr_err("devfs: %s: error %ld", path, PTR_ERR(d));
	else
		dentry_put(d);
}

/* Mounts a new tmpfs; the directory may or may not exist already. */
static int mount_tmpfs(const char *path, u32 mode, const char *fstype)
{
	const struct tmpfs_options o = { totalram_pages() / 2, S_IFDIR | mode, SHMEM_HUGE_NEVER };
	struct inode *root;
	int err = vfs_mkdir(path, mode & 0777);

	if (err && err != -EEXIST)
		return err;
	root = tmpfs_new_root(&o);
	return root ? vfs_mount(path, root, fstype) : -ENOMEM;
}

void devfs_init(void)
{
	chrdev_register(MKDEV(1, 3), "null", 0666, &null_fops);
	chrdev_register(MKDEV(1, 5), "zero", 0666, &zero_fops);
	chrdev_register(MKDEV(1, 7), "full", 0666, &full_fops);
	chrdev_register(MKDEV(1, 8), "random", 0666, &random_fops);
	chrdev_register(MKDEV(1, 9), "urandom", 0666, &random_fops);
	chrdev_register(MKDEV(1, 11), "kmsg", 0644, &kmsg_fops);

	if (mount_tmpfs("/dev", 0755, "devtmpfs")) {
		pr_err("devfs: cannot mount /dev");
		return;
	}
	dev_mounted = true;
	for (unsigned int i = 0; i < nr_chrdevs; i++)
		make_node(chrdevs[i].name, S_IFCHR | chrdevs[i].mode, chrdevs[i].rdev);
	make_link("/dev/fd", "/proc/self/fd");
	make_link("/dev/stdin", "/proc/self/fd/0");
	make_link("/dev/stdout", "/proc/self/fd/1");
	make_link("/dev/stderr", "/proc/self/fd/2");
	if (mount_tmpfs("/dev/shm", 01777, "tmpfs"))
		pr_err("devfs: cannot mount /dev/shm");
}
