/* SPDX-License-Identifier: MIT
 *
 * The futex system call between processes: wait, wake, time-outs, bitsets, requeue, errnos.
 */
#include "test.h"

#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define FUTEX_REQUEUE 3
#define FUTEX_CMP_REQUEUE 4
#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAKE_BITSET 10
#define FUTEX_PRIVATE 128

static int *words;

static void setup(void)
{
	if (!words)
		words = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(words != MAP_FAILED);
	memset(words, 0, PAGE);
}

/* A child that waits on a word and exits with 0 when woken. */
static pid_t waiter(int *word, int op, unsigned int bits)
{
	pid_t pid = fork_checked();

	if (!pid) {
		long r = SYS(futex, word, op, 0, NULL, NULL, bits);

		_exit(r == 0 ? 0 : (int)-r);
	}
	return pid;
}

/* Wakes until n have been woken, since children may not wait yet. */
static int wake(int *word, int n, int op, unsigned int bits)
{
	int woken = 0;

	for (int i = 0; i < 1000 && woken < n; i++) {
		long r = SYS(futex, word, op, n - woken, NULL, NULL, bits);

		if (r > 0)
			woken += r;
		if (woken < n)
			sleep_ms(1);
	}
	return woken;
}

TEST(value, "the word differs: EAGAIN at once")
{
	setup();
	CHECK_EQ(SYS(futex, words, FUTEX_WAIT, 1, NULL, NULL, 0), -EAGAIN);
	CHECK_EQ(SYS(futex, words, FUTEX_WAIT | FUTEX_PRIVATE, 1, NULL, NULL, 0), -EAGAIN);
}

TEST(nobody, "waking nobody is 0")
{
	setup();
	CHECK_EQ(SYS(futex, words, FUTEX_WAKE, 10, NULL, NULL, 0), 0);
}

TEST(timeout, "a time-out: ETIMEDOUT, relative for WAIT, absolute for WAIT_BITSET")
{
	struct timespec ts = { 0, 20000000 };
	int64_t start = now_ns(CLOCK_MONOTONIC);

	setup();
	CHECK_EQ(SYS(futex, words, FUTEX_WAIT, 0, &ts, NULL, 0), -ETIMEDOUT);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 20000000);
	start = now_ns(CLOCK_MONOTONIC) + 20000000;
	ts = (struct timespec){ start / 1000000000, start % 1000000000 };
	CHECK_EQ(SYS(futex, words, FUTEX_WAIT_BITSET, 0, &ts, NULL, -1U), -ETIMEDOUT);
	CHECK(now_ns(CLOCK_MONOTONIC) >= start);
	ts.tv_nsec = 1000000000;
	CHECK_EQ(SYS(futex, words, FUTEX_WAIT, 0, &ts, NULL, 0), -EINVAL);
}

TEST(wake_, "two of three waiters in other processes are woken, then the third")
{
	pid_t pids[3];
	int status, done = 0;

	setup();
	for (int i = 0; i < 3; i++)
		pids[i] = waiter(words, FUTEX_WAIT, 0);
	sleep_ms(20);
	CHECK_EQ(wake(words, 2, FUTEX_WAKE, 0), 2);
	for (int i = 0; i < 2; i++) {
		CHECK(waitpid(-1, &status, 0) > 0);
		CHECK_EQ(status, 0);
	}
	sleep_ms(5);
	CHECK_EQ(waitpid(-1, &status, WNOHANG), 0);
	CHECK_EQ(wake(words, 1, FUTEX_WAKE, 0), 1);
	CHECK(waitpid(-1, &status, 0) > 0);
	CHECK_EQ(status, 0);
	for (int i = 0; i < 3; i++)
		done += kill(pids[i], 0) < 0;
	CHECK_EQ(done, 3);
}

TEST(bitset, "WAKE_BITSET wakes only waiters with a common bit; an empty set is EINVAL")
{
	setup();
	pid_t a = waiter(words, FUTEX_WAIT_BITSET, 1), b = waiter(words, FUTEX_WAIT_BITSET, 2);

	sleep_ms(20);
	CHECK_EQ(wake(words, 1, FUTEX_WAKE_BITSET, 2), 1);
	CHECK_EQ(wait_for(b), 0);
	CHECK_EQ(SYS(futex, words, FUTEX_WAKE_BITSET, 1, NULL, NULL, 4), 0);
	CHECK_EQ(wake(words, 1, FUTEX_WAKE_BITSET, 1), 1);
	CHECK_EQ(wait_for(a), 0);
	CHECK_EQ(SYS(futex, words, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0), -EINVAL);
}

TEST(requeue, "CMP_REQUEUE wakes one and moves the rest to another word")
{
	int status;

	setup();
	for (int i = 0; i < 3; i++)
		waiter(words, FUTEX_WAIT, 0);
	sleep_ms(30);
	CHECK_EQ(SYS(futex, words, FUTEX_CMP_REQUEUE, 1, 100, words + 1, 99), -EAGAIN);
	/* Three when all of them wait by now; what arrives later is woken below. */
	long n = SYS(futex, words, FUTEX_CMP_REQUEUE, 1, 100, words + 1, 0);

	CHECK_RANGE(n, 1, 3);
	CHECK(waitpid(-1, &status, 0) > 0);
	CHECK_EQ(status, 0);
	CHECK_EQ(SYS(futex, words + 1, FUTEX_WAKE, 100, NULL, NULL, 0), n - 1);
	if (n < 3)
		wake(words, (int)(3 - n), FUTEX_WAKE, 0);
	while (waitpid(-1, &status, 0) > 0)
		CHECK_EQ(status, 0);
}

TEST(requeue_faults,
     "CMP_REQUEUE reads a word that is not in memory yet; where nothing is mapped: EFAULT")
{
	int *fresh = (int *)map_anon(2 * PAGE, RW);

	setup();
	CHECK_EQ(SYS(futex, fresh, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE, 1, 1, words, 1), -EAGAIN);
	MUST(!madvise(fresh, PAGE, MADV_DONTNEED));
	CHECK_EQ(SYS(futex, fresh, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE, 1, 1, words, 0), 0);
	MUST(!munmap(fresh, PAGE));
	CHECK_EQ(SYS(futex, fresh, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE, 1, 1, words, 0), -EFAULT);
	munmap(fresh + PAGE / sizeof(int), PAGE);
}

TEST(requeue_shared,
     "who was moved to a word of a shared mapping is woken there through another one")
{
	int fd = tmp_file(PAGE), status;
	int *a = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0),
	    *b = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);

	MUST(a != MAP_FAILED && b != MAP_FAILED);
	setup();
	pid_t pid = waiter(words, FUTEX_WAIT, 0);

	while (SYS(futex, words, FUTEX_CMP_REQUEUE, 0, 1, a, 0) == 0)
		sleep_ms(5);
	munmap(a, PAGE);
	CHECK_EQ(SYS(futex, words, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	CHECK_EQ(SYS(futex, b, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	munmap(b, PAGE);
	close(fd);
}

TEST(kinds, "shared mappings at two addresses are one futex; private ones of two processes are not")
{
	int fd = tmp_file(PAGE);
	int *a = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0),
	    *b = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	int *priv = (int *)map_anon(PAGE, RW);

	MUST(a != MAP_FAILED && b != MAP_FAILED);
	*a = *priv = 0;
	pid_t pid = waiter(a, FUTEX_WAIT, 0);

	CHECK_EQ(wake(b, 1, FUTEX_WAKE, 0), 1);
	CHECK_EQ(wait_for(pid), 0);
	pid = waiter(priv, FUTEX_WAIT, 0);
	sleep_ms(20);
	CHECK_EQ(SYS(futex, priv, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	kill(pid, SIGKILL);
	wait_for(pid);
	munmap(a, PAGE);
	munmap(b, PAGE);
	munmap(priv, PAGE);
	close(fd);
}

static void handler(int sig UNUSED)
{
}

TEST(signal_,
     "a signal: EINTR; unaligned EINVAL, unknown operation ENOSYS, read-only memory works for WAIT")
{
	struct sigaction sa = { .sa_handler = handler };
	int *ro = (int *)map_anon(PAGE, PROT_READ);
	struct timespec ts = { 0, 1000000 };

	setup();
	MUST(!sigaction(SIGALRM, &sa, NULL));
	ualarm(20000, 0);
	CHECK_EQ(SYS(futex, words, FUTEX_WAIT, 0, NULL, NULL, 0), -EINTR);
	signal(SIGALRM, SIG_DFL);
	CHECK_EQ(SYS(futex, (char *)words + 1, FUTEX_WAIT, 0, NULL, NULL, 0), -EINVAL);
	CHECK_EQ(SYS(futex, words, 99, 0, NULL, NULL, 0), -ENOSYS);
	CHECK_EQ(SYS(futex, ro, FUTEX_WAIT | FUTEX_PRIVATE, 0, &ts, NULL, 0), -ETIMEDOUT);
	munmap(ro, PAGE);
}

TEST_MAIN()
