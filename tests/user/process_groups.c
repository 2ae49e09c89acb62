/* SPDX-License-Identifier: MIT
 *
 * Process groups and sessions.
 */
#include "test.h"

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	wait_for(pid);
}

TEST(setpgid_, "setpgid: own group, another's group, both seen by getpgid")
{
	pid_t a = sleeping_child(), b = sleeping_child();

	CHECK_EQ(getpgid(a), getpgrp());
	CHECK_OK(setpgid(a, 0));
	CHECK_EQ(getpgid(a), a);
	CHECK_OK(setpgid(b, a));
	CHECK_EQ(getpgid(b), a);
	CHECK_OK(setpgid(b, getpgrp()));
	end(a);
	end(b);
}

TEST(errors, "setpgid: negative EINVAL, unknown ESRCH, no such group EPERM, not a child ESRCH")
{
	pid_t a = sleeping_child();

	CHECK_ERR(setpgid(a, -1), EINVAL);
	CHECK_ERR(setpgid(4194303, 0), ESRCH);
	CHECK_ERR(setpgid(a, 4194303), EPERM);
	CHECK_ERR(setpgid(getppid(), 0), ESRCH);
	CHECK_ERR(getpgid(4194303), ESRCH);
	CHECK_ERR(getsid(4194303), ESRCH);
	end(a);
}

TEST(after_exec, "a child that has called execve cannot be moved: EACCES")
{
	char *argv[] = { "test", NULL }, *envp[] = { "SLEEP=1", NULL };
	int p[2];
	char c;

	MUST(!pipe2(p, O_CLOEXEC));
	pid_t pid = fork_checked();

	if (!pid) {
		execve("/proc/self/exe", argv, envp);
		_exit(1);
	}
	close(p[1]);
	CHECK_EQ(read(p[0], &c, 1), 0); /* closed by the execve */
	CHECK_ERR(setpgid(pid, pid), EACCES);
	close(p[0]);
	end(pid);
}

TEST(setsid_, "setsid: new session and group; EPERM for a group leader")
{
	IN_CHILD
	{
		pid_t old = getsid(0);

		CHECK_EQ(setsid(), getpid());
		CHECK_EQ(getsid(0), getpid());
		CHECK_EQ(getpgrp(), getpid());
		CHECK(getsid(0) != old);
		CHECK_ERR(setsid(), EPERM);
		/* A session leader cannot change its group. */
		CHECK_ERR(setpgid(0, 0), EPERM);
		/* No controlling terminal. */
		CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
	}
}

TEST(other_session, "a child in another session cannot be moved: EPERM")
{
	int p[2];
	char c;

	MUST(!pipe(p));
	pid_t pid = fork_checked();

	if (!pid) {
		setsid();
		MUST(write(p[1], "x", 1) == 1);
		for (;;)
			pause();
	}
	MUST(read(p[0], &c, 1) == 1);
	CHECK_ERR(setpgid(pid, getpgrp()), EPERM);
	CHECK_EQ(getsid(pid), pid);
	end(pid);
	close(p[0]);
	close(p[1]);
}

TEST(orphaned, "a stopped group that becomes orphaned gets SIGHUP and SIGCONT")
{
	int p[2];
	char c = 0;

	MUST(!pipe(p));
	pid_t middle = fork_checked();

	if (!middle) {
		setsid();
		pid_t pid = fork();

		if (!pid) {
			setpgid(0, 0);
			MUST(write(p[1], "s", 1) == 1);
			kill(getpid(), SIGSTOP);
			/* SIGHUP ends it: the pipe closes without another byte. */
			if (write(p[1], "c", 1) != 1)
				_exit(1);
			_exit(0);
		}
		int status;

		waitpid(pid, &status, WUNTRACED);
		_exit(0);
	}
	close(p[1]);
	CHECK_EQ(read(p[0], &c, 1), 1);
	wait_for(middle);
	CHECK_EQ(read(p[0], &c, 1), 0);
	close(p[0]);
}

int main(void)
{
	if (getenv("SLEEP"))
		for (;;)
			pause();
	return run_tests();
}
