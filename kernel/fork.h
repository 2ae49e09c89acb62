/* SPDX-License-Identifier: MIT
 *
 * Inside of process life: what the files that make tasks share with each other, with exec and with exit.
 */
#ifndef KERNEL_FORK_H
#define KERNEL_FORK_H

#include <kernel/task.h>
#include <uapi/sched.h>

/* ---- task_alloc.c ---- */

void task_caches_init(void);
/* A task like from in what is inherited, with a kernel stack and two references. NULL: no memory. */
struct task *task_alloc(const struct task *from);
/* Undoes that for a task that nobody has seen. */
void task_discard(struct task *t);
/* A process with one thread to come, like from in what is inherited. NULL: no memory. */
struct process *process_alloc(struct process *from, struct task *leader);
/* A new thread of its process. tasklist_lock and siglock held, or nobody else knows the process yet. */
static inline void thread_link(struct task *t)
{
	list_add_tail(&t->thread_node, &t->process->threads);
	t->process->nr_threads++;
}
/*
 * Takes a finished thread out of its process, which keeps its figures. tasklist_lock and siglock
 * held.
 */
void thread_unlink(struct task *t);

/* ---- fork.c, copy_process.c ---- */

/* What clone() and its relatives ask for. */
struct fork_request {
	u64 flags; /* CLONE_* */
	int exit_signal;
	unsigned long stack; /* the child's stack pointer; 0: the caller's */
	unsigned long tls;
	u32 __user *parent_tid, *child_tid;
};

/*
 * The child, visible and ready for sched_add(), or ERR_PTR: -ENOMEM, -EAGAIN, -EPERM, and for signals
 * that must come first -ERESTARTNOINTR or -EINTR. The flags were checked.
 */
struct task *copy_process(const struct fork_request *req);

#define OTHER_NAMESPACES                                                                           \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET)

/* There are no other namespaces than users'; Linux first says who might have made one. 0, -EINVAL, -EPERM. */
int check_namespaces(u64 flags);

/* ---- vfork.c ---- */

/* Until the child, whose vfork_done this is, leaves the address space, or the caller is killed. Drops a reference. */
void vfork_wait(struct task *child, struct completion *done);
/*
 * The task stops using its address space (exec replaces it, exit drops it): robust futexes are
 * released, clear_child_tid is cleared and woken, a parent in vfork() goes on.
 */
void task_leave_mm(struct task *t);

/* ---- kthread.c ---- */

/* A kernel thread, ready for sched_add(); init: it gets number 1. ERR_PTR(-ENOMEM, -EAGAIN). */
struct task *kernel_thread_create(void (*fn)(void *), void *arg, const char *name, bool init);

/* ---- unshare.c ---- */

/* Replaces a part of the caller; NULL changes nothing. */
void task_replace_fs(struct fs_context *fs);
void task_replace_files(struct files *files);

/* ---- exit.c ---- */

/* Keeps the largest resident size for rusage. tasklist_lock not held. */
void task_note_maxrss(struct task *t);

#endif
