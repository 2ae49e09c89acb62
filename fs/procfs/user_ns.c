/* SPDX-License-Identifier: MIT
 *
 * /proc/PID/uid_map, gid_map and setgroups: about the user namespace that the process is in when the file is
 * opened. The opener's privileges count as well as the writer's, who may have been handed the file.
 */
#include <fs/procfs/internal.h>
#include <kern/err.h>
#include <kern/string.h>
#include <kernel/user_namespace.h>
#include <mm/slab.h>

static struct user_namespace *ns_of(const struct file *f)
{
	return ((const struct seq *)f->private)->ns;
}

static int ns_open(struct inode *inode, struct file *f)
{
	struct seq *s;
	int err = proc_text_open(inode, f);

	if (err)
		return err;
	s = f->private;
	s->ns = task_get_user_ns(proc_node(inode)->task);
	return 0;
}

static void ns_release(struct file *f)
{
	user_ns_put(ns_of(f));
	proc_text_release(f);
}

/* ---- maps ---- */

/* The right-hand ids are the reader's, or the parent's for who reads its own namespace's map. */
static void show_map(struct seq *s, const struct id_map *map,
		     u32 (*from_kernel)(const struct user_namespace *ns, u32 id))
{
	const struct user_namespace *reader = s->opener.user_ns;
	unsigned int nr = __atomic_load_n(&map->nr, __ATOMIC_ACQUIRE);

	if (reader == s->ns && reader->parent)
		reader = reader->parent;
	for (const struct id_extent *e = map->extents; e < map->extents + nr; e++)
		seq_printf(s, "%10u %10u %10u\n", e->first, from_kernel(reader, e->lower),
			   e->count);
}

int uid_map_show(struct seq *s)
{
	show_map(s, &s->ns->uid_map, from_kuid);
	return 0;
}

int gid_map_show(struct seq *s)
{
	show_map(s, &s->ns->gid_map, from_kgid);
	return 0;
}

static ssize_t write_map(struct file *f, bool gids, const char __user *buf, size_t n, u64 *pos)
{
	const struct seq *s = f->private;
	char *text;
	int err;

	if (!s->ns->parent)
		return -EPERM;
	if (*pos || n >= PAGE_SIZE)
		return -EINVAL;
	text = proc_copy_text(buf, n);
	if (IS_ERR(text))
		return PTR_ERR(text);
	err = user_ns_write_map(s->ns, gids, &s->opener, text);
	kfree(text);
	if (err)
		return err;
	*pos = n;
	return (ssize_t)n;
}

static ssize_t uid_map_write(struct file *f, const char __user *buf, size_t n, u64 *pos)
{
	return write_map(f, false, buf, n, pos);
}

static ssize_t gid_map_write(struct file *f, const char __user *buf, size_t n, u64 *pos)
{
	return write_map(f, true, buf, n, pos);
}

/* ---- setgroups ---- */

static int setgroups_open(struct inode *inode, struct file *f)
{
	int err = ns_open(inode, f);

	if (!err && (f->mode & FMODE_WRITE) && !ns_capable(ns_of(f), CAP_SYS_ADMIN)) {
		ns_release(f);
		err = -EACCES;
	}
	return err;
}

int setgroups_show(struct seq *s)
{
	seq_puts(s, READ_ONCE(s->ns->setgroups) ? "allow\n" : "deny\n");
	return 0;
}

/* The word, and nothing but blanks behind it. */
static bool is_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(text, word, len))
		return false;
	for (text += len; *text == ' ' || (*text >= '\t' && *text <= '\r'); text++)
		;
	return !*text;
}

static ssize_t setgroups_write(struct file *f, const char __user *buf, size_t n, u64 *pos)
{
	bool allow;
	char *text;
	int err;

	if (*pos || n >= 8)
		return -EINVAL;
	text = proc_copy_text(buf, n);
	if (IS_ERR(text))
		return PTR_ERR(text);
	allow = is_word(text, "allow");
	err = allow || is_word(text, "deny") ? user_ns_set_setgroups(ns_of(f), allow) : -EINVAL;
	kfree(text);
	if (err)
		return err;
	*pos = n;
	return (ssize_t)n;
}

const struct file_ops uid_map_fops = {
	.open = ns_open, .release = ns_release, .read = proc_text_read, .write = uid_map_write
};
const struct file_ops gid_map_fops = {
	.open = ns_open, .release = ns_release, .read = proc_text_read, .write = gid_map_write
};
const struct file_ops setgroups_fops = {
	.open = setgroups_open,
	.release = ns_release,
	.read = proc_text_read,
	.write = setgroups_write,
};
