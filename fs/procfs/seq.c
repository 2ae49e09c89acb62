/* SPDX-License-Identifier: MIT
 *
 * Generated text. A file's text is a sequence of records; the buffer holds the batch that is being read, and
 * the cursor says where the next one begins in the source's own terms (for maps: an address). So
 * a reader with a small buffer sees each record whole and once, whatever changes in between, and no lock
 * of the source is held while text is copied to the reader. Reading from elsewhere than where the
 * last read stopped generates the text again from the start.
 */
#include <arch/uaccess.h>
#include <fs/procfs/internal.h>
#include <kern/err.h>
#include <kern/printf.h>
#include <kern/string.h>
#include <kernel/signal.h>
#include <kernel/user_namespace.h>
#include <mm/slab.h>
#include <stdarg.h>

#define FIRST_SIZE PAGE_SIZE
#define MAX_SIZE (1UL << 20) /* a record longer than that is an error */

/* ---- printing ---- */

void seq_printf(struct seq *s, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = (size_t)vsnprintf(s->buf + s->len, s->size - s->len, fmt, ap);
	va_end(ap);
	if (n >= s->size - s->len)
		s->overflow = true;
	else
		s->len += n;
}

static void put_bytes(struct seq *s, const char *text, size_t n)
{
	if (n >= s->size - s->len) {
		s->overflow = true;
		return;
	}
	memcpy(s->buf + s->len, text, n);
	s->len += n;
}

void seq_puts(struct seq *s, const char *text)
{
	put_bytes(s, text, strlen(text));
}

void seq_putc(struct seq *s, char c)
{
	put_bytes(s, &c, 1);
}

void seq_hex(struct seq *s, unsigned long v, unsigned int width)
{
	char text[16];
	unsigned int n = 0;

	do
		text[sizeof(text) - ++n] = "0123456789abcdef"[v & 15];
	while ((v >>= 4));
	while (n < width)
		text[sizeof(text) - ++n] = '0';
	put_bytes(s, text + sizeof(text) - n, n);
}

void seq_dec(struct seq *s, unsigned long v, unsigned int width)
{
	char text[24];
	unsigned int n = 0;

	do
		text[sizeof(text) - ++n] = (char)('0' + v % 10);
	while ((v /= 10));
	while (n < width)
		text[sizeof(text) - ++n] = ' ';
	put_bytes(s, text + sizeof(text) - n, n);
}

void seq_kb(struct seq *s, const char *label, unsigned long kb)
{
	seq_puts(s, label);
	seq_dec(s, kb, 8);
	put_bytes(s, " kB\n", 4);
}

void seq_pad(struct seq *s, size_t line, size_t column)
{
	while (s->len - line < column && !s->overflow)
		seq_putc(s, ' ');
}

static void put_escaped_char(struct seq *s, char c)
{
	char text[4] = { '\\', (char)('0' + ((u8)c >> 6)), (char)('0' + ((u8)c >> 3 & 7)),
			 (char)('0' + (c & 7)) };

	put_bytes(s, text, sizeof(text));
}

void seq_escaped(struct seq *s, const char *text, const char *escape)
{
	for (; *text; text++) {
		if (strchr(escape, *text))
			put_escaped_char(s, *text);
		else
			seq_putc(s, *text);
	}
}

/*
 * The path is made at the end of the free space and moved to its front; it fits only when the two do not
 * meet while characters are escaped.
 */
void seq_path(struct seq *s, struct dentry *d, const char *escape)
{
	const char *path = dentry_path(d, s->buf + s->len, s->size - s->len);

	if (IS_ERR(path)) {
		s->overflow = true;
		return;
	}
	while (*path && !s->overflow) {
		char c = *path++;

		if (s->buf + s->len + 4 > path && strchr(escape, c))
			s->overflow = true;
		else if (strchr(escape, c))
			put_escaped_char(s, c);
		else
			s->buf[s->len++] = c;
	}
}

/* ---- batches ---- */

static int grow(struct seq *s)
{
	size_t size = s->buf ? s->size * 2 : FIRST_SIZE;
	char *buf = size <= MAX_SIZE ? kmalloc(size, GFP_KERNEL) : NULL;

	if (!buf)
		return -ENOMEM;
	kfree(s->buf);
	s->buf = buf;
	s->size = size;
	return 0;
}

/* One record that is the whole file. */
static int show_next(struct seq *s)
{
	int ret;

	if (s->cursor)
		return 0;
	s->cursor = 1;
	ret = s->node->entry->show(s);
	return ret ? ret : 1;
}

static const struct seq_source show_source = { .next = show_next };

/* Fills the empty buffer. 1: something is in it; 0: the end; or -errno. *full: the first record needs more room. */
static int fill_once(struct seq *s, const struct seq_source *src, bool *full)
{
	int ret = src->start ? src->start(s) : 0;

	*full = false;
	if (ret)
		return ret > 0 ? 0 : ret;
	for (;;) {
		size_t before = s->len;
		u64 cursor = s->cursor;

		s->overflow = false;
		ret = src->next(s);
		if (s->overflow) {
			s->len = before;
			s->cursor = cursor;
			*full = before == 0;
			break;
		}
		if (ret <= 0 || s->size - s->len <= src->usual)
			break;
	}
	if (src->stop)
		src->stop(s);
	return s->len ? 1 : ret;
}

static int fill(struct seq *s)
{
	const struct proc_entry *e = s->node->entry;
	const struct seq_source *src = e->source ? e->source : &show_source;
	bool full = !s->buf;
	int ret;

	s->len = s->taken = 0;
	do {
		if (full && grow(s))
			return -ENOMEM;
		ret = fill_once(s, src, &full);
	} while (full);
	return ret;
}

static void rewind(struct seq *s)
{
	s->len = s->taken = 0;
	s->cursor = 0;
	s->pos = 0;
}

/* Generates and drops text up to file position pos. 1, 0 when the text ends before, or -errno. */
static int skip_to(struct seq *s, u64 pos)
{
	rewind(s);
	while (s->pos < pos) {
		size_t n;
		int ret;

		if (s->taken == s->len) {
			if (signal_pending(current))
				return -EINTR;
			ret = fill(s);
			if (ret <= 0)
				return ret;
		}
		n = (size_t)min((u64)(s->len - s->taken), pos - s->pos);
		s->taken += n;
		s->pos += n;
	}
	return 1;
}

/* Copies what the buffer has, n bytes at most. Bytes copied, or -EFAULT. */
static ssize_t copy_out(struct seq *s, char __user *buf, size_t n)
{
	size_t chunk = min(n, s->len - s->taken);
	size_t left = copy_to_user(buf, s->buf + s->taken, chunk);

	s->taken += chunk - left;
	s->pos += chunk - left;
	return left < chunk || !left ? (ssize_t)(chunk - left) : -EFAULT;
}

/*
 * What is left of a batch and the next one; not more, however large the reader's buffer: that bounds the call, and
 * programs that stop at the first short read (stress-ng --madvise) would otherwise get the whole file.
 */
static ssize_t seq_read_locked(struct seq *s, char __user *buf, size_t n, u64 *pos)
{
	ssize_t done, more;
	int ret = 1;

	if (*pos == 0)
		rewind(s);
	else if (*pos != s->pos)
		ret = skip_to(s, *pos);
	if (ret <= 0)
		return ret;
	done = copy_out(s, buf, n);
	if (done >= 0 && (size_t)done < n && s->taken == s->len) {
		ret = fill(s);
		more = ret > 0 ? copy_out(s, buf + done, n - (size_t)done) : ret;
		if (more > 0 || !done)
			done += more;
	}
	if (done > 0)
		*pos += (u64)done;
	return done;
}

ssize_t proc_text_read(struct file *f, char __user *buf, size_t n, u64 *pos)
{
	struct seq *s = f->private;
	ssize_t ret;

	if (mutex_lock_killable(&s->lock))
		return -EINTR;
	ret = seq_read_locked(s, buf, n, pos);
	mutex_unlock(&s->lock);
	return ret;
}

/* ---- files ---- */

int proc_text_open(struct inode *inode, struct file *f)
{
	const struct proc_node *node = proc_node(inode);
	struct seq *s;

	if (node->entry->guarded && !proc_may_inspect(node->task))
		return -EACCES;
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	mutex_init(&s->lock);
	s->node = node;
	s->opener = current->cred;
	user_ns_get(s->opener.user_ns);
	f->private = s;
	return 0;
}

void proc_text_release(struct file *f)
{
	struct seq *s = f->private;

	user_ns_put(s->opener.user_ns);
	kfree(s->buf);
	kfree(s);
}

char *proc_copy_text(const char __user *buf, size_t n)
{
	char *text = kmalloc(n + 1, GFP_KERNEL);

	if (!text)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(text, buf, n)) {
		kfree(text);
		return ERR_PTR(-EFAULT);
	}
	text[n] = 0;
	return text;
}

ssize_t proc_text_write(struct file *f, const char __user *buf, size_t n, u64 *pos)
{
	const struct proc_node *node = proc_node(f->inode);
	char *text;
	int ret;

	if (!node->entry->write)
		return node->task ? -EINVAL : -EIO;
	if (!n || *pos)
		return (ssize_t)n;
	if (n >= PAGE_SIZE)
		return -EINVAL;
	text = proc_copy_text(buf, n);
	if (IS_ERR(text))
		return PTR_ERR(text);
	ret = node->entry->write(node, text);
	kfree(text);
	if (ret)
		return ret;
	*pos += n;
	return (ssize_t)n;
}

const struct file_ops proc_text_fops = {
	.open = proc_text_open,
	.release = proc_text_release,
	.read = proc_text_read,
	.write = proc_text_write,
};
