/* SPDX-License-Identifier: MIT
 *
 * Writing a user namespace's maps, and who may: user_namespaces(7), "Defining user and group ID mappings".
 *
 * A map is written once. Whoever has CAP_SETUID (CAP_SETGID) in the parent namespace may map any of the parent's
 * ids; everybody else may map one id, their own, and for groups only after giving setgroups() up for good:
 * a group that is left can be one that a file denies something to.
 */
#include <kern/err.h>
#include <kern/string.h>
#include <kernel/user_namespace.h>
#include <mm/slab.h>

/* ---- parsing ---- */

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static char *skip_spaces(char *p)
{
	while (is_space(*p))
		p++;
	return p;
}

/* A decimal number at *p, which moves behind it and the blanks that must follow; last: the text's end will do. */
static bool parse_id(char **p, bool last, u32 *id)
{
	char *at = skip_spaces(*p);
	u64 value = 0;

	for (; *at >= '0' && *at <= '9'; at++)
		value = value * 10 + (u64)(*at - '0');
	if (!is_space(*at) && !(last && !*at))
		return false;
	*id = (u32)value;
	*p = skip_spaces(at);
	return true;
}

static bool parse_extent(char *line, struct id_extent *e)
{
	if (!parse_id(&line, false, &e->first) || !parse_id(&line, false, &e->lower) ||
	    !parse_id(&line, true, &e->count) || *line)
		return false;
	/* No id is ID_NONE, and none of the two ranges is empty or wraps. */
	return e->first != ID_NONE && e->lower != ID_NONE && e->first + e->count > e->first &&
	       e->lower + e->count > e->lower;
}

static bool overlap(u32 a, u32 count_a, u32 b, u32 count_b)
{
	return a < b ? b - a < count_a : a - b < count_b;
}

/* nr extents of text, which must be all of it; -EINVAL: they make no map. */
static int parse_map(char *text, struct id_extent *extents)
{
	int nr = 0;

	while (text) {
		struct id_extent *e = &extents[nr];
		char *next = strchr(text, '\n');

		if (next) {
			*next++ = 0;
			if (!*next)
				next = NULL;
		}
		if (nr == ID_EXTENTS_MAX || !parse_extent(text, e))
			return -EINVAL;
		for (const struct id_extent *o = extents; o < e; o++)
			if (overlap(o->first, o->count, e->first, e->count) ||
			    overlap(o->lower, o->count, e->lower, e->count))
				return -EINVAL;
		nr++;
		text = next;
	}
	return nr;
}

/* ---- who may ---- */

/* Root of the parent may appear in a child only by whoever could have given a file capabilities there. */
static bool may_map_root(const struct user_namespace *ns, const struct cred *opener,
			 const struct id_extent *extents, int nr)
{
	for (int i = 0; i < nr; i++)
		if (!extents[i].lower)
			return ns == opener->user_ns
				       ? ns->creator_setfcap
				       : cred_capable(opener, ns->parent, CAP_SETFCAP);
	return true;
}

/* extents still have the parent's ids. ns->lock held. */
static bool may_map(const struct user_namespace *ns, bool gids, const struct cred *opener,
		    const struct id_extent *extents, int nr)
{
	int cap = gids ? CAP_SETGID : CAP_SETUID;

	if (!gids && !may_map_root(ns, opener, extents, nr))
		return false;
	if (nr == 1 && extents[0].count == 1 && ns->owner == opener->euid) {
		if (!gids && make_kuid(ns->parent, extents[0].lower) == opener->euid)
			return true;
		if (gids && !ns->setgroups &&
		    make_kgid(ns->parent, extents[0].lower) == opener->egid)
			return true;
	}
	return ns_capable(ns->parent, cap) && cred_capable(opener, ns->parent, cap);
}

/* ---- writing ---- */

/* The parent's ids become kernel ids. False: some extent is not inside one of the parent's. */
static bool lower_to_kernel(struct id_extent *extents, int nr, const struct id_map *parent)
{
	for (struct id_extent *e = extents; e < extents + nr; e++) {
		e->lower = id_map_down(parent, e->lower, e->count);
		if (e->lower == ID_NONE)
			return false;
	}
	return true;
}

/* A map that could be ns's; not -errno: how many extents. ns->lock held. */
static int make_map(struct user_namespace *ns, bool gids, const struct cred *opener, char *text,
		    struct id_extent *extents)
{
	const struct id_map *parent = gids ? &ns->parent->gid_map : &ns->parent->uid_map;
	int nr;

	if (opener->user_ns != ns && opener->user_ns != ns->parent)
		return -EPERM;
	if ((gids ? ns->gid_map.nr : ns->uid_map.nr) || !cred_capable(opener, ns, CAP_SYS_ADMIN))
		return -EPERM;
	nr = parse_map(text, extents);
	if (nr < 0)
		return nr;
	if (!may_map(ns, gids, opener, extents, nr) || !lower_to_kernel(extents, nr, parent))
		return -EPERM;
	return nr;
}

int user_ns_write_map(struct user_namespace *ns, bool gids, const struct cred *opener, char *text)
{
	struct id_map *map = gids ? &ns->gid_map : &ns->uid_map;
	struct id_extent *extents;
	int nr;

	extents = kmalloc(ID_EXTENTS_MAX * sizeof(*extents), GFP_KERNEL);
	if (!extents)
		return -ENOMEM;
	mutex_lock(&ns->lock);
	nr = make_map(ns, gids, opener, text, extents);
	if (nr > 0) {
		map->extents = extents;
		__atomic_store_n(&map->nr, (unsigned int)nr, __ATOMIC_RELEASE);
	}
	mutex_unlock(&ns->lock);
	if (nr > 0)
		return 0;
	kfree(extents);
	return nr;
}

/* ---- setgroups ---- */

int user_ns_set_setgroups(struct user_namespace *ns, bool allow)
{
	int err = 0;

	mutex_lock(&ns->lock);
	if (allow ? !ns->setgroups : ns->gid_map.nr != 0)
		err = -EPERM;
	else if (!allow)
		WRITE_ONCE(ns->setgroups, false);
	mutex_unlock(&ns->lock);
	return err;
}

bool user_ns_may_setgroups(const struct user_namespace *ns)
{
	return READ_ONCE(ns->gid_map.nr) && READ_ONCE(ns->setgroups);
}
