/* SPDX-License-Identifier: MIT
 *
 * The file table: descriptors to open files.
 *
 * The table is changed under its lock. Looking a descriptor up needs the lock and a reference only
 * when the table is shared: otherwise nobody but the caller, who is busy, can close it. /proc takes
 * the lock too.
 */
#include <kern/err.h>
#include <kern/string.h>
#include <kernel/files.h>
#include <kernel/fork.h>
#include <kernel/syscall.h>
#include <mm/slab.h>

#define WORD_BITS 64U
#define MAX_FDS (1U << 20) /* Linux's nr_open */

static unsigned long max_fds(void)
{
	return READ_ONCE(current->process->rlimits[RLIMIT_NOFILE].rlim_cur);
}

static bool bit(const unsigned long *map, unsigned int n)
{
	return (map[n / WORD_BITS] >> (n % WORD_BITS)) & 1;
}

static void put_bit(unsigned long *map, unsigned int n, bool on)
{
	unsigned long mask = 1UL << (n % WORD_BITS);

	if (on)
		map[n / WORD_BITS] |= mask;
	else
		map[n / WORD_BITS] &= ~mask;
}

/* ---- life ---- */

/* A table of one reference, in whose slots and bitmaps is anything. */
static struct files *files_make(void)
{
	struct files *t = kmalloc(sizeof(*t), GFP_KERNEL);

	if (!t)
		return NULL;
	refcount_set(&t->refs, 1);
	spin_lock_init(&t->lock);
	t->max = FIRST_FDS;
	t->next = 0;
	t->fd = t->first_fd;
	t->used = t->first_used;
	t->cloexec = t->first_cloexec;
	return t;
}

struct files *files_alloc(void)
{
	struct files *t = files_make();

	if (!t)
		return NULL;
	memset(t->first_fd, 0, sizeof(t->first_fd));
	memset(t->first_used, 0, sizeof(t->first_used));
	memset(t->first_cloexec, 0, sizeof(t->first_cloexec));
	return t;
}

void files_get(struct files *t)
{
	refcount_inc(&t->refs);
}

bool files_shared(struct files *t)
{
	return refcount_read(&t->refs) > 1;
}

/* The three arrays in one block. */
static struct file **alloc_arrays(unsigned int max)
{
	return kzalloc(max * sizeof(struct file *) + 2 * (max / 8), GFP_KERNEL);
}

static void set_arrays(struct files *t, struct file **fd, unsigned int max)
{
	t->fd = fd;
	t->used = (unsigned long *)(fd + max);
	t->cloexec = t->used + max / WORD_BITS;
	t->max = max;
}

static void free_arrays(struct files *t)
{
	if (t->fd != t->first_fd)
		kfree(t->fd);
}

static void copy_arrays(struct files *to, const struct files *from)
{
	memcpy(to->fd, from->fd, from->max * sizeof(struct file *));
	memcpy(to->used, from->used, from->max / 8);
	memcpy(to->cloexec, from->cloexec, from->max / 8);
}

/* Makes room for descriptor n. The lock is dropped meanwhile. 0, -EMFILE, -ENOMEM. */
static int grow(struct files *t, unsigned int n)
{
	struct files old = { 0 };
	struct file **fd;
	unsigned int max = FIRST_FDS;

	if (n >= MAX_FDS)
		return -EMFILE;
	while (max <= n)
		max *= 2;
	spin_unlock(&t->lock);
	fd = alloc_arrays(max);
	spin_lock(&t->lock);
	if (!fd)
		return -ENOMEM;
	if (t->max >= max) { /* another task was faster */
		old.fd = fd;
	} else {
		old.max = t->max;
		old.fd = t->fd;
		old.used = t->used;
		old.cloexec = t->cloexec;
		set_arrays(t, fd, max);
		copy_arrays(t, &old);
	}
	if (old.fd != t->first_fd)
		kfree(old.fd);
	return 0;
}

struct files *files_dup(struct files *from)
{
	struct files *t = files_make();

	if (!t)
		return NULL;
	spin_lock(&from->lock);
	while (t->max < from->max) {
		unsigned int max = from->max;
		struct file **fd;

		spin_unlock(&from->lock);
		free_arrays(t);
		fd = alloc_arrays(max);
		if (!fd) {
			kfree(t);
			return NULL;
		}
		set_arrays(t, fd, max);
		spin_lock(&from->lock);
	}
	copy_arrays(t, from);
	t->next = from->next;
	for (unsigned int w = 0; w < from->max / WORD_BITS; w++) {
		for (unsigned long m = t->used[w]; m; m &= m - 1) {
			unsigned int n = w * WORD_BITS + (unsigned int)__builtin_ctzl(m);

			if (t->fd[n])
				file_get(t->fd[n]);
			else
				put_bit(t->used, n, false); /* reserved by a call in another task */
		}
	}
	if (files_shared(from))
		t->next = 0;
	spin_unlock(&from->lock);
	return t;
}

void files_put(struct files *t)
{
	if (!refcount_dec_and_test(&t->refs))
		return;
	for (unsigned int w = 0; w < t->max / WORD_BITS; w++)
		for (unsigned long m = t->used[w]; m; m &= m - 1) {
			struct file *f = t->fd[w * WORD_BITS + (unsigned int)__builtin_ctzl(m)];

			if (f)
				file_close(f, t);
			cond_resched();
		}
	free_arrays(t);
	kfree(t);
}

/* ---- lookup ---- */

static struct file *get_locked(struct files *t, int fd)
{
	struct file *f;

	spin_lock(&t->lock);
	f = files_slot(t, fd);
	if (f)
		file_get(f);
	spin_unlock(&t->lock);
	return f;
}

struct file *fd_get_path(int fd)
{
	struct files *t = current->files;
	struct file *f;

	if (refcount_read(&t->refs) != 1)
		return get_locked(t, fd);
	f = files_slot(t, fd);
	if (f)
		file_get(f);
	return f;
}

struct file *fd_get(int fd)
{
	struct file *f = fd_get_path(fd);

	if (f && unlikely(f->mode & FMODE_PATH)) {
		file_put(f);
		f = NULL;
	}
	return f;
}

struct file *files_lookup(struct files *t, int fd)
{
	return get_locked(t, fd);
}

int files_max(struct files *t)
{
	return (int)READ_ONCE(t->max);
}

/* ---- allocation ---- */

/* The lowest free number >= from and below t->max, or t->max. Lock held. */
static unsigned int find_free(const struct files *t, unsigned int from)
{
	unsigned int w = from / WORD_BITS;
	unsigned long taken;

	if (from >= t->max)
		return from;
	taken = t->used[w] | ((1UL << (from % WORD_BITS)) - 1);
	while (!~taken) {
		if (++w == t->max / WORD_BITS)
			return t->max;
		taken = t->used[w];
	}
	return w * WORD_BITS + (unsigned int)__builtin_ctzl(~taken);
}

static int reserve_locked(struct files *t, unsigned int from, bool cloexec)
{
	unsigned long limit = max_fds();
	unsigned int n;
	int err;

	for (;;) {
		n = find_free(t, max(from, t->next));
		if (n >= limit)
			return -EMFILE;
		if (n < t->max)
			break;
		err = grow(t, n);
		if (err)
			return err;
	}
	if (from <= t->next)
		t->next = n + 1;
	put_bit(t->used, n, true);
	put_bit(t->cloexec, n, cloexec);
	return (int)n;
}

int fd_reserve(int from, bool cloexec)
{
	struct files *t = current->files;
	int fd;

	spin_lock(&t->lock);
	fd = reserve_locked(t, (unsigned int)from, cloexec);
	spin_unlock(&t->lock);
	return fd;
}

void fd_publish(int fd, struct file *f)
{
	struct files *t = current->files;

	spin_lock(&t->lock);
	t->fd[fd] = f;
	spin_unlock(&t->lock);
}

static void release_locked(struct files *t, unsigned int fd)
{
	t->fd[fd] = NULL;
	put_bit(t->used, fd, false);
	t->next = min(t->next, fd);
}

void fd_unreserve(int fd)
{
	struct files *t = current->files;

	spin_lock(&t->lock);
	release_locked(t, (unsigned int)fd);
	spin_unlock(&t->lock);
}

int fd_install(struct file *f, int from, bool cloexec)
{
	struct files *t = current->files;
	int fd;

	spin_lock(&t->lock);
	fd = reserve_locked(t, (unsigned int)from, cloexec);
	if (fd >= 0)
		t->fd[fd] = f;
	spin_unlock(&t->lock);
	return fd;
}

/* ---- close ---- */

/* Takes the file out of its slot: NULL when there was none. Lock held. */
static struct file *take_locked(struct files *t, unsigned int fd)
{
	struct file *f = files_slot(t, (int)fd);

	if (f)
		release_locked(t, fd);
	return f;
}

SYSCALL_DEFINE1(close, unsigned int, fd)
{
	struct files *t = current->files;
	struct file *f;

	spin_lock(&t->lock);
	f = take_locked(t, fd);
	spin_unlock(&t->lock);
	if (!f)
		return -EBADF;
	file_close(f, t);
	return 0;
}

/* The next open descriptor in [*fd, last] that wants closing, taken out. NULL: no more. */
static struct file *take_next(struct files *t, unsigned int *fd, unsigned int last,
			      bool only_cloexec)
{
	struct file *f = NULL;

	spin_lock(&t->lock);
	for (; *fd <= last && *fd < t->max && !f; ++*fd) {
		unsigned int w = *fd / WORD_BITS;

		if (!(*fd % WORD_BITS) &&
		    !(only_cloexec ? t->cloexec[w] & t->used[w] : t->used[w])) {
			*fd += WORD_BITS - 1;
			continue;
		}
		if (!only_cloexec || bit(t->cloexec, *fd))
			f = take_locked(t, *fd);
	}
	spin_unlock(&t->lock);
	return f;
}

void files_close_on_exec(struct files *t)
{
	unsigned int fd = 0;
	struct file *f;

	while ((f = take_next(t, &fd, ~0U, true)))
		file_close(f, t);
}

static void set_cloexec_range(struct files *t, unsigned int first, unsigned int last)
{
	spin_lock(&t->lock);
	for (unsigned int fd = first; fd <= last && fd < t->max; fd++)
		if (t->fd[fd])
			put_bit(t->cloexec, fd, true);
	spin_unlock(&t->lock);
}

SYSCALL_DEFINE3(close_range, unsigned int, first, unsigned int, last, unsigned int, flags)
{
	struct files *t = current->files;
	struct file *f;

	if ((flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) || first > last)
		return -EINVAL;
	if ((flags & CLOSE_RANGE_UNSHARE) && files_shared(t)) {
		struct files *own = files_dup(t);

		if (!own)
			return -ENOMEM;
		task_replace_files(own);
		t = own;
	}
	if (flags & CLOSE_RANGE_CLOEXEC) {
		set_cloexec_range(t, first, last);
		return 0;
	}
	while ((f = take_next(t, &first, last, false))) {
		file_close(f, t);
		cond_resched();
	}
	return 0;
}

/* ---- dup ---- */

int fd_get_cloexec(int fd)
{
	struct files *t = current->files;
	int ret = -EBADF;

	spin_lock(&t->lock);
	if (files_slot(t, fd))
		ret = bit(t->cloexec, (unsigned int)fd);
	spin_unlock(&t->lock);
	return ret;
}

int fd_set_cloexec(int fd, bool on)
{
	struct files *t = current->files;
	int ret = -EBADF;

	spin_lock(&t->lock);
	if (files_slot(t, fd)) {
		put_bit(t->cloexec, (unsigned int)fd, on);
		ret = 0;
	}
	spin_unlock(&t->lock);
	return ret;
}

SYSCALL_DEFINE1(dup, int, fd)
{
	struct file *f = fd_get_path(fd);
	int ret;

	if (!f)
		return -EBADF;
	ret = fd_install(f, 0, false);
	if (ret < 0)
		file_put(f);
	return ret;
}

/* Puts f (whose reference it takes over on success) at exactly fd. */
static int install_at(struct file *f, unsigned int fd, bool cloexec)
{
	struct files *t = current->files;
	struct file *old;
	int err = 0;

	spin_lock(&t->lock);
	if (fd >= t->max)
		err = grow(t, fd);
	if (!err && !t->fd[fd] && bit(t->used, fd))
		err = -EBUSY; /* reserved by an open() in another task */
	if (err) {
		spin_unlock(&t->lock);
		return err;
	}
	old = t->fd[fd];
	t->fd[fd] = f;
	put_bit(t->used, fd, true);
	put_bit(t->cloexec, fd, cloexec);
	spin_unlock(&t->lock);
	if (old)
		file_close(old, t);
	return (int)fd;
}

static long do_dup3(int old, unsigned int new, bool cloexec)
{
	struct file *f;
	int ret;

	if (new >= max_fds())
		return -EBADF;
	f = fd_get_path(old);
	if (!f)
		return -EBADF;
	ret = install_at(f, new, cloexec);
	if (ret < 0)
		file_put(f);
	return ret == -EMFILE ? -EBADF : ret;
}

SYSCALL_DEFINE2(dup2, int, old, unsigned int, new)
{
	struct file *f;

	if ((unsigned int)old != new)
		return do_dup3(old, new, false);
	f = fd_get_path(old);
	if (!f)
		return -EBADF;
	file_put(f);
	return old;
}

SYSCALL_DEFINE3(dup3, int, old, unsigned int, new, unsigned int, flags)
{
	if ((flags & ~(unsigned int)O_CLOEXEC) || (unsigned int)old == new)
		return -EINVAL;
	return do_dup3(old, new, flags & O_CLOEXEC);
}
