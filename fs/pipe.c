/* SPDX-License-Identifier: MIT
 *
 * Pipes and FIFOs: a ring of bytes in pages that are allocated when first written to.
 *
 * pipe->lock is held while data is copied (and so while a fault on the user's buffer is handled,
 * which never needs a pipe). Nobody sleeps for data or room with it. When the ring runs empty it
 * starts over at its first page, so that small messages stay in one warm page.
 */
#include <arch/uaccess.h>
#include <fs/cursor.h>
#include <fs/internal.h>
#include <kern/printf.h>
#include <kern/string.h>
#include <kernel/signal.h>
#include <kernel/syscall.h>
#include <mm/page_alloc.h>
#include <mm/slab.h>
#include <uapi/ioctl.h>
#include <uapi/poll.h>

#define DEFAULT_PAGES 16U
#define MAX_PAGES 256U /* 1 MiB, Linux's default bound for everyone */

struct pipe {
	struct mutex lock;
	unsigned int nr_pages;	       /* [lock] a power of two */
	size_t tail, used;	       /* [lock] bytes: where reading goes on, how much there is */
	struct page **pages;	       /* [lock] NULL: not allocated yet */
	unsigned int readers, writers; /* [lock] open ends */
	unsigned int r_opened, w_opened; /* [lock] how often ever, for blocking opens */
	struct wait_queue rd_wait, wr_wait;
	unsigned int files; /* [inode->lock] open files; the last frees the pipe */
};

static size_t capacity(const struct pipe *p)
{
	return (size_t)p->nr_pages << PAGE_SHIFT;
}

static size_t room(const struct pipe *p)
{
	return capacity(p) - p->used;
}

static struct pipe *pipe_alloc(void)
{
	struct pipe *p = kzalloc(sizeof(*p), GFP_KERNEL);

	if (!p)
		return NULL;
	p->nr_pages = DEFAULT_PAGES;
	p->pages = kzalloc(DEFAULT_PAGES * sizeof(struct page *), GFP_KERNEL);
	if (!p->pages) {
		kfree(p);
		return NULL;
	}
	mutex_init(&p->lock);
	wait_queue_init(&p->rd_wait);
	wait_queue_init(&p->wr_wait);
	return p;
}

/* Frees the pages of a ring of nr from index `from` on. */
static void free_ring(struct page **pages, unsigned int from, unsigned int nr)
{
	for (unsigned int i = from; i < nr; i++)
		if (pages[i]) {
			free_pages(pages[i], 0);
			pages[i] = NULL;
		}
}

static void pipe_free(struct pipe *p)
{
	free_ring(p->pages, 0, p->nr_pages);
	kfree(p->pages);
	kfree(p);
}

/* ---- reading ---- */

/* Copies what there is, up to n. Lock held. Bytes, or -EFAULT when there was none. */
static ssize_t take(struct pipe *p, char __user *buf, size_t n)
{
	size_t done = 0, left = 0;

	n = min(n, p->used);
	while (done < n && !left) {
		size_t off = p->tail & (PAGE_SIZE - 1);
		size_t len = min(n - done, PAGE_SIZE - off);
		char *page = page_address(p->pages[p->tail >> PAGE_SHIFT]);

		left = copy_to_user(buf + done, page + off, len);
		len -= left;
		done += len;
		p->used -= len;
		p->tail = (p->tail + len) & (capacity(p) - 1);
	}
	if (!p->used) {
		p->tail = 0;
		if (unlikely(p->pages[1]))
			free_ring(p->pages, 1, p->nr_pages);
	}
	return done || !n ? (ssize_t)done : -EFAULT;
}

/* Takes data, if there is any. Bytes, -EFAULT, 0 at the end of the data, -EAGAIN: not yet. */
static ssize_t try_read(struct pipe *p, char __user *buf, size_t n)
{
	bool wake = false;
	ssize_t ret;

	mutex_lock(&p->lock);
	if (p->used) {
		wake = room(p) < PIPE_BUF; /* only then can a writer be waiting */
		ret = take(p, buf, n);
	} else {
		ret = p->writers ? -EAGAIN : 0;
	}
	mutex_unlock(&p->lock);
	if (wake)
		wake_up(&p->wr_wait);
	return ret;
}

static ssize_t pipe_read(struct file *f, char __user *buf, size_t n, u64 *pos)
{
	struct pipe *p = f->inode->pipe;
	ssize_t ret;

	(void)pos;
	if (!n)
		return 0;
	for (;;) {
		if (READ_ONCE(p->used) || !READ_ONCE(p->writers)) {
			ret = try_read(p, buf, n);
			if (ret > 0)
				inode_accessed(f->inode);
			if (ret != -EAGAIN)
				return ret;
		}
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		ret = wait_event_interruptible(&p->rd_wait,
					       READ_ONCE(p->used) || !READ_ONCE(p->writers));
		if (ret)
			return ret;
	}
}

/* ---- writing ---- */

/* The page that holds ring offset `at`, allocated when it is not there yet. NULL: no memory. */
static char *ring_page(struct pipe *p, size_t at)
{
	struct page **slot = &p->pages[at >> PAGE_SHIFT];

	if (unlikely(!*slot))
		*slot = alloc_pages(GFP_KERNEL, 0);
	return likely(*slot) ? page_address(*slot) : NULL;
}

/*
 * Copies in as much as there is room for. Lock held. Bytes, or -EFAULT, -ENOMEM when there were
 * none.
 */
static ssize_t put(struct pipe *p, struct cursor *c)
{
	size_t done = 0, want = min(c->left, room(p));

	while (done < want) {
		size_t at = (p->tail + p->used) & (capacity(p) - 1);
		size_t len = min(want - done, PAGE_SIZE - (at & (PAGE_SIZE - 1))), n;
		char *page = ring_page(p, at);

		if (!page)
			return done ? (ssize_t)done : -ENOMEM;
		n = cursor_copy(c, page + (at & (PAGE_SIZE - 1)), len);
		if (n <
		    len) { /* as in Linux, what comes before the fault in this page does not count */
			c->left += n;
			return done ? (ssize_t)done : -EFAULT;
		}
		p->used += n;
		done += n;
	}
	return (ssize_t)done;
}

/* A write of up to PIPE_BUF bytes goes in as a whole or not yet. */
static bool has_room(struct pipe *p, size_t n)
{
	size_t free = READ_ONCE(p->nr_pages) * PAGE_SIZE - READ_ONCE(p->used);

	return n <= PIPE_BUF ? free >= n : free > 0;
}

static ssize_t write_cursor(struct file *f, struct cursor *c)
{
	struct pipe *p = f->inode->pipe;
	size_t total = c->left, atomic = total <= PIPE_BUF ? total : PIPE_BUF + 1;
	ssize_t ret;
	bool wake;

	if (!total)
		return 0;
	for (;;) {
		mutex_lock(&p->lock);
		ret = 0;
		wake = false;
		if (!p->readers) {
			ret = -EPIPE;
		} else if (has_room(p, atomic)) {
			wake = !p->used;
			ret = put(p, c);
		}
		mutex_unlock(&p->lock);
		if (wake)
			wake_up(&p->rd_wait);
		if (ret < 0 || !c->left)
			break;
		if (f->flags & O_NONBLOCK) {
			ret = -EAGAIN;
			break;
		}
		ret = wait_event_interruptible(&p->wr_wait,
					       has_room(p, atomic) || !READ_ONCE(p->readers));
		if (ret)
			break;
	}
	if (ret == -EPIPE)
		(void)send_signal_task(current, SIGPIPE, NULL);
	if (c->left < total) {
		inode_modified(f->inode);
		return (ssize_t)(total - c->left);
	}
	return ret;
}

static ssize_t pipe_write(struct file *f, const char __user *buf, size_t n, u64 *pos)
{
	struct iovec iov = { (void __user *)buf, n };
	struct cursor c = { .iov = &iov, .nr = 1, .left = n };

	(void)pos;
	return write_cursor(f, &c);
}

static ssize_t pipe_writev(struct file *f, const struct iovec *iov, unsigned int nr, u64 *pos)
{
	struct cursor c = cursor_of(iov, nr);

	(void)pos;
	return write_cursor(f, &c);
}

static ssize_t pipe_write_kernel(struct file *f, const void *buf, size_t n, u64 *pos)
{
	struct cursor c = { .kernel = buf, .left = n };

	(void)pos;
	return write_cursor(f, &c);
}

static unsigned int pipe_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->inode->pipe;
	unsigned int ready = 0;

	if (f->mode & FMODE_READ)
		poll_wait(pt, &p->rd_wait);
	if (f->mode & FMODE_WRITE)
		poll_wait(pt, &p->wr_wait);
	if (f->mode & FMODE_READ) {
		if (READ_ONCE(p->used))
			ready |= POLLIN | POLLRDNORM;
		if (!READ_ONCE(p->writers) && READ_ONCE(p->w_opened))
			ready |= POLLHUP;
	}
	if (f->mode & FMODE_WRITE) {
		if (has_room(p, PIPE_BUF))
			ready |= POLLOUT | POLLWRNORM;
		if (!READ_ONCE(p->readers))
			ready |= POLLERR;
	}
	return ready;
}

static long pipe_ioctl(struct file *f, unsigned int cmd, unsigned long arg)
{
	if (cmd != FIONREAD)
		return -ENOTTY;
	return put_user_u32((u32)READ_ONCE(f->inode->pipe->used), (void __user *)arg);
}

/* ---- size ---- */

static unsigned int pages_for(unsigned long bytes)
{
	unsigned int n = 1;

	while (((unsigned long)n << PAGE_SHIFT) < bytes)
		n <<= 1;
	return n;
}

/* Fills fresh pages with the ring's bytes in order. Lock held. */
static int copy_ring(struct pipe *p, struct page **pages)
{
	for (size_t done = 0; done < p->used;) {
		size_t from = (p->tail + done) & (capacity(p) - 1), to = done & (PAGE_SIZE - 1);
		size_t len = min(p->used - done, PAGE_SIZE - max(from & (PAGE_SIZE - 1), to));
		struct page **slot = &pages[done >> PAGE_SHIFT];

		if (!*slot)
			*slot = alloc_pages(GFP_KERNEL, 0);
		if (!*slot)
			return -ENOMEM;
		memcpy((char *)page_address(*slot) + to,
		       (char *)page_address(p->pages[from >> PAGE_SHIFT]) +
			       (from & (PAGE_SIZE - 1)),
		       len);
		done += len;
	}
	return 0;
}

/* Lock held. */
static int resize(struct pipe *p, unsigned int nr)
{
	struct page **old = p->pages, **pages;
	unsigned int old_nr = p->nr_pages;
	int err;

	if (p->used > (size_t)nr << PAGE_SHIFT)
		return -EBUSY;
	pages = kzalloc(nr * sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	err = copy_ring(p, pages);
	if (!err) {
		p->pages = pages;
		p->tail = 0;
		WRITE_ONCE(p->nr_pages, nr);
		pages = old;
		nr = old_nr;
	}
	free_ring(pages, 0, nr);
	kfree(pages);
	return err;
}

long pipe_fcntl(struct file *f, unsigned int cmd, unsigned long arg)
{
	struct pipe *p;
	unsigned int nr;
	long ret;

	if (!S_ISFIFO(f->inode->mode))
		return -EBADF;
	p = f->inode->pipe;
	if (cmd == F_GETPIPE_SZ)
		return (long)(READ_ONCE(p->nr_pages) * PAGE_SIZE);
	if (arg > 1UL << 31)
		return -EINVAL;
	nr = pages_for(arg);
	if (nr > MAX_PAGES)
		return -EPERM;
	nr = max(nr, 2U); /* take() may look at the second page */
	mutex_lock(&p->lock);
	ret = resize(p, nr);
	mutex_unlock(&p->lock);
	wake_up(&p->wr_wait);
	return ret ? ret : (long)(nr * PAGE_SIZE);
}

/* ---- opening and closing ---- */

/* Counts a new end. inode->lock held. */
static void add_end(struct pipe *p, unsigned int mode)
{
	mutex_lock(&p->lock);
	p->files++;
	if (mode & FMODE_READ) {
		p->readers++;
		p->r_opened++;
	}
	if (mode & FMODE_WRITE) {
		p->writers++;
		p->w_opened++;
	}
	mutex_unlock(&p->lock);
	wake_up(&p->rd_wait);
	wake_up(&p->wr_wait);
}

static void drop_end(struct inode *inode, unsigned int mode)
{
	struct pipe *p = inode->pipe;
	bool last;

	mutex_lock(&inode->lock);
	mutex_lock(&p->lock);
	last = --p->files == 0;
	if (mode & FMODE_READ)
		p->readers--;
	if (mode & FMODE_WRITE)
		p->writers--;
	mutex_unlock(&p->lock);
	/* Without inode->lock the other end may be closed and free the pipe. */
	if (last) {
		inode->pipe = NULL;
	} else {
		wake_up(&p->rd_wait);
		wake_up(&p->wr_wait);
	}
	mutex_unlock(&inode->lock);
	if (last)
		pipe_free(p);
}

static void pipe_release(struct file *f)
{
	drop_end(f->inode, f->mode);
}

/*
 * One side of a FIFO waits for the other to come, even if that one has gone again by then. A pipe
 * opened again through /proc does not.
 */
static int wait_for_partner(struct file *f, struct pipe *p, unsigned int r_seen,
			    unsigned int w_seen)
{
	if (!(f->mode & FMODE_WRITE)) {
		if (READ_ONCE(p->writers) || (f->flags & O_NONBLOCK))
			return 0;
		return wait_event_interruptible(&p->rd_wait, READ_ONCE(p->w_opened) != w_seen);
	}
	if ((f->mode & FMODE_READ) || READ_ONCE(p->readers))
		return 0;
	if (f->flags & O_NONBLOCK)
		return -ENXIO;
	return wait_event_interruptible(&p->wr_wait, READ_ONCE(p->r_opened) != r_seen);
}

static int fifo_open(struct inode *inode, struct file *f)
{
	unsigned int r_seen, w_seen;
	struct pipe *p;
	int err;

	mutex_lock(&inode->lock);
	p = inode->pipe;
	if (!p) {
		p = pipe_alloc();
		if (!p) {
			mutex_unlock(&inode->lock);
			return -ENOMEM;
		}
		inode->pipe = p;
	}
	r_seen = p->r_opened;
	w_seen = p->w_opened;
	add_end(p, f->mode);
	mutex_unlock(&inode->lock);
	err = f->dentry->anonymous ? 0 : wait_for_partner(f, p, r_seen, w_seen);
	if (err)
		drop_end(inode, f->mode);
	return err;
}

/* All modes have all methods: read() and write() look at the open mode first. */
const struct file_ops fifo_fops = {
	.open = fifo_open,
	.release = pipe_release,
	.read = pipe_read,
	.write = pipe_write,
	.writev = pipe_writev,
	.write_kernel = pipe_write_kernel,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
};

/* ---- pipe() ---- */

static int make_pipe(struct file *ends[2], unsigned int flags)
{
	struct inode *inode = inode_alloc(S_IFIFO | 0600, NULL, &fifo_fops);
	struct pipe *p = pipe_alloc();
	char name[32];

	if (!inode || !p)
		goto no_memory;
	inode->pipe = p;
	(void)snprintf(name, sizeof(name), "pipe:[%lu]", (unsigned long)inode->ino);
	inode_get(inode);
	ends[0] = file_alloc_anon(inode, name, O_RDONLY | flags);
	if (IS_ERR(ends[0])) {
		inode_put(inode);
		inode = NULL;
		goto no_memory;
	}
	p->files = p->readers = 1; /* from here on ends[0]'s release frees the pipe */
	ends[1] = file_alloc_anon(inode, name, O_WRONLY | flags);
	if (IS_ERR(ends[1])) {
		file_put(ends[0]);
		return -ENOMEM;
	}
	p->files = 2;
	p->writers = p->r_opened = p->w_opened = 1;
	return 0;

no_memory:
	if (p)
		pipe_free(p);
	if (inode)
		inode_put(inode);
	return -ENOMEM;
}

static long do_pipe(int __user *ufds, unsigned int flags)
{
	struct file *ends[2];
	int fd[2], err;

	if (flags & ~(unsigned int)(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	if (flags & O_DIRECT) /* packet mode */
		return -EINVAL;
	err = make_pipe(ends, flags);
	if (err)
		return err;
	fd[0] = fd_reserve(0, flags & O_CLOEXEC);
	fd[1] = fd[0] < 0 ? fd[0] : fd_reserve(0, flags & O_CLOEXEC);
	err = fd[1] < 0 ? fd[1] : 0;
	if (!err && copy_to_user(ufds, fd, sizeof(fd)))
		err = -EFAULT;
	if (err) {
		if (fd[0] >= 0)
			fd_unreserve(fd[0]);
		if (fd[1] >= 0)
			fd_unreserve(fd[1]);
		file_put(ends[0]);
		file_put(ends[1]);
		return err;
	}
	fd_publish(fd[0], ends[0]);
	fd_publish(fd[1], ends[1]);
	return 0;
}

SYSCALL_DEFINE1(pipe, int __user *, fds)
{
	return do_pipe(fds, 0);
}

SYSCALL_DEFINE2(pipe2, int __user *, fds, unsigned int, flags)
{
	return do_pipe(fds, flags);
}
