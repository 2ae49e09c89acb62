/* SPDX-License-Identifier: MIT
 *
 * Identity: user and group ids, and what their changes do to the capability sets (Linux's rules, capabilities(7)).
 * A task's identity is its own; C libraries change that of all threads by a signal.
 */
#include <arch/uaccess.h>
#include <fs/vfs.h>
#include <kern/err.h>
#include <kern/string.h>
#include <kernel/cred.h>
#include <kernel/syscall.h>
#include <kernel/user.h>
#include <kernel/user_namespace.h>

#define KEEP ID_NONE /* in set*id calls: leave this one */

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
	u32 secure = current->securebits, root = make_kuid(new->user_ns, 0);
	bool was_root = old->uid == root || old->euid == root || old->suid == root;
	bool is_root = new->uid == root || new->euid == root || new->suid == root;

	if (secure & SECBIT_NO_SETUID_FIXUP)
		return;
	if (was_root && !is_root) {
		if (!(secure & SECBIT_KEEP_CAPS)) {
			new->cap_permitted = 0;
			new->cap_effective = 0;
		}
		new->cap_ambient = 0;
	}
	if (old->euid == root && new->euid != root)
		new->cap_effective = 0;
	if (old->euid != root && new->euid == root)
		new->cap_effective = new->cap_permitted;
}

/* Nothing is permitted to new that was not to old: both in one namespace, or old owns the one new is in. */
static bool gains_nothing(const struct cred *old, const struct cred *new)
{
	if (old->user_ns == new->user_ns)
		return !(new->cap_permitted & ~old->cap_permitted);
	for (const struct user_namespace *ns = new->user_ns; ns->parent; ns = ns->parent)
		if (ns->parent == old->user_ns && ns->owner == old->euid)
			return true;
	return false;
}

int commit_creds(const struct cred *new)
{
	struct task *self = current;
	struct user_namespace *old_ns = self->cred.user_ns;
	struct user *user = NULL;

	if (new->uid != self->user->uid) {
		user = user_find(new->uid);
		if (!user)
			return -EAGAIN;
	}
	if (new->euid != self->cred.euid || new->egid != self->cred.egid ||
	    new->fsuid != self->cred.fsuid || new->fsgid != self->cred.fsgid ||
	    !gains_nothing(&self->cred, new)) {
		self->process->dumpable = false;
		self->pdeath_signal = 0;
	}
	spin_lock(&tasklist_lock);
	self->cred = *new;
	spin_unlock(&tasklist_lock);
	if (new->user_ns != old_ns) {
		self->securebits = 0;
		user_ns_put(old_ns);
	}
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

/* The ids that the file's mode gives. */
static void take_file_ids(struct cred *new, const struct inode *inode)
{
	if (current->no_new_privs || !inode_ids_mapped(inode, new->user_ns))
		return;
	if (inode->mode & S_ISUID)
		new->euid = inode->uid;
	if ((inode->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		new->egid = inode->gid;
}

/*
 * Who gave up gaining anything by execve gains nothing; nor does, but for ids, a program whose root directory another
 * process can change under it.
 */
static void limit_gains(struct cred *new, const struct cred *old)
{
	bool none = current->no_new_privs;

	if (!none && !task_shares_fs())
		return;
	if (none || !capable_here(CAP_SETUID)) {
		new->euid = new->uid;
		new->egid = new->gid;
	}
	new->cap_permitted &= old->cap_permitted;
}

void cred_after_exec(struct cred *new, const struct inode *inode, bool nosuid, bool *secure)
{
	const struct cred *old = &current->cred;
	u32 root = make_kuid(old->user_ns, 0);
	bool changed, effective = false;

	*new = *old;
	if (!nosuid)
		take_file_ids(new, inode);
	changed = new->euid != old->euid || new->egid != old->egid;
	new->cap_permitted = 0;
	if (!(current->securebits & SECBIT_NOROOT) && (new->uid == root || new->euid == root)) {
		new->cap_permitted = old->cap_inheritable | old->cap_bounding;
		effective = new->euid == root;
	}
	if (changed || (new->cap_permitted & ~old->cap_permitted))
		limit_gains(new, old);
	new->suid = new->fsuid = new->euid;
	new->sgid = new->fsgid = new->egid;
	if (changed)
		new->cap_ambient = 0;
	new->cap_permitted |= new->cap_ambient;
	new->cap_effective = effective ? new->cap_permitted : new->cap_ambient;
	*secure = changed || new->uid != new->euid || new->gid != new->egid;
}

/* An argument of set*id becomes a kernel id; KEEP stays. False: the caller's namespace has no such id. */
static bool take_uid(u32 *uid)
{
	u32 given = *uid;

	*uid = make_kuid(current_user_ns(), given);
	return given == KEEP || *uid != ID_NONE;
}

static bool take_gid(u32 *gid)
{
	u32 given = *gid;

	*gid = make_kgid(current_user_ns(), given);
	return given == KEEP || *gid != ID_NONE;
}

/* ---- user ids ---- */

SYSCALL_DEFINE0(getuid)
{
	return shown_uid(current_user_ns(), current->cred.uid);
}

SYSCALL_DEFINE0(geteuid)
{
	return shown_uid(current_user_ns(), current->cred.euid);
}

SYSCALL_DEFINE0(getgid)
{
	return shown_gid(current_user_ns(), current->cred.gid);
}

SYSCALL_DEFINE0(getegid)
{
	return shown_gid(current_user_ns(), current->cred.egid);
}

static int commit_uids(struct cred *new)
{
	fix_capabilities(new, &current->cred);
	return commit_creds(new);
}

SYSCALL_DEFINE1(setuid, u32, uid)
{
	struct cred new = current->cred;

	if (uid == KEEP || !take_uid(&uid))
		return -EINVAL;
	if (capable_here(CAP_SETUID))
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
	bool any = capable_here(CAP_SETUID);

	if (!take_uid(&ruid) || !take_uid(&euid))
		return -EINVAL;
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

	if (!take_uid(&ruid) || !take_uid(&euid) || !take_uid(&suid))
		return -EINVAL;
	if (!capable_here(CAP_SETUID) && !(is_one_of(ruid, o->uid, o->euid, o->suid) &&
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
	const struct user_namespace *ns = c->user_ns;

	return put_three(shown_uid(ns, c->uid), ruid, shown_uid(ns, c->euid), euid,
			 shown_uid(ns, c->suid), suid);
}

/* Returns the old one, whatever happened. */
SYSCALL_DEFINE1(setfsuid, u32, uid)
{
	struct cred new = current->cred;
	u32 old = new.fsuid, shown = shown_uid(new.user_ns, old), root = make_kuid(new.user_ns, 0);

	if (uid == KEEP || !take_uid(&uid) || uid == old ||
	    (!capable_here(CAP_SETUID) && !is_one_of(uid, new.uid, new.euid, new.suid)))
		return shown;
	new.fsuid = uid;
	if (!(current->securebits & SECBIT_NO_SETUID_FIXUP)) {
		if (old == root)
			new.cap_effective &= ~CAP_FS_SET;
		else if (uid == root)
			new.cap_effective |= new.cap_permitted &CAP_FS_SET;
	}
	(void)commit_creds(&new);
	return shown;
}

/* ---- group ids ---- */

SYSCALL_DEFINE1(setgid, u32, gid)
{
	struct cred new = current->cred;

	if (gid == KEEP || !take_gid(&gid))
		return -EINVAL;
	if (capable_here(CAP_SETGID))
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
	bool any = capable_here(CAP_SETGID);

	if (!take_gid(&rgid) || !take_gid(&egid))
		return -EINVAL;
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

	if (!take_gid(&rgid) || !take_gid(&egid) || !take_gid(&sgid))
		return -EINVAL;
	if (!capable_here(CAP_SETGID) && !(is_one_of(rgid, o->gid, o->egid, o->sgid) &&
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
	const struct user_namespace *ns = c->user_ns;

	return put_three(shown_gid(ns, c->gid), rgid, shown_gid(ns, c->egid), egid,
			 shown_gid(ns, c->sgid), sgid);
}

SYSCALL_DEFINE1(setfsgid, u32, gid)
{
	struct cred new = current->cred;
	u32 old = new.fsgid, shown = shown_gid(new.user_ns, old);

	if (gid == KEEP || !take_gid(&gid) ||
	    (!capable_here(CAP_SETGID) && !is_one_of(gid, new.gid, new.egid, new.sgid) &&
	     gid != old))
		return shown;
	new.fsgid = gid;
	(void)commit_creds(&new);
	return shown;
}

SYSCALL_DEFINE2(getgroups, int, size, u32 __user *, list)
{
	const struct cred *c = &current->cred;

	if (size < 0 || (size && (u32)size < c->ngroups))
		return -EINVAL;
	for (u32 n = 0; size && n < c->ngroups; n++)
		if (put_user_u32(shown_gid(c->user_ns, c->groups[n]), &list[n]))
			return -EFAULT;
	return (long)c->ngroups;
}

/* Fewer groups than Linux's 65,536: EINVAL beyond, as there. */
SYSCALL_DEFINE2(setgroups, int, size, const u32 __user *, list)
{
	struct cred *c = &current->cred;
	u32 groups[ARRAY_SIZE(c->groups)];

	if (!capable_here(CAP_SETGID) || !user_ns_may_setgroups(c->user_ns))
		return -EPERM;
	if ((u32)size > ARRAY_SIZE(groups))
		return -EINVAL;
	if (copy_from_user(groups, list, (u32)size * sizeof(u32)))
		return -EFAULT;
	for (int n = 0; n < size; n++)
		if (groups[n] == KEEP || !take_gid(&groups[n]))
			return -EINVAL;
	spin_lock(&tasklist_lock);
	memcpy(c->groups, groups, (u32)size * sizeof(u32));
	c->ngroups = (u32)size;
	spin_unlock(&tasklist_lock);
	return 0;
}
