/* SPDX-License-Identifier: MIT
 *
 * Identity: user and group ids and capability sets (Linux's rules, capabilities(7)). A task's
 * identity is its own; C libraries change that of all threads by a signal.
 */
#include <arch/uaccess.h>
#include <fs/vfs.h>
#include <kern/err.h>
#include <kern/string.h>
#include <kernel/cred.h>
#include <kernel/syscall.h>
#include <kernel/user.h>

#define KEEP ((u32)-1) /* in set*id calls: leave this one */

bool capable(int cap)
{
	return (current->cred.cap_effective >> cap) & 1;
}

bool current_in_group(u32 gid)
{
	const struct cred *c = &current->cred;

	if (c->fsgid == gid)
		return true;
	for (u32 n = 0; n < c->ngroups; n++)
		if (c->groups[n] == gid)
			return true;
	return false;
}

/* ---- the rules ---- */

/* User ids changed: capabilities follow root's coming and going. */
static void fix_capabilities(struct cred *new, const struct cred *old)
{
	u32 secure = current->securebits;
	bool was_root = old->uid == 0 || old->euid == 0 || old->suid == 0;
	bool is_root = new->uid == 0 || new->euid == 0 || new->suid == 0;

	if (secure & SECBIT_NO_SETUID_FIXUP)
		return;
	if (was_root && !is_root) {
		if (!(secure & SECBIT_KEEP_CAPS)) {
			new->cap_permitted = 0;
			new->cap_effective = 0;
		}
		new->cap_ambient = 0;
	}
	if (old->euid == 0 && new->euid != 0)
		new->cap_effective = 0;
	if (old->euid != 0 && new->euid == 0)
		new->cap_effective = new->cap_permitted;
}

/* The caller becomes new. 0, or -EAGAIN: no memory to count the user's tasks with. */
static int commit_creds(const struct cred *new)
{
	struct task *self = current;
	struct user *user = NULL;

	if (new->uid != self->user->uid) {
		user = user_find(new->uid);
		if (!user)
			return -EAGAIN;
	}
	if (new->euid != self->cred.euid || new->egid != self->cred.egid ||
	    new->fsuid != self->cred.fsuid || new->fsgid != self->cred.fsgid ||
	    (new->cap_permitted & ~self->cred.cap_permitted)) {
		self->process->dumpable = false;
		self->pdeath_signal = 0;
	}
	spin_lock(&tasklist_lock);
	self->cred = *new;
	spin_unlock(&tasklist_lock);
	if (user) {
		struct user *old = self->user;

		atomic_inc(&user->tasks);
		atomic_dec(&old->tasks);
		self->user = user;
		user_put(old);
		self->nproc_exceeded = user_over_nproc();
	}
	return 0;
}

void cred_after_exec(struct cred *new, const struct inode *inode, bool nosuid, bool *secure)
{
	const struct cred *old = &current->cred;
	u32 securebits = current->securebits, mode = inode->mode;
	bool changed;

	*new = *old;
	if (!nosuid && !current->no_new_privs) {
		if (mode & S_ISUID)
			new->euid = inode->uid;
		if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
			new->egid = inode->gid;
	}
	new->suid = new->fsuid = new->euid;
	new->sgid = new->fsgid = new->egid;
	changed = new->euid != old->euid || new->egid != old->egid;

	if (changed)
		new->cap_ambient = 0;
	new->cap_permitted = new->cap_ambient;
	new->cap_effective = new->cap_ambient;
	if (!(securebits & SECBIT_NOROOT) && (new->uid == 0 || new->euid == 0)) {
		new->cap_permitted |= old->cap_inheritable | old->cap_bounding;
		if (new->euid == 0)
			new->cap_effective = new->cap_permitted;
	}
	*secure = changed || new->uid != new->euid || new->gid != new->egid;
}

/* ---- user ids ---- */

SYSCALL_DEFINE0(getuid)
{
	return current->cred.uid;
}

SYSCALL_DEFINE0(geteuid)
{
	return current->cred.euid;
}

SYSCALL_DEFINE0(getgid)
{
	return current->cred.gid;
}

SYSCALL_DEFINE0(getegid)
{
	return current->cred.egid;
}

static int commit_uids(struct cred *new)
{
	fix_capabilities(new, &current->cred);
	return commit_creds(new);
}

SYSCALL_DEFINE1(setuid, u32, uid)
{
	struct cred new = current->cred;

	if (uid == KEEP)
		return -EINVAL;
	if (capable(CAP_SETUID))
		new.uid = new.suid = uid;
	else if (uid != new.uid && uid != new.suid)
		return -EPERM;
	new.euid = new.fsuid = uid;
	return commit_uids(&new);
}

SYSCALL_DEFINE2(setreuid, u32, ruid, u32, euid)
{
	const struct cred *old = &current->cred;
	struct cred new = *old;
	bool any = capable(CAP_SETUID);

	if (ruid != KEEP) {
		if (!any && ruid != old->uid && ruid != old->euid)
			return -EPERM;
		new.uid = ruid;
	}
	if (euid != KEEP) {
		if (!any && euid != old->uid && euid != old->euid && euid != old->suid)
			return -EPERM;
		new.euid = euid;
	}
	if (ruid != KEEP || (euid != KEEP && euid != old->uid))
		new.suid = new.euid;
	new.fsuid = new.euid;
	return commit_uids(&new);
}

static bool is_one_of(u32 id, u32 a, u32 b, u32 c)
{
	return id == KEEP || id == a || id == b || id == c;
}

SYSCALL_DEFINE3(setresuid, u32, ruid, u32, euid, u32, suid)
{
	const struct cred *o = &current->cred;
	struct cred new = *o;

	if (!capable(CAP_SETUID) && !(is_one_of(ruid, o->uid, o->euid, o->suid) &&
				      is_one_of(euid, o->uid, o->euid, o->suid) &&
				      is_one_of(suid, o->uid, o->euid, o->suid)))
		return -EPERM;
	if (ruid != KEEP)
		new.uid = ruid;
	if (euid != KEEP)
		new.euid = euid;
	if (suid != KEEP)
		new.suid = suid;
	new.fsuid = new.euid;
	return commit_uids(&new);
}

static int put_three(u32 a, u32 __user *ua, u32 b, u32 __user *ub, u32 c, u32 __user *uc)
{
	return put_user_u32(a, ua) || put_user_u32(b, ub) || put_user_u32(c, uc) ? -EFAULT : 0;
}

SYSCALL_DEFINE3(getresuid, u32 __user *, ruid, u32 __user *, euid, u32 __user *, suid)
{
	const struct cred *c = &current->cred;

	return put_three(c->uid, ruid, c->euid, euid, c->suid, suid);
}

/* Returns the old one, whatever happened. */
SYSCALL_DEFINE1(setfsuid, u32, uid)
{
	struct cred new = current->cred;
	u32 old = new.fsuid;

	if (uid == KEEP || uid == old ||
	    (!capable(CAP_SETUID) && uid != new.uid &&uid != new.euid &&uid != new.suid))
		return old;
	new.fsuid = uid;
	if (!(current->securebits & SECBIT_NO_SETUID_FIXUP)) {
		if (old == 0)
			new.cap_effective &= ~CAP_FS_SET;
		else if (uid == 0)
			new.cap_effective |= new.cap_permitted &CAP_FS_SET;
	}
	(void)commit_creds(&new);
	return old;
}

/* ---- group ids ---- */

SYSCALL_DEFINE1(setgid, u32, gid)
{
	struct cred new = current->cred;

	if (gid == KEEP)
		return -EINVAL;
	if (capable(CAP_SETGID))
		new.gid = new.sgid = gid;
	else if (gid != new.gid && gid != new.sgid)
		return -EPERM;
	new.egid = new.fsgid = gid;
	return commit_creds(&new);
}

SYSCALL_DEFINE2(setregid, u32, rgid, u32, egid)
{
	const struct cred *old = &current->cred;
	struct cred new = *old;
	bool any = capable(CAP_SETGID);

	if (rgid != KEEP) {
		if (!any && rgid != old->gid && rgid != old->egid)
			return -EPERM;
		new.gid = rgid;
	}
	if (egid != KEEP) {
		if (!any && egid != old->gid && egid != old->egid && egid != old->sgid)
			return -EPERM;
		new.egid = egid;
	}
	if (rgid != KEEP || (egid != KEEP && egid != old->gid))
		new.sgid = new.egid;
	new.fsgid = new.egid;
	return commit_creds(&new);
}

SYSCALL_DEFINE3(setresgid, u32, rgid, u32, egid, u32, sgid)
{
	const struct cred *o = &current->cred;
	struct cred new = *o;

	if (!capable(CAP_SETGID) && !(is_one_of(rgid, o->gid, o->egid, o->sgid) &&
				      is_one_of(egid, o->gid, o->egid, o->sgid) &&
				      is_one_of(sgid, o->gid, o->egid, o->sgid)))
		return -EPERM;
	if (rgid != KEEP)
		new.gid = rgid;
	if (egid != KEEP)
		new.egid = egid;
	if (sgid != KEEP)
		new.sgid = sgid;
	new.fsgid = new.egid;
	return commit_creds(&new);
}

SYSCALL_DEFINE3(getresgid, u32 __user *, rgid, u32 __user *, egid, u32 __user *, sgid)
{
	const struct cred *c = &current->cred;

	return put_three(c->gid, rgid, c->egid, egid, c->sgid, sgid);
}

SYSCALL_DEFINE1(setfsgid, u32, gid)
{
	struct cred new = current->cred;
	u32 old = new.fsgid;

	if (gid == KEEP || (!capable(CAP_SETGID) &&
			    gid != new.gid &&gid != new.egid &&gid != new.sgid &&gid != old))
		return old;
	new.fsgid = gid;
	(void)commit_creds(&new);
	return old;
}

SYSCALL_DEFINE2(getgroups, int, size, u32 __user *, list)
{
	const struct cred *c = &current->cred;

	if (size < 0)
		return -EINVAL;
	if (size) {
		if ((u32)size < c->ngroups)
			return -EINVAL;
		if (copy_to_user(list, c->groups, c->ngroups * sizeof(u32)))
			return -EFAULT;
	}
	return (long)c->ngroups;
}

/* Fewer groups than Linux's 65,536: EINVAL beyond, as there. */
SYSCALL_DEFINE2(setgroups, int, size, const u32 __user *, list)
{
	struct cred *c = &current->cred;
	u32 groups[ARRAY_SIZE(c->groups)];

	if (!capable(CAP_SETGID))
		return -EPERM;
	if ((u32)size > ARRAY_SIZE(groups))
		return -EINVAL;
	if (copy_from_user(groups, list, (u32)size * sizeof(u32)))
		return -EFAULT;
	spin_lock(&tasklist_lock);
	memcpy(c->groups, groups, (u32)size * sizeof(u32));
	c->ngroups = (u32)size;
	spin_unlock(&tasklist_lock);
	return 0;
}

/* ---- capabilities ---- */

/* Reads the header. *words: how many 32-bit data blocks this version has. 0, -EFAULT, -EINVAL. */
static int read_cap_header(struct cap_user_header __user *uheader, struct cap_user_header *h,
			   unsigned int *words)
{
	if (copy_from_user(h, uheader, sizeof(*h)))
		return -EFAULT;
	switch (h->version) {
	case _LINUX_CAPABILITY_VERSION_1:
		*words = 1;
		return 0;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3:
		*words = 2;
		return 0;
	}
	if (put_user_u32(_LINUX_CAPABILITY_VERSION_3, &uheader->version))
		return -EFAULT;
	return -EINVAL;
}

SYSCALL_DEFINE2(capget, struct cap_user_header __user *, uheader, struct cap_user_data __user *,
		udata)
{
	struct cap_user_header h;
	struct cap_user_data data[2];
	struct cred c;
	unsigned int words, i;
	struct task *t;
	int err = read_cap_header(uheader, &h, &words);

	/* Asking which version there is, is no error. */
	if (err == -EINVAL && !udata)
		return 0;
	if (err)
		return err;
	if (h.pid < 0)
		return -EINVAL;
	spin_lock(&tasklist_lock);
	t = h.pid ? task_find(h.pid) : current;
	if (t)
		c = t->cred;
	spin_unlock(&tasklist_lock);
	if (!t)
		return -ESRCH;
	if (!udata)
		return 0;
	for (i = 0; i < 2; i++)
		data[i] = (struct cap_user_data){ (u32)(c.cap_effective >> (32 * i)),
						  (u32)(c.cap_permitted >> (32 * i)),
						  (u32)(c.cap_inheritable >> (32 * i)) };
	return copy_to_user(udata, data, words * sizeof(data[0])) ? -EFAULT : 0;
}

SYSCALL_DEFINE2(capset, struct cap_user_header __user *, uheader,
		const struct cap_user_data __user *, udata)
{
	struct cap_user_data data[2] = { 0 };
	struct cred new = current->cred;
	struct cap_user_header h;
	unsigned int words;
	u64 eff, perm, inh;
	int err = read_cap_header(uheader, &h, &words);

	if (err)
		return err;
	if (h.pid && h.pid != current->tid)
		return -EPERM;
	if (copy_from_user(data, udata, words * sizeof(data[0])))
		return -EFAULT;
	eff = (data[0].effective | (u64)data[1].effective << 32) & CAP_FULL_SET;
	perm = (data[0].permitted | (u64)data[1].permitted << 32) & CAP_FULL_SET;
	inh = (data[0].inheritable | (u64)data[1].inheritable << 32) & CAP_FULL_SET;

	if (!capable(CAP_SETPCAP) && (inh & ~(new.cap_inheritable | new.cap_permitted)))
		return -EPERM;
	if (inh & ~(new.cap_inheritable | new.cap_bounding))
		return -EPERM;
	if ((perm & ~new.cap_permitted) || (eff & ~perm))
		return -EPERM;
	new.cap_effective = eff;
	new.cap_permitted = perm;
	new.cap_inheritable = inh;
	new.cap_ambient &= perm &inh;
	return commit_creds(&new);
}
