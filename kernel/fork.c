/* SPDX-License-Identifier: MIT
 *
 * New tasks: fork, vfork, clone, clone3, kernel threads.
 *
 * copy_process() builds the child in private, piece by piece, each failure undoing the pieces
 * before it. Only then, under tasklist_lock, does the child get its number and become visible; from
 * there on nothing can fail.
 */
#include <arch/thread.h>
#include <arch/timer.h>
#include <arch/uaccess.h>
#include <fs/vfs.h>
#include <kern/err.h>
#include <kern/string.h>
#include <kernel/cred.h>
#include <kernel/fork.h>
#include <kernel/futex.h>
#include <kernel/pid.h>
#include <kernel/signal.h>
#include <kernel/syscall.h>
#include <kernel/user.h>
#include <kernel/user_namespace.h>
#include <mm/mm.h>
#include <mm/stats.h>
#include <mm/slab.h>
#include <uapi/sched.h>

/* What clone() and its relatives ask for. */
struct fork_request {
	u64 flags;
	int exit_signal;
	unsigned long stack; /* the child's stack pointer; 0: the caller's */
	unsigned long tls;
	u32 __user *parent_tid, *child_tid;
};

#define OTHER_NAMESPACES                                                                           \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET)

#define STOP_SIGNALS (sigmask(SIGSTOP) | sigmask(SIGTSTP) | sigmask(SIGTTIN) | sigmask(SIGTTOU))

static struct kmem_cache *task_cache, *process_cache;

/* ---- references ---- */

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

/* ---- the pieces of a child ---- */

/* A task like from in what is inherited, with a kernel stack. NULL: no memory. */
static struct task *task_alloc(const struct task *from)
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

/* A process with one thread to come, like the caller's in what is inherited. NULL: no memory. */
static struct process *process_alloc(struct process *from, struct task *leader)
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

static int copy_creds(struct task *child, u64 flags)
{
	struct user_namespace *parent = child->cred.user_ns;
	int err;

	if (!(flags & CLONE_NEWUSER))
		return 0;
	err = user_ns_create(&child->cred);
	if (!err) {
		child->securebits = 0;
		user_ns_put(parent);
	}
	return err;
}

static int copy_files(struct task *child, u64 flags)
{
	if (flags & CLONE_FILES) {
		files_get(current->files);
		child->files = current->files;
		return 0;
	}
	child->files = files_dup(current->files);
	return child->files ? 0 : -ENOMEM;
}

static int copy_fs(struct task *child, u64 flags)
{
	if (flags & CLONE_FS) {
		fs_context_get(current->fs);
		child->fs = current->fs;
		return 0;
	}
	child->fs = fs_context_dup(current->fs);
	return child->fs ? 0 : -ENOMEM;
}

static int copy_mm(struct task *child, u64 flags)
{
	struct mm *mm = current->mm;

	if (flags & CLONE_VM) {
		mm_get(mm);
	} else {
		mm = mm_fork(mm);
		if (IS_ERR(mm))
			return (int)PTR_ERR(mm);
	}
	child->mm = mm;
	/* A thread with its own stack needs a new alternate one as well. */
	if ((flags & (CLONE_VM | CLONE_VFORK)) != CLONE_VM)
		child->altstack = current->altstack;
	return 0;
}

static int copy_thread(struct task *child, const struct fork_request *req)
{
	struct trap_frame tf = *task_trap_frame(&current->thread);
	int err;

	if ((req->flags & CLONE_SETTLS) && req->tls >= TASK_SIZE)
		return -EPERM;
	if (req->stack)
		tf.rsp = req->stack;
	err = arch_thread_fork(&child->thread, &current->thread, &tf);
	if (!err && (req->flags & CLONE_SETTLS))
		child->thread.fs_base = req->tls;
	return err;
}

static int copy_process_state(struct task *child, u64 flags)
{
	if (flags & CLONE_THREAD) {
		child->process = current->process;
		refcount_inc(&child->process->refs);
		return 0;
	}
	child->process = process_alloc(current->process, child);
	if (!child->process)
		return -ENOMEM;
	if (flags & CLONE_CLEAR_SIGHAND)
		signal_exec(child->process);
	return 0;
}

/* ---- making the child visible ---- */

/* tasklist_lock and siglock held, or nobody else knows the process yet. */
static void link_thread(struct task *t)
{
	list_add_tail(&t->thread_node, &t->process->threads);
	t->process->nr_threads++;
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

/* The new process takes its place in the tree. tasklist_lock held. */
static void link_process(struct process *p, const struct fork_request *req)
{
	struct process *self = current->process;

	p->pid = p->leader->tid;
	p->pgid = self->pgid;
	p->sid = self->sid;
	p->ctty = self->ctty;
	if (req->flags & CLONE_PARENT) {
		p->parent = self->parent;
		p->exit_signal = self->exit_signal;
	} else {
		p->parent = self;
		p->exit_signal = req->exit_signal;
	}
	list_add_tail(&p->sibling, &p->parent->children);
	list_add_tail(&p->node, &all_processes);
}

/*
 * A stop signal came while the child was made. If a group got it, the child should stop as well.
 * siglock held.
 */
static bool stop_is_coming(const struct task *t)
{
	return t->stop_pending || ((t->pending.mask | t->process->pending.mask) & STOP_SIGNALS);
}

/*
 * 0 or -errno. No child while the caller is being killed or stopped (so group signals reach parent
 * and child alike); no thread while any signal waits. Whoever ends or stops the process walks its threads
 * under the siglock: it sees the new one, or the new one sees here what it did.
 */
static int publish(struct task *child, const struct fork_request *req)
{
	struct process *self = current->process;
	bool thread = req->flags & CLONE_THREAD;
	irqflags_t flags;
	int err = 0;

	spin_lock(&tasklist_lock);
	child->tid = pid_alloc();
	if (child->tid < 0) {
		spin_unlock(&tasklist_lock);
		return child->tid;
	}
	flags = spin_lock_irqsave(&self->siglock);
	if (fatal_signal_pending(current))
		err = -EINTR;
	else if (thread ? signal_pending(current) : stop_is_coming(current))
		err = -ERESTARTNOINTR;
	else
		link_thread(child);
	spin_unlock_irqrestore(&self->siglock, flags);
	if (!err) {
		pid_attach(child);
		if (!thread)
			link_process(child->process, req);
	}
	spin_unlock(&tasklist_lock);
	return err;
}

/* The child, ready for sched_add(), or ERR_PTR. */
static struct task *copy_process(const struct fork_request *req)
{
	struct task *child;
	int err;

	/*
	 * What is pending comes first: a child shall not escape a signal that its group got before.
	 */
	if (signal_pending(current))
		return ERR_PTR(-ERESTARTNOINTR);
	child = task_alloc(current);
	if (!child)
		return ERR_PTR(-ENOMEM);
	err = copy_creds(child, req->flags);
	if (err)
		goto free_task;
	err = -EAGAIN;
	if (user_over_nproc())
		goto free_task;
	err = copy_process_state(child, req->flags);
	if (err)
		goto free_task;
	err = copy_files(child, req->flags);
	if (err)
		goto put_process;
	err = copy_fs(child, req->flags);
	if (err)
		goto put_files;
	err = copy_mm(child, req->flags);
	if (err)
		goto put_fs;
	err = copy_thread(child, req);
	if (err)
		goto put_mm;
	if (req->flags & CLONE_CHILD_SETTID)
		child->set_child_tid = req->child_tid;
	if (req->flags & CLONE_CHILD_CLEARTID)
		child->clear_child_tid = req->child_tid;
	err = publish(child, req);
	if (!err)
		return child;

put_mm:
	mm_put(child->mm);
put_fs:
	fs_context_put(child->fs);
put_files:
	files_put(child->files);
put_process:
	process_put(child->process);
free_task:
	arch_thread_free(&child->thread);
	task_free(child);
	return ERR_PTR(err);
}

/* ---- vfork ---- */

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

static void vfork_wait(struct task *child, struct completion *done)
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

/* ---- kernel threads ---- */

struct task *kernel_thread_create(void (*fn)(void *), void *arg, const char *name, bool init)
{
	struct task *t = task_alloc(current);
	int tid;

	if (!t)
		return ERR_PTR(-ENOMEM);
	t->process = process_alloc(current->process, t);
	if (!t->process) {
		arch_thread_free(&t->thread);
		task_free(t);
		return ERR_PTR(-ENOMEM);
	}
	strscpy(t->comm, name, sizeof(t->comm));
	arch_thread_init_kernel(&t->thread, fn, arg);

	spin_lock(&tasklist_lock);
	tid = init ? INIT_PID : pid_alloc();
	if (tid < 0) {
		spin_unlock(&tasklist_lock);
		process_put(t->process);
		arch_thread_free(&t->thread);
		task_free(t);
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
	link_thread(t);
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

void task_caches_init(void)
{
	task_cache = kmem_cache_create("task_struct", sizeof(struct task), 64);
	process_cache = kmem_cache_create("process", sizeof(struct process), 64);
}

/* ---- the system calls ---- */

/* There are no other namespaces than users'; Linux first says who might have made one. */
static int check_namespaces(u64 flags)
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

/* Only what a process has for itself can be unshared. */
static int check_unshare(unsigned long flags)
{
	if (flags & ~(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_NEWUSER | OTHER_NAMESPACES))
		return -EINVAL;
	if ((flags & CLONE_NEWUSER) && !user_ns_may_unshare())
		return -EINVAL;
	return check_namespaces(flags);
}

SYSCALL_DEFINE1(unshare, unsigned long, flags)
{
	struct fs_context *fs = NULL;
	struct files *files = NULL;
	struct task *self = current;
	struct cred new = self->cred;
	int err = check_unshare(flags);

	if (err)
		return err;
	err = -ENOMEM;
	if (flags & (CLONE_FS | CLONE_NEWUSER)) {
		fs = fs_context_dup(self->fs);
		if (!fs)
			return err;
	}
	if ((flags & CLONE_FILES) && files_shared(self->files)) {
		files = files_dup(self->files);
		if (!files)
			goto put_fs;
	}
	if (flags & CLONE_NEWUSER) {
		err = user_ns_create(&new);
		if (err)
			goto put_files;
		(void)commit_creds(&new); /* the same user: cannot fail */
	}
	task_replace_fs(fs);
	task_replace_files(files);
	return 0;

put_files:
	if (files)
		files_put(files);
put_fs:
	if (fs)
		fs_context_put(fs);
	return err;
}

void task_replace_fs(struct fs_context *fs)
{
	struct fs_context *old = current->fs;

	if (!fs)
		return;
	spin_lock(&tasklist_lock);
	current->fs = fs;
	spin_unlock(&tasklist_lock);
	fs_context_put(old);
}

void task_replace_files(struct files *files)
{
	struct files *old = current->files;

	if (!files)
		return;
	spin_lock(&tasklist_lock);
	current->files = files;
	spin_unlock(&tasklist_lock);
	files_put(old);
}
