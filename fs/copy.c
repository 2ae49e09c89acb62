/* SPDX-License-Identifier: MIT
 *
 * sendfile() and copy_file_range(): from the page cache of one file to another file, without the
 * user's memory in between. The source must have a page cache and the destination a write_kernel
 * method; otherwise they answer -EINVAL and programs fall back to read() and write().
 */
#include <arch/uaccess.h>
#include <fs/internal.h>
#include <kernel/syscall.h>
#include <mm/slab.h>

/* Copies up to n bytes through one page of kernel memory. Bytes, or -errno when there were none. */
static ssize_t copy_pages(struct file *in, u64 *in_pos, struct file *out, u64 *out_pos, size_t n)
{
	char *page = kmalloc(PAGE_SIZE, GFP_KERNEL);
	ssize_t done = 0, got = 0, put;

	if (!page)
		return -ENOMEM;
	while (n) {
		size_t len = min(n, PAGE_SIZE - (*in_pos & (PAGE_SIZE - 1)));

		got = kernel_read(in, page, len, *in_pos);
		if (got <= 0)
			break;
		put = out->ops->write_kernel(out, page, (size_t)got, out_pos);
		if (put <= 0) {
			got = put;
			break;
		}
		done += put;
		n -= (size_t)put;
		*in_pos += (size_t)put;
		if (put < got)
			break;
		if (park_interrupted(PARK_INTERRUPTIBLE)) {
			got = -EINTR;
			break;
		}
		cond_resched();
	}
	kfree(page);
	return done ? done : got;
}

static int may_copy(const struct file *in, const struct file *out)
{
	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		return -EBADF;
	if (!in->inode->has_mapping || !out->ops->write_kernel)
		return -EINVAL;
	return 0;
}

/* Both files' own positions are moved under their locks, in the order of their addresses. */
static void lock_positions(struct file *a, struct file *b)
{
	if (a && b && a > b) {
		struct file *t = a;

		a = b;
		b = t;
	}
	if (a)
		mutex_lock(&a->pos_lock);
	if (b && b != a)
		mutex_lock_nested(&b->pos_lock);
}

static void unlock_positions(struct file *a, struct file *b)
{
	if (a)
		mutex_unlock(&a->pos_lock);
	if (b && b != a)
		mutex_unlock(&b->pos_lock);
}

static int offset_from_user(u64 *pos, const u64 __user *upos)
{
	if (!upos)
		return 0;
	if (get_user_u64(pos, upos))
		return -EFAULT;
	return (s64)*pos < 0 ? -EINVAL : 0;
}

/* in_at, out_at: the caller's offsets, or NULL for the files' positions. */
static ssize_t copy_files(struct file *in, u64 __user *in_at, struct file *out, u64 __user *out_at,
			  size_t n)
{
	struct file *in_seq = in_at ? NULL : in;
	struct file *out_seq = out_at || !(out->mode & FMODE_POS) ? NULL : out;
	u64 in_own = 0, out_own = 0;
	u64 *in_pos = in_at ? &in_own : &in->pos, *out_pos = out_at ? &out_own : &out->pos;
	ssize_t ret = may_copy(in, out);

	if (!ret)
		ret = offset_from_user(&in_own, in_at);
	if (!ret)
		ret = offset_from_user(&out_own, out_at);
	if (ret)
		return ret;
	lock_positions(in_seq, out_seq);
	ret = copy_pages(in, in_pos, out, out_pos, min(n, MAX_RW_COUNT));
	unlock_positions(in_seq, out_seq);
	inode_accessed(in->inode);
	if (in_at && put_user_u64(in_own, in_at))
		return -EFAULT;
	if (out_at && put_user_u64(out_own, out_at))
		return -EFAULT;
	return ret;
}

SYSCALL_DEFINE4(sendfile, int, out_fd, int, in_fd, u64 __user *, offset, size_t, n)
{
	struct file *in = fd_get(in_fd), *out = fd_get(out_fd);
	ssize_t ret = -EBADF;

	if (in && out) {
		if (out->flags & O_APPEND)
			ret = -EINVAL;
		else
			ret = copy_files(in, offset, out, NULL, n);
	}
	if (in)
		file_put(in);
	if (out)
		file_put(out);
	return ret;
}

/*
 * Cuts n to what the source has now (a copy within one file may make it longer) and refuses ranges
 * of one file that overlap. 0 or -errno.
 */
static int check_ranges(const struct file *in, const u64 __user *in_at, const struct file *out,
			const u64 __user *out_at, size_t *n)
{
	u64 a = in->pos, b = out->pos, size = inode_size(in->inode);
	int err = offset_from_user(&a, in_at);

	if (!err)
		err = offset_from_user(&b, out_at);
	if (err)
		return err;
	*n = a < size ? min(*n, size - a) : 0;
	if (in->inode == out->inode && (a < b ? b - a : a - b) < *n)
		return -EINVAL;
	return 0;
}

static ssize_t do_copy_range(struct file *in, u64 __user *in_at, struct file *out,
			     u64 __user *out_at, size_t n)
{
	int err;

	if (S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode))
		return -EISDIR;
	if (!S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode))
		return -EINVAL;
	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE) || (out->flags & O_APPEND))
		return -EBADF;
	if (!in->inode->has_mapping || !out->inode->has_mapping)
		return -EXDEV;
	err = check_ranges(in, in_at, out, out_at, &n);
	return err ? err : copy_files(in, in_at, out, out_at, n);
}

SYSCALL_DEFINE6(copy_file_range, int, in_fd, u64 __user *, in_at, int, out_fd, u64 __user *, out_at,
		size_t, n, unsigned int, flags)
{
	struct file *in = fd_get(in_fd), *out = fd_get(out_fd);
	ssize_t ret = -EBADF;

	if (in && out)
		ret = flags ? -EINVAL : do_copy_range(in, in_at, out, out_at, n);
	if (in)
		file_put(in);
	if (out)
		file_put(out);
	return ret;
}
