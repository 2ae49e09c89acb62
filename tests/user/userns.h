/* SPDX-License-Identifier: MIT
 *
 * What the tests of user namespaces share.
 */
#ifndef TESTS_USER_USERNS_H
#define TESTS_USER_USERNS_H

#include "lock.h"
#include <grp.h>
#include <sched.h>

#define OVERFLOW 65534

/* Writes text to a file in one go, as the maps want it. 0 or -errno. */
static inline int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -errno;
	close(fd);
	return err;
}

/* "/proc/PID/name" in one of 4 static buffers. */
static inline const char *proc_of(pid_t pid, const char *name)
{
	static char path[4][64];
	static int turn;
	char *p = path[turn++ % 4];

	snprintf(p, sizeof(path[0]), "/proc/%d/%s", pid, name);
	return p;
}

/* An unprivileged user with this id, who may open their own files in /proc. */
static inline void become(int id)
{
	MUST(!setgroups(0, NULL) && !setresgid(id, id, id) && !setresuid(id, id, id));
	MUST(!prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

/* Enters a namespace whose only ids are `inside`, for the caller's own. */
static inline void unshare_as(unsigned int inside)
{
	unsigned int uid = geteuid(), gid = getegid();
	char text[64];

	MUST(!unshare(CLONE_NEWUSER));
	snprintf(text, sizeof(text), "%u %u 1\n", inside, uid);
	MUST(!put("/proc/self/uid_map", text));
	MUST(!put("/proc/self/setgroups", "deny"));
	snprintf(text, sizeof(text), "%u %u 1\n", inside, gid);
	MUST(!put("/proc/self/gid_map", text));
}

/* Two processes that wait for each other. */
struct baton {
	int fd[2];
};

static inline struct baton baton_new(void)
{
	struct baton b;

	MUST(!pipe(b.fd));
	return b;
}

static inline void baton_pass(const struct baton *b)
{
	MUST(write(b->fd[1], "x", 1) == 1);
}

static inline void baton_take(const struct baton *b)
{
	char c;

	MUST(read(b->fd[0], &c, 1) == 1);
}

/*
 * Runs fn in a child in a new namespace with these maps (NULL: none), which this process writes; its failed checks
 * are added to ours. The child is another user first, unless as is 0.
 */
static inline void in_namespace(int as, const char *uid_map, const char *gid_map, void (*fn)(void))
{
	struct baton entered = baton_new(), mapped = baton_new();
	pid_t pid = fork_checked();

	if (!pid) {
		if (as)
			become(as);
		MUST(!unshare(CLONE_NEWUSER));
		baton_pass(&entered);
		baton_take(&mapped);
		fn();
		child_exit();
	}
	baton_take(&entered);
	if (uid_map)
		MUST(!put(proc_of(pid, "uid_map"), uid_map));
	if (gid_map)
		MUST(!put(proc_of(pid, "gid_map"), gid_map));
	baton_pass(&mapped);
	reap_checked(pid);
	for (int i = 0; i < 2; i++) {
		close(entered.fd[i]);
		close(mapped.fd[i]);
	}
}

/* Capability sets of the caller, as capget() has them. */
struct caps {
	uint64_t effective, permitted, inheritable;
};

struct cap_words {
	uint32_t effective, permitted, inheritable;
};

#define CAP_VERSION_3 0x20080522

static inline struct caps caps_of(pid_t pid)
{
	struct {
		uint32_t version;
		int pid;
	} h = { CAP_VERSION_3, pid };
	struct cap_words d[2];

	MUST(!SYS(capget, &h, d));
	return (struct caps){ d[0].effective | (uint64_t)d[1].effective << 32,
			      d[0].permitted | (uint64_t)d[1].permitted << 32,
			      d[0].inheritable | (uint64_t)d[1].inheritable << 32 };
}

static inline long caps_set(struct caps c)
{
	struct {
		uint32_t version;
		int pid;
	} h = { CAP_VERSION_3, 0 };
	struct cap_words d[2] = {
		{ (uint32_t)c.effective, (uint32_t)c.permitted, (uint32_t)c.inheritable },
		{ (uint32_t)(c.effective >> 32), (uint32_t)(c.permitted >> 32),
		  (uint32_t)(c.inheritable >> 32) },
	};

	return SYS(capset, &h, d);
}

#endif
