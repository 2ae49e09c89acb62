/* SPDX-License-Identifier: MIT
 *
 * The end of a process with many threads: one calls exit or is killed while the others compute, sleep,
 * fault, map, fork or come into being. The end comes soon, with the right status, and when wait() has
 * returned no thread runs any more.
 */
#include "crew.h"

static struct shared {
	atomic_int running;
	_Atomic long ticks;
} * s;

static int pipe_fd[2];

/* ---- what the others do ---- */

static void in_user_mode(void)
{
	for (;;)
		s->ticks++;
}

static void asleep(void)
{
	for (;;)
		pause();
}

static void reading(void)
{
	char c;

	while (read(pipe_fd[0], &c, 1) >= 0)
		;
}

static void in_futex(void)
{
	pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&m);
	pthread_mutex_lock(&m);
}

static void faulting(void)
{
	char *p = map_anon(64 * PAGE, RW);

	for (;;) {
		for (int i = 0; i < 64; i++)
			store(p + i * PAGE, 1);
		madvise(p, 64 * PAGE, MADV_DONTNEED);
		s->ticks++;
	}
}

static void mapping(void)
{
	for (;;) {
		char *p = mmap(NULL, 16 * PAGE, RW, ANON | MAP_POPULATE, -1, 0);

		if (p != MAP_FAILED)
			munmap(p, 16 * PAGE);
		s->ticks++;
	}
}

static void forking(void)
{
	for (;;) {
		pid_t pid = (pid_t)raw_syscall(SYS_fork, 0, 0, 0, 0, 0, 0);

		if (!pid)
			raw_syscall(SYS_exit_group, 0, 0, 0, 0, 0, 0);
		waitpid(pid, NULL, 0);
		s->ticks++;
	}
}

static void *nothing(void *arg)
{
	s->ticks++;
	return arg;
}

static void creating(void)
{
	for (;;) {
		pthread_t t;

		if (!pthread_create(&t, NULL, nothing, NULL))
			pthread_join(t, NULL);
	}
}

static void yielding(void)
{
	for (;;)
		sched_yield();
}

static const struct activity {
	const char *name;
	void (*fn)(void);
} activities[] = {
	{ "computing", in_user_mode }, { "asleep", asleep },	 { "reading", reading },
	{ "in a futex", in_futex },    { "faulting", faulting }, { "mapping", mapping },
	{ "forking", forking },	       { "creating", creating }, { "yielding", yielding },
};
#define ACTIVITIES (int)(sizeof(activities) / sizeof(activities[0]))

static void *act(void *arg)
{
	s->running++;
	((const struct activity *)arg)->fn();
	return NULL;
}

/* ---- the process under test ---- */

/* A child with n threads doing this and one that does `last`. first == NULL: one of each. */
static pid_t busy_child(const struct activity *first, int n, void (*last)(void))
{
	s->running = 0;
	pid_t pid = fork_checked();

	if (pid)
		return pid;
	alarm(0);
	for (int i = 0; i < n; i++)
		start(act, (void *)(first ? first : &activities[i % ACTIVITIES]));
	WAIT_FOR(s->running == n, 20000);
	sleep_ms(3);
	last();
	_exit(99);
}

/* The process has ended: whoever still counts is a thread that outlived it. */
static void check_quiet(const char *name)
{
	long before = s->ticks;

	sleep_ms(3);
	if (s->ticks != before)
		FAIL("%s: a thread goes on after the end of its process", name);
}

static void set_up(const char *what)
{
	if (!s) {
		s = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		MUST(s != MAP_FAILED && !pipe(pipe_fd));
	}
	watchdog(60, what);
}

static void call_exit(void)
{
	_exit(42);
}

TEST(exit_group, "exit_group by one thread ends three others whatever they do")
{
	for (int i = 0; i < ACTIVITIES; i++) {
		set_up(activities[i].name);
		int64_t begin = now_ns(CLOCK_MONOTONIC);
		int status = wait_for(busy_child(&activities[i], 3, call_exit));

		if (!WIFEXITED(status) || WEXITSTATUS(status) != 42)
			FAIL("%s: status %#x", activities[i].name, status);
		CHECK_RANGE((now_ns(CLOCK_MONOTONIC) - begin) / 1000000, 0, 15000);
		check_quiet(activities[i].name);
	}
	watchdog(0, NULL);
}

TEST(killed, "SIGKILL from outside ends one thread of each kind")
{
	for (int round = 0; round < 5; round++) {
		set_up("SIGKILL");
		pid_t pid = busy_child(NULL, ACTIVITIES, asleep);

		CHECK(WAIT_FOR(s->running == ACTIVITIES, 20000));
		sleep_ms(2 * round);
		MUST(!kill(pid, SIGKILL));
		int status = wait_for(pid);

		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		check_quiet("SIGKILL");
	}
	watchdog(0, NULL);
}

static void fault(void)
{
	static char *volatile nowhere = (char *)8;

	store(nowhere, 1);
}

TEST(fault, "a fault in one thread ends one thread of each kind")
{
	for (int round = 0; round < 3; round++) {
		set_up("SIGSEGV");
		int status = wait_for(busy_child(NULL, ACTIVITIES, fault));

		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
		check_quiet("SIGSEGV");
	}
	watchdog(0, NULL);
}

static long exit_with_own_status(int me)
{
	raw_syscall(SYS_exit_group, 50 + me, 0, 0, 0, 0, 0);
	return 0;
}

TEST(together, "four threads call exit_group at once: the status is one of theirs, 50 times")
{
	set_up("exit_group by four threads");
	for (int i = 0; i < 50; i++) {
		pid_t pid = fork_checked();

		if (!pid) {
			crew(CREW, exit_with_own_status);
			_exit(99);
		}
		int status = wait_for(pid);

		CHECK(WIFEXITED(status));
		CHECK_RANGE(WEXITSTATUS(status), 50, 50 + CREW - 1);
	}
	watchdog(0, NULL);
}

static void *exit_thread(void *arg)
{
	sleep_ms((long)arg);
	raw_syscall(SYS_exit, 5, 0, 0, 0, 0, 0);
	return NULL;
}

TEST(last,
     "threads end one by one with SYS_exit, the first thread too: the process ends with the last")
{
	set_up("threads that end one by one");
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork_checked();

		if (!pid) {
			for (long n = 0; n < 4; n++)
				start(exit_thread, (void *)(n * i % 8));
			raw_syscall(SYS_exit, 7, 0, 0, 0, 0, 0);
		}
		int status = wait_for(pid);

		/* The last thread's status; up to Linux 5.17 the first thread's. */
		CHECK(status == 5 << 8 || status == 7 << 8);
	}
	watchdog(0, NULL);
}

TEST(memory, "what a killed process had open is closed: its pipe ends when wait() has returned")
{
	int fds[2];
	char c;

	set_up("the pipe of a killed process");
	MUST(!pipe(fds));
	pid_t pid = busy_child(&activities[0], 3, asleep);

	close(fds[1]);
	CHECK(WAIT_FOR(s->running == 3, 20000));
	kill(pid, SIGKILL);
	wait_for(pid);
	CHECK_EQ(read(fds[0], &c, 1), 0);
	close(fds[0]);
	watchdog(0, NULL);
}

TEST_MAIN()
