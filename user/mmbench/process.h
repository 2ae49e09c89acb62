/* SPDX-License-Identifier: MIT
 *
 * fork, vfork, exec; copy-on-write; signals; two processes or threads that wake each other.
 */
#ifndef USER_MMBENCH_PROCESS_H
#define USER_MMBENCH_PROCESS_H

#include "bench.h"
#include <pthread.h>
#include <signal.h>

#define FUTEX_WAIT_PRIVATE 128
#define FUTEX_WAKE_PRIVATE 129

static const char *self_path; /* of this program */

static void reap(pid_t pid)
{
	MUST(pid > 0 && waitpid(pid, NULL, 0) == pid);
}

static pid_t fork_and_exit(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	return pid;
}

static pid_t vfork_and_exit(void)
{
	pid_t pid = vfork();

	if (!pid)
		_exit(0);
	return pid;
}

static pid_t fork_and_exec(void)
{
	char *argv[] = { (char *)self_path, "--exit", NULL }, *envp[] = { NULL };
	pid_t pid = fork();

	if (!pid) {
		execve(self_path, argv, envp);
		_exit(1);
	}
	return pid;
}

static void bench_fork(void)
{
	samples_begin();
	for (int i = 0; i < 100; i++)
		TIME(reap(fork_and_exit()));
	report("fork.small_exit_wait", 1);
	samples_begin();
	for (int i = 0; i < 100; i++)
		TIME(reap(vfork_and_exit()));
	report("fork.vfork_exit_wait", 1);
	samples_begin();
	for (int i = 0; i < 50; i++)
		TIME(reap(fork_and_exec()));
	report("fork.exec_exit_wait", 1);
}

static void bench_fork_large(void)
{
	char *p = map(64 * MIB, RW, ANON | MAP_POPULATE);
	pid_t pid;

	samples_begin();
	for (int i = 0; i < 5; i++)
		TIME(reap(fork_and_exit()));
	report("fork.64m_exit_wait", PAGES_64M);
	samples_begin();
	for (int i = 0; i < 5; i++) {
		TIME(pid = fork_and_exit());
		reap(pid);
	}
	report("fork.64m_call_only", PAGES_64M);
	munmap(p, 64 * MIB);
}

#define COW_PAGES 1024

static void bench_cow(void)
{
	uint64_t *ticks = mmap(NULL, COW_PAGES * sizeof(*ticks), RW,
			       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	char *p = map(COW_PAGES * PAGE, RW, ANON | MAP_POPULATE);
	pid_t pid = fork();

	MUST(ticks != MAP_FAILED);
	if (!pid) {
		for (int i = 0; i < COW_PAGES; i++)
			ticks[i] = 0;
		for (int i = 0; i < COW_PAGES; i++) {
			uint64_t t = tsc();

			*(volatile char *)(p + i * PAGE) = 2;
			ticks[i] = tsc() - t;
		}
		_exit(0);
	}
	reap(pid);
	samples_begin();
	for (int i = 0; i < COW_PAGES; i++)
		sample(ticks[i]);
	report("fork.cow_child_write", 1);
	samples_begin();
	for (int i = 0; i < COW_PAGES; i++)
		TIME(*(volatile char *)(p + i * PAGE) = 3);
	report("fork.cow_parent_reuse", 1);
	munmap(p, COW_PAGES * PAGE);
	munmap(ticks, COW_PAGES * sizeof(*ticks));
}

static volatile int handled;

static void count_signal(int sig)
{
	(void)sig;
	handled++;
}

static char *volatile locked_page;

static void open_page(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	(void)context;
	if (SYS(mprotect, (unsigned long)si->si_addr & -PAGE, PAGE, RW))
		_exit(1);
}

static void bench_signal(void)
{
	struct sigaction sa = { .sa_handler = count_signal },
			 segv = { .sa_sigaction = open_page, .sa_flags = SA_SIGINFO };
	int pid = getpid(), tid = (int)syscall(SYS_gettid);
	char *p;

	MUST(!sigaction(SIGUSR1, &sa, NULL));
	samples_begin();
	for (int i = 0; i < 500; i++)
		TIME(SYS(tgkill, pid, tid, SIGUSR1));
	report("signal.tgkill_self_handled", 1);
	signal(SIGUSR1, SIG_DFL);

	MUST(!sigaction(SIGSEGV, &segv, NULL));
	p = map(1024 * PAGE, RW, ANON | MAP_POPULATE);
	MUST(!mprotect(p, 1024 * PAGE, PROT_NONE));
	samples_begin();
	for (int i = 0; i < 1024; i++)
		TIME(*(volatile char *)(p + i * PAGE) = 1);
	report("signal.segv_mprotect_seq", 1);
	signal(SIGSEGV, SIG_DFL);
	munmap(p, 1024 * PAGE);
}

static void bench_pipe(void)
{
	int to[2], from[2];
	char c = 0;
	pid_t pid;

	MUST(!pipe(to) && !pipe(from));
	pid = fork();
	if (!pid) {
		close(to[1]);
		while (SYS(read, to[0], &c, 1) == 1)
			if (SYS(write, from[1], &c, 1) != 1)
				break;
		_exit(0);
	}
	close(to[0]);
	samples_begin();
	for (int i = 0; i < 1000; i++)
		TIME(MUST(SYS(write, to[1], &c, 1) == 1 && SYS(read, from[0], &c, 1) == 1));
	report("pipe.pingpong_2processes", 1);
	close(to[1]);
	reap(pid);
	close(from[0]);
	close(from[1]);
}

static volatile int ball; /* whose turn: 0 main, 1 the other thread, 2 the end */

static void hit(int turn)
{
	ball = turn;
	SYS(futex, &ball, FUTEX_WAKE_PRIVATE, 1);
}

static void await(int other)
{
	while (ball == other)
		SYS(futex, &ball, FUTEX_WAIT_PRIVATE, other, NULL);
}

static void *player(void *arg)
{
	for (;;) {
		await(0);
		if (ball == 2)
			return arg;
		hit(0);
	}
}

static void *nothing(void *arg)
{
	return arg;
}

static void bench_thread(void)
{
	pthread_t t;

	ball = 0;
	if (pthread_create(&t, NULL, player, NULL)) {
		unsupported("futex.pingpong_2threads");
		unsupported("thread.create+join");
		return;
	}
	samples_begin();
	for (int i = 0; i < 1000; i++)
		TIME((hit(1), await(1)));
	report("futex.pingpong_2threads", 1);
	hit(2);
	pthread_join(t, NULL);

	/* The yardstick's figure is that of the creation; the join is between the samples. */
	samples_begin();
	for (int i = 0; i < 100; i++) {
		TIME(pthread_create(&t, NULL, nothing, NULL));
		pthread_join(t, NULL);
	}
	report("thread.create+join", 1);
}

#endif
