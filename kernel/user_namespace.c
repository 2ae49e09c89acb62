/* SPDX-License-Identifier: MIT
 *
 * User namespaces: their life, entering one, looking ids up in their maps.
 */
#include <fs/vfs.h>
#include <kern/string.h>
#include <kernel/cred.h>
#include <kernel/user_namespace.h>
#include <mm/mm.h>
#include <mm/slab.h>

#define FIRST_INO 0xf0000000U /* Linux's first dynamic number of a namespace */
#define INIT_INO 0xeffffffdU

static const struct id_extent all_ids = { 0, 0, ID_NONE };

struct user_namespace init_user_ns = {
	.ino = INIT_INO,
	.refs = REFCOUNT_INIT(1),
	.lock = MUTEX_INIT(init_user_ns.lock),
	.setgroups = true,
	.uid_map = { 1, &all_ids },
	.gid_map = { 1, &all_ids },
};

/* ---- life ---- */

void user_ns_get_slow(struct user_namespace *ns)
{
	refcount_inc(&ns->refs);
}

/* Its ancestors may have nobody else. */
void user_ns_put_slow(struct user_namespace *ns)
{
	while (ns != &init_user_ns && refcount_dec_and_test(&ns->refs)) {
		struct user_namespace *parent = ns->parent;

		kfree((void *)ns->uid_map.extents);
		kfree((void *)ns->gid_map.extents);
		kfree(ns);
		ns = parent;
	}
}

struct user_namespace *task_get_user_ns(struct task *t)
{
	struct user_namespace *ns;

	spin_lock(&tasklist_lock);
	ns = t->cred.user_ns;
	user_ns_get(ns);
	spin_unlock(&tasklist_lock);
	return ns;
}

/* Whoever comes into a namespace has every capability there and none elsewhere. */
static void enter(struct cred *new, struct user_namespace *ns)
{
	new->user_ns = ns;
	new->cap_effective = new->cap_permitted = new->cap_bounding = CAP_FULL_SET;
	new->cap_inheritable = new->cap_ambient = 0;
}

int user_ns_create(struct cred *new)
{
	static u32 last_ino = FIRST_INO;
	struct user_namespace *parent = new->user_ns, *ns;

	if (parent->level + 1 > USER_NS_MAX_LEVEL)
		return -ENOSPC;
	/* In a chroot one could make a directory the root that the mount namespace hides. */
	if (fs_context_chrooted(current->fs) || from_kuid(parent, new->euid) == ID_NONE ||
	    from_kgid(parent, new->egid) == ID_NONE)
		return -EPERM;
	ns = kzalloc(sizeof(*ns), GFP_KERNEL);
	if (!ns)
		return -ENOMEM;
	ns->parent = parent;
	user_ns_get(parent);
	ns->level = parent->level + 1;
	ns->owner = new->euid;
	ns->group = new->egid;
	ns->ino = __atomic_add_fetch(&last_ino, 1, __ATOMIC_RELAXED);
	refcount_set(&ns->refs, 1);
	ns->creator_setfcap = new->cap_effective >> CAP_SETFCAP & 1;
	mutex_init(&ns->lock);
	ns->setgroups = READ_ONCE(parent->setgroups);
	enter(new, ns);
	return 0;
}

/* ---- entering ---- */

bool user_ns_may_unshare(void)
{
	const struct list_head *threads = &current->process->threads;

	/* Without a lock: who is alone stays alone. */
	return READ_ONCE(threads->next) == READ_ONCE(threads->prev);
}

int user_ns_enter(struct user_namespace *ns)
{
	struct cred new = current->cred;

	if (ns == new.user_ns || !user_ns_may_unshare() || task_shares_fs())
		return -EINVAL;
	if (!ns_capable(ns, CAP_SYS_ADMIN))
		return -EPERM;
	user_ns_get(ns);
	enter(&new, ns);
	return commit_creds(&new);
}

/* ---- ids ---- */

u32 id_map_down(const struct id_map *map, u32 id, u32 count)
{
	unsigned int nr = __atomic_load_n(&map->nr, __ATOMIC_ACQUIRE);

	for (const struct id_extent *e = map->extents; e < map->extents + nr; e++)
		if (id - e->first < e->count && count <= e->count - (id - e->first))
			return e->lower + (id - e->first);
	return ID_NONE;
}

u32 id_map_up(const struct id_map *map, u32 kernel_id)
{
	unsigned int nr = __atomic_load_n(&map->nr, __ATOMIC_ACQUIRE);

	for (const struct id_extent *e = map->extents; e < map->extents + nr; e++)
		if (kernel_id - e->lower < e->count)
			return e->first + (kernel_id - e->lower);
	return ID_NONE;
}

u32 id_map_show(const struct id_map *map, u32 kernel_id)
{
	u32 id = id_map_up(map, kernel_id);

	return id != ID_NONE ? id : OVERFLOW_ID;
}
