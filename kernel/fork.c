/* SPDX-License-Identifier: MIT
 *
 * The system calls that make a task: fork, vfork, clone, clone3. Each is a struct fork_request that do_fork()
 * checks and carries out.
 */
#include <arch/uaccess.h>
#include <kern/err.h>
#include <kern/string.h>
#include <kernel/cred.h>
#include <kernel/fork.h>
#include <kernel/signal.h>
#include <kernel/syscall.h>
#include <kernel/user_namespace.h>
#include <mm/stats.h>
#include <uapi/sched.h>

int check_namespaces(u64 flags)
{
	if (!(flags & OTHER_NAMESPACES))
		return 0;
	return (flags & CLONE_NEWUSER) || capable_here(CAP_SYS_ADMIN) ? -EINVAL : -EPERM;
}

static int check_flags(const struct fork_request *req)
{
	u64 flags = req->flags;

	if ((flags & (CLONE_NEWNS | CLONE_FS)) == (CLONE_NEWNS | CLONE_FS) ||
	    (flags & (CLONE_NEWUSER | CLONE_FS)) == (CLONE_NEWUSER | CLONE_FS))
		return -EINVAL;
	if ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND))
		return -EINVAL;
	if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM))
		return -EINVAL;
	if ((flags & CLONE_PARENT) && current->process == init_process)
		return -EINVAL;
	if ((flags & CLONE_SIGHAND) && (flags & CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	/* Signal actions belong to a process: two processes cannot share them. */
	if ((flags & CLONE_SIGHAND) && !(flags & CLONE_THREAD))
		return -EINVAL;
	/* Threads of a process share its namespaces. */
	if ((flags & CLONE_THREAD) && (flags & CLONE_NEWUSER))
		return -EINVAL;
	if (flags & (CLONE_PIDFD | CLONE_INTO_CGROUP))
		return -EINVAL;
	return check_namespaces(flags);
}

/* The flags make sense. */
static long do_fork(const struct fork_request *req)
{
	struct completion vfork;
	struct task *child;
	int tid;

	child = copy_process(req);
	if (IS_ERR(child))
		return PTR_ERR(child);
	stat_inc(FORKS);
	tid = child->tid;
	if (req->flags & CLONE_PARENT_SETTID)
		(void)!put_user_u32((u32)tid, req->parent_tid);
	if (req->flags & CLONE_VFORK) {
		completion_init(&vfork);
		child->vfork_done = &vfork;
		task_get(child);
	}
	sched_add(child);
	if (req->flags & CLONE_VFORK)
		vfork_wait(child, &vfork);
	return tid;
}

static long do_clone(const struct fork_request *req)
{
	int err = check_flags(req);

	return err ? err : do_fork(req);
}

SYSCALL_DEFINE0(fork)
{
	struct fork_request req = { .exit_signal = SIGCHLD };

	return do_fork(&req);
}

SYSCALL_DEFINE0(vfork)
{
	struct fork_request req = { .flags = CLONE_VFORK | CLONE_VM, .exit_signal = SIGCHLD };

	return do_fork(&req);
}

SYSCALL_DEFINE5(clone, unsigned long, flags, unsigned long, stack, u32 __user *, parent_tid,
		u32 __user *, child_tid, unsigned long, tls)
{
	struct fork_request req = {
		.flags = (u32)flags & ~CSIGNAL,
		.exit_signal = (int)(flags & CSIGNAL),
		.stack = stack,
		.tls = tls,
		.parent_tid = parent_tid,
		.child_tid = child_tid,
	};

	return do_clone(&req);
}

/* Copies a structure of which a program may know an older (shorter) or newer (longer) version. */
static int copy_clone_args(struct clone_args *args, const struct clone_args __user *uargs,
			   size_t size)
{
	u8 rest[64];
	size_t done, n, i;

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	memset(args, 0, sizeof(*args));
	if (copy_from_user(args, uargs, min(size, sizeof(*args))))
		return -EFAULT;
	for (done = sizeof(*args); done < size; done += n) {
		n = min(size - done, sizeof(rest));
		if (copy_from_user(rest, (const char __user *)uargs + done, n))
			return -EFAULT;
		for (i = 0; i < n; i++)
			if (rest[i])
				return -E2BIG;
	}
	return 0;
}

static bool clone_args_valid(const struct clone_args *a)
{
	if (a->set_tid_size || a->set_tid || a->exit_signal > NSIG)
		return false;
	if (a->flags & (CLONE_DETACHED | (CSIGNAL & ~CLONE_NEWTIME)))
		return false;
	if (a->flags & ~(u64)(0xffffffffUL | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP))
		return false;
	if (a->flags & CLONE_NEWTIME)
		return false;
	if ((a->flags & (CLONE_THREAD | CLONE_PARENT)) && a->exit_signal)
		return false;
	if (!a->stack != !a->stack_size)
		return false;
	return access_ok((const void __user *)a->stack, a->stack_size);
}

SYSCALL_DEFINE2(clone3, const struct clone_args __user *, uargs, size_t, size)
{
	struct fork_request req;
	struct clone_args a;
	int err = copy_clone_args(&a, uargs, size);

	if (err)
		return err;
	if (!clone_args_valid(&a))
		return -EINVAL;
	req = (struct fork_request){
		.flags = a.flags,
		.exit_signal = (int)a.exit_signal,
		.stack = a.stack + a.stack_size,
		.tls = a.tls,
		.parent_tid = (u32 __user *)a.parent_tid,
		.child_tid = (u32 __user *)a.child_tid,
	};
	return do_clone(&req);
}

SYSCALL_DEFINE1(set_tid_address, u32 __user *, tidptr)
{
	current->clear_child_tid = tidptr;
	return current->tid;
}
