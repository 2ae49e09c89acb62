/* SPDX-License-Identifier: MIT
 *
 * /sys/kernel/debug, as far as Linux's own tests use it: split_huge_pages.
 *
 *	PID,0xSTART,0xEND	splits the large folios that are mapped there
 *	/PATH,0xFIRST,0xEND	those of a file, by page offsets
 *
 * What cannot be split, because somebody just uses it, stays as it is. A fourth number, the order of the pieces, is 0 if
 * it is given; Linux also splits into larger ones. Nor is there Linux's lone 1, for all folios there are.
 */
#include <fs/internal.h>
#include <fs/procfs/internal.h>
#include <kern/err.h>
#include <kern/string.h>
#include <kernel/task.h>
#include <mm/mm.h>
#include <mm/thp.h>

/* Cuts the text at its first comma; what is behind it, or NULL. */
static char *cut(char *text)
{
	char *comma = text ? strchr(text, ',') : NULL;

	if (comma)
		*comma++ = 0;
	return comma;
}

static int parse(char *text, unsigned int base, unsigned long *n)
{
	return text ? kstrtoul(text, base, n) : -EINVAL;
}

static int split_process(unsigned long pid, unsigned long start, unsigned long end)
{
	struct task *t = NULL;
	struct mm *mm;

	spin_lock(&tasklist_lock);
	if (pid <= 0x7fffffff)
		t = task_find((int)pid);
	if (t)
		task_get(t);
	spin_unlock(&tasklist_lock);
	if (!t)
		return -ESRCH;
	mm = task_get_mm(t);
	task_put(t);
	if (!mm)
		return -EINVAL;
	mm_split_folios(mm, start & PAGE_MASK, end & PAGE_MASK);
	mm_put(mm);
	return 0;
}

static int split_file(const char *path, unsigned long first, unsigned long end)
{
	struct file *f = vfs_open(AT_FDCWD, path, O_RDONLY, 0);

	if (IS_ERR(f))
		return -EINVAL;
	if (f->inode->has_mapping)
		filemap_split_folios(&f->inode->mapping, first, end);
	file_put(f);
	return 0;
}

static int split_write(const struct proc_node *node __maybe_unused, char *text)
{
	unsigned long pid = 0, start, end, order = 0;
	char *first, *second, *third;
	size_t len = strlen(text);

	if (len && text[len - 1] == '\n')
		text[len - 1] = 0;
	first = cut(text);
	second = cut(first);
	third = cut(second);
	if (parse(first, 0, &start) || parse(second, 0, &end) ||
	    (third && (parse(third, 10, &order) || order)))
		return -EINVAL;
	if (text[0] == '/')
		return split_file(text, start, end);
	return parse(text, 10, &pid) ?: split_process(pid, start, end);
}

const struct proc_entry debugfs_entries[] = {
	{ .name = "split_huge_pages", .mode = S_IFREG | 0200, .write = split_write },
	{ 0 },
};
