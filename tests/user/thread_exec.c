/* SPDX-License-Identifier: MIT
 *
 * execve by a process with threads: the new program has one thread, whose tid is the pid whoever called;
 * all others are gone before its first instruction. The program that is executed is this one.
 */
#include "crew.h"

static struct shared {
	_Atomic long ticks;
	atomic_int running;
} * s;
static int shared_fd;
static char program[256]; /* /proc/self/exe goes with the first thread */

static void set_up(const char *what)
{
	if (!s) {
		MUST(readlink("/proc/self/exe", program, sizeof(program) - 1) > 0);
		shared_fd = memfd_create("shared", 0); /* the new program inherits it */
		MUST(shared_fd >= 0 && !ftruncate(shared_fd, PAGE));
		s = mmap(NULL, PAGE, RW, MAP_SHARED, shared_fd, 0);
		MUST(s != MAP_FAILED);
	}
	s->running = 0;
	watchdog(60, what);
}

/* ---- the new program ---- */

/* x PID FD: exits with the number of what is wrong, 0 when nothing is. */
static int new_program(char **argv)
{
	sigset_t mask;
	long before;

	if (getpid() != atoi(argv[1]))
		return 11;
	if (SYS(gettid) != getpid())
		return 12;
	if (proc_value("/proc/self/status", "Threads:") != 1)
		return 13;
	s = mmap(NULL, PAGE, RW, MAP_SHARED, atoi(argv[2]), 0);
	if (s == MAP_FAILED)
		return 14;
	before = s->ticks;
	sleep_ms(3);
	if (s->ticks != before)
		return 15; /* somebody of old is still running */
	sigprocmask(SIG_BLOCK, NULL, &mask);
	if (!sigismember(&mask, SIGUSR2))
		return 16; /* the caller's mask, not another thread's */
	return 0;
}

static void become_new_program(void)
{
	char pid[16], fd[16];
	char *argv[] = { "x", pid, fd, NULL };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	snprintf(pid, sizeof(pid), "%d", getpid());
	snprintf(fd, sizeof(fd), "%d", shared_fd);
	execve(program, argv, argv + 3);
	_exit(90);
}

/* ---- the old one ---- */

static void *compute(void *arg)
{
	s->running++;
	for (;;)
		s->ticks++;
	return arg;
}

static void *sleep_on(void *arg)
{
	s->running++;
	for (;;)
		pause();
	return arg;
}

static void *fault_on(void *arg)
{
	char *p = map_anon(32 * PAGE, RW);

	s->running++;
	for (;;) {
		memset(p, 1, 32 * PAGE);
		madvise(p, 32 * PAGE, MADV_DONTNEED);
		s->ticks++;
	}
	return arg;
}

static void *exec_it(void *arg)
{
	WAIT_FOR(s->running == (long)arg, 20000);
	become_new_program();
	return NULL;
}

static int run_child(void (*body)(void))
{
	pid_t pid = fork_checked();

	if (!pid) {
		alarm(0);
		body();
		_exit(91);
	}
	return wait_for(pid);
}

static void leader_computes(void)
{
	start(compute, NULL);
	start(sleep_on, NULL);
	start(fault_on, NULL);
	start(exec_it, (void *)4);
	compute(NULL);
}

TEST(others,
     "by a second thread, while the first computes and others compute, sleep and fault, ten times")
{
	for (int i = 0; i < 10; i++) {
		set_up("execve by a second thread");
		CHECK_EQ(run_child(leader_computes), 0);
	}
	watchdog(0, NULL);
}

static void leader_sleeps(void)
{
	start(exec_it, (void *)1);
	sleep_on(NULL);
}

TEST(sleeping, "by a second thread, while the first sleeps")
{
	set_up("execve while the first thread sleeps");
	CHECK_EQ(run_child(leader_sleeps), 0);
	watchdog(0, NULL);
}

static void leader_calls(void)
{
	start(compute, NULL);
	start(sleep_on, NULL);
	start(fault_on, NULL);
	exec_it((void *)3);
}

TEST(leader, "by the first thread")
{
	set_up("execve by the first thread");
	CHECK_EQ(run_child(leader_calls), 0);
	watchdog(0, NULL);
}

static void leader_has_ended(void)
{
	start(exec_it, (void *)1);
	start(compute, NULL);
	raw_syscall(SYS_exit, 0, 0, 0, 0, 0, 0);
}

TEST(ended, "by a second thread, after the first has ended")
{
	set_up("execve after the first thread's end");
	CHECK_EQ(run_child(leader_has_ended), 0);
	watchdog(0, NULL);
}

static long exec_at_once(int me UNUSED)
{
	become_new_program();
	return 0;
}

static void all_call(void)
{
	crew(CREW, exec_at_once);
}

TEST(together, "by four threads at once: one of them wins, 20 times")
{
	for (int i = 0; i < 20; i++) {
		set_up("execve by four threads");
		CHECK_EQ(run_child(all_call), 0);
	}
	watchdog(0, NULL);
}

static void exec_or_exit(void)
{
	pthread_t t = start(exec_it, (void *)0);

	spin_pause();
	raw_syscall(SYS_exit_group, 33, 0, 0, 0, 0, 0);
	finish(t);
}

TEST(race, "exit_group races with execve: one of both, 30 times")
{
	for (int i = 0; i < 30; i++) {
		set_up("execve against exit_group");
		int status = run_child(exec_or_exit);

		CHECK(status == 0 || status == 33 << 8);
	}
	watchdog(0, NULL);
}

static void *fail_to_exec(void *arg)
{
	char *argv[] = { "x", NULL };

	errno = 0;
	execve("/no/such/program", argv, argv + 1);
	*(int *)arg = errno;
	return NULL;
}

TEST(failure, "a call that fails leaves the other threads alone")
{
	int err = 0;

	set_up("execve that fails");
	pthread_t t = start(sleep_on, NULL);

	SPIN_UNTIL(s->running);
	finish(start(fail_to_exec, &err));
	CHECK_EQ(err, ENOENT);
	CHECK_EQ(pthread_kill(t, 0), 0);
	MUST(!pthread_cancel(t));
	CHECK_EQ(finish(t), PTHREAD_CANCELED);
	watchdog(0, NULL);
}

int main(int argc, char **argv)
{
	return argc == 3 ? new_program(argv) : run_tests();
}
