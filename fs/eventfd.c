/* SPDX-License-Identifier: MIT
 *
 * eventfd(): a counter that read() takes and write() adds to.
 */
#include <arch/uaccess.h>
#include <fs/internal.h>
#include <kernel/syscall.h>
#include <mm/slab.h>
#include <uapi/poll.h>

#define EFD_SEMAPHORE 1
#define COUNT_MAX (~0ULL - 1)

struct eventfd {
	spinlock_t lock;
	u64 count;	/* [lock] */
	bool semaphore; /* [I] read() takes 1 */
	struct wait_queue wait;
};

/* Takes what a read gets; 0: nothing there. */
static u64 take(struct eventfd *e)
{
	u64 n;

	spin_lock(&e->lock);
	n = e->semaphore && e->count ? 1 : e->count;
	e->count -= n;
	spin_unlock(&e->lock);
	return n;
}

static bool add(struct eventfd *e, u64 n)
{
	bool fits;

	spin_lock(&e->lock);
	fits = n <= COUNT_MAX - e->count;
	if (fits)
		e->count += n;
	spin_unlock(&e->lock);
	return fits;
}

static ssize_t eventfd_read(struct file *f, char __user *buf, size_t n, u64 *pos)
{
	struct eventfd *e = f->private;
	u64 got;
	int err;

	(void)pos;
	if (n < sizeof(got))
		return -EINVAL;
	while (!(got = take(e))) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&e->wait, READ_ONCE(e->count));
		if (err)
			return err;
	}
	wake_up(&e->wait);
	return put_user_u64(got, buf) ? -EFAULT : (ssize_t)sizeof(got);
}

static ssize_t eventfd_write(struct file *f, const char __user *buf, size_t n, u64 *pos)
{
	struct eventfd *e = f->private;
	u64 value;
	int err;

	(void)pos;
	if (n < sizeof(value))
		return -EINVAL;
	if (get_user_u64(&value, buf))
		return -EFAULT;
	if (value == ~0ULL)
		return -EINVAL;
	while (!add(e, value)) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&e->wait, value <= COUNT_MAX - READ_ONCE(e->count));
		if (err)
			return err;
	}
	wake_up(&e->wait);
	return sizeof(value);
}

static unsigned int eventfd_poll(struct file *f, struct poll_table *pt)
{
	struct eventfd *e = f->private;
	u64 count;

	poll_wait(pt, &e->wait);
	count = READ_ONCE(e->count);
	return (count ? POLLIN | POLLRDNORM : 0U) | (count < COUNT_MAX ? POLLOUT | POLLWRNORM : 0U);
}

static void eventfd_release(struct file *f)
{
	kfree(f->private);
}

/* An eventfd opened again through /proc would have no counter. */
static int eventfd_open(struct inode *inode, struct file *f)
{
	(void)inode;
	(void)f;
	return -ENXIO;
}

static const struct file_ops eventfd_fops = {
	.open = eventfd_open,
	.release = eventfd_release,
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
};

static long make_eventfd(unsigned int count, unsigned int flags)
{
	struct inode *inode;
	struct eventfd *e;
	struct file *f;
	int fd;

	if (flags & ~(unsigned int)(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	e = kzalloc(sizeof(*e), GFP_KERNEL);
	inode = inode_alloc(0600, NULL, &eventfd_fops);
	if (!e || !inode) {
		kfree(e);
		if (inode)
			inode_put(inode);
		return -ENOMEM;
	}
	e->count = count;
	e->semaphore = flags & EFD_SEMAPHORE;
	spin_lock_init(&e->lock);
	wait_queue_init(&e->wait);
	f = file_alloc_anon(inode, "anon_inode:[eventfd]", O_RDWR | (flags & O_NONBLOCK));
	if (IS_ERR(f)) {
		kfree(e);
		return PTR_ERR(f);
	}
	f->private = e;
	fd = fd_install(f, 0, flags & O_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

SYSCALL_DEFINE1(eventfd, unsigned int, count)
{
	return make_eventfd(count, 0);
}

SYSCALL_DEFINE2(eventfd2, unsigned int, count, unsigned int, flags)
{
	return make_eventfd(count, flags);
}
