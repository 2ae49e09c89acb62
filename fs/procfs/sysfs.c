/* SPDX-License-Identifier: MIT
 *
 * A small read-only /sys on the helpers of /proc: the lists of CPUs, which C libraries read.
 */
#include <fs/procfs/internal.h>
#include <kern/err.h>
#include <kern/printk.h>

/* One CPU runs, and no other is looked for. */
static int cpu_list_show(struct seq *s)
{
	seq_puts(s, "0\n");
	return 0;
}

#define DIR(n, table)                                                                              \
	{                                                                                          \
		.name = n, .mode = S_IFDIR | 0555, .iops = &proc_dir_iops, .fops = &proc_dir_fops, \
		.children = table                                                                  \
	}
#define TEXT(n, s)                                                                                 \
	{                                                                                          \
		.name = n, .mode = S_IFREG | 0444, .show = s                                       \
	}

static const struct proc_entry empty_entries[] = { { 0 } };
static const struct proc_entry cpu_entries[] = {
	DIR("cpu0", empty_entries),
	TEXT("online", cpu_list_show),
	TEXT("possible", cpu_list_show),
	TEXT("present", cpu_list_show),
	{ 0 },
};
static const struct proc_entry system_entries[] = { DIR("cpu", cpu_entries), { 0 } };
static const struct proc_entry devices_entries[] = { DIR("system", system_entries), { 0 } };
static const struct proc_entry sys_entries[] = { DIR("devices", devices_entries), { 0 } };
static const struct proc_entry root_entry = DIR("/", sys_entries);

void sysfs_init(void)
{
	struct inode *root = proc_inode(&root_entry, NULL, 0, 1);
	int err = vfs_mkdir("/sys", 0555);

	if (IS_ERR(root) || (err && err != -EEXIST) || vfs_mount("/sys", root, "sysfs"))
		pr_err("sysfs: cannot mount /sys");
}
