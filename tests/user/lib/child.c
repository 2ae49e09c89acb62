/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "child.h"

#include <errno.h>
#include <unistd.h>

#include "check.h"
#include "files.h"

pid_t fork_checked(void)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid)
		test_failures = 0;
	return pid;
}

void child_exit(void)
{
	scratch_remove();
	_exit(test_failures > 100 ? 100 : test_failures);
}

int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		MUST(errno == EINTR);
	return status;
}

void reap_checked(pid_t pid)
{
	int status = wait_for(pid);

	if (WIFSIGNALED(status))
		FAIL("the child was killed by signal %d", WTERMSIG(status));
	else
		test_failures += WEXITSTATUS(status);
}

pid_t sleeping_child(void)
{
	pid_t pid = fork_checked();

	if (!pid)
		for (;;)
			pause();
	return pid;
}
