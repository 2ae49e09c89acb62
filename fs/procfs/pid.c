/* SPDX-License-Identifier: MIT
 *
 * Processes as directories: /proc/PID and /proc/PID/task/TID, /proc/self, /proc/thread-self; and who may
 * look into them. An inode holds its task, which keeps neither address space nor files alive;
 * each read takes those for as long as it lasts.
 */
#include <fs/procfs/internal.h>
#include <kern/err.h>
#include <kern/printf.h>
#include <kern/string.h>
#include <mm/mm.h>

#define LIST_BATCH 64

static const struct inode_ops task_dir_iops;
static const struct file_ops task_dir_fops;

#define DIR(n, m, i, f)                                                                            \
	{                                                                                          \
		.name = n, .mode = S_IFDIR | (m), .iops = i, .fops = f                             \
	}
#define LINK(n, i)                                                                                 \
	{                                                                                          \
		.name = n, .mode = S_IFLNK | 0777, .iops = i                                       \
	}
#define TEXT(n, m, s)                                                                              \
	{                                                                                          \
		.name = n, .mode = S_IFREG | (m), .show = s                                        \
	}
#define TEXT_RW(n, m, s, w)                                                                        \
	{                                                                                          \
		.name = n, .mode = S_IFREG | (m), .show = s, .write = w                            \
	}
#define RAW(n, m, f)                                                                               \
	{                                                                                          \
		.name = n, .mode = S_IFREG | (m), .fops = f                                        \
	}

#define NS_FILE(n, s, f)                                                                           \
	{                                                                                          \
		.name = n, .mode = S_IFREG | 0644, .show = s, .fops = f                            \
	}

#define ENTRIES_OF_A_TASK                                                                          \
	RAW("auxv", 0400, &auxv_fops), RAW("cmdline", 0444, &cmdline_fops),                        \
		TEXT_RW("comm", 0644, comm_show, comm_write), LINK("cwd", &cwd_iops),              \
		RAW("environ", 0400, &environ_fops), LINK("exe", &exe_iops),                       \
		DIR("fd", 0500, &fd_dir_iops, &fd_dir_fops),                                       \
		DIR("fdinfo", 0555, &fdinfo_dir_iops, &fd_dir_fops),                               \
		NS_FILE("gid_map", gid_map_show, &gid_map_fops),                                   \
		TEXT("limits", 0444, limits_show),                                                 \
		{ .name = "maps",                                                                  \
		  .mode = S_IFREG | 0444,                                                          \
		  .source = &maps_source,                                                          \
		  .guarded = true },                                                               \
		RAW("mem", 0600, &mem_fops), TEXT("mounts", 0444, mounts_show),                    \
		{ .name = "ns",                                                                    \
		  .mode = S_IFDIR | 0511,                                                          \
		  .iops = &proc_dir_iops,                                                          \
		  .fops = &proc_dir_fops,                                                          \
		  .children = ns_entries },                                                        \
		TEXT("oom_score", 0444, oom_score_show),                                           \
		TEXT_RW("oom_score_adj", 0644, oom_score_adj_show, oom_score_adj_write),           \
		RAW("pagemap", 0400, &pagemap_fops),                                               \
		{ .name = "personality",                                                           \
		  .mode = S_IFREG | 0400,                                                          \
		  .show = personality_show,                                                        \
		  .guarded = true },                                                               \
		LINK("root", &root_iops), NS_FILE("setgroups", setgroups_show, &setgroups_fops),   \
		{ .name = "smaps",                                                                 \
		  .mode = S_IFREG | 0444,                                                          \
		  .source = &smaps_source,                                                         \
		  .guarded = true },                                                               \
		{ .name = "smaps_rollup",                                                          \
		  .mode = S_IFREG | 0444,                                                          \
		  .show = smaps_rollup_show,                                                       \
		  .guarded = true },                                                               \
		TEXT("stat", 0444, pid_stat_show), TEXT("statm", 0444, statm_show),                \
		TEXT("status", 0444, status_show),                                                 \
		NS_FILE("uid_map", uid_map_show, &uid_map_fops), TEXT("wchan", 0444, wchan_show)

static const struct proc_entry ns_entries[] = { LINK("user", &ns_user_iops), { 0 } };

static const struct proc_entry tid_entries[] = { ENTRIES_OF_A_TASK, { 0 } };
static const struct proc_entry pid_entries[] = {
	ENTRIES_OF_A_TASK,
	DIR("task", 0555, &task_dir_iops, &task_dir_fops),
	{ 0 },
};

static const struct proc_entry pid_dir = { .name = "PID",
					   .mode = S_IFDIR | 0555,
					   .iops = &proc_dir_iops,
					   .fops = &proc_dir_fops,
					   .children = pid_entries };
static const struct proc_entry tid_dir = { .name = "TID",
					   .mode = S_IFDIR | 0555,
					   .iops = &proc_dir_iops,
					   .fops = &proc_dir_fops,
					   .children = tid_entries };

/* ---- permission ---- */

bool proc_task_exists(const struct task *t)
{
	bool exists;

	spin_lock(&tasklist_lock);
	exists = task_find(t->tid) == t;
	spin_unlock(&tasklist_lock);
	return exists;
}

bool proc_may_inspect(struct task *t)
{
	const struct cred *me = &current->cred, *it = &t->cred;
	bool may;

	if (t->process == current->process || capable(CAP_SYS_PTRACE))
		return true;
	spin_lock(&tasklist_lock);
	may = me->fsuid == it->euid && me->fsuid == it->suid && me->fsuid == it->uid &&
	      me->fsgid == it->egid && me->fsgid == it->sgid && me->fsgid == it->gid &&
	      me->user_ns == it->user_ns && !(it->cap_permitted & ~me->cap_effective);
	may = (may || ns_capable(it->user_ns, CAP_SYS_PTRACE)) && READ_ONCE(t->process->dumpable);
	spin_unlock(&tasklist_lock);
	return may;
}

struct mm *proc_get_mm(const struct proc_node *node)
{
	return task_get_mm(node->task);
}

/* ---- lookup ---- */

struct inode *proc_pid_lookup(const char *name)
{
	int pid = proc_parse_number(name);
	struct task *t;
	struct inode *inode;

	if (pid <= 0)
		return ERR_PTR(-ENOENT);
	spin_lock(&tasklist_lock);
	t = task_find(pid);
	/* A thread's directory can be entered by its number too, though it is not listed. */
	if (t)
		task_get(t);
	spin_unlock(&tasklist_lock);
	if (!t)
		return ERR_PTR(-ENOENT);
	inode = proc_inode(&pid_dir, t, 0, proc_ino(t, &pid_dir));
	task_put(t);
	return inode;
}

static struct inode *task_dir_lookup(struct inode *dir, const char *name)
{
	const struct proc_node *node = proc_node(dir);
	int tid = proc_parse_number(name);
	struct inode *inode;
	struct task *t;

	if (tid <= 0)
		return ERR_PTR(-ENOENT);
	spin_lock(&tasklist_lock);
	t = task_find(tid);
	if (t && t->process != node->task->process)
		t = NULL;
	if (t)
		task_get(t);
	spin_unlock(&tasklist_lock);
	if (!t)
		return ERR_PTR(-ENOENT);
	inode = proc_inode(&tid_dir, t, 0, proc_ino(t, &tid_dir));
	if (!IS_ERR(inode))
		proc_node(inode)->thread = true;
	task_put(t);
	return inode;
}

/* ---- listing: in ascending order, a batch of numbers at a time ---- */

struct batch {
	unsigned int n;
	int id[LIST_BATCH]; /* sorted */
};

/* Keeps the smallest numbers from `from` on. */
static void batch_add(struct batch *b, int id, int from)
{
	unsigned int i;

	if (id < from || (b->n == LIST_BATCH && id >= b->id[LIST_BATCH - 1]))
		return;
	if (b->n < LIST_BATCH)
		b->n++;
	for (i = b->n - 1; i > 0 && b->id[i - 1] > id; i--)
		b->id[i] = b->id[i - 1];
	b->id[i] = id;
}

static void batch_pids(struct batch *b, const struct process *unused __maybe_unused, int from)
{
	struct process *p;

	list_for_each_entry(p, &all_processes, node)
		batch_add(b, p->pid, from);
}

static void batch_tids(struct batch *b, const struct process *p, int from)
{
	struct task *t;

	list_for_each_entry(t, &p->threads, thread_node)
		batch_add(b, t->tid, from);
}

static int readdir_numbers(u64 *pos, u64 first,
			   void (*collect)(struct batch *b, const struct process *p, int from),
			   const struct process *p, emit_fn emit, void *arg)
{
	struct batch b;

	do {
		b.n = 0;
		spin_lock(&tasklist_lock);
		collect(&b, p, (int)(*pos - first));
		spin_unlock(&tasklist_lock);
		for (unsigned int i = 0; i < b.n; i++) {
			char name[12];
			size_t len = (size_t)scnprintf(name, sizeof(name), "%d", b.id[i]);
			u64 next = first + (u64)b.id[i] + 1;

			if (!emit(arg, name, len, (u64)(u32)b.id[i] << 32 | 1, 4, next))
				return 0;
			*pos = next;
		}
	} while (b.n == LIST_BATCH);
	return 0;
}

int proc_pid_readdir(struct file *f __maybe_unused, u64 *pos, u64 first, emit_fn emit, void *arg)
{
	if (*pos - first > 0x7fffffff)
		return 0;
	return readdir_numbers(pos, first, batch_pids, NULL, emit, arg);
}

static int task_dir_readdir(struct file *f, u64 *pos, emit_fn emit, void *arg)
{
	const struct task *t = proc_node(f->inode)->task;

	if (!proc_task_exists(t))
		return -ENOENT;
	if (!proc_emit_dots(f, pos, emit, arg) || *pos - 2 > 0x7fffffff)
		return 0;
	return readdir_numbers(pos, 2, batch_tids, t->process, emit, arg);
}

static const struct inode_ops task_dir_iops = { .lookup = task_dir_lookup,
						.release = proc_release_inode };
static const struct file_ops task_dir_fops = { .readdir = task_dir_readdir };

/* ---- self, thread-self ---- */

static ssize_t copy_text(char *buf, size_t size, const char *text, size_t len)
{
	size_t n = min(len, size);

	memcpy(buf, text, n);
	return (ssize_t)n;
}

static ssize_t self_readlink(struct inode *inode __maybe_unused, char *buf, size_t size)
{
	char text[12];

	return copy_text(buf, size, text,
			 (size_t)scnprintf(text, sizeof(text), "%d", current->process->pid));
}

static ssize_t thread_self_readlink(struct inode *inode __maybe_unused, char *buf, size_t size)
{
	char text[32];

	return copy_text(buf, size, text,
			 (size_t)scnprintf(text, sizeof(text), "%d/task/%d", current->process->pid,
					   current->tid));
}

const struct inode_ops self_iops = { .readlink = self_readlink, .release = proc_release_inode };
const struct inode_ops thread_self_iops = { .readlink = thread_self_readlink,
					    .release = proc_release_inode };
