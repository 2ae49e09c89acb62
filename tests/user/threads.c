/* SPDX-License-Identifier: MIT
 *
 * POSIX threads: create, join, mutex, condition, thread-local storage, ids, exit.
 */
#include "elf_image.h"
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int counter, turn;
static __thread int local = 5;

static void *add(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&lock);
		counter++;
		pthread_mutex_unlock(&lock);
	}
	local = (int)(long)arg;
	return (void *)(long)local;
}

TEST(join, "eight threads add under a mutex; join returns their values")
{
	pthread_t t[8];

	counter = 0;
	for (long i = 0; i < 8; i++)
		MUST(!pthread_create(&t[i], NULL, add, (void *)(i + 100)));
	for (long i = 0; i < 8; i++) {
		void *ret;

		MUST(!pthread_join(t[i], &ret));
		CHECK_EQ(ret, i + 100);
	}
	CHECK_EQ(counter, 16000);
	CHECK_EQ(local, 5);
}

static void *ping(void *arg)
{
	int me = (int)(long)arg;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < 200; i++) {
		while (turn != me)
			pthread_cond_wait(&cond, &lock);
		turn = !me;
		counter++;
		pthread_cond_broadcast(&cond);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

TEST(condition, "two threads take turns with a condition variable")
{
	pthread_t a, b;

	counter = turn = 0;
	MUST(!pthread_create(&a, NULL, ping, (void *)0) &&
	     !pthread_create(&b, NULL, ping, (void *)1));
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	CHECK_EQ(counter, 400);
}

static void *ids(void *arg)
{
	long *out = arg;

	out[0] = getpid();
	out[1] = SYS(gettid);
	return NULL;
}

TEST(ids_, "one pid, different tids; the memory and descriptors are the same")
{
	long out[2];
	pthread_t t;

	MUST(!pthread_create(&t, NULL, ids, out));
	pthread_join(t, NULL);
	CHECK_EQ(out[0], getpid());
	CHECK(out[1] != getpid());
}

static void *spin(void *arg)
{
	for (;;)
		++*(volatile unsigned long *)arg;
	return NULL;
}

static void *sleep_forever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

TEST(exit_group, "exit ends a process with spinning and sleeping threads at once")
{
	pid_t pid = fork_checked();

	if (!pid) {
		static unsigned long n;
		pthread_t t;

		MUST(!pthread_create(&t, NULL, spin, &n));
		MUST(!pthread_create(&t, NULL, sleep_forever, NULL));
		sleep_ms(5);
		_exit(3);
	}
	CHECK_EQ(WEXITSTATUS(wait_for(pid)), 3);
}

static void *fault(void *arg)
{
	sleep_ms(2);
	return (void *)(long)load(arg);
}

TEST(kill_all, "a fault in one thread kills the process")
{
	pid_t pid = fork_checked();

	if (!pid) {
		pthread_t t;

		pthread_create(&t, NULL, fault, (void *)8);
		sleep_forever(NULL);
	}
	int status = wait_for(pid);

	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void *main_exits(void *arg)
{
	sleep_ms(10);
	_exit(arg ? 6 : 0);
}

TEST(leader_first, "the process lives on when its first thread has ended")
{
	pid_t pid = fork_checked();

	if (!pid) {
		pthread_t t;

		pthread_create(&t, NULL, main_exits, (void *)1);
		raw_syscall(SYS_exit, 0, 0, 0, 0, 0, 0);
	}
	CHECK_EQ(WEXITSTATUS(wait_for(pid)), 6);
}

static void *do_exec(void *arg)
{
	char *argv[] = { "x", NULL };

	execve(arg, argv, argv + 1);
	_exit(1);
}

TEST(exec, "execve by a second thread replaces the process and keeps the pid")
{
	static struct image im;
	char *path = scratch("prog");

	image_make(&im, ET_EXEC, 42);
	write_file(path, im.bytes, im.size, 0755);
	pid_t pid = fork_checked();

	if (!pid) {
		pthread_t t;

		pthread_create(&t, NULL, do_exec, path);
		sleep_forever(NULL);
	}
	CHECK_EQ(WEXITSTATUS(wait_for(pid)), 42);
}

static volatile int got_in = -1;

static void where(int sig UNUSED)
{
	got_in = (int)SYS(gettid);
}

TEST(directed, "tgkill reaches the thread it names; a blocked thread is passed over by kill")
{
	pthread_t t;
	sigset_t set, old;

	signal(SIGUSR1, where);
	MUST(!pthread_create(&t, NULL, sleep_forever, NULL));
	MUST(!pthread_kill(t, SIGUSR1));
	for (int i = 0; i < 500 && got_in < 0; i++)
		sleep_ms(1);
	CHECK(got_in > 0 && got_in != getpid());
	int other = got_in;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	MUST(!pthread_sigmask(SIG_BLOCK, &set, &old));
	got_in = -1;
	kill(getpid(), SIGUSR1);
	for (int i = 0; i < 500 && got_in < 0; i++)
		sleep_ms(1);
	CHECK_EQ(got_in, other);
	MUST(!pthread_sigmask(SIG_SETMASK, &old, NULL));
	pthread_cancel(t);
	pthread_join(t, NULL);
	signal(SIGUSR1, SIG_DFL);
}

/* A joined thread may be about to end still. */
static long threads_now(long want)
{
	long n = 0;

	for (int i = 0; i < 500 && (n = proc_value("/proc/self/status", "Threads:")) != want; i++)
		sleep_ms(1);
	return n;
}

TEST(status, "/proc/self/status counts threads")
{
	pthread_t t;

	CHECK_EQ(threads_now(1), 1);
	MUST(!pthread_create(&t, NULL, sleep_forever, NULL));
	CHECK_EQ(threads_now(2), 2);
	pthread_cancel(t);
	pthread_join(t, NULL);
}

TEST_MAIN()
