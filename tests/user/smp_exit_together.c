/* SPDX-License-Identifier: MIT
 *
 * Many processes end at the same moment, on all CPUs: what they had is all given back, which the leak
 * oracle sees. Of two kernel stacks that go at once, one must be the last of its page table.
 */
#include "crew.h"

#define CHILDREN 200
#define ROUNDS 10

/* A child that ends when the pipe's other end is closed. */
static pid_t waiter(const int pipe_fds[2])
{
	pid_t pid = fork();
	char c;

	MUST(pid >= 0);
	if (pid)
		return pid;
	close(pipe_fds[1]);
	_exit(read(pipe_fds[0], &c, 1) == 0 ? 0 : 1);
}

static int round_of_children(void)
{
	pid_t pids[CHILDREN];
	int fds[2], bad = 0;

	MUST(pipe(fds) == 0);
	for (int i = 0; i < CHILDREN; i++)
		pids[i] = waiter(fds);
	close(fds[1]);
	close(fds[0]);
	for (int i = 0; i < CHILDREN; i++) {
		int status = -1;

		MUST(waitpid(pids[i], &status, 0) == pids[i]);
		bad += status != 0;
	}
	return bad;
}

TEST(processes, "200 processes end together, 10 times")
{
	for (int round = 0; round < ROUNDS; round++)
		CHECK_EQ(round_of_children(), 0);
}

TEST_MAIN()
