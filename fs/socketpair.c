/* SPDX-License-Identifier: MIT
 *
 * socketpair(): two ends, and a lane of bytes in each direction. Other sockets do not exist here.
 *
 * What is written is copied into chunks without any lock, then appended to the lane. A message of
 * SOCK_SEQPACKET is one or more chunks, appended at once; the last one says so. A lane is full when
 * its chunks come to SOCK_BUFFER, headers included; as in Linux, one that is not full takes whatever
 * comes next as a whole.
 *
 * lane->lock is held while a reader copies out (and so while a fault on its buffer is handled, which
 * never needs a socket). Nobody sleeps for data or room with it, and no two are held at once.
 */
#include <arch/uaccess.h>
#include <fs/cursor.h>
#include <fs/internal.h>
#include <kern/printf.h>
#include <kernel/signal.h>
#include <kernel/syscall.h>
#include <mm/slab.h>
#include <uapi/ioctl.h>
#include <uapi/poll.h>
#include <uapi/socket.h>

#define SOCK_BUFFER 212992UL /* Linux's net.core.wmem_default */
#define MESSAGE_MAX (SOCK_BUFFER - 32)
#define CHUNK_MAX (PAGE_SIZE - sizeof(struct chunk))
#define STREAM_STEP 32768UL /* of a long write on a stream, what goes in at a time */

struct chunk {
	struct chunk *next;
	size_t len, off; /* off: bytes already read */
	bool last;	 /* of its message */
	char data[];
};

struct chunks {
	struct chunk *first, *last;
	size_t queued; /* bytes to read */
	size_t charge; /* what the chunks take, of SOCK_BUFFER; 0: there are none */
};

/* One direction. */
struct lane {
	struct mutex lock;
	struct chunks data;	/* [lock] */
	bool shut;		/* [lock] what is there can be read, nothing more comes */
	bool reset;		/* [lock] the reader is told once that what it wrote was not read */
	struct wait_queue wait; /* for data, room, or shut */
};

/* What file->private points to. */
struct end {
	struct socket_pair *pair;
	struct lane *in, *out;
};

struct socket_pair {
	refcount_t refs; /* open ends */
	bool messages;	 /* [I] SOCK_SEQPACKET */
	struct end ends[2];
	struct lane lanes[2]; /* to the end of the same index */
};

static void lane_init(struct lane *l)
{
	mutex_init(&l->lock);
	wait_queue_init(&l->wait);
}

static bool has_data(const struct lane *l)
{
	return READ_ONCE(l->data.charge);
}

static bool has_room(const struct lane *l)
{
	return READ_ONCE(l->data.charge) < SOCK_BUFFER;
}

static bool is_writable(const struct lane *l) /* as poll() says it */
{
	return READ_ONCE(l->data.charge) <= SOCK_BUFFER / 4;
}

/* ---- chunks ---- */

/* Everything of `from` comes behind what is in `to`; it is empty only if that is. */
static void move_chunks(struct chunks *to, struct chunks *from)
{
	if (to->last)
		to->last->next = from->first;
	else
		to->first = from->first;
	to->last = from->last;
	to->queued += from->queued;
	WRITE_ONCE(to->charge, to->charge + from->charge);
	*from = (struct chunks){ .first = NULL };
}

static void add_chunk(struct chunks *to, struct chunk *c)
{
	struct chunks one = { c, c, c->len, sizeof(*c) + c->len };

	move_chunks(to, &one);
}

static void drop_first(struct chunks *q)
{
	struct chunk *c = q->first;

	q->first = c->next;
	if (!q->first)
		q->last = NULL;
	q->queued -= c->len - c->off;
	WRITE_ONCE(q->charge, q->charge - sizeof(*c) - c->len);
	kfree(c);
}

static void free_chunks(struct chunks *q)
{
	while (q->first)
		drop_first(q);
}

/* ---- reading ---- */

/* Lock held, data there. Bytes or -EFAULT. */
static ssize_t take_bytes(struct lane *l, char __user *buf, size_t n)
{
	size_t done = 0, left = 0;

	while (done < n && !left && l->data.first) {
		struct chunk *c = l->data.first;
		size_t len = min(n - done, c->len - c->off);

		left = copy_to_user(buf + done, c->data + c->off, len);
		len -= left;
		done += len;
		c->off += len;
		l->data.queued -= len;
		if (c->off == c->len)
			drop_first(&l->data);
	}
	return done || !n ? (ssize_t)done : -EFAULT;
}

/* A message goes whether its reader has room for it, or memory, or not. Lock held, data there. */
static ssize_t take_message(struct lane *l, char __user *buf, size_t n)
{
	bool last, fault = false;
	size_t done = 0;

	do {
		struct chunk *c = l->data.first;
		size_t len = min(n - done, c->len);

		fault = fault || copy_to_user(buf + done, c->data, len);
		done += len;
		last = c->last;
		drop_first(&l->data);
	} while (!last);
	return fault ? -EFAULT : (ssize_t)done;
}

/* Bytes, 0 at the end of the data, -EAGAIN: not yet. */
static ssize_t try_read(struct end *e, char __user *buf, size_t n)
{
	struct lane *l = e->in;
	bool wake = false;
	ssize_t ret;

	mutex_lock(&l->lock);
	if (l->data.first) {
		wake = !is_writable(l); /* only then can somebody wait for room */
		ret = e->pair->messages ? take_message(l, buf, n) : take_bytes(l, buf, n);
	} else if (l->reset) {
		l->reset = false;
		ret = -ECONNRESET;
	} else {
		ret = l->shut ? 0 : -EAGAIN;
	}
	mutex_unlock(&l->lock);
	if (wake)
		wake_up(&l->wait);
	return ret;
}

static ssize_t receive(struct file *f, char __user *buf, size_t n, unsigned int flags)
{
	struct end *e = f->private;
	struct lane *l = e->in;
	ssize_t ret;

	while ((ret = try_read(e, buf, n)) == -EAGAIN) {
		if ((f->flags & O_NONBLOCK) || (flags & MSG_DONTWAIT))
			return -EAGAIN;
		ret = wait_event_interruptible(&l->wait, has_data(l) || READ_ONCE(l->shut));
		if (ret)
			break;
	}
	return ret;
}

static ssize_t socket_read(struct file *f, char __user *buf, size_t n, u64 *pos)
{
	(void)pos;
	return n ? receive(f, buf, n, 0) : 0;
}

/* ---- writing ---- */

/* The next bytes of *c, n at most. ERR_PTR(-ENOMEM, -EFAULT). */
static struct chunk *make_chunk(struct cursor *c, size_t n)
{
	size_t len = min(n, CHUNK_MAX);
	struct chunk *chunk = kmalloc(sizeof(*chunk) + len, GFP_KERNEL);

	if (!chunk)
		return ERR_PTR(-ENOMEM);
	if (cursor_copy(c, chunk->data, len) < len) {
		kfree(chunk);
		return ERR_PTR(-EFAULT);
	}
	chunk->next = NULL;
	chunk->len = len;
	chunk->off = 0;
	chunk->last = len == n;
	return chunk;
}

/* The next n bytes of *c as chunks. 0 or -errno, then without any. */
static int make_chunks(struct chunks *chunks, struct cursor *c, size_t n)
{
	do {
		struct chunk *chunk = make_chunk(c, n);

		if (IS_ERR(chunk)) {
			free_chunks(chunks);
			return (int)PTR_ERR(chunk);
		}
		n -= chunk->len;
		add_chunk(chunks, chunk);
	} while (n);
	return 0;
}

/* Moves the chunks to the lane, if it has room. 0, -EAGAIN, -EPIPE. */
static int try_append(struct lane *l, struct chunks *chunks)
{
	bool wake = false;
	int err = 0;

	mutex_lock(&l->lock);
	if (l->shut) {
		err = -EPIPE;
	} else if (!has_room(l)) {
		err = -EAGAIN;
	} else {
		wake = !l->data.first;
		move_chunks(&l->data, chunks);
	}
	mutex_unlock(&l->lock);
	if (wake)
		wake_up(&l->wait);
	return err;
}

/* Waits for room. Consumes the chunks. */
static int append(struct lane *l, struct chunks *chunks, bool wait)
{
	int err;

	while ((err = try_append(l, chunks)) == -EAGAIN && wait) {
		err = wait_event_interruptible(&l->wait, has_room(l) || READ_ONCE(l->shut));
		if (err)
			break;
	}
	free_chunks(chunks);
	return err;
}

static ssize_t transmit(struct file *f, struct cursor *c, unsigned int flags)
{
	struct end *e = f->private;
	bool wait = !(f->flags & O_NONBLOCK) && !(flags & MSG_DONTWAIT);
	size_t total = c->left, done = 0;
	struct chunks chunks = { .first = NULL };
	int err = 0;

	if (e->pair->messages && total > MESSAGE_MAX)
		return -EMSGSIZE;
	if (!e->pair->messages && !total)
		return 0;
	do {
		size_t step = e->pair->messages ? total : min(total - done, STREAM_STEP);

		err = READ_ONCE(e->out->shut) ? -EPIPE : make_chunks(&chunks, c, step);
		if (!err)
			err = append(e->out, &chunks, wait);
		if (!err)
			done += step;
	} while (!err && done < total);
	if (err == -EPIPE && !e->pair->messages && !(flags & MSG_NOSIGNAL))
		(void)send_signal_task(current, SIGPIPE, NULL);
	return done ? (ssize_t)done : err;
}

static ssize_t socket_writev(struct file *f, const struct iovec *iov, unsigned int nr, u64 *pos)
{
	struct cursor c = cursor_of(iov, nr);

	(void)pos;
	return transmit(f, &c, 0);
}

static ssize_t socket_write(struct file *f, const char __user *buf, size_t n, u64 *pos)
{
	struct iovec iov = { (void __user *)buf, n };

	return socket_writev(f, &iov, 1, pos);
}

static ssize_t socket_write_kernel(struct file *f, const void *buf, size_t n, u64 *pos)
{
	struct cursor c = { .kernel = buf, .left = n };

	(void)pos;
	return transmit(f, &c, 0);
}

/* ---- state ---- */

static unsigned int socket_poll(struct file *f, struct poll_table *pt)
{
	struct end *e = f->private;
	bool in_shut, out_shut;
	unsigned int ready = 0;

	poll_wait(pt, &e->in->wait);
	poll_wait(pt, &e->out->wait);
	in_shut = READ_ONCE(e->in->shut);
	out_shut = READ_ONCE(e->out->shut);
	if (in_shut || has_data(e->in))
		ready |= POLLIN | POLLRDNORM;
	if (is_writable(e->out))
		ready |= POLLOUT | POLLWRNORM | POLLWRBAND;
	if (in_shut)
		ready |= POLLRDHUP;
	if (in_shut && out_shut)
		ready |= POLLHUP;
	if (READ_ONCE(e->in->reset))
		ready |= POLLERR;
	return ready;
}

static long socket_ioctl(struct file *f, unsigned int cmd, unsigned long arg)
{
	struct end *e = f->private;

	if (cmd != FIONREAD)
		return -ENOTTY;
	return put_user_u32((u32)READ_ONCE(e->in->data.queued), (void __user *)arg);
}

/* Nothing more comes this way; reset: and what the reader wrote was lost. */
static void shut_lane(struct lane *l, bool reset)
{
	mutex_lock(&l->lock);
	WRITE_ONCE(l->shut, true);
	l->reset |= reset;
	mutex_unlock(&l->lock);
	wake_up(&l->wait);
}

static void socket_release(struct file *f)
{
	struct end *e = f->private;
	struct chunks unread = { .first = NULL };

	shut_lane(e->in, false);
	mutex_lock(&e->in->lock);
	move_chunks(&unread, &e->in->data);
	mutex_unlock(&e->in->lock);
	shut_lane(e->out, unread.first);
	free_chunks(&unread);
	if (refcount_dec_and_test(&e->pair->refs))
		kfree(e->pair);
}

/* A socket opened again through /proc would have no other end. */
static int socket_open(struct inode *inode, struct file *f)
{
	(void)inode;
	(void)f;
	return -ENXIO;
}

static const struct file_ops socket_fops = {
	.open = socket_open,
	.release = socket_release,
	.read = socket_read,
	.write = socket_write,
	.writev = socket_writev,
	.write_kernel = socket_write_kernel,
	.poll = socket_poll,
	.ioctl = socket_ioctl,
};

/* ---- socketpair() ---- */

static struct socket_pair *pair_alloc(bool messages)
{
	struct socket_pair *pair = kzalloc(sizeof(*pair), GFP_KERNEL);

	if (!pair)
		return NULL;
	refcount_set(&pair->refs, 2);
	pair->messages = messages;
	for (unsigned int i = 0; i < 2; i++) {
		lane_init(&pair->lanes[i]);
		pair->ends[i] = (struct end){ pair, &pair->lanes[i], &pair->lanes[!i] };
	}
	return pair;
}

/* A file for an end that has none yet; its release is what drops the end's reference. ERR_PTR. */
static struct file *open_end(struct end *e, unsigned int flags)
{
	struct inode *inode = inode_alloc(S_IFSOCK | 0777, NULL, &socket_fops);
	struct file *f;
	char name[32];

	if (!inode)
		return ERR_PTR(-ENOMEM);
	(void)snprintf(name, sizeof(name), "socket:[%lu]", (unsigned long)inode->ino);
	f = file_alloc_anon(inode, name, O_RDWR | flags);
	if (!IS_ERR(f))
		f->private = e;
	return f;
}

static int open_pair(struct file *files[2], bool messages, unsigned int flags)
{
	struct socket_pair *pair = pair_alloc(messages);

	if (!pair)
		return -ENOMEM;
	files[0] = open_end(&pair->ends[0], flags);
	if (IS_ERR(files[0])) {
		kfree(pair);
		return (int)PTR_ERR(files[0]);
	}
	files[1] = open_end(&pair->ends[1], flags);
	if (IS_ERR(files[1])) {
		refcount_set(&pair->refs, 1);
		file_put(files[0]);
		return (int)PTR_ERR(files[1]);
	}
	return 0;
}

static int check_kind(int family, unsigned int type, int protocol)
{
	if (family != AF_UNIX)
		return family < 0 || family >= AF_MAX ? -EAFNOSUPPORT : -EOPNOTSUPP;
	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	return type == SOCK_STREAM || type == SOCK_SEQPACKET ? 0 : -ESOCKTNOSUPPORT;
}

SYSCALL_DEFINE4(socketpair, int, family, unsigned int, type, int, protocol, int __user *, ufds)
{
	unsigned int flags = type & ~(unsigned int)SOCK_TYPE_MASK;
	struct file *files[2] = { NULL, NULL };
	int fd[2], err;

	if (flags & ~(unsigned int)(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	type &= SOCK_TYPE_MASK;
	fd[0] = fd_reserve(0, flags & SOCK_CLOEXEC);
	if (fd[0] < 0)
		return fd[0];
	err = fd[1] = fd_reserve(0, flags & SOCK_CLOEXEC);
	if (err < 0)
		goto unreserve_0;
	err = copy_to_user(ufds, fd, sizeof(fd)) ? -EFAULT : check_kind(family, type, protocol);
	if (!err)
		err = open_pair(files, type == SOCK_SEQPACKET, flags & SOCK_NONBLOCK);
	if (err)
		goto unreserve_1;
	fd_publish(fd[0], files[0]);
	fd_publish(fd[1], files[1]);
	return 0;

unreserve_1:
	fd_unreserve(fd[1]);
unreserve_0:
	fd_unreserve(fd[0]);
	return err;
}

/* ---- send(), recv(), shutdown() ---- */

/* *f, borrowed until fd_put(); or -EBADF, -ENOTSOCK. */
static int borrow_socket(int fd, struct fd *f)
{
	*f = fd_borrow(fd);
	if (!f->file)
		return -EBADF;
	if (f->file->ops == &socket_fops)
		return 0;
	fd_put(*f);
	return -ENOTSOCK;
}

SYSCALL_DEFINE6(sendto, int, fd, const char __user *, buf, size_t, n, unsigned int, flags,
		const void __user *, addr, unsigned int, addr_len)
{
	struct iovec iov = { (void __user *)buf, min(n, MAX_RW_COUNT) };
	struct cursor c = cursor_of(&iov, 1);
	struct fd f;
	ssize_t ret = borrow_socket(fd, &f);

	(void)addr_len;
	if (ret)
		return ret;
	if (addr)
		ret = -EISCONN;
	else if (flags & ~(unsigned int)(MSG_DONTWAIT | MSG_EOR | MSG_NOSIGNAL))
		ret = -EOPNOTSUPP;
	else
		ret = transmit(f.file, &c, flags);
	fd_put(f);
	return ret;
}

SYSCALL_DEFINE6(recvfrom, int, fd, char __user *, buf, size_t, n, unsigned int, flags,
		void __user *, addr, u32 __user *, addr_len)
{
	struct fd f;
	ssize_t ret = borrow_socket(fd, &f);

	if (ret)
		return ret;
	ret = flags & ~(unsigned int)(MSG_DONTWAIT | MSG_NOSIGNAL)
		      ? -EOPNOTSUPP
		      : receive(f.file, buf, min(n, MAX_RW_COUNT), flags);
	/* The other end has no name. */
	if (ret >= 0 && addr && put_user_u32(0, addr_len))
		ret = -EFAULT;
	fd_put(f);
	return ret;
}

SYSCALL_DEFINE2(shutdown, int, fd, int, how)
{
	struct fd f;
	struct end *e;
	int err = borrow_socket(fd, &f);

	if (err)
		return err;
	e = f.file->private;
	if (how < SHUT_RD || how > SHUT_RDWR)
		err = -EINVAL;
	if (!err && how != SHUT_WR)
		shut_lane(e->in, false);
	if (!err && how != SHUT_RD)
		shut_lane(e->out, false);
	fd_put(f);
	return err;
}
