/* SPDX-License-Identifier: MIT
 *
 * Thread numbers: a bitmap searched cyclically, so that a number is used again as late as possible,
 * and a hash table from numbers to threads.
 *
 * A process group or session keeps its number in use after its leader is gone. That costs nothing
 * while numbers only grow: a number stays marked when its thread is gone, until the search wraps
 * around and the map is made anew from the threads, groups and sessions that exist.
 */
#include <fs/vfs.h>
#include <kern/err.h>
#include <kern/string.h>
#include <kernel/pid.h>
#include <mm/mm.h>

#define RESERVED_PIDS 300 /* where the search starts again: low numbers stay the boot's */
#define HASH_SIZE 1024
#define BITS_PER_WORD 64

spinlock_t tasklist_lock = SPINLOCK_INIT;
struct list_head all_processes = LIST_HEAD_INIT(all_processes);
struct process *init_process;

static struct list_head pid_hash[HASH_SIZE]; /* [T] task->pid_node */
static u64 pid_map[PID_MAX / BITS_PER_WORD]; /* [T] numbers in use, or used since the last wrap */
static int last_pid;			     /* [T] */

static void mark_used(int nr)
{
	pid_map[nr / BITS_PER_WORD] |= 1ULL << (nr % BITS_PER_WORD);
}

void pid_init(void)
{
	unsigned int i;

	for (i = 0; i < HASH_SIZE; i++)
		INIT_LIST_HEAD(&pid_hash[i]);
	mark_used(0);
	mark_used(INIT_PID);
}

/* The first number >= from that is not marked, or PID_MAX. */
static int next_unmarked(int from)
{
	unsigned int word = (unsigned int)from / BITS_PER_WORD;
	u64 free;

	if (from >= PID_MAX)
		return PID_MAX;
	free = ~pid_map[word] & (~0ULL << (from % BITS_PER_WORD));
	while (!free) {
		if (++word == ARRAY_SIZE(pid_map))
			return PID_MAX;
		free = ~pid_map[word];
	}
	return (int)(word * BITS_PER_WORD) + __builtin_ctzll(free);
}

/* Marks exactly the numbers that are in use now. */
static void rebuild_map(void)
{
	struct process *p;
	struct task *t;
	unsigned int i;

	memset(pid_map, 0, sizeof(pid_map));
	mark_used(0);
	mark_used(INIT_PID);
	for (i = 0; i < HASH_SIZE; i++)
		list_for_each_entry(t, &pid_hash[i], pid_node)
			mark_used(t->tid);
	list_for_each_entry(p, &all_processes, node) {
		mark_used(p->pgid);
		mark_used(p->sid);
	}
}

int pid_alloc(void)
{
	int nr;

	assert_spin_locked(&tasklist_lock);
	nr = next_unmarked(last_pid + 1);
	if (unlikely(nr == PID_MAX)) {
		rebuild_map();
		nr = next_unmarked(RESERVED_PIDS);
		if (nr == PID_MAX)
			return -EAGAIN;
	}
	mark_used(nr);
	last_pid = nr;
	return nr;
}

int pid_last(void)
{
	return READ_ONCE(last_pid);
}

void pid_attach(struct task *t)
{
	assert_spin_locked(&tasklist_lock);
	list_add(&t->pid_node, &pid_hash[t->tid % HASH_SIZE]);
}

void pid_detach(struct task *t)
{
	assert_spin_locked(&tasklist_lock);
	list_del(&t->pid_node);
}

struct task *task_find(int tid)
{
	struct task *t;

	assert_spin_locked(&tasklist_lock);
	if (tid <= 0 || tid >= PID_MAX)
		return NULL;
	list_for_each_entry(t, &pid_hash[tid % HASH_SIZE], pid_node)
		if (t->tid == tid)
			return t;
	return NULL;
}

struct process *process_find(int pid)
{
	struct task *t = task_find(pid);

	return t && t->process->pid == pid ? t->process : NULL;
}

struct mm *task_get_mm(struct task *t)
{
	struct mm *mm;

	spin_lock(&tasklist_lock);
	mm = t->mm;
	if (mm)
		mm_get(mm);
	spin_unlock(&tasklist_lock);
	return mm;
}

bool task_shares_fs(void)
{
	const struct task *self = current, *t;
	const struct process *p;
	bool found = false;

	/* References alone could be /proc's. */
	if (refcount_read(&self->fs->refs) == 1)
		return false;
	spin_lock(&tasklist_lock);
	list_for_each_entry(p, &all_processes, node)
		list_for_each_entry(t, &p->threads, thread_node)
			found |= p != self->process && t->fs == self->fs;
	spin_unlock(&tasklist_lock);
	return found;
}

struct file *task_get_file(struct task *t, int fd)
{
	struct file *f;

	spin_lock(&tasklist_lock);
	f = t->files ? files_lookup(t->files, fd) : NULL;
	spin_unlock(&tasklist_lock);
	return f;
}

int task_files_max(struct task *t)
{
	int max;

	spin_lock(&tasklist_lock);
	max = t->files ? files_max(t->files) : 0;
	spin_unlock(&tasklist_lock);
	return max;
}

struct fs_context *task_get_fs(struct task *t)
{
	struct fs_context *fs;

	spin_lock(&tasklist_lock);
	fs = t->fs;
	if (fs)
		fs_context_get(fs);
	spin_unlock(&tasklist_lock);
	return fs;
}

void task_get_comm(const struct task *t, char comm[static 16])
{
	spin_lock(&tasklist_lock);
	memcpy(comm, t->comm, sizeof(t->comm));
	spin_unlock(&tasklist_lock);
}

void task_set_comm(struct task *t, const char *name)
{
	char comm[sizeof(t->comm)] = { 0 };

	strscpy(comm, name, sizeof(comm));
	spin_lock(&tasklist_lock);
	memcpy(t->comm, comm, sizeof(comm));
	spin_unlock(&tasklist_lock);
}
