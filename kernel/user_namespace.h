/* SPDX-License-Identifier: MIT
 *
 * User namespaces (user_namespaces(7)): ids and capabilities that mean something to those inside only.
 *
 * The kernel stores and compares one kind of ids, those of the initial namespace ("kernel ids"). A namespace says
 * which of its own ids stand for which of them. Numbers are translated where they come from a program (make_kuid)
 * and where they are shown to one (from_kuid), nowhere else.
 */
#ifndef KERNEL_USER_NAMESPACE_H
#define KERNEL_USER_NAMESPACE_H

#include <kern/atomic.h>
#include <kernel/task.h>
#include <sync/mutex.h>

#define ID_NONE ((u32)-1)    /* no id at all */
#define OVERFLOW_ID 65534U   /* what programs see of an id that their namespace has no number for */
#define USER_NS_MAX_LEVEL 33 /* the initial one is level 0 */
#define ID_EXTENTS_MAX 340   /* lines of a map */

/* Ids [first, first + count) of the namespace are the kernel ids from `lower` on. */
struct id_extent {
	u32 first, lower, count;
};

/* Written once. Empty: no id has a meaning yet. */
struct id_map {
	unsigned int nr; /* [A] set after extents: read it first */
	const struct id_extent *extents;
};

struct user_namespace {
	struct user_namespace *parent; /* [I] one reference; NULL: the initial one */
	unsigned int level;	       /* [I] */
	u32 owner, group;	       /* [I] kernel ids: the creator's effective ones */
	u64 ino;		       /* [I] as in "user:[N]" */
	refcount_t refs; /* [A] tasks, children, open files; the initial one's is not counted */
	bool creator_setfcap; /* [I] the creator had CAP_SETFCAP: may map the parent's root */
	struct mutex lock;    /* the members below, and the map of the kind that is written */
	bool setgroups;	      /* [lock] setgroups() is allowed, once there is a gid_map */
	struct id_map uid_map, gid_map;
};

extern struct user_namespace init_user_ns;

void user_ns_get_slow(struct user_namespace *ns);
void user_ns_put_slow(struct user_namespace *ns);

static inline void user_ns_get(struct user_namespace *ns)
{
	if (unlikely(ns != &init_user_ns))
		user_ns_get_slow(ns);
}

static inline void user_ns_put(struct user_namespace *ns)
{
	if (unlikely(ns != &init_user_ns))
		user_ns_put_slow(ns);
}

/* The namespace of another task, with a reference. Takes tasklist_lock. */
struct user_namespace *task_get_user_ns(struct task *t);

static inline struct user_namespace *current_user_ns(void)
{
	return current->cred.user_ns;
}

/*
 * A child of new's namespace, owned by new's effective ids; new gets it, with a reference, and all capabilities
 * in it. 0, -ENOSPC (too deep), -EPERM (new's ids have no number in the parent, or the caller is in a chroot),
 * -ENOMEM.
 */
int user_ns_create(struct cred *new);
/* The caller has no other threads: all of a process are in one namespace. */
bool user_ns_may_unshare(void);
/* setns(): the caller goes into ns. 0, -EINVAL (it is there, or not alone), -EPERM. */
int user_ns_enter(struct user_namespace *ns);

/* ---- ids ---- */

/* The kernel ids for count ids from id on, which must be in one extent: the first; ID_NONE: there are none. */
u32 id_map_down(const struct id_map *map, u32 id, u32 count);
/* And the other way round, for one. */
u32 id_map_up(const struct id_map *map, u32 kernel_id);

static inline u32 make_kuid(const struct user_namespace *ns, u32 uid)
{
	return likely(ns == &init_user_ns) ? uid : id_map_down(&ns->uid_map, uid, 1);
}

static inline u32 make_kgid(const struct user_namespace *ns, u32 gid)
{
	return likely(ns == &init_user_ns) ? gid : id_map_down(&ns->gid_map, gid, 1);
}

static inline u32 from_kuid(const struct user_namespace *ns, u32 kuid)
{
	return likely(ns == &init_user_ns) ? kuid : id_map_up(&ns->uid_map, kuid);
}

static inline u32 from_kgid(const struct user_namespace *ns, u32 kgid)
{
	return likely(ns == &init_user_ns) ? kgid : id_map_up(&ns->gid_map, kgid);
}

/* For showing: what has no number there becomes OVERFLOW_ID. */
u32 id_map_show(const struct id_map *map, u32 kernel_id);

static inline u32 shown_uid(const struct user_namespace *ns, u32 kuid)
{
	return likely(ns == &init_user_ns) ? kuid : id_map_show(&ns->uid_map, kuid);
}

static inline u32 shown_gid(const struct user_namespace *ns, u32 kgid)
{
	return likely(ns == &init_user_ns) ? kgid : id_map_show(&ns->gid_map, kgid);
}

/* ---- capabilities ---- */

/* The caller has it in its own namespace. */
static inline bool capable_here(int cap)
{
	return current->cred.cap_effective >> cap & 1;
}

/*
 * c has a capability towards a namespace: by its effective set in its own one and in all below; in all below
 * those that its effective user owns, any.
 */
bool cred_capable(const struct cred *c, const struct user_namespace *ns, int cap);

/* ---- /proc/PID/uid_map, gid_map, setgroups: user_ns_map.c ---- */

/*
 * Gives ns, not the initial one, its uid_map or gid_map from text of lines "first lower count", lower in the
 * parent's ids; opener: who opened the file. 0, -EINVAL (the text is no map), -EPERM (ns has one, or the rules for
 * who may map what), -ENOMEM.
 */
int user_ns_write_map(struct user_namespace *ns, bool gids, const struct cred *opener, char *text);
/* allow: as it was; else for good. -EPERM: it is decided. */
int user_ns_set_setgroups(struct user_namespace *ns, bool allow);
/* setgroups() may be called by who has the capability. */
bool user_ns_may_setgroups(const struct user_namespace *ns);

#endif
