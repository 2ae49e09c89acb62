/* SPDX-License-Identifier: MIT
 *
 * fsync() and its relatives, and what programs tell about how they read: fadvise(), readahead(). Block devices have
 * something behind them (mm/writeback.c). tmpfs has not: what has been written is as safe as it will ever be, and
 * these calls only check their arguments.
 */
#include <fs/internal.h>
#include <kernel/syscall.h>
#include <mm/writeback.h>

#define SYNC_FILE_RANGE_WAIT_BEFORE 1u
#define SYNC_FILE_RANGE_WRITE 2u
#define SYNC_FILE_RANGE_WAIT_AFTER 4u

static bool has_store(const struct file *f)
{
	return f->mapping && (f->mapping->flags & MAPPING_WRITEBACK);
}

/* Files and directories can be synchronised, pipes and other devices cannot. */
static bool can_sync(const struct file *f)
{
	return has_store(f) || S_ISREG(f->inode->mode) || S_ISDIR(f->inode->mode);
}

int file_sync_range(struct file *f, u64 start, u64 end)
{
	if (has_store(f))
		return filemap_sync(f->mapping, start, end, &f->write_error);
	return can_sync(f) ? 0 : -EINVAL;
}

static int sync_fd(int fd)
{
	struct file *f = fd_get(fd);
	int err;

	if (!f)
		return -EBADF;
	err = file_sync_range(f, 0, MAX_FILE_SIZE);
	file_put(f);
	return err;
}

SYSCALL_DEFINE1(fsync, int, fd)
{
	return sync_fd(fd);
}

/* There is no metadata to leave out. */
SYSCALL_DEFINE1(fdatasync, int, fd)
{
	return sync_fd(fd);
}

SYSCALL_DEFINE0(sync)
{
	writeback_sync_all(true);
	return 0;
}

SYSCALL_DEFINE1(syncfs, int, fd)
{
	struct file *f = fd_get(fd);
	int err = 0;

	if (!f)
		return -EBADF;
	if (has_store(f))
		err = file_sync_range(f, 0, MAX_FILE_SIZE);
	file_put(f);
	return err;
}

/* Offset and length as most of these calls take them: length 0 is all the rest. False: out of range. */
static bool byte_range(s64 off, s64 n, u64 *end)
{
	if (off < 0 || n < 0 || n > (s64)MAX_FILE_SIZE - off)
		return false;
	*end = n ? (u64)(off + n) : MAX_FILE_SIZE;
	return true;
}

/* Starts and waits, but the device's cache is not flushed. */
static int sync_range(struct file *f, u64 start, u64 end, unsigned int flags)
{
	unsigned long first = start >> PAGE_SHIFT, last = (end - 1) >> PAGE_SHIFT;
	struct mapping *m = f->mapping;

	if (flags & SYNC_FILE_RANGE_WAIT_BEFORE)
		filemap_wait_writeback(m, first, last);
	if (flags & SYNC_FILE_RANGE_WRITE)
		filemap_writeback(m, first, last, false);
	if (flags & SYNC_FILE_RANGE_WAIT_AFTER)
		filemap_wait_writeback(m, first, last);
	if (flags & (SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER))
		return mapping_check_error(m, &f->write_error);
	return 0;
}

SYSCALL_DEFINE4(sync_file_range, int, fd, s64, off, s64, n, unsigned int, flags)
{
	struct file *f = fd_get(fd);
	int err = 0;
	u64 end;

	if (!f)
		return -EBADF;
	if ((flags & ~7U) || !byte_range(off, n, &end))
		err = -EINVAL;
	else if (!can_sync(f))
		err = -ESPIPE;
	else if (has_store(f))
		err = sync_range(f, (u64)off, end, flags);
	file_put(f);
	return err;
}

/* ---- reading ---- */

/* Only pages that the range covers completely are dropped; they are written first, without waiting for it. */
static void dont_need(struct mapping *m, u64 start, u64 end)
{
	unsigned long first = PAGE_ALIGN(start) >> PAGE_SHIFT, after = end >> PAGE_SHIFT;

	if (start >= end)
		return;
	filemap_writeback(m, start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT, false);
	if (end >= READ_ONCE(m->size))
		after = ~0UL >> PAGE_SHIFT;
	if (first < after)
		(void)filemap_drop_clean(m, first, after - 1);
}

static void will_need(struct mapping *m, u64 start, u64 end)
{
	unsigned long first = start >> PAGE_SHIFT;

	if (start < end)
		filemap_willneed(m, first, ((end - 1) >> PAGE_SHIFT) - first + 1);
}

static void advise(struct file *f, u64 start, u64 end, int advice)
{
	switch (advice) {
	case POSIX_FADV_NORMAL:
		WRITE_ONCE(f->ra.how, RA_NORMAL);
		break;
	case POSIX_FADV_RANDOM:
		WRITE_ONCE(f->ra.how, RA_RANDOM);
		break;
	case POSIX_FADV_SEQUENTIAL:
		WRITE_ONCE(f->ra.how, RA_SEQUENTIAL);
		break;
	case POSIX_FADV_WILLNEED:
		will_need(f->mapping, start, end);
		break;
	case POSIX_FADV_DONTNEED:
		dont_need(f->mapping, start, end);
		break;
	}
}

SYSCALL_DEFINE4(fadvise64, int, fd, s64, off, s64, n, int, advice)
{
	struct file *f = fd_get(fd);
	u64 end;
	int err = 0;

	if (!f)
		return -EBADF;
	if (S_ISFIFO(f->inode->mode))
		err = -ESPIPE;
	else if (n < 0 || advice < POSIX_FADV_NORMAL || advice > POSIX_FADV_NOREUSE)
		err = -EINVAL;
	else if (has_store(f))
		/* A range that ends beyond all files is one up to the end, as in Linux. */
		advise(f, (u64)off, byte_range(off, n, &end) ? end : MAX_FILE_SIZE, advice);
	file_put(f);
	return err;
}

SYSCALL_DEFINE3(readahead, int, fd, s64, off, size_t, n)
{
	struct file *f = fd_get(fd);
	int err = 0;

	if (!f)
		return -EBADF;
	if (!(f->mode & FMODE_READ))
		err = -EBADF;
	else if (!f->mapping)
		err = -EINVAL;
	else if (has_store(f) && off >= 0)
		will_need(f->mapping, (u64)off,
			  n < MAX_FILE_SIZE - (u64)off ? (u64)off + n : MAX_FILE_SIZE);
	file_put(f);
	return err;
}
