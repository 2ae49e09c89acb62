/* SPDX-License-Identifier: MIT
 *
 * RLIMIT_NPROC: a user's fork bomb ends in EAGAIN; root is not bound by it.
 */
#include "test.h"

#define UID 54321

TEST(bomb, "a user with 12 processes allowed gets EAGAIN, and forks again when one is gone")
{
	pid_t bomber = fork_checked();

	if (!bomber) {
		struct rlimit rl = { 12, 12 };
		pid_t pids[32], pid;
		int n = 0;

		MUST(!setrlimit(RLIMIT_NPROC, &rl));
		MUST(!setgid(UID) && !setuid(UID));
		while (n < 32 && (pid = fork()) >= 0) {
			if (!pid)
				for (;;)
					pause();
			pids[n++] = pid;
		}
		CHECK_EQ(errno, EAGAIN);
		CHECK_EQ(n, 11);
		kill(pids[0], SIGKILL);
		wait_for(pids[0]);
		pid = fork();
		if (!pid)
			_exit(0);
		CHECK(pid > 0);
		for (int i = 1; i < n; i++)
			kill(pids[i], SIGKILL);
		for (int i = 1; i <= n; i++)
			waitpid(-1, NULL, 0);
		child_exit();
	}
	reap_checked(bomber);
}

TEST(recursive, "a recursive bomb: every process forks until it cannot; all of them end")
{
	volatile int *failed = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	MUST(failed != MAP_FAILED);
	pid_t bomber = fork_checked();

	if (!bomber) {
		struct rlimit rl = { 30, 30 };

		MUST(!setpgid(0, 0));
		MUST(!setrlimit(RLIMIT_NPROC, &rl));
		MUST(!setgid(UID) && !setuid(UID));
		for (int i = 0; i < 8; i++) {
			pid_t pid = fork();

			if (pid < 0)
				*failed = errno;
		}
		sleep_ms(20); /* so that the others meet the limit */
		while (waitpid(-1, NULL, 0) > 0)
			;
		_exit(7);
	}
	int status = wait_for(bomber);

	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 7);
	CHECK_EQ(*failed, EAGAIN);
	munmap((void *)failed, PAGE);
}

FORKED_TEST(root, "root forks beyond the limit")
{
	struct rlimit rl = { 1, 1 };

	MUST(!setrlimit(RLIMIT_NPROC, &rl));
	IN_CHILD
	{
		CHECK_EQ(getuid(), 0);
	}
}

TEST_MAIN()
