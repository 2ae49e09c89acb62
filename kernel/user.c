/* SPDX-License-Identifier: MIT
 *
 * A table of the users that have tasks. Root's entry is permanent, so the usual fork allocates
 * nothing.
 */
#include <kernel/task.h>
#include <kernel/user.h>
#include <mm/slab.h>
#include <sync/spinlock.h>

#define HASH_SIZE 64

static spinlock_t users_lock = SPINLOCK_INIT;
static struct list_head users[HASH_SIZE]; /* [users_lock] */
static struct user root_user = { .refs = REFCOUNT_INIT(1) };

void user_init(void)
{
	unsigned int i;

	for (i = 0; i < HASH_SIZE; i++)
		INIT_LIST_HEAD(&users[i]);
	list_add(&root_user.node, &users[0]);
}

/* users_lock held. */
static struct user *lookup(u32 uid)
{
	struct user *u;

	list_for_each_entry(u, &users[uid % HASH_SIZE], node)
		if (u->uid == uid && refcount_inc_not_zero(&u->refs))
			return u;
	return NULL;
}

struct user *user_find(u32 uid)
{
	struct user *u, *fresh;

	spin_lock(&users_lock);
	u = lookup(uid);
	spin_unlock(&users_lock);
	if (u)
		return u;

	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	if (!fresh)
		return NULL;
	fresh->uid = uid;
	refcount_set(&fresh->refs, 1);
	spin_lock(&users_lock);
	u = lookup(uid);
	if (!u)
		list_add(&fresh->node, &users[uid % HASH_SIZE]);
	spin_unlock(&users_lock);
	if (!u)
		return fresh;
	kfree(fresh);
	return u;
}

void user_get(struct user *u)
{
	refcount_inc(&u->refs);
}

void user_put(struct user *u)
{
	if (!refcount_dec_and_test(&u->refs))
		return;
	spin_lock(&users_lock);
	list_del(&u->node);
	spin_unlock(&users_lock);
	kfree(u);
}

bool user_over_nproc(void)
{
	u64 limit = READ_ONCE(current->process->rlimits[RLIMIT_NPROC].rlim_cur);

	return (u64)atomic_read(&current->user->tasks) > limit && current->user != &root_user &&
	       !capable(CAP_SYS_RESOURCE) && !capable(CAP_SYS_ADMIN);
}

bool user_charge_locked(struct user *u, unsigned long pages)
{
	u64 limit = READ_ONCE(current->process->rlimits[RLIMIT_MEMLOCK].rlim_cur) >> PAGE_SHIFT;

	if ((u64)atomic_add_return(&u->locked_shm, (long)pages) > limit && !capable(CAP_IPC_LOCK)) {
		atomic_sub(&u->locked_shm, (long)pages);
		return false;
	}
	user_get(u);
	return true;
}

void user_uncharge_locked(struct user *u, unsigned long pages)
{
	atomic_sub(&u->locked_shm, (long)pages);
	user_put(u);
}
