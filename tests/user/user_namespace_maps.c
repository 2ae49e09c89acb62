/* SPDX-License-Identifier: MIT
 *
 * /proc/PID/uid_map, gid_map and setgroups: what they show, what can be written, and by whom.
 */
#include "userns.h"

#define USER 1234

FORKED_TEST(initial, "the initial namespace's map is all ids to themselves and cannot be written")
{
	CHECK_STR(slurp("/proc/self/uid_map"), "         0          0 4294967295\n");
	CHECK_STR(slurp("/proc/self/gid_map"), "         0          0 4294967295\n");
	CHECK_STR(slurp("/proc/self/setgroups"), "allow\n");
	CHECK_EQ(put("/proc/self/uid_map", "0 0 1\n"), -EPERM);
	CHECK_EQ(put("/proc/self/gid_map", "0 0 1\n"), -EPERM);
}

FORKED_TEST(empty, "a new namespace has no maps: ids read as the overflow id")
{
	uid_t r, e, s;

	MUST(!unshare(CLONE_NEWUSER));
	CHECK_STR(slurp("/proc/self/uid_map"), "");
	CHECK_STR(slurp("/proc/self/gid_map"), "");
	CHECK_EQ(getuid(), OVERFLOW);
	CHECK_EQ(getegid(), OVERFLOW);
	MUST(!getresuid(&r, &e, &s));
	CHECK(r == OVERFLOW && e == OVERFLOW && s == OVERFLOW);
	CHECK_EQ(proc_value("/proc/sys/kernel/overflowuid", ""), OVERFLOW);
	CHECK_EQ(proc_value("/proc/sys/kernel/overflowgid", ""), OVERFLOW);
	CHECK_ERR(setuid(0), EINVAL);
	CHECK_ERR(setgid(0), EINVAL);
}

FORKED_TEST(own, "anybody maps their own id, once; group only after setgroups is denied")
{
	become(USER);
	MUST(!unshare(CLONE_NEWUSER));
	CHECK_EQ(put("/proc/self/uid_map", "0 1233 1\n"), -EPERM);
	CHECK_EQ(put("/proc/self/uid_map", "0 1234 2\n"), -EPERM);
	CHECK_EQ(put("/proc/self/uid_map", "0 0 1\n"), -EPERM);
	CHECK_EQ(put("/proc/self/uid_map", "0 1234 1\n1 1235 1\n"), -EPERM);
	CHECK_EQ(put("/proc/self/uid_map", "  7\t1234  1 "), 0);
	CHECK_EQ(put("/proc/self/uid_map", "7 1234 1\n"), -EPERM);
	CHECK_STR(slurp("/proc/self/uid_map"), "         7       1234          1\n");
	CHECK_EQ(getuid(), 7);
	CHECK_EQ(put("/proc/self/gid_map", "7 1234 1\n"), -EPERM);
	CHECK_EQ(put("/proc/self/setgroups", "deny"), 0);
	CHECK_EQ(put("/proc/self/setgroups", "allow"), -EPERM);
	CHECK_EQ(put("/proc/self/gid_map", "8 1234 1\n"), 0);
	CHECK_STR(slurp("/proc/self/gid_map"), "         8       1234          1\n");
	CHECK_EQ(getgid(), 8);
	CHECK_STR(slurp("/proc/self/setgroups"), "deny\n");
	CHECK_ERR(setgroups(0, NULL), EPERM);
}

/* The first in a new namespace that has to be refused with EINVAL. */
static const char *const no_maps[] = {
	"",
	" ",
	"\n",
	"0",
	"0 0",
	"0 0 0",
	"0 0 x",
	"x 0 1",
	"0 -1 1",
	"0 0 1 1",
	"0 0 1x",
	"0,0,1",
	"4294967295 0 1",
	"0 4294967295 1",
	"4294967294 0 2",
	"0 4294967290 10",
	"0 1 1\n\n",
	"0 1 1\n\n1 2 1\n",
	"0 1 2\n1 5 1\n",
	"0 1 2\n5 2 1\n",
	"0 1 1\n0 1 1\n",
};

FORKED_TEST(syntax, "what is no map: EINVAL")
{
	struct baton entered = baton_new(), done = baton_new();
	const char *path;
	pid_t pid = fork_checked();

	if (!pid) {
		MUST(!unshare(CLONE_NEWUSER));
		baton_pass(&entered);
		baton_take(&done);
		child_exit();
	}
	baton_take(&entered);
	path = proc_of(pid, "uid_map");
	for (size_t i = 0; i < sizeof(no_maps) / sizeof(no_maps[0]); i++)
		if (put(path, no_maps[i]) != -EINVAL)
			FAIL("\"%s\" is %d, want EINVAL", no_maps[i], put(path, no_maps[i]));
	CHECK_STR(slurp(path), "");
	CHECK_EQ(put(path, "0 1 1\n 10\t20 30 \n4294967293 0 1"), 0);
	CHECK_STR(slurp(path), "         0          1          1\n"
			       "        10         20         30\n"
			       "4294967293          0          1\n");
	baton_pass(&done);
	reap_checked(pid);
}

/* nr lines "i i+1000 1". */
static const char *lines(int nr)
{
	static char text[8192];
	size_t len = 0;

	for (int i = 0; i < nr; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%d %d 1\n", i, 2 * i);
	return text;
}

FORKED_TEST(many, "340 lines are a map, 341 or a page are not; each line counts")
{
	struct baton entered = baton_new(), done = baton_new();
	const char *path;
	pid_t pid = fork_checked();
	char page[PAGE + 1];

	if (!pid) {
		MUST(!unshare(CLONE_NEWUSER));
		baton_pass(&entered);
		baton_take(&done);
		CHECK_EQ(getuid(), 0);
		CHECK_ERR(setresuid(340, -1, -1), EINVAL);
		CHECK_OK(setresuid(339, 6, 5));
		CHECK_EQ(getuid(), 339);
		child_exit();
	}
	baton_take(&entered);
	path = proc_of(pid, "uid_map");
	memset(page, ' ', sizeof(page));
	page[PAGE] = 0;
	CHECK_EQ(put(path, page), -EINVAL);
	CHECK_EQ(put(path, lines(341)), -EINVAL);
	CHECK_EQ(put(path, lines(340)), 0);
	baton_pass(&done);
	reap_checked(pid);
}

FORKED_TEST(position, "only the beginning of the file can be written")
{
	MUST(!unshare(CLONE_NEWUSER));
	int fd = open("/proc/self/uid_map", O_RDWR);

	MUST(fd >= 0);
	CHECK_EQ(lseek(fd, 1, SEEK_SET), 1);
	CHECK_ERR(write(fd, "0 0 1\n", 6), EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_ERR(write(fd, (void *)KERNEL_ADDRESS, 5), EFAULT);
	CHECK_EQ(write(fd, "0 0 1\n", 6), 6);
	CHECK_ERR(write(fd, "1 1 1\n", 6), EINVAL);
	CHECK_EQ(getuid(), 0);
}

FORKED_TEST(setgroups_file, "setgroups: words and nothing else; decided once there is a gid_map")
{
	MUST(!unshare(CLONE_NEWUSER));
	CHECK_EQ(put("/proc/self/setgroups", "den"), -EINVAL);
	CHECK_EQ(put("/proc/self/setgroups", "denyx"), -EINVAL);
	CHECK_EQ(put("/proc/self/setgroups", "allow  \n"), -EINVAL);
	CHECK_EQ(put("/proc/self/setgroups", "allow\n"), 0);
	CHECK_ERR(setgroups(0, NULL), EPERM);
	CHECK_EQ(put("/proc/self/setgroups", "deny \n"), 0);
	CHECK_STR(slurp("/proc/self/setgroups"), "deny\n");
	CHECK_EQ(put("/proc/self/setgroups", "deny"), 0);
	CHECK_EQ(put("/proc/self/setgroups", "allow"), -EPERM);
	/* A namespace below one that denies starts with it. */
	MUST(!put("/proc/self/uid_map", "0 0 1") && !put("/proc/self/gid_map", "0 0 1"));
	MUST(!unshare(CLONE_NEWUSER));
	CHECK_STR(slurp("/proc/self/setgroups"), "deny\n");
}

static void groups_allowed(void)
{
	gid_t set[2] = { 3, 5 }, got[4], outside = 11;

	CHECK_EQ(put("/proc/self/setgroups", "deny"), -EPERM);
	CHECK_OK(setgroups(2, set));
	CHECK_EQ(getgroups(4, got), 2);
	CHECK(got[0] == 3 && got[1] == 5);
	CHECK_ERR(setgroups(1, &outside), EINVAL);
	CHECK(strstr(slurp("/proc/self/status"), "\nGroups:\t3 5 \n"));
}

FORKED_TEST(groups, "with a gid_map that root wrote setgroups works, for groups in the map")
{
	in_namespace(0, "0 0 1", "0 0 10", groups_allowed);
}

FORKED_TEST(parents_view, "the right-hand numbers are the reader's, for its own map the parent's")
{
	struct baton entered = baton_new(), done = baton_new();
	pid_t pid = fork_checked();

	if (!pid) {
		MUST(!unshare(CLONE_NEWUSER));
		baton_pass(&entered);
		baton_take(&done);
		CHECK_STR(slurp("/proc/self/uid_map"), "         0       1000         10\n");
		MUST(!setresuid(0, 0, 0));
		MUST(!prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
		MUST(!unshare(CLONE_NEWUSER));
		CHECK_EQ(put("/proc/self/uid_map", "5 0 1"), 0);
		CHECK_STR(slurp("/proc/self/uid_map"), "         5          0          1\n");
		baton_pass(&entered);
		baton_take(&done);
		child_exit();
	}
	baton_take(&entered);
	CHECK_EQ(put(proc_of(pid, "uid_map"), "0 1000 10"), 0);
	CHECK_EQ(put(proc_of(pid, "gid_map"), "0 0 10"), 0);
	baton_pass(&done);
	baton_take(&entered);
	CHECK_STR(slurp(proc_of(pid, "uid_map")), "         5       1000          1\n");
	baton_pass(&done);
	reap_checked(pid);
}

FORKED_TEST(outsider, "a map is written from inside or from the parent namespace only")
{
	struct baton entered = baton_new(), done = baton_new();
	pid_t pid = fork_checked();

	if (!pid) {
		MUST(!unshare(CLONE_NEWUSER));
		MUST(!put("/proc/self/uid_map", "0 0 1"));
		MUST(!put("/proc/self/setgroups", "deny") && !put("/proc/self/gid_map", "0 0 1"));
		MUST(!unshare(CLONE_NEWUSER));
		baton_pass(&entered);
		baton_take(&done);
		child_exit();
	}
	baton_take(&entered);
	CHECK_EQ(put(proc_of(pid, "uid_map"), "0 0 1"), -EPERM); /* a grandparent */
	baton_pass(&done);
	reap_checked(pid);
}

FORKED_TEST(handed_over,
	    "the opener's privileges count: a file opened by somebody else maps nothing more")
{
	struct baton entered = baton_new(), done = baton_new();
	pid_t pid;
	int fd;

	pid = fork_checked();
	if (!pid) {
		become(USER);
		MUST(!unshare(CLONE_NEWUSER));
		baton_pass(&entered);
		baton_take(&done);
		child_exit();
	}
	baton_take(&entered);
	/* The user opens, root writes. */
	IN_CHILD
	{
		MUST(!setegid(USER) && !seteuid(USER));
		fd = open(proc_of(pid, "uid_map"), O_WRONLY);
		MUST(fd >= 0);
		MUST(!seteuid(0));
		CHECK_ERR(write(fd, "0 0 10", 6), EPERM);
		CHECK_EQ(write(fd, "0 1234 1", 8), 8);
	}
	baton_pass(&done);
	reap_checked(pid);
}

TEST_MAIN()
