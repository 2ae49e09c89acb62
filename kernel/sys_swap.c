/* SPDX-License-Identifier: MIT
 *
 * swapon() and swapoff(). A swap area is a block device here: no filesystem keeps its files on one.
 */
#include <arch/uaccess.h>
#include <fs/blkdev.h>
#include <kern/err.h>
#include <kernel/syscall.h>
#include <kernel/task.h>
#include <mm/caller.h>
#include <mm/swap.h>
#include <uapi/fcntl.h>
#include <uapi/swap.h>

static struct file *open_area(const char __user *upath)
{
	char *path = path_get_user(upath, false);
	struct file *file;

	if (IS_ERR(path))
		return (struct file *)path;
	file = vfs_open(AT_FDCWD, path, O_RDWR | O_LARGEFILE, 0);
	path_put_user(path);
	return file;
}

/* Opens what path names and calls fn for its device; arg is fn's. */
static int with_area(const char __user *path,
		     int (*fn)(struct file *file, struct block_device *dev, int arg), int arg)
{
	struct block_device *dev;
	struct file *file;
	int err = -EINVAL;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	file = open_area(path);
	if (IS_ERR(file))
		return (int)PTR_ERR(file);
	dev = file_block_device(file);
	if (dev)
		err = fn(file, dev, arg);
	file_put(file);
	return err;
}

/* Nobody else is to die for want of the memory that the pages in swap need. */
static int area_off(struct file *file __maybe_unused, struct block_device *dev,
		    int arg __maybe_unused)
{
	struct process *self = current->process;
	int err;

	WRITE_ONCE(self->oom_origin, true);
	err = swap_area_off(dev);
	WRITE_ONCE(self->oom_origin, false);
	return err;
}

SYSCALL_DEFINE2(swapon, const char __user *, path, int, flags)
{
	int prio = flags & SWAP_FLAG_PREFER ? flags & SWAP_FLAG_PRIO_MASK : SWAP_PRIO_NEXT;

	if (flags & ~SWAP_FLAGS_VALID)
		return -EINVAL;
	return with_area(path, swap_area_on, prio);
}

SYSCALL_DEFINE1(swapoff, const char __user *, path)
{
	return with_area(path, area_off, 0);
}
