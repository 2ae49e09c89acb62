/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "child.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "trace.h"
#include "util.h"

static void on_child(int sig)
{
	(void)sig;
}

void children_init(void)
{
	struct sigaction sa = { .sa_handler = on_child };
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGCHLD, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* ---- in the child ---- */

/* User and group become the job's; false, with a word, when the kernel refuses. */
static bool become_user(unsigned int user)
{
	if (!user)
		return true;
	if (!setgroups(0, NULL) && !setgid(user) && !setuid(user))
		return true;
	dprintf(2, "init: user %u: %s\n", user, strerror(errno));
	return false;
}

/* False, with a word, when there is no swap space where the job wants it. */
static bool have_swap(const char *device)
{
	if (!device || !swapon(device, 0) || errno == EBUSY)
		return true;
	dprintf(2, "init: swapon %s: %s\n", device, strerror(errno));
	return false;
}

void become_job(const struct job *job)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	if (job->dir && chdir(job->dir))
		dprintf(2, "init: %s: %s\n", job->dir, strerror(errno));
	if (!have_swap(job->swap))
		_exit(126);
	trace_start(job);
	if (!become_user(job->user))
		_exit(126);
	execve(job->path, job->argv, job->envp);
	dprintf(2, "init: %s: %s\n", job->path, strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* ---- in init ---- */

long job_deadline(const struct job *job)
{
	return job->seconds ? now_ms() + job->seconds * 1000 : 0;
}

bool wait_for_events(struct pollfd *fds, int n, long deadline)
{
	struct timespec ts = { 0 };
	sigset_t none;
	long ms = 0;

	if (deadline) {
		ms = deadline - now_ms();
		if (ms < 0)
			ms = 0;
		ts = (struct timespec){ ms / 1000, ms % 1000 * 1000000 };
	}
	sigemptyset(&none);
	if (ppoll(fds, n, deadline ? &ts : NULL, &none) < 0)
		for (int i = 0; i < n; i++)
			fds[i].revents = 0;
	return !deadline || now_ms() < deadline;
}

static int shell_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool reap(pid_t pid, int *status)
{
	bool found = false;
	int s;
	pid_t p;

	while ((p = waitpid(-1, &s, WNOHANG)) > 0)
		if (p == pid) {
			*status = shell_status(s);
			found = true;
		}
	return found;
}

void kill_everyone(void)
{
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}
