/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TRACING "/sys/kernel/tracing/"

static void trace_write(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		dprintf(2, "init: %s: %s\n", file, strerror(errno));
	if (fd >= 0)
		close(fd);
}

void trace_prepare(const struct job *job)
{
	char kib[32];
	int n;

	if (!job->trace || sscanf(job->trace, "%31s %n", kib, &n) != 1)
		return;
	trace_write(TRACING "tracing_on", "0");
	trace_write(TRACING "buffer_size_kb", kib);
	trace_write(TRACING "set_event", job->trace + n);
}

void trace_start(const struct job *job)
{
	if (job->trace)
		trace_write(TRACING "tracing_on", "1");
}

void trace_stop(const struct job *job)
{
	if (job->trace)
		trace_write(TRACING "tracing_on", "0");
}
