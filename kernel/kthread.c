/* SPDX-License-Identifier: MIT
 *
 * Tasks that start with a function of the kernel: kernel threads, process 1 before its exec, the idle tasks.
 */
#include <arch/thread.h>
#include <kern/err.h>
#include <kern/string.h>
#include <kernel/fork.h>
#include <kernel/pid.h>

struct task *kernel_thread_create(void (*fn)(void *), void *arg, const char *name, bool init)
{
	struct task *t = task_alloc(current);
	int tid;

	if (!t)
		return ERR_PTR(-ENOMEM);
	t->process = process_alloc(current->process, t);
	if (!t->process) {
		task_discard(t);
		return ERR_PTR(-ENOMEM);
	}
	strscpy(t->comm, name, sizeof(t->comm));
	arch_thread_init_kernel(&t->thread, fn, arg);

	spin_lock(&tasklist_lock);
	tid = init ? INIT_PID : pid_alloc();
	if (tid < 0) {
		spin_unlock(&tasklist_lock);
		process_put(t->process);
		task_discard(t);
		return ERR_PTR(tid);
	}
	t->tid = tid;
	t->process->pid = tid;
	t->process->kernel_thread = !init;
	if (init)
		init_process = t->process;
	pid_attach(t);
	INIT_LIST_HEAD(&t->process->sibling);
	list_add_tail(&t->process->node, &all_processes);
	thread_link(t);
	spin_unlock(&tasklist_lock);
	return t;
}

struct task *idle_task_create(unsigned int cpu)
{
	struct task *t = task_alloc(current);

	if (!t)
		return NULL;
	t->process = current->process;
	refcount_inc(&t->process->refs);
	t->cpu = cpu;
	return t;
}

struct task *kernel_thread(void (*fn)(void *), void *arg, const char *name)
{
	struct task *t = kernel_thread_create(fn, arg, name, false);

	if (!IS_ERR(t))
		sched_add(t);
	return t;
}
