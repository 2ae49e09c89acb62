/* SPDX-License-Identifier: MIT
 *
 * Who am I: numbers of the caller and its parent.
 */
#include <kernel/syscall.h>
#include <kernel/task.h>

SYSCALL_DEFINE0(getpid)
{
	return current->process->pid;
}

SYSCALL_DEFINE0(gettid)
{
	return current->tid;
}

SYSCALL_DEFINE0(getppid)
{
	struct process *parent;
	int pid;

	/* The parent may end meanwhile: only the lock keeps it. */
	spin_lock(&tasklist_lock);
	parent = current->process->parent;
	pid = parent ? parent->pid : 0;
	spin_unlock(&tasklist_lock);
	return pid;
}
