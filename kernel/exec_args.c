/* SPDX-License-Identifier: MIT
 *
 * Arguments and environment of execve, kept in kernel pages while the old address space goes away.
 */
#include <arch/uaccess.h>
#include <kern/err.h>
#include <kern/string.h>
#include <kernel/exec.h>
#include <kernel/signal.h>
#include <mm/page_alloc.h>
#include <mm/slab.h>

/* Linux's limits: a string; all together a quarter of the stack limit, between these two. */
#define MAX_ARG_STRLEN (128UL << 10)
#define MIN_ARG_TOTAL (128UL << 10)
#define MAX_ARG_TOTAL (6UL << 20)

/* ---- the buffer ---- */

static void buffer_init(struct arg_buffer *b)
{
	b->pages = b->first;
	b->capacity = ARRAY_SIZE(b->first);
	b->nr_pages = 0;
	b->used = 0;
}

static void buffer_free(struct arg_buffer *b)
{
	unsigned int i;

	for (i = 0; i < b->nr_pages; i++)
		free_pages(virt_to_page(b->pages[i]), 0);
	if (b->pages != b->first)
		kfree(b->pages);
}

static int buffer_add_page(struct arg_buffer *b)
{
	struct page *page;
	char **larger;

	if (b->nr_pages == b->capacity) {
		larger = kmalloc(2 * b->capacity * sizeof(*larger), GFP_KERNEL);
		if (!larger)
			return -ENOMEM;
		memcpy(larger, b->pages, b->capacity * sizeof(*larger));
		if (b->pages != b->first)
			kfree(b->pages);
		b->pages = larger;
		b->capacity *= 2;
	}
	page = alloc_pages(GFP_KERNEL, 0);
	if (!page)
		return -ENOMEM;
	b->pages[b->nr_pages++] = page_address(page);
	return 0;
}

/* The place of the next byte, with *room bytes up to the end of its page. NULL: no memory. */
static char *buffer_tail(struct arg_buffer *b, size_t *room)
{
	size_t offset = b->used % PAGE_SIZE;

	if (b->used == (size_t)b->nr_pages * PAGE_SIZE && buffer_add_page(b))
		return NULL;
	*room = PAGE_SIZE - offset;
	return b->pages[b->used / PAGE_SIZE] + offset;
}

static int buffer_add_word(struct arg_buffer *b, u64 word)
{
	size_t room;
	char *p = buffer_tail(b, &room);

	if (!p)
		return -ENOMEM;
	memcpy(p, &word, sizeof(word));
	b->used += sizeof(word);
	return 0;
}

/* ---- strings ---- */

/* Where a string comes from: user or kernel memory. */
struct arg_source {
	const char __user *user;
	const char *kernel;
};

/* Like strncpy_from_user(). */
static ssize_t copy_piece(char *dst, const struct arg_source *src, size_t done, size_t room)
{
	size_t n;

	if (!src->kernel)
		return strncpy_from_user(dst, src->user + done, room);
	n = strnlen(src->kernel + done, room);
	memcpy(dst, src->kernel + done, min(n + 1, room));
	return (ssize_t)n;
}

static int add_string(struct exec_args *a, const struct arg_source *src)
{
	size_t done = 0, room;
	ssize_t n;

	if (buffer_add_word(&a->offsets, a->strings.used))
		return -ENOMEM;
	for (;;) {
		char *p = buffer_tail(&a->strings, &room);

		if (!p)
			return -ENOMEM;
		n = copy_piece(p, src, done, room);
		if (n < 0)
			return (int)n;
		if ((size_t)n < room)
			break;
		a->strings.used += room;
		done += room;
		if (done >= MAX_ARG_STRLEN)
			return -E2BIG;
	}
	a->strings.used += (size_t)n + 1;
	if (done + (size_t)n + 1 > MAX_ARG_STRLEN)
		return -E2BIG;
	if (a->strings.used + a->offsets.used > a->limit)
		return -E2BIG;
	return 0;
}

static int add_user_vector(struct exec_args *a, const u64 __user *vector, unsigned int *count)
{
	struct arg_source src = { 0 };
	u64 ptr;
	int err;

	if (!vector)
		return 0;
	for (;; vector++) {
		if (get_user_u64(&ptr, vector))
			return -EFAULT;
		if (!ptr)
			return 0;
		src.user = (const char __user *)ptr;
		err = add_string(a, &src);
		if (err)
			return err;
		++*count;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
}

static int add_kernel_string(struct exec_args *a, const char *s)
{
	struct arg_source src = { .kernel = s };

	return add_string(a, &src);
}

/* A program without argv[0] gets an empty one: many would read envp[0] in its place. */
static int add_missing_argv0(struct exec_args *a)
{
	int err;

	if (a->argc)
		return 0;
	err = add_kernel_string(a, "");
	if (!err)
		a->argc = 1;
	return err;
}

void exec_args_init(struct exec_args *a)
{
	u64 stack = READ_ONCE(current->process->rlimits[RLIMIT_STACK].rlim_cur);

	memset(a, 0, sizeof(*a));
	buffer_init(&a->strings);
	buffer_init(&a->offsets);
	a->limit = max(min(stack / 4, MAX_ARG_TOTAL), MIN_ARG_TOTAL);
}

void exec_args_free(struct exec_args *a)
{
	unsigned int i;

	buffer_free(&a->strings);
	buffer_free(&a->offsets);
	for (i = 0; i < a->nr_prefix; i++)
		kfree(a->prefix[i]);
}

int exec_args_from_user(struct exec_args *a, const u64 __user *argv, const u64 __user *envp)
{
	int err = add_user_vector(a, argv, &a->argc);

	if (!err)
		err = add_missing_argv0(a);
	return err ? err : add_user_vector(a, envp, &a->envc);
}

int exec_args_from_kernel(struct exec_args *a, const char *const *argv, const char *const *envp)
{
	int err = 0;

	for (; *argv && !err; argv++, a->argc++)
		err = add_kernel_string(a, *argv);
	if (!err)
		err = add_missing_argv0(a);
	for (; *envp && !err; envp++, a->envc++)
		err = add_kernel_string(a, *envp);
	return err;
}

/* ---- what a script puts in front ---- */

static char *copy_string(const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = kmalloc(n, GFP_KERNEL);

	if (copy)
		memcpy(copy, s, n);
	return copy;
}

static int push_front(struct exec_args *a, const char *s)
{
	char *copy;

	if (a->nr_prefix == MAX_PREFIX)
		return -ELOOP;
	copy = copy_string(s);
	if (!copy)
		return -ENOMEM;
	memmove(a->prefix + 1, a->prefix, a->nr_prefix * sizeof(a->prefix[0]));
	a->prefix[0] = copy;
	a->nr_prefix++;
	return 0;
}

int exec_args_prepend(struct exec_args *a, const char *interp, const char *arg, const char *script)
{
	int err;

	/* argv[0] goes: the caller's, or the name of the script that is an interpreter itself. */
	if (a->nr_prefix) {
		kfree(a->prefix[0]);
		a->nr_prefix--;
		memmove(a->prefix, a->prefix + 1, a->nr_prefix * sizeof(a->prefix[0]));
	} else {
		a->skip_argv0 = true;
	}
	err = push_front(a, script);
	if (!err && arg)
		err = push_front(a, arg);
	return err ? err : push_front(a, interp);
}

unsigned int exec_args_argc(const struct exec_args *a)
{
	return a->argc - a->skip_argv0 + a->nr_prefix;
}
