/* SPDX-License-Identifier: MIT
 *
 * Files of one 64-bit word a page: /proc/PID/pagemap by virtual page, /proc/kpageflags and kpagecount by
 * frame. Bits as in proc(5) and Linux's admin-guide/mm/pagemap; mm/ makes the words.
 */
#include <arch/setup.h>
#include <arch/uaccess.h>
#include <fs/procfs/internal.h>
#include <kern/err.h>
#include <kernel/signal.h>
#include <mm/mm.h>
#include <mm/page_alloc.h>

#define CHUNK 128 /* words made at a time */
#define WORD sizeof(u64)
#define KPF_NOPAGE (1ULL << 20)

typedef void (*words_fn)(void *arg, unsigned long index, unsigned long n, u64 *out);

/* Words [*pos / 8, limit). -EINVAL when position or length is not a multiple of 8. */
static ssize_t read_words(char __user *buf, size_t n, u64 *pos, unsigned long limit, words_fn fn,
			  void *arg)
{
	size_t done = 0;

	if (*pos % WORD || n % WORD)
		return -EINVAL;
	while (done < n && *pos / WORD < limit) {
		u64 words[CHUNK];
		unsigned long index = *pos / WORD;
		unsigned long count =
			min(min((unsigned long)CHUNK, (n - done) / WORD), limit - index);

		fn(arg, index, count, words);
		if (copy_to_user(buf + done, words, count * WORD))
			return done ? (ssize_t)done : -EFAULT;
		done += count * WORD;
		*pos += count * WORD;
		if (fatal_signal_pending(current))
			break;
		cond_resched();
	}
	return (ssize_t)done;
}

struct pagemap_arg {
	struct mm *mm;
	bool show_pfn;
};

static void pagemap_words(void *arg, unsigned long index, unsigned long n, u64 *out)
{
	const struct pagemap_arg *a = arg;

	mm_pagemap(a->mm, index << PAGE_SHIFT, n, out, a->show_pfn);
}

/* Frame numbers are for those who opened the file with CAP_SYS_ADMIN. */
static int pagemap_open(struct inode *inode, struct file *f)
{
	struct task *t = proc_node(inode)->task;

	if (!proc_may_inspect(t))
		return -EACCES;
	f->private = capable(CAP_SYS_ADMIN) ? f : NULL;
	return READ_ONCE(t->mm) ? 0 : -ESRCH;
}

static ssize_t pagemap_read(struct file *f, char __user *buf, size_t n, u64 *pos)
{
	struct pagemap_arg a = { proc_get_mm(proc_node(f->inode)), f->private != NULL };
	ssize_t ret;

	if (!a.mm)
		return 0;
	ret = read_words(buf, n, pos, TASK_SIZE >> PAGE_SHIFT, pagemap_words, &a);
	mm_put(a.mm);
	return ret;
}

const struct file_ops pagemap_fops = { .open = pagemap_open, .read = pagemap_read };

static void kpageflags_words(void *arg __maybe_unused, unsigned long index, unsigned long n,
			     u64 *out)
{
	for (unsigned long i = 0; i < n; i++)
		out[i] = arch_pfn_valid(index + i) ? page_kpageflags(index + i) : KPF_NOPAGE;
}

static void kpagecount_words(void *arg __maybe_unused, unsigned long index, unsigned long n,
			     u64 *out)
{
	for (unsigned long i = 0; i < n; i++)
		out[i] = arch_pfn_valid(index + i) ? page_kpagecount(index + i) : 0;
}

static ssize_t kpageflags_read(struct file *f __maybe_unused, char __user *buf, size_t n, u64 *pos)
{
	return read_words(buf, n, pos, max_pfn(), kpageflags_words, NULL);
}

static ssize_t kpagecount_read(struct file *f __maybe_unused, char __user *buf, size_t n, u64 *pos)
{
	return read_words(buf, n, pos, max_pfn(), kpagecount_words, NULL);
}

const struct file_ops kpageflags_fops = { .read = kpageflags_read };
const struct file_ops kpagecount_fops = { .read = kpagecount_read };
