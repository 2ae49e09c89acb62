/* SPDX-License-Identifier: MIT
 *
 * Inodes: life, permissions, times.
 */
#include <fs/internal.h>
#include <kern/string.h>
#include <kernel/cred.h>
#include <kernel/timer.h>
#include <kernel/user_namespace.h>
#include <mm/slab.h>
#include <uapi/capability.h>

static struct kmem_cache *inode_cache;
static u64 next_ino = 1;
static unsigned int next_minor;

void inode_init(void)
{
	inode_cache = kmem_cache_create("inode", sizeof(struct inode), 0);
}

u64 new_anon_dev(void)
{
	return MKDEV(0, __atomic_add_fetch(&next_minor, 1, __ATOMIC_RELAXED));
}

struct inode *inode_alloc(u32 mode, const struct inode_ops *ops, const struct file_ops *fops)
{
	struct inode *i = kmem_cache_alloc(inode_cache, __GFP_ZERO);

	if (!i)
		return NULL;
	i->ino = __atomic_fetch_add(&next_ino, 1, __ATOMIC_RELAXED);
	i->mode = mode;
	i->nlink = 1;
	i->uid = current->cred.fsuid;
	i->gid = current->cred.fsgid;
	i->atime_ns = i->mtime_ns = i->ctime_ns = realtime_ns();
	refcount_set(&i->refs, 1);
	mutex_init(&i->lock);
	i->ops = ops;
	i->fops = fops;
	return i;
}

void inode_get(struct inode *i)
{
	refcount_inc(&i->refs);
}

void inode_put(struct inode *i)
{
	if (!refcount_dec_and_test(&i->refs))
		return;
	if (i->ops && i->ops->release)
		i->ops->release(i);
	if (i->has_mapping)
		mapping_destroy(&i->mapping);
	locks_free(i);
	kmem_cache_free(inode_cache, i);
}

u64 inode_size(const struct inode *i)
{
	if (i->has_mapping)
		return READ_ONCE(i->mapping.size);
	if (!is_tmpfs_inode(i))
		return 0;
	if (S_ISLNK(i->mode))
		return strlen(i->link);
	return S_ISDIR(i->mode) ? 20 * (i->dir.count + 2UL) : 0;
}

bool cred_has_cap(int cap)
{
	/* The kernel's own work at boot has no files context and may do everything. */
	return !current->fs || capable(cap);
}

bool inode_ids_mapped(const struct inode *i, const struct user_namespace *ns)
{
	return from_kuid(ns, i->uid) != ID_NONE && from_kgid(ns, i->gid) != ID_NONE;
}

bool inode_capable(const struct inode *i, int cap)
{
	return !current->fs || (capable_here(cap) && inode_ids_mapped(i, current_user_ns()));
}

int inode_permission(const struct inode *i, int mask)
{
	u32 mode = i->mode;

	if (unlikely(i->ops && i->ops->permission))
		return i->ops->permission(i, mask);
	if (current->cred.fsuid == i->uid)
		mode >>= 6;
	else if (current_in_group(i->gid))
		mode >>= 3;
	if (!(mask & ~mode & 7))
		return 0;
	if (S_ISDIR(i->mode)) {
		if (inode_capable(i, CAP_DAC_OVERRIDE) ||
		    (!(mask & MAY_WRITE) && inode_capable(i, CAP_DAC_READ_SEARCH)))
			return 0;
		return -EACCES;
	}
	if (mask == MAY_READ && inode_capable(i, CAP_DAC_READ_SEARCH))
		return 0;
	/* Even root may only execute what somebody may execute. */
	if ((!(mask & MAY_EXEC) || (i->mode & S_IXUGO)) && inode_capable(i, CAP_DAC_OVERRIDE))
		return 0;
	return -EACCES;
}

bool inode_owner_or_capable(const struct inode *i)
{
	if (current->cred.fsuid == i->uid)
		return true;
	/* The group does not matter. */
	return !current->fs ||
	       (capable_here(CAP_FOWNER) && from_kuid(current_user_ns(), i->uid) != ID_NONE);
}

void inode_touch_atime(struct inode *i)
{
	i->atime_ns = realtime_ns();
}

void inode_modified(struct inode *i)
{
	i->mtime_ns = i->ctime_ns = realtime_ns();
}

void inode_changed(struct inode *i)
{
	i->ctime_ns = realtime_ns();
}

void inode_remove_privs(struct inode *i)
{
	if (likely(!(i->mode & (S_ISUID | S_ISGID))) || cred_has_cap(CAP_FSETID))
		return;
	i->mode &= ~S_ISUID;
	/* Without group execute the bit means mandatory locking and stays. */
	if (i->mode & S_IXGRP)
		i->mode &= ~S_ISGID;
}
