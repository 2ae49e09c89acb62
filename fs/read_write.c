/* SPDX-License-Identifier: MIT
 *
 * read(), write() and their positional and vectored forms, lseek().
 *
 * The descriptor is borrowed without a reference when the table is the caller's alone, and the
 * position needs its lock only when somebody else may hold the file: the common case takes no lock
 * at all here.
 */
#include <arch/uaccess.h>
#include <fs/internal.h>
#include <kernel/syscall.h>
#include <mm/slab.h>
#include <uapi/uio.h>

/* ---- the position ---- */

/* Locks it when another task could move it. False: it was not necessary. */
static inline bool pos_lock(struct file *f, bool referenced)
{
	if (!(f->mode & FMODE_POS) || (!referenced && refcount_read(&f->refs) == 1))
		return false;
	mutex_lock(&f->pos_lock);
	return true;
}

static inline void pos_unlock(struct file *f, bool locked)
{
	if (locked)
		mutex_unlock(&f->pos_lock);
}

/* ---- checks ---- */

static inline int may_read(const struct file *f)
{
	if (unlikely(!(f->mode & FMODE_READ)))
		return -EBADF;
	if (unlikely(!f->ops->read))
		return S_ISDIR(f->inode->mode) ? -EISDIR : -EINVAL;
	return 0;
}

static inline int may_write(const struct file *f)
{
	if (unlikely(!(f->mode & FMODE_WRITE)))
		return -EBADF;
	return likely(f->ops->write) ? 0 : -EINVAL;
}

static __always_inline int may_move(const struct file *f, bool write)
{
	return write ? may_write(f) : may_read(f);
}

/* ---- one buffer ---- */

static __always_inline ssize_t move(struct file *f, bool write, void __user *buf, size_t n,
				    u64 *pos)
{
	return write ? f->ops->write(f, buf, n, pos) : f->ops->read(f, buf, n, pos);
}

/* Both system calls are made from this one text; which of the two is known when it is compiled. */
static __always_inline ssize_t do_buffer(int fd, void __user *buf, size_t n, bool write)
{
	struct fd b = fd_borrow(fd);
	struct file *f = b.file;
	ssize_t ret;
	bool locked;

	if (unlikely(!f))
		return -EBADF;
	ret = may_move(f, write);
	if (likely(!ret)) {
		if (likely(access_ok(buf, n))) {
			locked = pos_lock(f, b.ref);
			ret = move(f, write, buf, min(n, MAX_RW_COUNT), &f->pos);
			pos_unlock(f, locked);
		} else {
			ret = -EFAULT;
		}
	}
	fd_put(b);
	return ret;
}

SYSCALL_DEFINE3(read, int, fd, char __user *, buf, size_t, n)
{
	return do_buffer(fd, buf, n, false);
}

SYSCALL_DEFINE3(write, int, fd, char __user *, buf, size_t, n)
{
	return do_buffer(fd, buf, n, true);
}

static __always_inline ssize_t do_buffer_at(int fd, void __user *buf, size_t n, s64 off, bool write)
{
	struct fd b;
	struct file *f;
	ssize_t ret;
	u64 pos = (u64)off;

	if (unlikely(off < 0))
		return -EINVAL;
	b = fd_borrow(fd);
	f = b.file;
	if (unlikely(!f))
		return -EBADF;
	ret = unlikely(f->mode & FMODE_STREAM) ? -ESPIPE : may_move(f, write);
	if (likely(!ret))
		ret = likely(access_ok(buf, n)) ? move(f, write, buf, min(n, MAX_RW_COUNT), &pos)
						: -EFAULT;
	fd_put(b);
	return ret;
}

SYSCALL_DEFINE4(pread64, int, fd, char __user *, buf, size_t, n, s64, off)
{
	return do_buffer_at(fd, buf, n, off, false);
}

SYSCALL_DEFINE4(pwrite64, int, fd, char __user *, buf, size_t, n, s64, off)
{
	return do_buffer_at(fd, buf, n, off, true);
}

/* ---- vectors ---- */

struct vec {
	struct iovec fast[UIO_FASTIOV];
	struct iovec *iov; /* fast, or from kmalloc */
	unsigned int nr;
	size_t total;
};

static void vec_free(struct vec *v)
{
	if (v->iov != v->fast)
		kfree(v->iov);
}

/*
 * Copies the vector in and checks it: the total fits in a ssize_t, and is cut to what one call
 * moves.
 */
static int vec_import(struct vec *v, const struct iovec __user *uiov, unsigned long nr)
{
	if (nr > UIO_MAXIOV)
		return -EINVAL;
	v->iov = v->fast;
	v->nr = (unsigned int)nr;
	v->total = 0;
	if (nr > UIO_FASTIOV) {
		v->iov = kmalloc(nr * sizeof(struct iovec), GFP_KERNEL);
		if (!v->iov)
			return -ENOMEM;
	}
	if (copy_from_user(v->iov, uiov, nr * sizeof(struct iovec))) {
		vec_free(v);
		return -EFAULT;
	}
	for (unsigned int i = 0; i < v->nr; i++) {
		struct iovec *s = &v->iov[i];

		if ((ssize_t)s->iov_len < 0) {
			vec_free(v);
			return -EINVAL;
		}
		if (!access_ok(s->iov_base, s->iov_len)) {
			vec_free(v);
			return -EFAULT;
		}
		s->iov_len = min(s->iov_len, MAX_RW_COUNT - v->total);
		v->total += s->iov_len;
	}
	return 0;
}

static ssize_t move_segments(struct file *f, const struct vec *v, u64 *pos, bool write)
{
	ssize_t done = 0;

	if (write && v->nr > 1 && f->ops->writev)
		return f->ops->writev(f, v->iov, v->nr, pos);
	for (unsigned int i = 0; i < v->nr; i++) {
		const struct iovec *s = &v->iov[i];
		ssize_t n = s->iov_len ? move(f, write, s->iov_base, s->iov_len, pos) : 0;

		if (n < 0)
			return done ? done : n;
		done += n;
		if ((size_t)n < s->iov_len)
			break;
	}
	return done;
}

static ssize_t do_vector(int fd, const struct iovec __user *uiov, unsigned long nr, bool write,
			 u64 *pos)
{
	struct fd b = fd_borrow(fd);
	struct file *f = b.file;
	bool locked = false;
	struct vec v;
	ssize_t ret;

	if (!f)
		return -EBADF;
	ret = may_move(f, write);
	if (!ret && pos && (f->mode & FMODE_STREAM))
		ret = -ESPIPE;
	if (!ret)
		ret = vec_import(&v, uiov, nr);
	if (!ret) {
		if (!pos) {
			locked = pos_lock(f, b.ref);
			pos = &f->pos;
		}
		if (v.total)
			ret = move_segments(f, &v, pos, write);
		pos_unlock(f, locked);
		vec_free(&v);
	}
	fd_put(b);
	return ret;
}

SYSCALL_DEFINE3(readv, int, fd, const struct iovec __user *, iov, unsigned long, nr)
{
	return do_vector(fd, iov, nr, false, NULL);
}

SYSCALL_DEFINE3(writev, int, fd, const struct iovec __user *, iov, unsigned long, nr)
{
	return do_vector(fd, iov, nr, true, NULL);
}

static ssize_t do_vector_at(int fd, const struct iovec __user *iov, unsigned long nr, bool write,
			    s64 off)
{
	u64 pos = (u64)off;

	return off < 0 ? -EINVAL : do_vector(fd, iov, nr, write, &pos);
}

SYSCALL_DEFINE4(preadv, int, fd, const struct iovec __user *, iov, unsigned long, nr, s64, off)
{
	return do_vector_at(fd, iov, nr, false, off);
}

SYSCALL_DEFINE4(pwritev, int, fd, const struct iovec __user *, iov, unsigned long, nr, s64, off)
{
	return do_vector_at(fd, iov, nr, true, off);
}

/* The sixth argument carries the RWF_* flags: none is honoured. off -1 is the file's position. */
SYSCALL_DEFINE6(preadv2, int, fd, const struct iovec __user *, iov, unsigned long, nr, s64, off,
		long, high, int, flags)
{
	(void)high;
	if (flags)
		return -EOPNOTSUPP;
	return off == -1 ? do_vector(fd, iov, nr, false, NULL)
			 : do_vector_at(fd, iov, nr, false, off);
}

SYSCALL_DEFINE6(pwritev2, int, fd, const struct iovec __user *, iov, unsigned long, nr, s64, off,
		long, high, int, flags)
{
	(void)high;
	if (flags)
		return -EOPNOTSUPP;
	return off == -1 ? do_vector(fd, iov, nr, true, NULL)
			 : do_vector_at(fd, iov, nr, true, off);
}

/* ---- lseek ---- */

static s64 plain_seek(struct file *f, s64 off, int whence)
{
	u64 size = inode_size(f->inode);
	s64 base;

	/*
	 * Positions in a directory of dentries are names, not bytes: there is no end to count from.
	 */
	if (whence > SEEK_CUR && dir_has_dentries(f->inode))
		return -EINVAL;
	switch (whence) {
	case SEEK_SET:
		base = 0;
		break;
	case SEEK_CUR:
		base = (s64)f->pos;
		break;
	case SEEK_END:
		base = (s64)size;
		break;
	case SEEK_DATA: /* all of the file is data, followed by a hole */
	case SEEK_HOLE:
		if (off < 0 || (u64)off >= size)
			return -ENXIO;
		base = whence == SEEK_DATA ? 0 : (s64)size - off;
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, off, &off) || off < 0)
		return -EINVAL;
	f->pos = (u64)off;
	return off;
}

SYSCALL_DEFINE3(lseek, int, fd, s64, off, unsigned int, whence)
{
	struct fd b = fd_borrow(fd);
	struct file *f = b.file;
	bool locked;
	s64 ret;

	if (!f)
		return -EBADF;
	if (whence > SEEK_HOLE) {
		ret = -EINVAL;
	} else if (f->mode & FMODE_STREAM) {
		ret = -ESPIPE;
	} else {
		locked = pos_lock(f, b.ref);
		if (f->ops->llseek)
			ret = f->ops->llseek(f, off, (int)whence);
		else
			ret = plain_seek(f, off, (int)whence);
		pos_unlock(f, locked);
	}
	fd_put(b);
	return ret;
}
