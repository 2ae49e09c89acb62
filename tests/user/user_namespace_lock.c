/* SPDX-License-Identifier: MIT
 *
 * CAP_IPC_LOCK lifts RLIMIT_MEMLOCK in the initial user namespace only: root of a namespace of one's own is bound
 * like everybody else.
 */
#include "userns.h"
#include <sys/shm.h>

#define LIMIT 16 /* pages */
#define CAP_IPC_LOCK_BIT (1ULL << 14)

/* Root of a namespace, in an ordinary user's eyes still that user. */
static char *namespace_root(size_t pages)
{
	char *p = lonely_anon(pages);

	ordinary_user(LIMIT * PAGE);
	unshare_as(0);
	CHECK_EQ(geteuid(), 0);
	CHECK(caps_of(0).effective & CAP_IPC_LOCK_BIT);
	return p;
}

FORKED_TEST(mlock_, "mlock and mlock2 beyond the limit are ENOMEM, up to it they succeed")
{
	char *p = namespace_root(32);

	CHECK_EQ(SYS(mlock, p, (LIMIT + 1) * PAGE), -ENOMEM);
	CHECK_EQ(onfault(p, (LIMIT + 1) * PAGE), -ENOMEM);
	CHECK_EQ(vmlck(), 0);
	CHECK_EQ(SYS(mlock, p, LIMIT * PAGE), 0);
	CHECK_EQ(SYS(mlock, p + LIMIT * PAGE, PAGE), -ENOMEM);
	CHECK_EQ(vmlck(), LIMIT);
}

FORKED_TEST(zero, "a limit of 0 is EPERM")
{
	char *p = namespace_root(1);

	set_memlock(0);
	CHECK_EQ(SYS(mlock, p, PAGE), -EPERM);
	CHECK_EQ(SYS(mlock, p, 0), -EPERM);
	CHECK_EQ(SYS(mlockall, MCL_CURRENT), -EPERM);
	CHECK_EQ(SYS(mlockall, MCL_FUTURE), -EPERM);
	CHECK_EQ(SYS(munlockall), 0);
}

FORKED_TEST(mlockall_,
	    "mlockall(CURRENT) of more than the limit is ENOMEM; FUTURE binds later mappings")
{
	char *p = namespace_root(64);

	CHECK_EQ(SYS(mlockall, MCL_CURRENT), -ENOMEM);
	CHECK_EQ(SYS(mlock, p, (LIMIT - 1) * PAGE), 0);
	CHECK_EQ(SYS(mlockall, MCL_FUTURE), 0);
	CHECK_EQ(SYS(mmap, NULL, 2 * PAGE, RW, ANON, -1, 0), -EAGAIN);
	CHECK_EQ(SYS(mmap, NULL, 2 * PAGE, RW, ANON | MAP_LOCKED, -1, 0), -EAGAIN);
	CHECK(SYS(mmap, NULL, PAGE, RW, ANON, -1, 0) > 0);
}

FORKED_TEST(of_root, "root itself is bound once it is in a namespace")
{
	char *p = lonely_anon(32);

	set_memlock(LIMIT * PAGE);
	CHECK_EQ(SYS(mlock, p, 32 * PAGE), 0);
	CHECK_EQ(SYS(munlock, p, 32 * PAGE), 0);
	unshare_as(0);
	CHECK_EQ(SYS(mlock, p, (LIMIT + 1) * PAGE), -ENOMEM);
	CHECK_EQ(SYS(mlock, p, LIMIT * PAGE), 0);
}

FORKED_TEST(raise_limit,
	    "and may not raise its hard limit: CAP_SYS_RESOURCE is the initial one, too")
{
	struct rlimit rl = { LIMIT * PAGE, LIMIT * PAGE };

	namespace_root(1);
	MUST(!setrlimit(RLIMIT_MEMLOCK, &rl));
	rl.rlim_max += PAGE;
	CHECK_ERR(setrlimit(RLIMIT_MEMLOCK, &rl), EPERM);
	rl.rlim_max = rl.rlim_cur = LIMIT * PAGE / 2;
	CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &rl));
	CHECK_ERR(setpriority(PRIO_PROCESS, 0, -1), EACCES);
}

FORKED_TEST(shm_own,
	    "SHM_LOCK of one's own segment up to the limit; beyond it ENOMEM, at limit 0 EPERM")
{
	int small, large;

	namespace_root(1);
	small = shmget(IPC_PRIVATE, LIMIT * PAGE, 0600 | IPC_CREAT);
	large = shmget(IPC_PRIVATE, (LIMIT + 1) * PAGE, 0600 | IPC_CREAT);
	MUST(small >= 0 && large >= 0);
	CHECK_ERR(shmctl(large, SHM_LOCK, NULL), ENOMEM);
	CHECK_OK(shmctl(small, SHM_LOCK, NULL));
	CHECK_OK(shmctl(small, SHM_UNLOCK, NULL));
	set_memlock(0);
	CHECK_ERR(shmctl(small, SHM_LOCK, NULL), EPERM);
	CHECK_OK(shmctl(small, IPC_RMID, NULL));
	CHECK_OK(shmctl(large, IPC_RMID, NULL));
}

FORKED_TEST(shm_other, "SHM_LOCK and SHM_UNLOCK of root's segment: EPERM")
{
	int id = shmget(IPC_PRIVATE, PAGE, 0666 | IPC_CREAT);

	MUST(id >= 0);
	IN_CHILD
	{
		namespace_root(1);
		CHECK_ERR(shmctl(id, SHM_LOCK, NULL), EPERM);
		CHECK_ERR(shmctl(id, SHM_UNLOCK, NULL), EPERM);
		CHECK_ERR(shmctl(id, IPC_RMID, NULL), EPERM);
	}
	CHECK_OK(shmctl(id, IPC_RMID, NULL));
}

TEST_MAIN()
