/* SPDX-License-Identifier: MIT
 *
 * A process's memory as files: /proc/PID/mem at any address, cmdline, environ and auxv at known ones.
 * Pages are reached one at a time through mm_get_page(), so nothing is locked while data is copied.
 */
#include <arch/uaccess.h>
#include <fs/procfs/internal.h>
#include <kern/err.h>
#include <kern/string.h>
#include <kernel/signal.h>
#include <mm/mm.h>
#include <uapi/auxvec.h>

/* Copies between the caller's buffer and mm, from addr up to end. Bytes done; -EIO when none could be. */
static ssize_t copy_mem(struct mm *mm, unsigned long addr, unsigned long end, char __user *buf,
			size_t n, bool write, bool force)
{
	size_t done = 0;

	n = addr < end ? min(n, end - addr) : 0;
	while (done < n) {
		unsigned long at = addr + done;
		size_t chunk = min(n - done, PAGE_SIZE - at % PAGE_SIZE);
		struct page *page;
		size_t left;
		char *data;

		page = mm_get_page(mm, at & PAGE_MASK, write, force);
		if (IS_ERR(page))
			return done ? (ssize_t)done : -EIO;
		data = (char *)page_address(page) + at % PAGE_SIZE;
		left = write ? copy_from_user(data, buf + done, chunk)
			     : copy_to_user(buf + done, data, chunk);
		if (write)
			folio_mark_dirty_lock(page_folio(page));
		mm_put_page(page);
		done += chunk - left;
		if (left)
			return done ? (ssize_t)done : -EFAULT;
		if (fatal_signal_pending(current))
			break;
		cond_resched();
	}
	return (ssize_t)done;
}

/* ---- mem ---- */

static int guarded_open(struct inode *inode, struct file *f __maybe_unused)
{
	struct task *t = proc_node(inode)->task;

	if (!proc_may_inspect(t))
		return -EACCES;
	return READ_ONCE(t->mm) ? 0 : -ESRCH;
}

static ssize_t mem_access(struct file *f, char __user *buf, size_t n, u64 *pos, bool write)
{
	const struct proc_node *node = proc_node(f->inode);
	struct mm *mm;
	ssize_t ret;

	/* The process may have changed its user since the file was opened. */
	if (!proc_may_inspect(node->task))
		return -EACCES;
	mm = proc_get_mm(node);
	if (!mm)
		return 0;
	if (n && *pos >= TASK_SIZE)
		ret = -EIO;
	else
		ret = copy_mem(mm, *pos, TASK_SIZE, buf, n, write, true);
	mm_put(mm);
	if (ret > 0)
		*pos += (size_t)ret;
	return ret;
}

static ssize_t mem_read(struct file *f, char __user *buf, size_t n, u64 *pos)
{
	return mem_access(f, buf, n, pos, false);
}

static ssize_t mem_write(struct file *f, const char __user *buf, size_t n, u64 *pos)
{
	return mem_access(f, (char __user *)buf, n, pos, true);
}

/* Positions are addresses: all 64 bits of them. */
static s64 mem_llseek(struct file *f, s64 off, int whence)
{
	if (whence == 1)
		off += (s64)f->pos;
	else if (whence != 0)
		return -EINVAL;
	f->pos = (u64)off;
	return off;
}

const struct file_ops mem_fops = {
	.open = guarded_open, .read = mem_read, .write = mem_write, .llseek = mem_llseek
};

/* ---- cmdline, environ ---- */

static ssize_t read_range(struct file *f, char __user *buf, size_t n, u64 *pos, bool environ)
{
	struct mm *mm = proc_get_mm(proc_node(f->inode));
	unsigned long start, end;
	ssize_t ret = 0;

	if (!mm)
		return 0;
	start = environ ? mm->env_start : mm->arg_start;
	end = environ ? mm->env_end : mm->arg_end;
	if (end > start && *pos < end - start)
		ret = copy_mem(mm, start + *pos, end, buf, n, false, false);
	mm_put(mm);
	if (ret > 0)
		*pos += (size_t)ret;
	return ret;
}

static ssize_t cmdline_read(struct file *f, char __user *buf, size_t n, u64 *pos)
{
	ssize_t ret = read_range(f, buf, n, pos, false);

	return ret == -EIO ? 0 : ret; /* the program unmapped them */
}

static ssize_t environ_read(struct file *f, char __user *buf, size_t n, u64 *pos)
{
	return read_range(f, buf, n, pos, true);
}

const struct file_ops cmdline_fops = { .read = cmdline_read };
const struct file_ops environ_fops = { .open = guarded_open, .read = environ_read };

/* ---- auxv ---- */

static ssize_t auxv_read(struct file *f, char __user *buf, size_t n, u64 *pos)
{
	struct mm *mm = proc_get_mm(proc_node(f->inode));
	size_t words = 0, size;
	ssize_t ret = 0;

	if (!mm)
		return 0;
	do
		words += 2;
	while (words < ARRAY_SIZE(mm->saved_auxv) && mm->saved_auxv[words - 2] != AT_NULL);
	size = words * sizeof(mm->saved_auxv[0]);
	if (*pos < size) {
		n = min(n, size - (size_t)*pos);
		ret = (ssize_t)n;
		if (copy_to_user(buf, (const char *)mm->saved_auxv + *pos, n))
			ret = -EFAULT;
		else
			*pos += n;
	}
	mm_put(mm);
	return ret;
}

const struct file_ops auxv_fops = { .open = guarded_open, .read = auxv_read };
