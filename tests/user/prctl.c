/* SPDX-License-Identifier: MIT
 *
 * prctl: names, death signals, dumpability, capability bounds; arch_prctl.
 */
#include "test.h"
#include <sys/prctl.h>

TEST(name, "PR_SET_NAME and PR_GET_NAME: 15 bytes, seen in /proc/self/comm")
{
	char name[16], old[16];

	MUST(!prctl(PR_GET_NAME, old));
	CHECK_OK(prctl(PR_SET_NAME, "a name that is too long"));
	CHECK_OK(prctl(PR_GET_NAME, name));
	CHECK_STR(name, "a name that is ");
	CHECK_STR(slurp("/proc/self/comm"), "a name that is \n");
	CHECK_OK(prctl(PR_SET_NAME, old));
	CHECK_EQ(SYS(prctl, PR_SET_NAME, KERNEL_ADDRESS), -EFAULT);
}

TEST(pdeathsig, "PR_SET_PDEATHSIG: the child gets the signal when its parent exits")
{
	int p[2];
	char c = 0;

	MUST(!pipe(p));
	pid_t middle = fork_checked();

	if (!middle) {
		int ready[2];

		MUST(!pipe(ready));
		if (!fork()) {
			close(p[0]);
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			MUST(write(ready[1], "x", 1) == 1);
			sleep_ms(5000);
			if (write(p[1], "late", 4) < 0)
				_exit(1);
			_exit(0);
		}
		MUST(read(ready[0], &c, 1) == 1);
		_exit(0);
	}
	close(p[1]);
	wait_for(middle);
	CHECK_EQ(read(p[0], &c, 1), 0);
	close(p[0]);
}

TEST(dumpable, "PR_GET_DUMPABLE, PR_SET_DUMPABLE")
{
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
	CHECK_OK(prctl(PR_SET_DUMPABLE, 0));
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
	CHECK_ERR(prctl(PR_SET_DUMPABLE, 7), EINVAL);
	CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
}

TEST(capbset, "PR_CAPBSET_READ: CAP_CHOWN is 1, beyond the last EINVAL")
{
	CHECK_EQ(prctl(PR_CAPBSET_READ, 0), 1);
	CHECK_ERR(prctl(PR_CAPBSET_READ, 100), EINVAL);
}

FORKED_TEST(no_new_privs, "PR_SET_NO_NEW_PRIVS can be set, not cleared")
{
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
}

TEST(unknown, "an unknown option is EINVAL")
{
	CHECK_ERR(prctl(99999, 0, 0, 0, 0), EINVAL);
}

TEST(arch, "arch_prctl: FS and GS base")
{
	unsigned long fs = 0, gs = 1, word = 0x1234, old;

	CHECK_EQ(SYS(arch_prctl, 0x1003 /* ARCH_GET_FS */, &fs), 0);
	CHECK(fs != 0);
	CHECK_EQ(SYS(arch_prctl, 0x1004 /* ARCH_GET_GS */, &gs), 0);
	old = gs;
	CHECK_EQ(SYS(arch_prctl, 0x1001 /* ARCH_SET_GS */, &word), 0);
	unsigned long got;

	__asm__ volatile("movq %%gs:0, %0" : "=r"(got));
	CHECK_EQ(got, 0x1234);
	CHECK_EQ(SYS(arch_prctl, 0x1004, &gs), 0);
	CHECK_EQ(gs, &word);
	/* It survives a switch to another process. */
	IN_CHILD
	{
		sleep_ms(1);
		__asm__ volatile("movq %%gs:0, %0" : "=r"(got));
		CHECK_EQ(got, 0x1234);
	}
	__asm__ volatile("movq %%gs:0, %0" : "=r"(got));
	CHECK_EQ(got, 0x1234);
	CHECK_EQ(SYS(arch_prctl, 0x1001, KERNEL_ADDRESS), -EPERM);
	CHECK_EQ(SYS(arch_prctl, 0x1002, KERNEL_ADDRESS), -EPERM);
	CHECK_EQ(SYS(arch_prctl, 0x1001, old), 0);
	CHECK_EQ(SYS(arch_prctl, 0x9999, 0), -EINVAL);
}

TEST_MAIN()
