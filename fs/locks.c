/* SPDX-License-Identifier: MIT
 *
 * Advisory locks: POSIX record locks (fcntl), open-file-description locks, flock().
 *
 * Record locks belong to a file table (all descriptors of a process), the other two to an open
 * file. All lock lists are guarded by one mutex: they are short and rarely used, and a single lock
 * makes the search for a cycle of waiters simple.
 */
#include <arch/uaccess.h>
#include <fs/internal.h>
#include <kernel/syscall.h>
#include <mm/slab.h>

struct record_lock {
	struct list_head node; /* [g] in file_locks->records, by owner and start in no order */
	const void *owner;     /* struct files, or struct file for OFD locks */
	int pid;	       /* -1: OFD */
	short type;	       /* F_RDLCK, F_WRLCK */
	s64 start, end;	       /* bytes, end inclusive; MAX_FILE_SIZE: to the end of the file */
};

struct flock_lock {
	struct list_head node; /* [g] in file_locks->flocks */
	const struct file *file;
	bool exclusive;
};

/* Hangs at an inode from its first lock on. */
struct file_locks {
	struct list_head records; /* [g] */
	struct list_head flocks;  /* [g] */
	unsigned long changes;	  /* [g] counts what may let a waiter go on */
	struct wait_queue wait;
};

/* A task asleep for a record lock, for the deadlock check. */
struct lock_waiter {
	struct list_head node;
	const void *owner, *blocker;
};

static struct mutex lock_mutex = MUTEX_INIT(lock_mutex); /* [g] */
static LIST_HEAD(waiters);				 /* [g] */

static struct file_locks *inode_locks(struct inode *inode)
{
	struct file_locks *l = inode->locks;

	if (l)
		return l;
	l = kmalloc(sizeof(*l), GFP_KERNEL);
	if (!l)
		return NULL;
	INIT_LIST_HEAD(&l->records);
	INIT_LIST_HEAD(&l->flocks);
	l->changes = 0;
	wait_queue_init(&l->wait);
	WRITE_ONCE(inode->locks, l);
	return l;
}

void locks_free(struct inode *inode)
{
	kfree(inode->locks);
}

static void changed(struct file_locks *l)
{
	WRITE_ONCE(l->changes, l->changes + 1);
	wake_up(&l->wait);
}

/* Sleeps until the locks changed. The mutex is given back meanwhile. 0 or -ERESTARTSYS. */
static int wait_for_change(struct file_locks *l)
{
	unsigned long seen = l->changes;
	int err;

	mutex_unlock(&lock_mutex);
	err = wait_event_interruptible(&l->wait, READ_ONCE(l->changes) != seen);
	mutex_lock(&lock_mutex);
	return err;
}

/* ---- record locks ---- */

static bool overlaps(const struct record_lock *a, const struct record_lock *b)
{
	return a->start <= b->end && b->start <= a->end;
}

static struct record_lock *find_conflict(struct file_locks *l, const struct record_lock *want)
{
	struct record_lock *r;

	list_for_each_entry(r, &l->records, node)
		if (r->owner != want->owner && overlaps(r, want) &&
		    (r->type == F_WRLCK || want->type == F_WRLCK))
			return r;
	return NULL;
}

/* Would waiting for blocker close a ring of owners that wait for each other? */
static bool would_deadlock(const void *owner, const void *blocker)
{
	struct lock_waiter *w;

	for (unsigned int steps = 0; steps < 64; steps++) {
		const void *next = NULL;

		if (blocker == owner)
			return true;
		list_for_each_entry(w, &waiters, node)
			if (w->owner == blocker) {
				next = w->blocker;
				break;
			}
		if (!next)
			return false;
		blocker = next;
	}
	return false;
}

/*
 * Takes [want->start, want->end] away from the owner's locks. spare is used when one is cut in two.
 */
static void cut_range(struct file_locks *l, const struct record_lock *want,
		      struct record_lock **spare)
{
	struct record_lock *r, *next;

	list_for_each_entry_safe(r, next, &l->records, node) {
		if (r->owner != want->owner || !overlaps(r, want))
			continue;
		if (r->start < want->start && r->end > want->end) {
			struct record_lock *right = *spare;

			*spare = NULL;
			*right = *r;
			right->start = want->end + 1;
			r->end = want->start - 1;
			list_add(&right->node, &r->node);
		} else if (r->start < want->start) {
			r->end = want->start - 1;
		} else if (r->end > want->end) {
			r->start = want->end + 1;
		} else {
			list_del(&r->node);
			kfree(r);
		}
	}
}

/* Joins the new lock with the owner's neighbours of the same type. */
static void merge_neighbours(struct file_locks *l, struct record_lock *lock)
{
	struct record_lock *r, *next;

	list_for_each_entry_safe(r, next, &l->records, node) {
		if (r == lock || r->owner != lock->owner || r->type != lock->type)
			continue;
		if (r->end != lock->start - 1 && lock->end != r->start - 1)
			continue;
		lock->start = min(lock->start, r->start);
		lock->end = max(lock->end, r->end);
		list_del(&r->node);
		kfree(r);
	}
}

/* Waits until nobody else's lock is in the way. Mutex held. */
static int wait_for_conflicts(struct file_locks *l, const struct record_lock *want, bool wait)
{
	struct record_lock *other;
	int err = 0;

	while (!err && (other = find_conflict(l, want))) {
		struct lock_waiter w = { .owner = want->owner, .blocker = other->owner };

		if (!wait)
			return -EAGAIN;
		if (want->pid >= 0 && would_deadlock(want->owner, other->owner))
			return -EDEADLK;
		list_add(&w.node, &waiters);
		err = wait_for_change(l);
		list_del(&w.node);
	}
	return err;
}

static int set_record(struct inode *inode, const struct record_lock *want, bool wait)
{
	struct record_lock *lock = kmalloc(sizeof(*lock), GFP_KERNEL);
	struct record_lock *spare = kmalloc(sizeof(*spare), GFP_KERNEL);
	struct file_locks *l;
	int err = 0;

	mutex_lock(&lock_mutex);
	l = inode_locks(inode);
	if (!lock || !spare || !l)
		err = -ENOLCK;
	else if (want->type != F_UNLCK)
		err = wait_for_conflicts(l, want, wait);
	if (!err) {
		cut_range(l, want, &spare);
		if (want->type != F_UNLCK) {
			*lock = *want;
			list_add(&lock->node, &l->records);
			merge_neighbours(l, lock);
			lock = NULL;
		}
		changed(l); /* also after a write lock became a read lock */
	}
	mutex_unlock(&lock_mutex);
	kfree(lock);
	kfree(spare);
	return err;
}

/* The range a struct flock describes, in absolute bytes. */
static int range_from_user(struct file *f, const struct flock *fl, struct record_lock *r)
{
	s64 start, end;

	switch (fl->l_whence) {
	case SEEK_SET:
		start = 0;
		break;
	case SEEK_CUR:
		start = (s64)f->pos;
		break;
	case SEEK_END:
		start = (s64)inode_size(f->inode);
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(start, fl->l_start, &start))
		return -EOVERFLOW;
	if (start < 0)
		return -EINVAL;
	if (fl->l_len > 0) {
		if (__builtin_add_overflow(start, fl->l_len - 1, &end))
			return -EOVERFLOW;
	} else if (fl->l_len < 0) {
		end = start - 1;
		if (__builtin_add_overflow(start, fl->l_len, &start) || start < 0)
			return -EINVAL;
	} else {
		end = (s64)MAX_FILE_SIZE;
	}
	r->start = start;
	r->end = end;
	return 0;
}

static void range_to_user(const struct record_lock *r, struct flock *fl)
{
	fl->l_type = r->type;
	fl->l_whence = SEEK_SET;
	fl->l_start = r->start;
	fl->l_len = r->end == (s64)MAX_FILE_SIZE ? 0 : r->end - r->start + 1;
	fl->l_pid = r->pid;
}

static int get_record(struct inode *inode, const struct record_lock *want, struct flock *fl)
{
	struct record_lock *other = NULL;

	if (want->type == F_UNLCK)
		return -EINVAL;
	mutex_lock(&lock_mutex);
	if (inode->locks)
		other = find_conflict(inode->locks, want);
	if (other)
		range_to_user(other, fl);
	else
		fl->l_type = F_UNLCK;
	mutex_unlock(&lock_mutex);
	return 0;
}

int locks_fcntl(int fd, struct file *f, unsigned int cmd, unsigned long arg)
{
	bool ofd = cmd == F_OFD_GETLK || cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW;
	struct record_lock want;
	struct flock fl;
	struct file *now;
	int err;

	if (copy_from_user(&fl, (void __user *)arg, sizeof(fl)))
		return -EFAULT;
	if (fl.l_type != F_RDLCK && fl.l_type != F_WRLCK && fl.l_type != F_UNLCK)
		return -EINVAL;
	if (ofd && fl.l_pid)
		return -EINVAL;
	err = range_from_user(f, &fl, &want);
	if (err)
		return err;
	want.type = fl.l_type;
	want.owner = ofd ? (const void *)f : current->files;
	want.pid = ofd ? -1 : current->process->pid;
	if (cmd == F_GETLK || cmd == F_OFD_GETLK) {
		err = get_record(f->inode, &want, &fl);
		if (!err && copy_to_user((void __user *)arg, &fl, sizeof(fl)))
			err = -EFAULT;
		return err;
	}
	if ((fl.l_type == F_RDLCK && !(f->mode & FMODE_READ)) ||
	    (fl.l_type == F_WRLCK && !(f->mode & FMODE_WRITE)))
		return -EBADF;
	err = set_record(f->inode, &want, cmd == F_SETLKW || cmd == F_OFD_SETLKW);
	if (err || ofd || want.type == F_UNLCK)
		return err;
	/*
	 * Another thread may have closed the descriptor meanwhile: then nobody would release the
	 * lock.
	 */
	now = fd_get(fd);
	if (now != f)
		locks_release_posix(f->inode, current->files);
	if (now)
		file_put(now);
	return now == f ? 0 : -EBADF;
}

static void release_records(struct file_locks *l, const void *owner)
{
	const struct record_lock all = { .owner = owner, .start = 0, .end = (s64)MAX_FILE_SIZE };

	cut_range(l, &all, NULL); /* nothing extends beyond: no cut in two */
}

void locks_release_posix(struct inode *inode, void *owner)
{
	mutex_lock(&lock_mutex);
	release_records(inode->locks, owner);
	changed(inode->locks);
	mutex_unlock(&lock_mutex);
}

/* ---- flock ---- */

static struct flock_lock *find_flock(struct file_locks *l, const struct file *f)
{
	struct flock_lock *k;

	list_for_each_entry(k, &l->flocks, node)
		if (k->file == f)
			return k;
	return NULL;
}

static bool flock_conflicts(struct file_locks *l, const struct file *f, bool exclusive)
{
	struct flock_lock *k;

	list_for_each_entry(k, &l->flocks, node)
		if (k->file != f && (exclusive || k->exclusive))
			return true;
	return false;
}

static void drop_flock(struct file_locks *l, const struct file *f)
{
	struct flock_lock *k = find_flock(l, f);

	if (!k)
		return;
	list_del(&k->node);
	kfree(k);
	changed(l);
}

static int do_flock(struct file *f, bool unlock, bool exclusive, bool wait)
{
	struct flock_lock *k = kmalloc(sizeof(*k), GFP_KERNEL), *held;
	struct file_locks *l;
	int err = 0;

	mutex_lock(&lock_mutex);
	l = inode_locks(f->inode);
	if (!k || !l) {
		err = -ENOLCK;
	} else {
		held = find_flock(l, f);
		/* A conversion gives the old lock up first, as in Linux: it is not atomic. */
		if (unlock || (held && held->exclusive != exclusive))
			drop_flock(l, f);
		held = find_flock(l, f);
		while (!err && !unlock && !held && flock_conflicts(l, f, exclusive))
			err = wait ? wait_for_change(l) : -EWOULDBLOCK;
		if (!err && !unlock && !held) {
			k->file = f;
			k->exclusive = exclusive;
			list_add(&k->node, &l->flocks);
			k = NULL;
		}
	}
	mutex_unlock(&lock_mutex);
	kfree(k);
	return err;
}

SYSCALL_DEFINE2(flock, int, fd, unsigned int, op)
{
	unsigned int kind = op & ~(unsigned int)LOCK_NB;
	struct file *f;
	int err;

	if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN)
		return -EINVAL;
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	if (kind != LOCK_UN && !(f->mode & (FMODE_READ | FMODE_WRITE)))
		err = -EBADF;
	else
		err = do_flock(f, kind == LOCK_UN, kind == LOCK_EX, !(op & LOCK_NB));
	file_put(f);
	return err;
}

void locks_release_file(struct file *f)
{
	struct file_locks *l = f->inode->locks;

	mutex_lock(&lock_mutex);
	release_records(l, f);
	drop_flock(l, f);
	changed(l);
	mutex_unlock(&lock_mutex);
}
