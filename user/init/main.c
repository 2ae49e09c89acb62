/* SPDX-License-Identifier: MIT
 *
 * Process 1, on Faultline and on Linux alike: runs the jobs that ./run put into the machine (jobs.h has their
 * list's format), or, when there are none, a shell on the console; then it switches the machine off. What comes
 * of the jobs goes to the host over a second serial line (control.h has what is said there).
 *
 *	main.c		the order of things
 *	startup.c	file systems and modules, on Linux
 *	jobs.c		the list
 *	run.c		a job, alone or in a batch with memory counted around it
 *	console.c	... with the console as its terminal
 *	streams.c	... with pipes, which travel over the control line; input.c: those from the host
 *	child.c		the process that becomes the job, and waiting for its end
 *	trace.c		what is traced while it runs
 *	memory.c	what the kernel holds before and after
 *	control.c	the control line
 *
 * This program allocates nothing after it has started, so that memory which is missing after a job is the
 * kernel's fault.
 */
#include <sys/stat.h>

#include "child.h"
#include "console.h"
#include "control.h"
#include "jobs.h"
#include "run.h"
#include "startup.h"
#include "trace.h"

static int run_shell(void)
{
	static const struct job shell = {
		.path = "/bin/sh",
		.dir = "/root",
		.argv = { "-sh" },
		.envp = { "HOME=/root", "TERM=linux", "USER=root", "SHELL=/bin/sh",
			  "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" },
		.console = CONSOLE_COOKED,
	};

	return run_on_console(&shell);
}

static int run_list(void)
{
	const struct job *job;
	int status = 0;

	while ((job = jobs_next())) {
		trace_prepare(job);
		status = jobs_are_batch() ? run_batch_job(job) : run_job(job);
		trace_stop(job);
	}
	return status;
}

int main(void)
{
	umask(022);
	touch_memory();
	mount_filesystems();
	console_as_streams();
	load_modules();
	control_open();
	children_init();
	power_off(jobs_load() ? run_list() : run_shell());
}
