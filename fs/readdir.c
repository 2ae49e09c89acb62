/* SPDX-License-Identifier: MIT
 *
 * getdents(): directory entries packed into the caller's buffer.
 */
#include <arch/uaccess.h>
#include <fs/internal.h>
#include <kern/string.h>
#include <kernel/syscall.h>
#include <uapi/dirent.h>

struct packer {
	char __user *buf;
	size_t left, done;
	int err; /* -EINVAL: not even one entry fits; -EFAULT */
};

#define DIRENT_MAX (sizeof(struct linux_dirent64) + NAME_MAX + 16)

/* Copies one finished entry of reclen bytes. */
static bool pack(struct packer *p, const void *entry, size_t reclen)
{
	if (reclen > p->left) {
		if (!p->done)
			p->err = -EINVAL;
		return false;
	}
	if (copy_to_user(p->buf + p->done, entry, reclen)) {
		p->err = -EFAULT;
		return false;
	}
	p->done += reclen;
	p->left -= reclen;
	return true;
}

static bool emit64(void *arg, const char *name, size_t len, u64 ino, u8 type, u64 next)
{
	char entry[DIRENT_MAX] __aligned(8);
	struct linux_dirent64 *d = (struct linux_dirent64 *)entry;
	size_t head = offsetof(struct linux_dirent64, d_name);
	size_t reclen = ALIGN_UP(head + len + 1, 8UL);

	if (len > NAME_MAX)
		return true;
	d->d_ino = ino;
	d->d_off = (s64)next;
	d->d_reclen = (u16)reclen;
	d->d_type = type;
	memcpy(d->d_name, name, len);
	memset(entry + head + len, 0, reclen - head - len);
	return pack(arg, entry, reclen);
}

static bool emit_old(void *arg, const char *name, size_t len, u64 ino, u8 type, u64 next)
{
	char entry[DIRENT_MAX] __aligned(8);
	struct linux_dirent *d = (struct linux_dirent *)entry;
	size_t head = offsetof(struct linux_dirent, d_name);
	size_t reclen = ALIGN_UP(head + len + 2, 8UL);

	if (len > NAME_MAX)
		return true;
	d->d_ino = ino;
	d->d_off = next;
	d->d_reclen = (u16)reclen;
	memcpy(d->d_name, name, len);
	memset(entry + head + len, 0, reclen - head - len);
	entry[reclen - 1] = (char)type;
	return pack(arg, entry, reclen);
}

static long do_getdents(int fd, void __user *buf, unsigned int size,
			bool (*emit)(void *, const char *, size_t, u64, u8, u64))
{
	struct packer p = { .buf = buf, .left = size };
	struct file *f = fd_get(fd);
	long ret;

	if (!f)
		return -EBADF;
	if (!S_ISDIR(f->inode->mode) || !f->ops->readdir) {
		ret = -ENOTDIR;
	} else {
		mutex_lock(&f->pos_lock);
		if (f->dentry->unlinked && dir_has_dentries(f->inode))
			ret = -ENOENT;
		else
			ret = f->ops->readdir(f, &f->pos, emit, &p);
		mutex_unlock(&f->pos_lock);
		inode_accessed(f->inode);
		if (p.done)
			ret = (long)p.done;
		else if (!ret)
			ret = p.err;
	}
	file_put(f);
	return ret;
}

SYSCALL_DEFINE3(getdents64, int, fd, void __user *, buf, unsigned int, size)
{
	return do_getdents(fd, buf, size, emit64);
}

SYSCALL_DEFINE3(getdents, int, fd, void __user *, buf, unsigned int, size)
{
	return do_getdents(fd, buf, size, emit_old);
}
