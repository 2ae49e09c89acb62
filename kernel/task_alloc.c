/* SPDX-License-Identifier: MIT
 *
 * The memory of tasks and processes: made as their parent's are, kept by references, and the threads of each process.
 */
#include <arch/thread.h>
#include <arch/timer.h>
#include <kern/string.h>
#include <kernel/fork.h>
#include <kernel/pid.h>
#include <kernel/signal.h>
#include <kernel/user.h>
#include <kernel/user_namespace.h>
#include <mm/slab.h>

static struct kmem_cache *task_cache, *process_cache;

void task_caches_init(void)
{
	task_cache = kmem_cache_create("task_struct", sizeof(struct task), 64);
	process_cache = kmem_cache_create("process", sizeof(struct process), 64);
}

void task_get(struct task *t)
{
	refcount_inc(&t->refs);
}

void process_put(struct process *p)
{
	if (!refcount_dec_and_test(&p->refs))
		return;
	sigpending_flush(&p->pending);
	kmem_cache_free(process_cache, p);
}

static __always_inline void task_free(struct task *t)
{
	if (t->user) {
		atomic_dec(&t->user->tasks);
		user_put(t->user);
	}
	user_ns_put(t->cred.user_ns);
	kmem_cache_free(task_cache, t);
}

void task_put(struct task *t)
{
	if (!refcount_dec_and_test(&t->refs))
		return;
	sigpending_flush(&t->pending);
	process_put(t->process);
	task_free(t);
}

struct task *task_alloc(const struct task *from)
{
	struct task *t = kmem_cache_alloc(task_cache, GFP_KERNEL | __GFP_ZERO);

	if (!t)
		return NULL;
	t->thread.kstack_top = kstack_alloc();
	if (!t->thread.kstack_top) {
		kmem_cache_free(task_cache, t);
		return NULL;
	}
	refcount_set(&t->refs, 2); /* the tree's and the scheduler's */
	t->cred = from->cred;
	user_ns_get(t->cred.user_ns);
	t->user = from->user;
	user_get(t->user);
	atomic_inc(&t->user->tasks);
	memcpy(t->comm, from->comm, sizeof(t->comm)); /* a mixture, when it is being renamed */
	t->blocked = from->blocked;
	t->no_new_privs = from->no_new_privs;
	t->securebits = from->securebits;
	t->personality = from->personality;
	t->nice = from->nice;
	t->cpus_allowed = from->cpus_allowed;
	sigpending_init(&t->pending);
	return t;
}

void task_discard(struct task *t)
{
	arch_thread_free(&t->thread);
	task_free(t);
}

struct process *process_alloc(struct process *from, struct task *leader)
{
	struct process *p = kmem_cache_alloc(process_cache, GFP_KERNEL);

	if (!p)
		return NULL;
	memset(p, 0, PROCESS_ZEROED);
	refcount_set(&p->refs, 1);
	p->leader = leader;
	INIT_LIST_HEAD(&p->threads);
	INIT_LIST_HEAD(&p->children);
	wait_queue_init(&p->child_wait);
	spin_lock_init(&p->siglock);
	signal_fork(p, from);
	p->oom_score_adj = from->oom_score_adj;
	p->dumpable = from->dumpable;
	p->start_ns = clock_ns();
	return p;
}

void thread_unlink(struct task *t)
{
	struct process *p = t->process;

	list_del(&t->thread_node);
	pid_detach(t);
	p->utime_ns += t->utime_ns;
	p->stime_ns += t->stime_ns;
	p->min_flt += t->min_flt;
	p->maj_flt += t->maj_flt;
	p->nvcsw += t->nvcsw;
	p->nivcsw += t->nivcsw;
}
