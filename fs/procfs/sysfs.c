/* SPDX-License-Identifier: MIT
 *
 * A small /sys on the helpers of /proc: which CPUs there are and how they belong together, the one memory node, and
 * what sysfs_thp.c and tracefs.c add. C libraries, runtimes and lscpu read it. The CPUs' directories are made when they are looked
 * up; proc_node.number says which CPU's a file is.
 */
#include <arch/topology.h>
#include <fs/procfs/internal.h>
#include <kern/err.h>
#include <kern/printf.h>
#include <kern/printk.h>
#include <kern/string.h>
#include <mm/page_alloc.h>

#define FIRST_CPU_POS 256 /* directory positions from here on are this + CPU */

#define DIR(n, table)                                                                              \
	{                                                                                          \
		.name = n, .mode = S_IFDIR | 0755, .iops = &proc_dir_iops, .fops = &proc_dir_fops, \
		.children = table                                                                  \
	}
#define TEXT(n, s)                                                                                 \
	{                                                                                          \
		.name = n, .mode = S_IFREG | 0444, .show = s                                       \
	}
#define CONSTANT(n, text)                                                                          \
	{                                                                                          \
		.name = n, .mode = S_IFREG | 0444, .show = constant_show, .data = text             \
	}
/* A set of CPUs that depends on the CPU, in both forms. */
#define SET(n, set)                                                                                \
	{ .name = n, .mode = S_IFREG | 0444, .show = set_mask_show, .data = set },                 \
	{                                                                                          \
		.name = n "_list", .mode = S_IFREG | 0444, .show = set_list_show, .data = set      \
	}

static unsigned int cpu_of(const struct seq *s)
{
	return (unsigned int)s->node->number;
}

static int constant_show(struct seq *s)
{
	seq_puts(s, s->node->entry->data);
	return 0;
}

/* ---- one CPU ---- */

struct cpu_set {
	u64 (*of)(unsigned int cpu);
};

static const struct cpu_set package = { topology_package_cpus }, core = { topology_core_cpus };

static int set_mask_show(struct seq *s)
{
	const struct cpu_set *set = s->node->entry->data;

	seq_cpumask(s, set->of(cpu_of(s)));
	seq_putc(s, '\n');
	return 0;
}

static int set_list_show(struct seq *s)
{
	const struct cpu_set *set = s->node->entry->data;

	seq_cpulist(s, set->of(cpu_of(s)));
	seq_putc(s, '\n');
	return 0;
}

static int core_id_show(struct seq *s)
{
	seq_printf(s, "%u\n", topology_core_id(cpu_of(s)));
	return 0;
}

static int package_id_show(struct seq *s)
{
	seq_printf(s, "%u\n", topology_package_id(cpu_of(s)));
	return 0;
}

/* A package has one die. */
static const struct proc_entry topology_entries[] = {
	SET("core_cpus", &core),
	TEXT("core_id", core_id_show),
	SET("core_siblings", &package),
	SET("die_cpus", &package),
	CONSTANT("die_id", "0\n"),
	SET("package_cpus", &package),
	TEXT("physical_package_id", package_id_show),
	SET("thread_siblings", &core),
	{ 0 },
};
static const struct proc_entry boot_cpu_entries[] = { DIR("topology", topology_entries), { 0 } };
/* The boot CPU cannot be switched off, so it has no such file. */
static const struct proc_entry other_cpu_entries[] = { CONSTANT("online", "1\n"),
						       DIR("topology", topology_entries),
						       { 0 } };
static const struct proc_entry boot_cpu_entry = DIR("cpu0", boot_cpu_entries);
static const struct proc_entry other_cpu_entry = DIR("cpuN", other_cpu_entries);

static const struct proc_entry *cpu_entry(unsigned int cpu)
{
	return cpu ? &other_cpu_entry : &boot_cpu_entry;
}

/* ---- all CPUs ---- */

static int cpu_list_show(struct seq *s)
{
	seq_cpulist(s, sched_online_cpus());
	seq_putc(s, '\n');
	return 0;
}

static int cpu_mask_show(struct seq *s)
{
	seq_cpumask(s, sched_online_cpus());
	seq_putc(s, '\n');
	return 0;
}

static int kernel_max_show(struct seq *s)
{
	seq_printf(s, "%u\n", MAX_CPUS - 1);
	return 0;
}

/* CPUs that do not answer at boot get no number, so all that have one are online. */
static const struct proc_entry cpu_entries[] = {
	CONSTANT("isolated", "\n"),
	TEXT("kernel_max", kernel_max_show),
	CONSTANT("offline", "\n"),
	TEXT("online", cpu_list_show),
	TEXT("possible", cpu_list_show),
	TEXT("present", cpu_list_show),
	{ 0 },
};

static struct inode *cpus_lookup(struct inode *dir __maybe_unused, const char *name)
{
	const struct proc_entry *e = proc_find(cpu_entries, name);
	int cpu;

	if (e)
		return proc_inode(e, NULL, 0, proc_ino(NULL, e));
	cpu = strncmp(name, "cpu", 3) == 0 ? proc_parse_number(name + 3) : -1;
	if (cpu < 0 || cpu >= MAX_CPUS || !(sched_online_cpus() >> cpu & 1))
		return ERR_PTR(-ENOENT);
	e = cpu_entry((unsigned int)cpu);
	return proc_inode(e, NULL, cpu, proc_numbered_ino(cpu, e));
}

static int cpus_readdir(struct file *f, u64 *pos, emit_fn emit, void *arg)
{
	char name[16];

	if (*pos < FIRST_CPU_POS) {
		if (!proc_emit_table(f, cpu_entries, pos, emit, arg))
			return 0;
		*pos = FIRST_CPU_POS;
	}
	for (; *pos < FIRST_CPU_POS + MAX_CPUS; ++*pos) {
		unsigned int cpu = (unsigned int)(*pos - FIRST_CPU_POS);
		u64 ino = proc_numbered_ino((int)cpu, cpu_entry(cpu));
		size_t n = (size_t)scnprintf(name, sizeof(name), "cpu%u", cpu);

		if (!(sched_online_cpus() >> cpu & 1))
			continue;
		if (!emit(arg, name, n, ino, S_IFDIR >> 12, *pos + 1))
			return 0;
	}
	return 0;
}

static const struct inode_ops cpus_iops = { .lookup = cpus_lookup, .release = proc_release_inode };
static const struct file_ops cpus_fops = { .readdir = cpus_readdir };

/* ---- the memory node ---- */

static int node_meminfo_show(struct seq *s)
{
	unsigned long total = totalram_pages() << (PAGE_SHIFT - 10);
	unsigned long free = nr_free_pages() << (PAGE_SHIFT - 10);

	seq_kb(s, "Node 0 MemTotal:       ", total);
	seq_kb(s, "Node 0 MemFree:        ", free);
	seq_kb(s, "Node 0 MemUsed:        ", total - free);
	return 0;
}

static const struct proc_entry node0_entries[] = {
	TEXT("cpulist", cpu_list_show),
	TEXT("cpumap", cpu_mask_show),
	CONSTANT("distance", "10\n"),
	TEXT("meminfo", node_meminfo_show),
	{ 0 },
};
static const struct proc_entry node_entries[] = {
	CONSTANT("has_cpu", "0\n"),
	CONSTANT("has_memory", "0\n"),
	CONSTANT("has_normal_memory", "0\n"),
	DIR("node0", node0_entries),
	CONSTANT("online", "0\n"),
	CONSTANT("possible", "0\n"),
	{ 0 },
};

/* ---- the tree ---- */

static const struct proc_entry system_entries[] = {
	{ .name = "cpu", .mode = S_IFDIR | 0755, .iops = &cpus_iops, .fops = &cpus_fops },
	DIR("node", node_entries),
	{ 0 },
};
static const struct proc_entry devices_entries[] = { DIR("system", system_entries), { 0 } };
static const struct proc_entry no_entries[] = { { 0 } };
/* Where tracefs is mounted. */
static const struct proc_entry kernel_entries[] = { DIR("debug", debugfs_entries),
						    DIR("mm", sysfs_mm_entries),
						    DIR("tracing", no_entries),
						    { 0 } };
static const struct proc_entry sys_entries[] = { DIR("devices", devices_entries),
						 DIR("kernel", kernel_entries),
						 { 0 } };
static const struct proc_entry root_entry = DIR("/", sys_entries);

void sysfs_init(void)
{
	struct inode *root = proc_inode(&root_entry, NULL, 0, 1);
	int err = vfs_mkdir("/sys", 0555);

	if (IS_ERR(root) || (err && err != -EEXIST) || vfs_mount("/sys", root, "sysfs"))
		pr_err("sysfs: cannot mount /sys");
	tracefs_init();
}
