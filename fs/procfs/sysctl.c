/* SPDX-License-Identifier: MIT
 *
 * /proc/sys: knobs that can be changed at run time, and constants that programs ask for. As in Linux the
 * permission bits bind root too.
 */
#include <arch/pgtable.h>
#include <arch/thread.h>
#include <fs/procfs/internal.h>
#include <kern/err.h>
#include <kern/failpoint.h>
#include <kern/knobs.h>
#include <kern/string.h>
#include <kernel/pid.h>
#include <kernel/random.h>
#include <kernel/user_namespace.h>
#include <kernel/utsname.h>
#include <mm/kcompactd.h>
#include <mm/migrate.h>
#include <mm/mm.h>
#include <mm/page_alloc.h>
#include <mm/slab.h>
#include <mm/thp.h>
#include <mm/stats.h>
#include <mm/writeback.h>
#include <sync/rcu.h>
#include <uapi/capability.h>

static int sysctl_permission(const struct inode *inode, int mask)
{
	u32 mode = inode->mode;

	if (current->cred.fsuid == 0)
		mode >>= 6;
	else if (current->cred.fsgid == 0)
		mode >>= 3;
	return mask & ~mode & 7 ? -EACCES : 0;
}

static const struct inode_ops sysctl_iops = { .permission = sysctl_permission,
					      .release = proc_release_inode };

/* Cuts the white space around a number off. */
static char *trim(char *text)
{
	size_t len;

	while (*text == ' ' || *text == '\t' || *text == '\n')
		text++;
	len = strlen(text);
	while (len && (text[len - 1] == ' ' || text[len - 1] == '\t' || text[len - 1] == '\n'))
		text[--len] = 0;
	return text;
}

/* ---- knobs ---- */

struct sysctl_knob {
	const char *name;
	const unsigned long *value;
};

static int knob_show(struct seq *s)
{
	const struct sysctl_knob *k = s->node->entry->data;

	seq_dec(s, READ_ONCE(*k->value), 1);
	seq_putc(s, '\n');
	return 0;
}

static int knob_write(const struct proc_node *node, char *text)
{
	const struct sysctl_knob *k = node->entry->data;

	return knob_set(k->name, trim(text));
}

#define KNOB(file, knob, variable)                                                                 \
	{                                                                                          \
		.name = file, .mode = S_IFREG | 0644, .iops = &sysctl_iops, .show = knob_show,     \
		.write = knob_write, .data = &(const struct sysctl_knob)                           \
		{                                                                                  \
			knob, &(variable)                                                          \
		}                                                                                  \
	}

/* ---- constants ---- */

static int constant_show(struct seq *s)
{
	seq_puts(s, s->node->entry->data);
	seq_putc(s, '\n');
	return 0;
}

static int number_show(struct seq *s)
{
	seq_dec(s, *(const unsigned long *)s->node->entry->data, 1);
	seq_putc(s, '\n');
	return 0;
}

#define CONSTANT(file, text)                                                                       \
	{                                                                                          \
		.name = file, .mode = S_IFREG | 0444, .iops = &sysctl_iops, .show = constant_show, \
		.data = text                                                                       \
	}
#define NUMBER(file, number)                                                                       \
	{                                                                                          \
		.name = file, .mode = S_IFREG | 0444, .iops = &sysctl_iops, .show = number_show,   \
		.data = &(const unsigned long)                                                     \
		{                                                                                  \
			number                                                                     \
		}                                                                                  \
	}

/* ---- vm ---- */

/* Any number but 0 gives back what is cached and unused: 1 pages, 2 kernel objects, 3 both. */
static int drop_caches_write(const struct proc_node *node __maybe_unused, char *text)
{
	unsigned long what;

	if (kstrtoul(trim(text), 0, &what) || what < 1 || what > 4)
		return -EINVAL;
	if (what & 1) {
		(void)writeback_drop_clean();
		stat_inc(DROP_PAGECACHE);
	}
	if (what & 2) {
		stat_inc(DROP_SLAB);
		mm_free_spares();
		rcu_barrier();
		kstack_drain();
		pgtable_drain();
		(void)slab_shrink();
		(void)huge_zero_shrink();
	}
	if (what & 1)
		(void)writeback_drop_clean();
	if (what & 3)
		drain_pcps();
	return 0;
}

/* In KiB what the watermark is, whoever chose it. */
static int min_free_show(struct seq *s)
{
	seq_dec(s, watermark_pages(WMARK_MIN) << (PAGE_SHIFT - 10), 1);
	seq_putc(s, '\n');
	return 0;
}

static int watermark_knob_write(const struct proc_node *node, char *text)
{
	int err = knob_write(node, text);

	if (!err)
		watermarks_update();
	return err;
}

static int fault_lock_show(struct seq *s)
{
	seq_puts(s, READ_ONCE(knob_fault_lock) ? "vma\n" : "mmap\n");
	return 0;
}

/* 1 until the failure that was asked for has happened. */
static int fail_at_show(struct seq *s)
{
	seq_puts(s, READ_ONCE(fail_armed) ? "1\n" : "0\n");
	return 0;
}

/* SITE:N has the Nth allocation at a site fail, as on the command line; N = 0: none. */
static int fail_at_write(const struct proc_node *node __maybe_unused, char *text)
{
	return fail_parse(trim(text));
}

/* Counters are summed when they are read: there is nothing to refresh. */
static int stat_refresh_show(struct seq *s __maybe_unused)
{
	return 0;
}

static int stat_refresh_write(const struct proc_node *node __maybe_unused,
			      char *text __maybe_unused)
{
	return 0;
}

static int proactiveness_write(const struct proc_node *node, char *text)
{
	int err = knob_write(node, text);

	if (!err)
		kcompactd_look_again();
	return err;
}

/* Only 1 is a command. */
static int compact_memory_write(const struct proc_node *node __maybe_unused, char *text)
{
	unsigned long what;

	if (kstrtoul(trim(text), 0, &what) || what != 1)
		return -EINVAL;
	compact_memory();
	return 0;
}

static const struct proc_entry vm_entries[] = {
	{ .name = "compact_memory",
	  .mode = S_IFREG | 0200,
	  .iops = &sysctl_iops,
	  .show = stat_refresh_show,
	  .write = compact_memory_write },
	{ .name = "compaction_proactiveness",
	  .mode = S_IFREG | 0644,
	  .iops = &sysctl_iops,
	  .show = knob_show,
	  .write = proactiveness_write,
	  .data = &(const struct sysctl_knob){ "vm.compaction_proactiveness",
					       &knob_compaction_proactiveness } },
	KNOB("compact_unevictable_allowed", "vm.compact_unevictable_allowed",
	     knob_compact_unevictable_allowed),
	KNOB("dirty_background_ratio", "vm.dirty_background_ratio", knob_dirty_background_ratio),
	KNOB("dirty_expire_centisecs", "vm.dirty_expire_centisecs", knob_dirty_expire_centisecs),
	KNOB("dirty_ratio", "vm.dirty_ratio", knob_dirty_ratio),
	KNOB("dirty_writeback_centisecs", "vm.dirty_writeback_centisecs",
	     knob_dirty_writeback_centisecs),
	{ .name = "drop_caches",
	  .mode = S_IFREG | 0200,
	  .iops = &sysctl_iops,
	  .show = stat_refresh_show,
	  .write = drop_caches_write },
	{ .name = "fail_at",
	  .mode = S_IFREG | 0600,
	  .iops = &sysctl_iops,
	  .show = fail_at_show,
	  .write = fail_at_write },
	{ .name = "fault_lock",
	  .mode = S_IFREG | 0644,
	  .iops = &sysctl_iops,
	  .show = fault_lock_show,
	  .write = knob_write,
	  .data = &(const struct sysctl_knob){ "fault.lock", &knob_fault_lock } },
	KNOB("max_map_count", "vm.max_map_count", knob_max_map_count),
	{ .name = "min_free_kbytes",
	  .mode = S_IFREG | 0644,
	  .iops = &sysctl_iops,
	  .show = min_free_show,
	  .write = watermark_knob_write,
	  .data = &(const struct sysctl_knob){ "vm.min_free_kbytes", &knob_min_free_kbytes } },
	KNOB("mmap_min_addr", "vm.mmap_min_addr", knob_mmap_min_addr),
	KNOB("overcommit_memory", "vm.overcommit_memory", knob_overcommit_memory),
	KNOB("overcommit_ratio", "vm.overcommit_ratio", knob_overcommit_ratio),
	KNOB("page-cluster", "vm.page-cluster", knob_vm_page_cluster),
	{ .name = "stat_refresh",
	  .mode = S_IFREG | 0600,
	  .iops = &sysctl_iops,
	  .show = stat_refresh_show,
	  .write = stat_refresh_write },
	KNOB("swappiness", "vm.swappiness", knob_swappiness),
	{ .name = "watermark_scale_factor",
	  .mode = S_IFREG | 0644,
	  .iops = &sysctl_iops,
	  .show = knob_show,
	  .write = watermark_knob_write,
	  .data = &(const struct sysctl_knob){ "vm.watermark_scale_factor",
					       &knob_watermark_scale_factor } },
	{ 0 },
};

/* ---- kernel ---- */

static int uts_name_show(struct seq *s)
{
	char name[__NEW_UTS_LEN + 1];

	spin_lock(&utsname_lock);
	memcpy(name, s->node->entry->data, sizeof(name));
	spin_unlock(&utsname_lock);
	seq_puts(s, name);
	seq_putc(s, '\n');
	return 0;
}

static int uts_name_write(const struct proc_node *node, char *text)
{
	char *name = (char *)node->entry->data;
	char *end = strchr(text, '\n');

	if (end)
		*end = 0;
	spin_lock(&utsname_lock);
	(void)strscpy(name, text, __NEW_UTS_LEN + 1);
	spin_unlock(&utsname_lock);
	return 0;
}

#define UTS_CONSTANT(file, member)                                                                 \
	{                                                                                          \
		.name = file, .mode = S_IFREG | 0444, .iops = &sysctl_iops, .show = constant_show, \
		.data = system_utsname.member                                                      \
	}
#define UTS_NAME(file, member)                                                                     \
	{                                                                                          \
		.name = file, .mode = S_IFREG | 0644, .iops = &sysctl_iops, .show = uts_name_show, \
		.write = uts_name_write, .data = system_utsname.member                             \
	}

/* A random (version 4) UUID, RFC 4122. */
static void put_uuid(struct seq *s, const u8 *bytes)
{
	for (unsigned int i = 0; i < 16; i++) {
		u8 b = bytes[i];

		if (i == 6)
			b = (b & 0x0f) | 0x40;
		if (i == 8)
			b = (b & 0x3f) | 0x80;
		if (i == 4 || i == 6 || i == 8 || i == 10)
			seq_putc(s, '-');
		seq_hex(s, b, 2);
	}
	seq_putc(s, '\n');
}

static int uuid_show(struct seq *s)
{
	u8 bytes[16];

	random_bytes(bytes, sizeof(bytes));
	put_uuid(s, bytes);
	return 0;
}

/* Chosen when first asked for. */
static int boot_id_show(struct seq *s)
{
	static spinlock_t lock = SPINLOCK_INIT;
	static u8 id[16];
	static bool chosen;
	u8 fresh[16];

	random_bytes(fresh, sizeof(fresh));
	spin_lock(&lock);
	if (!chosen)
		memcpy(id, fresh, sizeof(id));
	chosen = true;
	spin_unlock(&lock);
	put_uuid(s, id);
	return 0;
}

static const struct proc_entry random_entries[] = {
	{ .name = "boot_id", .mode = S_IFREG | 0444, .iops = &sysctl_iops, .show = boot_id_show },
	NUMBER("entropy_avail", 256),
	NUMBER("poolsize", 256),
	{ .name = "uuid", .mode = S_IFREG | 0444, .iops = &sysctl_iops, .show = uuid_show },
	{ 0 },
};

#define DIR(n, table)                                                                              \
	{                                                                                          \
		.name = n, .mode = S_IFDIR | 0555, .iops = &proc_dir_iops, .fops = &proc_dir_fops, \
		.children = table                                                                  \
	}

static const struct proc_entry kernel_entries[] = {
	NUMBER("cap_last_cap", CAP_LAST_CAP),
	CONSTANT("core_pattern", "core"),
	UTS_NAME("domainname", domainname),
	UTS_NAME("hostname", nodename),
	NUMBER("ngroups_max", ARRAY_SIZE(((struct cred *)0)->groups)),
	UTS_CONSTANT("osrelease", release),
	UTS_CONSTANT("ostype", sysname),
	NUMBER("overflowgid", OVERFLOW_ID),
	NUMBER("overflowuid", OVERFLOW_ID),
	NUMBER("pid_max", PID_MAX),
	DIR("random", random_entries),
	KNOB("randomize_va_space", "kernel.randomize_va_space", knob_aslr),
	KNOB("shmall", "kernel.shmall", knob_shmall),
	KNOB("shmmax", "kernel.shmmax", knob_shmmax),
	KNOB("shmmni", "kernel.shmmni", knob_shmmni),
	NUMBER("tainted", 0),
	UTS_CONSTANT("version", version),
	{ 0 },
};

/* ---- fs ---- */

static const struct proc_entry fs_entries[] = {
	CONSTANT("file-max", "9223372036854775807"),
	NUMBER("nr_open", 1048576),
	{ 0 },
};

const struct proc_entry sysctl_entries[] = {
	DIR("fs", fs_entries),
	DIR("kernel", kernel_entries),
	DIR("vm", vm_entries),
	{ 0 },
};
