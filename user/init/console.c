/* SPDX-License-Identifier: MIT */
#include "console.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "child.h"

static int console_open(void)
{
	int fd = open("/dev/ttyS0", O_RDWR | O_NOCTTY | O_CLOEXEC);

	return fd >= 0 ? fd : open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
}

/* The open console becomes descriptors 0 to 2, and nothing else. */
static void become_streams(int fd)
{
	for (int i = 0; fd >= 0 && i < 3; i++)
		if (fd != i)
			dup2(fd, i);
	if (fd > 2)
		close(fd);
}

void console_as_streams(void)
{
	become_streams(console_open());
}

void make_raw(int fd)
{
	struct termios t;

	if (tcgetattr(fd, &t))
		return;
	cfmakeraw(&t);
	tcsetattr(fd, TCSANOW, &t);
}

/* In the child: a session of its own with the console as its terminal. */
static void take_console(const struct job *job)
{
	int fd;

	setsid();
	fd = console_open();
	if (fd < 0)
		return;
	if (job->size.ws_row)
		ioctl(fd, TIOCSWINSZ, &job->size);
	if (job->console == CONSOLE_RAW)
		make_raw(fd);
	ioctl(fd, TIOCSCTTY, 0);
	become_streams(fd);
}

int run_on_console(const struct job *job)
{
	long deadline = job_deadline(job);
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return 126;
	if (!pid) {
		take_console(job);
		become_job(job);
	}
	while (!reap(pid, &status))
		if (!wait_for_events(NULL, 0, deadline))
			return 124;
	return status;
}
