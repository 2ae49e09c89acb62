/* SPDX-License-Identifier: MIT
 *
 * Processes that are made to be killed: how they start, what they hold, how they ended.
 */
#ifndef STARVE_CROWD_H
#define STARVE_CROWD_H

#include "../tool.h"
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define STATIONS 64

/* Shared by all processes of a scenario. */
struct board {
	unsigned long started;
	int ready[STATIONS];
	int stop;
};

static struct board *board;

static uint64_t total_bytes(void)
{
	return (uint64_t)proc_number("/proc/meminfo", "MemTotal:") << 10;
}

static uint64_t available_bytes(void)
{
	return (uint64_t)proc_number("/proc/meminfo", "MemAvailable:") << 10;
}

static uint64_t swap_bytes(void)
{
	return (uint64_t)proc_number("/proc/meminfo", "SwapTotal:") << 10;
}

static void adjust(int score)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", score);
	if (write_text("/proc/self/oom_score_adj", text))
		die("starve: oom_score_adj");
}

static char *map(uint64_t bytes, int more_flags)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | more_flags, -1, 0);

	if (p != MAP_FAILED)
		madvise(p, bytes, MADV_NOHUGEPAGE);
	return p;
}

static void touch(char *p, uint64_t bytes)
{
	for (uint64_t at = 0; at < bytes; at += PAGE)
		*(volatile char *)(p + at) = 1;
}

static void set_ready(int station)
{
	__atomic_store_n(&board->ready[station], 1, __ATOMIC_RELEASE);
}

/* False when pid ended first, or after a minute. */
static bool wait_ready(int station, pid_t pid)
{
	siginfo_t info;

	for (int i = 0; i < 6000; i++) {
		if (__atomic_load_n(&board->ready[station], __ATOMIC_ACQUIRE))
			return true;
		info.si_pid = 0;
		if (!waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid)
			return false;
		sleep_ms(10);
	}
	return false;
}

/* A child that does this; its return value is its exit status. */
static pid_t start(int (*run)(void *), void *arg)
{
	pid_t pid = fork();

	if (pid < 0)
		die("starve: fork");
	if (!pid)
		_exit(run(arg));
	return pid;
}

static bool is_alive(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) == 0;
}

/* Its end in a word: exit status, "killed", "no memory", "hangs". */
static const char *outcome(pid_t pid)
{
	static char text[32];
	int status;

	for (int i = 0; i < 12000; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
				return "killed";
			if (WIFSIGNALED(status))
				snprintf(text, sizeof(text), "signal-%d", WTERMSIG(status));
			else if (WEXITSTATUS(status) == ENOMEM || WEXITSTATUS(status) == EAGAIN ||
				 WEXITSTATUS(status) == ENOSPC)
				return "refused";
			else
				snprintf(text, sizeof(text), "exit-%d", WEXITSTATUS(status));
			return text;
		}
		sleep_ms(10);
	}
	return "hangs";
}

#endif
