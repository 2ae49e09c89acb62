/* SPDX-License-Identifier: MIT
 *
 * fcntl() and ioctl(): what concerns descriptors and open files in general; the rest goes to the
 * file.
 */
#include <arch/uaccess.h>
#include <fs/internal.h>
#include <kernel/syscall.h>
#include <uapi/ioctl.h>

/* FASYNC is ignored, as for a file that cannot send SIGIO. */
#define SETTABLE (O_APPEND | O_NONBLOCK | O_NOATIME | O_DIRECT)

static void change_flags(struct file *f, unsigned int mask, unsigned int value)
{
	unsigned int old = READ_ONCE(f->flags);

	while (!__atomic_compare_exchange_n(&f->flags, &old, (old & ~mask) | value, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static int set_flags(struct file *f, unsigned int flags)
{
	if ((flags & O_NOATIME) && !(f->flags & O_NOATIME) && !inode_owner_or_capable(f->inode))
		return -EPERM;
	if ((flags & O_DIRECT) && !(f->flags & O_DIRECT))
		return -EINVAL; /* nothing here has a device to go straight to */
	change_flags(f, SETTABLE, flags & SETTABLE);
	return 0;
}

static int dup_from(struct file *f, unsigned long from, bool cloexec)
{
	int fd;

	if (from >= rlimit_cur(RLIMIT_NOFILE))
		return -EINVAL;
	file_get(f);
	fd = fd_install(f, (int)from, cloexec);
	if (fd < 0)
		file_put(f);
	return fd;
}

static long do_fcntl(int fd, struct file *f, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return dup_from(f, arg, cmd == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return fd_get_cloexec(fd) > 0 ? FD_CLOEXEC : 0;
	case F_SETFD:
		return fd_set_cloexec(fd, arg & FD_CLOEXEC);
	case F_GETFL:
		return f->flags;
	default:
		break;
	}
	if (f->mode & FMODE_PATH)
		return -EBADF;
	switch (cmd) {
	case F_SETFL:
		return set_flags(f, (unsigned int)arg);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return locks_fcntl(fd, f, cmd, arg);
	case F_SETPIPE_SZ:
	case F_GETPIPE_SZ:
		return pipe_fcntl(f, cmd, arg);
	case F_ADD_SEALS:
	case F_GET_SEALS:
		return seals_fcntl(f, cmd, arg);
	default:
		return -EINVAL;
	}
}

SYSCALL_DEFINE3(fcntl, int, fd, unsigned int, cmd, unsigned long, arg)
{
	struct file *f = fd_get_path(fd);
	long ret;

	if (!f)
		return -EBADF;
	ret = do_fcntl(fd, f, cmd, arg);
	file_put(f);
	return ret;
}

/* ---- ioctl ---- */

static long do_ioctl(int fd, struct file *f, unsigned int cmd, unsigned long arg)
{
	u32 on;

	switch (cmd) {
	case FIOCLEX:
		return fd_set_cloexec(fd, true);
	case FIONCLEX:
		return fd_set_cloexec(fd, false);
	case FIONBIO:
		if (get_user_u32(&on, (void __user *)arg))
			return -EFAULT;
		change_flags(f, O_NONBLOCK, on ? O_NONBLOCK : 0);
		return 0;
	case FIONREAD:
		if (!S_ISREG(f->inode->mode))
			break;
		/* Negative behind the end, and cut to an int, as in Linux. */
		return put_user_u32((u32)(inode_size(f->inode) - f->pos), (void __user *)arg);
	case FIOQSIZE:
		if (!S_ISREG(f->inode->mode) && !S_ISDIR(f->inode->mode))
			break;
		return put_user_u64(inode_size(f->inode), (void __user *)arg);
	default:
		break;
	}
	return f->ops->ioctl ? f->ops->ioctl(f, cmd, arg) : -ENOTTY;
}

SYSCALL_DEFINE3(ioctl, int, fd, unsigned int, cmd, unsigned long, arg)
{
	struct file *f = fd_get(fd);
	long ret;

	if (!f)
		return -EBADF;
	ret = do_ioctl(fd, f, cmd, arg);
	file_put(f);
	return ret;
}
