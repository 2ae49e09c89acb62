/* SPDX-License-Identifier: MIT
 *
 * A parent in vfork() sleeps until its child no longer uses the address space that they share.
 */
#include <kernel/fork.h>
#include <kernel/futex.h>

/*
 * child->vfork_done points to the parent's stack. Whoever takes the pointer out under the child's
 * siglock is the one who may use it.
 */
static void vfork_complete(struct task *t)
{
	irqflags_t flags;

	if (!t->vfork_done)
		return;
	flags = spin_lock_irqsave(&t->process->siglock);
	if (t->vfork_done) {
		complete(t->vfork_done);
		t->vfork_done = NULL;
	}
	spin_unlock_irqrestore(&t->process->siglock, flags);
}

void vfork_wait(struct task *child, struct completion *done)
{
	irqflags_t flags;

	if (wait_for_completion(done, PARK_KILLABLE)) {
		flags = spin_lock_irqsave(&child->process->siglock);
		child->vfork_done = NULL;
		spin_unlock_irqrestore(&child->process->siglock, flags);
	}
	task_put(child);
}

void task_leave_mm(struct task *t)
{
	futex_exit(t);
	vfork_complete(t);
}
