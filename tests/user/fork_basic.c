/* SPDX-License-Identifier: MIT
 *
 * fork: what the child shares, what it gets a copy of, what it does not get.
 */
#include "test.h"
#include <sys/time.h>

TEST(ids, "the child has a new pid, our pid as parent, our group and session")
{
	pid_t me = getpid(), pg = getpgrp(), sid = getsid(0);
	int p[2];
	pid_t told = 0;

	MUST(!pipe(p));
	pid_t pid = fork_checked();

	if (!pid) {
		pid_t mine = getpid();

		CHECK(mine != me);
		CHECK_EQ(getppid(), me);
		CHECK_EQ(getpgrp(), pg);
		CHECK_EQ(getsid(0), sid);
		CHECK_EQ(SYS(gettid), mine);
		MUST(write(p[1], &mine, sizeof(mine)) == sizeof(mine));
		child_exit();
	}
	MUST(read(p[0], &told, sizeof(told)) == sizeof(told));
	CHECK_EQ(told, pid);
	reap_checked(pid);
	close(p[0]);
	close(p[1]);
}

TEST(offset_shared, "open files are shared: the child's seek moves the parent's position")
{
	int fd = tmp_file(2 * PAGE);

	MUST(!lseek(fd, 0, SEEK_SET));
	IN_CHILD
	{
		CHECK_EQ(lseek(fd, 100, SEEK_SET), 100);
		MUST(!close(fd));
	}
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 100);
	close(fd);
}

TEST(table_copied, "the descriptor table is a copy: closing in the child, opening in the child")
{
	int fd = tmp_file(1);

	IN_CHILD
	{
		MUST(!close(fd));
		MUST(open("/dev/null", O_RDONLY) == fd);
	}
	struct stat st;

	MUST(!fstat(fd, &st));
	CHECK(S_ISREG(st.st_mode));
	close(fd);
}

TEST(cwd_copied, "cwd and umask are copies")
{
	char a[256], b[256];
	mode_t mask = umask(022);

	MUST(getcwd(a, sizeof(a)));
	IN_CHILD
	{
		MUST(!chdir("/proc"));
		umask(0777);
	}
	MUST(getcwd(b, sizeof(b)));
	CHECK_STR(b, a);
	CHECK_EQ(umask(mask), 022);
}

static volatile int got;

static void count(int sig UNUSED)
{
	got++;
}

TEST(signals, "handlers and mask are inherited, pending signals and timers are not")
{
	void (*old)(int) = signal(SIGUSR1, count);
	sigset_t set, was;
	struct itimerval it = { { 0, 0 }, { 100, 0 } }, none = { { 0, 0 }, { 0, 0 } };

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	MUST(!sigprocmask(SIG_BLOCK, &set, &was));
	kill(getpid(), SIGUSR1);
	MUST(!setitimer(ITIMER_REAL, &it, NULL));
	IN_CHILD
	{
		MUST(!sigpending(&set));
		CHECK_EQ(sigismember(&set, SIGUSR1), 0);
		MUST(!sigprocmask(SIG_BLOCK, NULL, &set));
		CHECK_EQ(sigismember(&set, SIGUSR1), 1);
		MUST(!getitimer(ITIMER_REAL, &it));
		CHECK_EQ(it.it_value.tv_sec, 0);
		kill(getpid(), SIGUSR1);
		MUST(!sigprocmask(SIG_SETMASK, &was, NULL));
		CHECK_EQ(got, 1);
	}
	MUST(!setitimer(ITIMER_REAL, &none, NULL));
	MUST(!sigprocmask(SIG_SETMASK, &was, NULL));
	CHECK_EQ(got, 1);
	signal(SIGUSR1, old);
}

TEST(many, "300 children one after another: pids are not handed out twice at a time")
{
	int wrong = 0;

	for (int i = 0; i < 300; i++) {
		pid_t pid = fork_checked();

		if (!pid)
			_exit(i & 0x7f);
		wrong += WEXITSTATUS(wait_for(pid)) != (i & 0x7f);
	}
	CHECK_EQ(wrong, 0);
}

TEST(at_once, "64 children alive at once, reaped in any order")
{
	pid_t pids[64];
	int go[2], status, seen = 0;
	char c;

	MUST(!pipe(go));
	for (int i = 0; i < 64; i++) {
		pids[i] = fork_checked();
		if (!pids[i]) {
			close(go[1]);
			if (read(go[0], &c, 1) != 0)
				_exit(101);
			_exit(i);
		}
		for (int j = 0; j < i; j++)
			CHECK(pids[i] != pids[j]);
	}
	close(go[0]);
	close(go[1]);
	for (int n = 0; n < 64; n++) {
		pid_t pid = waitpid(-1, &status, 0);

		for (int i = 0; i < 64; i++)
			seen += pids[i] == pid && WEXITSTATUS(status) == i;
	}
	CHECK_EQ(seen, 64);
}

TEST(registers, "callee-saved and vector registers survive fork in both")
{
	double a = 1.5, b = 2.25;

	__asm__ volatile("movsd %0, %%xmm8\n\tmovsd %1, %%xmm15"
			 :
			 : "m"(a), "m"(b)
			 : "xmm8", "xmm15");
	unsigned long r12, rbx = 0;
	double x = 0, y = 0;

	__asm__ volatile(
		"mov $0x1234567, %%r12\n\tmov $0x7654321, %%rbx\n\tmov $57, %%eax\n\tsyscall\n\t"
		"mov %%r12, %1\n\tmov %%rbx, %2\n\tmovsd %%xmm8, %3\n\tmovsd %%xmm15, %4"
		: "=&a"(r12), "=m"(*(volatile unsigned long *)&fault_seen.addr),
		  "=m"(*(volatile unsigned long *)&fault_seen.err), "=m"(x), "=m"(y)
		:
		: "rcx", "r11", "r12", "rbx", "xmm8", "xmm15", "memory");
	pid_t pid = (pid_t)r12;

	rbx = (unsigned long)(fault_seen.addr != 0x1234567) + (fault_seen.err != 0x7654321) +
	      (x != a) + (y != b);
	if (!pid)
		_exit((int)rbx);
	CHECK_EQ(rbx, 0);
	CHECK_EQ(wait_for(pid), 0);
}

TEST_MAIN()
