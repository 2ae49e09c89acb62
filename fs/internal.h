/* SPDX-License-Identifier: MIT
 *
 * What the files of fs/ share with each other and nobody else.
 */
#ifndef FS_INTERNAL_H
#define FS_INTERNAL_H

#include <fs/vfs.h>
#include <kern/err.h>
#include <kernel/files.h>
#include <kernel/task.h>

#define MAY_EXEC 1
#define MAY_WRITE 2
#define MAY_READ 4

#define MAX_SYMLINKS 40
#define MAX_FILE_SIZE 0x7fffffffffffffffULL
#define MAX_RW_COUNT 0x7ffff000UL /* what one read() or write() moves at most */

/* ---- inode.c ---- */
void inode_init(void);
bool inode_owner_or_capable(const struct inode *i);
/* In the initial user namespace; or in the caller's, and the inode's owner and group have ids there. */
bool cred_has_cap(int cap);
bool inode_capable(const struct inode *i, int cap);
/* A read happened: relatime without the daily update. */
void inode_touch_atime(struct inode *i);
static inline void inode_accessed(struct inode *i)
{
	if (unlikely(i->atime_ns <= i->mtime_ns || i->atime_ns <= i->ctime_ns))
		inode_touch_atime(i);
}
/* Contents changed: mtime and ctime. */
void inode_modified(struct inode *i);
void inode_changed(struct inode *i); /* ctime */
/* A write by someone without CAP_FSETID takes the set-id bits away. */
void inode_remove_privs(struct inode *i);
u64 new_anon_dev(void);

/* ---- dentry.c: dcache_lock held for all but alloc ---- */
void dentry_init(void);
u32 name_hash(const char *name, size_t len);
/*
 * Not linked anywhere, one reference; takes over the inode reference, on failure too. NULL: no
 * memory.
 */
struct dentry *dentry_alloc(const char *name, size_t len, struct inode *inode);
/* A dentry below parent that is in no directory (procfs): takes a reference to parent. */
void dentry_set_parent(struct dentry *d, struct dentry *parent);
struct dentry *dentry_find(struct dentry *parent, const char *name, size_t len, u32 hash);
/*
 * Enters d, fresh from dentry_alloc(), with a reference for the directory. 0, -ENOENT (parent was
 * removed), -EEXIST.
 */
int dentry_link(struct dentry *parent, struct dentry *d);
/* Takes d out of its directory; the caller drops the directory's reference after the lock. */
void dentry_unlink(struct dentry *d);
/*
 * Gives d a new place and name; new_name: as from dentry_name_alloc(); returns the old one to free.
 */
struct dentry_name {
	const char *text; /* NULL: fits inside the dentry */
	char inline_text[DENTRY_INLINE_NAME];
	u8 len;
	u32 hash;
};
int dentry_name_init(struct dentry_name *n, const char *name, size_t len);
void dentry_name_free(struct dentry_name *n);
void dentry_move(struct dentry *d, struct dentry *parent, struct dentry_name *n);
struct dentry *dentry_first(struct dentry *dir, u64 from_seq);
bool dentry_is_below(struct dentry *d, struct dentry *ancestor);
/* Entries live as dentries in this directory. */
static inline bool dir_has_dentries(const struct inode *dir)
{
	return S_ISDIR(dir->mode) && !dir->ops->lookup;
}
static inline bool dentry_is_mount_root(const struct dentry *d)
{
	return d->mount && d->mount->root == d;
}
/* readdir for directories of dentries. */
int dentry_readdir(struct file *f, u64 *pos,
		   bool (*emit)(void *arg, const char *name, size_t len, u64 ino, u8 type,
				u64 next),
		   void *arg);

/* ---- mount.c ---- */
extern struct dentry *vfs_root; /* [I] after tmpfs_init() */
struct mount *mount_create(struct inode *root, const char *fstype, const char *source,
			   unsigned long flags);
/*
 * Counts a user of d's mount. -ENOENT: it was just unmounted. Anonymous dentries have no mount: 0.
 */
int __must_check mount_use(struct dentry *d);
/* The dentry of this directory that a mount covers, or NULL. dcache_lock held, and good for as long. */
struct dentry *mount_point_of(const struct inode *inode);
void mount_unuse(struct dentry *d);
static inline bool dentry_readonly(const struct dentry *d)
{
	return d->mount && (d->mount->flags & 1);
}

/* ---- namei.c ---- */
enum last_type { LAST_NORM, LAST_DOT, LAST_DOTDOT, LAST_NONE };

struct walk_link {
	const char *rest;    /* of the text that contained the link */
	struct inode *inode; /* the link whose text is being walked, a reference; or */
	char *text;	     /* the copy of it */
};

/*
 * A walk along a path. Between walk_start() and walk_end() dcache_lock is held except inside the
 * calls that have to sleep; `at` is kept alive by the tree while the lock is held.
 */
struct walk {
	struct dentry *at;
	struct dentry *root; /* another thread's chroot() may drop it once the lock was released: */
	bool root_held;	     /* then it has a reference */
	/* a reference that outlived its unlock/lock, dropped at the next one */
	struct dentry *held;
	struct dentry *fresh; /* the dentry that procfs's lookup or a magic link made */
	struct dentry *drop;  /* the caller's, NULL at first: a reference that walk_end() drops */
	const char *rest;
	const char *name; /* the last component, in the text being walked */
	size_t len;
	u32 hash;
	enum last_type type;
	bool slash;  /* the path ends in one */
	bool jumped; /* the last step was a magic link */
	unsigned int nlinks, depth;
	struct dentry *start; /* reference to dirfd's directory, or NULL */
	struct walk_link links[MAX_SYMLINKS];
};

/* On error nothing is held. */
int walk_start(struct walk *w, int dirfd, const char *path);
/* Up to the last component: sets name, len, hash, type. */
int walk_to_last(struct walk *w);
/* Both, for whoever makes or takes away the last name of a path, which is not empty (-ENOENT). */
int walk_start_last(struct walk *w, int dirfd, const char *path);
/* A last component that is no name (".", "..", nothing): goes there. */
void walk_dots(struct walk *w);
/* The child called w->name of w->at, or ERR_PTR. Valid while the lock is held. */
struct dentry *walk_child(struct walk *w);
/*
 * Replaces the link by its text (the next walk_to_last() goes along it) or jumps where it points.
 */
int walk_follow(struct walk *w, struct dentry *link);
/* The whole rest of the path. follow: a last symlink too. w->at is the result. */
int walk_all(struct walk *w, bool follow);
void walk_unlock(struct walk *w);
void walk_lock(struct walk *w);
void walk_end(struct walk *w);
/* Goes down to child (and to what is mounted there). */
void walk_enter(struct walk *w, struct dentry *child);
/* path_lookup() of a user's path with AT_* flags; allowed: those the call accepts. ERR_PTR. */
struct dentry *user_path_at(int dirfd, const char __user *path, int flags, int allowed);

/* ---- nsfs.c ---- */
void nsfs_init(void);
/* A namespace as what a link in /proc/PID/ns leads to; takes over the reference. ERR_PTR(-ENOMEM). */
struct dentry *user_ns_dentry(struct user_namespace *ns);

/* ---- secretmem.c ---- */
void secretmem_init(void);

/* ---- file.c ---- */
void file_init(void);

/* ---- tmpfs.c ---- */
extern const struct inode_ops tmpfs_dir_iops, tmpfs_file_iops;
extern const struct file_ops tmpfs_file_fops;
struct statfs;
void tmpfs_statfs(const struct inode *inode, struct statfs *buf);
/* A regular file of the unlimited internal tmpfs. NULL: no memory. */
struct inode *shmem_inode(u64 size);
/* Copies kernel memory into a file. Bytes or -errno. */
ssize_t tmpfs_write_kernel(struct inode *inode, const void *buf, size_t n, u64 pos);
void shmem_init(void);
bool is_tmpfs_inode(const struct inode *inode);

/* ---- create.c, link.c, remove.c: the system calls, and the same for initramfs and devfs ---- */
/* A reference to the new file, or ERR_PTR. mode: with its type; symlink: the text of one. */
struct dentry *vfs_create(int dirfd, const char *path, u32 mode, u64 rdev, const char *symlink);
int vfs_link(const char *old, const char *new_path);
int vfs_unlink(int dirfd, const char *path, bool rmdir);

/* ---- others ---- */
int vfs_fallocate(struct file *f, int mode, s64 off, s64 len);
/* Checks RLIMIT_FSIZE and the largest file: shortens *n. 0, -EFBIG (SIGXFSZ was sent). */
int write_limit(u64 pos, size_t *n);
extern const struct file_ops fifo_fops;
void pipe_release_inode(struct inode *inode);
struct file_locks;
void locks_release_posix(struct inode *inode, void *owner);
void locks_release_file(struct file *f);
void locks_free(struct inode *inode);
int locks_fcntl(int fd, struct file *f, unsigned int cmd, unsigned long arg);
long pipe_fcntl(struct file *f, unsigned int cmd, unsigned long arg);
long seals_fcntl(struct file *f, unsigned int cmd, unsigned long arg);
long pipe_ioctl_fionread(struct file *f);
long file_ioctl(struct file *f, int fd, unsigned int cmd, unsigned long arg);

static inline unsigned long rlimit_cur(unsigned int which)
{
	return READ_ONCE(current->process->rlimits[which].rlim_cur);
}

#endif
