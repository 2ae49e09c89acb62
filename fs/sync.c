/* SPDX-License-Identifier: MIT
 *
 * fsync() and its relatives, fadvise(). There is no storage behind any file: what has been written
 * is as safe as it will ever be, and these calls only check their arguments.
 */
#include <fs/internal.h>
#include <kernel/syscall.h>

/* 0 when fd can be synchronised: files and directories can, pipes and devices cannot. */
static int check_sync(int fd)
{
	struct file *f = fd_get(fd);
	int err = 0;

	if (!f)
		return -EBADF;
	if (!S_ISREG(f->inode->mode) && !S_ISDIR(f->inode->mode))
		err = -EINVAL;
	file_put(f);
	return err;
}

SYSCALL_DEFINE1(fsync, int, fd)
{
	return check_sync(fd);
}

SYSCALL_DEFINE1(fdatasync, int, fd)
{
	return check_sync(fd);
}

SYSCALL_DEFINE0(sync)
{
	return 0;
}

SYSCALL_DEFINE1(syncfs, int, fd)
{
	struct file *f = fd_get(fd);

	if (!f)
		return -EBADF;
	file_put(f);
	return 0;
}

SYSCALL_DEFINE4(sync_file_range, int, fd, s64, off, s64, n, unsigned int, flags)
{
	int err = check_sync(fd);

	if (err)
		return err == -EINVAL ? -ESPIPE : err;
	return (flags & ~7U) || off < 0 || n < 0 || off > (s64)MAX_FILE_SIZE - n ? -EINVAL : 0;
}

SYSCALL_DEFINE4(fadvise64, int, fd, s64, off, s64, n, int, advice)
{
	struct file *f = fd_get(fd);
	int err = 0;

	(void)off;
	if (!f)
		return -EBADF;
	if (S_ISFIFO(f->inode->mode))
		err = -ESPIPE;
	else if (n < 0 || advice < POSIX_FADV_NORMAL || advice > POSIX_FADV_NOREUSE)
		err = -EINVAL;
	file_put(f);
	return err;
}
