/* SPDX-License-Identifier: MIT
 *
 * A parser of cpio archives in the "newc" format (070701, and 070702 with checksums), as used for
 * initial RAM filesystems. It depends on nothing but memory and string functions, so the host
 * fuzzes it.
 */
#ifndef FS_CPIO_H
#define FS_CPIO_H

#include <kern/types.h>

struct cpio_entry {
	/* 0-terminated, inside the archive; relative, no "..", may contain "." and "//" */
	const char *name;
	const void *data; /* inside the archive: contents, or a symlink's text (not 0-terminated) */
	size_t size;
	u32 mode; /* type and permissions */
	u32 uid, gid;
	u32 mtime; /* seconds since 1970 */
	u64 rdev;  /* as in stat */
	u32 nlink;
	/* With nlink > 1: entries that agree in these are one file. */
	u32 ino, dev_major, dev_minor;
};

struct cpio_ops {
	/* One entry. 0, or -errno to stop. */
	int (*entry)(void *arg, const struct cpio_entry *e);
};

/*
 * Calls ops->entry for each member, in order. Several archives may follow each other, padded with
 * zeroes. 0, what entry returned, or -EINVAL: something is damaged (entries before it were
 * delivered): cut off, no magic, a field that is no hexadecimal number, a name that is empty, too
 * long, absolute, contains ".." or is not terminated, data beyond the end, an unknown type, no
 * trailer.
 */
int cpio_parse(const void *data, size_t len, const struct cpio_ops *ops, void *arg);

#endif
