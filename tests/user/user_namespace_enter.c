/* SPDX-License-Identifier: MIT
 *
 * Ways into a user namespace: clone, clone3, unshare, setns, and who may not.
 */
#include "userns.h"
#include <pthread.h>

#define USER 1234

struct clone3_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

TEST(combinations, "with CLONE_FS or CLONE_THREAD: EINVAL")
{
	struct clone3_args a = { .flags = CLONE_NEWUSER | CLONE_FS, .exit_signal = SIGCHLD };

	CHECK_EQ(SYS(clone, CLONE_NEWUSER | CLONE_FS | SIGCHLD, 0, 0, 0, 0), -EINVAL);
	CHECK_EQ(SYS(clone, CLONE_NEWUSER | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, 0, 0, 0, 0),
		 -EINVAL);
	CHECK_EQ(SYS(clone3, &a, sizeof(a)), -EINVAL);
}

static void check_inside(void)
{
	CHECK_EQ(getuid(), OVERFLOW);
	CHECK_EQ(caps_of(0).effective, caps_of(0).permitted);
	CHECK(caps_of(0).effective >> 40 & 1);
	CHECK_EQ(caps_of(0).inheritable, 0);
}

FORKED_TEST(clone_,
	    "clone and clone3: the child is inside with all capabilities, the caller is not")
{
	struct clone3_args a = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	pid_t pid;

	become(USER);
	pid = (pid_t)SYS(clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	if (!pid) {
		check_inside();
		child_exit();
	}
	MUST(pid > 0);
	reap_checked(pid);
	pid = (pid_t)SYS(clone3, &a, sizeof(a));
	if (!pid) {
		check_inside();
		child_exit();
	}
	MUST(pid > 0);
	reap_checked(pid);
	CHECK_EQ(getuid(), USER);
	CHECK_EQ(caps_of(0).effective, 0);
}

static void *waits(void *baton)
{
	baton_take(baton);
	return NULL;
}

FORKED_TEST(threads,
	    "unshare and setns by a process of several threads: EINVAL; a child of vfork() may")
{
	struct baton done = baton_new();
	int fd = open("/proc/self/ns/user", O_RDONLY);
	pthread_t thread;
	long pid;

	MUST(fd >= 0 && !pthread_create(&thread, NULL, waits, &done));
	CHECK_ERR(unshare(CLONE_NEWUSER), EINVAL);
	CHECK_ERR(setns(fd, 0), EINVAL);
	baton_pass(&done);
	MUST(!pthread_join(thread, NULL));
	pid = SYS(clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
	if (!pid)
		raw_syscall(SYS_exit, raw_syscall(SYS_unshare, CLONE_NEWUSER, 0, 0, 0, 0, 0) != 0,
			    0, 0, 0, 0, 0);
	MUST(pid > 0);
	CHECK_EQ(wait_for((pid_t)pid), 0);
	CHECK_EQ(getuid(), 0);
	CHECK_OK(unshare(CLONE_NEWUSER));
}

FORKED_TEST(depth, "a namespace below the 33rd: ENOSPC")
{
	int level;

	for (level = 0; level < 40; level++) {
		if (unshare(CLONE_NEWUSER))
			break;
		MUST(!put("/proc/self/uid_map", "0 0 1") && !put("/proc/self/setgroups", "deny") &&
		     !put("/proc/self/gid_map", "0 0 1"));
	}
	CHECK_EQ(level, 33);
	CHECK_EQ(errno, ENOSPC);
	CHECK_EQ(SYS(clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), -ENOSPC);
}

FORKED_TEST(unmapped, "by somebody without an id in their own namespace, or in a chroot: EPERM")
{
	MUST(!unshare(CLONE_NEWUSER));
	CHECK_ERR(unshare(CLONE_NEWUSER), EPERM);
	CHECK_EQ(SYS(clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), -EPERM);
	MUST(!put("/proc/self/uid_map", "0 0 1"));
	CHECK_ERR(unshare(CLONE_NEWUSER), EPERM);
	MUST(!put("/proc/self/setgroups", "deny") && !put("/proc/self/gid_map", "0 0 1"));
	CHECK_OK(unshare(CLONE_NEWUSER));
}

FORKED_TEST(in_chroot, "in a chroot: EPERM")
{
	MUST(!chroot(scratch_dir()));
	CHECK_ERR(unshare(CLONE_NEWUSER), EPERM);
}

/* "user:[N]" */
static const char *ns_name(const char *path)
{
	static char text[4][64];
	static int turn;
	char *p = text[turn++ % 4];
	ssize_t n = readlink(path, p, sizeof(text[0]) - 1);

	p[n < 0 ? 0 : n] = 0;
	return p;
}

FORKED_TEST(link, "/proc/PID/ns/user: the same name and file for the same namespace")
{
	struct stat st;
	char want[64];
	pid_t pid;

	CHECK_STR(ns_name("/proc/self/ns/user"), ns_name(proc_of(getppid(), "ns/user")));
	MUST(!stat("/proc/self/ns/user", &st));
	snprintf(want, sizeof(want), "user:[%lu]", (unsigned long)st.st_ino);
	CHECK_STR(ns_name("/proc/self/ns/user"), want);
	MUST(!unshare(CLONE_NEWUSER));
	CHECK(strcmp(ns_name("/proc/self/ns/user"), want));
	pid = fork_checked();
	if (!pid)
		child_exit();
	CHECK_STR(ns_name(proc_of(pid, "ns/user")), ns_name("/proc/self/ns/user"));
	/* Outside: nobody of ours. */
	CHECK_ERR(readlink(proc_of(getppid(), "ns/user"), want, sizeof(want)), EACCES);
	reap_checked(pid);
}

static int child_ns;

static void setns_back(void)
{
	CHECK_ERR(setns(child_ns, 0), EPERM); /* the parent's: one never gets out */
	int own = open("/proc/self/ns/user", O_RDONLY);

	MUST(own >= 0);
	CHECK_ERR(setns(own, 0), EINVAL);
}

FORKED_TEST(setns_, "setns: into a child's namespace, not into one's own or its parent's")
{
	struct baton entered = baton_new(), done = baton_new();
	pid_t pid;
	int fd;

	child_ns = open("/proc/self/ns/user", O_RDONLY);
	MUST(child_ns >= 0);
	CHECK_ERR(setns(child_ns, 0), EINVAL);
	CHECK_ERR(setns(-1, 0), EBADF);
	CHECK_ERR(setns(entered.fd[0], 0), EINVAL);
	CHECK_ERR(setns(child_ns, CLONE_NEWNS), EINVAL);
	in_namespace(0, "0 0 1", "0 0 1", setns_back);

	pid = fork_checked();
	if (!pid) {
		MUST(!unshare(CLONE_NEWUSER));
		baton_pass(&entered);
		baton_take(&done);
		child_exit();
	}
	baton_take(&entered);
	MUST(!put(proc_of(pid, "uid_map"), "5 0 1"));
	fd = open(proc_of(pid, "ns/user"), O_RDONLY);
	MUST(fd >= 0);
	baton_pass(&done);
	reap_checked(pid);
	IN_CHILD
	{
		become(USER);
		CHECK_ERR(setns(fd, 0), EPERM);
	}
	CHECK_OK(setns(fd, CLONE_NEWUSER)); /* the file keeps it alive */
	CHECK_EQ(getuid(), 5);
	CHECK_EQ(getgid(), OVERFLOW);
	CHECK(caps_of(0).effective & 1);
}

FORKED_TEST(others, "no other namespace for who may not make one: EPERM")
{
	become(USER);
	CHECK_ERR(unshare(CLONE_NEWUTS), EPERM);
	CHECK_EQ(SYS(clone, CLONE_NEWIPC | SIGCHLD, 0, 0, 0, 0), -EPERM);
}

TEST_MAIN()
