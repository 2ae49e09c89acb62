/* SPDX-License-Identifier: MIT
 *
 * What a process keeps and loses in execve.
 */
#include "elf_image.h"
#include <sys/time.h>

static char self[256];
static int state_fd = 70, cloexec_fd = 71;

static void handler(int sig UNUSED)
{
}

static void in_new_program(void)
{
	struct sigaction sa;
	sigset_t set;
	stack_t ss;
	char cwd[256];

	CHECK_EQ(getpid(), atoi(getenv("PID")));
	CHECK_EQ(getppid(), atoi(getenv("PPID_")));
	CHECK_STR(getcwd(cwd, sizeof(cwd)), "/proc");
	CHECK_EQ(umask(022), 071);
	/* Descriptors, with their positions. */
	CHECK_EQ(lseek(state_fd, 0, SEEK_CUR), 5);
	CHECK_EQ(fcntl(cloexec_fd, F_GETFD), -1);
	/* Ignored signals stay ignored, caught ones go back to the default. */
	MUST(!sigaction(SIGUSR1, NULL, &sa));
	CHECK(sa.sa_handler == SIG_IGN);
	MUST(!sigaction(SIGUSR2, NULL, &sa));
	CHECK(sa.sa_handler == SIG_DFL);
	MUST(!sigprocmask(SIG_BLOCK, NULL, &set));
	CHECK(sigismember(&set, SIGHUP) == 1);
	CHECK(sigismember(&set, SIGINT) == 0);
	MUST(!sigpending(&set));
	CHECK(sigismember(&set, SIGHUP) == 1);
	MUST(!sigaltstack(NULL, &ss));
	CHECK_EQ(ss.ss_flags, SS_DISABLE);
	/* Limits and timers. */
	struct rlimit rl;
	struct itimerval it;

	MUST(!getrlimit(RLIMIT_FSIZE, &rl));
	CHECK_EQ(rl.rlim_cur, 123456789);
	MUST(!getitimer(ITIMER_REAL, &it));
	CHECK_RANGE(it.it_value.tv_sec, 50, 100);
	/* The old memory is gone. */
	CHECK_EQ(resident((void *)strtoul(getenv("MAPPED"), NULL, 0), PAGE), -1);
	CHECK_EQ(getpgrp(), getpid());
	child_exit();
}

TEST(attributes,
     "pid, cwd, umask, descriptors, signal state, limits, timers, process group, memory")
{
	pid_t pid = fork_checked();

	if (!pid) {
		char env[4][64], *envp[] = { env[0], env[1], env[2], NULL },
				 *argv[] = { self, NULL };
		static char stack[64 * 1024];
		stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
		sigset_t set;
		struct rlimit rl = { 123456789, RLIM_INFINITY };
		struct itimerval it = { { 0, 0 }, { 100, 0 } };
		int fd = tmp_file(100);
		char *p = mmap((void *)0x20000000, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);

		MUST(p == (char *)0x20000000);
		MUST(dup2(fd, state_fd) == state_fd &&
		     dup3(fd, cloexec_fd, O_CLOEXEC) == cloexec_fd);
		MUST(lseek(state_fd, 5, SEEK_SET) == 5);
		signal(SIGUSR1, SIG_IGN);
		signal(SIGUSR2, handler);
		sigemptyset(&set);
		sigaddset(&set, SIGHUP);
		sigprocmask(SIG_BLOCK, &set, NULL);
		kill(getpid(), SIGHUP);
		MUST(!sigaltstack(&ss, NULL) && !setrlimit(RLIMIT_FSIZE, &rl));
		MUST(!setitimer(ITIMER_REAL, &it, NULL) && !chdir("/proc") && !setpgid(0, 0));
		umask(071);
		snprintf(env[0], 64, "PID=%d", getpid());
		snprintf(env[1], 64, "PPID_=%d", getppid());
		snprintf(env[2], 64, "MAPPED=%p", (void *)p);
		scratch_remove();
		execve(self, argv, envp);
		bail_out("execve failed");
	}
	reap_checked(pid);
}

TEST(failed_exec, "a failed execve changes nothing")
{
	char *argv[] = { "x", NULL };
	char *p = map_anon(PAGE, RW);
	void (*old)(int) = signal(SIGUSR2, handler);
	int fd = open("/", O_RDONLY | O_CLOEXEC);

	store(p, 5);
	CHECK_ERR(execve("/no/such/file", argv, argv), ENOENT);
	CHECK_EQ(load(p), 5);
	CHECK(signal(SIGUSR2, old) == handler);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	munmap(p, PAGE);
}

int main(void)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	MUST(n > 0);
	if (getenv("MAPPED"))
		in_new_program();
	return run_tests();
}
