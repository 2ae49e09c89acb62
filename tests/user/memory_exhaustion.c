/* SPDX-License-Identifier: MIT
 *
 * Memory that ends: by touching, by forking, by a file. Somebody gets SIGKILL or an errno; this process
 * and the machine go on, and afterwards the memory is there again.
 */
#include "test.h"

static long available_kb(void)
{
	return proc_value("/proc/meminfo", "MemAvailable:");
}

/* Small machines only: on others it would take long, and take other people's memory. */
#define NEEDS_SMALL_MACHINE()                                                                      \
	do {                                                                                       \
		if (proc_value("/proc/meminfo", "MemTotal:") > 1100 * 1024)                        \
			SKIP("this machine has too much memory to use all of it");                 \
	} while (0)

/* The one to be killed when there is no memory. */
static void volunteer(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	if (fd >= 0 && write(fd, "1000", 4) == 4)
		close(fd);
}

static void check_memory_back(long before)
{
	long now = 0;

	for (int i = 0; i < 100 && (now = available_kb()) < before - 4096; i++)
		sleep_ms(10);
	CHECK_RANGE(now, before - 4096, before + 65536);
}

TEST(touch, "a process that touches more than there is dies by SIGKILL")
{
	NEEDS_SMALL_MACHINE();
	long before = available_kb();
	pid_t pid = fork_checked();

	if (!pid) {
		size_t len = 4 * GIB;
		char *p = mmap(NULL, len, RW, ANON | MAP_NORESERVE, -1, 0);

		volunteer();
		for (size_t at = 0; p != MAP_FAILED && at < len; at += PAGE)
			store(p + at, 1);
		_exit(1);
	}
	int status = wait_for(pid);

	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGKILL);
	check_memory_back(before);
}

TEST(kernel_touch, "the same when the kernel touches it for a read")
{
	NEEDS_SMALL_MACHINE();
	long before = available_kb();
	pid_t pid = fork_checked();

	if (!pid) {
		size_t len = 4 * GIB;
		char *p = mmap(NULL, len, RW, ANON | MAP_NORESERVE, -1, 0);
		int fd = open("/dev/zero", O_RDONLY);

		volunteer();
		for (size_t at = 0; p != MAP_FAILED && at < len; at += 16 * MIB)
			if (read(fd, p + at, 16 * MIB) < 0)
				_exit(errno == EFAULT ? 7 : 1);
		_exit(1);
	}
	int status = wait_for(pid);

	CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
	      (WIFEXITED(status) && WEXITSTATUS(status) == 7));
	check_memory_back(before);
}

TEST(forks, "children that each take 16 MiB until fork fails or one is killed")
{
	NEEDS_SMALL_MACHINE();
	long before = available_kb();
	int killed = 0, failed = 0, n = 0, status, ready[2];
	pid_t pids[512];
	char c;

	MUST(!pipe(ready));
	while (n < 512 && !killed && !failed) {
		pid_t pid = fork();

		if (pid < 0) {
			failed = errno;
			break;
		}
		if (!pid) {
			char *p = map_anon(16 * MIB, RW);

			volunteer();
			memset(p, 1, 16 * MIB);
			if (write(ready[1], "x", 1) != 1)
				_exit(1);
			for (;;)
				pause();
		}
		pids[n++] = pid;
		/* Until it has its memory, or someone has died for it. */
		fcntl(ready[0], F_SETFL, O_NONBLOCK);
		while (read(ready[0], &c, 1) != 1 && !killed) {
			killed = waitpid(-1, &status, WNOHANG) > 0;
			sleep_ms(1);
		}
	}
	CHECK(killed || failed == ENOMEM || failed == EAGAIN);
	for (int i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	while (waitpid(-1, &status, 0) > 0)
		;
	close(ready[0]);
	close(ready[1]);
	check_memory_back(before);
}

TEST(file,
     "a file on tmpfs that grows beyond what there is: ENOSPC or ENOMEM, and its memory comes back")
{
	NEEDS_SMALL_MACHINE();
	static char buf[256 * 1024];
	long before = available_kb();
	int fd = tmp_file(0);
	ssize_t n;

	while ((n = write(fd, buf, sizeof(buf))) > 0)
		;
	CHECK(n < 0 && (errno == ENOSPC || errno == ENOMEM));
	char *p = map_anon(PAGE, RW);

	CHECK_NO_FAULT(store(p, 1));
	munmap(p, PAGE);
	close(fd);
	check_memory_back(before);
}

TEST(populate, "MAP_POPULATE and MADV_POPULATE_WRITE of more than there is")
{
	NEEDS_SMALL_MACHINE();
	long before = available_kb();

	for (int k = 0; k < 2; k++) {
		pid_t pid = fork_checked();

		if (!pid) {
			volunteer();
			char *p = mmap(NULL, 4 * GIB, RW,
				       ANON | MAP_NORESERVE | (k ? 0 : MAP_POPULATE), -1, 0);

			if (k && madvise(p, 4 * GIB, MADV_POPULATE_WRITE))
				_exit(errno == ENOMEM || errno == EFAULT ? 7 : 1);
			_exit(7);
		}
		int status = wait_for(pid);

		CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
		      (WIFEXITED(status) && WEXITSTATUS(status) == 7));
	}
	check_memory_back(before);
}

TEST_MAIN()
