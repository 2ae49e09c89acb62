/* SPDX-License-Identifier: MIT
 *
 * poll() and select(): one pass over the files enters the caller in their wait queues; when nothing
 * is ready it sleeps, and every wake-up or the timer makes it look at all of them again.
 */
#include <arch/uaccess.h>
#include <fs/internal.h>
#include <kern/string.h>
#include <kernel/signal.h>
#include <kernel/syscall.h>
#include <kernel/timer.h>
#include <mm/slab.h>
#include <uapi/poll.h>
#include <uapi/time.h>

/* One wait queue the caller is in; the file keeps the queue alive. */
struct poll_entry {
	struct wait_entry wait;
	struct wait_queue *queue;
	struct file *file;
};

#define INLINE_ENTRIES 8
#define BLOCK_ENTRIES 64

struct poll_block {
	struct poll_block *next;
	unsigned int nr;
	struct poll_entry entries[BLOCK_ENTRIES];
};

struct poll_table {
	struct task *task;
	struct file *file; /* whose poll method is being called */
	struct poll_block *blocks;
	int err;
	bool armed; /* later passes only look */
	unsigned int nr;
	struct poll_entry entries[INLINE_ENTRIES];
};

static struct poll_entry *new_entry(struct poll_table *pt)
{
	struct poll_block *b = pt->blocks;

	if (pt->nr < INLINE_ENTRIES)
		return &pt->entries[pt->nr++];
	if (!b || b->nr == BLOCK_ENTRIES) {
		b = kmalloc(sizeof(*b), GFP_KERNEL);
		if (!b) {
			pt->err = -ENOMEM;
			return NULL;
		}
		b->nr = 0;
		b->next = pt->blocks;
		pt->blocks = b;
	}
	return &b->entries[b->nr++];
}

void poll_wait(struct poll_table *pt, struct wait_queue *q)
{
	struct poll_entry *e;

	if (!pt || pt->armed)
		return;
	e = new_entry(pt);
	if (!e)
		return;
	e->queue = q;
	e->file = pt->file;
	e->wait.task = pt->task;
	e->wait.func = NULL;
	file_get(e->file);
	wait_add(q, &e->wait);
}

static void poll_init(struct poll_table *pt)
{
	pt->task = park_self();
	pt->file = NULL;
	pt->blocks = NULL;
	pt->err = 0;
	pt->armed = false;
	pt->nr = 0;
}

static void drop_entry(struct poll_entry *e)
{
	wait_remove(e->queue, &e->wait);
	file_put(e->file);
}

static void poll_end(struct poll_table *pt)
{
	while (pt->nr)
		drop_entry(&pt->entries[--pt->nr]);
	while (pt->blocks) {
		struct poll_block *b = pt->blocks;

		while (b->nr)
			drop_entry(&b->entries[--b->nr]);
		pt->blocks = b->next;
		kfree(b);
	}
}

/* What of the events (errors always) is true of fd now. */
static unsigned int poll_fd(struct poll_table *pt, int fd, unsigned int events)
{
	struct fd b = fd_borrow(fd);
	unsigned int ready;

	if (!b.file)
		return POLLNVAL;
	pt->file = b.file;
	if (b.file->ops->poll)
		ready = b.file->ops->poll(b.file, pt);
	else
		ready = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
	fd_put(b);
	return ready & (events | POLLERR | POLLHUP);
}

/* ---- sleeping ---- */

#define NO_DEADLINE (~0ULL)

struct poll_timer {
	struct timer timer;
	struct task *task;
	bool fired;
};

static void poll_timeout(struct timer *t)
{
	struct poll_timer *pto = container_of(t, struct poll_timer, timer);

	WRITE_ONCE(pto->fired, true);
	unpark(pto->task);
}

/*
 * Calls scan until it finds something, fails, the deadline passes (0) or a signal comes (-EINTR).
 * scan must register with the table at its first call.
 */
static long poll_loop(struct poll_table *pt, long (*scan)(struct poll_table *pt, void *arg),
		      void *arg, u64 deadline)
{
	struct poll_timer pto = { .timer = { .func = poll_timeout }, .task = park_self() };
	bool timing = false;
	long n;

	pt->armed = deadline == 0;
	for (;;) {
		n = scan(pt, arg);
		pt->armed = true;
		if (!n)
			n = pt->err;
		if (n || deadline == 0)
			break;
		if (park_interrupted(PARK_INTERRUPTIBLE)) {
			n = -EINTR;
			break;
		}
		/* Fired counts, not the clock: that of this CPU may be behind the one that fired. */
		if (READ_ONCE(pto.fired))
			break;
		if (deadline != NO_DEADLINE && !timing) {
			timing = true;
			timer_set(&pto.timer, deadline);
		}
		park(PARK_INTERRUPTIBLE);
	}
	if (timing)
		(void)timer_cancel(&pto.timer);
	return n;
}

/* A time from now as a clock_ns() value; 0: do not sleep. */
static u64 deadline_after(u64 ns)
{
	u64 now = clock_ns();

	if (!ns)
		return 0;
	return ns >= NO_DEADLINE - 1 - now ? NO_DEADLINE : now + ns;
}

static int deadline_from_timespec(const struct timespec *ts, u64 *deadline)
{
	if (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= (long)NSEC_PER_SEC)
		return -EINVAL;
	if ((u64)ts->tv_sec >= NO_DEADLINE / NSEC_PER_SEC - 1)
		*deadline = NO_DEADLINE;
	else
		*deadline = deadline_after((u64)ts->tv_sec * NSEC_PER_SEC + (u64)ts->tv_nsec);
	return 0;
}

/*
 * What is left of the time goes back to the caller, as Linux does; an unwritable place is no error.
 */
static void write_back_time(void __user *uts, u64 deadline, u64 unit)
{
	u64 now = clock_ns(), left = deadline > now ? deadline - now : 0;
	struct timespec ts;

	if (!uts || deadline == NO_DEADLINE)
		return;
	ts.tv_sec = (long)(left / NSEC_PER_SEC);
	ts.tv_nsec = (long)(left % NSEC_PER_SEC / unit);
	if (copy_to_user(uts, &ts, sizeof(ts)))
		return;
}

/* ---- poll ---- */

struct poll_list {
	struct pollfd *fds;
	unsigned int nr;
};

static long scan_poll(struct poll_table *pt, void *arg)
{
	struct poll_list *l = arg;
	long n = 0;

	for (unsigned int i = 0; i < l->nr; i++) {
		struct pollfd *p = &l->fds[i];

		p->revents = 0;
		if (p->fd < 0)
			continue;
		p->revents = (short)poll_fd(pt, p->fd, (unsigned short)p->events);
		if (p->revents) {
			n++;
			pt->armed = true; /* will not sleep */
		}
	}
	return n;
}

static long do_poll(struct pollfd __user *ufds, unsigned int nr, u64 deadline)
{
	struct pollfd fast[16];
	struct poll_list l = { .fds = fast, .nr = nr };
	struct poll_table pt;
	size_t size = nr * sizeof(struct pollfd);
	long n;

	if (nr > rlimit_cur(RLIMIT_NOFILE))
		return -EINVAL;
	if (nr > ARRAY_SIZE(fast)) {
		l.fds = kmalloc(size, GFP_KERNEL);
		if (!l.fds)
			return -ENOMEM;
	}
	if (copy_from_user(l.fds, ufds, size)) {
		n = -EFAULT;
	} else {
		poll_init(&pt);
		n = poll_loop(&pt, scan_poll, &l, deadline);
		poll_end(&pt);
		for (unsigned int i = 0; i < nr && n >= 0; i++)
			if (copy_to_user(&ufds[i].revents, &l.fds[i].revents, sizeof(short)))
				n = -EFAULT;
	}
	if (l.fds != fast)
		kfree(l.fds);
	return n;
}

static long restart_poll(struct restart_block *rb)
{
	long n = do_poll(rb->ufds, (unsigned int)rb->nfds,
			 rb->has_deadline ? rb->deadline_ns : NO_DEADLINE);

	return n == -EINTR ? -ERESTART_RESTARTBLOCK : n;
}

SYSCALL_DEFINE3(poll, struct pollfd __user *, ufds, unsigned int, nr, int, timeout_ms)
{
	u64 deadline = timeout_ms < 0 ? NO_DEADLINE : deadline_after((u64)timeout_ms * 1000000);
	long n = do_poll(ufds, nr, deadline);
	struct restart_block *rb = &current->restart;

	if (n != -EINTR)
		return n;
	rb->func = restart_poll;
	rb->ufds = ufds;
	rb->nfds = (int)nr;
	rb->has_deadline = deadline != NO_DEADLINE;
	rb->deadline_ns = deadline;
	return -ERESTART_RESTARTBLOCK;
}

SYSCALL_DEFINE5(ppoll, struct pollfd __user *, ufds, unsigned int, nr, struct timespec __user *,
		uts, const u64 __user *, mask, size_t, mask_size)
{
	u64 deadline = NO_DEADLINE;
	struct timespec ts;
	long n;

	if (uts) {
		if (copy_from_user(&ts, uts, sizeof(ts)))
			return -EFAULT;
		if (deadline_from_timespec(&ts, &deadline))
			return -EINVAL;
	}
	n = set_user_sigmask(mask, mask_size);
	if (n)
		return n;
	n = do_poll(ufds, nr, deadline);
	restore_user_sigmask(n == -EINTR);
	write_back_time(uts, deadline, 1);
	return n == -EINTR ? -ERESTARTNOHAND : n;
}

/* ---- select ---- */

#define WORD_BITS 64U
#define POLLIN_SET (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define POLLOUT_SET (POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR)
#define POLLEX_SET POLLPRI

/* Six bit sets of nr descriptors: in, out, ex, and the results. */
struct select_sets {
	unsigned int nr, words;
	u64 *bits; /* [6 * words] */
};

static long scan_select(struct poll_table *pt, void *arg)
{
	static const unsigned int event[3] = { POLLIN_SET, POLLOUT_SET, POLLEX_SET };
	struct select_sets *s = arg;
	long n = 0;

	memset(s->bits + 3 * s->words, 0, 3 * s->words * sizeof(u64));
	for (unsigned int fd = 0; fd < s->nr; fd++) {
		unsigned int w = fd / WORD_BITS, ready, events = 0;
		u64 bit = 1ULL << (fd % WORD_BITS);

		if (!((s->bits[w] | s->bits[s->words + w] | s->bits[2 * s->words + w]) & bit))
			continue;
		for (unsigned int k = 0; k < 3; k++)
			if (s->bits[k * s->words + w] & bit)
				events |= event[k];
		ready = poll_fd(pt, (int)fd, events);
		if (ready == POLLNVAL)
			return -EBADF;
		for (unsigned int k = 0; k < 3; k++)
			if ((s->bits[k * s->words + w] & bit) && (ready & event[k])) {
				s->bits[(3 + k) * s->words + w] |= bit;
				n++;
			}
		if (n)
			pt->armed = true;
	}
	return n;
}

static int sets_from_user(struct select_sets *s, u64 __user *const usets[3])
{
	for (unsigned int k = 0; k < 3; k++) {
		if (!usets[k])
			memset(s->bits + k * s->words, 0, s->words * sizeof(u64));
		else if (copy_from_user(s->bits + k * s->words, usets[k], s->words * sizeof(u64)))
			return -EFAULT;
	}
	return 0;
}

static int sets_to_user(const struct select_sets *s, u64 __user *const usets[3])
{
	for (unsigned int k = 0; k < 3; k++)
		if (usets[k] &&
		    copy_to_user(usets[k], s->bits + (3 + k) * s->words, s->words * sizeof(u64)))
			return -EFAULT;
	return 0;
}

static long do_select(int nr, u64 __user *const usets[3], u64 deadline)
{
	u64 fast[6 * 2];
	struct select_sets s = { .bits = fast };
	struct poll_table pt;
	long n;

	if (nr < 0)
		return -EINVAL;
	s.nr = (unsigned int)min(nr, files_max(current->files));
	s.words = (s.nr + WORD_BITS - 1) / WORD_BITS;
	if (s.words > 2) {
		s.bits = kmalloc(6 * s.words * sizeof(u64), GFP_KERNEL);
		if (!s.bits)
			return -ENOMEM;
	}
	n = sets_from_user(&s, usets);
	if (!n) {
		poll_init(&pt);
		n = poll_loop(&pt, scan_select, &s, deadline);
		poll_end(&pt);
		if (n >= 0 && sets_to_user(&s, usets))
			n = -EFAULT;
	}
	if (s.bits != fast)
		kfree(s.bits);
	return n;
}

SYSCALL_DEFINE5(select, int, nr, u64 __user *, in, u64 __user *, out, u64 __user *, ex,
		struct timeval __user *, utv)
{
	u64 __user *const sets[3] = { in, out, ex };
	u64 deadline = NO_DEADLINE;
	struct timeval tv;
	struct timespec ts;
	long n;

	if (utv) {
		if (copy_from_user(&tv, utv, sizeof(tv)))
			return -EFAULT;
		if (tv.tv_sec < 0 || tv.tv_usec < 0)
			return -EINVAL;
		ts.tv_sec = tv.tv_sec + tv.tv_usec / 1000000;
		ts.tv_nsec = tv.tv_usec % 1000000 * 1000;
		if (deadline_from_timespec(&ts, &deadline))
			return -EINVAL;
	}
	n = do_select(nr, sets, deadline);
	write_back_time(utv, deadline, NSEC_PER_USEC);
	return n == -EINTR ? -ERESTARTNOHAND : n;
}

SYSCALL_DEFINE6(pselect6, int, nr, u64 __user *, in, u64 __user *, out, u64 __user *, ex,
		struct timespec __user *, uts, const void __user *, usig)
{
	u64 __user *const sets[3] = { in, out, ex };
	struct {
		const u64 __user *mask;
		size_t size;
	} sig = { NULL, 0 };
	u64 deadline = NO_DEADLINE;
	struct timespec ts;
	long n;

	if (usig && copy_from_user(&sig, usig, sizeof(sig)))
		return -EFAULT;
	if (uts) {
		if (copy_from_user(&ts, uts, sizeof(ts)))
			return -EFAULT;
		if (deadline_from_timespec(&ts, &deadline))
			return -EINVAL;
	}
	n = set_user_sigmask(sig.mask, sig.size);
	if (n)
		return n;
	n = do_select(nr, sets, deadline);
	restore_user_sigmask(n == -EINTR);
	write_back_time(uts, deadline, 1);
	return n == -EINTR ? -ERESTARTNOHAND : n;
}
