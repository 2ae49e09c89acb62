/* SPDX-License-Identifier: MIT
 *
 * Ids inside a user namespace: what calls take and show, and that the kernel goes by what they stand for outside.
 */
#include "userns.h"
#include <sys/shm.h>

#define MAP "0 1000 10\n100 5000 1\n"
#define USER 1003 /* 3 inside */

static char *path_of[3]; /* owned by 1003, by 5000, by nobody in the map */

static void files_new(void)
{
	static const int owner[3] = { USER, 5000, 77 };

	for (int i = 0; i < 3; i++) {
		char name[8];

		snprintf(name, sizeof(name), "f%d", i);
		path_of[i] = strdup(scratch(name));
		write_file(path_of[i], "x", 1, 0600);
		MUST(!chown(path_of[i], owner[i], owner[i]));
	}
}

static void set_ids(void)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	CHECK_EQ(getuid(), 3);
	CHECK_EQ(getegid(), 3);
	CHECK_ERR(setuid(10), EINVAL);
	CHECK_ERR(setuid(99), EINVAL);
	CHECK_ERR(setresuid(1, 11, -1), EINVAL);
	CHECK_ERR(setreuid(-1, 101), EINVAL);
	CHECK_ERR(setgid(10), EINVAL);
	CHECK_ERR(setresgid(1, 11, -1), EINVAL);
	CHECK_EQ(SYS(setfsuid, 55), 3);
	CHECK_EQ(SYS(setfsuid, -1), 3);
	CHECK_OK(setresgid(1, 2, 100));
	CHECK_OK(setresuid(1, 2, 100));
	MUST(!getresuid(&r, &e, &s) && !getresgid(&rg, &eg, &sg));
	CHECK(r == 1 && e == 2 && s == 100);
	CHECK(rg == 1 && eg == 2 && sg == 100);
	CHECK(strstr(slurp("/proc/self/status"), "\nUid:\t1\t2\t100\t2\n"));
	CHECK(strstr(slurp("/proc/self/status"), "\nGid:\t1\t2\t100\t2\n"));
}

FORKED_TEST(set,
	    "set*id takes ids of the namespace, others are EINVAL; all are shown as they are there")
{
	in_namespace(USER, MAP, MAP, set_ids);
}

static void root_drops(void)
{
	CHECK_OK(setresgid(0, 0, 0));
	CHECK_OK(setresuid(0, 0, 0));
	CHECK(caps_of(0).effective & 1);
	CHECK_OK(seteuid(5));
	CHECK_EQ(caps_of(0).effective, 0);
	CHECK(caps_of(0).permitted != 0);
	CHECK_OK(seteuid(0));
	CHECK(caps_of(0).effective & 1);
	CHECK_OK(setuid(5));
	CHECK_EQ(caps_of(0).permitted, 0);
	CHECK_ERR(setuid(0), EPERM);
}

FORKED_TEST(root, "capabilities come and go with the namespace's root")
{
	in_namespace(USER, MAP, MAP, root_drops);
}

static void see_files(void)
{
	static const unsigned int shown[3] = { 3, 100, OVERFLOW };
	struct stat st;

	for (int i = 0; i < 3; i++) {
		CHECK_OK(stat(path_of[i], &st));
		CHECK_EQ(st.st_uid, shown[i]);
		CHECK_EQ(st.st_gid, shown[i]);
	}
	/* Capabilities reach what is mapped. */
	CHECK_OK(open(path_of[0], O_RDWR));
	CHECK_OK(open(path_of[1], O_RDWR));
	CHECK_ERR(open(path_of[2], O_RDONLY), EACCES);
	CHECK_OK(chmod(path_of[1], 0640));
	CHECK_ERR(chmod(path_of[2], 0640), EPERM);
	CHECK_OK(chown(path_of[1], 5, 6));
	CHECK_ERR(chown(path_of[1], 50, -1), EINVAL);
	CHECK_ERR(chown(path_of[1], -1, 50), EINVAL);
	CHECK_ERR(chown(path_of[2], 5, 5), EPERM);
	CHECK_ERR(chown(path_of[2], 50, 5), EINVAL);
	MUST(!stat(path_of[1], &st));
	CHECK(st.st_uid == 5 && st.st_gid == 6);
}

FORKED_TEST(files, "stat and chown translate; privilege over an inode only when its ids are mapped")
{
	struct stat st;

	files_new();
	in_namespace(USER, MAP, MAP, see_files);
	MUST(!stat(path_of[1], &st));
	CHECK(st.st_uid == 1005 && st.st_gid == 1006);
	CHECK_EQ(st.st_mode & 07777, 0640);
}

static void see_own(void)
{
	struct stat st;
	int fd = open(path_of[0], O_RDWR);

	CHECK(fd >= 0); /* as its owner */
	MUST(!fstat(fd, &st));
	CHECK_EQ(st.st_uid, OVERFLOW);
	CHECK_OK(fchmod(fd, 0644));
	CHECK_ERR(open(path_of[1], O_RDONLY), EACCES);
	CHECK_ERR(fchown(fd, 0, -1), EINVAL);
}

FORKED_TEST(no_map, "without maps one is still who one was outside")
{
	files_new();
	in_namespace(USER, NULL, NULL, see_own);
}

static volatile int seen_uid = -1, seen_code;

static void on_signal(int sig UNUSED, siginfo_t *info, void *ctx UNUSED)
{
	seen_uid = (int)info->si_uid;
	seen_code = info->si_code;
}

static void catch_uid(int sig)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	MUST(!sigaction(sig, &sa, NULL));
}

FORKED_TEST(sender, "si_uid of a signal and of waitid is the receiver's number for the sender")
{
	struct baton entered = baton_new(), mapped = baton_new();
	siginfo_t info;
	pid_t pid;

	catch_uid(SIGUSR1);
	pid = fork_checked();
	if (!pid) {
		sigset_t set;

		become(USER);
		MUST(!unshare(CLONE_NEWUSER));
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		MUST(!sigprocmask(SIG_BLOCK, &set, NULL));
		baton_pass(&entered);
		baton_take(&mapped);
		CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
		CHECK_EQ(info.si_uid, OVERFLOW); /* root of outside */
		pid_t inner = fork_checked();

		if (!inner) {
			MUST(!setuid(2));
			child_exit();
		}
		MUST(!waitid(P_PID, inner, &info, WEXITED));
		CHECK_EQ(info.si_uid, 2);
		catch_uid(SIGUSR1);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		MUST(!kill(getpid(), SIGUSR1));
		CHECK_EQ(seen_uid, 3);
		child_exit();
	}
	baton_take(&entered);
	MUST(!put(proc_of(pid, "uid_map"), MAP));
	MUST(!kill(pid, SIGUSR1));
	baton_pass(&mapped);
	MUST(!waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	CHECK_EQ(info.si_uid, USER);
	reap_checked(pid);
}

static void signal_outside(void)
{
	CHECK_OK(setuid(3));
	CHECK_OK(kill(getppid(), SIGUSR1));
}

FORKED_TEST(receiver, "a signal from inside carries the outside id")
{
	catch_uid(SIGUSR1);
	MUST(!setresuid(USER, USER, 0) && !prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) && !seteuid(0));
	in_namespace(USER, MAP, MAP, signal_outside);
	CHECK_EQ(seen_uid, USER);
	CHECK_EQ(seen_code, SI_USER);
}

static int segment_id;

static void see_segment(void)
{
	struct shmid_ds ds;

	MUST(!shmctl(segment_id, IPC_STAT, &ds));
	CHECK_EQ(ds.shm_perm.cuid, OVERFLOW);
	CHECK_EQ(ds.shm_perm.uid, 3);
	CHECK_EQ(ds.shm_perm.gid, 100);
	ds.shm_perm.uid = 50;
	CHECK_ERR(shmctl(segment_id, IPC_SET, &ds), EINVAL);
	ds.shm_perm.uid = 4;
	CHECK_OK(shmctl(segment_id, IPC_SET, &ds));
	CHECK_ERR(shmctl(segment_id, IPC_SET, &ds), EPERM); /* not the owner any more */
}

FORKED_TEST(shm, "shmctl shows and takes ids of the namespace")
{
	struct shmid_ds ds;

	segment_id = shmget(IPC_PRIVATE, PAGE, 0666 | IPC_CREAT);
	MUST(segment_id >= 0 && !shmctl(segment_id, IPC_STAT, &ds));
	ds.shm_perm.uid = USER;
	ds.shm_perm.gid = 5000;
	MUST(!shmctl(segment_id, IPC_SET, &ds));
	in_namespace(USER, MAP, MAP, see_segment);
	MUST(!shmctl(segment_id, IPC_STAT, &ds));
	CHECK_EQ(ds.shm_perm.uid, 1004);
	MUST(!shmctl(segment_id, IPC_RMID, NULL));
}

static void see_parent(void)
{
	struct stat st;

	MUST(!stat(proc_of(getpid(), "status"), &st));
	CHECK_EQ(st.st_uid, 3);
	MUST(!stat(proc_of(getppid(), "status"), &st));
	CHECK_EQ(st.st_uid, OVERFLOW);
	CHECK(strstr(slurp(proc_of(getppid(), "status")), "\nUid:\t65534\t65534\t65534\t65534\n"));
	CHECK_ERR(getpriority(PRIO_USER, 50), ESRCH);
	CHECK_OK(getpriority(PRIO_USER, 3));
}

FORKED_TEST(proc, "the owners and ids of processes in /proc are the reader's")
{
	in_namespace(USER, MAP, MAP, see_parent);
}

TEST_MAIN()
