/* SPDX-License-Identifier: MIT
 *
 * A task that no longer shares its working directory, descriptors or user namespace: unshare.
 */
#include <fs/vfs.h>
#include <kern/err.h>
#include <kernel/cred.h>
#include <kernel/fork.h>
#include <kernel/syscall.h>
#include <kernel/user_namespace.h>
#include <uapi/sched.h>

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
