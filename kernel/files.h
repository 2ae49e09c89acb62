/* SPDX-License-Identifier: MIT
 *
 * The file table's layout, for the lookup on the path of every read() and write(), and what fs/
 * asks of it. Everybody else uses fs/vfs.h.
 *
 * Lock letters: [A] atomic, [l] files->lock.
 */
#ifndef KERNEL_FILES_H
#define KERNEL_FILES_H

#include <fs/vfs.h>
#include <kernel/task.h>

#define FIRST_FDS 64U /* inside struct files */

struct files {
	refcount_t refs; /* [A] */
	spinlock_t lock;
	unsigned int max;	/* [l] slots; a multiple of 64 */
	unsigned int next;	/* [l] no free slot below it */
	struct file **fd;	/* [l] a reference each; NULL: free or reserved */
	unsigned long *used;	/* [l] bitmap: open or reserved */
	unsigned long *cloexec; /* [l] bitmap */
	struct file *first_fd[FIRST_FDS];
	unsigned long first_used[FIRST_FDS / 64], first_cloexec[FIRST_FDS / 64];
};

/* A file for the duration of a call. */
struct fd {
	struct file *file; /* NULL: no such descriptor */
	bool ref;	   /* fd_put() must drop a reference */
};

static inline struct file *files_slot(const struct files *t, int fd)
{
	return likely((unsigned int)fd < t->max) ? t->fd[fd] : NULL;
}

/*
 * fd_get() without a reference when the table is the caller's alone: nobody can close the file
 * meanwhile.
 */
static inline struct fd fd_borrow(int fd)
{
	struct files *t = current->files;
	struct file *f;

	if (likely(refcount_read(&t->refs) == 1)) {
		f = files_slot(t, fd);
		if (unlikely(f && (f->mode & FMODE_PATH)))
			f = NULL;
		return (struct fd){ f, false };
	}
	f = fd_get(fd);
	return (struct fd){ f, f != NULL };
}

static inline void fd_put(struct fd fd)
{
	if (fd.ref)
		file_put(fd.file);
}

/* A descriptor number set aside until fd_publish() or fd_unreserve(). fd, -EMFILE, -ENOMEM. */
int fd_reserve(int from, bool cloexec);
void fd_publish(int fd, struct file *f);
void fd_unreserve(int fd);
int fd_set_cloexec(int fd, bool on); /* 0 or -EBADF */
int fd_get_cloexec(int fd);	     /* 0, 1 or -EBADF */
/*
 * What close() does to a file taken out of the table: drops the owner's record locks, then the
 * reference.
 */
void file_close(struct file *f, void *owner);

#endif
