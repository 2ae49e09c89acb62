/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "control.h"
#include "input.h"

/* The job's ends of its standard streams, and those of its output that are left to init; -1: not open. */
struct streams {
	int child[3];
	int out, err;
};

/* Sends what a pipe holds; false at its end. */
static bool forward(int fd, char letter)
{
	char data[4096];
	ssize_t n = read(fd, data, sizeof(data));

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	report_data(letter, data, n);
	return true;
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLIN);
}

/* Events until the job ends. */
static int stream_loop(pid_t pid, const struct streams *s, long deadline)
{
	bool out_open = true, err_open = true;
	int status = 0;

	while (!reap(pid, &status)) {
		struct pollfd p[] = {
			{ .fd = out_open ? s->out : -1, .events = POLLIN },
			{ .fd = err_open ? s->err : -1, .events = POLLIN },
			{ .fd = input_awaited() ? control_fd() : -1, .events = POLLIN },
			{ .fd = input_pipe(), .events = POLLOUT },
		};
		bool in_time = wait_for_events(p, 4, deadline);

		if (p[0].revents)
			out_open = forward(s->out, 'o');
		if (p[1].revents)
			err_open = forward(s->err, 'e');
		if (p[2].revents)
			input_receive();
		if (p[3].revents)
			input_pass_on();
		if (!in_time)
			return 124;
	}
	/* What the job left in the pipes; whoever still holds their other ends is not waited for. */
	while (readable(s->out) && forward(s->out, 'o'))
		;
	while (readable(s->err) && forward(s->err, 'e'))
		;
	return status;
}

/* A file that cannot be opened is no reason not to run the job. */
static bool open_input(const char *path, int *child)
{
	int ends[2];

	if (!path || strcmp(path, "-")) {
		*child = open(path ? path : "/dev/null", O_RDONLY | O_CLOEXEC);
		return true;
	}
	if (pipe2(ends, O_CLOEXEC))
		return false;
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	input_begin(ends[1]);
	*child = ends[0];
	return true;
}

static bool open_output(int *child, int *ours)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return false;
	*ours = ends[0];
	*child = ends[1];
	return true;
}

static void close_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

int run_in_streams(const struct job *job)
{
	struct streams s = { .child = { -1, -1, -1 }, .out = -1, .err = -1 };
	long deadline = job_deadline(job);
	int status = 126;
	pid_t pid = -1;

	if (open_input(job->input, &s.child[0]) && open_output(&s.child[1], &s.out) &&
	    open_output(&s.child[2], &s.err))
		pid = fork();
	if (!pid) {
		setsid();
		for (int i = 0; i < 3; i++)
			dup2(s.child[i], i);
		become_job(job);
	}
	for (int i = 0; i < 3; i++)
		close_open(s.child[i]);
	if (pid > 0)
		status = stream_loop(pid, &s, deadline);
	input_end();
	close_open(s.out);
	close_open(s.err);
	return status;
}
