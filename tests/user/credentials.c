/* SPDX-License-Identifier: MIT
 *
 * User and group ids and capabilities: enough to drop root and stay dropped.
 */
#include "test.h"
#include <grp.h>

#define CAP_VERSION_3 0x20080522
#define CAP_KILL_ 5
#define CAP_SETUID_ 7

struct cap_header {
	uint32_t version;
	int pid;
};

struct cap_data {
	uint32_t effective, permitted, inheritable;
};

static void caps_get(struct cap_data d[2])
{
	struct cap_header h = { CAP_VERSION_3, 0 };

	MUST(SYS(capget, &h, d) == 0);
}

FORKED_TEST(setuid_root, "setuid of root sets all three ids and drops all capabilities")
{
	uid_t r, e, s;
	struct cap_data d[2];

	caps_get(d);
	CHECK(d[0].effective & 1U << CAP_KILL_);
	CHECK_OK(setgid(1234));
	CHECK_OK(setuid(1234));
	MUST(!getresuid(&r, &e, &s));
	CHECK(r == 1234 && e == 1234 && s == 1234);
	caps_get(d);
	CHECK_EQ(d[0].effective, 0);
	CHECK_EQ(d[0].permitted, 0);
	CHECK_ERR(setuid(0), EPERM);
	CHECK_ERR(setgid(0), EPERM);
	CHECK_OK(setuid(1234));
}

FORKED_TEST(seteuid_, "seteuid gives up the effective id and capabilities and can take them back")
{
	struct cap_data d[2];

	CHECK_OK(seteuid(1234));
	CHECK_EQ(geteuid(), 1234);
	CHECK_EQ(getuid(), 0);
	caps_get(d);
	CHECK_EQ(d[0].effective, 0);
	CHECK(d[0].permitted != 0);
	CHECK_OK(seteuid(0));
	caps_get(d);
	CHECK(d[0].effective & 1U << CAP_KILL_);
}

FORKED_TEST(setresuid_, "setresuid: -1 keeps, others only among the three")
{
	uid_t r, e, s;

	CHECK_OK(setresuid(10, 20, 30));
	MUST(!getresuid(&r, &e, &s));
	CHECK(r == 10 && e == 20 && s == 30);
	CHECK_OK(setresuid(-1, 30, -1));
	CHECK_EQ(geteuid(), 30);
	CHECK_ERR(setresuid(-1, 40, -1), EPERM);
	CHECK_OK(setreuid(10, 10));
	CHECK_EQ(geteuid(), 10);
}

FORKED_TEST(groups, "setgroups and getgroups; only root may set")
{
	gid_t set[3] = { 5, 6, 7 }, got[8];

	CHECK_OK(setgroups(3, set));
	CHECK_EQ(getgroups(0, NULL), 3);
	CHECK_EQ(getgroups(8, got), 3);
	CHECK(got[0] == 5 && got[1] == 6 && got[2] == 7);
	CHECK_ERR(getgroups(2, got), EINVAL);
	MUST(!setuid(1234));
	CHECK_ERR(setgroups(1, set), EPERM);
}

FORKED_TEST(files, "another user: permission bits decide")
{
	char *path = scratch("f");

	write_file(path, "x", 1, 0640);
	MUST(!chown(path, 0, 77));
	IN_CHILD
	{
		MUST(!setgroups(0, NULL) && !setgid(99) && !setuid(99));
		CHECK_ERR(open(path, O_RDONLY), EACCES);
		CHECK_ERR(unlink(path), EACCES);
		CHECK_ERR(chmod(path, 0666), EPERM);
		CHECK_ERR(chown(path, 99, 99), EPERM);
		CHECK_ERR(access(path, R_OK), EACCES);
		CHECK_OK(access(path, F_OK));
	}
	IN_CHILD
	{
		MUST(!setgroups(0, NULL) && !setgid(77) && !setuid(99));
		CHECK_OK(open(path, O_RDONLY));
		CHECK_ERR(open(path, O_WRONLY), EACCES);
	}
}

FORKED_TEST(capset_, "capset: dropping is allowed, raising what is not permitted is EPERM")
{
	struct cap_header h = { CAP_VERSION_3, 0 };
	struct cap_data d[2];

	caps_get(d);
	d[0].effective &= ~(1U << CAP_SETUID_);
	CHECK_EQ(SYS(capset, &h, d), 0);
	CHECK_ERR(setresuid(1, 2, 3), EPERM);
	d[0].effective |= 1U << CAP_SETUID_;
	CHECK_EQ(SYS(capset, &h, d), 0);
	d[0].effective = d[0].permitted = 0;
	d[1] = (struct cap_data){ 0, 0, 0 };
	CHECK_EQ(SYS(capset, &h, d), 0);
	d[0].permitted = d[0].effective = 1U << CAP_SETUID_;
	CHECK_EQ(SYS(capset, &h, d), -EPERM);
	h.version = 0x12345678;
	CHECK_EQ(SYS(capget, &h, d), -EINVAL);
	CHECK_EQ(h.version, CAP_VERSION_3);
	CHECK_EQ(SYS(capget, &h, NULL), 0);
	/* Without a place for the answer nobody is looked for. */
	h.pid = -1;
	CHECK_EQ(SYS(capget, &h, NULL), 0);
	CHECK_EQ(SYS(capget, &h, d), -EINVAL);
}

FORKED_TEST(status, "/proc/self/status shows ids and capabilities")
{
	MUST(!setresgid(11, 12, 13) && !setresuid(1, 2, 3));
	char *text = slurp("/proc/self/status");

	MUST(text);
	CHECK(strstr(text, "\nUid:\t1\t2\t3\t2\n"));
	CHECK(strstr(text, "\nGid:\t11\t12\t13\t12\n"));
	CHECK(strstr(text, "\nCapEff:\t0000000000000000\n"));
}

TEST_MAIN()
