/* SPDX-License-Identifier: MIT
 *
 * Files as the rest of the kernel sees them: inodes, dentries, mounts, open files.
 *
 * The tree of names is made of dentries. On tmpfs (and what builds on it) a dentry exists as long
 * as the name does and is the directory entry; dcache_lock alone guards the shape of the tree, so
 * each change of it (create, rename, ...) is one short section. On procfs names come from the
 * lookup method and their dentries live only while they are referenced.
 *
 * Lock letters: [I] fixed after creation, [i] inode->lock, [d] dcache_lock, [p] file->pos_lock, [A]
 * atomic.
 */
#ifndef FS_VFS_H
#define FS_VFS_H

#include <kern/atomic.h>
#include <kern/list.h>
#include <kern/rbtree.h>
#include <kern/types.h>
#include <kernel/wait.h>
#include <mm/filemap.h>
#include <mm/writeback.h>
#include <sync/mutex.h>
#include <uapi/fcntl.h>
#include <uapi/stat.h>

struct file;
struct file_locks;
struct inode;
struct iovec;
struct dentry;
struct mount;
struct pipe;
struct poll_table;
struct user_namespace;

struct inode_ops {
	/*
	 * Directories whose names are made up as they are asked for: a new reference, or ERR_PTR
	 * (-ENOENT). No lock held. NULL: the directory's entries are its dentries (tmpfs).
	 */
	struct inode *(*lookup)(struct inode *dir, const char *name);
	/* Directories that can be written to: an inode for a new entry, not yet linked. ERR_PTR. */
	struct inode *(*new_inode)(struct inode *dir, u32 mode, u64 rdev, const char *symlink);
	/* Symlinks: writes the target (no 0 at the end), returns its length. */
	ssize_t (*readlink)(struct inode *inode, char *buf, size_t size);
	/*
	 * /proc/PID/exe, cwd, fd/N: goes straight to an open object instead of parsing text. A
	 * reference, or ERR_PTR; NULL method: an ordinary symlink.
	 */
	struct dentry *(*follow)(struct inode *inode);
	/* May the caller do this? NULL: the mode bits decide. mask as for inode_permission(). */
	int (*permission)(const struct inode *inode, int mask);
	/* May the size become this? 0 or -errno. Inode's lock held. NULL: yes. */
	int (*may_resize)(const struct inode *inode, u64 size);
	/* Refreshes what stat shows. May be NULL. */
	void (*getattr)(struct inode *inode);
	/*
	 * Last reference gone: frees what the filesystem attached. The inode itself is the VFS's to
	 * free.
	 */
	void (*release)(struct inode *inode);
};

struct file_ops {
	/* May replace file->ops and set file->private. 0 or -errno (then release is not called). */
	int (*open)(struct inode *inode, struct file *file);
	void (*release)(struct file *file);
	/* Sequential and positional I/O; *pos is moved by what was done. buf is a user address. */
	ssize_t (*read)(struct file *f, char __user *buf, size_t n, u64 *pos);
	ssize_t (*write)(struct file *f, const char __user *buf, size_t n, u64 *pos);
	/* The whole vector as one write; NULL: one write a segment. */
	ssize_t (*writev)(struct file *f, const struct iovec *iov, unsigned int nr, u64 *pos);
	/* From kernel memory, for sendfile() and copy_file_range(). NULL: they say -EINVAL. */
	ssize_t (*write_kernel)(struct file *f, const void *buf, size_t n, u64 *pos);
	/*
	 * Emits directory entries from *pos (and moves it); emit returns false when its buffer is
	 * full. "." and ".." are emitted by the method too. No lock but pos_lock is held.
	 */
	int (*readdir)(struct file *f, u64 *pos,
		       bool (*emit)(void *arg, const char *name, size_t len, u64 ino, u8 type,
				    u64 next),
		       void *arg);
	unsigned int (*poll)(struct file *f, struct poll_table *pt); /* POLL* bits ready now */
	long (*ioctl)(struct file *f, unsigned int cmd, unsigned long arg);
	int (*fallocate)(struct file *f, int mode, u64 off, u64 len);
	/* NULL: plain for files and directories, else -ESPIPE. */
	s64 (*llseek)(struct file *f, s64 off, int whence);
	/*
	 * /dev/zero, /dev/null: what mmap maps instead. 0 and *anonymous, or -ENODEV. NULL: the
	 * page cache, if any.
	 */
	int (*mmap)(struct file *f, bool *anonymous);
};

/* The names in a directory of dentries. */
struct dir_entries {
	struct rb_root by_name; /* [d] dentry->name_node, ordered by hash, then name */
	struct rb_root by_seq;	/* [d] dentry->seq_node: the order of creation, for readdir */
	u64 next_seq;		/* [d] */
	unsigned int count;	/* [d] */
};

struct inode {
	u64 ino;			  /* [I] */
	u32 mode;			  /* [i] type and permissions */
	u32 nlink;			  /* [d] */
	u32 uid, gid;			  /* [i] */
	u64 rdev;			  /* [I] */
	u64 dev;			  /* [I] */
	u64 atime_ns, mtime_ns, ctime_ns; /* written without a lock: any writer's value will do */
	refcount_t refs;		  /* [A] */
	struct mutex lock;		  /* size, contents, attributes */
	const struct inode_ops *ops;	  /* [I] */
	const struct file_ops *fops;	  /* [I] */
	union {
		struct mapping mapping; /* regular files of tmpfs: data */
		struct dir_entries dir; /* directories without a lookup method */
		char *link;		/* symlinks of tmpfs: [I] the text */
		struct pipe *pipe;	/* FIFOs and pipes: [i] while someone has it open */
	};
	bool has_mapping;	  /* [I] mapping is in use: the file can be mapped */
	bool linkable;		  /* [d] O_TMPFILE: may get its first name from linkat() */
	bool shm;		  /* [I] seals apply: tmpfs and memfd */
	unsigned int seals;	  /* [i] F_SEAL_* */
	struct file_locks *locks; /* [A] record locks: fs/locks.c; made at first use */
	void *private;		  /* the filesystem's */
};

#define DENTRY_INLINE_NAME 32

struct dentry {
	struct dentry *parent; /* [d] one reference; itself at the root of a mount or of nothing */
	struct inode *inode;   /* [I] one reference */
	refcount_t refs;       /* [A] one of them is the directory's while the name exists */
	u32 hash;	       /* [d] of name */
	u8 name_len;	       /* [d] */
	bool linked;	       /* [d] in its parent's directory */
	bool unlinked;	       /* [d] shown as " (deleted)" */
	bool anonymous;	       /* [I] never had a parent */
	struct rb_node name_node, seq_node; /* [d] in parent->inode->dir */
	u64 seq;			    /* [d] */
	struct mount *mount;		    /* [I] NULL when anonymous */
	struct mount *covered_by;	    /* [d] a mount on top of this directory */
	const char *name;		    /* [d] */
	char inline_name[DENTRY_INLINE_NAME];
};

/* One filesystem tree in its place. */
struct mount {
	struct list_head node; /* [d] in order of mounting */
	struct dentry *root;   /* [I] one reference */
	/* [d] the directory it covers, one reference; NULL: the root, or detached */
	struct dentry *on;
	const char *fstype;  /* [I] */
	unsigned long flags; /* [d] MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC */
	/* [A] open files, working directories, mounts on top; one for being attached */
	refcount_t users;
	char source[32]; /* [I] */
};

/* file->mode */
#define FMODE_READ 1u
#define FMODE_WRITE 2u
#define FMODE_PATH 4u	 /* O_PATH: a name, no data */
#define FMODE_POS 8u	 /* has a position that read() and write() move */
#define FMODE_STREAM 16u /* pread(), lseek() make no sense: -ESPIPE */

struct file {
	refcount_t refs;
	unsigned int mode;	    /* [I] FMODE_* */
	unsigned int flags;	    /* [A] O_* access mode and status */
	struct dentry *dentry;	    /* [I] one reference; its inode is file->inode */
	struct inode *inode;	    /* [I] */
	const struct file_ops *ops; /* [I] */
	struct mapping
		*mapping; /* [I] its page cache, if any: the inode's, or its block device's */
	u64 pos;	  /* [p] */
	struct mutex pos_lock;
	struct file_ra ra; /* a file with a backing store: where it is read */
	u32 write_error;   /* [A] of its mapping, as far as this file was told */
	void *private;	   /* the opener's */
};

extern spinlock_t dcache_lock;

void vfs_init(void);

/* ---- paths: fs/namei.c. dirfd as in openat; every returned dentry or file is a reference ---- */
enum { LOOKUP_FOLLOW = 1, LOOKUP_DIRECTORY = 2, LOOKUP_EMPTY = 4 };
struct dentry *path_lookup(int dirfd, const char *path, unsigned int flags);	  /* ERR_PTR */
struct file *vfs_open(int dirfd, const char *path, unsigned int flags, u32 mode); /* ERR_PTR */
/*
 * Opens what d names without asking for permission (exec has asked for its own). Takes a reference
 * to d. ERR_PTR.
 */
struct file *file_open_dentry(struct dentry *d, unsigned int flags);
/*
 * A copy of a user's path in kernel memory: free with path_put_user(). ERR_PTR(-EFAULT,
 * -ENAMETOOLONG, -ENOMEM, -ENOENT when empty unless allowed).
 */
char *path_get_user(const char __user *path, bool empty_ok);
void path_put_user(char *path);
/*
 * The absolute path as text, " (deleted)" appended when unlinked. Returns a pointer into buf, or
 * ERR_PTR(-ENAMETOOLONG).
 */
char *dentry_path(struct dentry *d, char *buf, size_t size);
void dentry_get(struct dentry *d);
void dentry_put(struct dentry *d);
void inode_get(struct inode *i);
void inode_put(struct inode *i);
/*
 * mask: 4 read, 2 write, 1 execute; with the caller's fsuid/fsgid and capabilities. 0 or -EACCES.
 */
int inode_permission(const struct inode *i, int mask);

/* ---- files ---- */
void file_get(struct file *f);
void file_put(struct file *f);
/*
 * A file without a name in the tree: pipes and the like; name is what /proc/PID/fd/N shows, e.g.
 * "pipe:[7]". Takes over the inode reference (on failure too). ERR_PTR.
 */
struct file *file_alloc_anon(struct inode *inode, const char *name, unsigned int flags);
/* Read at pos into kernel memory, for exec. Bytes read (short only at end of file) or -errno. */
ssize_t kernel_read(struct file *f, void *buf, size_t n, u64 pos);
/* Owner and group have ids in this user namespace. */
bool inode_ids_mapped(const struct inode *i, const struct user_namespace *ns);
int vfs_truncate(struct inode *i, u64 size);
/*
 * A fresh inode with defaults filled in (refs 1, nlink 1, times now, caller's fsuid, next ino).
 * NULL: no memory.
 */
struct inode *inode_alloc(u32 mode, const struct inode_ops *ops, const struct file_ops *fops);
/* Bytes in the file, as stat shows them. */
u64 inode_size(const struct inode *i);
/* The mount that a file or directory belongs to forbids execution. */
bool dentry_noexec(const struct dentry *d);

/* ---- poll ---- */
/*
 * A file's poll method calls this for each queue that will be woken when its state changes. pt may
 * be NULL.
 */
void poll_wait(struct poll_table *pt, struct wait_queue *q);

/* ---- the file table of a task: kernel/files.c ---- */
struct files *files_alloc(void);
struct files *files_dup(struct files *f); /* fork: a copy. NULL: no memory */
void files_get(struct files *f);
void files_put(struct files *f);
/* execve: an unshared table is the caller's, closes the FD_CLOEXEC ones. */
void files_close_on_exec(struct files *f);
/* The caller's table is shared with other tasks: exec and unshare copy it first. */
bool files_shared(struct files *f);
/* The open file with a reference, or NULL (also for O_PATH files: fd_get_path() returns those). */
struct file *fd_get(int fd);
struct file *fd_get_path(int fd);
/*
 * The lowest free descriptor >= from; takes over the file reference on success. fd or -EMFILE,
 * -ENOMEM.
 */
int fd_install(struct file *f, int from, bool cloexec);
/* For /proc/PID/fd: the file with a reference or NULL. files->lock is taken, inside tasklist_lock. */
struct file *files_lookup(struct files *files, int fd);
/* One past the highest descriptor number that may be open. */
int files_max(struct files *files);

/* ---- cwd, root, umask ---- */
struct fs_context {
	refcount_t refs;
	struct dentry *root, *cwd; /* [d] a reference and a mount user each */
	u32 umask;		   /* [A] */
};
struct fs_context *fs_context_alloc(void); /* root and cwd at / */
struct fs_context *fs_context_dup(struct fs_context *fs);
void fs_context_get(struct fs_context *fs);
void fs_context_put(struct fs_context *fs);
/* Its root is not that of the tree of mounts. */
bool fs_context_chrooted(const struct fs_context *fs);
/* The root or working directory with a reference, for /proc/PID. */
struct dentry *fs_context_root(struct fs_context *fs);
struct dentry *fs_context_cwd(struct fs_context *fs);

/* ---- filesystems ---- */
void tmpfs_init(void);	/* the root filesystem */
void devfs_init(void);	/* /dev */
void procfs_init(void); /* /proc */
#define TMPFS_NO_LIMIT (~0UL >> 1)
/* What mount options say of a tmpfs. */
struct tmpfs_options {
	unsigned long pages; /* that it may hold, or TMPFS_NO_LIMIT */
	u32 mode;	     /* of its root directory */
	enum shmem_huge huge;
};
/* The root directory of a new one. NULL: no memory. */
struct inode *tmpfs_new_root(const struct tmpfs_options *o);
/* What it has now, and other values for all but the mode. -EINVAL: it holds more pages, or had no limit. */
struct tmpfs_options tmpfs_get_options(const struct inode *root);
int tmpfs_change_options(struct inode *root, const struct tmpfs_options *o);
/* Unpacks a newc cpio archive into the root. 0; at the first entry that is damaged -EINVAL, that cannot be made why not. */
int initramfs_unpack(const void *data, size_t len);
/* Directory operations at boot: 0 or -errno. */
int vfs_mkdir(const char *path, u32 mode);
int vfs_mknod(const char *path, u32 mode, u64 rdev);
/*
 * Puts a filesystem's root over an existing directory; takes over the inode reference. fstype must
 * stay valid.
 */
int vfs_mount(const char *path, struct inode *root, const char *fstype);
/* Calls fn for each mount in order, for /proc/mounts. options: "rw,relatime" and the like. */
void mount_for_each(void (*fn)(void *arg, const char *source, const char *path, const char *fstype,
			       const char *options),
		    void *arg);

/* Character devices by number, filled by drivers/ and fs/devfs.c (which keeps the list). */
void chrdev_register(u64 rdev, const char *name, u32 mode, const struct file_ops *ops);
/* What opening such a device does. NULL: no such device. */
const struct file_ops *chrdev_fops(u64 rdev);

/* A node in /dev for a new block device: at boot. */
void devfs_add_block(const char *name, u64 rdev);

/* Linux's internal form as the first 32 bits of stat's: 12 bits of major, 20 of minor. */
#define MKDEV(major, minor)                                                                        \
	((((u64)(minor)) & 0xff) | (((u64)(major)) << 8) | ((((u64)(minor)) & ~0xffULL) << 12))
#define MAJOR(dev) ((unsigned int)(((dev) >> 8) & 0xfff))
#define MINOR(dev) ((unsigned int)(((dev)&0xff) | (((dev) >> 12) & ~0xffU)))

#endif
