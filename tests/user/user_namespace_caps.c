/* SPDX-License-Identifier: MIT
 *
 * What the capabilities of a user namespace's members are good for: its own processes and settings, and nothing
 * that belongs to the machine.
 */
#include "userns.h"
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/swap.h>

#define USER 1003
#define MAP "0 1000 10\n"

static void machine(void)
{
	struct timespec ts = { 0, 0 };
	struct rlimit rl;

	MUST(!setresgid(0, 0, 0) && !setresuid(0, 0, 0));
	CHECK(caps_of(0).effective >> 40 & 1);
	CHECK_ERR(mount("none", scratch_dir(), "tmpfs", 0, NULL), EPERM);
	CHECK_ERR(umount("/proc"), EPERM);
	CHECK_ERR(sethostname("x", 1), EPERM);
	CHECK_ERR(clock_settime(CLOCK_REALTIME, &ts), EPERM);
	CHECK_ERR(reboot(RB_DISABLE_CAD), EPERM);
	CHECK_ERR(swapoff("/nonexistent"), EPERM);
	CHECK_ERR(mknod(scratch("dev"), S_IFCHR | 0600, 0x103), EPERM);
	MUST(!getrlimit(RLIMIT_NOFILE, &rl));
	rl.rlim_max++;
	CHECK_ERR(setrlimit(RLIMIT_NOFILE, &rl), EPERM);
	CHECK_ERR(setpriority(PRIO_PROCESS, 0, -1), EACCES);
	CHECK_OK(open("/proc/self/uid_map", O_RDONLY));
}

FORKED_TEST(of_machine, "mount, host name, clock, reboot, swap, devices, hard limits: EPERM")
{
	MUST(!chmod(scratch_dir(), 0777));
	in_namespace(USER, MAP, MAP, machine);
}

static void own(void)
{
	struct caps c = caps_of(0);

	MUST(!setresgid(0, 0, 0) && !setresuid(0, 0, 0));
	CHECK_OK(prctl(PR_CAPBSET_DROP, 5, 0, 0, 0));
	CHECK_EQ(prctl(PR_CAPBSET_READ, 5), 0);
	c.effective &= ~2ULL;
	CHECK_EQ(caps_set(c), 0);
	CHECK_EQ(caps_of(0).effective, c.effective);
	CHECK_OK(prctl(PR_SET_SECUREBITS, 0, 0, 0, 0));
	CHECK_OK(chroot(scratch_dir()));
}

FORKED_TEST(of_self, "one's own bounding set, capability sets, secure bits and root can be changed")
{
	MUST(!chmod(scratch_dir(), 0755));
	in_namespace(USER, MAP, MAP, own);
}

/* A child that waits for its end, after entering a namespace (which somebody else maps) or staying outside. */
static pid_t sleeper(bool inside, struct baton *entered)
{
	pid_t pid = fork_checked();

	if (!pid) {
		if (inside)
			MUST(!unshare(CLONE_NEWUSER));
		baton_pass(entered);
		for (;;)
			pause();
	}
	baton_take(entered);
	return pid;
}

static void reap_killed(pid_t pid)
{
	CHECK_EQ(WTERMSIG(wait_for(pid)), SIGKILL);
}

FORKED_TEST(
	owner,
	"whoever owns a namespace has every capability in it, also over those with other ids there")
{
	struct baton entered = baton_new();
	pid_t pid;

	become(USER);
	pid = sleeper(true, &entered);
	MUST(!put(proc_of(pid, "uid_map"), "0 1003 1"));
	CHECK_EQ(caps_of(0).effective, 0);
	CHECK_EQ(caps_of(pid).effective & 1, 1);
	CHECK_OK(open(proc_of(pid, "maps"), O_RDONLY));
	CHECK_OK(readlink(proc_of(pid, "ns/user"), (char[32]){ 0 }, 32));
	CHECK_OK(setpriority(PRIO_PROCESS, pid, 19));
	CHECK_OK(kill(pid, SIGKILL));
	reap_killed(pid);
}

static pid_t target;

static void stranger(void)
{
	struct rlimit rl;

	MUST(!setresgid(0, 0, 0) && !setresuid(0, 0, 0) && !prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	CHECK_ERR(kill(target, SIGKILL), EPERM);
	CHECK_ERR(kill(target, 0), EPERM);
	CHECK_ERR(setpriority(PRIO_PROCESS, target, 5), EPERM);
	CHECK_EQ(SYS(prlimit64, target, RLIMIT_NOFILE, NULL, &rl), -EPERM);
	CHECK_ERR(open(proc_of(target, "maps"), O_RDONLY), EACCES);
	CHECK_ERR(readlink(proc_of(target, "exe"), (char[32]){ 0 }, 32), EACCES);
}

FORKED_TEST(outside, "nothing towards a process outside, or in another namespace")
{
	struct baton entered = baton_new();

	target = sleeper(false, &entered);
	in_namespace(USER, MAP, MAP, stranger);
	CHECK_OK(kill(target, SIGKILL));
	reap_killed(target);
	target = sleeper(true, &entered);
	MUST(!put(proc_of(target, "uid_map"), "0 2000 1"));
	in_namespace(USER, MAP, MAP, stranger);
	CHECK_OK(kill(target, SIGKILL));
	reap_killed(target);
}

static void same_user(void)
{
	CHECK_OK(kill(target, 0)); /* the same kernel id */
	CHECK_ERR(open(proc_of(target, "maps"), O_RDONLY), EACCES);
}

FORKED_TEST(same_id, "a process outside with the same user can be signalled but not inspected")
{
	struct baton entered = baton_new();

	target = fork_checked();
	if (!target) {
		become(USER);
		baton_pass(&entered);
		for (;;)
			pause();
	}
	baton_take(&entered);
	in_namespace(USER, MAP, MAP, same_user);
	CHECK_OK(kill(target, SIGKILL));
	reap_killed(target);
}

static void inner_family(void)
{
	pid_t pid = fork_checked();

	if (!pid) {
		MUST(!setresuid(7, 7, 7));
		for (;;)
			pause();
	}
	sleep_ms(20);
	CHECK_OK(setpriority(PRIO_PROCESS, pid, 19));
	CHECK_OK(kill(pid, SIGKILL));
	reap_killed(pid);
}

FORKED_TEST(inside, "CAP_KILL and CAP_SYS_NICE towards another user of the same namespace")
{
	in_namespace(USER, MAP, MAP, inner_family);
}

static char *program;

static void run(const char *arg)
{
	pid_t pid = fork_checked();

	if (!pid) {
		execl(program, program, arg, (char *)NULL);
		_exit(99);
	}
	CHECK_EQ(wait_for(pid), 0);
}

static void exec_inside(void)
{
	run("none"); /* 3 is not root: an exec takes the capabilities */
	MUST(!setresuid(0, 0, 0));
	run("all");
	MUST(!setresuid(3, 3, 0));
	run("none");
}

FORKED_TEST(exec, "execve leaves all capabilities to the namespace's root and none to others")
{
	in_namespace(USER, MAP, MAP, exec_inside);
}

static void exec_setuid(void)
{
	run("euid 65534"); /* owner not mapped: the bit is ignored, and we are unmapped ourselves */
}

static void exec_setuid_mapped(void)
{
	run("euid 9");
}

FORKED_TEST(set_user_id, "the set-user-ID bit counts when the file's owner has an id there")
{
	char *copy = strdup(scratch("setuid")), *own = program;
	static char data[1 << 20];
	int fd = open(program, O_RDONLY);
	ssize_t n = read(fd, data, sizeof(data));

	MUST(!chmod(scratch_dir(), 0755));
	MUST(n > 0 && n < (ssize_t)sizeof(data));
	write_file(copy, data, (size_t)n, 0755);
	program = copy;
	MUST(!chown(copy, 2000, 0) && !chmod(copy, 04755));
	in_namespace(USER, "5 1004 1", MAP, exec_setuid);
	MUST(!chown(copy, 1009, 1000) && !chmod(copy, 04755));
	in_namespace(USER, MAP, MAP, exec_setuid_mapped);
	program = own;
}

/* What the program looks at when a test has executed it. 0: as the word says. */
static int look(const char *word)
{
	unsigned int euid;

	if (!strcmp(word, "all"))
		return !(caps_of(0).effective >> 40 & 1);
	if (!strcmp(word, "none"))
		return caps_of(0).effective || caps_of(0).permitted;
	return sscanf(word, "euid %u", &euid) != 1 || geteuid() != euid ||
	       getauxval(AT_EUID) != euid;
}

int main(int argc, char **argv)
{
	static char self[256];
	ssize_t n;

	if (argc > 1)
		return look(argv[1]);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	MUST(n > 0);
	program = self;
	return run_tests();
}
