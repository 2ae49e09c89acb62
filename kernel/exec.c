/* SPDX-License-Identifier: MIT
 *
 * execve and execveat: the caller's process gets a new program.
 *
 * Everything that may fail comes first: arguments are copied, scripts followed, headers checked,
 * and the new address space is built beside the old one. Then all other threads end, and only then
 * does the process change. A file with sound headers whose segments cannot be mapped kills the
 * caller with SIGSEGV, as Linux, which finds out when the old program is gone already.
 *
 * Set-user-ID programs change the identity; file capabilities do not exist here. ETXTBSY is never
 * returned: a running program's file may be written.
 */
#include <arch/thread.h>
#include <arch/uaccess.h>
#include <fs/vfs.h>
#include <kern/err.h>
#include <kern/printf.h>
#include <kern/string.h>
#include <kernel/cred.h>
#include <kernel/exec.h>
#include <kernel/fork.h>
#include <kernel/pid.h>
#include <kernel/signal.h>
#include <kernel/syscall.h>
#include <kernel/user.h>
#include <mm/mm.h>
#include <mm/slab.h>
#include <uapi/mount.h>
#include <uapi/prctl.h>

/* One execve under way. */
struct exec {
	struct exec_args args;
	struct exec_image main, interp;
	struct exec_program program;
	struct cred cred;
	struct files *files; /* a copy, when the caller shares its table */
};

/* ---- opening ---- */

/* A regular file that the caller may execute. dirfd and path as in openat. ERR_PTR. */
static struct file *open_exec(int dirfd, const char *path, int at_flags)
{
	unsigned int lookup = (at_flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
			      (at_flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
	struct dentry *d = path_lookup(dirfd, path, lookup);
	struct file *f;
	int err = 0;

	if (IS_ERR(d))
		return (struct file *)d;
	if (S_ISLNK(d->inode->mode))
		err = -ELOOP;
	else if (!S_ISREG(d->inode->mode) || dentry_noexec(d))
		err = -EACCES;
	else
		err = inode_permission(d->inode, 1);
	f = err ? ERR_PTR(err) : file_open_dentry(d, O_RDONLY);
	dentry_put(d);
	return f;
}

/* Opens a file and reads its beginning. */
static int image_open(struct exec_image *image, int dirfd, const char *path, int at_flags)
{
	struct file *f = open_exec(dirfd, path, at_flags);
	ssize_t n;

	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	image->file = f;
	n = kernel_read(f, image->head, sizeof(image->head), 0);
	if (n < 0)
		return (int)n;
	memset(image->head + n, 0, sizeof(image->head) - (size_t)n);
	image->head_len = (size_t)n;
	return 0;
}

/*
 * While the file is a script, goes on with its interpreter. script: the path by which the first one
 * was called. On return main is a file that is no script.
 */
static int follow_scripts(struct exec *x, const char *script)
{
	char line[SCRIPT_LINE_MAX], *name = NULL, *next;
	struct script_line words;
	int depth, err = 0;

	for (depth = 0; !err && x->main.head[0] == '#' && x->main.head[1] == '!'; depth++) {
		if (depth == MAX_SCRIPT_DEPTH) {
			err = -ELOOP;
			break;
		}
		memcpy(line, x->main.head, sizeof(line));
		err = script_parse(line, sizeof(line), &words);
		if (!err)
			err = exec_args_prepend(&x->args, words.interp, words.arg,
						name ? name : script);
		if (err)
			break;
		next = kmalloc(sizeof(line), GFP_KERNEL);
		if (!next) {
			err = -ENOMEM;
			break;
		}
		strscpy(next, words.interp, sizeof(line));
		kfree(name);
		name = next;
		exec_image_free(&x->main);
		err = image_open(&x->main, AT_FDCWD, name, 0);
	}
	kfree(name);
	return err;
}

/*
 * The dynamic loader that the program names. *fatal: too late for an error, see the file comment.
 */
static int open_interp(struct exec *x, bool *fatal)
{
	const struct elf_image *elf = &x->main.elf;
	ssize_t n;
	char *path;
	int err;

	if (!elf->interp_size)
		return 0;
	path = kmalloc(elf->interp_size, GFP_KERNEL);
	if (!path)
		return -ENOMEM;
	n = kernel_read(x->main.file, path, elf->interp_size, elf->interp_offset);
	if (n < 0)
		err = (int)n;
	else if ((u64)n != elf->interp_size)
		err = -EIO;
	else if (path[n - 1])
		err = -ENOEXEC;
	else
		err = image_open(&x->interp, AT_FDCWD, path, 0);
	kfree(path);
	if (err)
		return err;

	x->program.interp = &x->interp;
	err = exec_read_headers(&x->interp);
	*fatal = err == -EINVAL;
	return err == -ENOEXEC ? -ELIBBAD : err;
}

/* ---- building ---- */

/* Everything up to a finished address space in x->program.mm. *fatal as in open_interp(). */
static int prepare(struct exec *x, const char *filename, bool *fatal)
{
	struct exec_program *p = &x->program;
	struct dentry *d = x->main.file->dentry;
	int err = exec_read_headers(&x->main), interp_err = 0;

	if (!err || err == -EINVAL)
		interp_err = open_interp(x, fatal);
	if (interp_err)
		return interp_err;
	*fatal = err == -EINVAL;
	if (err)
		return err;

	cred_after_exec(&x->cred, x->main.file->inode, d->mount && (d->mount->flags & MS_NOSUID),
			&p->secure);
	p->filename = filename;
	p->main = &x->main;
	p->args = &x->args;
	p->cred = &x->cred;
	p->aslr = knob_aslr != 0 && !(current->personality & ADDR_NO_RANDOMIZE);
	p->mm = mm_create(p->aslr);
	if (!p->mm)
		return -ENOMEM;
	*fatal = true;
	err = exec_load(p);
	if (err)
		return err;
	*fatal = false;
	if (files_shared(current->files)) {
		x->files = files_dup(current->files);
		if (!x->files)
			return -ENOMEM;
	}
	return 0;
}

/* ---- the other threads end ---- */

/*
 * tasklist_lock not held. A dead leader that is not the caller stays until the caller takes its
 * place.
 */
static bool other_threads_gone(struct process *p)
{
	struct task *t;
	bool gone = true;

	spin_lock(&tasklist_lock);
	list_for_each_entry(t, &p->threads, thread_node)
		if (t != current && !(t == p->leader && t->exited))
			gone = false;
	spin_unlock(&tasklist_lock);
	return gone;
}

/*
 * The caller becomes the leader: it takes the process's number, the dead leader gets the caller's
 * and goes.
 */
static void take_leadership(struct process *p)
{
	struct task *self = current, *old = p->leader;
	irqflags_t flags;
	int tid;

	spin_lock(&tasklist_lock);
	flags = spin_lock_irqsave(&p->siglock);
	pid_detach(self);
	thread_unlink(old);
	tid = self->tid;
	self->tid = old->tid;
	old->tid = tid;
	pid_attach(self);
	p->leader = self;
	spin_unlock_irqrestore(&p->siglock, flags);
	spin_unlock(&tasklist_lock);
	task_put(old);
}

/* 0, or -EAGAIN: the process dies, or another thread is doing the same. */
static int end_other_threads(void)
{
	struct task *self = current;
	struct process *p = self->process;
	irqflags_t flags;
	int ret = 0;

	/* Without a lock: who is alone stays alone, and an entry that leaves makes these equal last. */
	if (READ_ONCE(p->leader) == self &&
	    READ_ONCE(p->threads.next) == READ_ONCE(p->threads.prev))
		return 0;
	flags = spin_lock_irqsave(&p->siglock);
	if (p->group_exiting || p->exec_task) {
		spin_unlock_irqrestore(&p->siglock, flags);
		return -EAGAIN;
	}
	p->exec_task = self;
	zap_other_threads(p);
	spin_unlock_irqrestore(&p->siglock, flags);

	while (!other_threads_gone(p)) {
		if (fatal_signal_pending(self)) {
			ret = -EAGAIN;
			break;
		}
		park(PARK_KILLABLE);
	}
	if (!ret && p->leader != self)
		take_leadership(p);
	flags = spin_lock_irqsave(&p->siglock);
	p->exec_task = NULL;
	spin_unlock_irqrestore(&p->siglock, flags);
	return ret;
}

/* ---- the change ---- */

static void set_comm(const char *filename)
{
	const char *slash = strrchr(filename, '/');

	task_set_comm(current, slash ? slash + 1 : filename);
}

/* What the process's family and /proc look at. */
static void change_identity(const struct cred *cred)
{
	struct task *self = current;

	spin_lock(&tasklist_lock);
	self->cred = *cred;
	self->process->exit_signal = SIGCHLD;
	self->process->did_exec = true;
	spin_unlock(&tasklist_lock);
}

static void change_address_space(struct mm *mm)
{
	struct mm *old;

	task_leave_mm(current);
	task_note_maxrss(current);
	old = sched_use_mm(mm);
	if (old)
		mm_put(old);
}

/* Nothing can fail any more, except for memory for the FPU state of a former kernel thread. */
static int commit(struct exec *x)
{
	struct exec_program *p = &x->program;
	struct task *self = current;
	bool changed;

	change_address_space(p->mm);
	p->mm = NULL;
	task_replace_files(x->files);
	x->files = NULL;
	files_close_on_exec(self->files);

	changed = self->cred.euid != x->cred.euid || self->cred.egid != x->cred.egid;
	change_identity(&x->cred);
	self->securebits &= ~SECBIT_KEEP_CAPS;
	if (changed || p->secure)
		self->pdeath_signal = 0;
	self->process->dumpable = !(changed || p->secure);
	signal_exec(self->process);
	self->set_child_tid = NULL;
	self->robust_list = NULL;
	set_comm(p->filename);
	return arch_thread_exec(&self->thread, p->entry, p->sp);
}

static int run(struct exec *x, const char *filename)
{
	bool fatal = false;
	int err = follow_scripts(x, filename);

	if (err)
		return err;
	err = prepare(x, filename, &fatal);
	if (!err)
		err = end_other_threads();
	if (!err) {
		fatal = true;
		err = commit(x);
	}
	if (err && fatal)
		force_signal(SIGSEGV, true);
	return err;
}

static struct exec *exec_new(void)
{
	struct exec *x = kmalloc(sizeof(*x), GFP_KERNEL);

	if (!x)
		return NULL;
	x->main.file = NULL;
	x->main.phdrs = NULL;
	x->interp.file = NULL;
	x->interp.phdrs = NULL;
	memset(&x->program, 0, sizeof(x->program));
	x->files = NULL;
	exec_args_init(&x->args);
	return x;
}

static void exec_free(struct exec *x)
{
	if (x->program.mm)
		mm_put(x->program.mm);
	if (x->files)
		files_put(x->files);
	exec_image_free(&x->interp);
	exec_image_free(&x->main);
	exec_args_free(&x->args);
	kfree(x);
}

int kernel_execve(const char *path, const char *const *argv, const char *const *envp)
{
	struct exec *x = exec_new();
	int err;

	if (!x)
		return -ENOMEM;
	err = exec_args_from_kernel(&x->args, argv, envp);
	if (!err)
		err = image_open(&x->main, AT_FDCWD, path, 0);
	if (!err)
		err = run(x, path);
	exec_free(x);
	return err;
}

/*
 * The name under which a program started by descriptor knows itself. kmalloc'ed; NULL: no memory.
 */
static char *descriptor_name(int dirfd, const char *path)
{
	size_t size = sizeof("/dev/fd/-2147483648/") + strlen(path);
	char *name = kmalloc(size, GFP_KERNEL);

	if (name)
		snprintf(name, size, *path ? "/dev/fd/%d/%s" : "/dev/fd/%d", dirfd, path);
	return name;
}

static int nproc_check(void)
{
	struct task *self = current;

	if (!self->nproc_exceeded)
		return 0;
	self->nproc_exceeded = false;
	return user_over_nproc() ? -EAGAIN : 0;
}

static long do_execveat(int dirfd, const char __user *upath, const u64 __user *argv,
			const u64 __user *envp, int at_flags)
{
	char *path = path_get_user(upath, at_flags & AT_EMPTY_PATH), *name = NULL;
	struct exec *x;
	long err;

	if (IS_ERR(path))
		return PTR_ERR(path);
	x = exec_new();
	err = x ? nproc_check() : -ENOMEM;
	if (!err && dirfd != AT_FDCWD && *path != '/') {
		name = descriptor_name(dirfd, path);
		err = name ? 0 : -ENOMEM;
	}
	if (!err)
		err = exec_args_from_user(&x->args, argv, envp);
	if (!err)
		err = image_open(&x->main, dirfd, path, at_flags);
	if (!err)
		err = run(x, name ? name : path);
	kfree(name);
	if (x)
		exec_free(x);
	path_put_user(path);
	return err;
}

SYSCALL_DEFINE3(execve, const char __user *, path, const u64 __user *, argv, const u64 __user *,
		envp)
{
	return do_execveat(AT_FDCWD, path, argv, envp, 0);
}

SYSCALL_DEFINE5(execveat, int, dirfd, const char __user *, path, const u64 __user *, argv,
		const u64 __user *, envp, int, flags)
{
	if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	return do_execveat(dirfd, path, argv, envp, flags);
}
